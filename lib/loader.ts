import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import nodeGypBuild from 'node-gyp-build';
import type { Core } from './core.js';
import { SlabPoolError } from './errors.js';
import { JsCore } from './js-core.js';
import { type Addon, NativeCore } from './native-core.js';
import type { Backend, ResolvedOptions } from './options.js';

const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL('..', import.meta.url));

/** Which core a pool runs on, and why it is that one. */
export interface BackendInfo {
  readonly kind: Backend;
  readonly reason: string;
}

/** The addon, or the reason why there is none to be had here. A binary that is there but broken throws. */
export function loadAddon(): (Addon & { exchange: Uint32Array }) | string {
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
  const { exchange } = addon;
  if (exchange === undefined) return 'this runtime allows no external buffers';
  return { ...addon, exchange };
}

let loaded: ReturnType<typeof loadAddon> | undefined;

/** The core for a pool with these options. */
export function openCore({ backend, tiers, maxBytes, name }: ResolvedOptions): { core: Core; backend: BackendInfo } {
  if (backend === 'js') {
    return { core: new JsCore(tiers, maxBytes), backend: { kind: 'js', reason: "asked for by { backend: 'js' }" } };
  }
  loaded ??= loadAddon();
  if (typeof loaded !== 'string') {
    return {
      core: nativeCore(loaded, tiers, maxBytes, name),
      backend: { kind: 'native', reason: 'the native addon is loaded' },
    };
  }
  if (backend === 'native') {
    throw new SlabPoolError('ERR_SLABPOOL_BACKEND', `{ backend: 'native' } cannot be had: ${loaded}`, { pool: name });
  }
  return { core: new JsCore(tiers, maxBytes), backend: { kind: 'js', reason: loaded } };
}

function nativeCore(
  addon: Addon & { exchange: Uint32Array },
  tiers: readonly number[],
  maxBytes: number,
  pool: string,
) {
  try {
    return new NativeCore(addon, tiers, maxBytes);
  } catch (cause) {
    // The options were checked, so this can only be the address space.
    throw new SlabPoolError(
      'ERR_SLABPOOL_OUT_OF_MEMORY',
      `the system refuses the address space for a pool of ${maxBytes} bytes in ${tiers.length} tiers`,
      { pool, details: { maxBytes }, cause },
    );
  }
}
