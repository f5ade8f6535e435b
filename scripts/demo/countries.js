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
    let end = at;
    while (end < to && bytes[end] !== QUOTE) end++;
    if (end === to) return;
    const country = bytes.toString('latin1', at, end);
    this.#counts.set(country, (this.#counts.get(country) ?? 0) + 1);
  }

  /** The countries with most records first, as JSON. */
  toString() {
    return JSON.stringify([...this.#counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)));
  }
}

/** @param {Uint8Array} bytes @param {number} from @param {number} to */
function behindKey(bytes, from, to) {
  const last = to - KEY.length;
  for (let at = from; at < last; at++) {
    if (bytes[at] === QUOTE && bytes[at + 1] === KEY[1] && isKey(bytes, at)) return at + KEY.length;
  }
  return -1;
}

/** @param {Uint8Array} bytes @param {number} at */
function isKey(bytes, at) {
  for (let i = 0; i < KEY.length; i++) if (bytes[at + i] !== KEY[i]) return false;
  return true;
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
