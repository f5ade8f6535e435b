import { BufferPool } from 'slabpool';
import { afterEach, describe, expect, test } from 'vitest';
import { KiB } from './backends.js';
import { collect, collectedUntil, leakEvents } from './leaking.js';
import { Member, terminateAll } from './member.js';

const { events } = leakEvents();
afterEach(terminateAll);

describe('leaks with threads', () => {
  test('a worker that dies with tracked leases: no report, no crash, and its blocks come back', async () => {
    const pool = new BufferPool({ leakDetection: 'full', tiers: [4 * KiB], epochMs: 50 });
    const member = await Member.start(pool);
    await member.call('acquire', 100, 20);
    expect((await member.call('stats')).leaks).toMatchObject({ detection: 'full', tracked: 20 });
    await member.terminate();
    await collect();
    expect(events).toEqual([]);
    expect(pool.stats().leaks).toMatchObject({ tracked: 0, collected: 0 });
    pool.close();
  });

  test('a view of a leaked lease never shows what another thread writes', async () => {
    const pool = new BufferPool({ leakDetection: 'full', tiers: [4 * KiB], maxBytes: 16 * KiB, epochMs: 50 });
    const member = await Member.start(pool);
    const view = (() => pool.acquire(1).bytes.fill(7))();
    await collectedUntil(() => pool.stats().leaks.collected === 1);
    const ids = await member.call('acquire', 1, 3, 1);
    await member.call('release', ids);
    expect(view.equals(Buffer.alloc(4 * KiB, 7))).toBe(true);
    pool.close();
    await member.call('acquire', 1, 3, 2);
    expect(view.equals(Buffer.alloc(4 * KiB, 7))).toBe(true);
    await member.call('close');
  });
});
