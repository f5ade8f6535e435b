import { describe, expect, test } from 'vitest';
import type { LoadedAddon } from '../dist/core/addon.js';
import { type Binary, loadBinary } from '../dist/core/binary.js';
import { EXCHANGE_LENGTH, STALE } from '../dist/core/core.js';
import { loadAddon } from '../dist/core/loader.js';

const loaded = loadAddon();
if (typeof loaded === 'string') throw new Error(loaded);
const { Pool, Channel, exchange, findAll } = loaded;
const onNotify = () => {};
const make = () => new Pool(onNotify, Uint32Array.from([64, 4096]), 2 ** 20, 0, 0);

describe('the binding', () => {
  test('is loaded once in a thread: the same exports, and the same exchange, for a second look', () => {
    const again = loadAddon() as LoadedAddon;
    expect(again.Pool).toBe(Pool);
    expect(again.exchange).toBe(exchange);
    expect(exchange).toHaveLength(EXCHANGE_LENGTH);
  });

  test('is bound per load: another load in the thread has an exchange of its own, over pools of the same process', () => {
    const { addon } = loadBinary() as Binary;
    expect(addon.exchange).not.toBe(exchange);
    expect(addon.copyId).toBe(loaded.copyId);
    const pool = make();
    const other = new addon.Pool(onNotify, pool.slot, pool.serial);
    expect(other.isLike(Uint32Array.from([64, 4096]), 2 ** 20)).toBe(true);
    const before = [...exchange];
    expect(other.refill(0)).toBeGreaterThan(0);
    expect([...exchange]).toEqual(before);
    other.close();
    pool.close();
  });

  test.each<[string, unknown[]]>([
    ['nothing', []],
    ['no budget', [Uint32Array.of(64)]],
    ['too much', [Uint32Array.of(64), 2 ** 20, 0, 0, 1]],
    ['an Array', [[64], 2 ** 20, 0, 0]],
    ['an Int32Array', [Int32Array.of(64), 2 ** 20, 0, 0]],
    ['an epoch of another type', [Uint32Array.of(64), 2 ** 20, '0', 0]],
    ['no classes', [new Uint32Array(0), 2 ** 20, 0, 0]],
    ['129 classes', [Uint32Array.from({ length: 129 }, (_, i) => i + 1), 2 ** 20, 0, 0]],
    ['a capacity of 0', [Uint32Array.of(0), 2 ** 20, 0, 0]],
    ['capacities that do not ascend', [Uint32Array.of(64, 64), 2 ** 20, 0, 0]],
    ['a capacity above 1 GiB', [Uint32Array.of(2 ** 30 + 1), 2 ** 40, 0, 0]],
    ['a negative budget', [Uint32Array.of(64), -1, 0, 0]],
    ['a budget of NaN', [Uint32Array.of(64), NaN, 0, 0]],
    ['a budget above 64 TiB', [Uint32Array.of(64), 2 ** 46 * 1.5, 0, 0]],
    ['more to keep than there may be', [Uint32Array.of(64), 2 ** 20, 0, 2 ** 20 + 1]],
    ['a negative amount to keep', [Uint32Array.of(64), 2 ** 20, 0, -1]],
  ])('refuses to make a pool of %s', (_, args) => {
    expect(() => Reflect.construct(Pool, [onNotify, ...args])).toThrow(/expected|out of range/);
  });

  test.each<[string, unknown[]]>([
    ['a slot that no pool has', [4095, 0]],
    ['a slot outside the table', [4096, 0]],
    ['the largest numbers', [2 ** 32 - 1, 2 ** 32 - 1]],
    ['numbers of another type', ['0', 0]],
    ['capacities for a slot', [Uint32Array.of(64), 0]],
    ['nothing that is a number', [undefined, null]],
  ])('refuses to join %s', (_, args) => {
    expect(() => Reflect.construct(Pool, [onNotify, ...args])).toThrow('no place in a pool to be had');
  });

  test('refuses to join a pool that was closed, also when its slot has a new one', () => {
    const pool = make();
    const { slot, serial } = pool;
    const member = new Pool(onNotify, slot, serial);
    pool.close();
    new Pool(onNotify, slot, serial).close();
    member.close();
    expect(() => new Pool(onNotify, slot, serial)).toThrow('no place in a pool to be had');
    const next = make();
    expect([next.slot, next.serial]).toEqual([slot, serial + 1]);
    expect(() => new Pool(onNotify, slot, serial)).toThrow('no place in a pool to be had');
    next.close();
  });

  test('refuses to make or join a pool without a function to call', () => {
    for (const it of [undefined, null, {}, 1]) {
      expect(() => Reflect.construct(Pool, [it, Uint32Array.of(64), 2 ** 20, 0, 0])).toThrow(
        /expected \(onNotify: function/,
      );
    }
  });

  test('refuses to be called without new, and what is no pool', () => {
    expect(() => (Pool as unknown as () => void)()).toThrow(TypeError);
    for (const it of [{}, undefined, Object.create(make()), new Proxy(make(), {})]) {
      expect(() => make().age.call(it as never)).toThrow(TypeError);
      expect(() => new Channel(it as never, () => {}, 2, false)).toThrow(TypeError);
    }
  });

  test('findAll finds every occurrence of a byte in a part of some bytes, as many as there is room for', () => {
    const bytes = Buffer.from('\n--\n\n---\n');
    const into = new Uint32Array(3);
    const find = (from: number, end: number) => [...into.subarray(0, findAll(bytes, from, end, 10, into))];
    expect([find(0, 9), find(1, 9), find(5, 9), find(5, 8), find(9, 9), find(9, 3)]).toEqual([
      [0, 3, 4],
      [3, 4, 8],
      [8],
      [],
      [],
      [],
    ]);
    expect(findAll(bytes, 0, 9, 10, new Uint32Array(0))).toBe(0);
    const gone = Buffer.from(new ArrayBuffer(8));
    structuredClone(gone.buffer, { transfer: [gone.buffer] });
    for (const args of [
      [],
      [bytes, 0, 10, 10, into],
      [bytes, 0, 9, 256, into],
      [bytes, 0, 9, 10, new Int32Array(3)],
      [bytes, 0, 9, 10, [0]],
      ['text', 0, 4, 10, into],
      [new Uint16Array(9), 0, 9, 10, into],
      [gone, 0, 8, 10, into],
    ]) {
      expect(() => Reflect.apply(findAll, undefined, args)).toThrow('expected bytes, offsets in them');
    }
  });

  test('a closed pool throws from every method that could touch a block, but adopt and age, which say so', () => {
    const pool = make();
    pool.refill(0);
    pool.close();
    pool.close();
    for (const call of [
      () => pool.refill(0),
      () => pool.flush(0, 1),
      () => pool.batch(0),
      () => pool.map(0, 0),
      () => pool.holds(0, 0),
      () => pool.retire(0, 0),
      () => pool.reclaim(0, 0, Buffer.alloc(4096)),
      () => pool.transfer(0, 0, 0),
      () => pool.stats(new Float64Array(100)),
      () => pool.trim(0),
      () => pool.publishCounters(0),
      () => pool.wait(0, 1),
      () => pool.areCold(0),
      () => pool.requestFlush(0),
    ]) {
      expect(call).toThrow(/the pool is closed|an open pool/);
    }
    expect([pool.age(), pool.checkInvariants(), pool.adopt(0)]).toEqual([0, null, STALE]);
  });

  test('stats refuses an array that is too short, and writes not one number more than its own', () => {
    const pool = make();
    expect(() => pool.stats(new Float64Array(37))).toThrow(TypeError);
    const into = new Float64Array(40).fill(-1);
    pool.stats(into);
    expect([...into.slice(38)]).toEqual([-1, -1]);
    expect(into.slice(0, 38).every((n) => n >= 0)).toBe(true);
  });

  test('blocks that are mapped one by one lie apart from each other', () => {
    const pool = make();
    const blocks = new Map<number, Buffer>();
    for (let round = 0; round < 20; round++) {
      const count = pool.refill(1);
      for (let i = 0; i < count; i++) blocks.set(exchange[i], pool.map(1, exchange[i]) as Buffer);
    }
    for (const [index, bytes] of blocks) bytes.fill(index & 0xff);
    const mixed = [...blocks].filter(([index, bytes]) => !bytes.equals(Buffer.alloc(4096, index & 0xff)));
    expect(mixed).toEqual([]);
    pool.close();
  });
});
