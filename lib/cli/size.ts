import { formatCount, formatDuration, formatShare } from '../base/format.js';
import { Failure } from './failure.js';
import { loadTableWriter } from './table.js';

/** The most that may be in use on average: what is more takes long to compute, and is no pool. */
const MOST_IN_USE = 10_000_000;
/** Shares of acquires that wait, beside the one that is asked for. */
const SHARES = [0.5, 0.1, 0.01, 0.001];

/** So much more than a share still is that share. */
const ROUNDING = 1e-9;

/** Seconds in a unit of time. */
const UNITS: Readonly<Record<string, number>> = { us: 1e-6, µs: 1e-6, ms: 1e-3, s: 1, min: 60 };
const THOUSANDS: Readonly<Record<string, number>> = { '': 1, k: 1e3, M: 1e6 };

/** What there is to go by, as it was given. */
export interface SizeOptions {
  readonly rate: string;
  readonly hold: string;
  readonly wait: string;
}

/** A pool of one size under a load. */
export interface Sizing {
  readonly size: number;
  /** The share of acquires that find none free: Erlang C. */
  readonly share: number;
  /** How long those wait on average, in milliseconds. */
  readonly waitMs: number;
  /** The share of the pool that is in use on average. */
  readonly utilization: number;
}

/** Prints how large a pool has to be. */
export async function size({ rate, hold, wait }: SizeOptions): Promise<void> {
  const perSecond = parseRate(rate);
  const holdMs = parseHold(hold);
  const share = parseShare(wait);
  const inUse = (perSecond * holdMs) / 1000;
  if (inUse > MOST_IN_USE) {
    throw new Failure(`size: ${formatCount(inUse)} in use on average, expected at most ${formatCount(MOST_IN_USE)}`, 2);
  }
  const answer = sizeFor(inUse, holdMs, share);
  const others = SHARES.map((most) => sizeFor(inUse, holdMs, most));
  const bySize = new Map([...others, answer].map((sizing) => [sizing.size, sizing]));
  const rows = [...bySize.values()]
    .sort((one, other) => one.size - other.size)
    .map((sizing) => [
      `${formatCount(sizing.size)}${sizing.size === answer.size ? ' <' : ''}`,
      formatShare(sizing.utilization),
      formatShare(sizing.share),
      formatDuration(sizing.waitMs),
    ]);
  const table = await loadTableWriter();
  const average = inUse < 0.01 ? 'below 0.01' : formatCount(inUse);
  process.stdout.write(
    `${formatCount(perSecond)} a second, each held for ${formatDuration(holdMs)}: ${average} in use on average (L = λW).\n` +
      `A pool of ${formatCount(answer.size)}: ${formatShare(answer.share)} of acquires wait, and those ${formatDuration(answer.waitMs)} on average.\n\n` +
      `${table([['size', 'in use', 'acquires that wait', 'their mean wait'], ...rows])}\n\n` +
      'For arrivals that know nothing of each other, and holds of varying length (M/M/c, Erlang C). Bursts need more; a steady rate and equal\n' +
      'holds need less. A pool of no more than are in use on average never catches up.\n',
  );
}

/**
 * The least size at which at most `share` of acquires wait, if `inUse` are in use on average (A. K. Erlang, 1917).
 * @param holdMs the mean hold, in milliseconds
 */
export function sizeFor(inUse: number, holdMs: number, share: number): Sizing {
  // Erlang B, of one size after the other; C is computed from it.
  let blocked = 1;
  for (let size = 1; ; size++) {
    blocked = (inUse * blocked) / (size + inUse * blocked);
    if (size <= inUse) continue;
    const utilization = inUse / size;
    const waits = blocked / (1 - utilization * (1 - blocked));
    if (waits <= share * (1 + ROUNDING)) return { size, share: waits, waitMs: holdMs / (size - inUse), utilization };
  }
}

function parseRate(text: string): number {
  const [, digits = '', suffix = ''] = text.match(/^(\d+(?:\.\d+)?)(k|M)?$/) ?? [];
  const rate = Number(digits) * (THOUSANDS[suffix] as number);
  if (!(rate > 0)) throw expected('rate', 'acquires a second, such as 300, 5k or 1.5M', text);
  return rate;
}

function parseHold(text: string): number {
  const [, digits = '', unit = ''] = text.match(/^(\d+(?:\.\d+)?)(us|µs|ms|s|min)$/) ?? [];
  const ms = Number(digits) * (UNITS[unit] ?? 0) * 1000;
  if (!(ms > 0)) throw expected('hold', 'a time with its unit, such as 150us, 20ms, 1.5s or 2min', text);
  return ms;
}

function parseShare(text: string): number {
  const [, digits = ''] = text.match(/^(\d+(?:\.\d+)?)%$/) ?? [];
  const percent = Number(digits);
  if (!(percent > 0 && percent < 100)) throw expected('wait', 'a share above 0% and below 100%, such as 1%', text);
  return percent / 100;
}

function expected(option: string, what: string, given: string): Failure {
  return new Failure(`size --${option}: expected ${what}, got '${given}'`, 2);
}
