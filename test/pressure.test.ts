import diagnostics from 'node:diagnostics_channel';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { BufferPool, type Pressure, type PressureLevel } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { LoadedAddon } from '../dist/core/addon.js';
import { loadAddon } from '../dist/core/loader.js';
import { BACKENDS, checkBooks, heapOf, KiB, MiB } from './backends.js';

const HOUR = 3_600_000;
const LIMIT = 1000 * MiB;
const USED: Record<PressureLevel, number> = { none: 100 * MiB, high: 700 * MiB, critical: 900 * MiB };

const addon = loadAddon() as LoadedAddon;
let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slabpool-pressure-'));
  mkdirSync(join(folder, 'proc'));
  memoryIs('none');
});

afterEach(() => {
  addon.setMemoryRoot('');
  rmSync(folder, { recursive: true });
  vi.restoreAllMocks();
});

/** For both cores: the one reads files, the other asks the runtime. */
function memoryIs(level: PressureLevel): void {
  const kB = (bytes: number) => `${bytes / KiB} kB`;
  const meminfo = `MemTotal: ${kB(LIMIT)}\nMemAvailable: ${kB(LIMIT - USED[level])}\n`;
  // At once: the janitor may be reading.
  writeFileSync(join(folder, 'new'), meminfo);
  renameSync(join(folder, 'new'), join(folder, 'proc', 'meminfo'));
  addon.setMemoryRoot(folder); // and the last verdict is forgotten
  vi.spyOn(process, 'constrainedMemory').mockReturnValue(LIMIT);
  vi.spyOn(process, 'availableMemory').mockReturnValue(LIMIT - USED[level]);
}

/** This thread's clock from now on: it stands still, but for what it is moved on. */
function clock(): { moves: (ms: number) => void } {
  let at = process.hrtime.bigint();
  vi.spyOn(process.hrtime, 'bigint').mockImplementation(() => at);
  return {
    moves: (ms) => {
      at += BigInt(ms) * 1_000_000n;
    },
  };
}

/** As the timer of the thread does. */
const tick = (pool: BufferPool) => heapOf(pool).ticker.tick();

/** A pool with short epochs and a lease out: while there is one, the janitor of the native core looks ten times a second. */
function restless(): Disposable {
  const pool = new BufferPool({ backend: 'native', epochMs: 1 });
  pool.acquire(1);
  return { [Symbol.dispose]: () => pool.close() };
}
/** Some looks of it. */
const LOOKS = 250;

async function until(what: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1000 && !what(); tries++) await setTimeout(10);
  expect(what()).toBe(true);
}

const resident = (pool: BufferPool) => pool.stats().residentBytes;
const use = (pool: BufferPool) => pool.releaseMany(pool.acquireMany(64 * KiB, 100));

describe.each(BACKENDS)('memory pressure on the %s core', (backend) => {
  test.each(['none', 'high', 'critical'] as const)('stats() tell the level %s, and where it is from', (level) => {
    memoryIs(level);
    const pool = new BufferPool({ backend });
    const source = backend === 'native' ? 'system' : 'runtime';
    expect(pool.stats().pressure).toEqual({ source, level, usedBytes: USED[level], limitBytes: LIMIT });
    pool.close();
  });

  test('all that is free is given back at the next look when memory is critically short', async () => {
    memoryIs('critical');
    using _ = restless();
    const pool = new BufferPool({ backend, epochMs: HOUR });
    const lease = pool.acquire(64 * KiB);
    lease.bytes.fill(7);
    use(pool);
    tick(pool);
    await until(() => resident(pool) === 64 * KiB);
    expect(lease.bytes.every((byte) => byte === 7)).toBe(true);
    lease.release();
    tick(pool);
    await until(() => resident(pool) === 0);
    checkBooks(pool);
    use(pool);
    pool.close();
  });

  test('nothing is, when there is enough', async () => {
    using _ = restless();
    const { moves } = clock();
    const pool = new BufferPool({ backend, epochMs: HOUR });
    use(pool);
    const before = resident(pool);
    for (let second = 0; second < 5; second++) {
      moves(1000);
      tick(pool);
    }
    await setTimeout(LOOKS);
    expect(resident(pool)).toBe(before);
    pool.close();
  });

  test.each([
    ['high', 100],
    ['none', 400],
  ] as const)('a thread whose memory is %s ends epochs of 400 ms after %i ms', (level, ms) => {
    memoryIs(level);
    const { moves } = clock();
    const pool = new BufferPool({ backend, epochMs: 400, tiers: [64 * KiB] });
    // One of two batches is used all the time, so that the magazine is never idle.
    const keepsBusy = () => pool.acquire(64 * KiB).release();
    for (const lease of pool.acquireMany(64 * KiB, 8)) lease.release();
    const { magazineBytes } = pool.stats();
    expect(magazineBytes).toBe(8 * 64 * KiB);
    // What was used in the first epoch, and not in the second, is flushed at the end of that.
    for (let epoch = 0; epoch < 2; epoch++) {
      keepsBusy();
      moves(ms - 2); // timers may be early by 1 ms
      tick(pool);
      expect(pool.stats().magazineBytes).toBe(magazineBytes);
      keepsBusy();
      moves(2);
      tick(pool);
    }
    expect(pool.stats().magazineBytes).toBe(4 * 64 * KiB);
    pool.close();
  });

  test('a magazine of which nothing was acquired from one look to the next is flushed, also within an epoch', () => {
    const { moves } = clock();
    const pool = new BufferPool({ backend, epochMs: 400, tiers: [64 * KiB] });
    for (const lease of pool.acquireMany(64 * KiB, 4)) lease.release();
    for (const left of [4, 0]) {
      moves(100);
      tick(pool);
      expect(pool.stats().magazineBytes).toBe(left * 64 * KiB);
    }
    expect(pool.stats().residentBytes).toBe(4 * 64 * KiB);
    pool.close();
  });

  test('subscribers hear of each change of the level once', () => {
    const heard: { pool: string; pressure: Pressure }[] = [];
    const listen = (message: unknown) => heard.push(message as (typeof heard)[number]);
    diagnostics.subscribe('slabpool:pressure', listen);
    try {
      const pool = new BufferPool({ backend, name: 'watched', epochMs: HOUR });
      const lease = pool.acquire(1000);
      for (const level of ['high', 'critical', 'none'] as const) {
        memoryIs(level);
        for (let times = 0; times < 3; times++) tick(pool);
      }
      expect(heard.map(({ pressure }) => pressure.level)).toEqual(['high', 'critical', 'none']);
      expect(heard[0]).toEqual({ pool: 'watched', pressure: expect.objectContaining({ usedBytes: USED.high }) });
      lease.release();
      pool.close();
    } finally {
      diagnostics.unsubscribe('slabpool:pressure', listen);
    }
  });

  test('a pool without epochs gives nothing back, however short memory is', async () => {
    memoryIs('critical');
    using _ = restless();
    const pool = new BufferPool({ backend, epochMs: 0 });
    use(pool);
    const before = resident(pool);
    await setTimeout(LOOKS);
    expect(resident(pool)).toBe(before);
    pool.close();
  });
});
