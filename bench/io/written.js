// Jobs that write.
import { createHash } from 'node:crypto';
import { packedRecords, smallRecords } from '../io-writer.js';

const OPERATIONS = 200;

/** @param {() => import('../io-writer.js').WriterCase[]} cases @returns {Record<string, () => import('./child.js').Job>} */
function waysOf(cases) {
  return Object.fromEntries(
    cases().map(({ name, close }, i) => {
      close?.();
      const start = () => {
        const { bytes, run, once: written } = /** @type {import('../io-writer.js').WriterCase} */ (cases()[i]);
        const result = createHash('sha256').update(written()).digest('hex');
        const once = () => {
          run(OPERATIONS);
          return result;
        };
        return { bytes: OPERATIONS * bytes, once };
      };
      return [name, start];
    }),
  );
}

/** @type {Record<string, { what: string, ways: Record<string, () => import('./child.js').Job> }>} */
export const jobs = {
  small: { what: 'a thousand small records of mixed fields', ways: waysOf(smallRecords) },
  msgpackr: { what: 'a thousand records by msgpackr', ways: waysOf(packedRecords) },
};
