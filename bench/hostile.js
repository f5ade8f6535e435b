import { closeAgainstSend } from './hostile/close-against-send.js';
import { closedPools } from './hostile/closed-pools.js';
import { collections } from './hostile/collections.js';
import { refusals } from './hostile/refusals.js';
import { BUDGET, usable } from './hostile/scattered.js';
import { MIB, trims } from './hostile/trims.js';

const MiB = 2 ** 20;

export const title = 'days when the pool is full, fragmented, closed or dropped';

/** @param {import('./run.js').Context} context */
export async function run(context) {
  const { effort, progress, report, facts } = context;
  const { smoke } = effort;

  const pools = smoke ? 1200 : 10_000;
  progress(`${pools} pools are made, touched and closed`);
  const { early, late } = await closedPools(pools);
  facts({
    'pools closed, one after another': pools,
    'mappings after 1,000 of them': early.mappings,
    'mappings after all': late.mappings,
    'mappings, after all over after 1,000': late.mappings / early.mappings,
    'RSS, after all over after 1,000': late.rss / early.rss,
  });

  for (const leased of [0, 1 / 512]) {
    const label = `trim of ${MIB} MiB, ${leased === 0 ? 'all free' : '1 in 512 leased'}`;
    progress(label);
    const { ms, calls, runs, idle, trimming } = await trims(effort.rounds, leased);
    facts({
      [`${label}: ms`]: ms,
      [`${label}: system calls`]: calls,
      [`${label}: system calls over runs of free pages`]: calls / runs,
      [`${label}: longest event-loop delay of an idle worker, ms`]: trimming,
      [`${label}: the same when nobody trims, ms`]: idle,
      [`${label}: above that, ms`]: trimming - idle,
    });
  }

  const refused = await refusals(context);
  report('a refused acquire', refused);
  facts(Object.fromEntries(refused.map(({ name, ns }) => [`a refused acquire, ${name}: us`, ns / 1000])));

  for (const backend of /** @type {const} */ (['native', 'js'])) {
    facts({
      [`${BUDGET / MiB} MiB of 1 KiB leases, all but 1 in 32 released, ${backend}: MiB usable`]:
        usable(backend, 1024, 32) / MiB,
      [`256 idle connections of 2 KiB, ${backend}: MiB usable of ${BUDGET / MiB}`]: usable(backend, 2048, 16) / MiB,
    });
  }

  const seconds = smoke ? 1 : 60;
  progress(`close against send, ${seconds} s`);
  const { channels, accepted, lost } = await closeAgainstSend(seconds);
  facts({
    'close against send: seconds': seconds,
    'close against send: channels closed': channels,
    'close against send: messages accepted': accepted,
    'close against send: messages lost': lost,
  });

  const objects = smoke ? 400_000 : 4_000_000;
  progress(`${objects} objects beside warm pools`);
  const [without, ...beside] = collections(smoke ? 1 : 3, smoke ? [0, 256] : [0, 256, 1024], objects);
  facts({
    'objects made beside a warm pool': objects,
    'collections without a pool': without.minor + without.major,
    'of these, mark-sweeps': without.major,
  });
  for (const { mib, minor, major, ms } of beside) {
    facts({
      [`beside a warm pool of ${mib} MiB: collections over those without`]:
        (minor + major) / (without.minor + without.major),
      [`beside a warm pool of ${mib} MiB: mark-sweeps more than without`]: major - without.major,
      [`beside a warm pool of ${mib} MiB: time of collections over that without`]: ms / without.ms,
    });
  }
}
