// npm run bench [-- NAME ...] [--runtime NAME ...] [--smoke]: every benchmark, or those named, on this runtime, or those named; `all` is
// each. --smoke: as little as makes everything happen, several at once; its figures are worth nothing.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { BENCHMARKS, GROUPS } from './benchmarks.js';
import { RUNTIME, read } from './results.js';
import { RUNTIMES, runtime } from './runtimes.js';
import { measuredOf, unmeasured, verdicts } from './targets.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    smoke: { type: 'boolean', default: false },
    runtime: { type: 'string', multiple: true, default: [RUNTIME] },
  },
});
const { smoke } = values;
const names = chosen('names', positionals, BENCHMARKS, GROUPS);
const runtimes = chosen('runtimes', values.runtime, RUNTIMES, { all: RUNTIMES });
/** A smoke run of a benchmark that has not ended by then will not. */
const HUNG_MS = 5 * 60_000;

const script = fileURLToPath(new URL('run.js', import.meta.url));
const jobs = runtimes.flatMap((on) => names.map((name) => ({ on, name, took: read(on, name, smoke)?.took ?? 0 })));
/** Those that failed. @type {Set<typeof jobs[0]>} */
const failed = new Set();

if (smoke) {
  const left = [...jobs];
  const one = async () => {
    for (let job = left.shift(); job !== undefined; job = left.shift()) await quietly(job);
  };
  // One more than there are cores: several wait more than they compute.
  await Promise.all(Array.from({ length: availableParallelism() + 1 }, one));
} else {
  for (const at of jobs.keys()) await shown(at);
}
/** @type {string[]} */
const wrong = [...failed].map(({ on, name }) => `${name} on ${on}`);
for (const on of runtimes) {
  const results = jobs.flatMap((job) => {
    const found = job.on !== on || failed.has(job) ? undefined : read(on, job.name, smoke);
    return found === undefined ? [] : [{ runtime: on, name: job.name, results: found }];
  });
  if (!smoke) console.log(`\n## targets on ${on}\n${verdicts(measuredOf(results), on)}`);
  else wrong.push(...unmeasured(results, on).map((what) => `nothing was measured for the target '${what}' on ${on}`));
}
for (const what of wrong) console.log(`FAILED ${what}`);
if (smoke) console.log(`\n${jobs.length - failed.size} passed, ${wrong.length} failed`);
process.exitCode = wrong.length === 0 ? 0 : 1;

/**
 * @param {string} what @param {readonly string[]} wanted all, if there are none @param {readonly string[]} known
 * @param {Readonly<Record<string, readonly string[]>>} groups
 */
function chosen(what, wanted, known, groups) {
  const unknown = wanted.find((name) => !known.includes(name) && groups[name] === undefined);
  if (unknown === undefined) return wanted.length > 0 ? wanted.flatMap((name) => groups[name] ?? [name]) : known;
  console.error(
    `npm run bench: expected ${what} of ${known.join(', ')}, or ${Object.keys(groups).join(', ')}, got '${unknown}'`,
  );
  process.exit(2);
}

/** One benchmark, which shows what it does. @param {number} at its place in `jobs` */
async function shown(at) {
  const [job, ...others] = /** @type {[typeof jobs[0], ...typeof jobs]} */ (jobs.slice(at));
  const { on, name } = job;
  // Nobody knows how long it will take where one of them has never run.
  const later = others.some(({ took }) => took === 0) ? [] : ['--later', `${sum(others.map(({ took }) => took))}`];
  const place = ['--before', `, ${at + 1} of ${jobs.length}`];
  const { command, args } = runtime(on);
  const child = spawn(command, [...args, script, name, ...place, ...later], { stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  if (code !== 0) failed.add(job);
}

/** One benchmark, which is heard of if it fails. @param {typeof jobs[0]} job */
async function quietly(job) {
  const { on, name } = job;
  const started = performance.now();
  const { command, args } = runtime(on);
  const child = spawn(command, [...args, script, name, '--smoke'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: HUNG_MS,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  const [code] = await once(child, 'close');
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${name}, ${on}, ${seconds} s`);
  if (code === 0) return;
  failed.add(job);
  console.log(output);
}

/** @param {readonly number[]} all */
function sum(all) {
  return all.reduce((total, one) => total + one, 0);
}
