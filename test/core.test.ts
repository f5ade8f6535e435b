import { describe, expect, test } from 'vitest';
import { type Core, EXHAUSTED, NOT_HELD } from '../dist/core/core.js';
import { JsCore } from '../dist/core/js.js';
import { loadAddon } from '../dist/core/loader.js';
import { NativeCore } from '../dist/core/native.js';
import { BACKENDS, KiB } from './backends.js';

const TIERS = [4 * KiB, 64 * KiB];

function open(backend: (typeof BACKENDS)[number], maxBytes = 2 ** 24): Core {
  if (backend === 'js') return new JsCore({ tiers: TIERS, maxBytes, minBytes: 0 });
  const addon = loadAddon();
  if (typeof addon === 'string') throw new Error(addon);
  return NativeCore.create(addon, { tiers: TIERS, maxBytes, epochMs: 0, minBytes: 0 });
}

function refill(core: Core, sizeClass: number): number[] {
  const count = core.refill(sizeClass);
  expect(count).toBeGreaterThan(0);
  return [...core.exchange.subarray(0, count)];
}

function flush(core: Core, sizeClass: number, blocks: readonly number[]): number {
  core.exchange.set(blocks);
  return core.flush(sizeClass, blocks.length);
}

/** What both cores promise to the magazines, whoever calls them, and however wrongly. */
describe.each(BACKENDS)('the %s core', (backend) => {
  test('a refill is at most a batch of distinct blocks, which are held from then on', () => {
    const core = open(backend);
    const blocks = refill(core, 0);
    expect(blocks.length).toBeLessThanOrEqual(core.batch(0));
    expect(new Set(blocks).size).toBe(blocks.length);
    expect(blocks.every((block) => core.holds(0, block) && !core.holds(1, block))).toBe(true);
    expect(flush(core, 0, blocks)).toBe(0);
    expect(blocks.some((block) => core.holds(0, block))).toBe(false);
    expect(core.checkInvariants()).toBeNull();
    core.close();
  });

  test.each<[string, (blocks: number[]) => number[]]>([
    ['a number that no block has', (blocks) => [...blocks.slice(0, 3), 2 ** 32 - 1]],
    ['a block that was never handed out', (blocks) => [...blocks.slice(0, 3), 100_000]],
    ['a block named twice', (blocks) => [...blocks.slice(0, 3), blocks[0]]],
    ['a block named 31 times', (blocks) => Array(31).fill(blocks[0])],
  ])('a flush with %s takes the others, says so, and keeps its books', (_, choose) => {
    const core = open(backend);
    const blocks = refill(core, 0);
    const chosen = choose(blocks);
    expect(flush(core, 0, chosen)).toBe(NOT_HELD);
    expect(blocks.filter((block) => core.holds(0, block))).toEqual(blocks.filter((block) => !chosen.includes(block)));
    expect(core.checkInvariants()).toBeNull();
    // A block that went in twice would come out twice.
    const again = Array.from({ length: 20 }, () => refill(core, 0)).flat();
    const held = [...again, ...blocks.filter((block) => !chosen.includes(block))];
    expect(new Set(held).size).toBe(held.length);
    core.close();
  });

  test('a flush of blocks of another class takes none', () => {
    const core = open(backend);
    const blocks = refill(core, 0);
    expect(flush(core, 1, blocks)).toBe(NOT_HELD);
    expect(blocks.every((block) => core.holds(0, block))).toBe(true);
    expect(core.checkInvariants()).toBeNull();
    core.close();
  });

  test('a retired block is neither held nor ever handed out', () => {
    const core = open(backend, 2 ** 20);
    const [retired, ...rest] = refill(core, 0);
    expect(core.retire(0, retired)).toBe(0);
    expect(core.retire(0, retired)).toBe(NOT_HELD);
    expect(core.holds(0, retired)).toBe(false);
    expect(flush(core, 0, [retired])).toBe(NOT_HELD);
    flush(core, 0, rest);
    const seen = new Set<number>();
    for (let count = core.refill(0); count !== EXHAUSTED; count = core.refill(0)) {
      for (const block of core.exchange.subarray(0, count)) seen.add(block);
    }
    expect(seen.has(retired)).toBe(false);
    expect(seen.size).toBe(2 ** 20 / (4 * KiB) - 1);
    expect(core.checkInvariants()).toBeNull();
    core.close();
  });

  test('a block that is not held cannot be mapped or retired', () => {
    const core = open(backend);
    const blocks = refill(core, 0);
    flush(core, 0, blocks);
    for (const block of [blocks[0], 100_000]) {
      expect(() => core.map(0, block)).toThrow();
      expect(core.holds(0, block)).toBe(false);
    }
    expect(core.retire(0, blocks[0])).toBe(NOT_HELD);
    core.close();
  });

  test('a class that does not exist throws', () => {
    const core = open(backend);
    for (const sizeClass of [2, -1, 2 ** 31, undefined as never]) {
      expect(() => core.refill(sizeClass), String(sizeClass)).toThrow();
      expect(() => core.flush(sizeClass, 0)).toThrow();
      expect(() => core.batch(sizeClass)).toThrow();
    }
    core.close();
  });

  test('what was used last is handed out first, and what is aged twice is cold', () => {
    const core = open(backend);
    const [first, second] = [refill(core, 1), refill(core, 1)];
    flush(core, 1, first);
    flush(core, 1, second);
    expect(new Set(refill(core, 1))).toEqual(new Set(second));
    flush(core, 1, second);
    expect(core.age()).toBe(0);
    expect(core.age()).toBe((first.length + second.length) * 64 * KiB);
    expect(core.stats()[1]).toMatchObject({ resident: 0, held: 0, retired: 0 });
    expect(core.checkInvariants()).toBeNull();
    core.close();
  });

  test('close leaves what is mapped to whoever has it, and is idempotent', () => {
    const core = open(backend);
    const views = refill(core, 0).map((block) => core.map(0, block).fill(1));
    core.close();
    core.close();
    const other = open(backend);
    for (const block of refill(other, 0)) other.map(0, block).fill(2);
    expect(views.every((view) => view.every((byte) => byte === 1))).toBe(true);
  });
});
