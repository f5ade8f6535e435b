import { now } from '../base/runtime.js';
import type { ResolvedOptions } from '../options.js';

/**
 * A sampled lease takes some 6 µs, most of it for a stack. One in 4096 is nothing beside what a program does with 4096
 * leases; a thread that does nothing else tracks fewer: this many in a burst, and then so many a millisecond, below 1
 * % of its time.
 */
const BURST = 64;
const PER_MS = 1;
/** One in so many, or fewer, are tracked at the least possible cost. */
const SELDOM = 1024;
/** The longest interval: an integer of 31 bits. */
const LONGEST_INTERVAL = 2 ** 30;

/** Options of every kind of pool that say which leases are tracked. */
export type SamplingOptions = Pick<ResolvedOptions, 'leakDetection' | 'leakSampleRate'>;

/** Sampling decides which leases of a thread are tracked, by the options and by what the thread can afford. */
export class Sampling {
  readonly detection: ResolvedOptions['leakDetection'];
  /** One lease in so many is tracked, unless none is. */
  readonly rate: number;
  /** Whether so few are tracked that they are to cost the others nothing. */
  readonly seldom: boolean;
  #affordable = BURST;
  #affordableAt = 0;

  /** @param cheap whether a pool with these options has releases that cost next to nothing */
  constructor({ leakDetection, leakSampleRate }: SamplingOptions, cheap: boolean) {
    this.detection = leakDetection;
    this.rate = leakDetection === 'full' ? 1 : leakSampleRate;
    this.seldom = leakDetection === 'sampled' && leakSampleRate >= SELDOM && cheap;
  }

  /** Leases up to the one that is looked at next: drawn, so that no pattern in the program keeps step with it. */
  interval(): number {
    if (this.detection === 'off') return LONGEST_INTERVAL;
    if (this.detection === 'full') return 1;
    return Math.max(1, Math.round(Math.min(this.rate, LONGEST_INTERVAL) * (0.5 + Math.random())) | 0);
  }

  /** Whether a lease that is looked at is tracked. */
  tracks(): boolean {
    if (!this.seldom) return this.detection !== 'off';
    if (!this.affords) return false;
    this.#affordable--;
    return true;
  }

  /** Whether there is time for another one. */
  get affords(): boolean {
    const at = now();
    this.#affordable = Math.min(BURST, this.#affordable + (at - this.#affordableAt) * PER_MS);
    this.#affordableAt = at;
    return this.#affordable >= 1;
  }
}
