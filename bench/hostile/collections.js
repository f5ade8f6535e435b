import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { median } from 'simple-statistics';

const script = fileURLToPath(new URL('../workers/collections.js', import.meta.url));

/**
 * What a warm pool does to the garbage collection of the program beside it: V8 counts every block that is mapped as external memory,
 * and collects when there is much of that. They take turns, each in processes of its own.
 * @param {number} rounds @param {readonly number[]} warm MiB of pools @param {number} objects that the program makes
 */
export function collections(rounds, warm, objects) {
  const ways = warm.map((mib) => ({ mib, runs: /** @type {Counts[]} */ ([]) }));
  for (let round = 0; round < rounds; round++) {
    for (const { mib, runs } of ways) {
      const args = [script, String(mib), String(objects)];
      runs.push(JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })));
    }
  }
  return ways.map(({ mib, runs }) => {
    const of = (/** @type {keyof Counts} */ key) => median(runs.map((run) => run[key]));
    return { mib, minor: of('minor'), major: of('major'), ms: of('ms') };
  });
}

/** @typedef {{ minor: number, major: number, ms: number }} Counts */
