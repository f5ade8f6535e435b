import { invalidArg, SlabPoolError } from '../errors.js';

const NONE: object = Object.freeze(Object.create(null));

/**
 * Checks the options that a caller gave, and returns each, read once, in an object without a prototype: what stands in
 * `Object.prototype` is no option.
 * @param what the public function that was called, as in `acquireAsync(size, options)`
 * @throws `ERR_SLABPOOL_INVALID_ARG` for what is no object, or has an option that there is not
 */
export function checkOptions<T extends object>(
  what: string,
  given: T | undefined,
  known: readonly (keyof T & string)[],
  pool?: string,
): Partial<T> {
  if (given === undefined) return NONE as Partial<T>;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw invalidArg(what, `an object with none but the options ${known.join(', ')}`, given, pool);
  }
  const options: Partial<T> = Object.create(null);
  for (const key of Object.keys(given) as (keyof T & string)[]) {
    if (!known.includes(key)) {
      throw new SlabPoolError(
        'ERR_SLABPOOL_INVALID_ARG',
        `${what}: there is no option '${key}': expected only ${known.join(', ')}`,
        pool === undefined ? {} : { pool },
      );
    }
    options[key] = given[key];
  }
  return options;
}
