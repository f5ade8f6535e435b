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
    const pool = new BufferPool({ backend, epochMs: HOUR });
    const lease = pool.acquire(64 * KiB);
    lease.bytes.fill(7);
    use(pool);
    await until(() => resident(pool) === 64 * KiB);
    expect(lease.bytes.every((byte) => byte === 7)).toBe(true);
    lease.release();
    await until(() => resident(pool) === 0);
    checkBooks(pool);
    use(pool);
    pool.close();
  });

  test('nothing is, when there is enough', async () => {
    const pool = new BufferPool({ backend, epochMs: HOUR });
    use(pool);
    const before = resident(pool);
    await setTimeout(2200);
    expect(resident(pool)).toBe(before);
    pool.close();
  });

  test.each([
    ['none', 1],
    ['high', 1 / 4],
  ] as const)('with the level %s an epoch is %f times epochMs', (level, times) => {
    memoryIs(level);
    let at = 1e9; // milliseconds
    vi.spyOn(process.hrtime, 'bigint').mockImplementation(() => BigInt(at) * 1_000_000n);
    const epochMs = 2 * HOUR;
    const pool = new BufferPool({ backend, epochMs });
    const { ticker } = heapOf(pool);
    use(pool);
    const cached = () => pool.stats().magazineBytes;
    const before = cached();
    expect(before).toBeGreaterThan(0);
    // In the first epoch its blocks were used; at the end of the second they leave the magazine.
    for (const epochs of [1, 2]) {
      at = 1e9 + epochs * times * epochMs - 100;
      ticker.tick();
      expect(cached()).toBe(before);
      at += 100;
      ticker.tick();
    }
    expect(cached()).toBe(0);
    pool.close();
  });

  test('subscribers hear of each change of the level once', async () => {
    const heard: { pool: string; pressure: Pressure }[] = [];
    const listen = (message: unknown) => heard.push(message as (typeof heard)[number]);
    diagnostics.subscribe('slabpool:pressure', listen);
    try {
      const pool = new BufferPool({ backend, name: 'watched', epochMs: 40 });
      const lease = pool.acquire(1000);
      const levels = () => heard.map(({ pressure }) => pressure.level);
      for (const [i, level] of (['high', 'critical', 'none'] as const).entries()) {
        memoryIs(level);
        await until(() => heard.length > i);
        await setTimeout(100);
      }
      expect(levels()).toEqual(['high', 'critical', 'none']);
      expect(heard[0]).toEqual({ pool: 'watched', pressure: expect.objectContaining({ usedBytes: USED.high }) });
      lease.release();
      pool.close();
    } finally {
      diagnostics.unsubscribe('slabpool:pressure', listen);
    }
  });

  test('a pool without epochs gives nothing back, however short memory is', async () => {
    memoryIs('critical');
    const pool = new BufferPool({ backend, epochMs: 0 });
    use(pool);
    const before = resident(pool);
    await setTimeout(1200);
    expect(resident(pool)).toBe(before);
    pool.close();
  });
});
