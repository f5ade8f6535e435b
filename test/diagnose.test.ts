import { readdirSync, readFileSync } from 'node:fs';
import { BufferPool, diagnose, type PoolStats } from 'slabpool';
import { describe, expect, test } from 'vitest';
import { BACKENDS, detach, KiB, MiB } from './backends.js';
import { sampleStats, tier } from './sample-stats.js';

type Given = Partial<PoolStats>;

/** The findings of a pool that is healthy but for what is given, without the one that its hit rate is fine. */
function found(given: Given) {
  return diagnose(sampleStats(given)).findings.filter(({ id, severity }) => !(id === 'hit-rate' && severity === 'ok'));
}

const drops = (given: Partial<PoolStats['drops']>) => ({ drops: { ...sampleStats().drops, ...given } });
const waits = (given: Partial<PoolStats['waits']>) => ({ waits: { ...sampleStats().waits, ...given } });
const leaks = (given: Partial<PoolStats['leaks']>) => ({ leaks: { ...sampleStats().leaks, ...given } });
const oversize = (given: Partial<PoolStats['oversize']>) => ({ oversize: { ...sampleStats().oversize, ...given } });
const peak = (residentBytes: number) => ({ peak: { ...sampleStats().peak, residentBytes } });
const out = (outstanding: number) => ({
  outstanding,
  threads: sampleStats().threads.map((thread) => ({ ...thread, outstanding })),
});
const pressure = (level: PoolStats['pressure']['level'], limitBytes = 64 * MiB) => ({
  pressure: { source: 'cgroup-v2' as const, level, usedBytes: 60 * MiB, limitBytes },
});

test('a healthy pool: one finding, that it is', () => {
  const diagnosis = diagnose(sampleStats());
  expect(diagnosis).toMatchObject({
    pool: 'sample',
    severity: 'ok',
    findings: [{ id: 'hit-rate', severity: 'ok', advice: '', figures: { hitRate: 0.9968, acquires: 10_000 } }],
  });
  expect(String(diagnosis)).toBe("pool 'sample': ok\n  ok      hit-rate: hit rate 99.7 % of 10,000 acquires");
});

const tickets = (oldestMs: number): Given => ({
  inFlightBytes: 64 * KiB,
  inFlight: {
    tickets: 1,
    oldestTicketMs: oldestMs,
    senders: [{ thread: 3, here: true, tickets: 1, oldestMs }],
    messages: 0,
  },
});

test.each<[string, Given, string, string]>([
  ['just below healthy', { hitRate: 0.949 }, 'note', 'hit-rate'],
  ['one half', { hitRate: 0.5 }, 'note', 'hit-rate'],
  ['below one half', { hitRate: 0.499 }, 'debt', 'hit-rate'],
  ['too few acquires to judge a hit rate of nothing', { acquires: 999, hitRate: 0 }, 'note', 'too-few-acquires'],
  [
    'memory that never comes back',
    { residentBytes: 400 * MiB, maxBytes: 512 * MiB, ...peak(400 * MiB) },
    'warning',
    'reuse',
  ],
  ['memory that comes fresh each time', drops({ pressureBytes: 320 * MiB }), 'warning', 'reuse'],
  ['leases that were collected', leaks({ collected: 3 }), 'warning', 'collected'],
  ['more leases out than rate and hold time explain', out(65), 'warning', 'held'],
  ['a ticket that nobody adopts', tickets(60_000), 'warning', 'tickets'],
  ['detached blocks', { retiredBytes: 64 * KiB, ...drops({ retired: 1 }) }, 'note', 'retired'],
  ['a tenth of the budget detached', { retiredBytes: 2 * MiB, ...drops({ retired: 32 }) }, 'warning', 'retired'],
  ['refused acquires', { exhausted: 1 }, 'warning', 'budget-too-small'],
  ['waits', waits({ total: 5, totalMs: 50 }), 'note', 'budget-too-small'],
  ['waits that were given up', waits({ total: 5, timedOut: 1 }), 'warning', 'budget-too-small'],
  ['waits of a thread that holds leases', { ...waits({ here: 2 }), ...out(1) }, 'note', 'waits-for-itself'],
  [
    'waits of a thread that holds oversize leases',
    { ...waits({ here: 2 }), ...oversize({ outstanding: 1 }) },
    'note',
    'waits-for-itself',
  ],
  ['a budget far above its use', { ageMs: 60_000, ...peak(MiB) }, 'note', 'budget-too-large'],
  ['decay of what is wanted again', drops({ decayBytes: 64 * MiB }), 'warning', 'decay'],
  ['tiers that displace each other', drops({ exhaustedBytes: 64 * MiB }), 'warning', 'evicted'],
  ['oversize requests that were refused', oversize({ refused: 2 }), 'warning', 'oversize-refused'],
  ['memory pressure', pressure('high'), 'warning', 'pressure'],
  ['a budget that alone brings memory pressure', pressure('none', 20 * MiB), 'note', 'pressure'],
])('%s', (_, given, severity, id) => {
  const findings = found(given);
  expect(findings.map((finding) => [finding.severity, finding.id])).toEqual([[severity, id]]);
  expect(findings[0]?.advice).not.toBe('');
  for (const figure of Object.values(findings[0]?.figures ?? {}).flat()) expect(figure).toSatisfy(Number.isFinite);
});

test.each<[string, Given]>([
  ['a hit rate of 95 %', { hitRate: 0.95 }],
  ['as many leases out as rate and hold time explain', { ...out(600), holds: { samples: 100, totalMs: 20_000 } }],
  ['few leases out for long', out(64)],
  [
    'memory that waits for its first reuse',
    {
      residentBytes: 400 * MiB,
      cachedBytes: 390 * MiB,
      maxBytes: 512 * MiB,
      ...peak(400 * MiB),
    },
  ],
  ['waits of a thread that holds nothing', waits({ here: 2 })],
  ['leases of others, and waits', { outstanding: 5, ...waits({ here: 2 }) }],
  ['many leases out, and no hold times to compare with', { ...out(5000), holds: { samples: 29, totalMs: 0 } }],
  ['a budget far above its use, in its first minute', { ageMs: 59_999, ...peak(MiB) }],
  ['an eighth of the budget used', { ageMs: 60_000, ...peak(2 * MiB) }],
  [
    'decay of the whole pool, twice, much as that is of little work',
    { ...drops({ decayBytes: 8 * MiB }), classes: [tier(64 * KiB, { acquires: 2000 })] },
  ],
  [
    'decay once a night for years, beside much more work',
    {
      ...drops({ decayBytes: 4000 * MiB }),
      classes: [tier(64 * KiB, { acquires: 10_000_000 })],
    },
  ],
  ['ample memory', pressure('none', 64 * MiB)],
])('nothing to say: %s', (_, given) => {
  expect(found(given)).toEqual([]);
});

describe('budget', () => {
  // 1000 acquires a second, 10 ms each, 64 KiB: 10 are out on the average.
  const load = { holds: { samples: 100, totalMs: 1000 } };
  const needed = 10 * 64 * KiB * 1.5;

  test("Little's law says how much the load needs", () => {
    const [finding] = found({
      ...load,
      maxBytes: 640 * KiB,
      ...peak(640 * KiB),
      residentBytes: 640 * KiB,
      exhausted: 7,
    });
    expect(finding?.figures).toMatchObject({ neededBytes: needed, exhausted: 7, peakResidentBytes: 640 * KiB });
    expect(finding?.text).toBe('the budget of 640 KiB was full: 7 acquires were refused');
    expect(finding?.advice).toMatch(/comes to 960 KiB: raise maxBytes/);
  });

  test('refused, although the mean load fits: bursts, or leases held', () => {
    const [finding] = found({ ...load, exhausted: 7 });
    expect(finding?.advice).toMatch(/which is less: the load comes in bursts, or leases are held too long/);
  });

  test('without hold times no figure is made up', () => {
    const [finding] = found({ exhausted: 7, holds: { samples: 3, totalMs: 1e9 } });
    expect(finding?.figures).not.toHaveProperty('neededBytes');
    expect(finding?.advice).toMatch(/Too little is known of hold times/);
  });

  test('too large: what would do is above the peak and above the need', () => {
    const large = { ...load, ageMs: 60_000, acquires: 60_000, maxBytes: 256 * MiB };
    const figures = (bytes: number, given: Given = {}) => found({ ...large, ...peak(bytes), ...given })[0]?.figures;
    expect(figures(4 * MiB)).toMatchObject({ enoughBytes: 6 * MiB });
    const classes = [tier(64 * KiB, { acquires: 60_000 })];
    expect(figures(128 * KiB, { classes, residentBytes: 0 })).toMatchObject({
      enoughBytes: needed,
      neededBytes: needed,
    });
  });

  test('waits are told with their mean time, of those that were served', () => {
    const [finding] = found(waits({ total: 10, waiting: 2, timedOut: 1, aborted: 2, totalMs: 500 }));
    expect(finding?.figures).toMatchObject({ waits: 10, gaveUp: 3, meanWaitMs: 100 });
  });
});

describe('tiers', () => {
  const classes = [tier(16 * KiB), tier(64 * KiB, { acquires: 10_000 }), tier(256 * KiB)];

  test('a wasteful tier is named, with a better table and what it saves', () => {
    const [finding] = found({
      classes,
      requests: [
        { size: 20 * KiB, count: 9000 },
        { size: 60 * KiB, count: 1000 },
      ],
    });
    expect(finding).toMatchObject({ id: 'tiers', severity: 'warning' });
    // One tier is in use, so one it stays; and what was pooled stays pooled.
    expect(finding?.figures).toMatchObject({
      betterTiers: [60 * KiB, 256 * KiB],
      wasteful: [64 * KiB],
      wasteShare: expect.closeTo(1 - (9 * 20 + 60) / 640),
    });
    expect(finding?.advice).toBe('tiers: [61440, 262144] would waste 60 % on the same requests.');
  });

  test('two tiers in use are better placed', () => {
    const requests = [
      { size: 9 * KiB, count: 5000 },
      { size: 20 * KiB, count: 5000 },
    ];
    expect(found({ classes, requests })[0]?.figures).toMatchObject({
      betterTiers: [9 * KiB, 20 * KiB, 256 * KiB],
      betterWasteShare: 0,
      betterWastedBytes: 0,
    });
  });

  test('a wasteful tier that hardly any bytes come from is left alone', () => {
    const requests = [
      { size: 5 * KiB, count: 1 },
      { size: 64 * KiB, count: 9999 },
    ];
    expect(found({ classes, requests })).toEqual([]);
  });

  test('where no table is better, none is proposed', () => {
    const requests = [1, 2, 3, 4, 5, 6, 7, 8].map((k) => ({ size: 8 * k * KiB, count: 1250 }));
    const [finding] = found({ classes: [tier(64 * KiB, { acquires: 10_000 })], requests });
    expect(finding?.advice).toMatch(/No other table of as many tiers/);
  });
});

describe('oversize requests', () => {
  const classes = [tier(64 * KiB, { acquires: 9000 })];
  const given = (counts: readonly [number, number, number], more: Given = {}): Given => ({
    classes,
    requests: [64 * KiB, 80 * KiB, 2 * MiB].map((size, i) => ({ size, count: counts[i] as number })),
    ...oversize({ acquires: counts[1] + counts[2] }),
    ...more,
  });

  test('one in a hundred is not worth a word', () => {
    expect(found(given([9900, 50, 50]))).toEqual([]);
  });

  test('the tier that would hold 99 %', () => {
    const [finding] = found(given([9700, 250, 50]));
    expect(finding).toMatchObject({
      id: 'oversize',
      severity: 'note',
      figures: { p95Bytes: 64 * KiB, p99Bytes: 80 * KiB },
    });
    expect(finding?.advice).toBe('A largest tier (maxPooledSize) of 81920 bytes would hold 99 % of the requests.');
  });

  test('the tiers that would hold 95 % and 99 %', () => {
    const [finding] = found(given([9000, 600, 400]));
    expect(finding).toMatchObject({ severity: 'warning', figures: { oversizeShare: 0.1 } });
    expect(finding?.advice).toMatch(
      /of 81920 bytes would hold 95 % of the requests, one of 2097152 bytes would hold 99 % of the requests\.$/,
    );
  });

  test('a size that the budget cannot hold is not proposed', () => {
    const [finding] = found(given([9000, 0, 1000], { maxBytes: MiB, ...peak(MiB), residentBytes: MiB }));
    expect(finding?.advice).toMatch(/^A tier of this pool may have up to 1 MiB/);
  });
});

test('the worst comes first, and the report has a line for each', () => {
  const diagnosis = diagnose(sampleStats({ hitRate: 0.1, exhausted: 5, retiredBytes: 1, ...drops({ retired: 1 }) }));
  expect(diagnosis.severity).toBe('debt');
  expect(diagnosis.findings.map(({ severity }) => severity)).toEqual(['debt', 'warning', 'note']);
  const lines = String(diagnosis).split('\n');
  expect(lines[0]).toBe("pool 'sample': debt");
  expect(lines[1]).toMatch(/^ {2}debt {4}hit-rate: hit rate 10 % of 10,000 acquires/);
  expect(lines[2]).toMatch(/^ {10}Remove the pool/);
  expect(lines).toHaveLength(7);
});

test('docs/diagnose.md has all findings that there can be', () => {
  const lib = new URL('../lib/diagnose/', import.meta.url);
  const ids = readdirSync(lib).flatMap((name) => [
    ...readFileSync(new URL(name, lib), 'utf8').matchAll(/ id: '([a-z-]+)'/g),
  ]);
  const page = readFileSync(new URL('../docs/diagnose.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `([a-z-]+)` \|/gm)];
  const set = (matches: RegExpMatchArray[]) => new Set(matches.map(([, id]) => id));
  expect(set(rows)).toEqual(set(ids));
  expect(rows).toHaveLength(set(rows).size);
});

test('it survives JSON, and changes nothing', () => {
  const stats = sampleStats({ exhausted: 5 });
  const copy = structuredClone(stats);
  expect(diagnose(JSON.parse(JSON.stringify(stats)))).toEqual(diagnose(stats));
  expect(stats).toEqual(copy);
  expect(JSON.parse(JSON.stringify(diagnose(stats)))).toMatchObject({ pool: 'sample', severity: 'warning' });
});

describe.each(BACKENDS)('real pools on the %s core', (backend) => {
  const ids = (pool: BufferPool) => pool.diagnose().findings.map(({ id, severity }) => `${id} ${severity}`);

  test('fresh', () => {
    const pool = new BufferPool({ backend });
    expect(ids(pool)).toEqual(['too-few-acquires note']);
    pool.close();
  });

  test('busy with a few buffers', () => {
    const pool = new BufferPool({ backend });
    for (let i = 0; i < 2000; i++) pool.acquire(64 * KiB).release();
    expect(ids(pool)).toContain('hit-rate ok');
    expect(pool.diagnose().severity).not.toBe('debt');
    pool.close();
  });

  test('oversize requests only: debt', () => {
    const pool = new BufferPool({ backend, maxPooledSize: KiB });
    for (let i = 0; i < 1000; i++) pool.acquire(2 * KiB).release();
    expect(pool.diagnose().severity).toBe('debt');
    expect(ids(pool)).toEqual(expect.arrayContaining(['hit-rate debt', 'oversize warning']));
    pool.close();
  });

  test('leases that never come back: the hit rate is high, and yet nothing is reused', () => {
    const pool = new BufferPool({ backend, tiers: [4 * KiB] });
    pool.acquireMany(4 * KiB, 2000);
    expect(pool.stats().hitRate).toBeGreaterThan(0.95);
    expect(ids(pool)).toContain('reuse warning');
    pool.close();
  });

  test('a budget that refused, and a block that was detached', async () => {
    const pool = new BufferPool({ backend, tiers: [64 * KiB], maxBytes: 256 * KiB });
    const leases = pool.acquireMany(64 * KiB, 4);
    expect(() => pool.acquire(64 * KiB)).toThrow();
    const taken = detach((leases[0] as (typeof leases)[0]).bytes);
    pool.releaseMany(leases);
    await taken;
    expect(ids(pool)).toEqual(expect.arrayContaining(['budget-too-small warning', 'retired warning']));
    pool.close();
  });

  test('a closed pool has nothing to be judged by', () => {
    const pool = new BufferPool({ backend });
    pool.close();
    expect(() => pool.diagnose()).toThrow(expect.objectContaining({ code: 'ERR_SLABPOOL_CLOSED' }));
  });
});
