// Pools of objects.
/** @typedef {import('../targets.js').Target} Target */

/** @type {Target[]} */
export const objects = [
  {
    what: 'small objects: generic-pool, which checks, at least 10x slower',
    ratio: 'objects/small object, in an async function/generic-pool, checks that what comes back is out',
    least: 10,
  },
  ...[
    'acquire, touch, release',
    'passed on through a field',
    'bursts of 1,000',
    'a live set of 1,024, one replaced',
  ].map((kind) => ({
    what: `medium objects, ${kind}: a new one each time at least 1.2x slower`,
    ratio: `objects/medium object: ${kind}/a new one each time`,
    least: 1.2,
  })),
  {
    what: 'an encoder with its writer: a writer each time at least 1.2x slower',
    ratio: 'objects/an encoder of records/a ByteWriter each time',
    least: 1.2,
  },
];
