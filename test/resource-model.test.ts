import fc from 'fast-check';
import { type CloseCause, type ResourceLease, ResourcePool, type ResourcePoolOptions } from 'slabpool/resource';
import { expect, test, vi } from 'vitest';
import { VirtualClock } from './virtual-clock.js';

const TIMEOUT = 100;

/** How a call of `open` or `check` goes. */
type Fate = 'at once' | 'soon' | 'fails' | 'throws' | 'hangs' | 'obeys' | 'late';
const FATES: readonly Fate[] = [
  ...['at once', 'at once', 'soon', 'soon', 'soon', 'soon', 'soon'],
  ...['fails', 'throws', 'hangs', 'obeys', 'late'],
] as Fate[];

/** What a function of the program's does with the pool while it is called. */
type Meddling = 'nothing' | 'trim' | 'acquire' | 'release' | 'destroy' | 'close';
const MEDDLING: readonly Meddling[] = [
  ...Array<Meddling>(30).fill('nothing'),
  ...(['trim', 'acquire', 'acquire', 'release', 'release', 'destroy', 'close'] satisfies Meddling[]),
] as Meddling[];

interface Thing {
  readonly id: number;
  /** Calls of `close` for it. */
  closed: number;
  why?: CloseCause;
  /** How many have a lease of it. */
  users: number;
  /** Whether it was closed under its user, at the end of the pool. */
  taken: boolean;
}

interface Request {
  readonly number: number;
  readonly abort: AbortController;
  state: 'waits' | 'served' | 'rejected';
}

/** What finalizers are told of an object that was collected. */
interface Cell {
  readonly finalizer: { finalize(held: unknown): void };
  readonly held: unknown;
}

interface Registration {
  readonly target: { slot?: { resource: Thing } };
  readonly cell: Cell;
}

const registrations = new Map<object, Registration>();

/** In the place of the finalization registry: a test says what is collected. */
function collectsNothing(): void {
  const { prototype } = FinalizationRegistry;
  vi.spyOn(prototype, 'register').mockImplementation((target, cell, token) => {
    registrations.set(token as object, { target, cell } as Registration);
  });
  vi.spyOn(prototype, 'unregister').mockImplementation((token) => registrations.delete(token as object));
}

/** What is at the other end of a pool, and those who use the pool. */
class World {
  readonly clock: VirtualClock;
  readonly pool: ResourcePool<Thing>;
  readonly maxSize: number;
  readonly things: Thing[] = [];
  readonly requests: Request[] = [];
  readonly held: ResourceLease<Thing>[] = [];
  readonly wrong: string[] = [];
  /** Calls that have not ended. */
  readonly #calls = new Set<AbortSignal>();
  /** Of these, calls of `close` that have not been given up either. */
  #closes = 0;
  #over = false;
  readonly #draws: readonly number[];
  #drawn = 0;
  /** Whether close() was called. */
  closing = false;

  constructor(clock: VirtualClock, options: Partial<ResourcePoolOptions<Thing>>, draws: readonly number[]) {
    this.clock = clock;
    this.#draws = draws;
    this.maxSize = options.maxSize ?? 10;
    this.pool = new ResourcePool<Thing>({
      open: (signal) => this.#call(signal, true, () => this.#thing()) as Thing | Promise<Thing>,
      check: (thing, signal) => {
        if (thing.closed > 0 || thing.users > 0) this.wrong.push(`checked while closed or used: ${thing.id}`);
        return this.#call(signal, false, () => this.#draw(4) > 0);
      },
      close: (thing, why) => {
        thing.closed++;
        thing.why = why;
        if (thing.users > 0 && why === 'closed') thing.taken = true;
        else if (thing.users > 0) this.wrong.push(`closed while used: ${thing.id}, ${why}`);
        return this.#close();
      },
      openTimeoutMs: TIMEOUT,
      ...options,
    });
  }

  /** A whole number below `most`, as the run has it. */
  #draw(most: number): number {
    return (this.#draws[this.#drawn++ % this.#draws.length] as number) % most;
  }

  #thing(): Thing {
    const thing = { id: this.things.length, closed: 0, users: 0, taken: false };
    this.things.push(thing);
    return thing;
  }

  #close(): unknown {
    let ended = false;
    const end = () => {
      if (!ended) this.#closes--;
      ended = true;
    };
    this.#closes++;
    this.clock.after(TIMEOUT - 1, end);
    try {
      return this.#fate(undefined, false, end);
    } catch (error) {
      end();
      throw error;
    }
  }

  #call<T>(signal: AbortSignal, fails: boolean, result: () => T): T | Promise<T> {
    this.#calls.add(signal);
    const end = () => this.#calls.delete(signal);
    try {
      const called = this.#fate(signal, fails, result);
      if (called instanceof Promise) called.then(end, end);
      else end();
      return called;
    } catch (error) {
      end();
      throw error;
    }
  }

  #fate<T>(signal: AbortSignal | undefined, fails: boolean, result: () => T): T | Promise<T> {
    this.meddle(MEDDLING[this.#draw(MEDDLING.length)] as Meddling);
    const fate = FATES[this.#draw(FATES.length)] as Fate;
    const after = (ms: number) => new Promise<void>((resolve) => this.clock.after(ms, resolve));
    switch (fate) {
      case 'at once':
        return result();
      case 'soon':
        return after(5).then(result);
      case 'fails':
        return fails ? after(3).then(() => Promise.reject(new Error('refused'))) : after(3).then(result);
      case 'throws':
        throw new Error('thrown');
      case 'hangs':
        return new Promise(() => {});
      case 'late':
        return after(TIMEOUT + 30).then(result);
      case 'obeys':
        return new Promise((_, reject) => {
          signal?.addEventListener('abort', () => {
            this.meddle(MEDDLING[this.#draw(MEDDLING.length)] as Meddling);
            reject(new Error('obeyed'));
          });
        });
    }
  }

  meddle(what: Meddling): void {
    if (what === 'acquire') this.acquire(50);
    else if (what === 'release') this.release(this.#draw(100));
    else if (what === 'destroy') this.release(this.#draw(100), true);
    else if (what === 'trim') this.unlessClosed(() => this.pool.trim());
    else if (what === 'close') this.close(50);
  }

  /** A pool that has ended refuses such calls. */
  unlessClosed<T>(call: () => T): T | undefined {
    try {
      return call();
    } catch (error) {
      if (!this.closing || (error as { code?: string }).code !== 'ERR_SLABPOOL_CLOSED') this.wrong.push(String(error));
      return undefined;
    }
  }

  close(timeout: number): Promise<unknown> {
    this.closing = true;
    const settled = () => {
      // What comes later was given up before.
      const first = !this.#over;
      this.#over = true;
      if (first && this.#closes > 0) this.wrong.push('close() has ended before all was closed');
    };
    return this.pool.close({ timeout }).then(settled, ({ code }) => {
      settled();
      if (code !== 'ERR_SLABPOOL_TIMEOUT') this.wrong.push(code);
    });
  }

  acquire(timeout: number): void {
    const abort = new AbortController();
    const request: Request = { number: this.requests.length, abort, state: 'waits' };
    this.requests.push(request);
    this.pool.acquire({ timeout, signal: abort.signal }).then(
      (lease) => {
        request.state = 'served';
        this.#took(lease);
      },
      (error) => {
        request.state = 'rejected';
        if (error.name !== 'AbortError' && error.name !== 'SlabPoolError') this.wrong.push(String(error));
      },
    );
  }

  #took(lease: ResourceLease<Thing>): void {
    const { value } = lease;
    value.users++;
    if (value.users > 1) this.wrong.push(`leased twice: ${value.id}`);
    // The end of the pool may have come between its promise and us.
    if (value.closed > 0 && value.why !== 'closed') this.wrong.push(`leased while closed: ${value.id}, ${value.why}`);
    this.held.push(lease);
  }

  tryAcquire(): void {
    const lease = this.unlessClosed(() => this.pool.tryAcquire());
    if (lease) this.#took(lease);
  }

  #drop(at: number): ResourceLease<Thing> | undefined {
    const [lease] = this.held.splice(at % Math.max(1, this.held.length), 1);
    if (lease !== undefined) lease.value.users--;
    return lease;
  }

  release(at: number, broken = false): void {
    const lease = this.#drop(at);
    if (broken) lease?.destroy(new Error('broken'));
    else lease?.release();
  }

  /** The garbage collector takes a lease that is out. */
  collect(at: number): void {
    const lease = this.#drop(at);
    if (lease === undefined) return;
    for (const [token, { target, cell }] of registrations) {
      if (target !== lease && target.slot?.resource !== lease.value) continue;
      registrations.delete(token);
      cell.finalizer.finalize(cell.held);
    }
  }

  abort(at: number): void {
    const waiting = this.requests.filter(({ state }) => state === 'waits');
    waiting[at % Math.max(1, waiting.length)]?.abort.abort();
  }

  /** What holds at any time when all is at rest. */
  check(servedBefore: ReadonlySet<number>): void {
    const first = this.requests.find(({ state }) => state === 'waits')?.number ?? Infinity;
    for (const { number, state } of this.requests) {
      if (state === 'served' && number > first && !servedBefore.has(number))
        this.wrong.push(`${number} was served before ${first}`);
    }
    if (this.closing && [...this.#calls].some(({ aborted }) => !aborted)) this.wrong.push('a call was not aborted');
    const stats = this.unlessClosed(() => this.pool.stats());
    if (stats === undefined) return;
    const { size, maxSize, opening, checking, idle, used, closing, closed, opened, acquires, uses } = stats;
    if (size > maxSize) this.wrong.push(`${size} of ${maxSize}`);
    if (size !== opening + checking + idle + used + closing) this.wrong.push('size');
    const gone = Object.values(closed).reduce((sum, count) => sum + count, 0);
    if (opened !== checking + idle + used + closing + gone) this.wrong.push('opened');
    if (acquires !== used + uses.count) this.wrong.push('acquires');
    const out = this.held.filter(({ value }) => !value.taken).length;
    if (used !== out) this.wrong.push(`used: ${used}, held: ${out}`);
    const open = this.things.filter((thing) => thing.closed === 0).length;
    if (open !== checking + idle + used) this.wrong.push(`${open} are open: ${checking} + ${idle} + ${used}`);
  }

  served(): Set<number> {
    return new Set(this.requests.filter(({ state }) => state === 'served').map(({ number }) => number));
  }
}

const number = fc.nat(99);
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('acquire' as const), n: fc.constantFrom(20, 90, 400, Infinity) }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('release' as const), n: number }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('advance' as const), n: fc.constantFrom(0, 1, 5, 40, 150, 1200) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('destroy', 'collect', 'abort', 'try', 'trim'), n: number }) },
);
const ending = fc.record({ timeout: fc.constantFrom(0, 10, 500), keep: fc.boolean(), after: fc.nat(60) });
const options = fc.record(
  {
    maxSize: fc.integer({ min: 1, max: 4 }),
    minIdle: fc.constantFrom(0, 1),
    maxLifetimeMs: fc.constantFrom(300, 3000, Infinity),
    maxIdleMs: fc.constantFrom(60, 3000, Infinity),
    checkAfterIdleMs: fc.constantFrom(0, 30, Infinity),
    openRetries: fc.constantFrom(0, 2),
    whenExhausted: fc.constantFrom('wait' as const, 'throw' as const),
    maxWaiting: fc.constantFrom(2, 1000),
    order: fc.constantFrom('lifo' as const, 'fifo' as const),
    breaker: fc.constantFrom({}, { failures: 1, coolDownMs: 50 }, { failures: 2, windowMs: 20, coolDownMs: 300 }),
    leakDetection: fc.constantFrom('off' as const, 'full' as const),
  },
  { requiredKeys: ['maxSize'] },
);

test('whatever happens, each resource is closed once, never had by two, and nobody waits for ever', async () => {
  const clock = new VirtualClock();
  collectsNothing();
  try {
    await fc.assert(
      fc.asyncProperty(
        options,
        fc.array(step, { maxLength: 60 }),
        fc.array(number, { minLength: 20, maxLength: 60 }),
        ending,
        async (given, steps, draws, end) => {
          registrations.clear();
          const world = new World(clock, given, draws);
          const run = async (one: (typeof steps)[number]) => {
            const before = world.served();
            if (one.do === 'acquire') world.acquire(one.n);
            else if (one.do === 'release' || one.do === 'destroy') world.release(one.n, one.do === 'destroy');
            else if (one.do === 'collect') world.collect(one.n);
            else if (one.do === 'abort') world.abort(one.n);
            else if (one.do === 'try') world.tryAcquire();
            else if (one.do === 'trim') world.meddle('trim');
            if (one.do === 'advance') await clock.advance(one.n);
            else await clock.settle();
            // In one advance many are served, each in its turn.
            world.check(one.do === 'advance' ? world.served() : before);
          };
          let closing: Promise<unknown> | undefined;
          for (const [i, one] of steps.entries()) {
            if (i === end.after) {
              closing = world.close(end.timeout);
            }
            await run(one);
          }
          // Nobody waits for ever: what is held comes back, and time goes on.
          if (!end.keep || closing === undefined) while (world.held.length > 0) world.release(0);
          for (let i = 0; i < 60 && world.requests.some(({ state }) => state === 'waits'); i++) {
            await clock.advance(TIMEOUT);
            if (!end.keep || closing === undefined) while (world.held.length > 0) world.release(0);
          }
          if (world.requests.some(({ state }) => state === 'waits')) world.wrong.push('somebody waits for ever');
          closing ??= world.close(end.timeout);
          let over = false;
          closing.then(() => {
            over = true;
          });
          await clock.advance(20 * TIMEOUT);
          if (!over) world.wrong.push('close() has not ended');
          while (world.held.length > 0) world.release(0);
          await clock.advance(20 * TIMEOUT);
          for (const { id, closed } of world.things)
            if (closed !== 1) world.wrong.push(`${id} was closed ${closed} times`);
          if (clock.pending > 0) world.wrong.push(`${clock.pending} timers are left`);
          expect(world.wrong).toEqual([]);
        },
      ),
      { numRuns: Number(process.env['MODEL_RUNS'] ?? 400) },
    );
  } finally {
    vi.restoreAllMocks();
  }
});
