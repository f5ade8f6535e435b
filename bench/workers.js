import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { BufferPool } from 'slabpool';
import { WorkerPool } from 'slabpool/worker';
import { endAll, takeTurns, timed } from './threads.js';

const MiB = 2 ** 20;
const FILE_BYTES = 64 * MiB;
const LINE = `${'slabpool '.repeat(28)}\n`;
const THREADS = 2;
/** Jobs under way at the most, in each of the ways: one in work and one that waits for each thread. */
const LANES = 2 * THREADS;

export const title = `blocks of a file (page cache), whose lines ${THREADS} threads count, ${LANES} jobs under way; per block`;

/** @param {import('./run.js').Context} context */
export async function run({ effort, progress, report }) {
  const folder = mkdtempSync(join(tmpdir(), 'slabpool-bench-'));
  const fd = openSync(join(folder, 'data'), 'w+');
  try {
    const chunk = Buffer.alloc(MiB, LINE);
    for (let at = 0; at < FILE_BYTES; at += MiB) writeSync(fd, chunk);
    for (const [size, count] of /** @type {const} */ ([
      [MiB, 2000],
      [64 * 1024, 10_000],
    ])) {
      const scale = effort.seconds / 0.2;
      const ways = [slabpool(fd, size), clone(fd, size), fresh(fd, size), recycled(fd, size)];
      const scaled = ways.map((way) => ({ ...way, count: Math.ceil(count * scale) }));
      report(`${size / 1024} KiB`, await takeTurns(scaled, effort.rounds, progress));
      await endAll(scaled);
    }
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  }
}

/** @param {number} fd @param {number} size */
function slabpool(fd, size) {
  const pool = new BufferPool();
  const workers = new WorkerPool({ filename: worker('leases'), pool, minThreads: THREADS, maxThreads: THREADS });
  return {
    name: 'slabpool WorkerPool',
    run: lanes(size, () => async (at) => {
      const lease = pool.acquire(size);
      readSync(fd, lease.bytes, 0, size, at);
      await workers.run(lease);
    }),
    end: () => workers.close(),
  };
}

/** @param {number} fd @param {number} size */
function clone(fd, size) {
  return others('piscina, cloned', 'clone', size, (piscina) => {
    const bytes = Buffer.allocUnsafeSlow(size);
    return async (at) => {
      readSync(fd, bytes, 0, size, at);
      await piscina.run(bytes);
    };
  });
}

/** @param {number} fd @param {number} size */
function fresh(fd, size) {
  return others('piscina, transferList, a fresh ArrayBuffer each', 'clone', size, (piscina) => async (at) => {
    const bytes = Buffer.allocUnsafeSlow(size);
    readSync(fd, bytes, 0, size, at);
    await piscina.run(bytes, transferring(bytes));
  });
}

/** @param {number} fd @param {number} size */
function recycled(fd, size) {
  return others('piscina, transferList, ArrayBuffers that come back', 'back', size, (piscina) => {
    let bytes = /** @type {Uint8Array<ArrayBuffer>} */ (Buffer.allocUnsafeSlow(size));
    return async (at) => {
      readSync(fd, bytes, 0, size, at);
      bytes = await piscina.run(bytes, transferring(bytes));
    };
  });
}

/**
 * @param {string} name @param {string} file @param {number} size
 * @param {(piscina: Piscina) => (at: number) => Promise<void>} lane
 */
function others(name, file, size, lane) {
  const piscina = new Piscina({ filename: worker(file), minThreads: THREADS, maxThreads: THREADS });
  return { name, run: lanes(size, () => lane(piscina)), end: () => piscina.destroy() };
}

/**
 * Lanes that each do one block after the other.
 * @param {number} size @param {() => (at: number) => Promise<void>} lane
 */
function lanes(size, lane) {
  const all = Array.from({ length: LANES }, lane);
  return (/** @type {number} */ count) => {
    let next = 0;
    return timed(() =>
      Promise.all(
        all.map(async (block) => {
          while (next < count) await block((next++ * size) % FILE_BYTES);
        }),
      ),
    );
  };
}

/** @param {Uint8Array<ArrayBuffer>} bytes */
function transferring(bytes) {
  // As its declarations have it, there is nothing to transfer.
  return { transferList: /** @type {never} */ ([bytes.buffer]) };
}

/** @param {string} file */
function worker(file) {
  return fileURLToPath(new URL(`workers/lines-${file}.js`, import.meta.url));
}
