import { compiled } from '../compiled.js';

/** @typedef {import('./contenders.js').ObjectContender} ObjectContender */

const LIVE = 1024;
const BURST = 1000;

/**
 * By what the program does with what it has: so many at once (`unit`), and the body of its loop.
 * @type {Record<string, { unit: number, body: (contender: ObjectContender, touch: string) => string }>}
 */
export const LOOPS = {
  'acquire, touch, release': {
    unit: 16,
    body: ({ acquire, value, release }, touch) => `for (let i = 0; i < operations; i++) {
      const held = ${acquire}; const value = ${value}; ${touch} ${release}
    }`,
  },
  // As one function acquires and another releases: no lease can be left out.
  'passed on through a field': {
    unit: 16,
    body: ({ acquire, value, release }, touch) => `for (let i = 0; i < operations; i++) {
      { const held = ${acquire}; const value = ${value}; ${touch} owner.held = held; }
      { const held = owner.held; ${release} }
    }`,
  },
  [`bursts of ${BURST.toLocaleString('en')}`]: {
    unit: BURST,
    body: ({ acquire, value, release }, touch) => `for (let done = 0; done < operations; done += ${BURST}) {
      for (let i = 0; i < ${BURST}; i++) { const held = ${acquire}; const value = ${value}; ${touch} all[i] = held; }
      for (let i = 0; i < ${BURST}; i++) { const held = all[i]; ${release} }
    }`,
  },
  [`a live set of ${LIVE.toLocaleString('en')}, one replaced`]: {
    unit: 16,
    body: ({ acquire, value, release }, touch) => `
      if (all[0] === null) for (let i = 0; i < ${LIVE}; i++) all[i] = ${acquire};
      for (let i = 0; i < operations; i++) {
        slot = (slot + 389) & ${LIVE - 1};
        { const held = all[slot]; ${release} }
        const held = ${acquire}; const value = ${value}; ${touch} all[slot] = held;
      }`,
  },
};

/**
 * @param {string} kind one of {@link LOOPS} @param {ObjectContender} contender @param {string} touch
 * @returns {import('../measure.js').Case}
 */
export function caseOf(kind, contender, touch) {
  const { unit, body } = /** @type {typeof LOOPS[string]} */ (LOOPS[kind]);
  const loop = compiled(
    `const owner = { held: null }; const all = new Array(${LIVE}).fill(null); let slot = 0;
    return function loop(pool, operations) { let sink = 0; ${body(contender, touch)} return sink; }`,
  );
  const pool = contender.open();
  for (let i = 0; i < 5; i++) loop(pool, 20_000);
  return { name: contender.name, unit, run: (operations) => loop(pool, operations) };
}
