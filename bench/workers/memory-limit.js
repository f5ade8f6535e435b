// The service of memory-limit.js: a process of its own, since it may be killed.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { BufferPool } from 'slabpool';
import { loadAddon } from '../../dist/core/loader.js';

const SIZE = 64 * 1024;
const FULL = 0.95;
/** Of the limit, what the service needs after it has released its leases. */
const OTHERWISE = 0.6;
const CHUNK = 16 * 2 ** 20;
const FEW = 0.01;
/** The janitor looks once a second. */
const LOOK_MS = 1000;
const SLACK_MS = 150;
const EPOCH_MS = 3_600_000; // nothing goes by its age alone

/** @typedef {{ limit: number, usage: string, root: string, rounds: number, yields: boolean }} Task */

process.on('disconnect', () => process.exit());
process.on('message', async (message) => {
  const { limit, usage, root, rounds, yields } = /** @type {Task} */ (message);
  const pool = new BufferPool({ maxBytes: limit, epochMs: yields ? EPOCH_MS : 0 });
  if (root !== '') {
    const addon = loadAddon();
    if (typeof addon === 'string') throw new Error(addon);
    addon.setMemoryRoot(root);
  }
  const used = () => {
    if (root === '') return Number(readFileSync(usage, 'utf8'));
    const bytes = pool.stats().residentBytes;
    // At once: the janitor may be reading.
    writeFileSync(`${usage}.new`, String(bytes));
    renameSync(`${usage}.new`, usage);
    return bytes;
  };
  for (let round = 0; round < rounds; round++) {
    /** @type {import('slabpool').Lease[]} */
    const leases = [];
    while (used() < FULL * limit) {
      const lease = pool.acquire(SIZE);
      lease.bytes.fill(round + 1);
      leases.push(lease);
    }
    for (const lease of leases) lease.release();
    const released = leases.length * SIZE;
    const from = performance.now();
    let ms = Infinity;
    let left = 1;
    for (let elapsed = 0; elapsed < LOOK_MS + SLACK_MS; elapsed = performance.now() - from) {
      await setTimeout(10);
      used();
      left = pool.stats().cachedBytes / released;
      if (left <= FEW) ms = Math.min(ms, performance.now() - from);
    }
    if (root === '') needElsewhere(OTHERWISE * limit);
    globalThis.gc?.();
    process.send?.({ left, ms });
  }
  pool.close();
  process.disconnect?.();
});
process.send?.('ready');

/** @param {number} bytes */
function needElsewhere(bytes) {
  const chunks = [];
  for (let have = 0; have < bytes; have += CHUNK) chunks.push(Buffer.alloc(CHUNK, 1));
  return chunks.length;
}
