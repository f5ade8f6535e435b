import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { MiB, PAGE } from './backends.js';
import { fixture, run } from './child.js';

/** What memory takes that was acquired or made ready, and touched by nobody. */
async function untouched(how: 'acquire' | 'prewarm', size: number, populating: boolean) {
  const { code, stdout, stderr } = await run(fixture('populating.mjs'), [how, `${size}`, `${populating}`]);
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as Record<'residentBytes' | 'rssBytes' | 'faults', number> & { populates: boolean };
}

/** The pools' mappings are told from most others by their refusal of huge pages. */
const told = existsSync('/sys/kernel/mm/transparent_hugepage');
/** What such mappings of the runtime may take meanwhile. */
const OTHERS = MiB;

describe.skipIf(!told)('cold memory, by what the kernel counts', () => {
  test('what is acquired has it before it is touched, where the kernel populates', async () => {
    const { populates, residentBytes, rssBytes } = await untouched('acquire', 65_536, true);
    expect(residentBytes).toBe(64 * MiB);
    const all = populates ? residentBytes : 0;
    // Of the first batch one block alone.
    expect(rssBytes).toBeGreaterThan(all - OTHERS);
    expect(rssBytes).toBeLessThan(all + OTHERS);
  });

  test('of large buffers the beginning', async () => {
    const { residentBytes, rssBytes } = await untouched('acquire', MiB, true);
    expect(residentBytes).toBe(64 * MiB);
    expect(rssBytes).toBeLessThan(residentBytes / 16 + OTHERS);
  });

  test('otherwise by its first touch', async () => {
    const { populates, residentBytes, rssBytes } = await untouched('acquire', 65_536, false);
    expect([populates, residentBytes]).toEqual([false, 64 * MiB]);
    expect(rssBytes).toBeLessThan(OTHERS);
  });

  test.each([true, false])('prewarm() makes all of it resident, populating: %s', async (populating) => {
    for (const size of [65_536, MiB]) {
      const { residentBytes, rssBytes, faults } = await untouched('prewarm', size, populating);
      // A page that is read before it is written takes two.
      expect(faults).toBeLessThan((1.5 * residentBytes) / PAGE);
      expect(residentBytes).toBe(64 * MiB);
      expect(Math.abs(rssBytes - residentBytes)).toBeLessThan(OTHERS);
    }
  });
});
