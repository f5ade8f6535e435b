// What the benchmarks with several threads share: workers that are asked for one measurement at a time, and contenders that
// take turns.
import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { compared } from './measure.js';
import { Spent, usage } from './usage.js';

/**
 * @typedef {object} Way
 * @property {string} name
 * @property {(count: number) => Promise<number>} run hands over so many messages: nanoseconds for all of them
 * @property {number} count messages in a measurement
 * @property {() => unknown} end
 */

/** Milliseconds between two measurements. */
const SETTLING_MS = 20;

/** A worker from bench/workers that answers each message with one of its own. */
export class Thread {
  #worker;
  /** @type {{ resolve: (answer: any) => void, reject: (error: unknown) => void } | null} */
  #waiting = null;

  /** @param {string} file @param {object} data @param {readonly import('node:worker_threads').Transferable[]} [transfer] */
  constructor(file, data, transfer = []) {
    this.#worker = new Worker(new URL(`workers/${file}.js`, import.meta.url), {
      workerData: data,
      transferList: [...transfer],
    });
    this.#worker.on('message', (answer) => this.#waiting?.resolve(answer));
    this.#worker.on('error', (error) => {
      if (this.#waiting === null) throw error;
      this.#waiting.reject(error);
    });
  }

  /** @param {unknown} question @returns {Promise<any>} its answer */
  ask(question) {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#worker.postMessage(question);
    });
  }

  end() {
    return this.#worker.terminate();
  }
}

/**
 * Each way in turn, several times.
 * @param {readonly Way[]} ways the first is what the others are compared with
 * @param {number} rounds
 * @param {(what: string) => void} progress
 */
export async function takeTurns(ways, rounds, progress) {
  /** @type {number[][]} */
  const times = ways.map(() => []);
  const spent = ways.map(() => new Spent());
  // The first round only warms up.
  for (let round = 0; round <= rounds; round++) {
    for (const [i, { name, count, run }] of ways.entries()) {
      progress(`${name}, ${round === 0 ? 'warming up' : `round ${round} of ${rounds}`}`);
      const before = usage();
      const ns = (await run(count)) / count;
      // Garbage collection and give-backs of this way in other threads are not to fall on the next.
      await setTimeout(SETTLING_MS);
      if (round === 0) continue;
      /** @type {number[]} */ (times[i]).push(ns);
      const after = usage();
      spent[i]?.add(count, before, { ...after, wallMs: after.wallMs - SETTLING_MS });
    }
  }
  return ways.map(({ name }, i) => ({
    ...compared(name, /** @type {number[]} */ (times[i]), /** @type {number[]} */ (times[0])),
    ...spent[i]?.figures(),
  }));
}

/** @param {readonly Way[]} ways */
export const endAll = (ways) => Promise.all(ways.map(({ end }) => end()));

/** @param {() => unknown} work @returns {Promise<number>} nanoseconds */
export async function timed(work) {
  const started = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - started);
}
