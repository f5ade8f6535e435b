import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import nodeGypBuild from 'node-gyp-build';
import type { Core, CoreAddress } from './core.js';
import { invalidArg, SlabPoolError } from './errors.js';
import { JsCore } from './js-core.js';
import { type Addon, type LoadedAddon, NativeCore } from './native-core.js';
import type { Backend, ResolvedOptions } from './options.js';

const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL('..', import.meta.url));

/** Which core a pool runs on, and why it is that one. */
export interface BackendInfo {
  readonly kind: Backend;
  readonly reason: string;
}

/** The addon, or the reason why there is none to be had here. A binary that is there but broken throws. */
export function loadAddon(): LoadedAddon | string {
  let path: string;
  try {
    path = nodeGypBuild.resolve(root);
  } catch {
    return `there is no binary for ${process.platform}-${process.arch}, and none was built at installation`;
  }
  let addon: Addon;
  try {
    addon = require(path) as Addon;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_DLOPEN_DISABLED') {
      return 'native addons are disabled here (--no-addons, or the permission model without --allow-addons)';
    }
    throw new SlabPoolError(
      'ERR_SLABPOOL_BACKEND',
      `the native addon is there but does not load: ${(cause as Error).message}. ` +
        "Rebuild it with 'npm rebuild slabpool', or take the TypeScript core with { backend: 'js' }",
      { cause },
    );
  }
  if (typeof addon.Pool !== 'function' || typeof addon.sourceHash !== 'string') {
    throw new SlabPoolError(
      'ERR_SLABPOOL_BACKEND',
      `the file that should be the native addon is something else: ${path}. Rebuild it with 'npm rebuild slabpool'`,
    );
  }
  const { exchange, meta } = addon;
  if (exchange === undefined || meta === undefined) return 'this runtime allows no external buffers';
  return { ...addon, exchange, meta };
}

let loaded: ReturnType<typeof loadAddon> | undefined;

export interface OpenedCore {
  readonly core: Core;
  readonly backend: BackendInfo;
}

/** The core for a pool with these options. */
export function openCore(options: ResolvedOptions): OpenedCore {
  const { backend, tiers, maxBytes, name } = options;
  if (backend === 'js') {
    return { core: new JsCore(tiers, maxBytes), backend: { kind: 'js', reason: "asked for by { backend: 'js' }" } };
  }
  loaded ??= loadAddon();
  if (typeof loaded !== 'string') {
    return {
      core: createNative(loaded, options),
      backend: { kind: 'native', reason: 'the native addon is loaded' },
    };
  }
  if (backend === 'native') {
    throw new SlabPoolError('ERR_SLABPOOL_BACKEND', `{ backend: 'native' } cannot be had: ${loaded}`, { pool: name });
  }
  return { core: new JsCore(tiers, maxBytes), backend: { kind: 'js', reason: loaded } };
}

function createNative(addon: LoadedAddon, { tiers, maxBytes, epochMs, name }: ResolvedOptions): NativeCore {
  try {
    return NativeCore.create(addon, tiers, maxBytes, epochMs);
  } catch (cause) {
    // The options were checked, so this can only be the address space.
    throw new SlabPoolError(
      'ERR_SLABPOOL_OUT_OF_MEMORY',
      `the system refuses the address space for a pool of ${maxBytes} bytes in ${tiers.length} tiers`,
      { pool: name, details: { maxBytes }, cause },
    );
  }
}

/** The core of a pool that another thread made. */
export function joinCore(address: CoreAddress, { name, tiers, maxBytes }: ResolvedOptions): OpenedCore {
  loaded ??= loadAddon();
  if (typeof loaded === 'string' || loaded.copyId !== address.copyId) {
    const why =
      typeof loaded === 'string'
        ? loaded
        : 'it was made by another copy of the addon in this process, or by another process';
    throw new SlabPoolError('ERR_SLABPOOL_BACKEND', `cannot attach: ${why}`, { pool: name });
  }
  let core: NativeCore | null;
  try {
    core = NativeCore.join(loaded, address, tiers, maxBytes);
  } catch (cause) {
    if ((cause as Error).message === 'too many threads') {
      throw new SlabPoolError(
        'ERR_SLABPOOL_OUT_OF_MEMORY',
        'cannot attach: 4096 threads have the pool, the most there can be',
        {
          pool: name,
          cause,
        },
      );
    }
    throw new SlabPoolError(
      'ERR_SLABPOOL_CLOSED',
      'cannot attach: every thread that had it has closed it, or is gone',
      {
        pool: name,
        cause,
      },
    );
  }
  if (core === null) throw invalidArg('attach(handle)', 'a handle with the options of the pool', 'others', name);
  return { core, backend: { kind: 'native', reason: 'the native addon is loaded' } };
}
