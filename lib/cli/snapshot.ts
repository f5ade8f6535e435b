import { readFile } from 'node:fs/promises';
import type { PoolStats } from '../stats/stats.js';
import { Failure } from './failure.js';
import { printable } from './printable.js';

/** Milliseconds. */
const PATIENCE = 5000;

/** A source has the stats of a service, which are read again and again. */
export interface Source {
  /** The source's name, for people. */
  readonly name: string;
  /** @throws {@link Failure} when there are none to be had now, or `signal` was aborted */
  read(signal: AbortSignal): Promise<PoolStats[]>;
}

/** A port of this machine, the URL of an endpoint, or else a file. */
export function sourceOf(text: string): Source {
  if (/^\d+$/.test(text)) {
    if (Number(text) < 1 || Number(text) > 65_535) {
      throw new Failure(`top: expected a port of 1 to 65535, got ${text} (a file of that name is ./${text})`, 2);
    }
    return sourceOf(`http://127.0.0.1:${text}/`);
  }
  if (!/^https?:\/\//.test(text)) return { name: text, read: (signal) => fromFile(text, signal) };
  if (!URL.canParse(text)) throw new Failure(`top: expected a URL, got ${text}`, 2);
  return { name: text, read: (signal) => fromEndpoint(text, signal) };
}

async function fromEndpoint(url: string, signal: AbortSignal): Promise<PoolStats[]> {
  const patience = AbortSignal.timeout(PATIENCE);
  let text: string;
  try {
    const response = await fetch(url, { signal: AbortSignal.any([patience, signal]) });
    text = await response.text();
    if (!response.ok) throw new Error(`it answers with status ${response.status}`);
  } catch (error) {
    const { cause, message } = error as Error & { cause?: NodeJS.ErrnoException };
    throw new Failure(`cannot read ${url}: ${cause?.code ?? cause?.message ?? message}`);
  }
  return parse(text, url);
}

async function fromFile(path: string, signal: AbortSignal): Promise<PoolStats[]> {
  let text: string;
  try {
    text = await readFile(path, { encoding: 'utf8', signal });
  } catch (error) {
    throw new Failure(`cannot read ${path}: ${(error as NodeJS.ErrnoException).code}`);
  }
  return parse(text, path);
}

/** JSON of one pool's stats, or of an array of such. */
function parse(text: string, from: string): PoolStats[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Failure(`${from}: expected JSON of pool.stats(), or an array of such; got ${excerpt(text)}`);
  }
  const all: unknown[] = Array.isArray(value) ? value : [value];
  for (const [i, stats] of all.entries()) {
    const wrong = difference(stats, SAMPLE, `pool ${i}`);
    if (wrong !== null) {
      throw new Failure(
        `${from}: expected pool.stats() of this version of slabpool, but ${wrong}; got ${excerpt(text)}`,
      );
    }
  }
  return all as PoolStats[];
}

function excerpt(text: string): string {
  return printable(JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text));
}

/** Where `value` lacks what `sample` has, or has something else there; elements of arrays are compared with the sample's first. */
function difference(value: unknown, sample: unknown, path: string): string | null {
  if (Array.isArray(sample)) {
    if (!Array.isArray(value)) return `${path} is no array`;
    return first(value.map((element, i) => () => difference(element, sample[0], `${path}[${i}]`)));
  }
  if (typeof sample !== 'object' || sample === null) {
    const wanted = typeof sample;
    return typeof value === wanted ? null : `${path} is no ${wanted}`;
  }
  if (typeof value !== 'object' || value === null) return `${path} is no object`;
  return first(
    Object.entries(sample).map(([key, part]) => () => {
      return difference((value as Record<string, unknown>)[key], part, `${path}.${key}`);
    }),
  );
}

function first(looks: (() => string | null)[]): string | null {
  for (const look of looks) {
    const found = look();
    if (found !== null) return found;
  }
  return null;
}

const HITS = { magazine: 0, depot: 0, steal: 0, victim: 0, cold: 0, slab: 0 };

/** A sample of stats: for each field one value of its type, in each array one element. */
const SAMPLE: PoolStats = {
  kind: 'buffer',
  name: '',
  backend: 'native',
  ageMs: 0,
  maxBytes: 0,
  residentBytes: 0,
  leasedBytes: 0,
  inFlightBytes: 0,
  inFlight: {
    tickets: 0,
    oldestTicketMs: 0,
    senders: [{ thread: 0, here: false, tickets: 0, oldestMs: 0 }],
    messages: 0,
  },
  cachedBytes: 0,
  magazineBytes: 0,
  victimBytes: 0,
  quarantinedBytes: 0,
  retiredBytes: 0,
  pinnedBytes: 0,
  coldBytes: 0,
  peak: { residentBytes: 0, waiting: 0, oversizeBytes: 0 },
  acquires: 0,
  outstanding: 0,
  hits: HITS,
  misses: 0,
  hitRate: 0,
  exhausted: 0,
  waits: { total: 0, waiting: 0, here: 0, timedOut: 0, aborted: 0, totalMs: 0 },
  drops: { decayBytes: 0, trimBytes: 0, exhaustedBytes: 0, pressureBytes: 0, calls: 0, oversize: 0, retired: 0 },
  requests: [{ size: 0, count: 0 }],
  holds: { samples: 0, totalMs: 0 },
  leaks: { detection: 'off', sampleRate: 0, tracked: 0, collected: 0, writtenAfterRelease: 0 },
  pressure: { source: 'none', level: 'none', usedBytes: 0, limitBytes: 0 },
  oversize: { maxBytes: 0, leasedBytes: 0, outstanding: 0, acquires: 0, refused: 0 },
  mappedBlocks: 0,
  overheadBytes: 0,
  threads: [{ thread: 0, here: true, acquires: 0, outstanding: 0, leasedBytes: 0, magazineBytes: 0, hits: HITS }],
  classes: [
    {
      capacity: 0,
      blockBytes: 0,
      residentBytes: 0,
      leasedBytes: 0,
      inFlightBytes: 0,
      cachedBytes: 0,
      magazineBytes: 0,
      victimBytes: 0,
      quarantinedBytes: 0,
      retiredBytes: 0,
      pinnedBytes: 0,
      coldBytes: 0,
      peakResidentBytes: 0,
      slabs: 0,
      acquires: 0,
      outstanding: 0,
      hits: HITS,
    },
  ],
};
