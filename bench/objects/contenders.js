// Ways to get an object, as source text: each loop is compiled for each of them, so that no call site of the harness sees two.
import { ObjectPool as Unchecked } from '@smikhalevski/object-pool';
import reusify from 'reusify';
import { clear, ObjectPool } from 'slabpool/object';

/** @typedef {{ name: string, acquire: string, value: string, release: string, open: () => unknown }} ObjectContender */

/** Three fields, and the one that reusify links by. */
export class Small {
  a = 0;
  b = 0;
  /** @type {Small | null} */
  next = null;
}

/** What a request of a service has: a map, a set, a list and a buffer. */
export class Medium {
  a = 0;
  /** @type {Map<string, number>} */
  map = new Map();
  /** @type {Set<number>} */
  set = new Set();
  /** @type {number[]} */
  list = [];
  body = Buffer.allocUnsafeSlow(1024);
  /** @type {Medium | null} */
  next = null;

  /** To empty a map costs more than to make one: {@link empty} is there to show it. */
  reset() {
    this.map = new Map();
    this.set = new Set();
    this.list = [];
  }

  empty() {
    clear(this.map, this.set, this.list);
  }
}

/** Writes and reads a field. */
const TOUCH = 'value.a = i; sink += value.a;';
/** Puts something into each part. */
const FILL =
  "value.a = i; value.map.set('host', i).set('accept', 2).set('cookie', 3).set('length', 4); value.set.add(i).add(1); value.list.push(1, 2, 3, i); value.body[0] = i; value.body[1023] = i; sink += value.map.size + value.body[0];";

const SLABPOOL = { acquire: 'pool.acquire()', value: 'held.value', release: 'held.release();' };

/**
 * @template {{ next: T | null }} T
 * @param {new () => T} Class @param {{ by: (value: T) => void, text: string } | null} reset
 * @returns {ObjectContender[]}
 */
function contenders(Class, reset) {
  const create = () => new Class();
  return [
    {
      ...SLABPOOL,
      name: 'slabpool, checks each lease',
      open: () => new ObjectPool(reset === null ? { create } : { create, reset: reset.by }),
    },
    {
      ...SLABPOOL,
      name: 'slabpool, leakDetection off',
      open: () => new ObjectPool({ create, leakDetection: 'off', ...(reset === null ? {} : { reset: reset.by }) }),
    },
    {
      name: 'reusify, checks nothing',
      acquire: 'pool.get()',
      value: 'held',
      release: `${reset?.text ?? ''} pool.release(held);`,
      open: () => reusify(Class),
    },
    {
      name: '@smikhalevski/object-pool, checks nothing',
      acquire: 'pool.take()',
      value: 'held',
      release: 'pool.release(held);',
      open: () => new Unchecked(create, reset?.by),
    },
    { name: 'a new one each time', acquire: 'new pool()', value: 'held', release: '', open: () => Class },
  ];
}

export const small = { touch: TOUCH, contenders: contenders(Small, null) };
export const medium = {
  touch: FILL,
  contenders: [
    ...contenders(Medium, { by: (value) => value.reset(), text: 'held.reset();' }),
    {
      ...SLABPOOL,
      name: 'slabpool, its collections emptied',
      open: () => new ObjectPool({ create: () => new Medium(), reset: (value) => value.empty() }),
    },
  ],
};

/** A program has several pools, of objects of several classes: so V8 has seen them all before anything is measured. */
export function warmUp() {
  const pools = [
    new ObjectPool({ create: () => new Map(), reset: (map) => map.clear() }),
    new ObjectPool({ create: () => ({ x: 1 }), resetOn: 'release', reset: (it) => Object.assign(it, { x: 1 }) }),
    new ObjectPool({ create: () => [0], keep: (list) => list.length < 10 }),
    new ObjectPool({ create: () => new Medium() }),
  ];
  for (const pool of pools) {
    for (let i = 0; i < 100_000; i++) pool.acquire().release();
    pool.close();
  }
}
