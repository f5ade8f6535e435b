import process from 'node:process';
import { isMainThread } from 'node:worker_threads';
import { invalidArg, SlabPoolError } from '../errors.js';
import { addonError, type LoadedAddon } from './addon.js';
import { type Binary, loadBinary, type NoBinary } from './binary.js';
import type { Core, CoreAddress, CoreOptions } from './core.js';
import { JsCore } from './js.js';
import { NativeCore } from './native.js';

/** Which core serves a pool: the native addon, or the pure TypeScript one. */
export type Backend = 'native' | 'js';

/** Which core a pool runs on, and why it is that one. */
export interface BackendInfo {
  /** The core. */
  readonly kind: Backend;
  /** As a sentence; where the addon does not load, with what to do about that. */
  readonly reason: string;
}

let loaded: Binary | NoBinary | undefined;

/** Looks for the addon once in each thread, at its first pool. @throws `ERR_SLABPOOL_BACKEND` */
export function load(): Binary | NoBinary {
  if (loaded !== undefined) return loaded;
  loaded = loadBinary();
  if ('addon' in loaded) onCleanExit(loaded.addon.declareCleanExit);
  return loaded;
}

/** The addon of this thread, or the reason why it has none. @throws `ERR_SLABPOOL_BACKEND` */
export function loadAddon(): LoadedAddon | string {
  const found = load();
  return 'addon' in found ? found.addon : why(found);
}

/** The addon's search for all occurrences of a byte, for users of a pool on the native core. */
export function searchOf({ kind }: BackendInfo): LoadedAddon['findAll'] | null {
  const addon = kind === 'native' ? loadAddon() : '';
  return typeof addon === 'string' ? null : addon.findAll;
}

function why({ reason, remedy }: NoBinary): string {
  return `${reason}. ${remedy}`;
}

/** Bytes of a page of the TypeScript core: as fine as on most systems, since V8 does not say. */
const JS_PAGE = 4096;

/** Bytes of a page of the core that such a backend is: the budget of the native core is charged by the system's. */
export function pageSizeOf(backend: 'auto' | Backend): number {
  const addon = backend === 'js' ? 'not wanted' : loadAddon();
  return typeof addon === 'string' ? JS_PAGE : addon.pageSize();
}

let warned = false;

/** Warns of a pool on the TypeScript core, which is slower, and which nobody asked for. */
function warn({ reason, remedy, refused }: NoBinary): void {
  if (!refused || warned) return;
  warned = true;
  process.emitWarning(`${reason}. Pools run on the TypeScript core instead. ${remedy}`, {
    type: 'SlabPoolWarning',
    code: 'SLABPOOL_BACKEND',
  });
}

/** Those options that say what core a pool gets. */
interface LoaderOptions extends CoreOptions {
  readonly name: string;
  readonly backend: 'auto' | Backend;
}

/** The core of a pool, and why it is that one. */
export interface OpenedCore {
  readonly core: Core;
  readonly backend: BackendInfo;
}

/** The core for a pool with these options. */
export function openCore(options: LoaderOptions): OpenedCore {
  const { backend, name } = options;
  if (backend === 'js') {
    return { core: new JsCore(options), backend: { kind: 'js', reason: "asked for by { backend: 'js' }" } };
  }
  const found = load();
  if ('addon' in found) {
    return {
      core: createNative(found.addon, options),
      backend: { kind: 'native', reason: 'the native addon is loaded' },
    };
  }
  if (backend === 'native') {
    throw new SlabPoolError('ERR_SLABPOOL_BACKEND', `{ backend: 'native' } cannot be had: ${why(found)}`, {
      pool: name,
    });
  }
  warn(found);
  return { core: new JsCore(options), backend: { kind: 'js', reason: why(found) } };
}

function createNative(addon: LoadedAddon, options: LoaderOptions): NativeCore {
  const { maxBytes, name } = options;
  try {
    return NativeCore.create(addon, options);
  } catch (cause) {
    throw addonError(cause, name, { maxBytes });
  }
}

/** The core of a pool that another thread made. */
export function joinCore(address: CoreAddress, { name, tiers, maxBytes }: LoaderOptions): OpenedCore {
  const addon = loadAddon();
  if (typeof addon === 'string' || addon.copyId !== address.copyId) {
    const why =
      typeof addon === 'string'
        ? addon
        : 'it was made by another copy of the addon in this process, or by another process';
    throw new SlabPoolError('ERR_SLABPOOL_BACKEND', `cannot attach: ${why}`, { pool: name });
  }
  let core: NativeCore | null;
  try {
    core = NativeCore.join(addon, address, tiers, maxBytes);
  } catch (cause) {
    throw addonError(cause, name);
  }
  if (core?.draining) {
    core.close();
    throw new SlabPoolError('ERR_SLABPOOL_CLOSED', 'cannot attach: it is being drained', { pool: name });
  }
  if (core === null) throw invalidArg('attach(handle)', 'a handle with the options of the pool', 'others', name);
  return { core, backend: { kind: 'native', reason: 'the native addon is loaded' } };
}

const CALLS = Symbol.for('slabpool.clean-exit');

/**
 * Calls `call` when this worker ends by itself, by `process.exit()` or by an error, but not when it is terminated.
 * There is one listener in a thread, in however many of its realms this module is loaded.
 */
function onCleanExit(call: () => void): void {
  if (isMainThread) return;
  const thread: { [CALLS]?: Set<() => void> } = process as object;
  let calls = thread[CALLS];
  if (calls === undefined) {
    calls = new Set();
    thread[CALLS] = calls;
    process.on('exit', () => {
      for (const each of thread[CALLS] ?? []) each();
    });
  }
  calls.add(call);
}
