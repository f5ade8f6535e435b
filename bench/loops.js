import { compiled } from './compiled.js';
import { TOUCH } from './contenders.js';
import { DRAWN, logNormal, random } from './sizes.js';

/** @typedef {import('./contenders.js').Contender} Contender */
/** @typedef {(pool: unknown, sizes: Int32Array, operations: number) => number} Loop */

/** @param {string} body @returns {Loop} */
const compile = (body) =>
  compiled(`let at = 0; const owner = { held: null };
    return function loop(pool, sizes, operations) { let sink = 0; ${body} return sink; }`);

const NEXT_SIZE = `const size = sizes[at++ & ${DRAWN - 1}];`;

/** Acquire, touch, release. @param {Contender} contender */
export const steady = ({ acquire, bytes: b, release }) =>
  compile(`for (let i = 0; i < operations; i++) {
    ${NEXT_SIZE} const held = ${acquire}; const bytes = ${b}; ${TOUCH} ${release}
  }`);

/**
 * The same, but what is held passes through a field, as it does wherever one function acquires and another releases.
 * In the loop above V8 may leave a lease out altogether (escape analysis), which flatters pools with leases as objects.
 * @param {Contender} contender
 */
export const passedOn = ({ acquire, bytes: b, release }) =>
  compile(`for (let i = 0; i < operations; i++) {
    { ${NEXT_SIZE} const held = ${acquire}; const bytes = ${b}; ${TOUCH} owner.held = held; }
    { const held = owner.held; ${release} }
  }`);

/** Acquire and touch many, then release them all. @param {Contender} contender @param {number} length */
export const burst = ({ acquire, bytes: b, release }, length) =>
  compile(`const all = new Array(${length});
  for (let done = 0; done < operations; done += ${length}) {
    for (let i = 0; i < ${length}; i++) { ${NEXT_SIZE} const held = ${acquire}; const bytes = ${b}; ${TOUCH} all[i] = held; }
    for (let i = 0; i < ${length}; i++) { const held = all[i]; ${release} }
  }`);

/**
 * Netty's AllocPattern: of a live set, release one in shuffled order and acquire another in its place.
 * @param {Contender} contender @param {number} length @param {boolean} touched
 * @returns {Loop}
 */
export function liveSet({ acquire, bytes: b, release }, length, touched) {
  const touch = touched ? `const bytes = ${b}; ${TOUCH}` : '';
  const order = Int32Array.from({ length }, (_, i) => i);
  const next = random();
  for (let i = length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [order[i], order[j]] = [/** @type {number} */ (order[j]), /** @type {number} */ (order[i])];
  }
  return compiled(
    `const live = new Array(${length}); let at = 0, filled = false, turn = 0;
    return function loop(pool, sizes, operations) {
      let sink = 0;
      if (!filled) {
        for (let i = 0; i < ${length}; i++) { ${NEXT_SIZE} live[i] = ${acquire}; }
        filled = true;
      }
      for (let i = 0; i < operations; i++) {
        const slot = order[turn]; turn = turn + 1 === ${length} ? 0 : turn + 1;
        { const held = live[slot]; ${release} }
        ${NEXT_SIZE} const held = ${acquire}; ${touch} live[slot] = held;
      }
      return sink;
    }`,
    { order },
  );
}

/**
 * A case for `measure`: the loop over the contender's pool, after the loop has seen a pool with other options and other
 * sizes, so that V8 takes neither for a constant.
 * @param {Contender} contender @param {Loop} loop @param {Int32Array} sizes @param {import('./benchmarks.js').Effort} effort
 */
export function prepared({ name, open, close }, loop, sizes, { seconds }) {
  const other = open(true);
  for (let i = 0; i < 3; i++) warm(loop, other, logNormal, seconds / 2);
  const pool = open(false);
  warm(loop, pool, sizes, seconds / 2);
  return {
    name,
    run: (/** @type {number} */ operations) => loop(pool, sizes, operations),
    close() {
      close?.(other);
      close?.(pool);
    },
  };
}

const WARM = { operations: 20_000, portion: 1000 };

/** What is slow is not done as often: it is compiled by then. @param {Loop} loop @param {unknown} pool @param {Int32Array} sizes @param {number} seconds at the most */
function warm(loop, pool, sizes, seconds) {
  const until = performance.now() + seconds * 1000;
  for (let done = 0; done < WARM.operations && performance.now() < until; done += WARM.portion) {
    loop(pool, sizes, WARM.portion);
  }
}
