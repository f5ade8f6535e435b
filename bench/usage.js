// What a process uses, all of its threads together: what other work on the machine changes least.
import { collections } from './garbage.js';

/** @typedef {{ wallMs: number, cpuNs: number, faults: number, collections: number, gcMs: number }} Usage */

/** Since the process began. @returns {Usage} */
export function usage() {
  const { user, system } = process.cpuUsage();
  return {
    wallMs: performance.now(),
    cpuNs: (user + system) * 1000,
    faults: process.resourceUsage().minorPageFault,
    ...collections(),
  };
}

/** What was used between two of these. @template {Readonly<Record<string, number>>} T @param {T} before @param {T} after @returns {T} */
export const difference = (before, after) =>
  /** @type {T} */ (
    Object.fromEntries(Object.entries(after).map(([key, value]) => [key, value - /** @type {number} */ (before[key])]))
  );

/** Adds up what was used in several measurements of the same. */
export class Spent {
  #operations = 0;
  /** @type {Usage} */
  #sum = { wallMs: 0, cpuNs: 0, faults: 0, collections: 0, gcMs: 0 };

  /** @param {number} operations @param {Usage} before @param {Usage} after */
  add(operations, before, after) {
    this.#operations += operations;
    const used = difference(before, after);
    for (const key of /** @type {(keyof Usage)[]} */ (Object.keys(used))) this.#sum[key] += used[key];
  }

  /** In the units of a `Result`. */
  figures() {
    const { wallMs, cpuNs, faults, collections, gcMs } = this.#sum;
    return {
      cpuNs: cpuNs / this.#operations,
      faults: (1000 * faults) / this.#operations,
      collections: (1000 * collections) / wallMs,
      gcMs: (1000 * gcMs) / wallMs,
    };
  }
}
