// Jobs on files.
import { closeSync, createReadStream, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { BufferPool } from 'slabpool';
import { fromFile, fromFileSync, lines, linesSync, readWholeSync } from 'slabpool/io';
import { citiesFile, plainFile } from './data.js';

const BLOCK = 256 * 1024;
const LF = 10;
const QUOTE = 0x22;
const NAME = '{"name":"'.length;

/** One field, the name: adds up its ASCII characters. @param {Uint8Array} bytes @param {number} from @param {number} to */
function field(bytes, from, to) {
  let sum = 0;
  for (let at = from + NAME; at < to; at++) {
    const byte = /** @type {number} */ (bytes[at]);
    if (byte === QUOTE) break;
    if (byte < 128) sum += byte;
  }
  return sum;
}

/** @param {string} line */
function fieldOfText(line) {
  let sum = 0;
  for (let at = NAME; at < line.length; at++) {
    const code = line.charCodeAt(at);
    if (code === QUOTE) break;
    if (code < 128) sum += code;
  }
  return sum;
}

/** What `readSync()` reads from a file, in blocks that come from `take` and go back by `give`, with lines carried over. */
function byHand(/** @type {string} */ path, /** @type {() => Buffer} */ take, /** @type {() => void} */ give) {
  const fd = openSync(path, 'r');
  let sum = 0;
  let carried = Buffer.alloc(0);
  for (;;) {
    const bytes = take();
    const from = carried.length;
    carried.copy(bytes);
    const read = readSync(fd, bytes, from, BLOCK - from, null);
    if (read === 0) break;
    const end = from + read;
    let at = 0;
    for (let to = bytes.indexOf(LF); to !== -1 && to < end; to = bytes.indexOf(LF, at)) {
      sum += field(bytes, at, to);
      at = to + 1;
    }
    carried = Buffer.from(bytes.subarray(at, end));
    give();
  }
  give();
  closeSync(fd);
  return sum;
}

/** A way to go through the file of cities. @param {(path: string) => import('./child.js').Once} make @returns {() => import('./child.js').Job} */
function onCities(make) {
  return () => {
    const { path, size } = citiesFile();
    return { bytes: size, once: make(path) };
  };
}

/** What is found in all lines of a file. @param {string} path @param {(line: string) => number} of */
async function byReadline(path, of) {
  let sum = 0;
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) sum += of(line);
  return sum;
}

const scan = {
  'lines()': onCities((path) => {
    const pool = new BufferPool();
    return async () => {
      let sum = 0;
      for await (const batch of lines(fromFile(pool, path))) {
        while (batch.next()) sum += field(batch.bytes, batch.from, batch.to);
      }
      return sum;
    };
  }),
  'slabpool linesSync()': onCities((path) => {
    const pool = new BufferPool();
    return () => {
      let sum = 0;
      for (const batch of linesSync(fromFileSync(pool, path))) {
        while (batch.next()) sum += field(batch.bytes, batch.from, batch.to);
      }
      return sum;
    };
  }),
  'by hand, on leases': onCities((path) => {
    const pool = new BufferPool();
    /** @type {import('slabpool').Lease} */
    let lease;
    const take = () => {
      lease = pool.acquire(BLOCK);
      return lease.bytes;
    };
    return () => byHand(path, take, () => lease.release());
  }),
  'by hand, on fresh buffers': onCities((path) => {
    const take = () => Buffer.allocUnsafeSlow(BLOCK);
    return () => byHand(path, take, () => {});
  }),
  'by hand, on one static buffer': onCities((path) => {
    const bytes = Buffer.allocUnsafeSlow(BLOCK);
    const take = () => bytes;
    return () => byHand(path, take, () => {});
  }),
  'createReadStream, carrying over': onCities((path) => async () => {
    let sum = 0;
    let carried = Buffer.alloc(0);
    for await (const chunk of createReadStream(path)) {
      const bytes = carried.length === 0 ? chunk : Buffer.concat([carried, chunk]);
      let at = 0;
      for (let to = bytes.indexOf(LF); to !== -1; to = bytes.indexOf(LF, at)) {
        sum += field(bytes, at, to);
        at = to + 1;
      }
      carried = bytes.subarray(at);
    }
    return sum;
  }),
  readline: onCities((path) => () => byReadline(path, fieldOfText)),
};

/** @param {string} line */
const nameLength = (line) => JSON.parse(line).name.length;

const json = {
  'lines(), texts()': onCities((path) => {
    const pool = new BufferPool();
    return async () => {
      let sum = 0;
      for await (const batch of lines(fromFile(pool, path))) {
        for (const text of batch.texts()) sum += nameLength(text);
      }
      return sum;
    };
  }),
  'lines(), text()': onCities((path) => {
    const pool = new BufferPool();
    return async () => {
      let sum = 0;
      for await (const batch of lines(fromFile(pool, path))) {
        while (batch.next()) sum += nameLength(batch.text());
      }
      return sum;
    };
  }),
  readline: onCities((path) => () => byReadline(path, nameLength)),
};

/** Reads a file again and again. @param {number} bytes @param {() => (path: string) => number} make */
function whole(bytes, make) {
  return () => {
    const { path } = plainFile(bytes);
    const read = make();
    const times = Math.ceil(2 ** 25 / bytes);
    const once = () => {
      let sum = 0;
      for (let i = 0; i < times; i++) sum += read(path);
      return sum;
    };
    return { bytes: times * bytes, once };
  };
}

/** @param {number} bytes @returns {Record<string, () => import('./child.js').Job>} */
function wholeFiles(bytes) {
  return {
    'readWholeSync()': whole(bytes, () => {
      const pool = new BufferPool();
      return (path) => {
        const chunk = readWholeSync(pool, path);
        const last = /** @type {number} */ (chunk.bytes[chunk.end - 1]);
        chunk.release();
        return last;
      };
    }),
    'by hand, on leases': whole(bytes, () => {
      const pool = new BufferPool();
      return (path) => {
        const fd = openSync(path, 'r');
        const { size } = fstatSync(fd);
        const lease = pool.acquire(size);
        readSync(fd, lease.bytes, 0, size, 0);
        const last = /** @type {number} */ (lease.bytes[size - 1]);
        lease.release();
        closeSync(fd);
        return last;
      };
    }),
    readFileSync: whole(bytes, () => (path) => /** @type {number} */ (readFileSync(path).at(-1))),
  };
}

/** @type {Record<string, { what: string, ways: Record<string, () => import('./child.js').Job> }>} */
export const jobs = {
  lines: { what: 'lines of a file, one field of each from its bytes', ways: scan },
  json: { what: 'JSON.parse of each line of a file', ways: json },
  'whole-100K': { what: 'whole files of 100 KiB', ways: wholeFiles(100 * 1024) },
  'whole-1M': { what: 'whole files of 1 MiB', ways: wholeFiles(2 ** 20) },
};
