import { close, fstat, open, type PathLike, read } from 'node:fs';
import { promisify } from 'node:util';
import { abortReason, onAbort } from '../../base/abort.js';
import type { Lease } from '../../lease/lease.js';
import type { BufferPool } from '../../pool.js';
import { type Chunk, type ChunkSource, owned } from '../chunk.js';
import { PullSource } from '../pull-source.js';
import { endedEarly, isExhausted } from '../refusals.js';
import { checkFileOptions, descriptorOf, type FileLike, type FileOptions, type FilePart } from './file-options.js';

const openFile = promisify(open);
const closeFile = promisify(close);
const statFile = promisify(fstat);

/** What is read near the end of a file, where nothing more may come. */
const LITTLE = 8 * 1024;

/** One read, under way or done. */
class Slot {
  readonly lease: Lease;
  /** Index in the lease of the first byte. */
  readonly from: number;
  /** Bytes that it is to read. */
  readonly want: number;
  /** Offset of the first byte in the file. */
  readonly offset: number;
  filled = 0;
  done = false;
  /** Nobody wants it any more: its lease goes back when the system call has returned. */
  dropped = false;
  error: Error | null = null;

  constructor(lease: Lease, from: number, want: number, offset: number) {
    this.lease = lease;
    this.from = from;
    this.want = want;
    this.offset = offset;
  }
}

/**
 * A file as chunks, read ahead.
 *
 * What       Keeps up to `ahead` reads under way beside the one that is asked for, as far as the budget has room at once; only for the
 *            chunk that is asked for it waits for room.
 * Callers    One reader, or one iteration.
 * Ownership  A slot's lease is the source's until it is handed out; while a read is under way, it is the operating system's as well.
 */
class FileSource extends PullSource {
  readonly #file: FileLike;
  /** Of what was open already, or null. */
  readonly #given: number | null;
  readonly #part: FilePart;
  /** In the order of the file. */
  #slots: Slot[] = [];
  #underWay = 0;
  #fd = -1;
  #opened = false;
  #opening: Promise<void> | null = null;
  #seekable = true;
  /** The file's size when it was opened: a hint. */
  #size = 0;
  /** Offset that the next read begins at. */
  #next: number;
  #ended = false;
  #error: unknown;
  #failed = false;
  #closing: Promise<void> | null = null;
  /** Ends a wait for budget. */
  #waiting: AbortController | null = null;
  /** Who waits for the first slot, or for the reads that are under way. */
  #wake: (() => void) | null = null;
  #forget: (() => void) | undefined;

  constructor(pool: BufferPool, file: FileLike, part: FilePart) {
    super(pool);
    this.#file = file;
    this.#given = descriptorOf('fromFile(pool, file, options)', file, pool);
    this.#part = part;
    this.#next = part.start;
    const { signal } = part;
    if (signal?.aborted) this.#fail(abortReason(signal));
    else if (signal) this.#forget = onAbort(signal, () => this.#fail(abortReason(signal)));
  }

  pull(): Chunk | null | Promise<Chunk | null> {
    const [slot] = this.#slots;
    return slot?.done && slot.filled === slot.want && this.#closing === null ? this.#take(slot) : this.#pull();
  }

  async #pull(): Promise<Chunk | null> {
    try {
      for (;;) {
        if (this.#failed) throw this.#error;
        if (this.#closing !== null) return null;
        if (this.#fd === -1) {
          this.#opening ??= this.#open();
          await this.#opening;
          continue;
        }
        const [slot] = this.#slots;
        if (slot === undefined) {
          if (this.#ended || this.#next >= this.#part.end) return await this.#end();
          await this.#readFirst();
        } else if (!slot.done) {
          await this.#change();
        } else if (slot.error !== null) {
          throw slot.error;
        } else {
          if (slot.filled < slot.want && this.#seekable) this.#shorten(slot);
          if (slot.filled > 0) return this.#take(slot);
          this.#ended = true;
          this.#drop();
        }
      }
    } catch (error) {
      this.#fail(error);
      // A read of what is no regular file may never return.
      if (this.#seekable) await this.close();
      throw error;
    }
  }

  /** The first slot is full, or the last there is. */
  #take(slot: Slot): Chunk {
    this.#slots.shift();
    this.#readAhead();
    return owned(slot.lease, slot.from, slot.from + slot.filled);
  }

  /** The file ended in this slot: what was read behind it, of a file that grew meanwhile, is not its continuation. */
  #shorten(slot: Slot): void {
    this.#ended = true;
    this.#next = slot.offset + slot.filled;
    this.#drop(1);
  }

  async #end(): Promise<null> {
    const { end } = this.#part;
    if (end !== Infinity && this.#next < end) throw endedEarly(this.pool, this.#next, end);
    await this.close();
    return null;
  }

  async #open(): Promise<void> {
    const fd = this.#given ?? (await openFile(this.#file as PathLike, 'r'));
    this.#opened = this.#given === null;
    const found = await statFile(fd).catch(async (error) => {
      if (this.#opened) await closeFile(fd);
      throw error;
    });
    this.#seekable = found.isFile();
    this.#size = found.size;
    this.#fd = fd;
  }

  async #readFirst(): Promise<void> {
    let lease: Lease;
    const bytes = this.#blockBytes();
    try {
      lease = this.pool.acquire(bytes);
    } catch (error) {
      if (!isExhausted(error)) throw error;
      const waiting = new AbortController();
      this.#waiting = waiting;
      try {
        lease = await this.pool.acquireAsync(bytes, { signal: waiting.signal });
      } catch (reason) {
        if (waiting.signal.aborted) return;
        throw reason;
      } finally {
        this.#waiting = null;
      }
      if (this.#closing !== null || this.#failed) {
        lease.release();
        return;
      }
    }
    this.#begin(lease);
    this.#readAhead();
  }

  #readAhead(): void {
    if (!this.#seekable) return;
    const { ahead, end } = this.#part;
    const known = Math.min(end, this.#size);
    while (this.#slots.length < ahead && this.#next < known && !this.#ended && this.#closing === null) {
      let lease: Lease;
      try {
        lease = this.pool.acquire(this.#blockBytes());
      } catch {
        return; // whoever asks for it will wait, or be told
      }
      this.#begin(lease);
    }
  }

  #from(): number {
    return Math.min(this.headroom, this.#part.block >> 1);
  }

  #blockBytes(): number {
    const { block, end } = this.#part;
    if (!this.#seekable) return block;
    const left = Math.min(end, Math.max(this.#size, this.#next + LITTLE)) - this.#next;
    return Math.min(block, this.#from() + left);
  }

  #begin(lease: Lease): void {
    const from = this.#from();
    const want = Math.min(this.#blockBytes() - from, this.#part.end - this.#next);
    const slot = new Slot(lease, from, want, this.#next);
    this.#next += want;
    this.#slots.push(slot);
    this.#read(slot);
  }

  #read(slot: Slot): void {
    const { lease, from, want, offset, filled } = slot;
    this.#underWay++;
    const at = this.#seekable ? offset + filled : null;
    read(this.#fd, lease.bytes, from + filled, want - filled, at, (error, bytes) => {
      this.#underWay--;
      this.#came(slot, error, bytes);
      const wake = this.#wake;
      this.#wake = null;
      wake?.();
    });
  }

  #came(slot: Slot, error: Error | null, bytes: number): void {
    if (slot.dropped) {
      slot.lease.release();
      return;
    }
    slot.error = error;
    slot.filled += error === null ? bytes : 0;
    if (error === null && bytes > 0 && slot.filled < slot.want && this.#seekable) this.#read(slot);
    else slot.done = true;
    if (!this.#seekable) this.#next = slot.offset + slot.filled;
  }

  /** Resolves when a read has returned, or the source fails. */
  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Drops the slots from number `first` on. */
  #drop(first = 0): void {
    for (const slot of this.#slots.splice(first)) {
      if (slot.done) slot.lease.release();
      else slot.dropped = true;
    }
  }

  #fail(error: unknown): void {
    if (this.#failed || this.#closing !== null) return;
    this.#failed = true;
    this.#error = error;
    void this.close();
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  /** What was read ahead, and can be read again. */
  override shed(): void {
    const [slot] = this.#slots;
    if (slot === undefined || !this.#seekable) return;
    this.#next = slot.offset;
    this.#ended = false;
    this.#drop();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#forget?.();
    this.#waiting?.abort();
    this.#drop();
    await this.#opening?.catch(() => {});
    while (this.#underWay > 0) await this.#returned();
    if (this.#opened) await closeFile(this.#fd);
  }

  /** As {@link #change}, beside somebody who waits by that. */
  #returned(): Promise<void> {
    return new Promise((resolve) => {
      const before = this.#wake;
      this.#wake = () => {
        before?.();
        resolve();
      };
    });
  }
}

/**
 * A file as chunks, read ahead. Opened when the first chunk is asked for, and closed at the end, at an error, and when it is left early.
 * What can only be read from where it stands (a pipe) is read when each chunk is asked for.
 * @throws `ERR_SLABPOOL_INVALID_ARG`. While it is gone through: `ERR_SLABPOOL_TRUNCATED` if the file ends before `end`, the signal's
 * reason, as `acquireAsync()`, and Node's errors
 */
export function fromFile(pool: BufferPool, file: FileLike, options?: FileOptions): ChunkSource {
  return new FileSource(pool, file, checkFileOptions('fromFile(pool, file, options)', pool, options));
}
