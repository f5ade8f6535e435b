// The runtimes that benchmarks run on: this one, other releases of Node, Bun and Deno; those that are not here are installed.
import { execPath } from 'node:process';
import { installOthers, installRuntimes } from '../scripts/runtimes.js';
import { RUNTIME } from './results.js';

/** @typedef {{ command: string, args: readonly string[] }} Runtime */

/** By names such as `node24` and `bun1`. */
export const RUNTIMES = [...new Set([RUNTIME, 'node22', 'node24', 'node26', 'bun1', 'deno2'])];

/** @param {string} name one of {@link RUNTIMES} @returns {Runtime} */
export function runtime(name) {
  if (name === RUNTIME) return { command: execPath, args: [] };
  if (name.startsWith('node')) {
    const found = installRuntimes().find(({ release }) => `node${release}` === name);
    return { command: /** @type {NonNullable<typeof found>} */ (found).execPath, args: [] };
  }
  const { bun, deno } = installOthers();
  return name.startsWith('bun') ? { command: bun, args: [] } : { command: deno, args: ['run', '-A'] };
}
