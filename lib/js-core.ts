import {
  type Core,
  type CoreClassStats,
  EXHAUSTED,
  MAX_BATCH,
  NOT_HELD,
  OUT_OF_MEMORY,
  STALE,
  STEPS,
  type Step,
} from './core.js';

const BATCH_BYTES = 128 * 1024;
const SHORT_BATCH = 4;
const BUDGET_BATCHES = 16;
/** A ticket is the block's number plus this many times the number of its tickets: and the pool's: below 2^53 for 2^20 of them. */
const TICKET_BLOCKS = 2 ** 25;
/** Tickets of a pool differ from those of the 255 pools made before and after it. */
const TICKET_POOLS = 2 ** 8;
let poolsMade = 0;

/** Where a block is, as in native/core/block.h. */
type State = 'cold' | 'free' | 'out' | 'transit' | 'retired';

interface JsBlock {
  readonly sizeClass: number;
  state: State;
  /** Tickets given out so far: the last one is good while the block is in transit. */
  tickets: number;
  /** Memory; `null` while cold, and until the block is mapped for the first time. */
  bytes: Buffer<ArrayBuffer> | null;
}

class JsClass {
  readonly batch: number;
  /** Free blocks, in use lately. */
  depot: number[] = [];
  /** Free blocks, unused for an epoch. */
  victim: number[] = [];
  /** Blocks without memory. */
  cold: number[] = [];
  carved = 0;
  resident = 0;
  out = 0;
  transit = 0;
  retired = 0;
  readonly refills = Object.fromEntries(STEPS.map((step) => [step, 0])) as Record<Step, number>;

  constructor(
    readonly capacity: number,
    maxBytes: number,
  ) {
    const within = (bytes: number) => Math.min(bytes, maxBytes / BUDGET_BATCHES) / capacity;
    const most = Math.max(within(BATCH_BYTES), Math.min(within(2 * BATCH_BYTES), SHORT_BATCH));
    this.batch = Math.min(MAX_BATCH, 2 ** Math.floor(Math.log2(Math.max(1, most))));
  }
}

/**
 * The core without an addon: one thread, memory from V8, the same books as the native core. What it cannot do is align
 * blocks, give pages back while their views stay valid, or show one block to several threads.
 */
export class JsCore implements Core {
  readonly exchange = new Uint32Array(2 * MAX_BATCH);
  readonly address = null;
  readonly #classes: JsClass[];
  readonly #blocks: JsBlock[] = [];
  readonly #maxBytes: number;
  #residentBytes = 0;
  readonly #number = poolsMade++ % TICKET_POOLS;

  constructor(capacities: readonly number[], maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#classes = capacities.map((capacity) => new JsClass(capacity, maxBytes));
  }

  batch(sizeClass: number): number {
    return this.#class(sizeClass).batch;
  }

  refill(sizeClass: number): number {
    const k = this.#class(sizeClass);
    for (const step of ['depot', 'victim'] as const) {
      if (k[step].length !== 0) return this.#handOut(k, step, k[step], k.batch);
    }
    const room = Math.floor((this.#maxBytes - this.#residentBytes) / k.capacity);
    if (room === 0) return EXHAUSTED;
    const step = k.cold.length === 0 ? 'slab' : 'cold';
    if (step === 'slab') this.#carve(k, sizeClass, Math.min(room, k.batch));
    return this.#handOut(k, step, k.cold, Math.min(room, k.batch));
  }

  #carve(k: JsClass, sizeClass: number, count: number): void {
    for (let i = 0; i < count; i++) {
      k.cold.push(this.#blocks.push({ sizeClass, state: 'cold', tickets: 0, bytes: null }) - 1);
    }
    k.carved += count;
  }

  #handOut(k: JsClass, step: Step, from: number[], most: number): number {
    const count = Math.min(most, from.length);
    for (let i = 0; i < count; i++) {
      const index = from.pop() as number;
      const block = this.#blocks[index] as JsBlock;
      if (block.state === 'cold') {
        try {
          block.bytes = Buffer.from(new ArrayBuffer(k.capacity));
        } catch {
          from.push(index);
          if (i === 0) return OUT_OF_MEMORY;
          return this.#count(k, step, i);
        }
        this.#residentBytes += k.capacity;
        k.resident++;
      }
      block.state = 'out';
      this.exchange[i] = index;
    }
    return this.#count(k, step, count);
  }

  #count(k: JsClass, step: Step, count: number): number {
    k.refills[step]++;
    k.out += count;
    return count;
  }

  flush(sizeClass: number, count: number): number {
    const k = this.#class(sizeClass);
    let status = 0;
    for (let i = 0; i < count; i++) {
      const index = this.exchange[i] as number;
      if (!this.holds(sizeClass, index)) {
        status = NOT_HELD;
        continue;
      }
      (this.#blocks[index] as JsBlock).state = 'free';
      k.depot.push(index);
      k.out--;
    }
    return status;
  }

  map(sizeClass: number, block: number): Buffer<ArrayBuffer> {
    if (!this.holds(sizeClass, block)) throw new Error(`block ${block} is not held`);
    return (this.#blocks[block] as JsBlock).bytes as Buffer<ArrayBuffer>;
  }

  holds(sizeClass: number, block: number): boolean {
    const it = this.#blocks[block];
    return it !== undefined && it.state === 'out' && it.sizeClass === sizeClass;
  }

  retire(sizeClass: number, block: number): number {
    if (!this.holds(sizeClass, block)) return NOT_HELD;
    const it = this.#blocks[block] as JsBlock;
    it.state = 'retired';
    it.bytes = null;
    const k = this.#class(sizeClass);
    k.out--;
    k.retired++;
    return 0;
  }

  transfer(sizeClass: number, block: number): number {
    if (!this.holds(sizeClass, block)) return NOT_HELD;
    const it = this.#blocks[block] as JsBlock;
    const k = this.#class(sizeClass);
    it.state = 'transit';
    it.tickets++;
    k.out--;
    k.transit++;
    return (it.tickets * TICKET_POOLS + this.#number) * TICKET_BLOCKS + block;
  }

  adopt(ticket: number): number {
    const block = ticket % TICKET_BLOCKS;
    const it = this.#blocks[block];
    const rest = Math.floor(ticket / TICKET_BLOCKS);
    if (it?.state !== 'transit' || rest !== it.tickets * TICKET_POOLS + this.#number) return STALE;
    const k = this.#class(it.sizeClass);
    it.state = 'out';
    k.transit--;
    k.out++;
    this.exchange[0] = block;
    this.exchange[MAX_BATCH] = it.sizeClass;
    return 0;
  }

  detach(buffer: ArrayBuffer): void {
    structuredClone(buffer, { transfer: [buffer] });
  }

  get residentBytes(): number {
    return this.#residentBytes;
  }

  trim(): number {
    return this.age() + this.age();
  }

  age(): number {
    let bytes = 0;
    for (const k of this.#classes) {
      for (const index of k.victim) {
        const block = this.#blocks[index] as JsBlock;
        block.state = 'cold';
        block.bytes = null;
        k.cold.push(index);
      }
      k.resident -= k.victim.length;
      bytes += k.victim.length * k.capacity;
      k.victim = k.depot;
      k.depot = [];
    }
    this.#residentBytes -= bytes;
    return bytes;
  }

  stats(): CoreClassStats[] {
    return this.#classes.map(({ carved, resident, out, transit, retired, refills, capacity }) => ({
      carved,
      resident,
      out,
      transit,
      resting: 0,
      retired,
      slabs: 0,
      refills: STEPS.map((step) => refills[step]),
      stride: capacity,
    }));
  }

  checkInvariants(): string | null {
    const found = this.#blocks.map(() => 0);
    for (const k of this.#classes) {
      for (const [list, state] of [
        [k.depot, 'free'],
        [k.victim, 'free'],
        [k.cold, 'cold'],
      ] as const) {
        for (const index of list) {
          found[index]++;
          if (this.#blocks[index]?.state !== state) return "a block's state is not that of the list it is in";
        }
      }
      if (k.resident !== k.out + k.transit + k.depot.length + k.victim.length + k.retired)
        return 'resident != out + transit + cached + retired';
      if (k.carved !== k.resident + k.cold.length) return 'carved != resident + cold';
    }
    const wrong = this.#blocks.some(({ state }, i) => found[i] !== (state === 'free' || state === 'cold' ? 1 : 0));
    if (wrong) return 'a block is not in exactly one place';
    const bytes = this.#classes.reduce((sum, k) => sum + k.resident * k.capacity, 0);
    return bytes === this.#residentBytes && bytes <= this.#maxBytes ? null : 'the budget does not add up';
  }

  close(): void {
    for (const { bytes } of this.#blocks) {
      if (bytes !== null && bytes.length > 0) bytes.fill(0); // A detached one has a length of 0, and fill would throw.
    }
    this.#blocks.length = 0;
  }

  #class(sizeClass: number): JsClass {
    const k = this.#classes[sizeClass];
    if (k === undefined) throw new RangeError(`size class ${sizeClass} is out of range`);
    return k;
  }
}
