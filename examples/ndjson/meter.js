import { readFileSync } from 'node:fs';
import { constants, PerformanceObserver, performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * @typedef {object} Reading
 * @property {number} seconds
 * @property {number} scavenges young-generation collections
 * @property {number} fullCollections mark-sweep-compact
 * @property {number} gcMs time in all collections, incremental steps included
 * @property {number} peakRss bytes, the operating system's own figure
 * @property {number} startRss bytes before the work began
 * @property {number} peakExternal bytes of ArrayBuffers and other memory V8 counts but does not own, sampled
 */

/** Watches this process while it does one piece of work. */
export class Meter {
  #startRss = process.memoryUsage.rss();
  #peakExternal = process.memoryUsage().external;
  /** @type {import('node:perf_hooks').PerformanceEntry[]} */
  #collections = [];
  #observer = new PerformanceObserver((list) => this.#collections.push(...list.getEntries()));
  #start;

  constructor() {
    this.#observer.observe({ entryTypes: ['gc'] });
    this.#start = performance.now();
  }

  sample() {
    this.#peakExternal = Math.max(this.#peakExternal, process.memoryUsage().external);
  }

  /** @returns {Promise<Reading>} */
  async stop() {
    const end = performance.now();
    const peakRss = peakRssOfThisProgram();
    // Collections are reported some turns of the event loop after they happened.
    await sleep(20);
    this.#observer.disconnect();
    const during = this.#collections.filter(({ startTime }) => startTime >= this.#start && startTime <= end);
    /** @param {number} kind */
    const count = (kind) => during.filter((entry) => kindOf(entry) === kind).length;
    return {
      seconds: (end - this.#start) / 1000,
      scavenges: count(constants.NODE_PERFORMANCE_GC_MINOR),
      fullCollections: count(constants.NODE_PERFORMANCE_GC_MAJOR),
      gcMs: during.reduce((sum, { duration }) => sum + duration, 0),
      peakRss,
      startRss: this.#startRss,
      peakExternal: this.#peakExternal,
    };
  }
}

/** @param {import('node:perf_hooks').PerformanceEntry} entry */
function kindOf(entry) {
  return /** @type {{ detail?: { kind?: number } }} */ (entry).detail?.kind;
}

/**
 * Linux keeps `ru_maxrss` across exec, so a child starts with its parent's peak: there the peak of the program's own
 * address space is read instead.
 */
function peakRssOfThisProgram() {
  if (process.platform === 'linux') {
    const own = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
    if (own) return Number(own[1]) * 1024;
  }
  return process.resourceUsage().maxRSS * 1024;
}
