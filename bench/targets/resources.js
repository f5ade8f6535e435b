// Pools of resources.
/** @typedef {import('../targets.js').Target} Target */

/** @type {Target[]} */
export const resources = [
  ...['tarn', 'generic-pool', 'lightning-pool', 'pg-pool'].map((name) => ({
    what: `resources, acquire and release: ${name} at least as slow`,
    ratio: `resources/acquire and release, an idle one there/${name}`,
    least: 1,
  })),
  { what: 'resources, 10,000 who wait: all are served', fact: 'resources/served, of 10,000 at once', least: 1 },
  { what: 'resources, 10,000 who wait: in order', fact: 'resources/served out of order', most: 0 },
  {
    what: 'resources, 10,000 who wait: memory comes back (a byte of each is noise)',
    fact: 'resources/bytes of memory that stay of each',
    most: 1,
  },
  {
    what: 'resources, one of 8 shards slow: the other seven within 5 %',
    fact: 'resources/one of 8 shards slow: rate of the other seven over that without',
    least: 0.95,
  },
  ...['pg-pool, query()', 'pg-pool, connect() and release()'].map((name) => ({
    what: `PostgreSQL, 32 clients on 10 connections: ${name} at least as slow (3 % is noise)`,
    ratio: `resources/PostgreSQL, SELECT 1, 32 clients on 10 connections/${name}`,
    least: 0.97,
  })),
  {
    what: "PostgreSQL: p99 no worse than pg-pool's (3 % is noise)",
    fact: "resources/PostgreSQL: pg-pool's p99 over ours",
    least: 0.97,
  },
  ...Object.entries({
    'ms until 90 % of the rate': 1000,
    'longest request, ms': 5000,
    'connections beyond maxSize': 0,
    'connections left after close()': 0,
  }).map(([what, most]) => ({
    what: `PostgreSQL killed and back: ${what}, at most ${most}`,
    fact: `resources/PostgreSQL killed and back: ${what}`,
    most,
  })),
  ...Object.entries({ 'requests lost': 0, 'ms until all move to the spare': 1000, 'ms until all are back': 1000 }).map(
    ([what, most]) => ({
      what: `an outage of 30 s: ${what}, at most ${most}`,
      fact: `resources/an outage: ${what}`,
      most,
    }),
  ),
];
