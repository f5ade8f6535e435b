import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import fc from 'fast-check';
import { ObjectPool } from 'slabpool/object';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkBooks, storeOf, Thing } from './objects.js';

/** What the pool is to be like: objects by where they are. */
interface Model {
  idle: Thing[];
  /** Ends of epochs for which each of the idle ones has lain there. */
  epochs: Map<Thing, number>;
  /** Ends of epochs since the last acquire. */
  quiet: number;
  out: Set<Thing>;
  gone: Set<Thing>;
  closed: boolean;
}

interface Real {
  pool: ObjectPool<Thing>;
  leases: Map<Thing, ReturnType<ObjectPool<Thing>['acquire']>>;
  made: Thing[];
  /** The callback that throws when it is called next. */
  fails: string | null;
}

type Step = { name: string; pick: number; fails: string | null };

const NAMES = [
  'acquire',
  'acquire',
  'acquire',
  'release',
  'release',
  'grow',
  'dispose',
  'twice',
  'trim',
  'turn',
  'prewarm',
];
const step = fc.record<Step>({
  name: fc.constantFrom(...NAMES, 'close'),
  pick: fc.nat(20),
  fails: fc.option(fc.constantFrom('create', 'reset', 'keep', 'destroy'), { freq: 4, nil: null }),
});
const options = fc.record({
  maxIdle: fc.integer({ min: 0, max: 6 }),
  resetOn: fc.constantFrom('acquire' as const, 'release' as const),
  leakDetection: fc.constantFrom('off' as const, 'sampled' as const, 'full' as const),
  keeps: fc.boolean(),
});

const GROWN = 10;

// Else there were warnings.
const heard = () => {};
beforeAll(() => subscribe('slabpool:destroy-failed', heard));
afterAll(() => void unsubscribe('slabpool:destroy-failed', heard));

test('an object is at one place at a time, and destroyed once, whatever happens and whatever throws', () => {
  fc.assert(
    fc.property(options, fc.array(step, { maxLength: 120 }), ({ keeps, ...given }, steps) => {
      const real: Real = { pool: null as never, leases: new Map(), made: [], fails: null };
      const failing = (callback: string) => {
        if (real.fails !== callback) return;
        real.fails = null;
        throw new Error(callback);
      };
      real.pool = new ObjectPool<Thing>({
        ...given,
        epochMs: 0,
        create: () => {
          failing('create');
          const thing = new Thing(real.made.length);
          real.made.push(thing);
          return thing;
        },
        reset: (thing) => {
          failing('reset');
          thing.size = 0;
        },
        ...(keeps
          ? {
              keep: ({ size }: Thing) => {
                failing('keep');
                return size < GROWN;
              },
            }
          : {}),
        destroy: (thing) => {
          thing.destroyed++;
          failing('destroy');
        },
      });
      const model: Model = { idle: [], epochs: new Map(), quiet: 0, out: new Set(), gone: new Set(), closed: false };
      for (const one of steps) run(one, model, real, given, keeps);
      real.fails = null;
      for (const lease of real.leases.values()) lease.release();
      real.pool.close();
      expect(real.made.filter(({ destroyed }) => destroyed !== 1)).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

function run(
  { name, pick, fails }: Step,
  model: Model,
  real: Real,
  { maxIdle, resetOn, leakDetection }: { maxIdle: number; resetOn: 'acquire' | 'release'; leakDetection: string },
  keeps: boolean,
): void {
  const { pool, leases, made } = real;
  real.fails = fails;
  const lease = [...leases.values()][pick % Math.max(1, leases.size)];
  let thrown: unknown;
  const attempt = <T>(fn: () => T): T | undefined => {
    try {
      return fn();
    } catch (error) {
      thrown = error;
      return undefined;
    }
  };
  /** What becomes of an object whose lease ends. */
  const back = (thing: Thing) => {
    leases.delete(thing);
    model.out.delete(thing);
    const refused =
      model.closed ||
      (keeps && (fails === 'keep' || thing.size >= GROWN)) ||
      model.idle.length >= maxIdle ||
      (resetOn === 'release' && fails === 'reset');
    model.epochs.set(thing, 0);
    if (refused) model.gone.add(thing);
    else model.idle.push(thing);
  };
  switch (name) {
    case 'acquire': {
      const before = made.length;
      // As if it were the one in 4096: what it leaves in its own stack comes back when somebody looks.
      if (leakDetection === 'sampled') storeOf(pool).idle.sampleAfter(1);
      const got = attempt(() => pool.acquire());
      const top = model.idle.pop();
      model.quiet = 0;
      if (model.closed) expect(thrown).toMatchObject({ code: 'ERR_SLABPOOL_CLOSED' });
      else if (top === undefined) {
        expect(made.length - before).toBe(fails === 'create' ? 0 : 1);
        expect(thrown !== undefined).toBe(fails === 'create');
        if (got !== undefined) expect(got.value).toBe(made.at(-1));
      } else if (resetOn === 'acquire' && fails === 'reset') {
        expect(thrown).toMatchObject({ message: 'reset' });
        model.gone.add(top);
      } else expect(got?.value).toBe(top);
      if (got !== undefined) {
        expect(got.value.size).toBe(0);
        expect(model.out.has(got.value)).toBe(false);
        model.out.add(got.value);
        leases.set(got.value, got);
      }
      break;
    }
    case 'grow':
      if (lease !== undefined) lease.value.size = GROWN;
      break;
    case 'release':
    case 'dispose':
    case 'twice': {
      if (lease === undefined) break;
      const { value } = lease;
      attempt(() => {
        if (name === 'release') pool.release(lease);
        else if (name === 'dispose') lease[Symbol.dispose]();
        else lease.release();
      });
      expect(lease.released).toBe(true);
      if (name === 'twice') expect(() => lease.release()).toThrow('released before');
      back(value);
      break;
    }
    case 'trim': {
      const count = attempt(() => pool.trim());
      expect(count).toBe(model.closed ? undefined : model.idle.length);
      for (const thing of model.idle.splice(0)) model.gone.add(thing);
      break;
    }
    case 'turn': {
      storeOf(pool).turn();
      for (const thing of model.idle) model.epochs.set(thing, (model.epochs.get(thing) ?? 0) + 1);
      // From the bottom, and none that has not lain there for two epochs, besides that in which it came.
      const dropped = model.idle.filter(({ destroyed }) => destroyed > 0);
      expect(model.idle.slice(0, dropped.length)).toEqual(dropped);
      expect(dropped.filter((thing) => (model.epochs.get(thing) as number) < 3)).toEqual([]);
      for (const thing of model.idle.splice(0, dropped.length)) model.gone.add(thing);
      // All of those, if nobody has acquired anything meanwhile.
      if (++model.quiet >= 3) {
        expect(model.idle.filter((thing) => (model.epochs.get(thing) as number) >= 3)).toEqual([]);
      }
      break;
    }
    case 'prewarm': {
      const before = made.length;
      attempt(() => pool.prewarm(Math.min(pick, maxIdle)));
      const missing = Math.max(0, Math.min(pick, maxIdle) - model.idle.length);
      expect(made.length - before).toBe(model.closed || fails === 'create' ? 0 : missing);
      model.idle.push(...made.slice(before));
      break;
    }
    case 'close':
      pool.close();
      for (const thing of model.idle.splice(0)) model.gone.add(thing);
      model.closed = true;
      break;
  }
  real.fails = null;
  if (!model.closed) pool.outstanding();
  expect(made.filter(({ destroyed }) => destroyed > 1)).toEqual([]);
  expect(made.filter(({ destroyed }) => destroyed === 1).sort(byNumber)).toEqual([...model.gone].sort(byNumber));
  if (model.closed) return;
  checkBooks(pool);
  const { idle, outstanding, created } = pool.stats();
  expect([idle, outstanding, created]).toEqual([model.idle.length, model.out.size, made.length]);
}

const byNumber = (a: Thing, b: Thing) => a.number - b.number;
