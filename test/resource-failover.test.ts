import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { FailoverPool, type FailoverPoolOptions, type ResourceLease } from 'slabpool/resource';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { coded } from './backends.js';
import { type Thing, Upstream, watched } from './resources.js';
import { VirtualClock } from './virtual-clock.js';

let clock: VirtualClock;
let primary: Upstream;
let spare: Upstream;
beforeEach(() => {
  clock = new VirtualClock();
  primary = new Upstream();
  spare = new Upstream();
});

const refused = () => Promise.reject(new Error('ECONNREFUSED'));

function make(options: Partial<FailoverPoolOptions<Thing>> = {}) {
  const { primary: more, spare: others, ...rest } = options;
  return new FailoverPool<Thing>({
    name: 'db',
    primary: { ...primary.options(), maxSize: 2, ...more },
    spare: { ...spare.options(), maxSize: 2, minIdle: 1, ...others },
    failures: 3,
    ...rest,
  });
}

const isSpare = (lease: ResourceLease<Thing>) => spare.things.includes(lease.value);

test('an outage: every request is served, all move to the spare, and back', async () => {
  const moves: { active: string; error: unknown }[] = [];
  const listen = (event: unknown) => moves.push(event as never);
  subscribe('slabpool:resource:moved', listen);
  onTestFinished(() => {
    unsubscribe('slabpool:resource:moved', listen);
  });
  const pool = make();
  expect(await pool.borrow((lease) => isSpare(lease))).toBe(false);
  primary.down = refused;
  (await pool.acquire()).destroy();
  await clock.settle();
  expect(pool.stats()).toMatchObject({ active: 'primary', failures: 1 });
  for (const active of ['primary', 'spare', 'spare']) {
    expect(await pool.borrow((lease) => isSpare(lease))).toBe(true);
    expect(pool.active).toBe(active);
  }
  expect(pool.stats()).toMatchObject({ name: 'db', active: 'spare', moves: 1, failures: 0, rescued: 3 });
  await clock.advance(30_000);
  const { calls } = primary;
  expect(calls).toBeGreaterThan(50);
  for (let i = 0; i < 10; i++) expect(await pool.borrow((lease) => isSpare(lease))).toBe(true);
  expect(primary.calls).toBe(calls);
  primary.down = undefined;
  await clock.advance(500);
  expect(pool.active).toBe('primary');
  expect(await pool.borrow((lease) => isSpare(lease))).toBe(false);
  expect(moves).toMatchObject([
    { active: 'spare', error: { code: 'ERR_SLABPOOL_OPEN_FAILED' } },
    { active: 'primary' },
  ]);
  await pool.close();
  expect(primary.closed.every(Boolean) && spare.closed.every(Boolean)).toBe(true);
  await clock.advance(1000);
  expect(clock.pending).toBe(0);
});

test('whoever waits at the primary when all move is served by the spare', async () => {
  const pool = make({ failures: 1 });
  const held = [await pool.acquire(), await pool.acquire()];
  const waits = [watched(pool.acquire()), watched(pool.acquire())];
  await clock.advance(100);
  expect(waits.map(({ state }) => state)).toEqual(['pending', 'pending']);
  held[0]?.destroy('ECONNRESET');
  await clock.settle();
  await clock.settle();
  expect(pool.active).toBe('spare');
  expect(waits.map(({ value }) => value && isSpare(value))).toEqual([true, true]);
});

test('exhaustion counts; a request has its own timeout for both', async () => {
  const pool = make({ spare: { ...spare.options(), maxSize: 1, minIdle: 0 } });
  for (let i = 0; i < 2; i++) await pool.acquire();
  // Half a second at the primary, then at once.
  const first = watched(pool.acquire({ timeout: 1000 }));
  await clock.advance(499);
  expect(first.state).toBe('pending');
  await clock.advance(1);
  expect(first.value && isSpare(first.value)).toBe(true);
  const second = watched(pool.acquire({ timeout: 1000 }));
  await clock.advance(999);
  expect(second.state).toBe('pending');
  await clock.advance(1);
  expect(second.error).toEqual(coded('ERR_SLABPOOL_TIMEOUT', /pool 'db\/spare'/));
  // By default the primary has a second.
  const third = watched(pool.acquire());
  await clock.advance(1000);
  expect([third.state, pool.active]).toEqual(['pending', 'spare']);
  await expect(pool.acquire({ timeout: 0 })).rejects.toThrow(coded('ERR_SLABPOOL_TIMEOUT'));
  first.value?.release();
  await clock.settle();
  expect(third.state).toBe('fulfilled');
});

test('what is idle at the primary when all move is closed', async () => {
  const pool = make({ failures: 1 });
  const held = [await pool.acquire(), await pool.acquire()];
  held[0]?.release();
  held[1]?.destroy();
  await clock.settle();
  expect(primary.closed).toEqual(['trimmed', 'destroyed']);
});

test('who does not wait at all, or gives up, says nothing of the primary', async () => {
  const pool = make({ failures: 1, spare: { ...spare.options(), maxSize: 1 } });
  for (let i = 0; i < 2; i++) await pool.acquire();
  await clock.settle();
  (await pool.acquire({ timeout: 0 })).release();
  const abort = new AbortController();
  const waits = watched(pool.acquire({ signal: abort.signal }));
  abort.abort(new Error('mine'));
  await clock.settle();
  expect(waits.error?.message).toBe('mine');
  await expect(pool.acquire({ signal: abort.signal })).rejects.toThrow('mine');
  expect(pool.active).toBe('primary');
});

test('options that are undefined are not given', async () => {
  const pool = make({
    failures: 1,
    primary: { ...primary.options(), maxSize: 1, ...({ acquireTimeoutMs: undefined, name: undefined } as object) },
  });
  await pool.acquire();
  const second = watched(pool.acquire());
  await clock.advance(1000);
  expect(second.value && isSpare(second.value)).toBe(true);
  expect(pool.stats()).toMatchObject({ primary: { name: 'db/primary' }, spare: { name: 'db/spare' } });
});

test('failures leave the window', async () => {
  const pool = make({ windowMs: 1000 });
  primary.down = refused;
  for (let i = 0; i < 6; i++) {
    await pool.borrow(() => {});
    await clock.advance(500);
  }
  expect(pool.stats()).toMatchObject({ active: 'primary', moves: 0 });
});

test.each([
  [
    'does not open',
    () => {
      primary.down = refused;
    },
  ],
  [
    'hangs',
    () => {
      primary.down = () => new Promise(() => {});
    },
  ],
  [
    'opens, but does not pass its check',
    () => {
      primary.down = () => ({ ...primary.thing(), works: false });
    },
  ],
])('a primary that %s does not get anybody back', async (_, breaks) => {
  const pool = make({ failures: 1 });
  (await pool.acquire()).destroy();
  await clock.settle();
  await clock.settle();
  expect(pool.active).toBe('spare');
  breaks();
  await clock.advance(20_000);
  expect(pool.active).toBe('spare');
  primary.down = undefined;
  await clock.advance(2000);
  expect(pool.active).toBe('primary');
});

test('close() in the middle of a probe', async () => {
  const pool = make({ failures: 1 });
  (await pool.acquire()).destroy();
  await clock.settle();
  primary.down = () => new Promise(() => {});
  await clock.advance(600);
  const end = watched(pool.close());
  await clock.advance(1000);
  expect([end.state, clock.pending]).toEqual(['fulfilled', 0]);
  await expect(pool.acquire()).rejects.toThrow(coded('ERR_SLABPOOL_CLOSED'));
  await pool[Symbol.asyncDispose]();
});

test('misuse', async () => {
  const invalid = (message: RegExp) => coded('ERR_SLABPOOL_INVALID_ARG', message);
  const options = new Upstream().options();
  const made = (given: unknown) => () => new FailoverPool(given as never);
  expect(made(undefined)).toThrow(invalid(/option 'primary': expected an object with the options of a ResourcePool/));
  expect(made({ primary: options })).toThrow(invalid(/option 'spare'/));
  expect(made({ primary: options, spare: 7 })).toThrow(invalid(/option 'spare'.* got 7/));
  expect(made({ primary: { ...options, close: 7 }, spare: options })).toThrow(
    invalid(/option 'close': expected a function/),
  );
  expect(made({ primary: options, spare: { ...options, maxSice: 1 } })).toThrow(invalid(/no option 'maxSice'/));
  for (const [key, value] of [
    ['failures', 0],
    ['windowMs', 0],
    ['probeMs', 1.5],
    ['acquireTimeoutMs', -1],
    ['name', ''],
  ])
    expect(made({ primary: options, spare: options, [key as string]: value })).toThrow(invalid(new RegExp(`'${key}'`)));
  const pool = make();
  await expect(pool.acquire({ timeout: -1 })).rejects.toThrow(invalid(/option 'timeout'/));
  await expect(pool.borrow('fn' as never)).rejects.toThrow(invalid(/fn: expected a function/));
});
