import genericPool from 'generic-pool';
import { ObjectPool } from 'slabpool/object';
import { compared, measure } from './measure.js';
import { medium, Small, small, warmUp } from './objects/contenders.js';
import { contextCases, encoderCases } from './objects/contexts.js';
import { caseOf, LOOPS } from './objects/loops.js';

export const title = 'pools of objects: small, medium and large ones';

/** @param {import('./run.js').Context} context */
export async function run({ effort, progress, report }) {
  warmUp();
  for (const [size, { touch, contenders }] of Object.entries({ small, medium })) {
    for (const kind of Object.keys(LOOPS)) {
      const label = `${size} object: ${kind}`;
      const cases = contenders.map((contender) => caseOf(kind, contender, touch));
      report(label, await measure(cases, effort, (what) => progress(`${label}: ${what}`)));
    }
  }
  report('small object, in an async function', await awaited(asyncCases(), effort, progress));
  report('an encoder of records', await measure(encoderCases(), effort, (what) => progress(`encoder: ${what}`)));
  for (const { label, cases, expected, close } of contextCases()) {
    for (const { name, run } of cases) {
      for (let i = 0; i < 2; i++)
        if (!same(label, await run(), expected)) throw new Error(`${label}, ${name}: other bytes`);
    }
    report(label, await awaited(cases, effort, (what) => progress(`${label}: ${what}`)));
    close();
  }
}

/** The reset() of a brotli encoder forgets its quality before Node.js 26: then it compresses with the highest one. @param {string} label @param {Buffer} got @param {Buffer} expected */
const same = (label, got, expected) => got.equals(expected) || label.startsWith('brotli, quality');

/** @typedef {{ name: string, run: (i: number) => Promise<unknown> }} AsyncCase */

/** What asks for a promise, beside what does not. @returns {AsyncCase[]} */
function asyncCases() {
  const ours = new ObjectPool({ create: () => new Small() });
  const theirs = genericPool.createPool({ create: async () => new Small(), destroy: async () => {} }, { max: 100 });
  return [
    {
      name: 'slabpool, checks each lease',
      async run(i) {
        const lease = ours.acquire();
        lease.value.a = i;
        lease.release();
      },
    },
    {
      name: 'generic-pool, checks that what comes back is out',
      async run(i) {
        const value = await theirs.acquire();
        value.a = i;
        await theirs.release(value);
      },
    },
  ];
}

/**
 * As `measure()`, for what is awaited: by turns over several rounds.
 * @param {readonly AsyncCase[]} cases @param {{ rounds: number, seconds: number }} effort @param {(what: string) => void} progress
 */
async function awaited(cases, { rounds, seconds }, progress) {
  const times = cases.map(() => /** @type {number[]} */ ([]));
  /** Nanoseconds an operation, of as many as take so long. @param {AsyncCase} one @param {number} ns */
  const time = async ({ run }, ns) => {
    const started = process.hrtime.bigint();
    let count = 0;
    for (let took = 0; took < ns; took = Number(process.hrtime.bigint() - started)) {
      for (let i = 0; i < 32; i++) await run(i);
      count += 32;
    }
    return Number(process.hrtime.bigint() - started) / count;
  };
  for (const one of cases) await time(one, seconds * 1e8);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < cases.length; turn++) {
      const i = (round + turn) % cases.length;
      const one = /** @type {AsyncCase} */ (cases[i]);
      progress(`${one.name}, round ${round + 1} of ${rounds}`);
      times[i]?.push(await time(one, seconds * 1e9));
    }
  }
  return cases.map(({ name }, i) => compared(name, times[i] ?? [], times[0] ?? []));
}
