// One way of cold.js, in a process of its own, since memory that was allocated once need not be cold again: cold.js WAY SCENARIO
// Sends the milliseconds of one burst: the first of the process, or ('again') the second, after the first one has decayed.
import { setTimeout } from 'node:timers/promises';
import { BufferPool } from 'slabpool';
import { loadAddon } from '../../dist/core/loader.js';
import { collectGarbage } from '../measure.js';

const MiB = 2 ** 20;
const SIZE = 64 * 1024;
const PAGE = 4096;
const EPOCH_MS = 100;
const [way, scenario] = process.argv.slice(2);
const count = scenario === 'again' ? (256 * MiB) / SIZE : 1000;

const addon = loadAddon();
if (typeof addon !== 'string') addon.setPopulating(way === 'slabpool');
const pool = new BufferPool({ maxBytes: 256 * MiB, epochMs: EPOCH_MS, leakDetection: 'off' });

/** @typedef {{ bytes: Uint8Array, release?: () => unknown }} Held */
/** @type {(size: number) => Held} */
const acquire =
  way === 'allocUnsafeSlow' ? (size) => ({ bytes: Buffer.allocUnsafeSlow(size) }) : (size) => pool.acquire(size);

/** @param {number} size @param {number} howMany */
function burst(size, howMany) {
  /** @type {Held[]} */
  const all = [];
  for (let i = 0; i < howMany; i++) {
    const one = acquire(size);
    const { bytes } = one;
    for (let at = 0; at < bytes.length; at += PAGE) bytes[at] = 1;
    all.push(one);
  }
  return all;
}

/** @param {Held[]} all */
function release(all) {
  for (const one of all) one.release?.();
}

// V8 compiles it meanwhile.
for (let i = 0; i < 100; i++) release(burst(PAGE, 100));
if (scenario === 'again') {
  release(burst(SIZE, count));
  collectGarbage();
  do {
    await setTimeout(3 * EPOCH_MS);
  } while (pool.stats().residentBytes !== 0);
}
collectGarbage();
const started = performance.now();
const held = burst(SIZE, count);
const ms = performance.now() - started;
release(held);
pool.close();
process.send?.(ms);
process.disconnect?.();
