import { hrtime } from 'node:process';

/** Milliseconds since some time, with fractions. Not the global `performance`, which simulated browsers and fake timers replace. */
export function now(): number {
  return Number(hrtime.bigint()) / 1e6;
}
