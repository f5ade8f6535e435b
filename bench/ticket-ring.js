/** Indices into the state: apart, so that the two sides do not take a cache line from each other. */
const HEAD = 0;
const TAIL = 16;
const RECEIVER_SLEEPS = 32;
const SENDER_SLEEPS = 48;
const STATE = 64;

/** Looks at a ring that is full or empty, before going to sleep. */
const SPINS = 200;

/**
 * A queue of tickets from one thread to another as a user of bare tickets may write it: a ring of numbers in shared memory.
 * Either side spins for a while, then sleeps.
 */
export class TicketRing {
  #state;
  #tickets;
  #mask;
  #position = 0;

  /** @param {SharedArrayBuffer} memory */
  constructor(memory) {
    this.#state = new Int32Array(memory, 0, STATE);
    this.#tickets = new Float64Array(memory, STATE * 4);
    this.#mask = this.#tickets.length - 1;
  }

  /** @param {number} capacity a power of two */
  static memory(capacity) {
    return new SharedArrayBuffer(STATE * 4 + capacity * 8);
  }

  /** @param {number} ticket */
  push(ticket) {
    const position = this.#position;
    const full = (position - this.#mask - 1) | 0;
    if (Atomics.load(this.#state, HEAD) === full) this.#wait(HEAD, full, SENDER_SLEEPS);
    this.#tickets[position & this.#mask] = ticket;
    this.#advance(TAIL, RECEIVER_SLEEPS);
  }

  pop() {
    const position = this.#position;
    if (Atomics.load(this.#state, TAIL) === position) this.#wait(TAIL, position, RECEIVER_SLEEPS);
    const ticket = /** @type {number} */ (this.#tickets[position & this.#mask]);
    this.#advance(HEAD, SENDER_SLEEPS);
    return ticket;
  }

  /** @param {number} end @param {number} sleeper */
  #advance(end, sleeper) {
    this.#position = (this.#position + 1) | 0;
    Atomics.store(this.#state, end, this.#position);
    if (Atomics.load(this.#state, sleeper) !== 0) Atomics.notify(this.#state, end);
  }

  /** @param {number} end @param {number} until it is no longer this @param {number} sleeper */
  #wait(end, until, sleeper) {
    for (let i = 0; i < SPINS; i++) {
      if (Atomics.load(this.#state, end) !== until) return;
    }
    Atomics.store(this.#state, sleeper, 1);
    while (Atomics.load(this.#state, end) === until) Atomics.wait(this.#state, end, until);
    Atomics.store(this.#state, sleeper, 0);
  }
}
