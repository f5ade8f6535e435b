import { checkOptions } from './base/check-options.js';
import { type Check, integer, oneOf, poolName, TRACKING } from './base/option-checks.js';
import type { Backend } from './core/loader.js';
import { defaultTiers } from './core/size-classes.js';
import { invalidArg } from './errors.js';

const KiB = 1024;
const MiB = 1024 * KiB;

/** Bytes of the largest tier that a pool may have: 1 GiB. */
const MAX_CAPACITY = 2 ** 30;
/** Bytes of the largest budget: 64 TiB, half of what a process can address. */
const MAX_BUDGET = 2 ** 46;
const MAX_TIERS = 128;

/** How hard to look for who uses a buffer after its release; each level finds what the one before it finds. */
export type DebugLevel = 'off' | 'poison' | 'detach';

/** Options of a {@link BufferPool}. What is misspelt, ill-typed or out of range is an `ERR_SLABPOOL_INVALID_ARG`. */
export interface BufferPoolOptions {
  /** The pool's name in errors, events and stats; not empty. Default: `'pool-N'`, counted in each thread. */
  name?: string;
  /**
   * Hard cap on the bytes that the pool keeps resident, leased or cached. From one page (4 KiB; 16 or 64 on some arm64
   * systems) to 64 TiB. Default: 256 MiB.
   */
  maxBytes?: number;
  /**
   * Bytes of the largest request that is pooled, 1 to 1 GiB, within the whole pages of `maxBytes`; larger requests take
   * the oversize path. Default: 1 MiB, or the whole pages of `maxBytes` if that is less. Not to be given along with
   * `tiers`.
   */
  maxPooledSize?: number;
  /**
   * Capacities in bytes: 1 to 128 of them, strictly ascending, each 1 to 1 GiB, within the whole pages of `maxBytes`.
   * Default: four steps per doubling from 1 KiB to `maxPooledSize`.
   */
  tiers?: readonly number[];
  /**
   * Bytes that stay resident through idle epochs, once they are: 0 to `maxBytes`. {@link BufferPool.trim}, tiers that
   * need the room, and memory that is short take them all the same. Default: 0.
   */
  minBytes?: number;
  /** Cap on the bytes of oversize leases out at once, in each thread, from 0; 0 refuses them all. Default: 64 MiB. */
  maxOversizeBytes?: number;
  /**
   * When to fill a block with zeros: `'never'`, on `'acquire'` (nobody's bytes reach you), on `'release'` (your bytes
   * do not linger). Default: `'never'`.
   */
  zero?: 'never' | 'acquire' | 'release';
  /**
   * Milliseconds, 0 to 2^31. What nobody used for two epochs gives its memory back to the operating system, sooner when
   * memory is short; 0: only {@link BufferPool.trim} does that, however short memory is. And for one epoch the blocks
   * of a thread that died are in quarantine before they are used again, since the operating system may still be writing
   * to them. Default: 5000.
   */
  epochMs?: number;
  /**
   * How many requests may wait at once for budget, in all threads of the pool, and for room for oversize buffers, in
   * each thread; more are refused. 0 to 2^20; 0: nobody waits. Default: 65,536.
   */
  maxWaiting?: number;
  /**
   * Of which leases it is recorded where they were acquired, for reports of leaks (`slabpool:leak` on
   * `node:diagnostics_channel`), {@link BufferPool.trackedLeases} and errors: none, one in {@link leakSampleRate}, or
   * all (some 12 µs each; 30 where the lease outlives the turn of the event loop that it began in). Default:
   * `'sampled'`.
   */
  leakDetection?: 'off' | 'sampled' | 'full';
  /** One lease in so many is tracked, 1 to 2^31; fewer in a thread that does nothing but acquire. Default: 4096. */
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
   * `'native'` throws `ERR_SLABPOOL_BACKEND` where there is none. Default: `'auto'`.
   */
  backend?: 'auto' | Backend;
}

/** The options of a pool, checked, with the defaults filled in. */
export type ResolvedOptions = Required<BufferPoolOptions>;

/** A context is what a check goes by: bytes of a page, what the caller gave, and options above in {@link OPTIONS}. */
interface Context extends ResolvedOptions {
  page: number;
  readonly given: Partial<BufferPoolOptions>;
}

/** Every option with its unit, default and range, in the order in which they are checked. */
const OPTIONS: { readonly [Key in keyof ResolvedOptions]: Check<ResolvedOptions[Key], Context> } = {
  name: poolName('pool'),
  maxBytes: integer<Context>('bytes', 256 * MiB, ({ page }) => page, MAX_BUDGET),
  minBytes: integer<Context>('bytes', 0, 0, ({ maxBytes }) => maxBytes),
  tiers: (value, _, context) => (value === undefined ? tiersUpTo(context) : checkTiers(value, context)),
  maxPooledSize: (value, key, { tiers, given }) => {
    if (value !== undefined && given.tiers !== undefined) {
      throw invalidArg(`option '${key}'`, "nothing beside 'tiers', whose last one it is", value);
    }
    return tiers[tiers.length - 1] as number;
  },
  maxOversizeBytes: integer('bytes', 64 * MiB, 0, Number.MAX_SAFE_INTEGER),
  epochMs: integer('milliseconds', 5000, 0, 2 ** 31),
  maxWaiting: integer('requests', 2 ** 16, 0, 2 ** 20),
  zero: oneOf('never', 'acquire', 'release'),
  ...TRACKING,
  debug: oneOf('off', 'poison', 'detach'),
  backend: oneOf('auto', 'native', 'js'),
};

/**
 * Checks the options that a caller gave, and fills in the defaults.
 * @param pageSize bytes of a page of the core that such a backend is
 * @throws `ERR_SLABPOOL_INVALID_ARG`
 */
export function resolveOptions(
  options: BufferPoolOptions | undefined,
  pageSize: (backend: 'auto' | Backend) => number,
): ResolvedOptions {
  const keys = Object.keys(OPTIONS) as (keyof ResolvedOptions)[];
  const given = checkOptions('new BufferPool(options)', options, keys);
  const context: Context = Object.assign(Object.create(null), { given, page: 0 });
  context.page = pageSize(OPTIONS.backend(given.backend, 'backend', context));
  for (const key of keys) Object.assign(context, { [key]: OPTIONS[key](given[key], key, context) });
  const { given: _, page: __, ...resolved } = context;
  return resolved;
}

/** Bytes of the largest tier: whole pages of the budget, since that is what its block takes of it. */
function largestTier({ maxBytes, page }: Context): number {
  return Math.min(maxBytes - (maxBytes % page), MAX_CAPACITY);
}

const largestPooled = integer<Context>('bytes', (context) => Math.min(1 * MiB, largestTier(context)), 1, largestTier);

function tiersUpTo(context: Context): readonly number[] {
  return defaultTiers(largestPooled(context.given.maxPooledSize, 'maxPooledSize', context));
}

function checkTiers(given: unknown, context: Context): readonly number[] {
  const most = largestTier(context);
  const expected = `1 to ${MAX_TIERS} strictly ascending integers of 1 to ${most} (bytes; whole pages of ${context.page} within maxBytes, at most 1 GiB)`;
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
