import type { CoreAddress } from './core/core.js';
import { pageSizeOf } from './core/loader.js';
import { invalidArg } from './errors.js';
import { type ResolvedOptions, resolveOptions } from './options.js';

/**
 * What another thread of this process attaches to a pool by: a plain object that travels in `workerData`, `postMessage`
 * or `setEnvironmentData`. A handle keeps nothing alive.
 */
export interface PoolHandle {
  /** @internal */
  readonly slabpool: 'pool';
  /** @internal */
  readonly address: CoreAddress;
  /** @internal */
  readonly options: ResolvedOptions;
}

/** Takes a handle apart that may have come from anywhere. @throws `ERR_SLABPOOL_INVALID_ARG` */
export function readHandle(handle: PoolHandle): { address: CoreAddress; options: ResolvedOptions } {
  const { slabpool, address, options } = (handle ?? {}) as Partial<PoolHandle>;
  if (slabpool !== 'pool' || !isAddress(address) || typeof options !== 'object' || options === null) {
    throw invalidArg('attach(handle)', 'the handle of a pool', handle);
  }
  // The largest tier is the last one, and is not to be given twice.
  const { maxPooledSize: _, ...rest } = options;
  return { address, options: resolveOptions(rest, pageSizeOf) };
}

export function isAddress(value: unknown): value is CoreAddress {
  const { copyId, slot, serial } = (value ?? {}) as Partial<CoreAddress>;
  return typeof copyId === 'string' && isUint32(slot) && isUint32(serial);
}

function isUint32(value: unknown): value is number {
  return typeof value === 'number' && value >>> 0 === value;
}
