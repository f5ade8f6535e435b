// The C++ core alone.
/** @typedef {import('../targets.js').Target} Target */

/** @type {Target[]} */
export const core = [
  { what: 'core: refill + flush of 32 at most 150 ns', fact: 'core/ns, one batch out', most: 150 },
  ...[
    ['live set of 1,024, median 2 KiB', 1],
    ['live set of 16,384, median 2 KiB', 1],
    ['live set of 1,024, median 32 KiB', 1],
    ['xmalloc 1 + 1, median 2 KiB', 0.5],
    ['xmalloc 2 + 2, median 2 KiB', 0.5],
    ['xmalloc 1 + 1, median 32 KiB', 0.5],
    ['xmalloc 2 + 2, median 32 KiB', 0.5],
  ].flatMap(([label, most]) =>
    ['single blocks', 'batches'].map((units) => ({
      what: `core: ${label}, ${units}: at most ${Number(most).toFixed(1)} of the fastest malloc's time`,
      fact: `core/${label}, ${units}: time over the fastest malloc's`,
      most: Number(most),
    })),
  ),
];
