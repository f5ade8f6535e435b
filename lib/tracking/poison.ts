import { threadId } from 'node:worker_threads';
import { events, type Outbox, type UseAfterReleaseEvent } from '../events.js';
import type { EndedLease } from '../lease/ended-lease.js';
import type { Block } from '../lease/magazine.js';
import type { ResolvedOptions } from '../options.js';

const POISON = 0xde;
const CHUNK = 64 * 1024;
const poison = Buffer.alloc(CHUNK, POISON);
const zeros = Buffer.alloc(CHUNK);
/** Bytes of the smallest page: pages that went back to the system are zeros when they come again. */
const PAGE = 4096;

/**
 * Poison finds writes to blocks after their release, for the option `debug`.
 *
 * What      Released blocks are filled with a pattern; a block to be leased must still be full of it, or be zeros: from
 *           the system, or since `zero: 'release'` wipes it. In a pool that threads share, blocks may come back as a
 *           thread that died left them: there, only those are looked at that have not left this thread's magazine.
 * Callers   The heap and its parts, at each release and acquire; so with `debug` on, all of these take the slow path.
 */
export class Poison {
  /** Blocks that were found to be written to. */
  writes = 0;
  readonly #pool: string;
  readonly #outbox: Outbox;
  readonly #wiped: boolean;
  /** The blocks that were filled, by number, and what the last lease has left if that was tracked. */
  readonly #filled = new Map<number, EndedLease | null>();
  /** Sites of releases for which a warning was given. */
  readonly #warned = new Set<string>();
  #shared = false;

  constructor({ name, zero }: ResolvedOptions, outbox: Outbox) {
    this.#pool = name;
    this.#outbox = outbox;
    this.#wiped = zero === 'release';
  }

  /** Fills a block that was released, and wiped if it is to be. */
  fill({ index, bytes }: Block): void {
    if (!this.#wiped) bytes.fill(POISON);
    this.#filled.set(index, null);
  }

  /** Keeps what the last lease of a block has left. */
  remember({ index }: Block, ended: EndedLease): void {
    if (!this.#filled.has(index)) return;
    void ended.record.acquired.frames;
    void ended.ended.frames;
    this.#filled.set(index, ended);
  }

  /** From now on other threads may use the pool's blocks. */
  share(): void {
    this.#shared = true;
    this.#filled.clear();
  }

  /** Forgets a block that went to the core, where another thread may take it. */
  flushed(index: number): void {
    if (this.#shared) this.#filled.delete(index);
  }

  /** Looks at a block that is about to be leased. */
  check({ index, bytes }: Block): void {
    const last = this.#filled.get(index);
    this.#filled.delete(index);
    if (last === undefined && this.#shared) return;
    const [from, to] = written(bytes);
    if (from === to) return;
    this.writes++;
    const event: UseAfterReleaseEvent = {
      pool: this.#pool,
      offset: from,
      length: to - from,
      capacity: bytes.length,
      acquiredAt: last?.record.acquired.site,
      releasedAt: last?.ended.site,
      thread: threadId,
    };
    if (events.useAfterRelease.hasSubscribers) {
      this.#outbox.add(events.useAfterRelease, event);
      return;
    }
    const { acquiredAt, releasedAt } = event;
    const site = `${releasedAt}`;
    if (this.#warned.has(site)) return;
    this.#warned.add(site);
    const who =
      releasedAt === undefined
        ? "To learn whose it was, set leakDetection: 'full'"
        : `Its last lease was acquired at ${acquiredAt} and released at ${releasedAt}`;
    process.emitWarning(
      `pool '${this.#pool}': ${event.length} bytes at offset ${from} of a block of ${bytes.length} were written to after its ` +
        `release, through a view that was kept. ${who}`,
      { type: 'SlabPoolWarning', code: 'SLABPOOL_USE_AFTER_RELEASE' },
    );
  }
}

/** The range that is neither poison nor zeros: from the first such byte to behind the last one. Empty if there is none. */
function written(bytes: Buffer): [from: number, to: number] {
  let from = 0;
  let to = 0;
  for (let at = 0; at < bytes.length; at += CHUNK) {
    const end = Math.min(at + CHUNK, bytes.length);
    if (same(bytes, at, end, poison) || same(bytes, at, end, zeros)) continue;
    for (let page = at; page < end; page += PAGE) {
      const behind = Math.min(page + PAGE, end);
      if (same(bytes, page, behind, poison) || same(bytes, page, behind, zeros)) continue;
      const expected = mostly(bytes.subarray(page, behind));
      for (let i = page; i < behind; i++) {
        if (bytes[i] === expected) continue;
        if (to === 0) from = i;
        to = i + 1;
      }
    }
  }
  return [from, to];
}

function same(bytes: Buffer, from: number, to: number, reference: Buffer): boolean {
  return bytes.compare(reference, 0, to - from, from, to) === 0;
}

/** The byte that all of a page was, as most of it tells. */
function mostly(page: Buffer): number {
  let poisoned = 0;
  let zero = 0;
  for (const byte of page) {
    if (byte === POISON) poisoned++;
    else if (byte === 0) zero++;
  }
  return poisoned >= zero ? POISON : 0;
}
