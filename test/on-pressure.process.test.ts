import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { BufferPool, type Pressure, type PressureLevel } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { loadAddon } from '../dist/loader.js';
import type { LoadedAddon } from '../dist/native-core.js';
import { BACKENDS, checkBooks, coded, KiB, MiB } from './backends.js';
import { run } from './child.js';
import { Member, terminateAll } from './member.js';

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

afterEach(async () => {
  await terminateAll();
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

describe.each(BACKENDS)('onPressure on the %s core', (backend) => {
  test('onPressure hears of it at each tick, and once when it is over', async () => {
    const heard: Pressure[] = [];
    const pool = new BufferPool({
      backend,
      epochMs: 40,
      onPressure: (pressure) => {
        heard.push(pressure);
        return 'none';
      },
    });
    const lease = pool.acquire(1000);
    await setTimeout(200);
    expect(heard).toEqual([]);
    memoryIs('high');
    await until(() => heard.length >= 3);
    expect(heard[0]).toMatchObject({ level: 'high', usedBytes: USED.high, limitBytes: LIMIT });
    memoryIs('critical');
    await until(() => heard.at(-1)?.level === 'critical');
    memoryIs('none');
    await until(() => heard.at(-1)?.level === 'none');
    await setTimeout(200);
    expect(heard.filter(({ level }) => level === 'none')).toHaveLength(1);
    lease.release();
    pool.close();
  });

  test("what onPressure returns replaces the level: 'none' keeps everything", async () => {
    memoryIs('critical');
    let asked = 0;
    const pool = new BufferPool({
      backend,
      epochMs: HOUR,
      onPressure: () => {
        asked++;
        return 'none';
      },
    });
    use(pool);
    const before = resident(pool);
    await until(() => asked >= 2);
    expect(resident(pool)).toBe(before);
    expect(pool.stats().pressure.level).toBe('critical');
    pool.close();
  });

  test("and 'critical' gives everything back, whatever the level was", async () => {
    memoryIs('high');
    const pool = new BufferPool({ backend, epochMs: HOUR, onPressure: () => 'critical' });
    use(pool);
    await until(() => resident(pool) === 0);
    checkBooks(pool);
    pool.close();
  });

  test('onPressure that returns nothing leaves the level as it is', async () => {
    memoryIs('critical');
    const pool = new BufferPool({ backend, epochMs: HOUR, onPressure: () => undefined });
    use(pool);
    await until(() => resident(pool) === 0);
    pool.close();
  });

  test('onPressure may use the pool, and close it', async () => {
    memoryIs('critical');
    let asked = 0;
    const pool = new BufferPool({
      backend,
      epochMs: 40,
      onPressure: () => {
        use(pool);
        pool.trim();
        if (++asked === 3) pool.close();
      },
    });
    const lease = pool.acquire(1000);
    await until(() => asked === 3);
    await setTimeout(100);
    expect(asked).toBe(3);
    expect(() => pool.acquire(1)).toThrow(coded('ERR_SLABPOOL_CLOSED'));
    lease.release();
    expect(() => lease.release()).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
  });

  test.each([
    ['throws', "throw new Error('of the user')", 'of the user'],
    ['returns nonsense', "return 'a lot'", "expected 'none', 'high', 'critical' or undefined"],
    ['returns a promise', 'return Promise.resolve()', "expected 'none', 'high', 'critical' or undefined"],
  ])('onPressure that %s is an uncaught exception, and the pool acts all the same', async (_, body, message) => {
    memoryIs('critical');
    const script = `
      import { BufferPool } from 'slabpool';
      import { loadAddon } from './dist/loader.js';
      loadAddon().setMemoryRoot(${JSON.stringify(folder)});
      process.constrainedMemory = () => 100;
      process.availableMemory = () => 5;
      const pool = new BufferPool({ backend: '${backend}', epochMs: ${HOUR}, onPressure() { ${body} } });
      pool.releaseMany(pool.acquireMany(65536, 100));
      const until = Date.now() + 20_000;
      let caught = 0;
      process.on('uncaughtException', ({ message }) => { if (caught++ === 0) console.log(message); });
      const timer = setInterval(() => {
        if (Date.now() < until && (caught === 0 || pool.stats().residentBytes > 0)) return;
        clearInterval(timer);
        console.log(pool.stats().residentBytes);
        pool.acquire(1000).release();
        pool.close();
      }, 20);`;
    const ended = await run('-', [], { execArgv: ['--input-type=module', '-e', script] });
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(ended.stdout).toContain(message);
    expect(ended.stdout).toMatch(/\n0\n$/);
  });
});

describe('onPressure with threads', () => {
  test('onPressure stays in its thread, and speaks for the others', async () => {
    memoryIs('critical');
    let answer: PressureLevel = 'none';
    let asked = 0;
    const pool = new BufferPool({
      backend: 'native',
      epochMs: HOUR,
      tiers: [64 * KiB],
      onPressure: () => {
        asked++;
        return answer;
      },
    });
    expect(pool.handle.options).not.toHaveProperty('onPressure');
    const member = await Member.start(pool);
    use(pool);
    await member.call('release', await member.call('acquire', 64 * KiB, 30));
    const before = resident(pool);
    await until(() => asked >= 2);
    await setTimeout(1100); // and a tick of the other thread
    expect(resident(pool)).toBe(before);
    answer = 'critical';
    await until(() => resident(pool) === 0);
    pool.close();
  });

  test('it ends with its thread: the pool decides by itself again', async () => {
    memoryIs('critical');
    const script = `
      const { parentPort } = require('node:worker_threads');
      import('slabpool').then(({ BufferPool }) => {
        const options = { backend: 'native', epochMs: ${HOUR}, onPressure: () => 'none' };
        const pool = (globalThis.pool = new BufferPool(options)); // not garbage
        pool.acquire(1000);
        parentPort.postMessage(pool.handle);
        setInterval(() => {}, 1000);
      });`;
    const worker = new Worker(script, { eval: true });
    const handle = await new Promise<BufferPool['handle']>((resolve) => worker.once('message', resolve));
    const pool = BufferPool.attach(handle);
    use(pool);
    const before = resident(pool);
    await setTimeout(2200);
    expect(resident(pool)).toBe(before);
    await worker.terminate();
    // What the dead thread held rests for an epoch.
    await until(() => resident(pool) === pool.stats().restingBytes);
    pool.close();
  });
});
