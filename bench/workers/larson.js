// One generation of larson.js.
import '../garbage.js';
import { parentPort, workerData } from 'node:worker_threads';
import { BufferPool } from 'slabpool';
import { FairPool } from '../baseline/fair.js';
import { DRAWN, logNormal, random } from '../sizes.js';

const { from, to, live: length, replacements, first, last } = workerData;
const next = random(process.pid);
const order = Int32Array.from({ length: DRAWN }, () => Math.floor(next() * length));
const start = Math.floor(next() * DRAWN);

/** @typedef {{ bytes: Buffer, release(): void }} Held */
/**
 * @typedef {object} Way
 * @property {(size: number) => Held} acquire
 * @property {(inheritance: any) => Held[]} inherit
 * @property {(live: Held[]) => void} pass
 * @property {() => void} close
 */

/** @returns {Way} */
function slabpool() {
  const pool = BufferPool.attach(workerData.pool);
  return {
    acquire: (size) => pool.acquire(size),
    inherit: (tickets) => Array.from(tickets, (ticket) => pool.adopt(ticket)),
    pass: (live) => to.postMessage(Float64Array.from(live, (lease) => /** @type {any} */ (lease).transfer())),
    close: () => pool.close(),
  };
}

/** @returns {Way} */
function fair() {
  const pool = new FairPool();
  return {
    acquire: (size) => pool.acquire(size),
    inherit: (buffers) => buffers.map((/** @type {ArrayBuffer} */ buffer) => pool.inherit(buffer)),
    pass(live) {
      const buffers = live.map(({ bytes }) => /** @type {ArrayBuffer} */ (bytes.buffer));
      to.postMessage(buffers, buffers);
    },
    close() {},
  };
}

const way = workerData.pool === null ? fair() : slabpool();

/** @param {Held[]} live */
function replace(live) {
  for (let i = 0; i < replacements; i++) {
    const slot = /** @type {number} */ (order[(start + i) & (DRAWN - 1)]);
    live[slot]?.release();
    live[slot] = way.acquire(/** @type {number} */ (logNormal[i & (DRAWN - 1)]));
    const { bytes } = /** @type {Held} */ (live[slot]);
    bytes[0] = i;
    bytes[bytes.length - 1] = i;
  }
}

from.once('message', (/** @type {unknown} */ inheritance) => {
  const live = first
    ? Array.from({ length }, (_, i) => way.acquire(/** @type {number} */ (logNormal[i])))
    : way.inherit(inheritance);
  replace(live);
  if (last) {
    for (const held of live) held.release();
    to.postMessage(null);
  } else {
    way.pass(live);
  }
  way.close();
  from.close();
});
parentPort?.postMessage('ready');
