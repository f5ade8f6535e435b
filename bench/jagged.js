import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { compared } from './measure.js';

const LIVE = 256;
const MiB = 2 ** 20;
const WAYS = {
  slabpool: 'slabpool',
  fair: 'fair JS pool',
  growable: 'one tier, growable',
  allocUnsafe: 'Buffer.allocUnsafe',
};

export const title =
  `90 % of buffers up to 1 KiB, 9 % up to 64 KiB, 1 % up to 1 MiB; ${LIVE} live, one at random replaced and filled. ` +
  'A process each, for the peak of its memory';

/** @param {import('./run.js').Context} context */
export async function run({ effort, progress, report, facts }) {
  const count = Math.ceil((400_000 * effort.seconds) / 0.2);
  const rounds = Math.ceil(effort.rounds / 2);
  /** @type {Record<string, { times: number[], peaks: number[] }>} */
  const seen = Object.fromEntries(Object.keys(WAYS).map((way) => [way, { times: [], peaks: [] }]));
  for (let round = 0; round < rounds; round++) {
    for (const [way, name] of Object.entries(WAYS)) {
      progress(`${name}, round ${round + 1} of ${rounds}`);
      const child = fork(fileURLToPath(new URL('workers/jagged.js', import.meta.url)), [way, `${count}`, `${LIVE}`]);
      const [{ ns, peak }] = await once(child, 'message');
      seen[way]?.times.push(ns);
      seen[way]?.peaks.push(peak);
      await once(child, 'exit');
    }
  }
  const own = /** @type {{ times: number[], peaks: number[] }} */ (seen['slabpool']);
  report(
    'jagged',
    Object.entries(WAYS).map(([way, name]) => compared(name, seen[way]?.times ?? [], own.times)),
  );
  const peak = (/** @type {string} */ way) => Math.max(...(seen[way]?.peaks ?? []));
  facts({
    ...Object.fromEntries(
      Object.entries(WAYS).map(([way, name]) => [`${name}: peak RSS above start, MiB`, peak(way) / MiB]),
    ),
    'peak memory of one growable tier over ours': peak('growable') / peak('slabpool'),
  });
}
