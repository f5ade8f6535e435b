import { invalidArg } from '../errors.js';

/** A check returns an option's value: what was given, or the default. @throws `ERR_SLABPOOL_INVALID_ARG` */
export type Check<T, Context = unknown> = (value: unknown, key: string, context: Context) => T;

type Bound<Context> = number | ((context: Context) => number);

/** A check for an integer within bounds. */
export function integer<Context = unknown>(
  unit: string,
  byDefault: Bound<Context>,
  least: Bound<Context>,
  most: Bound<Context>,
): Check<number, Context> {
  return (value, key, context) => {
    const [fallback, min, max] = [byDefault, least, most].map((bound) =>
      typeof bound === 'number' ? bound : bound(context),
    ) as [number, number, number];
    if (value === undefined) return fallback;
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
      throw invalidArg(`option '${key}'`, `an integer of ${min} to ${max} (${unit})`, value);
    }
    return value;
  };
}

/** A check for one of some values, of which the first one is the default. */
export function oneOf<const T extends string>(...values: readonly [T, ...T[]]): Check<T> {
  return (value, key) => {
    if (value === undefined) return values[0];
    if (values.includes(value as T)) return value as T;
    throw invalidArg(`option '${key}'`, values.map((v) => `'${v}'`).join(' or '), value);
  };
}

/** A check for the name of a pool; by default `'prefix-N'`, counted in each thread. */
export function poolName(prefix: string): Check<string> {
  let made = 0;
  return (value, key) => {
    if (value === undefined) return `${prefix}-${++made}`;
    if (typeof value !== 'string' || value === '') throw invalidArg(`option '${key}'`, 'a non-empty string', value);
    return value;
  };
}

/** Checks for the options of every kind of pool that say which leases are tracked. */
export const TRACKING = {
  leakDetection: oneOf('sampled', 'off', 'full'),
  leakSampleRate: integer('leases', 4096, 1, 2 ** 31),
};
