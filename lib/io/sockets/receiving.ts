import type { Socket } from 'node:net';
import type { Bytes } from '../../base/runtime.js';
import type { BufferPool } from '../../pool.js';
import { NO_BYTES } from '../byte-window.js';
import { ReceivedBytes } from './received-bytes.js';
import type { Receiver, Waits } from './receiver.js';
import { type Reading, sharedBuffer } from './user-buffer.js';

/** What is missing of a frame is read straight into its lease from so many bytes on: below, a copy costs less than a read. */
const STRAIGHT_BYTES = 32 * 1024;

/**
 * One connection's way from its socket to its receiver.
 *
 * What       Calls `data()` when what it asked for is there; between two reads, keeps what is left. Where the pool has no lease for
 *            that, or for `take()`, the socket is paused, and what came lies in memory of no pool until there is one: nobody who
 *            waits holds a lease.
 * Callers    The socket: by `onread` ({@link Reading}), or {@link copied} and {@link inputEnded}.
 * Ownership  The window's leases, until the socket is closed. No read goes on outside of the calls of the socket.
 */
export class Receiving implements Reading {
  readonly #window: ReceivedBytes;
  readonly #waits: Waits;
  #socket: Socket | null = null;
  #receiver: Receiver | null = null;
  /** Ends the wait for a lease. */
  #waiting: AbortController | null = null;
  /** Bytes that lie in memory of no pool. */
  #savedBytes = 0;
  #copying = false;
  /** Whether the socket's user had paused it before this did, which must not resume it then. */
  #wasPaused = false;
  #inputEnded = false;
  /** Whether the socket would have ended itself while a lease was waited for. */
  #endsLate = false;
  /** Whether it was closed then, with everything sent and received. */
  #closesLate = false;
  #closed = false;

  constructor(pool: BufferPool, maxLength: number, waits: Waits) {
    this.#window = new ReceivedBytes(pool, maxLength);
    this.#waits = waits;
  }

  /** The socket's events are listened to from now on. */
  attach(socket: Socket, receiver: Receiver): void {
    this.#socket = socket;
    this.#receiver = receiver;
    // Before Node's own listener, which asks whether the socket can be half open.
    socket.prependListener('end', () => this.#ended());
    socket.on('close', () => this.#close());
    if (receiver.error !== undefined) socket.on('error', (error) => receiver.error?.(error));
  }

  next(): Uint8Array {
    return this.#window.rest(STRAIGHT_BYTES) ?? sharedBuffer();
  }

  read(length: number, bytes: Uint8Array): boolean {
    if (this.#closed) return false;
    const shared = sharedBuffer();
    if (bytes === shared) this.#arrived(shared, length);
    else {
      const window = this.#window;
      window.end += length;
      if (window.length >= window.needed) {
        if (this.#deliver()) this.#keep(NO_BYTES, 0, 0);
        else if (this.#waiting !== null) this.#save(NO_BYTES, 0, 0);
      }
    }
    return this.#waiting === null && !this.#closed;
  }

  /** Bytes that the socket gave away. */
  copied(bytes: Bytes): void {
    if (this.#closed) return;
    this.#copying = true;
    const waited = this.#waiting !== null;
    this.#arrived(bytes, bytes.length);
    const socket = this.#socket;
    if (waited || this.#waiting === null || socket === null) return;
    this.#wasPaused = socket.isPaused();
    socket.pause();
  }

  #arrived(bytes: Bytes, length: number): void {
    if (this.#waiting !== null) this.#save(bytes, 0, length);
    else this.#go(bytes, 0, length);
  }

  /** Bytes come behind those that are there. */
  #go(bytes: Bytes, start: number, end: number): void {
    const window = this.#window;
    let at = start;
    while (at < end) {
      const carried = window.length > 0;
      let filled = end - at;
      if (carried) filled = window.fill(bytes, at, end);
      else window.borrow(bytes, at, end);
      at += filled;
      if (window.length >= window.needed && !this.#deliver()) {
        if (this.#waiting !== null) this.#save(bytes, at, end);
        return;
      }
      const { length } = window;
      if (carried && length <= filled) {
        // Nothing is left of what was carried, so that the rest needs no copy.
        window.drop();
        at -= length;
      } else if (!this.#keep(bytes, at, end)) return;
    }
  }

  /**
   * Calls the receiver.
   * @returns whether it goes on from there: there may be a wait now, for what it wanted to take, or an end
   */
  #deliver(): boolean {
    const window = this.#window;
    window.needed = 0;
    try {
      this.#receiver?.data(window);
      if (!window.ended) window.read(Math.max(window.needed, window.length + 1));
    } catch (error) {
      window.needed = 0;
      return this.#failed(error);
    }
    if (this.#dropped) this.#release();
    return !this.#closed;
  }

  /**
   * What is left stays until more comes.
   * @returns whether more may come now
   */
  #keep(bytes: Bytes, at: number, end: number): boolean {
    const window = this.#window;
    if (window.length === 0) {
      window.drop();
      return true;
    }
    try {
      window.keep();
    } catch (error) {
      this.#failed(error);
      if (this.#waiting !== null) this.#save(bytes, at, end);
      return false;
    }
    return true;
  }

  #save(bytes: Bytes, at: number, end: number): void {
    const window = this.#window;
    window.save(bytes, at, end);
    this.#waits.bytes += window.length - this.#savedBytes;
    this.#savedBytes = window.length;
  }

  /** @returns false */
  #failed(error: unknown): false {
    const { refusal } = this.#window;
    this.#window.refusal = null;
    if (refusal === null || refusal.error !== error || this.#dropped) this.#fail(error as Error);
    else this.#wait(refusal.bytes);
    return false;
  }

  #wait(size: number): void {
    const window = this.#window;
    const waiting = new AbortController();
    this.#waiting = waiting;
    this.#waits.connections++;
    window.pool.acquireAsync(size, { signal: waiting.signal }).then(
      (lease) => {
        if (this.#waiting !== waiting) {
          lease[Symbol.dispose]();
          return;
        }
        window.reserve(lease);
        this.#goOn();
      },
      (error) => {
        if (this.#waiting === waiting) this.#fail(error);
      },
    );
  }

  #noWait(): void {
    if (this.#waiting === null) return;
    this.#waiting = null;
    this.#waits.connections--;
    this.#waits.bytes -= this.#savedBytes;
    this.#savedBytes = 0;
  }

  #goOn(): void {
    const window = this.#window;
    const { bytes, start, end } = window;
    this.#noWait();
    if (this.#dropped) this.#release();
    else if (window.ended) this.#finish();
    else {
      // Which lie in memory of no pool.
      window.drop();
      this.#go(bytes, start, end);
    }
    if (this.#closed || this.#waiting !== null) return;
    window.reserve(null);
    if (this.#inputEnded) this.#finish();
    else this.#readOn();
  }

  #readOn(): void {
    const socket = this.#socket as Socket;
    if (!this.#copying) {
      if (!socket.isPaused()) socket.read(0);
    } else if (!this.#wasPaused) socket.resume();
  }

  #ended(): void {
    this.#inputEnded = true;
    const socket = this.#socket as Socket;
    if (this.#waiting === null) {
      if (!this.#closed) this.#finish();
    } else if (!socket.allowHalfOpen) {
      // A socket that only stops flowing may end meanwhile. What is left can still be answered.
      socket.allowHalfOpen = true;
      this.#endsLate = true;
    }
  }

  #finish(): void {
    const window = this.#window;
    window.ended = true;
    if (window.length > 0 && !this.#deliver()) {
      if (this.#waiting !== null) this.#save(NO_BYTES, 0, 0);
      return;
    }
    try {
      window.assertNothingLeft();
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    this.#release();
    try {
      this.#receiver?.end?.();
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    if (this.#endsLate) this.#socket?.end();
    if (this.#closesLate) this.#receiver?.close?.();
  }

  /** Whether the socket is destroyed, other than by itself when everything was sent and received. */
  get #dropped(): boolean {
    const { destroyed, writableFinished, errored } = this.#socket as Socket;
    return destroyed && !(this.#inputEnded && writableFinished && errored === null);
  }

  #fail(error: Error): void {
    this.#release();
    const receiver = this.#receiver;
    if (receiver?.error === undefined) this.#socket?.destroy(error);
    else {
      this.#socket?.destroy();
      receiver.error(error);
    }
    if (this.#closesLate) receiver?.close?.();
  }

  #release(): void {
    this.#closed = true;
    this.#waiting?.abort();
    this.#noWait();
    this.#window.release();
  }

  #close(): void {
    if (this.#waiting !== null && !this.#dropped) {
      this.#closesLate = true;
      return;
    }
    this.#release();
    this.#receiver?.close?.();
  }
}
