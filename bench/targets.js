// What slabpool promises itself, held against what was measured.
import Table from 'cli-table3';
import { figure } from './format.js';
import { runtimesOf } from './results.js';
import { core } from './targets/core.js';
import { hostile } from './targets/hostile.js';
import { io } from './targets/io.js';
import { memory } from './targets/memory.js';
import { objects } from './targets/objects.js';
import { oneThread } from './targets/one-thread.js';
import { resources } from './targets/resources.js';
import { threads } from './targets/threads.js';

/** @typedef {{ ratios: Record<string, number>, facts: Record<string, number> }} Measured by 'bench/label/contender' */

/**
 * A ratio is a contender's time over slabpool's; with `ours` it is shown the other way round, as the target is put.
 * @typedef {{ what: string, ratio?: string, fact?: string, least?: number, most?: number, ours?: boolean }} Target
 */

/** All of them, on a release of Node. @type {(release: number) => Target[]} */
const targets = (release) => [
  ...oneThread(release),
  ...core,
  ...memory,
  ...objects,
  ...resources,
  ...threads,
  ...io(release),
  ...hostile,
];

/**
 * What targets are held against.
 * @param {readonly import('./results.js').Committed[]} all of one runtime @returns {Measured}
 */
export function measuredOf(all) {
  /** @type {Measured} */
  const measured = { ratios: {}, facts: {} };
  for (const { name, results } of all) {
    for (const [label, cases] of Object.entries(results.results)) {
      if (typeof cases === 'number') measured.facts[`${name}/${label}`] = cases;
      else for (const one of cases) measured.ratios[`${name}/${label}/${one.name}`] = one.ratio;
    }
  }
  return measured;
}

/** `shown`: as the target puts it. @typedef {{ what: string, bench: string, shown: number, met: boolean }} Verdict */

/** The targets of which something was measured. @param {Measured} measured @param {string} runtime @returns {Verdict[]} */
export function judge({ ratios, facts }, runtime) {
  return targets(releaseOf(runtime)).flatMap(({ what, ratio, fact, least = -Infinity, most = Infinity, ours }) => {
    const key = /** @type {string} */ (ratio ?? fact);
    const value = (ratio === undefined ? facts : ratios)[key];
    if (value === undefined) return [];
    return [{ what, bench: benchOf(key), shown: ours ? 1 / value : value, met: value >= least && value <= most }];
  });
}

/**
 * Targets of these benchmarks that they have no figure for, where they have left nothing out.
 * @param {readonly import('./results.js').Committed[]} all @param {string} runtime @returns {string[]}
 */
export function unmeasured(all, runtime) {
  const whole = all.filter(({ results }) => results.leftOut === undefined).map(({ name }) => name);
  const { ratios, facts } = measuredOf(all);
  return targets(releaseOf(runtime)).flatMap(({ what, ratio, fact }) => {
    const key = /** @type {string} */ (ratio ?? fact);
    return whole.includes(benchOf(key)) && !(key in ratios) && !(key in facts) ? [what] : [];
  });
}

/** A target, and what each runtime has of it. @typedef {{ what: string, bench: string, verdicts: Map<string, Verdict> }} Row */

/** @param {readonly import('./results.js').Committed[]} all */
export function byRuntime(all) {
  const runtimes = runtimesOf(all);
  /** @type {Map<string, Row>} */
  const rows = new Map();
  for (const runtime of runtimes) {
    for (const verdict of judge(measuredOf(all.filter((one) => one.runtime === runtime)), runtime)) {
      const { what, bench } = verdict;
      const row = rows.get(what) ?? { what, bench, verdicts: new Map() };
      row.verdicts.set(runtime, verdict);
      rows.set(what, row);
    }
  }
  const verdicts = [...rows.values()].flatMap((row) => [...row.verdicts.values()]);
  return { runtimes, rows: [...rows.values()], met: verdicts.filter(({ met }) => met).length, of: verdicts.length };
}

/** @param {Measured} measured @param {string} runtime */
export function verdicts(measured, runtime) {
  const grid = new Table({ head: ['target', 'measured', ''], style: { head: [], border: [] } });
  for (const { what, shown, met } of judge(measured, runtime)) grid.push([what, figure(shown), met ? 'met' : 'MISSED']);
  return grid.toString();
}

/** @param {string} key of a ratio or a fact */
const benchOf = (key) => key.replace(/\/.*/, '');

/** Others are asked for what the last one is. @param {string} runtime */
const releaseOf = (runtime) => (runtime.startsWith('node') ? Number(runtime.slice(4)) : Infinity);
