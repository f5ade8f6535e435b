/** The project's main job, end to end: aggregates a large NDJSON file with slabpool and with what it has to beat. */
import { cpus } from 'node:os';
import { basename, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { citiesOf } from '../examples/ndjson/dataset.js';
import { DemoError, explain } from '../examples/ndjson/errors.js';
import { checkCounted, checkInput, warm } from '../examples/ndjson/input.js';
import { Progress } from '../examples/ndjson/progress.js';
import { countriesTable, countsLine, waysTable } from '../examples/ndjson/report.js';
import { race, WAYS, waysOn } from '../examples/ndjson/rounds.js';
import { inWords, summarize } from '../examples/ndjson/summary.js';
import { difference, totalsDiffer } from '../examples/ndjson/verdict.js';

const MIB = 1024 * 1024;

const HELP = `npm run demo [-- [FILE] [--size MIB] [--rounds N] [--workers N]]

Counts the records of a large NDJSON file by country, once with slabpool, once with a pool in plain JavaScript and once
with a fresh buffer for every block. Same parser, a process each, in turns. Fails if the results differ.

  FILE          NDJSON: one JSON object a line, each with a text field "country" ("lat" and "lng" are used if present).
                Without it: the GeoNames cities, written once to the folder for temporary files.
  --size MIB    size of that file (default 256)
  --rounds N    passes of each way (default 5; the table shows medians)
  --workers N   reads on one thread and parses on N more: through a slabpool Channel, with postMessage that transfers a
                JavaScript pool's buffers there and back, with fresh buffers transferred, and all on one thread
  --help        this text`;

function readArguments() {
  const options = /** @type {const} */ ({
    size: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    workers: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  });
  try {
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    if (positionals.length > 1) throw new Error(`expected one FILE, got ${positionals.length}`);
    const [file] = positionals;
    if (file !== undefined && values.size !== undefined) {
      throw new Error('--size is for the generated file; it cannot be used with FILE');
    }
    return {
      file,
      help: values.help,
      size: whole('--size', values.size ?? '256', 65_536),
      rounds: whole('--rounds', values.rounds, 100),
      ways: values.workers === undefined ? WAYS : waysOn(whole('--workers', values.workers, 64)),
    };
  } catch (error) {
    throw new DemoError(`${error instanceof Error ? error.message : error}\nSee: npm run demo -- --help`);
  }
}

/**
 * @param {string} name
 * @param {string} text
 * @param {number} max
 */
function whole(name, text, max) {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new Error(`${name}: expected a whole number from 1 to ${max}, got ${JSON.stringify(text)}`);
}

/** @param {string} file */
async function ownInput(file) {
  // npm runs scripts in the package's folder, whatever folder the person is in.
  const { INIT_CWD = '.' } = process.env;
  const path = resolve(INIT_CWD, file);
  return { path, size: await checkInput(path, file), truth: undefined };
}

/** @param {number} size MiB */
async function generatedInput(size) {
  /** @type {Progress | undefined} */
  let progress;
  try {
    return await citiesOf(size * MIB, (bytes) => {
      progress ??= new Progress(`Writing ${size} MiB of GeoNames cities as NDJSON`, size * MIB);
      progress.update(Math.min(bytes, size * MIB));
    });
  } finally {
    progress?.stop();
  }
}

/**
 * @template T
 * @param {string} phase
 * @param {number} total
 * @param {(progress: Progress) => Promise<T>} work
 */
async function withProgress(phase, total, work) {
  const progress = new Progress(phase, total);
  try {
    return await work(progress);
  } finally {
    progress.stop();
  }
}

async function main() {
  const { file, help, size: wanted, rounds, ways } = readArguments();
  if (help) {
    console.log(HELP);
    return;
  }
  const cpu = cpus()[0]?.model.trim() || process.arch;
  console.log(`slabpool demo: Node ${process.version}, ${cpu}, ${cpus().length} cores, ${process.platform}`);

  const { path, size, truth } = file === undefined ? await generatedInput(wanted) : await ownInput(file);
  console.log(`${file ?? basename(path)}: ${(size / 1e6).toFixed(0)} MB, blocks of 64 KiB, 4 reads ahead`);
  await withProgress('Reading it once, into the page cache', size, (progress) => warm(path, (n) => progress.update(n)));

  const phase = `${rounds} rounds of ${ways.length} ways, a process each`;
  const runs = await withProgress(phase, rounds * ways.length, (progress) =>
    race(path, size, rounds, ways, (done, { label }) => progress.update(done, label)),
  );

  const different = difference(runs);
  if (different) throw new DemoError(`The results differ. First difference: ${different}`);
  const [[{ result }]] = runs.values();
  checkCounted(result, file ?? path);
  const untrue = truth && totalsDiffer(truth, result.countries, { expected: 'the data set', actual: 'all ways' });
  if (untrue) throw new DemoError(`All ways agree, but not with the data set. First difference: ${untrue}`);

  console.log(`\n${countsLine(result)}\n${countriesTable(result)}`);
  const passes = rounds * ways.length;
  console.log(`All ${passes} passes found exactly the same${truth ? ', and the same as the data set itself' : ''}.\n`);

  const summaries = new Map([...runs].map(([way, list]) => [way, summarize(list, size)]));
  const start = Math.min(...[...summaries.values()].map(({ startRss }) => startRss));
  console.log(waysTable(summaries));
  console.log(
    `Medians of ${rounds}; RSS and external memory at their peaks; RSS of Node.js alone: ${start.toFixed(0)} MiB.\n`,
  );
  console.log(inWords(summaries, rounds));
}

try {
  await main();
} catch (error) {
  console.error(`demo: ${explain(error)}`);
  process.exitCode = 1;
}
