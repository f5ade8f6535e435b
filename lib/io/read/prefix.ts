import { invalidArg } from '../../errors.js';
import type { Measure } from './framed-batch.js';

/** How the length stands before a record. */
export interface PrefixOptions {
  /** Bytes of the length, which is unsigned: 1, 2 or 4. Default: 4. */
  prefix?: 1 | 2 | 4;
  /** Default: `'be'`, the order of network protocols. */
  endian?: 'be' | 'le';
  /** Whether the length counts its own bytes as well. Default: false. */
  inclusive?: boolean;
}

/** @throws `ERR_SLABPOOL_INVALID_ARG` */
export function prefixMeasure(
  what: string,
  { prefix = 4, endian = 'be', inclusive = false }: PrefixOptions,
): { measure: Measure; header: number } {
  const read = READERS[`${prefix}${endian}`];
  if (read === undefined) {
    if (endian === 'be' || endian === 'le') throw invalidArg(`${what}, option 'prefix'`, '1, 2 or 4 (bytes)', prefix);
    throw invalidArg(`${what}, option 'endian'`, "'be' or 'le'", endian);
  }
  if (typeof inclusive !== 'boolean') throw invalidArg(`${what}, option 'inclusive'`, 'a boolean', inclusive);
  const also = inclusive ? 0 : prefix;
  const measure: Measure = (bytes, start, end) => {
    if (end - start < prefix) return 0;
    const length = read(bytes, start) + also;
    return length >= prefix ? length : -1;
  };
  return { measure, header: prefix };
}

const READERS: Readonly<Record<string, (bytes: Uint8Array, at: number) => number>> = {
  '1be': (bytes, at) => bytes[at] as number,
  '1le': (bytes, at) => bytes[at] as number,
  '2be': (bytes, at) => ((bytes[at] as number) << 8) | (bytes[at + 1] as number),
  '2le': (bytes, at) => ((bytes[at + 1] as number) << 8) | (bytes[at] as number),
  '4be': (bytes, at) =>
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0,
  '4le': (bytes, at) =>
    (((bytes[at + 3] as number) << 24) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 1] as number) << 8) |
      (bytes[at] as number)) >>>
    0,
};
