import { types } from 'node:util';
import { invalidArg } from '../errors.js';

/** What {@link clear} empties. */
export type Clearable = Map<unknown, unknown> | Set<unknown> | unknown[];

/**
 * Empties maps, sets and arrays in place, for `reset`: they stay the same objects. What they hold is not looked at. A map or a set that
 * nobody else refers to is faster replaced by a new one.
 * @throws `ERR_SLABPOOL_INVALID_ARG` for anything else, with those before it emptied
 */
export function clear(...collections: readonly Clearable[]): void {
  for (const collection of collections) {
    if (Array.isArray(collection)) collection.length = 0;
    else if (isKeyed(collection)) collection.clear();
    else throw invalidArg('clear(...collections)', 'Maps, Sets and arrays', collection);
  }
}

/** Most are of this realm: that is told without a call into the runtime. */
function isKeyed(value: unknown): boolean {
  return value instanceof Map || value instanceof Set || types.isMap(value) || types.isSet(value);
}
