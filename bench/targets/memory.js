// Memory: how much of it, when it goes back, what it costs to have it anew.
/** @typedef {import('../targets.js').Target} Target */

/** Where the kernel populates. @type {Target[]} */
const COLD = [
  {
    what: 'cold 64 KiB, all pages touched: Buffer.allocUnsafeSlow at least 8x',
    ratio: 'cold/1,000 blocks of 64 KiB, all pages touched/Buffer.allocUnsafeSlow(65,536)',
    least: 8,
  },
  {
    what: 'burst of 256 MiB, a second time: Buffer.allocUnsafeSlow at least 5x',
    ratio:
      'cold/a burst of 256 MiB in 64 KiB blocks, after the one before it has decayed/Buffer.allocUnsafeSlow(65,536)',
    least: 5,
  },
  {
    what: 'prewarm of 64 MiB: a read and a write of each page at least 8x',
    ratio: 'cold/prewarm of 64 MiB/two faults a page, a read and a write',
    least: 8,
  },
  {
    what: 'cold 1 MiB, one byte touched: at most 4x of a fault for it',
    ratio: 'cold/a block of 1 MiB, one byte touched/slabpool, by faults',
    least: 1 / 4,
    ours: true,
  },
  {
    what: 'cold 1 MiB, all pages touched: at least 5x one byte',
    ratio: 'cold/a block of 1 MiB, one byte touched/all pages touched',
    least: 5,
  },
];

/** @type {Target[]} */
export const memory = [
  {
    what: 'jagged: one growable tier takes at least 5x the memory',
    fact: 'jagged/peak memory of one growable tier over ours',
    least: 5,
  },
  { what: 'jagged: one growable tier is not faster', ratio: 'jagged/jagged/one tier, growable', least: 1 },
  { what: 'budget: resident never above maxBytes', fact: 'budget/most resident over maxBytes', most: 1 },
  {
    what: 'decay: at most 5 % of a burst left after two idle epochs',
    fact: 'decay/left after two epochs, of the burst',
    most: 0.05,
  },
  {
    what: 'decay: no page is given back between bursts every half epoch',
    fact: 'decay/page faults over pages',
    most: 0.01,
  },
  {
    what: 'decay: event loop delayed at most 2 ms more than when idle',
    fact: 'decay/longest delay above idle, ms',
    most: 2,
  },
  {
    what: 'memory limit: a service at 95 % of it survives',
    fact: 'memory-limit/rounds survived, of those begun',
    least: 1,
  },
  {
    what: 'memory limit: one look later at most 1 % of what was released is left',
    fact: 'memory-limit/free a look after the release, of what was released',
    most: 0.01,
  },
  ...COLD,
];
