import type { Magazine } from '../lease/magazine.js';
import type { Tracker } from '../tracking/tracker.js';
import type { MappedBlocks } from './mapped-blocks.js';
import type { Refills } from './refills.js';

/** What the flushing of idle magazines asks of their heap. */
interface IdlingHeap {
  readonly magazines: readonly Magazine[];
  readonly tracker: Tracker;
  readonly blocks: MappedBlocks;
  readonly refills: Refills;
}

/**
 * Some times in an epoch: flushes magazines of which nothing was acquired since the last time. After a burst they hold much, and in the
 * core a block ages from when it comes there.
 */
export function flushIdle({ magazines, tracker, blocks }: IdlingHeap): void {
  tracker.drain();
  for (const magazine of magazines) if (magazine.idle()) blocks.empty(magazine);
}

/**
 * The last time in an epoch: flushes those, or all, if memory is short; and of others what lay below their low-water marks. In the core
 * the blocks age like all others.
 */
export function flushQuiet({ magazines, tracker, blocks, refills }: IdlingHeap, all: boolean): void {
  tracker.drain();
  const shrink = refills.turn(all);
  for (const magazine of magazines) {
    const unused = magazine.floor;
    if (all || magazine.idle()) blocks.empty(magazine);
    else blocks.flushCold(magazine, unused);
    magazine.turn(shrink ? Infinity : unused);
    blocks.flushCold(magazine, Math.max(0, magazine.count - magazine.size));
  }
}
