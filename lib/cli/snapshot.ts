import { readFile } from 'node:fs/promises';
import type { AnyPoolStats } from '../metrics/observable-pool.js';
import { Failure } from './failure.js';
import { printable } from './printable.js';
import { SAMPLES } from './samples.js';

/** Milliseconds. */
const PATIENCE = 5000;

/** A source has the stats of a service, which are read again and again. */
export interface Source {
  /** The source's name, for people. */
  readonly name: string;
  /** @throws {@link Failure} when there are none to be had now, or `signal` was aborted */
  read(signal: AbortSignal): Promise<AnyPoolStats[]>;
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

async function fromEndpoint(url: string, signal: AbortSignal): Promise<AnyPoolStats[]> {
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

async function fromFile(path: string, signal: AbortSignal): Promise<AnyPoolStats[]> {
  let text: string;
  try {
    text = await readFile(path, { encoding: 'utf8', signal });
  } catch (error) {
    throw new Failure(`cannot read ${path}: ${(error as NodeJS.ErrnoException).code}`);
  }
  return parse(text, path);
}

/** JSON of one pool's stats, or of an array of such. */
function parse(text: string, from: string): AnyPoolStats[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Failure(`${from}: expected JSON of pool.stats(), or an array of such; got ${excerpt(text)}`);
  }
  const all: unknown[] = Array.isArray(value) ? value : [value];
  for (const [i, stats] of all.entries()) {
    const wrong = difference(stats, sampleFor(stats), `pool ${i}`);
    if (wrong !== null) {
      throw new Failure(
        `${from}: expected pool.stats() of this version of slabpool, but ${wrong}; got ${excerpt(text)}`,
      );
    }
  }
  return all as AnyPoolStats[];
}

/** What stats of that kind look like; stats of an unknown kind are taken for those of a buffer pool. */
function sampleFor(stats: unknown): AnyPoolStats {
  const kind = (stats as { kind?: unknown } | null)?.kind;
  return SAMPLES.find((sample) => sample.kind === kind) ?? (SAMPLES[0] as AnyPoolStats);
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
