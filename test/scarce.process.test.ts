import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { fixture, run } from './child.js';

const hasPrlimit = process.platform === 'linux' && spawnSync('prlimit', ['--version']).status === 0;

// Native only: for a buffer of its own that it cannot have, V8 first collects garbage, and ends the process when that
// finds no address space either.
test.skipIf(!hasPrlimit)(
  'without address space acquires and new pools fail with a code, and what is there works',
  async () => {
    const ended = await run(fixture('scarce.mjs'), []);
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
    const { most, codes } = JSON.parse(ended.stdout);
    expect(codes).toEqual(Array(3).fill('ERR_SLABPOOL_OUT_OF_MEMORY'));
    expect(most).toBeGreaterThan(1);
    // What is left of the arena of 1 GiB that there is, and what fits into the rest.
    expect(most).toBeLessThan(13);
  },
);
