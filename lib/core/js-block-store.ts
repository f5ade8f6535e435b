import { type Bytes, now } from '../base/runtime.js';
import {
  CAUSES,
  type Cause,
  type CoreClassStats,
  type CoreInFlight,
  type CoreOptions,
  type CoreThreadStats,
  type CoreTotals,
  EXHAUSTED,
  MAX_BATCH,
  OUT_OF_MEMORY,
  STEP,
  STEPS,
  type Step,
} from './core.js';
import { ownMemory } from './runtime-memory.js';

const KIB = 1024;
/** A ticket is the block's number, plus this many times the number of the hand-over: below 2^53. */
export const TICKET_BLOCKS = 2 ** 25;
/** Hand-overs of a block are counted from a random number on, and modulo this one. So tickets of other pools are good by chance only. */
export const HAND_OVERS = 2 ** 28;
const BATCH_BYTES = 128 * KIB;
const SHORT_BATCH = 4;
const BUDGET_BATCHES = 16;
/** The state of a block, by the native core's names. */
type State = 'cold' | 'free' | 'held' | 'in flight' | 'retired';

/** A block of the TypeScript core. */
export interface JsBlock {
  readonly sizeClass: number;
  state: State;
  /** Number of the last hand-over: that ticket is good while the block is in flight. */
  handOver: number;
  /** When the last ticket was made. */
  sentAt: number;
  /** What the last ticket's sender used, in bytes. */
  size: number;
  /** Memory; `null` while cold, and once it was disowned. */
  bytes: Bytes | null;
}

/** A tier of the TypeScript core: where its blocks are, and what they did. */
export class JsClass {
  readonly batch: number;
  /** Free blocks, in use lately. */
  depot: number[] = [];
  /** Free blocks, unused for an epoch. */
  victim: number[] = [];
  /** Blocks without memory. */
  cold: number[] = [];
  carved = 0;
  resident = 0;
  held = 0;
  inFlight = 0;
  retired = 0;
  /** Blocks in the magazine, as published. */
  cached = 0;
  acquires = 0;
  peakResidentBytes = 0;
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
 * The block store has the blocks of the TypeScript core: where each is, and the figures, which add up as the native
 * core's do.
 *
 * Callers   {@link JsCore}, which knows who holds what and who waits.
 * Identity  Per class, resident == held + in flight + depot + victim + retired, and carved == resident + cold. Each
 *           free or cold block is in exactly one list. `residentBytes` == sum of resident * capacity, and <=
 *           `maxBytes`.
 */
export class JsBlockStore {
  readonly classes: readonly JsClass[];
  readonly blocks: JsBlock[] = [];
  readonly maxBytes: number;
  residentBytes = 0;
  readonly totals: CoreTotals = {
    waits: 0,
    waiting: 0,
    peakWaiting: 0,
    peakResidentBytes: 0,
    refused: 0,
    dropped: CAUSES.map(() => 0),
    dropCalls: 0,
  };

  readonly #exchange: Uint32Array;
  readonly #minBytes: number;

  constructor({ tiers, maxBytes, minBytes }: Omit<CoreOptions, 'epochMs'>, exchange: Uint32Array) {
    this.#exchange = exchange;
    this.maxBytes = maxBytes;
    this.#minBytes = minBytes;
    this.classes = tiers.map((capacity) => new JsClass(capacity, maxBytes));
  }

  class(sizeClass: number): JsClass {
    const k = this.classes[sizeClass];
    if (k === undefined) throw new RangeError(`size class ${sizeClass} is out of range`);
    return k;
  }

  /** How many more blocks of the class the budget has room for. */
  room(k: JsClass): number {
    return Math.floor((this.maxBytes - this.residentBytes) / k.capacity);
  }

  /** Charges the budget for `count` blocks that have memory from now on. */
  charge(k: JsClass, count: number): void {
    this.residentBytes += count * k.capacity;
    k.resident += count;
    k.peakResidentBytes = Math.max(k.peakResidentBytes, k.resident * k.capacity);
    this.totals.peakResidentBytes = Math.max(this.totals.peakResidentBytes, this.residentBytes);
  }

  threads(): CoreThreadStats[] {
    const all = this.stats();
    const sum = (figure: (k: CoreClassStats) => number) => all.reduce((total, k) => total + figure(k), 0);
    return [
      {
        index: 0,
        held: sum((k) => k.held),
        heldBytes: sum((k) => k.held * k.stride),
        cached: sum((k) => k.cached),
        cachedBytes: sum((k) => k.cached * k.stride),
        acquires: sum((k) => k.acquires),
        refills: STEPS.map((_, i) => sum((k) => k.refills[i] as number)),
        here: true,
      },
    ];
  }

  inFlight(): CoreInFlight[] {
    const sent = this.blocks.filter(({ state }) => state === 'in flight');
    if (sent.length === 0) return [];
    const oldestMs = now() - sent.reduce((first, { sentAt }) => Math.min(first, sentAt), Infinity);
    return [{ sender: 0, count: sent.length, oldestMs, here: true }];
  }

  stats(): CoreClassStats[] {
    return this.classes.map((k) => ({
      carved: k.carved,
      resident: k.resident,
      held: k.held,
      inFlight: k.inFlight,
      quarantined: 0,
      retired: k.retired,
      slabs: 0,
      victim: k.victim.length,
      peakResidentBytes: k.peakResidentBytes,
      residentBytes: k.resident * k.capacity,
      pinnedBytes: 0,
      cached: k.cached,
      acquires: k.acquires,
      refills: STEPS.map((step) => k.refills[step]),
      stride: k.capacity,
    }));
  }

  checkInvariants(): string | null {
    const found = this.blocks.map(() => 0);
    for (const k of this.classes) {
      for (const [list, state] of [
        [k.depot, 'free'],
        [k.victim, 'free'],
        [k.cold, 'cold'],
      ] as const) {
        for (const index of list) {
          found[index]++;
          if (this.blocks[index]?.state !== state) return "a block's state is not that of the list it is in";
        }
      }
      if (k.resident !== k.held + k.inFlight + k.depot.length + k.victim.length + k.retired)
        return 'resident != held + in flight + cached + retired';
      if (k.carved !== k.resident + k.cold.length) return 'carved != resident + cold';
    }
    const wrong = this.blocks.some(({ state }, i) => found[i] !== (state === 'free' || state === 'cold' ? 1 : 0));
    if (wrong) return 'a block is not in exactly one place';
    const bytes = this.classes.reduce((sum, k) => sum + k.resident * k.capacity, 0);
    return bytes === this.residentBytes && bytes <= this.maxBytes ? null : 'the budget does not add up';
  }

  /** Hands up to `most` blocks out into `exchange`: how many, or why none. */
  refill(k: JsClass, sizeClass: number, most: number): number {
    for (const step of ['depot', 'victim'] as const) {
      if (k[step].length !== 0) return this.#count(k, step, this.handOut(k, k[step], most));
    }
    const room = this.room(k);
    if (room === 0) return EXHAUSTED;
    const step = k.cold.length === 0 ? 'slab' : 'cold';
    if (step === 'slab') this.carve(k, sizeClass, Math.min(room, k.batch));
    return this.#count(k, step, this.handOut(k, k.cold, Math.min(room, most)));
  }

  /** Makes new blocks, without memory. */
  carve(k: JsClass, sizeClass: number, count: number): void {
    for (let i = 0; i < count; i++) {
      const handOver = Math.floor(Math.random() * HAND_OVERS);
      k.cold.push(this.blocks.push({ sizeClass, state: 'cold', handOver, sentAt: 0, size: 0, bytes: null }) - 1);
    }
    k.carved += count;
  }

  /** Up to `most` blocks of a list are held from now on, and in `exchange`: how many, or {@link OUT_OF_MEMORY}. */
  handOut(k: JsClass, from: number[], most: number): number {
    const count = Math.min(most, from.length);
    for (let i = 0; i < count; i++) {
      const index = from.pop() as number;
      const block = this.blocks[index] as JsBlock;
      if (block.bytes === null) {
        try {
          block.bytes = ownMemory(Buffer.from(new ArrayBuffer(k.capacity)));
        } catch {
          from.push(index);
          return i === 0 ? OUT_OF_MEMORY : i;
        }
      }
      if (block.state === 'cold') this.charge(k, 1);
      block.state = 'held';
      k.held++;
      this.#exchange[i] = index;
    }
    return count;
  }

  /** Counts a refill that was served, unless there was no memory. */
  #count(k: JsClass, step: Step, count: number): number {
    if (count <= 0) return count;
    k.refills[step]++;
    this.#exchange[STEP] = STEPS.indexOf(step);
    return count;
  }

  /** Ages by one epoch: victims go cold, what is in the depots becomes victims. The bytes given back. */
  ageOnce(cause: Cause): number {
    const least = cause === 'decay' ? this.#minBytes : 0;
    let bytes = 0;
    for (const k of this.classes) {
      const most = Math.max(0, Math.floor((this.residentBytes - bytes - least) / k.capacity));
      for (const index of k.victim.splice(0, most)) {
        const block = this.blocks[index] as JsBlock;
        block.state = 'cold';
        block.bytes = null;
        k.cold.push(index);
        k.resident--;
        bytes += k.capacity;
      }
      k.victim = k.victim.concat(k.depot);
      k.depot = [];
    }
    this.residentBytes -= bytes;
    const dropped = this.totals.dropped as number[];
    dropped[CAUSES.indexOf(cause)] = (dropped[CAUSES.indexOf(cause)] as number) + bytes;
    return bytes;
  }
}
