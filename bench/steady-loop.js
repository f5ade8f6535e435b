// The child of steady-state.js: a warm loop between two marks, under --trace-deopt and --trace-gc.
import { writeSync } from 'node:fs';
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
writeSync(1, 'slabpool:mark:begin\n');
const before = process.memoryUsage();
loop(Number(process.argv[2]));
const after = process.memoryUsage();
writeSync(1, 'slabpool:mark:end\n');
writeSync(
  1,
  `slabpool:memory:${JSON.stringify({
    external: after.external - before.external,
    arrayBuffers: after.arrayBuffers - before.arrayBuffers,
  })}\n`,
);
