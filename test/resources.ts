import { type CloseCause, ResourcePool, type ResourcePoolOptions } from 'slabpool/resource';

/** What a pool in a test has opened. */
export interface Thing {
  readonly id: number;
  /** Why it was closed, if it was. */
  closed: CloseCause | undefined;
  /** What `check` says of it. */
  works: boolean;
}

/** The other end of a pool: what it has opened, and how it behaves. */
export class Upstream {
  readonly things: Thing[] = [];
  readonly checked: number[] = [];
  /** Names of its pools. */
  readonly pools = new Set<string>();
  /** While set, calls of `open` do this instead. */
  down: ((signal: AbortSignal) => unknown) | undefined;
  /** While set, calls of `close` do this as well. */
  closing: ((thing: Thing) => unknown) | undefined;
  /** Calls of `open`. */
  calls = 0;

  options(): ResourcePoolOptions<Thing> {
    return {
      open: (signal) => {
        this.calls++;
        if (this.down !== undefined) return this.down(signal) as never;
        return this.thing();
      },
      close: (thing, why) => {
        if (thing.closed !== undefined) throw new Error(`closed twice: ${thing.id}`);
        thing.closed = why;
        return this.closing?.(thing);
      },
      check: (thing) => {
        this.checked.push(thing.id);
        return thing.works;
      },
    };
  }

  thing(): Thing {
    const thing: Thing = { id: this.things.length, closed: undefined, works: true };
    this.things.push(thing);
    return thing;
  }

  /** Why each was closed; undefined of those that are open. */
  get closed(): (CloseCause | undefined)[] {
    return this.things.map(({ closed }) => closed);
  }

  pool(options: Partial<ResourcePoolOptions<Thing>> = {}): ResourcePool<Thing> {
    const pool = new ResourcePool({ ...this.options(), ...options });
    this.pools.add(pool.name);
    return pool;
  }
}

/** A promise, and what becomes of it. */
export function watched<T>(promise: Promise<T>) {
  const seen: { state: 'pending' | 'fulfilled' | 'rejected'; value?: T; error?: { code?: string; message: string } } = {
    state: 'pending',
  };
  promise.then(
    (value) => Object.assign(seen, { state: 'fulfilled', value }),
    (error) => Object.assign(seen, { state: 'rejected', error }),
  );
  return seen;
}
