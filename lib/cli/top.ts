import { clearScreenDown, cursorTo } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import type { AnyPoolStats } from '../metrics/observable-pool.js';
import { Failure } from './failure.js';
import { render } from './screen.js';
import type { Source } from './snapshot.js';
import { loadTableWriter, type TableWriter } from './table.js';

const ALTERNATE_SCREEN = '\x1b[?1049h\x1b[?25l';
const NORMAL_SCREEN = '\x1b[?25h\x1b[?1049l';

export interface TopOptions {
  readonly source: Source;
  readonly intervalMs: number;
  readonly once: boolean;
}

/**
 * Shows the pools of a service until SIGINT, SIGTERM, or nobody reads the output any more. A service that is gone is asked again.
 * @throws {@link Failure} with `once`, when there are no stats to be had
 */
export async function top({ source, intervalMs, once }: TopOptions): Promise<void> {
  const table = await loadTableWriter();
  const stop = new AbortController();
  if (once) {
    process.stdout.write(`${render(await source.read(stop.signal), [], table)}\n`);
    return;
  }
  const end = () => stop.abort();
  process.once('SIGINT', end).once('SIGTERM', end);
  process.stdout.on('error', end);
  const screen = process.stdout.isTTY ? new Screen() : null;
  const looks = new Looks(source, table);
  try {
    while (!stop.signal.aborted) {
      const text = await looks.next(stop.signal);
      if (stop.signal.aborted) break;
      if (screen === null) process.stdout.write(`${text}\n\n`);
      else screen.show(`${source.name}, every ${intervalMs / 1000} s; Ctrl+C ends\n\n${text}`);
      await setTimeout(intervalMs, undefined, { signal: stop.signal }).catch(() => {});
    }
  } finally {
    screen?.close();
    process.off('SIGINT', end).off('SIGTERM', end);
  }
}

/** Looks one after the other, so that there are rates. */
class Looks {
  readonly #source: Source;
  readonly #table: TableWriter;
  #before: AnyPoolStats[] = [];
  #last: AnyPoolStats[] = [];

  constructor(source: Source, table: TableWriter) {
    this.#source = source;
    this.#table = table;
  }

  async next(signal: AbortSignal): Promise<string> {
    try {
      const now = await this.#source.read(signal);
      // A file may not have been written since the last look: rates are then those until it was.
      if (now[0]?.ageMs !== this.#last[0]?.ageMs) this.#before = this.#last;
      this.#last = now;
      return render(now, this.#before, this.#table);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return `${error.message}; trying again`;
    }
  }
}

/** A screen is the alternate one of a terminal, so that what was there before is there again afterwards. */
class Screen {
  constructor() {
    process.stdout.write(ALTERNATE_SCREEN);
  }

  /** What does not fit is cut off: a terminal that wraps or scrolls would leave pieces of earlier looks behind. */
  show(text: string): void {
    const { columns, rows } = process.stdout;
    const lines = text.split('\n').slice(0, rows - 1);
    cursorTo(process.stdout, 0, 0);
    clearScreenDown(process.stdout);
    process.stdout.write(lines.map((line) => line.slice(0, columns)).join('\n'));
  }

  close(): void {
    process.stdout.write(NORMAL_SCREEN);
  }
}
