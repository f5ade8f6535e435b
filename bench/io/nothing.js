// Jobs where pooling does nothing, or loses.
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { parse } from 'csv-parse';
import { BufferPool } from 'slabpool';
import { feed, fromFile } from 'slabpool/io';
import { cities, citiesCsv, plainFile } from './data.js';

const SMALL = 8 * 1024;

/** @param {import('node:stream').Readable} rows */
async function counted(rows) {
  let count = 0;
  for await (const _ of rows) count++;
  return count;
}

/** @type {Record<string, { what: string, ways: Record<string, () => import('./child.js').Job> }>} */
export const jobs = {
  'small-reads': {
    what: 'a file in asynchronous reads of 8 KiB: mostly the cost of a read',
    ways: {
      'fromFile()': () => {
        const { path, size } = plainFile(2 ** 22);
        const pool = new BufferPool();
        const once = async () => {
          let sum = 0;
          for await (const chunk of fromFile(pool, path, { block: SMALL })) {
            sum += chunk.end - chunk.start;
            chunk.release();
          }
          return sum;
        };
        return { bytes: size, once };
      },
      'FileHandle.read(), one static buffer': () => {
        const { path, size } = plainFile(2 ** 22);
        const bytes = Buffer.allocUnsafeSlow(SMALL);
        const once = async () => {
          const file = await open(path);
          let sum = 0;
          for (let read = -1; read !== 0; sum += read) ({ bytesRead: read } = await file.read(bytes, 0, SMALL, sum));
          await file.close();
          return sum;
        };
        return { bytes: size, once };
      },
      createReadStream: () => {
        const { path, size } = plainFile(2 ** 22);
        const once = async () => {
          let sum = 0;
          for await (const chunk of createReadStream(path, { highWaterMark: SMALL })) sum += chunk.length;
          return sum;
        };
        return { bytes: size, once };
      },
    },
  },
  csv: {
    what: 'csv-parse of a file: the parser is the cost',
    ways: {
      'feed(), copies': () => {
        const { path, size } = citiesCsv();
        const pool = new BufferPool();
        const once = async () => {
          const parser = parse();
          const [rows] = await Promise.all([counted(parser), feed(parser, fromFile(pool, path))]);
          return rows;
        };
        return { bytes: size, once };
      },
      createReadStream: () => {
        const { path, size } = citiesCsv();
        const once = async () => {
          const parser = parse();
          const [rows] = await Promise.all([counted(parser), pipeline(createReadStream(path), parser)]);
          return rows;
        };
        return { bytes: size, once };
      },
    },
  },
  response: {
    what: 'JSON.stringify() of a response, as bytes: the encoder is the cost',
    ways: {
      'into a lease': () => {
        const response = cities().slice(0, 200);
        const bytes = Buffer.byteLength(JSON.stringify(response));
        const pool = new BufferPool();
        const once = () => {
          const text = JSON.stringify(response);
          const lease = pool.acquire(3 * text.length);
          const written = lease.bytes.write(text);
          lease.release();
          return written;
        };
        return { bytes, once };
      },
      'Buffer.from()': () => {
        const response = cities().slice(0, 200);
        const bytes = Buffer.byteLength(JSON.stringify(response));
        return { bytes, once: () => Buffer.from(JSON.stringify(response)).length };
      },
    },
  },
};
