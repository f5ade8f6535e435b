import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { toNamespacedPath } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { SlabPoolError } from '../errors.js';
import { builtHere, type Files, type Manifest, PREBUILT, readManifest } from '../prebuilt.js';
import type { Addon, LoadedAddon } from './addon.js';

/** The addon, and where it is from. */
export interface Binary {
  readonly addon: LoadedAddon;
  readonly path: string;
  /** Built on this machine, not prebuilt. */
  readonly built: boolean;
}

/** A reason why there is no addon to be had here. */
export interface NoBinary {
  readonly reason: string;
  /** What to do about it. */
  readonly remedy: string;
  /** Whether there is one, but this system cannot load it. */
  readonly refused: boolean;
}

interface Failure {
  readonly name: string;
  readonly path: string;
  readonly message: string;
}

const disabled = (by: string, refused: boolean): NoBinary => ({
  reason: `native addons are disabled here (${by})`,
  remedy: 'Allow them, where that is yours to decide',
  refused,
});
const NO_EXTERNAL_BUFFERS: NoBinary = {
  reason: 'this runtime allows no external buffers',
  remedy: 'Nothing else helps in this process; in one of plain Node.js the native core runs',
  refused: false,
};
const BUILD = "'npx slabpool build' builds one";
const REBUILD = "Build it again with 'npx slabpool build'";
const REINSTALL = 'Install slabpool again';

/** Loads the addon. @throws `ERR_SLABPOOL_BACKEND` for a file that has its name, but is cut off or something else */
export function loadBinary(): Binary | NoBinary {
  const built = builtHere();
  const platform = `${process.platform}-${process.arch}`;
  const manifest = readManifest();
  const failures: Failure[] = [];
  let files: Files = {};
  try {
    files = built === null ? (PREBUILT[platform]?.() ?? {}) : { built };
  } catch {
    const path = `prebuilds/${platform}/ beside import.meta.url`;
    failures.push({ name: platform, path, message: `that is ${import.meta.url} here` });
  }
  for (const [file, url] of Object.entries(files)) {
    const name = `${platform}/${file}`;
    let path = String(url);
    const module = { exports: {} as Addon };
    try {
      if (typeof url !== 'string') path = fileURLToPath(url);
      const bytes = sizeOf(path);
      // The system may kill the process for what is missing at the end of a file.
      if (bytes !== undefined && bytes !== (manifest[name]?.bytes ?? bytes))
        throw new Error('it is of another size than was packed');
      process.dlopen(module, toNamespacedPath(path));
    } catch (cause) {
      const { code, name: kind, message: lines } = cause as NodeJS.ErrnoException;
      // Windows says it in several.
      const message = lines.replaceAll(/\s*[\r\n]+\s*/g, ' ');
      if (code === 'ERR_DLOPEN_DISABLED') {
        return disabled('--no-addons, or the permission model without --allow-addons', false);
      }
      // Deno's, which forbids what nobody asked it to forbid.
      if (kind === 'NotCapable') return disabled(message, true);
      if (built !== null) throw broken(`${path} was built here, but does not load: ${message}`, REBUILD, cause);
      failures.push({ name, path, message });
      continue;
    }
    const { Pool, sourceHash, exchange, tags } = module.exports;
    if (typeof Pool !== 'function' || typeof sourceHash !== 'string') {
      throw broken(`the file that should be the native addon is something else: ${path}`, built ? REBUILD : REINSTALL);
    }
    if (exchange === undefined || tags === undefined) {
      return NO_EXTERNAL_BUFFERS;
    }
    return { addon: { ...module.exports, exchange, tags }, path, built: built !== null };
  }
  return none(failures, manifest);
}

/** Bytes of a file; undefined where there is no such file, or nobody may look. */
function sizeOf(path: string): number | undefined {
  try {
    return statSync(path).size;
  } catch {
    return undefined;
  }
}

function none(failures: readonly Failure[], manifest: Manifest): NoBinary {
  const there = failures.filter(({ path }) => sizeOf(path) !== undefined);
  for (const { name, path, message } of there) {
    const known = manifest[name]?.sha256;
    if (known === undefined || known === createHash('sha256').update(readFileSync(path)).digest('hex')) continue;
    throw broken(`${path} is cut off, or not ours, and does not load: ${message}`, REINSTALL);
  }
  const reasons = failures.map(({ path, message }) => (message.includes(path) ? message : `${path}: ${message}`));
  const all = [...new Set(reasons)].join('; ');
  if (there.length > 0) {
    const reason = `the native addon does not load on this system: ${all}`;
    return { reason, remedy: `Unless that says what to do: ${BUILD}`, refused: true };
  }
  const reason = `there is no native addon for ${process.platform}-${process.arch}${all === '' ? '' : ` (${all})`}`;
  return { reason, remedy: `If slabpool was bundled, mark it as external; otherwise ${BUILD}`, refused: false };
}

function broken(what: string, remedy: string, cause?: unknown): SlabPoolError {
  const message = `${what}. ${remedy}, or take the TypeScript core with { backend: 'js' }`;
  return new SlabPoolError('ERR_SLABPOOL_BACKEND', message, cause === undefined ? {} : { cause });
}
