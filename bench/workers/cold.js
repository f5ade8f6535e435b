// One way of cold.js, in a process of its own, since memory that was allocated once need not be cold again: cold.js WAY SIZE COUNT WHICH
// Sends the CPU time of one burst, in microseconds: of the first one ('first'), or of the second one when the first has decayed.
import { setTimeout } from 'node:timers/promises';
import { BufferPool } from 'slabpool';
import { loadAddon } from '../../dist/core/loader.js';
import { collectGarbage } from '../garbage.js';

const PAGE = 4096;
const EPOCH_MS = 100;
const [way, size, count, which] = process.argv.slice(2);

const addon = loadAddon();
if (typeof addon !== 'string') addon.setPopulating(way === 'slabpool');
const pool = new BufferPool({ epochMs: EPOCH_MS, leakDetection: 'off' });

/** @typedef {{ bytes: Uint8Array, release?: () => unknown }} Held */
/** @type {(size: number) => Held} */
const acquire =
  way === 'allocUnsafeSlow' ? (bytes) => ({ bytes: Buffer.allocUnsafeSlow(bytes) }) : (bytes) => pool.acquire(bytes);

/** @param {number} howMany @param {number} bytes */
function burst(howMany, bytes) {
  /** @type {Held[]} */
  const all = [];
  for (let i = 0; i < howMany; i++) {
    const one = acquire(bytes);
    const memory = one.bytes;
    for (let at = 0; at < memory.length; at += PAGE) memory[at] = 1;
    all.push(one);
  }
  return all;
}

/** @param {Held[]} all */
function release(all) {
  for (const one of all) one.release?.();
}

// V8 compiles it meanwhile; with little memory, which malloc() would keep.
for (let i = 0; i < 2000; i++) {
  release(burst(10, PAGE));
  if (i % 20 === 0) collectGarbage();
}
if (which === 'again') {
  release(burst(Number(count), Number(size)));
  collectGarbage();
  do {
    await setTimeout(3 * EPOCH_MS);
  } while (pool.stats().residentBytes !== 0);
}
collectGarbage();
const before = process.cpuUsage();
const held = burst(Number(count), Number(size));
const { user, system } = process.cpuUsage(before);
release(held);
pool.close();
process.send?.(user + system);
process.disconnect?.();
