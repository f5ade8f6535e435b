// Readers and writers.
/** @typedef {import('../targets.js').Target} Target */

const LINES = 'io/lines of a file, one field of each from its bytes';
const RECORDS = 'io/a thousand small records of mixed fields';

/** On a release of Node. @type {(release: number) => Target[]} */
export const io = (release) => [
  ...[
    ['frames of 1,000 B by TCP', release < 24 ? 3 : 4],
    ['frames of 1 MiB by TCP', 4.5],
  ].map(([what, least]) => ({
    what: `${what}: list and concat at least ${least}x`,
    ratio: `io/${what}/list`,
    least: Number(least),
  })),
  {
    what: `lines: readline at least ${release < 24 ? 8 : 4}x`,
    ratio: `${LINES}/readline`,
    least: release < 24 ? 8 : 4,
  },
  { what: 'lines: createReadStream at least 2.2x', ratio: `${LINES}/createReadStream, carrying over`, least: 2.2 },
  {
    what: `JSON lines: readline at least ${release < 24 ? 1.5 : 1}x`,
    ratio: 'io/JSON.parse of each line of a file/readline',
    least: release < 24 ? 1.5 : 1,
  },
  {
    what: 'whole files of 100 KiB: readFileSync at least 3.5x',
    ratio: 'io/whole files of 100 KiB/readFileSync',
    least: 3.5,
  },
  { what: 'whole files of 1 MiB: readFileSync at least 5x', ratio: 'io/whole files of 1 MiB/readFileSync', least: 5 },
  { what: 'small records: Buffer.concat at least 3.5x', ratio: `${RECORDS}/Buffer.concat`, least: 3.5 },
  { what: 'small records: bl at least 10x', ratio: `${RECORDS}/bl`, least: 10 },
  { what: 'small records: smart-buffer at least 3x', ratio: `${RECORDS}/smart-buffer, reused`, least: 3 },
  {
    what: 'small records: at most 1.05x of one static buffer',
    ratio: `${RECORDS}/one static buffer`,
    least: 1 / 1.05,
    ours: true,
  },
  {
    what: 'msgpackr: pack() and concat at least 1.5x',
    ratio: 'io/a thousand records by msgpackr/pack() and Buffer.concat',
    least: 1.5,
  },
  ...[
    `${LINES}/by hand, on leases`,
    'io/whole files of 100 KiB/by hand, on leases',
    'io/whole files of 1 MiB/by hand, on leases',
    `${RECORDS}/by hand on leases`,
    'io/frames of 1,000 B by TCP/hand-written',
    'io/frames of 1 MiB by TCP/hand-written',
  ].map((ratio) => ({
    what: `${ratio.slice(3).replace(/\/.*/, '')}: at most 1.15x of the loop by hand`,
    ratio,
    least: 1 / 1.15,
    ours: true,
  })),
  { what: 'idle connections: leases held', fact: 'io/leases of 100 idle connections', most: 0 },
];
