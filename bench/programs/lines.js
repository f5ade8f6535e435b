// A job: goes through a file again and again.
import { jobs } from '../io/files.js';

const KIB = 1024;

export const what = 'a file of JSON lines again and again, one field of each line';
export const unit = 'KiB';

/** @param {string} way to do the job of bench/io @returns {() => import('./child.js').Program} */
const again = (way) => () => {
  const { bytes, once } = /** @type {any} */ (jobs).lines.ways[way]();
  const found = new Set();
  let times = 0;
  return {
    counts: () => ({ units: (times * bytes) / KIB, bytes: times * bytes }),
    async work(ms) {
      const until = performance.now() + ms;
      do {
        found.add(await once());
        times++;
      } while (performance.now() < until);
    },
    end: async () => [...found].join(' and '),
  };
};

export const ways = {
  slabpool: again('lines()'),
  readline: again('readline'),
  'createReadStream, carrying over': again('createReadStream, carrying over'),
};
