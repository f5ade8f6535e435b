// npm run bench:report [-- FILE]: all of bench/results on one page, build/bench.html unless said otherwise.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { page } from './report/page.js';
import { committed } from './results.js';

const { positionals } = parseArgs({ allowPositionals: true });
const file = resolve(positionals[0] ?? fileURLToPath(new URL('../build/bench.html', import.meta.url)));
mkdirSync(dirname(file), { recursive: true });
writeFileSync(file, await page(committed()));
console.log(file);
