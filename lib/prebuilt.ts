import { existsSync, readFileSync } from 'node:fs';

// This file lies where a bundle lies, too: one folder beside prebuilds/, so that its URLs lead there from both.

/** Files by their names; ncc puts a path in the place of each URL. */
export type Files = Readonly<Record<string, URL | string>>;

/**
 * The binaries of each platform, in the order in which they are tried. The URLs are literal, for bundlers to see and to bring the
 * files along; and in methods, for some leave `import.meta.url` undefined (and in arrow functions without a body nft overlooks them).
 * musl's comes first: it never loads on glibc, whereas glibc's might on musl, by accident.
 */
export const PREBUILT: Readonly<Record<string, () => Files>> = {
  'darwin-arm64'() {
    return { 'slabpool.node': new URL('../prebuilds/darwin-arm64/slabpool.node', import.meta.url) };
  },
  'darwin-x64'() {
    return { 'slabpool.node': new URL('../prebuilds/darwin-x64/slabpool.node', import.meta.url) };
  },
  'linux-arm64'() {
    return {
      'slabpool.musl.node': new URL('../prebuilds/linux-arm64/slabpool.musl.node', import.meta.url),
      'slabpool.glibc.node': new URL('../prebuilds/linux-arm64/slabpool.glibc.node', import.meta.url),
    };
  },
  'linux-x64'() {
    return {
      'slabpool.musl.node': new URL('../prebuilds/linux-x64/slabpool.musl.node', import.meta.url),
      'slabpool.glibc.node': new URL('../prebuilds/linux-x64/slabpool.glibc.node', import.meta.url),
    };
  },
  'win32-x64'() {
    return { 'slabpool.node': new URL('../prebuilds/win32-x64/slabpool.node', import.meta.url) };
  },
};

/** The manifest says what each binary was when scripts/prebuild.js made it, to know what was cut off or replaced. */
export type Manifest = Readonly<Record<string, { readonly bytes: number; readonly sha256: string } | undefined>>;

/** The addon that was built beside our own sources. A bundle has none: what its application has built is not ours. */
export function builtHere(): URL | null {
  try {
    const here = import.meta.url;
    const built = new URL('../build/Release/slabpool.node', here);
    return existsSync(new URL('../native/addon.gypi', here)) && existsSync(built) ? built : null;
  } catch {
    return null;
  }
}

/** The manifest; empty where it cannot be read: then nobody can tell what a file should be. */
export function readManifest(): Manifest {
  try {
    return JSON.parse(readFileSync(new URL('../prebuilds/manifest.json', import.meta.url), 'utf8'));
  } catch {
    return {};
  }
}
