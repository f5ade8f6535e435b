// What services are asked.
import { logNormal, logNormalLarge } from '../sizes.js';

const REQUESTS = 512;
/** One in so many is around 32 KiB, the others around 2 KiB. */
const LARGE_ONE_IN = 8;

/** @typedef {{ bytes: Buffer, answer: Buffer }} Request */

/** @param {(i: number, size: number) => Request} make @returns {Request[]} */
export function requestsOf(make) {
  return Array.from({ length: REQUESTS }, (_, i) =>
    make(i, /** @type {number} */ ((i % LARGE_ONE_IN === 0 ? logNormalLarge : logNormal)[i])),
  );
}
