/** What slabpool/io is good for: jobs on real data, each against what people write without it. */
import { statSync } from 'node:fs';
import { cpus } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { citiesOf } from '../bench/io/data.js';
import { DemoError } from './demo/alone.js';
import { barsOf, HEAD, summaryOf } from './demo/bars.js';
import { COUNTRIES, JOBS } from './demo/jobs.js';
import { Progress } from './demo/progress.js';
import { race } from './demo/race.js';

const MIB = 1024 * 1024;
/** Seconds that one way is measured for, a round. */
const SECONDS = 0.35;

const HELP = `npm run demo [-- [FILE] [--size MIB] [--rounds N]]

Lines, JSON, whole files, frames from a socket and records, with slabpool/io and with what people write without it: MB per
second of CPU time, each way in a process of its own, in turns. Fails if two ways do not find the same.

  FILE          NDJSON: only counts its records by their text field "country", on blocks of slabpool, of a pool in
                JavaScript, and fresh ones. Without it: all jobs, on the GeoNames cities.
  --size MIB    of the file with the cities, which is kept in the folder for temporary files (default 16)
  --rounds N    how often each way runs (default 2)
  --help        this text`;

function readArguments() {
  const options = /** @type {const} */ ({
    size: { type: 'string' },
    rounds: { type: 'string', default: '2' },
    help: { type: 'boolean', short: 'h', default: false },
  });
  try {
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    const [file] = positionals;
    if (positionals.length > 1) throw new Error(`expected one FILE, got ${positionals.length}`);
    if (file !== undefined && values.size !== undefined) {
      throw new Error('--size is for the file with the cities; it cannot be used with FILE');
    }
    const size = whole('--size', values.size ?? '16', 1024);
    return { file, help: values.help, size, rounds: whole('--rounds', values.rounds, 100) };
  } catch (error) {
    throw new DemoError(`${error instanceof Error ? error.message : error}\nSee: npm run demo -- --help`);
  }
}

/** @param {string} name @param {string} text @param {number} max */
function whole(name, text, max) {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new Error(`${name}: expected a whole number from 1 to ${max}, got ${JSON.stringify(text)}`);
}

/** @param {string} file */
function ownFile(file) {
  // npm runs scripts in the package's folder, whatever folder the person is in.
  const { INIT_CWD = '.' } = process.env;
  const path = resolve(INIT_CWD, file);
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats?.isFile() || stats.size === 0) {
    throw new DemoError(`${file}: expected an NDJSON file that is not empty, got ${!stats ? 'none' : 'none to read'}`);
  }
  return { path, size: stats.size };
}

async function main() {
  const { file, help, size, rounds } = readArguments();
  if (help) {
    console.log(HELP);
    return;
  }
  const input = file === undefined ? citiesOf(size * MIB) : ownFile(file);
  const jobs = file === undefined ? JOBS : [COUNTRIES];
  const cpu = cpus()[0]?.model.trim() || process.arch;
  console.log(`slabpool demo: Node ${process.version}, ${cpu}, ${cpus().length} cores, ${process.platform}`);
  console.log(
    `${file ?? 'GeoNames cities as NDJSON'}: ${(input.size / 1e6).toFixed(0)} MB. gain: slabpool over the other way\n\n${HEAD}`,
  );

  const gains = [];
  let passes = 0;
  for (const job of jobs) {
    const progress = new Progress(job.title, rounds * job.ways.length);
    let begun = 0;
    try {
      const options = { input: input.path, seconds: SECONDS, rounds };
      const runs = await race(job, options, ({ label }) => progress.update(begun++, label));
      progress.stop();
      const { text, ...gain } = barsOf(job, runs);
      console.log(`${text}\n`);
      gains.push(gain);
      passes += begun;
    } finally {
      progress.stop();
    }
  }
  console.log(`${summaryOf(gains)}\nAll ${passes} passes found the same as the others of their job.`);
}

// Such as `| head`, when it has seen enough.
process.stdout.on('error', () => process.exit());
try {
  await main();
} catch (error) {
  const text = error instanceof DemoError ? error.message : error instanceof Error ? error.stack : String(error);
  console.error(`demo: ${text}`);
  process.exitCode = 1;
}
