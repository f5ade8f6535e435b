// One way of jagged.js, in a process of its own: jagged.js WAY COUNT LIVE
import { readFileSync } from 'node:fs';
import { BufferPool } from 'slabpool';
import { FairPool } from '../baseline/fair.js';
import { GrowablePool } from '../baseline/growable.js';
import { DRAWN, random } from '../sizes.js';

const [way, count, live] = process.argv.slice(2);
const next = random();
const sizes = Int32Array.from({ length: DRAWN }, () => {
  const kind = next();
  return 1 + Math.floor(next() * (kind < 0.9 ? 2 ** 10 : kind < 0.99 ? 2 ** 16 : 2 ** 20));
});
const order = Int32Array.from({ length: DRAWN }, () => Math.floor(next() * Number(live)));

/** @typedef {{ bytes: Buffer, release(): unknown }} Held */

/** @type {Record<string, () => { acquire(size: number): Held }>} */
const ways = {
  slabpool: () => new BufferPool(),
  fair: () => new FairPool(),
  growable: () => new GrowablePool(),
  allocUnsafe: () => ({ acquire: (size) => ({ bytes: Buffer.allocUnsafe(size), release() {} }) }),
};
const pool = /** @type {() => { acquire(size: number): Held }} */ (ways[/** @type {string} */ (way)])();

/** @param {string} key of /proc/self/status, in KiB there */
function memory(key) {
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
}

/** @type {Held[]} */
const held = [];
/** @param {number} from @param {number} to */
function replace(from, to) {
  for (let i = from; i < to; i++) {
    const at = /** @type {number} */ (order[i & (DRAWN - 1)]);
    held[at]?.release();
    const size = /** @type {number} */ (sizes[i & (DRAWN - 1)]);
    const lease = pool.acquire(size);
    lease.bytes.fill(i, 0, size);
    held[at] = lease;
  }
}

const start = memory('VmRSS');
const warm = Math.floor(Number(count) / 4);
replace(0, warm);
const started = process.hrtime.bigint();
replace(warm, warm + Number(count));
const ns = Number(process.hrtime.bigint() - started) / Number(count);
process.send?.({ ns, peak: memory('VmHWM') - start });
process.disconnect?.();
