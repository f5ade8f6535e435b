import { describe, expect, test } from 'vitest';
import { fixture, run } from './child.js';

const KiB = 1024;

async function on(page: number, backend: string) {
  const { code, stdout, stderr } = await run(fixture('page-size.mjs'), [String(page), backend]);
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout);
}

describe('A7: options that are accepted can be served, whatever the page size', () => {
  test.each([4 * KiB, 16 * KiB, 64 * KiB])('native core, pages of %i bytes', async (page) => {
    const { largest, whole, part, tooLarge, small, before, refused, served } = await on(page, 'native');
    const wholePages = (bytes: number) => Math.min(2 ** 20, bytes - (bytes % page));
    expect(largest).toEqual([65_536, 100_000, 300_000, 2 ** 20, 64 * 2 ** 20].map(wholePages));
    expect([whole, before]).toEqual([262_144, 0]);
    const fine = page === 4 * KiB;
    expect([part, tooLarge]).toEqual(fine ? [299_008, 299_008] : [null, null]);
    expect(small).toBe(fine ? 4096 : null);
    expect(refused).toHaveLength(fine ? 0 : 3);
    for (const { code } of refused) expect(code).toBe('ERR_SLABPOOL_INVALID_ARG');
    if (!fine) {
      expect(refused[0].message).toContain(`whole pages of ${page} within maxBytes`);
      expect(refused[1].message).toContain(`1 to ${wholePages(300_000)} (bytes)`);
      expect(refused[2].message).toContain(`${page} to`);
    }
    expect(served).toBeGreaterThan(100);
  });

  test('TypeScript core: its budget is charged by the byte, and whole pages are 4 KiB everywhere', async () => {
    const { whole, part, tooLarge, small, refused } = await on(64 * KiB, 'js');
    expect([whole, part, tooLarge, small, refused]).toEqual([262_144, 299_008, 299_008, 4096, []]);
  });
});
