import { freemem, totalmem } from 'node:os';
import { invalidArg } from '../errors.js';
import { events, type Outbox, type PressureEvent } from '../events.js';
import type { Core } from './core.js';

/** How short memory is: of the limit `none` below 70 %, `high` from there, `critical` from 90 % on. */
export type PressureLevel = 'none' | 'high' | 'critical';

/** What the option `onPressure` takes: returns the level that the pool is to act on instead, or nothing. */
// biome-ignore lint/suspicious/noConfusingVoidType: a callback that returns nothing is to be welcome in all its forms
export type OnPressure = (pressure: Pressure) => PressureLevel | undefined | void;

/** The last verdict on the memory of the system, or of the container. */
export interface Pressure {
  /** Where the figures are from; `'none'` before the first look, and where nobody may look. */
  readonly source: 'cgroup-v2' | 'cgroup-v1' | 'system' | 'runtime' | 'none';
  readonly level: PressureLevel;
  /** In use, without what the kernel can drop at once. */
  readonly usedBytes: number;
  readonly limitBytes: number;
}

/** Shares of the limit. */
export const HIGH = 0.7;
const CRITICAL = 0.9;

/** As the runtime sees it. In a container with a limit, the page cache counts as used. */
export function runtimePressure(): Pressure {
  try {
    const limit = process.constrainedMemory?.();
    const available = process.availableMemory?.();
    // 0, or more than there is, means no limit.
    const limited = limit !== undefined && available !== undefined && limit > 0 && limit <= totalmem();
    const limitBytes = limited ? limit : totalmem();
    const usedBytes = Math.max(0, limitBytes - (limited ? available : freemem()));
    const share = usedBytes / limitBytes;
    const level = share >= CRITICAL ? 'critical' : share >= HIGH ? 'high' : 'none';
    return { source: 'runtime', level, usedBytes, limitBytes };
  } catch {
    // Deno without --allow-sys.
    return { source: 'none', level: 'none', usedBytes: 0, limitBytes: 0 };
  }
}

/** Asks how short memory is, at each tick of one pool in this thread, and what is to be done about it. */
export class PressureGauge {
  readonly #core: Core;
  readonly #pool: string;
  readonly #outbox: Outbox;
  readonly #onPressure: OnPressure | undefined;
  #seen: PressureLevel = 'none';

  constructor(core: Core, pool: string, outbox: Outbox, onPressure: OnPressure | undefined) {
    this.#core = core;
    this.#pool = pool;
    this.#outbox = outbox;
    this.#onPressure = onPressure;
  }

  /** Whether this thread decides for the pool, also when it has none of its blocks. */
  get decides(): boolean {
    return this.#onPressure !== undefined;
  }

  /** Ticks will come: until then nothing is done without asking. */
  begin(): void {
    if (this.decides) this.#core.overridePressure('none');
  }

  /** The level that this pool is to act on now. */
  look(): PressureLevel {
    const pressure = this.#core.pressure();
    const { level } = pressure;
    const changed = level !== this.#seen;
    this.#seen = level;
    if (changed) this.#outbox.add(events.pressure, { pool: this.#pool, pressure } satisfies PressureEvent);
    if (this.#onPressure === undefined) return this.#core.pressureOverride ?? level;
    return changed || level !== 'none' ? this.#ask(this.#onPressure, pressure) : level;
  }

  #ask(onPressure: OnPressure, pressure: Pressure): PressureLevel {
    try {
      const answer: unknown = onPressure(pressure);
      if (answer === undefined) return pressure.level;
      if (answer === 'none' || answer === 'high' || answer === 'critical') return answer;
      throw invalidArg(
        "what the option 'onPressure' returns",
        "'none', 'high', 'critical' or undefined",
        answer,
        this.#pool,
      );
    } catch (error) {
      // Not into the tick, nor into a call that this thread blocks in: uncaught, like that of any callback.
      process.nextTick(() => {
        throw error;
      });
      return pressure.level;
    }
  }

  /** What the pool does from now on. After this thread has flushed its magazines, since the janitor may act at once. */
  decide(level: PressureLevel): void {
    if (this.decides) this.#core.overridePressure(level);
  }

  /** No more ticks, as the pool is empty: it is left to the core. */
  end(): void {
    if (this.decides) this.#core.overridePressure(null);
  }
}
