// node bench/docs.js: the documents whose figures are from bench/results, written anew; a test holds them against it.
import { writeFileSync } from 'node:fs';
import { documents } from './report/documents.js';
import { committed } from './results.js';

for (const [path, text] of Object.entries(documents(committed()))) {
  writeFileSync(new URL(`../${path}`, import.meta.url), text);
  console.log(path);
}
