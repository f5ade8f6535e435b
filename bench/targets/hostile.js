// Bad days.
/** @typedef {import('../targets.js').Target} Target */

/** @type {Target[]} */
export const hostile = [
  ...['mappings', 'RSS'].map((what) => ({
    what: `closed pools: ${what} after all of them at most 1.1 of those after 1,000`,
    fact: `hostile/${what}, after all over after 1,000`,
    most: 1.1,
  })),
  ...['all free', '1 in 512 leased'].flatMap((label) => [
    {
      what: `trim of 256 MiB, ${label}: at most a system call for each run of free pages`,
      fact: `hostile/trim of 256 MiB, ${label}: system calls over runs of free pages`,
      most: 1,
    },
    {
      what: `trim of 256 MiB, ${label}: an idle worker delayed at most 5 ms more than when nobody trims`,
      fact: `hostile/trim of 256 MiB, ${label}: above that, ms`,
      most: 5,
    },
  ]),
  ...['native', 'js'].flatMap((backend) => [
    ...['1,024', '65,536'].map((blocks) => ({
      what: `a refused acquire, ${backend} core, ${blocks} blocks out: at most 20 us`,
      fact: `hostile/a refused acquire, ${backend}, ${blocks} blocks out: us`,
      most: 20,
    })),
    {
      what: `8 MiB of 1 KiB leases, all but 1 in 32 released, ${backend} core: at least 7 MiB usable`,
      fact: `hostile/8 MiB of 1 KiB leases, all but 1 in 32 released, ${backend}: MiB usable`,
      least: 7,
    },
    {
      what: `256 idle connections of 2 KiB in 8 MiB, ${backend} core: at least 7 MiB usable`,
      fact: `hostile/256 idle connections of 2 KiB, ${backend}: MiB usable of 8`,
      least: 7,
    },
  ]),
  { what: 'close against send: no message lost', fact: 'hostile/close against send: messages lost', most: 0 },
  {
    what: 'beside a warm pool of 256 MiB: at most 1.1x the collections',
    fact: 'hostile/beside a warm pool of 256 MiB: collections over those without',
    most: 1.1,
  },
  {
    what: 'beside a warm pool of 256 MiB: at most 2 mark-sweeps more',
    fact: 'hostile/beside a warm pool of 256 MiB: mark-sweeps more than without',
    most: 2,
  },
];
