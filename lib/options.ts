import { checkOptions } from './base/check-options.js';
import type { OnPressure } from './core/pressure.js';
import { defaultTiers } from './core/size-classes.js';
import { invalidArg } from './errors.js';

const KiB = 1024;
const MiB = 1024 * KiB;

/** Bytes of the largest tier that a pool may have: 1 GiB. */
const MAX_CAPACITY = 2 ** 30;
/** Bytes of the largest budget: 64 TiB, half of what a process can address. */
const MAX_BUDGET = 2 ** 46;
const MAX_TIERS = 128;

/** Which core serves a pool: the native addon, or the pure TypeScript one. */
export type Backend = 'native' | 'js';

/** How hard to look for who uses a buffer after its release; each level finds what the one before it finds. */
export type DebugLevel = 'off' | 'poison' | 'detach';

export interface BufferPoolOptions {
  /** Shown in errors and stats. Default: `'pool-N'`. */
  name?: string;
  /** Hard cap on the bytes that the pool keeps resident, leased or cached. At least one page: 4 KiB, or 16 or 64 on some arm64 systems. Default: 256 MiB. */
  maxBytes?: number;
  /**
   * Bytes of the largest request that is pooled, up to 1 GiB; larger ones take the oversize path. Default: 1 MiB, or
   * the whole pages of `maxBytes` if that is less. Not to be given along with `tiers`.
   */
  maxPooledSize?: number;
  /**
   * Capacities in bytes, strictly ascending, at most 128. Default: four steps per doubling from 1 KiB to `maxPooledSize`.
   */
  tiers?: readonly number[];
  /**
   * Bytes that stay resident through idle epochs, once they are: up to `maxBytes`. {@link BufferPool.trim}, tiers that need the room, and
   * memory that is short take them all the same. Default: 0.
   */
  minBytes?: number;
  /** Cap on the bytes of oversize leases that are out at once; 0 refuses them all. Default: 64 MiB. */
  maxOversizeBytes?: number;
  /**
   * When to fill a block with zeros: `'never'`, on `'acquire'` (nobody's bytes reach you), on `'release'` (your bytes
   * do not linger). Default: `'never'`.
   */
  zero?: 'never' | 'acquire' | 'release';
  /**
   * Milliseconds. What nobody used for two epochs gives its memory back to the operating system, sooner when memory is short; 0:
   * only {@link BufferPool.trim} does that, however short memory is. And for one epoch the blocks of a thread that died rest before
   * they are used again, since the operating system may still be writing to them. Default: 5000.
   */
  epochMs?: number;
  /**
   * How many requests may wait at once for budget, in all threads of the pool, and for room for oversize buffers, in each thread;
   * more are refused. Up to 2^20; 0: nobody waits. Default: 65,536.
   */
  maxWaiting?: number;
  /**
   * Called in this thread when memory is short: at each tick (once a second, or once an epoch if that is shorter, while the pool
   * has memory) that finds another level than `'none'`, and at the first that finds `'none'` again. The level that it returns is
   * what the pool acts on, in all its threads, until the next tick; nothing means the level that was found. Before the first
   * tick, the pool does nothing without asking. What it throws is an uncaught exception, and the level is the one that was found.
   *
   * It does not travel in {@link BufferPool.handle}: one thread of a pool is to have it. Not to be given along with an `epochMs`
   * of 0. Default: none.
   */
  onPressure?: OnPressure;
  /**
   * Which leases leave a trail of where they were acquired, for reports of leaks (`slabpool:leak` on `node:diagnostics_channel`),
   * {@link BufferPool.trackedLeases} and errors: none, one in {@link leakSampleRate}, or all (some 5 µs each). Default: `'sampled'`.
   */
  leakDetection?: 'off' | 'sampled' | 'full';
  /** One lease in so many is tracked, up to 2^31; fewer in a thread that does nothing but acquire. Default: 4096. */
  leakSampleRate?: number;
  /**
   * How hard to look for who uses a buffer after its release, for tests and staging (docs/debugging.md). `'poison'` fills a block
   * on release, and looks on acquire whether somebody has written to it since (`slabpool:use-after-release` on
   * `node:diagnostics_channel`, or else a process warning). `'detach'` also detaches the ArrayBuffer, so that views that were kept
   * have a length of 0; each lease then gets a new one. Default: `'off'`.
   */
  debug?: DebugLevel;
  /**
   * `'auto'` takes the native core where it can be had and the TypeScript one elsewhere (`pool.backend` says why);
   * `'native'` throws where there is none. Default: `'auto'`.
   */
  backend?: 'auto' | Backend;
}

export type ResolvedOptions = Required<Omit<BufferPoolOptions, 'onPressure'>> & {
  tiers: readonly number[];
  onPressure?: OnPressure;
};

let poolsMade = 0;

/** @param pageSize bytes of a page of the core that such a backend is */
export function resolveOptions(
  given: BufferPoolOptions | undefined,
  pageSize: (backend: 'auto' | Backend) => number,
): ResolvedOptions {
  const options = checkOptions('new BufferPool(options)', given, KNOWN);
  const name = options.name ?? `pool-${++poolsMade}`;
  if (typeof name !== 'string' || name === '') throw invalidArg("option 'name'", 'a non-empty string', name);

  const backend = oneOf(options, 'backend', ['auto', 'native', 'js']);
  const page = pageSize(backend);
  const maxBytes = integer(options, 'maxBytes', 256 * MiB, page, MAX_BUDGET);
  const minBytes = integer(options, 'minBytes', 0, 0, maxBytes);
  const maxOversizeBytes = integer(options, 'maxOversizeBytes', 64 * MiB, 0, Number.MAX_SAFE_INTEGER);
  const epochMs = integer(options, 'epochMs', 5000, 0, 2 ** 31, 'milliseconds');
  const maxWaiting = integer(options, 'maxWaiting', 2 ** 16, 0, 2 ** 20, 'requests');
  const zero = oneOf(options, 'zero', ['never', 'acquire', 'release']);
  const leakDetection = oneOf(options, 'leakDetection', ['sampled', 'off', 'full']);
  const leakSampleRate = integer(options, 'leakSampleRate', 4096, 1, 2 ** 31, 'leases');
  const debug = oneOf(options, 'debug', ['off', 'poison', 'detach']);
  const detection = { leakDetection, leakSampleRate, debug };
  const { onPressure } = options;
  if (onPressure !== undefined && typeof onPressure !== 'function') {
    throw invalidArg("option 'onPressure'", 'a function', onPressure);
  }
  if (onPressure !== undefined && epochMs === 0) {
    throw invalidArg(
      "option 'epochMs'",
      "more than 0 beside 'onPressure', since without epochs nothing is given back",
      0,
    );
  }
  const also = onPressure === undefined ? {} : { onPressure };

  // Whole pages, since that is what the block takes of the budget.
  const most = Math.min(maxBytes - (maxBytes % page), MAX_CAPACITY);
  if (options.tiers !== undefined) {
    if (options.maxPooledSize !== undefined) {
      throw invalidArg("option 'maxPooledSize'", "nothing beside 'tiers', whose last one it is", options.maxPooledSize);
    }
    const tiers = checkTiers(options.tiers, most, page);
    const maxPooledSize = tiers[tiers.length - 1] as number;
    return {
      name,
      maxBytes,
      minBytes,
      maxPooledSize,
      tiers,
      maxOversizeBytes,
      zero,
      epochMs,
      maxWaiting,
      ...detection,
      backend,
      ...also,
    };
  }
  const maxPooledSize = integer(options, 'maxPooledSize', Math.min(1 * MiB, most), 1, most);
  return {
    name,
    maxBytes,
    minBytes,
    maxPooledSize,
    tiers: defaultTiers(maxPooledSize),
    maxOversizeBytes,
    zero,
    epochMs,
    maxWaiting,
    ...detection,
    backend,
    ...also,
  };
}

const KNOWN = [
  'name',
  'maxBytes',
  'minBytes',
  'maxPooledSize',
  'tiers',
  'maxOversizeBytes',
  'zero',
  'epochMs',
  'maxWaiting',
  'onPressure',
  'leakDetection',
  'leakSampleRate',
  'debug',
  'backend',
] as const;

function integer(
  options: BufferPoolOptions,
  key: keyof BufferPoolOptions,
  byDefault: number,
  min: number,
  max: number,
  unit = 'bytes',
) {
  const value = options[key] === undefined ? byDefault : options[key];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
    throw invalidArg(`option '${key}'`, `an integer of ${min} to ${max} (${unit})`, value);
  }
  return value;
}

function oneOf<const T extends string>(options: BufferPoolOptions, key: keyof BufferPoolOptions, values: readonly T[]) {
  const value = options[key] === undefined ? values[0] : options[key];
  if (!(values as readonly unknown[]).includes(value)) {
    throw invalidArg(`option '${key}'`, values.map((v) => `'${v}'`).join(' or '), value);
  }
  return value as T;
}

function checkTiers(given: readonly number[], most: number, page: number): readonly number[] {
  const expected = `1 to ${MAX_TIERS} strictly ascending integers of 1 to ${most} (bytes; whole pages of ${page} within maxBytes, at most 1 GiB)`;
  if (!Array.isArray(given) || given.length === 0) throw invalidArg("option 'tiers'", expected, given);
  if (given.length > MAX_TIERS) throw invalidArg("option 'tiers', their number", expected, given.length);
  const tiers: readonly number[] = Object.freeze(Array.from(given));
  tiers.forEach((tier: unknown, i) => {
    if (typeof tier !== 'number' || !Number.isSafeInteger(tier) || tier <= (tiers[i - 1] ?? 0) || tier > most) {
      throw invalidArg(`option 'tiers', tier ${i}`, expected, tier);
    }
  });
  return tiers;
}
