// Records of an NDJSON file, counted by country: the same parser, with blocks from slabpool, from a pool in plain JavaScript, and fresh.
import { open } from 'node:fs/promises';
import { BufferPool } from 'slabpool';
import { fromFile, lines } from 'slabpool/io';
import { citiesFile } from '../../bench/io/data.js';

const BLOCK = 256 * 1024;
const LONGEST = 16 * 1024 * 1024;
const QUOTE = 0x22;
const KEY = Buffer.from('"country":"');

/** How many records there are of each country. */
class Tally {
  /** @type {Map<string, number>} */
  #counts = new Map();

  /** @param {Buffer} bytes @param {number} from @param {number} to */
  add(bytes, from, to) {
    const at = behindKey(bytes, from, to);
    if (at === -1) return;
    const end = bytes.indexOf(QUOTE, at);
    if (end === -1 || end >= to) return;
    const country = bytes.latin1Slice(at, end);
    this.#counts.set(country, (this.#counts.get(country) ?? 0) + 1);
  }

  /** The countries with most records first, as JSON. */
  toString() {
    return JSON.stringify([...this.#counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)));
  }
}

/** @param {Buffer} bytes @param {number} from @param {number} to */
function behindKey(bytes, from, to) {
  for (let at = from; at + KEY.length < to; at++) {
    let i = 0;
    while (i < KEY.length && bytes[at + i] === KEY[i]) i++;
    if (i === KEY.length) return at + i;
  }
  return -1;
}

async function onLeases() {
  const { path, size } = citiesFile();
  const pool = new BufferPool();
  const once = async () => {
    const tally = new Tally();
    for await (const batch of lines(fromFile(pool, path, { block: BLOCK }), { maxLength: LONGEST })) {
      while (batch.next()) tally.add(batch.bytes, batch.from, batch.to);
    }
    return tally;
  };
  return { bytes: size, once, close: () => pool.close() };
}

/** @param {(bytes: number) => Buffer} take a buffer of so many bytes or more @param {(buffer: Buffer) => void} give when it is done with */
function byHand(take, give) {
  const { path, size } = citiesFile();
  const once = async () => {
    const tally = new Tally();
    const file = await open(path);
    let bytes = take(BLOCK);
    let end = 0;
    for (;;) {
      const { bytesRead } = await file.read(bytes, end, bytes.length - end);
      if (bytesRead === 0) break;
      end += bytesRead;
      let at = 0;
      for (let to = bytes.indexOf(10); to !== -1 && to < end; to = bytes.indexOf(10, at)) {
        tally.add(bytes, at, to);
        at = to + 1;
      }
      if (end - at > LONGEST) throw new Error(`a record is longer than ${LONGEST} bytes`);
      const next = take(Math.max(BLOCK, 2 * (end - at)));
      end = bytes.copy(next, 0, at, end);
      give(bytes);
      bytes = next;
    }
    tally.add(bytes, 0, end);
    give(bytes);
    await file.close();
    return tally;
  };
  return { bytes: size, once };
}

/** @type {Buffer[]} */
const free = [];

export const jobs = {
  countries: {
    ways: {
      slabpool: onLeases,
      'a JavaScript pool': () =>
        byHand(
          (bytes) => (bytes === BLOCK && free.pop()) || Buffer.allocUnsafeSlow(bytes),
          (buffer) => buffer.length === BLOCK && free.push(buffer),
        ),
      'fresh buffers': () => byHand(Buffer.allocUnsafeSlow, () => {}),
    },
  },
};
