import { STEPS, type Step } from './core.js';
import type { Heap } from './heap.js';
import type { Backend, ResolvedOptions } from './options.js';

/** Bytes that V8 and Node spend on one mapped block: its ArrayBuffer, its Buffer and what frees them (measured, Node 20). */
const OVERHEAD_PER_MAPPED_BLOCK = 880;

/** One tier. `residentBytes == outBytes + transitBytes + cachedBytes + restingBytes + retiredBytes`. */
export interface ClassStats {
  /** Bytes of a lease of this tier. */
  readonly capacity: number;
  /** Bytes that one of its blocks is charged to the budget: the capacity, rounded up to the layout of its slabs. */
  readonly blockBytes: number;
  readonly residentBytes: number;
  readonly outBytes: number;
  readonly transitBytes: number;
  readonly cachedBytes: number;
  readonly restingBytes: number;
  readonly retiredBytes: number;
  /** Address space without memory behind it. */
  readonly coldBytes: number;
  readonly slabs: number;
  readonly acquires: number;
  readonly outstanding: number;
}

/**
 * A snapshot of a pool. Bytes and slabs are those of all threads, counts are this thread's.
 *
 * `residentBytes <= maxBytes` at every moment, and
 * `residentBytes == outBytes + transitBytes + cachedBytes + restingBytes + retiredBytes` while no other thread moves blocks.
 */
export interface PoolStats {
  readonly name: string;
  readonly backend: Backend;
  /** Bytes of the budget. */
  readonly maxBytes: number;
  /** Bytes charged to the budget. */
  readonly residentBytes: number;
  /** Of these, leased; of other threads also what is in their magazines. */
  readonly outBytes: number;
  /** Of these, handed over by one thread and not yet adopted by another. */
  readonly transitBytes: number;
  /** Of these, free: in this thread's magazines and in depots. */
  readonly cachedBytes: number;
  /** Of these, held by threads that died, and free again after `epochMs`. */
  readonly restingBytes: number;
  /** Of these, lost: their ArrayBuffers were detached by holders. */
  readonly retiredBytes: number;
  /** Bytes of address space that were carved but have no memory behind them now. */
  readonly coldBytes: number;
  /** Leases taken, oversize ones included. */
  readonly acquires: number;
  /** Leases out now, oversize ones included. */
  readonly outstanding: number;
  /** Acquires that the budget refused. */
  readonly exhausted: number;
  /** Pooled acquires by the place that served them, nearest first. A refill serves one acquire; the rest of its batch is magazine hits. */
  readonly hits: Readonly<Record<'magazine' | Step, number>>;
  /** Share of all acquires, oversize ones included, that neither `cold` nor `slab` nor the runtime had to serve; 1 before the first. */
  readonly hitRate: number;
  readonly oversize: {
    readonly maxBytes: number;
    readonly outBytes: number;
    readonly outstanding: number;
    readonly acquires: number;
    readonly refused: number;
  };
  /** Blocks that this thread has an ArrayBuffer for. */
  readonly mappedBlocks: number;
  /** What these cost V8 and Node, in bytes; an estimate, and outside the budget. */
  readonly overheadBytes: number;
  readonly classes: readonly ClassStats[];
}

export function takeStats(
  heap: Heap,
  backend: Backend,
  { name, maxBytes, maxOversizeBytes }: ResolvedOptions,
): PoolStats {
  const { oversize, magazines } = heap;
  const core = heap.core.stats();

  const classes = core.map(({ carved, resident, out, transit, resting, retired, slabs, stride }, c): ClassStats => {
    const { capacity, held, count, acquires } = magazines[c] as (typeof magazines)[number];
    // The core counts as out what is in this thread's magazine too.
    const leased = out - count;
    return {
      capacity,
      blockBytes: stride,
      residentBytes: resident * stride,
      outBytes: leased * stride,
      transitBytes: transit * stride,
      cachedBytes: (resident - leased - transit - resting - retired) * stride,
      restingBytes: resting * stride,
      retiredBytes: retired * stride,
      coldBytes: (carved - resident) * stride,
      slabs,
      acquires: acquires + 0,
      outstanding: held - count,
    };
  });
  const sum = (figure: (k: ClassStats) => number) => classes.reduce((total, k) => total + figure(k), 0);

  const pooled = sum((k) => k.acquires);
  const refills = STEPS.map(
    (step, i) => [step, core.reduce((total, k) => total + (k.refills[i] as number), 0)] as const,
  );
  const served = Object.fromEntries(refills) as Record<Step, number>;
  // More refills than acquires: some brought only blocks that had been detached meanwhile.
  const magazine = Math.max(0, pooled - refills.reduce((total, [, n]) => total + n, 0));
  const acquires = pooled + oversize.magazine.acquires;
  // The budget's own figure: tiers that are read one after the other may count a block's memory twice.
  const { residentBytes } = heap.core;
  const outBytes = sum((k) => k.outBytes);
  const transitBytes = sum((k) => k.transitBytes);
  const restingBytes = sum((k) => k.restingBytes);
  const retiredBytes = sum((k) => k.retiredBytes);
  return {
    name,
    backend,
    maxBytes,
    residentBytes,
    outBytes,
    transitBytes,
    cachedBytes: Math.max(0, residentBytes - outBytes - transitBytes - restingBytes - retiredBytes),
    restingBytes,
    retiredBytes,
    coldBytes: sum((k) => k.coldBytes),
    acquires,
    outstanding: heap.outstanding(),
    exhausted: heap.exhausted,
    hits: { magazine, ...served },
    hitRate: acquires === 0 ? 1 : (pooled - served.cold - served.slab) / acquires,
    oversize: {
      maxBytes: maxOversizeBytes,
      outBytes: oversize.outBytes,
      outstanding: oversize.count,
      acquires: oversize.magazine.acquires + 0,
      refused: oversize.refused,
    },
    mappedBlocks: heap.mapped,
    overheadBytes: heap.mapped * OVERHEAD_PER_MAPPED_BLOCK,
    classes,
  };
}
