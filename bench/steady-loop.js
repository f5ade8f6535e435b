// The child of steady-state.js: a warm loop between two marks, under --trace-deopt and --trace-gc.
import { writeSync } from 'node:fs';
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { BufferPool } from 'slabpool';
import { logNormal } from './sizes.js';

const pool = new BufferPool();
const held = new Array(64).fill(null);

/** Leases escape into an array and bursts cross the batch border, so that all of the pool's paths take part. */
function loop(/** @type {number} */ operations) {
  for (let i = 0; i < operations; i++) {
    const size = /** @type {number} */ (logNormal[i & 131_071]);
    const lease = pool.acquire(size);
    lease.bytes[0] = i;
    held[i & 63]?.release();
    held[i & 63] = lease;
    if ((i & 0xfff) === 0) pool.releaseMany(pool.acquireMany(4000, 100));
  }
}

for (let i = 0; i < 20; i++) loop(200_000);
await setTimeout(50); // collections of the warm-up are reported by now
let major = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const { detail } = /** @type {import('node:perf_hooks').PerformanceEntry & { detail: { kind: number } }} */ (entry);
    if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) major++;
  }
}).observe({ entryTypes: ['gc'] });
writeSync(1, 'slabpool:mark:begin\n');
const before = process.memoryUsage();
loop(Number(process.argv[2]));
const after = process.memoryUsage();
writeSync(1, 'slabpool:mark:end\n');
await setTimeout(50); // Node reports collections some turns later
writeSync(
  1,
  `slabpool:memory:${JSON.stringify({
    external: after.external - before.external,
    arrayBuffers: after.arrayBuffers - before.arrayBuffers,
    major,
  })}\n`,
);
