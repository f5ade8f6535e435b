import type { Bytes } from '../../base/runtime.js';
import { invalidArg, type SlabPoolError } from '../../errors.js';
import { NO_BYTES } from '../byte-window.js';
import type { ByteWriter } from './byte-writer.js';
import type { Encoder } from './encoder.js';

/** Let `pack()` return what it wrote into, with the indices `start` and `end` in it. */
const REUSE_BUFFER_MODE = 512;
/** Leave as many bytes as the lowest eight bits say before the value. */
const RESERVE_START_SPACE = 2048;
/** `pack()` begins where a multiple of so many bytes is. */
const ALIGNMENT = 8;
/** `pack()` allocates where less is left behind the position, and aligns that to eight bytes. */
const ROOM = 0x800 + 10 + 8;
/** Bytes of the buffers that `pack()` allocates. */
const OWN_BYTES = 8192;
/** Of what `pack()` has allocated for a long value, so much at most is kept for the next ones. */
const KEPT_BYTES = 4 * 2 ** 20;
/** Values in a row that would have fitted into their segments, until it is not kept any longer. */
const FITTING = 256;

/** What this needs of a `Packr` of `msgpackr`. */
export interface PackrLike {
  /** The value as bytes. */
  pack(value: unknown, options?: number): Uint8Array;
  /** Where it packs to from now on. */
  useBuffer(buffer: Bytes): void;
}

/** Whether some value is being packed here: its getters and extensions may want to pack others. */
let packing = false;

interface Packed extends Uint8Array {
  start?: number;
  end?: number;
}

/**
 * What writes values by `msgpackr` into the segments of a writer.
 *
 * Where it packs is one variable for all that `msgpackr` does in a thread. So after each value a buffer stands there in which there is
 * no room: the next `pack()` of somebody else allocates one, and writes neither into the writer's memory nor over what it gave out.
 *
 * A value that its segment has no room for is packed into memory of the encoder's own, and copied. While such values come, it keeps that,
 * up to 4 MiB.
 * @param packr without `bundleStrings`
 * @throws `ERR_SLABPOOL_INVALID_ARG`
 */
export function msgpackrEncoder<T = unknown>(packr: PackrLike): Encoder<T> {
  if (typeof packr?.pack !== 'function' || typeof packr.useBuffer !== 'function' || !('position' in packr)) {
    throw invalidArg('msgpackrEncoder(packr)', 'a Packr of msgpackr', packr);
  }
  return new MsgpackrEncoder(packr as PackrLike & { position: number });
}

class MsgpackrEncoder implements Encoder<unknown> {
  readonly #packr: PackrLike & { position: number };
  /** What stands there after each value; and what those are packed into for which the segment may have no room, to be copied. */
  readonly #spent = Buffer.alloc(OWN_BYTES) as Bytes;
  /** What `pack()` has allocated for a value that was too long for its segment: all are packed into it while such values come. */
  #kept: Bytes | null = null;
  /** Values since then that would have fitted, in a row. */
  #fitting = 0;
  /** The segment that {@link #view} is of. */
  #segment: Bytes = NO_BYTES;
  /** One of its own for each segment, since `msgpackr` leaves properties there. */
  #view: Bytes = NO_BYTES;

  constructor(packr: PackrLike & { position: number }) {
    this.#packr = packr;
  }

  encode(writer: ByteWriter, value: unknown): void {
    const packr = this.#packr;
    if (packing) {
      writer.write(packr.pack(value));
      return;
    }
    const { bytes, position } = writer;
    const room = bytes.length - position;
    let view: Bytes | null = null;
    let before = 0;
    if (this.#kept === null && room >= ROOM) {
      view = bytes === this.#segment && bytes.buffer === this.#view.buffer ? this.#view : this.#viewOf(bytes);
      packr.useBuffer(view);
      // So that the value begins at `position`, aligned or not.
      before = position % ALIGNMENT;
      packr.position = position - before;
    } else {
      packr.useBuffer(this.#kept ?? this.#spent);
    }
    let packed: Packed;
    packing = true;
    try {
      packed = packr.pack(value, REUSE_BUFFER_MODE | RESERVE_START_SPACE | before) as Packed;
    } finally {
      packing = false;
      this.#spend();
    }
    if (writer.bytes !== bytes || writer.position !== position) throw meddled(writer);
    // Without indices, if structured cloning has made a piece of its own.
    const start = (packed.start ?? 0) + before;
    const end = packed.end ?? packed.length;
    if ((packed as Uint8Array) === view && end <= writer.limit) {
      writer.position = end;
      return;
    }
    const size = end - start;
    if (size > OWN_BYTES && size + ROOM > room) this.#keep(packed);
    else if (this.#kept !== null && ++this.#fitting === FITTING) this.#kept = null;
    writer.write(packed.subarray(start, end));
  }

  #keep(packed: Packed): void {
    // Not what structured cloning has put together, nor the segment, which `limit` may end before.
    const own = packed.end !== undefined && packed !== (this.#view as Uint8Array);
    this.#kept = own && packed.length <= KEPT_BYTES ? (packed as Bytes) : null;
    this.#fitting = 0;
  }

  #viewOf(bytes: Bytes): Bytes {
    this.#segment = bytes;
    this.#view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    return this.#view;
  }

  #spend(): void {
    this.#packr.useBuffer(this.#spent);
    this.#packr.position = OWN_BYTES;
  }
}

function meddled({ pool }: ByteWriter): SlabPoolError {
  return invalidArg(
    'encode(writer, value)',
    'a value whose getters and extensions leave the writer alone',
    'others',
    pool.name,
  );
}
