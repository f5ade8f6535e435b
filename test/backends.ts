import type { BufferPool, Lease, SlabPoolErrorCode } from 'slabpool';
import { expect } from 'vitest';
import type { Heap } from '../dist/heap/heap.js';
import { heapOf as behind } from '../dist/heap/heap-of.js';

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const PAGE = 4 * KiB;

/** Each behaviour is tested on both cores; `describe.each(BACKENDS)`. */
export const BACKENDS = ['native', 'js'] as const;

/** For `toThrow`: an error of our class, with this code and what else matters. */
export function coded(code: SlabPoolErrorCode, message = /./, also: { pool?: string; details?: object } = {}) {
  return expect.objectContaining({ name: 'SlabPoolError', code, message: expect.stringMatching(message), ...also });
}

/** The heap behind a pool: what is private, but has the core's own `checkInvariants()`. */
export function heapOf(pool: BufferPool): Heap {
  return behind(pool) as Heap;
}

const PARTS = [
  'residentBytes',
  'leasedBytes',
  'inFlightBytes',
  'cachedBytes',
  'quarantinedBytes',
  'retiredBytes',
  'pinnedBytes',
  'coldBytes',
] as const;

/** Everything that holds of a pool at any time, whatever was done to it; of other threads, as long as they hold still. */
export function checkBooks(pool: BufferPool): void {
  const stats = pool.stats();
  expect(heapOf(pool).core.checkInvariants()).toBeNull();
  for (const part of [stats, ...stats.classes]) {
    const { residentBytes, leasedBytes, inFlightBytes, cachedBytes, quarantinedBytes, retiredBytes, pinnedBytes } =
      part;
    expect(residentBytes).toBe(
      leasedBytes + inFlightBytes + cachedBytes + quarantinedBytes + retiredBytes + pinnedBytes,
    );
    for (const key of PARTS) expect(part[key], key).toBeGreaterThanOrEqual(0);
  }
  for (const key of PARTS) {
    expect(stats[key]).toBe(stats.classes.reduce((sum, k) => sum + k[key], 0));
  }
  expect(stats.residentBytes).toBeLessThanOrEqual(stats.maxBytes);
  for (const k of stats.classes) {
    expect(k.leasedBytes).toBe(k.outstanding * k.blockBytes);
    expect(k.cachedBytes).toBeGreaterThanOrEqual(k.magazineBytes + k.victimBytes);
    expect(k.peakResidentBytes).toBeGreaterThanOrEqual(k.residentBytes);
  }
  expect(stats.peak.residentBytes).toBeGreaterThanOrEqual(stats.residentBytes);
  expect(stats.peak.residentBytes).toBeLessThanOrEqual(stats.maxBytes);
  const pooled = stats.classes.reduce((sum, k) => sum + k.outstanding, 0);
  expect(stats.outstanding).toBe(pooled + stats.oversize.outstanding);
  const here = stats.threads.filter((thread) => thread.here);
  expect(here).toHaveLength(1);
  expect(pool.outstanding()).toBe((here[0]?.outstanding as number) + stats.oversize.outstanding);
  for (const key of ['outstanding', 'leasedBytes', 'magazineBytes'] as const) {
    const all = stats.threads.reduce((sum, thread) => sum + thread[key], 0);
    expect(all, key).toBe(stats[key] - (key === 'outstanding' ? stats.oversize.outstanding : 0));
  }
  expect(stats.misses).toBe(stats.hits.cold + stats.hits.slab);
  expect(stats.peak.waiting).toBeGreaterThanOrEqual(stats.waits.waiting);
  expect(stats.waits.total).toBeGreaterThanOrEqual(stats.waits.waiting + stats.waits.timedOut + stats.waits.aborted);

  for (const { hits, acquires } of [
    { hits: stats.hits, acquires: stats.acquires - stats.oversize.acquires },
    ...stats.classes,
    ...stats.threads,
  ]) {
    const all = Object.values(hits);
    expect(all.reduce((sum, n) => sum + n, 0)).toBe(acquires);
    for (const n of all) expect(n).toBeGreaterThanOrEqual(0);
  }
  expect(stats.hitRate).toBeGreaterThanOrEqual(0);
  expect(stats.hitRate).toBeLessThanOrEqual(1);
}

/** Detaches what `bytes` lie in, at once and on every Node, and returns the memory under its new owner. */
export function detach(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  let source: ReadableByteStreamController | undefined;
  const stream = new ReadableStream({
    type: 'bytes',
    start(controller) {
      source = controller;
    },
  });
  source?.enqueue(bytes);
  return stream
    .getReader()
    .read()
    .then(({ value }) => value as Uint8Array);
}

/** Fills the whole block. {@link holdsPattern} then tells whether anybody else wrote there. */
export function fill(lease: Lease, pattern: number): void {
  lease.bytes.fill(pattern & 0xff);
  lease.bytes.writeUInt32LE(pattern >>> 0, 0);
  lease.bytes.writeUInt32LE(pattern >>> 0, lease.capacity - 4);
}

export function holdsPattern(lease: Lease, pattern: number): boolean {
  const { bytes, capacity } = lease;
  return (
    bytes.readUInt32LE(0) === pattern >>> 0 &&
    bytes.readUInt32LE(capacity - 4) === pattern >>> 0 &&
    bytes.subarray(4, capacity - 4).equals(Buffer.alloc(capacity - 8, pattern & 0xff))
  );
}

export function isZero(bytes: Uint8Array): boolean {
  return Buffer.alloc(bytes.length).equals(bytes);
}
