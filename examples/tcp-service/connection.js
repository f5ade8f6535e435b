/** @import { Lease, ReceivedLease } from 'slabpool' */
/** @import { Socket } from 'node:net' */
/** @import { Intake } from './intake.js' */
/** @import { Lane } from './lane.js' */
import { ABORT, BLOCK, END, FAILED, noticeIn, seal } from './protocol.js';

const NOTHING = Buffer.alloc(0);

/** How long a client that was told of its error may take to hang up: a reset at once could overtake what it was told. */
const LINGER_MS = 1000;

/**
 * A client's socket, between its worker's channel and the replies.
 *
 * It stops reading while a chunk is not copied (no block, or the channel is full) and while the client does not read its
 * replies. So it holds at most one block to fill, what Node.js has read meanwhile, and the replies to what was sent before.
 */
export class Connection {
  #socket;
  #stream;
  #lane;
  #intake;
  #onDone;
  /** @type {Lease | null} the block that is being filled; ours until it is sent */
  #lease = null;
  #used = 0;
  /** @type {Buffer} what of the last chunk is not copied yet */
  #rest = NOTHING;
  /** The notice that ends the stream, once nothing is to be read any more. */
  #last = 0;
  #noticed = false;
  #waiting = false;
  #sending = false;
  #flushing = false;
  /** Replies that the socket has not written yet: their blocks are not ours to release before. */
  #writing = 0;
  /** The worker has forgotten the stream. */
  #answered = false;
  #closed = false;
  /** @type {NodeJS.Timeout | undefined} */
  #linger;

  /**
   * @param {Socket} socket
   * @param {number} stream its number
   * @param {Lane} lane of the worker that gets all of it, so that its bytes stay in order
   * @param {Intake} intake
   * @param {number} stallMs
   * @param {() => void} onDone the socket is closed, the worker has forgotten the stream, and no block is held
   */
  constructor(socket, stream, lane, intake, stallMs, onDone) {
    this.#socket = socket;
    this.#stream = stream;
    this.#lane = lane;
    this.#intake = intake;
    this.#onDone = onDone;
    socket
      .on('data', (chunk) => this.#take(/** @type {Buffer} */ (chunk)))
      .on('end', () => this.#finish(END))
      .on('drain', () => this.#advance())
      .on('timeout', () => {
        // It does not read, and so keeps blocks from all others. One that is silent keeps nothing.
        if (this.#writing > 0) socket.destroy();
      })
      // A reset, mostly. What follows is 'close'.
      .on('error', () => {})
      .on('close', () => {
        this.#closed = true;
        clearTimeout(this.#linger);
        this.#finish(ABORT);
        this.#settle();
      });
    socket.setTimeout(stallMs);
  }

  /** @param {ReceivedLease} lease from the worker; ours from here on */
  deliver(lease) {
    const notice = noticeIn(lease);
    if (notice === 0) {
      this.#write(lease);
      return;
    }
    lease.release();
    if (notice === FAILED) {
      this.#finish(ABORT);
      this.#linger ??= setTimeout(() => this.#socket.destroy(), LINGER_MS);
    } else {
      this.#answered = true;
      this.#socket.end();
      this.#settle();
    }
  }

  destroy() {
    this.#socket.destroy();
  }

  /** The worker is no more: nobody will answer. */
  abandon() {
    this.#answered = true;
    this.#noticed = true;
    this.#rest = NOTHING;
    this.#socket.destroy();
    if (!this.#sending) this.#drop();
    this.#settle();
  }

  /** @param {Buffer} chunk made by Node.js: accepted sockets cannot be told where to read to */
  #take(chunk) {
    // After an error of the client's: read, so that it can hang up in good order, but no more than that.
    if (this.#last !== 0) return;
    this.#rest = chunk;
    this.#advance();
  }

  /** @param {number} notice END or ABORT */
  #finish(notice) {
    if (this.#noticed) return;
    if (notice === ABORT) {
      this.#rest = NOTHING;
      if (!this.#sending) this.#used = 0;
    }
    if (this.#last !== ABORT) this.#last = notice;
    this.#advance();
  }

  /** As far as it goes: the chunk into blocks, full blocks to the worker, the notice after the last one. */
  #advance() {
    while (!this.#sending && !this.#waiting && !this.#noticed && (this.#rest.length > 0 || this.#last !== 0)) {
      this.#lease ??= this.#intake.take((lease) => this.#lent(lease));
      if (this.#lease === null) this.#waiting = true;
      else if (this.#rest.length > 0) this.#copy(this.#lease);
      else if (this.#used > 0) this.#send(this.#used);
      else {
        this.#noticed = true;
        seal(this.#lease, this.#last);
        this.#send(0);
      }
    }
    if (this.#used > 0 && !this.#sending) this.#flushLater();
    const full = this.#rest.length > 0 || this.#socket.writableNeedDrain;
    if (full && this.#last === 0) this.#lane.pause(this.#socket);
    else this.#socket.resume();
  }

  /** All chunks of this turn of the event loop share a block, which does not wait for those of the next. */
  #flushLater() {
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => {
      this.#flushing = false;
      if (this.#used > 0 && !this.#sending) this.#send(this.#used);
    });
  }

  /** @param {Lease} lease */
  #lent(lease) {
    this.#waiting = false;
    this.#lease = lease;
    if (this.#answered) {
      this.#drop();
      this.#settle();
    } else this.#advance();
  }

  /**
   * The one copy on the way in.
   *
   * @param {Lease} lease
   */
  #copy(lease) {
    const copied = this.#rest.copy(lease.bytes, this.#used);
    this.#rest = this.#rest.subarray(copied);
    this.#used += copied;
    if (this.#used === BLOCK) this.#send(BLOCK);
  }

  /** @param {number} length */
  #send(length) {
    const lease = /** @type {Lease} */ (this.#lease);
    if (this.#lane.trySend(lease, length, this.#stream)) {
      this.#sent();
      return;
    }
    // The lease is ours until the promise is fulfilled, and the next block has to wait for it, or it would overtake.
    this.#sending = true;
    this.#lane.send(lease, length, this.#stream).then((sent) => {
      this.#sending = false;
      if (sent) this.#sent();
      else this.#drop();
      this.#advance();
      this.#settle();
    });
  }

  #sent() {
    this.#lease = null;
    this.#used = 0;
    this.#intake.gone();
  }

  #drop() {
    if (this.#lease === null) return;
    this.#lease.release();
    this.#sent();
  }

  /** @param {ReceivedLease} lease */
  #write(lease) {
    this.#writing++;
    // The write is asynchronous: until its callback the system may read from the block, also when the socket is destroyed
    // meanwhile. Released earlier, the block would be filled with other bytes before these are on the wire.
    this.#socket.write(lease.bytes.subarray(0, lease.length), () => {
      lease.release();
      this.#writing--;
      this.#intake.serve();
      this.#settle();
    });
    if (this.#socket.writableNeedDrain && this.#last === 0) this.#lane.pause(this.#socket);
  }

  #settle() {
    const idle = this.#lease === null && !this.#waiting && !this.#sending && this.#writing === 0;
    if (idle && this.#answered && this.#closed) this.#onDone();
  }
}
