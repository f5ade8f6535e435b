import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { median } from 'simple-statistics';
import { BufferPool } from 'slabpool';
import { residentBytes } from './resident.js';

const MiB = 2 ** 20;
const EPOCH_MS = 1000;
const BURST = 256 * MiB;
const SIZE = 64 * 1024;

export const title = `a burst of ${BURST / MiB} MiB in ${SIZE / 1024} KiB buffers, and what comes back when nobody uses it; epochs of ${EPOCH_MS} ms`;

/** @param {import('./run.js').Context} context */
export async function run({ effort, progress, facts }) {
  const bursts = effort.smoke ? 2 : 12;
  const pool = new BufferPool({ maxBytes: BURST, epochMs: EPOCH_MS });
  const burst = () => {
    const leases = pool.acquireMany(SIZE, BURST / SIZE);
    for (const { bytes } of leases) for (let at = 0; at < SIZE; at += 4096) bytes[at] = 1;
    pool.releaseMany(leases);
  };
  // Once before, so that the objects of the blocks are there already: what is measured is the blocks' memory.
  burst();
  pool.trim();
  const start = residentBytes();
  /** @type {Record<'idleMs' | 'decayMs' | 'aboveMs' | 'peak' | 'left', number>[]} */
  const rounds = [];
  for (let round = 1; round <= effort.rounds; round++) {
    progress(`round ${round} of ${effort.rounds}: nothing happens`);
    const idleMs = await longestDelay(() => setTimeout(2.2 * EPOCH_MS));
    burst();
    const peak = residentBytes() - start;
    progress(`round ${round} of ${effort.rounds}: the burst decays`);
    const decayMs = await longestDelay(() => setTimeout(2.2 * EPOCH_MS));
    rounds.push({ idleMs, decayMs, aboveMs: decayMs - idleMs, peak, left: residentBytes() - start });
  }
  const middle = (/** @type {keyof rounds[0]} */ key) => median(rounds.map((one) => one[key]));

  burst();
  const before = process.resourceUsage().minorPageFault;
  for (let i = 0; i < bursts; i++) {
    progress(`burst ${i + 1} of ${bursts}, one every half epoch`);
    await setTimeout(EPOCH_MS / 2);
    burst();
  }
  const faults = process.resourceUsage().minorPageFault - before;
  pool.close();
  facts({
    'RSS above its start after the burst, MiB': middle('peak') / MiB,
    'and two epochs later, MiB': middle('left') / MiB,
    'left after two epochs, of the burst': middle('left') / BURST,
    'page faults a burst, one every half epoch': faults / bursts,
    'pages of a burst': BURST / 4096,
    'page faults over pages': faults / bursts / (BURST / 4096),
    'longest event-loop delay, idle, ms': middle('idleMs'),
    'longest event-loop delay while it decays, ms': middle('decayMs'),
    'longest delay above idle, ms': middle('aboveMs'),
  });
}

/** @param {() => Promise<unknown>} meanwhile @returns {Promise<number>} milliseconds */
async function longestDelay(meanwhile) {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  await meanwhile();
  histogram.disable();
  return histogram.max / 1e6;
}
