import process from 'node:process';
import { setImmediate, setTimeout } from 'node:timers';
import { outside } from './runtime.js';

/** Between two looks of a thread that others may help, in milliseconds. */
const LOOK_AGAIN_MS = 100;

/** Whoever waits for something that does not keep this thread alive. */
export interface Waiting {
  /** Whether anything may come of which this thread is not the cause. */
  readonly othersMayServe: boolean;
  /** Who waits for what, as a part of a sentence. */
  readonly description: string;
}

/** Those who wait now. None of them is collected, also when nobody else has it any more. */
const waiting = new Set<Waiting>();
/** Nothing has come since the last look. */
let quiet = false;
let warns = false;

/**
 * Keeps this thread alive for `one`. A thread that has nothing left to do ends, although somebody waits in it. So it
 * takes another turn of the event loop then, as long as such turns bring what was granted meanwhile; and where others
 * may still grant something, it stays.
 */
export function keepAlive(one: Waiting): void {
  if (waiting.size === 0) process.on('beforeExit', look);
  waiting.add(one);
}

export function letEnd(one: Waiting): void {
  if (waiting.delete(one) && waiting.size === 0) process.off('beforeExit', look);
}

/** Something has come in this thread: whoever has it may have others served. */
export function noteNews(): void {
  quiet = false;
}

function look(): void {
  if (!quiet) {
    quiet = true;
    // Two, since the first one may come before the loop has looked for notifications (Node 22 and later).
    outside(() => setImmediate(() => setImmediate(nothing)));
  } else if ([...waiting].some((one) => one.othersMayServe)) {
    outside(() => setTimeout(nothing, LOOK_AGAIN_MS));
  } else if (!warns) {
    warns = true;
    // Before those who close their pools then.
    process.prependOnceListener('exit', warn);
  }
}

function nothing(): void {}

/** At the exit: what `process.emitWarning()` would do in a turn of its own, which does not come any more. */
function warn(): void {
  if (waiting.size === 0) return;
  const list = [...waiting].map(({ description }) => description).join('; ');
  const warning = new Error(
    `this thread ends while it waits for what nothing left in the process can give it: ${list}`,
  );
  process.emit('warning', Object.assign(warning, { name: 'SlabPoolWarning', code: 'SLABPOOL_UNSERVED' }));
}
