import type { ByteWriter } from './byte-writer.js';

/** What writes values of one kind into a writer. */
export interface Encoder<T> {
  /** Writes `value` behind what `writer` has. What it throws leaves the writer with less than a whole value. */
  encode(writer: ByteWriter, value: T): void;
}
