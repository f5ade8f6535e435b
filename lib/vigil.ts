import process from 'node:process';
import { setImmediate, setTimeout } from 'node:timers';

/** Between two looks of a thread that others may help, in milliseconds. */
const LOOK_AGAIN_MS = 100;

/** Something that this thread waits for, and that does not keep it alive. */
export interface Awaited {
  /** Delivers what has come; whether anything had. */
  deliver(): boolean;
  /** Whether anything may still come of which this thread is not the cause. */
  readonly othersMayServe: boolean;
  /** Who waits for what, as a part of a sentence. */
  readonly description: string;
}

/** What is awaited is not collected, also when nobody else has it any more. */
const awaited = new Set<Awaited>();
let warns = false;

/**
 * A thread that has nothing left to do ends, although it waits. So it looks once more then, for what was delivered without waking it;
 * and where others may still deliver, it stays.
 */
export function watch(one: Awaited): void {
  if (awaited.size === 0) process.on('beforeExit', look);
  awaited.add(one);
}

export function unwatch(one: Awaited): void {
  if (awaited.delete(one) && awaited.size === 0) process.off('beforeExit', look);
}

function look(): void {
  const all = [...awaited];
  // Whoever is served may have something else served, without a turn of the event loop: hence another look.
  if (all.filter((one) => one.deliver()).length > 0) setImmediate(nothing);
  else if (all.some((one) => one.othersMayServe)) setTimeout(nothing, LOOK_AGAIN_MS);
  else if (!warns) {
    warns = true;
    // Before those who close their pools then.
    process.prependOnceListener('exit', warn);
  }
}

function nothing(): void {}

/** At the exit: what `process.emitWarning()` would do in a turn of its own, which does not come any more. */
function warn(): void {
  if (awaited.size === 0) return;
  const list = [...awaited].map(({ description }) => description).join('; ');
  const warning = new Error(`this thread ends while it waits for what nothing left in the process can give it: ${list}`);
  process.emit('warning', Object.assign(warning, { name: 'SlabPoolWarning', code: 'SLABPOOL_UNSERVED' }));
}
