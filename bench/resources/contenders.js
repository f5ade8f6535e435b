// Pools of the same resources, which cost nothing to open: what is measured is the pools alone. Each has the defaults of its makers, but
// for the size, and for a limit on the waiting, which ours and tarn's have anyway.
import { EventEmitter } from 'node:events';
import generic from 'generic-pool';
import { createPool } from 'lightning-pool';
import pg from 'pg';
import { ResourcePool } from 'slabpool/resource';
import { Pool as TarnPool } from 'tarn';

const LIMIT_MS = 30_000;

/** What is pooled. */
class Connection {
  uses = 0;
}

/** As much of a client of PostgreSQL as pg-pool asks for. */
class Client extends EventEmitter {
  uses = 0;
  /** @param {(error?: Error) => void} callback */
  connect(callback) {
    setImmediate(callback);
  }
  /** @param {() => void} callback */
  end(callback) {
    setImmediate(callback);
  }
  ref() {}
  unref() {}
}

/**
 * @typedef {object} Contender
 * @property {string} name
 * @property {(hold: (() => unknown) | undefined) => Promise<void>} use one resource, for as long as `hold` takes
 * @property {() => unknown} end
 */

/** @param {number} size @returns {Contender[]} ours first */
export function contenders(size) {
  return [slabpool(size), tarn(size), genericPool(size), lightning(size), pgPool(size)];
}

/** @param {number} size @returns {Contender} */
function slabpool(size) {
  const pool = new ResourcePool({ open: () => new Connection(), close() {}, maxSize: size });
  return {
    name: 'slabpool',
    async use(hold) {
      const lease = await pool.acquire();
      lease.value.uses++;
      if (hold !== undefined) await hold();
      lease.release();
    },
    end: () => pool.close(),
  };
}

/** @param {number} size @returns {Contender} */
function tarn(size) {
  const pool = new TarnPool({ create: async () => new Connection(), destroy() {}, min: 0, max: size });
  return {
    name: 'tarn',
    async use(hold) {
      const connection = await pool.acquire().promise;
      connection.uses++;
      if (hold !== undefined) await hold();
      pool.release(connection);
    },
    end: () => pool.destroy(),
  };
}

/** @param {number} size @returns {Contender} */
function genericPool(size) {
  const pool = generic.createPool(
    { create: async () => new Connection(), destroy: async () => {} },
    { max: size, acquireTimeoutMillis: LIMIT_MS },
  );
  return {
    name: 'generic-pool',
    async use(hold) {
      const connection = await pool.acquire();
      connection.uses++;
      if (hold !== undefined) await hold();
      await pool.release(connection);
    },
    end: () => pool.drain().then(() => pool.clear()),
  };
}

/** @param {number} size @returns {Contender} */
function lightning(size) {
  const pool = createPool(
    { create: async () => new Connection(), destroy: async () => {} },
    { max: size, maxQueue: 1e6, acquireTimeoutMillis: LIMIT_MS },
  );
  return {
    name: 'lightning-pool',
    async use(hold) {
      const connection = await pool.acquire();
      connection.uses++;
      if (hold !== undefined) await hold();
      pool.release(connection);
    },
    end: () => pool.close(true),
  };
}

/** @param {number} size @returns {Contender} */
function pgPool(size) {
  const pool = new pg.Pool(
    /** @type {pg.PoolConfig} */ (/** @type {unknown} */ ({ max: size, Client, connectionTimeoutMillis: LIMIT_MS })),
  );
  return {
    name: 'pg-pool',
    async use(hold) {
      const client = /** @type {import('pg').PoolClient & Client} */ (/** @type {unknown} */ (await pool.connect()));
      client.uses++;
      if (hold !== undefined) await hold();
      client.release();
    },
    end: () => pool.end(),
  };
}
