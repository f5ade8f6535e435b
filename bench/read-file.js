import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BufferPool } from 'slabpool';
import { FairPool } from './baseline/fair.js';
import { measure } from './measure.js';

export const title = 'reading a file from the page cache (synchronous pread of blocks in turn); time per block';

const FILE_BYTES = 256 * 2 ** 20;

/** @param {import('./run.js').Context} context */
export async function run({ effort, progress, report }) {
  const folder = mkdtempSync(join(tmpdir(), 'slabpool-bench-'));
  const path = join(folder, 'data');
  try {
    const fd = openSync(path, 'w+');
    const chunk = Buffer.alloc(2 ** 20, 'slabpool ');
    for (let at = 0; at < FILE_BYTES; at += chunk.length) writeSync(fd, chunk);
    for (const size of [64 * 1024, 2 ** 20]) {
      report(`${size / 1024} KiB blocks`, await measure(ways(fd, size), effort, progress));
    }
    closeSync(fd);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @param {number} fd @param {number} size */
function ways(fd, size) {
  /** @param {string} name @param {(at: number) => void} block */
  const way = (name, block) => {
    let at = 0;
    return {
      name,
      bytes: size,
      run: (/** @type {number} */ blocks) => {
        for (let i = 0; i < blocks; i++) {
          block(at);
          at = (at + size) % FILE_BYTES;
        }
      },
    };
  };
  const pool = new BufferPool();
  const fairPool = new FairPool();
  const reused = Buffer.allocUnsafeSlow(size);
  // Only a pooled block starts at a 64-byte boundary for certain, so this one must not be oversize. JavaScript cannot
  // see addresses: those of `reused` and of fresh buffers are malloc's choice (with glibc, any multiple of 16).
  const block = new BufferPool({ tiers: [size + 4096] }).acquire(size + 4096).bytes;
  const aligned = block.subarray(0, size);
  const misaligned = block.subarray(16, 16 + size);
  return [
    way('slabpool', (at) => {
      const lease = pool.acquire(size);
      readSync(fd, lease.bytes, 0, size, at);
      lease.release();
    }),
    way('fair JS pool', (at) => {
      const lease = fairPool.acquire(size);
      readSync(fd, lease.bytes, 0, size, at);
      lease.release();
    }),
    way('Buffer.allocUnsafeSlow', (at) => readSync(fd, Buffer.allocUnsafeSlow(size), 0, size, at)),
    way('one Buffer, reused', (at) => readSync(fd, reused, 0, size, at)),
    way('address mod 64 = 0', (at) => readSync(fd, aligned, 0, size, at)),
    way('address mod 64 = 16', (at) => readSync(fd, misaligned, 0, size, at)),
  ];
}
