import { execFileSync } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdtempSync, rmSync, writeSync } from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { BufferPool, type BufferPoolOptions, type UseAfterReleaseEvent } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, detach, isZero, KiB, MiB } from './backends.js';

const SIZES = [1, 1000, 5000, 64 * KiB, MiB];
let events: UseAfterReleaseEvent[];
const listen = (event: unknown) => events.push(event as UseAfterReleaseEvent);
beforeEach(() => {
  events = [];
  subscribe('slabpool:use-after-release', listen);
});
let pool: BufferPool;
/** A view of a lease that is over. */
function released(): Buffer {
  const lease = pool.acquire(1);
  const { bytes } = lease;
  bytes.fill(1);
  lease.release();
  return bytes;
}

afterEach(() => {
  unsubscribe('slabpool:use-after-release', listen);
});

describe.each(BACKENDS)('poison on the %s core', (backend) => {
  const open = (options: BufferPoolOptions = {}) => {
    pool = new BufferPool({ name: 'poisoned', backend, debug: 'poison', ...options });
  };
  afterEach(() => {
    checkBooks(pool);
    pool.close();
  });

  test('what is released is filled, whichever way the lease ends', () => {
    open();
    for (const size of SIZES) {
      const leases = pool.acquireMany(size, 5);
      const views = leases.map(({ bytes }) => bytes.fill(1));
      leases[0].release();
      pool.release(leases[1]);
      leases[2][Symbol.dispose]();
      pool.releaseMany(leases.slice(3));
      for (const view of views) expect(view.equals(Buffer.alloc(view.length, 0xde))).toBe(true);
    }
  });

  test.each(['off', 'sampled', 'full'] as const)(
    'proper use is never reported, through bursts, trims and all sizes (leakDetection: %s)',
    (leakDetection) => {
      open({ leakDetection });
      for (let round = 0; round < 4; round++) {
        for (const size of SIZES) {
          const leases = pool.acquireMany(size, 70);
          for (const { bytes } of leases) bytes.fill(round + 1);
          pool.releaseMany(leases);
        }
        if (round === 2) pool.trim();
      }
      pool.prewarm(5000, 10);
      pool.adopt(pool.acquire(5000).transfer()).release();
      pool.borrow(5000, () => {});
      expect([events, pool.stats().leaks.writtenAfterRelease]).toEqual([[], 0]);
    },
  );

  test.each([
    ['the first byte', 0, 1],
    ['the last byte', 64 * KiB - 1, 1],
    ['a range in the middle', 5000, 3000],
    ['everything', 0, 64 * KiB],
  ])('a write to %s after the release is reported', (_, offset, length) => {
    open({ tiers: [64 * KiB], leakDetection: 'full' });
    const view = released();
    view.fill(7, offset, offset + length);
    pool.acquire(1).release();
    expect(events).toMatchObject([{ pool: 'poisoned', offset, length, capacity: 64 * KiB, thread: 0 }]);
    expect(events[0].acquiredAt).toMatch(/debug-poison\.test\.ts/);
    expect(events[0].releasedAt).toMatch(/debug-poison\.test\.ts/);
    expect(pool.stats().leaks.writtenAfterRelease).toBe(1);
    pool.acquire(1).release();
    expect(events).toHaveLength(1);
  });

  test('it is reported also when the block went through the core meanwhile', () => {
    open({ tiers: [64 * KiB], leakDetection: 'off' });
    const leases = pool.acquireMany(1, 50);
    const views = leases.map(({ bytes }) => bytes);
    pool.releaseMany(leases);
    for (const view of views) view[100] = 0;
    pool.releaseMany(pool.acquireMany(1, 50));
    expect(events.map(({ offset, length }) => [offset, length])).toEqual(views.map(() => [100, 1]));
    expect(events[0].releasedAt).toBeUndefined();
  });

  test.runIf(backend === 'native')('it is reported also when the pages were given back before it', () => {
    open({ tiers: [64 * KiB], maxBytes: 64 * KiB });
    const view = released();
    pool.trim();
    view[100] = 1;
    pool.acquire(1).release();
    expect(events).toMatchObject([{ offset: 100, length: 1 }]);
  });

  test("together with zero: 'acquire': still checked, and then zeros", () => {
    open({ zero: 'acquire', tiers: [4 * KiB] });
    const view = released();
    view[9] = 1;
    const lease = pool.acquire(1);
    expect(isZero(lease.bytes)).toBe(true);
    lease.release();
    pool.acquire(1).release();
    expect(events).toMatchObject([{ offset: 9 }]);
  });

  test("together with zero: 'release': wiped, and still checked", () => {
    open({ zero: 'release', tiers: [4 * KiB] });
    const view = released();
    expect(isZero(view)).toBe(true);
    view[9] = 1;
    expect(isZero(pool.acquire(1).bytes)).toBe(false);
    expect(events).toMatchObject([{ offset: 9, length: 1 }]);
    const [one, two] = pool.acquireMany(1, 2);
    expect([isZero(one.bytes), isZero(two.bytes)]).toEqual([true, true]);
    expect(events).toHaveLength(1);
  });

  test("with debug: 'detach' no view can write, and nothing is reported", () => {
    open({ debug: 'detach', tiers: [4 * KiB] });
    for (let i = 0; i < 10; i++) expect(released()).toHaveLength(0);
    expect(events).toEqual([]);
  });

  // A pipe with a name is what lets a system call wait.
  test.skipIf(process.platform === 'win32').each(['poison', 'detach'] as const)(
    'B13: a system call that writes after the release is reported (debug: %s)',
    async (debug) => {
      open({ debug, tiers: [4 * KiB], maxBytes: 4 * KiB, leakDetection: 'full' });
      const folder = mkdtempSync(join(tmpdir(), 'slabpool-'));
      execFileSync('mkfifo', [join(folder, 'pipe')]);
      const pipe = await openFile(join(folder, 'pipe'), 'r+');
      const lease = pool.acquire(1);
      const reading = pipe.read(lease.bytes, 100, 5);
      lease.release();
      writeSync(pipe.fd, 'later');
      expect((await reading).bytesRead).toBe(5);
      pool.acquire(1).release();
      expect(events).toMatchObject([
        { offset: 100, length: 5, releasedAt: expect.stringMatching(/debug-poison\.test\.ts/) },
      ]);
      await pipe.close();
      rmSync(folder, { recursive: true });
    },
  );

  test('a detached block is retired, not filled', async () => {
    open({ tiers: [4 * KiB] });
    const lease = pool.acquire(1);
    lease.bytes.fill(5);
    const taken = detach(lease.bytes);
    lease.release();
    expect((await taken)[0]).toBe(5);
    expect(events).toEqual([]);
  });

  test('without a subscriber the process is warned, once a site', async () => {
    unsubscribe('slabpool:use-after-release', listen);
    open({ tiers: [4 * KiB], leakDetection: 'full' });
    const warnings: Error[] = [];
    const warned = (warning: Error) => warnings.push(warning);
    process.on('warning', warned);
    for (let i = 0; i < 3; i++) {
      const view = released();
      view[0] = 1;
      pool.acquire(1).release();
    }
    await setTimeout(10);
    process.off('warning', warned);
    expect(warnings).toMatchObject([
      {
        name: 'SlabPoolWarning',
        code: 'SLABPOOL_USE_AFTER_RELEASE',
        message: expect.stringMatching(
          /pool 'poisoned': 1 bytes at offset 0 of a block of 4096 .* released at .*debug-poison\.test\.ts/,
        ),
      },
    ]);
    expect(pool.stats().leaks.writtenAfterRelease).toBe(3);
  });

  test('what a leaked lease left behind is not taken for a write after release', async () => {
    open({ tiers: [4 * KiB], maxBytes: 4 * KiB, leakDetection: 'full' });
    (() => pool.acquire(1).bytes.fill(3))();
    for (let i = 0; i < 200 && pool.outstanding() > 0; i++) {
      globalThis.gc?.();
      await setTimeout(5);
    }
    pool.acquire(1).release();
    expect([pool.outstanding(), events]).toEqual([0, []]);
  });
});
