// node loaded.mjs: which binary of slabpool a program loads, on what; and what stays loaded after the last thread that used it.
import { readFileSync } from 'node:fs';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { BufferPool } from 'slabpool';

if (isMainThread) {
  const kinds = [await inWorker(), await inWorker()];
  const { platform, arch } = process;
  console.log(JSON.stringify({ platform, arch, kinds, libraries: libraries(), page: page() }));
} else {
  const pool = new BufferPool();
  parentPort?.postMessage(pool.backend.kind);
  pool.close();
}

/** What a pool in a thread runs on, once that has ended. */
function inWorker() {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url));
    /** @type {string | undefined} */
    let kind;
    worker.on('message', (message) => {
      kind = message;
    });
    worker.on('error', reject).on('exit', () => resolve(kind));
  });
}

/** @returns {string[]} paths */
function libraries() {
  if (process.platform !== 'linux') {
    return /** @type {{ sharedObjects: string[] }} */ (process.report.getReport()).sharedObjects;
  }
  return [...new Set(readFileSync('/proc/self/maps', 'utf8').match(/\/.*$/gm))];
}

/** By the least that a budget can be. */
function page() {
  try {
    new BufferPool({ maxBytes: 1 }).close();
    return 1;
  } catch (error) {
    return Number(/(\d+) to/.exec(String(error))?.[1]);
  }
}
