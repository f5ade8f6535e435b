// Objects that are dear: compression contexts and encoders.
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { BufferPool } from 'slabpool';
import { ByteWriter } from 'slabpool/io';
import { ObjectPool } from 'slabpool/object';

/** JSON, as services send it. */
const message = Buffer.from(
  JSON.stringify(
    Array.from({ length: 40 }, (_, i) => ({ id: i, name: `sensor-${(i * 7919) % 1000}`, value: i * 1.25 })),
  ),
);
const long = Buffer.concat(Array.from({ length: 40 }, () => message));

const { Z_FINISH, BROTLI_OPERATION_FINISH, BROTLI_PARAM_QUALITY } = zlib.constants;
const QUALITY = { params: { [BROTLI_PARAM_QUALITY]: 4 } };

/** A context of Node's zlib that takes one message after the other. */
class Context {
  /** @type {Buffer[]} */
  #parts = [];
  /** @param {import('node:stream').Duplex & zlib.Zlib & zlib.ZlibReset} stream @param {number} finish */
  constructor(stream, finish) {
    this.stream = stream;
    this.finish = finish;
    stream.on('data', (part) => this.#parts.push(part));
  }

  /** @param {Buffer} input @returns {Promise<Buffer>} */
  run(input) {
    return new Promise((resolve) => {
      this.#parts = [];
      this.stream.write(input);
      this.stream.flush(this.finish, () => resolve(Buffer.concat(this.#parts)));
    });
  }
}

/**
 * @param {string} label @param {() => Context} create @param {Buffer} input
 * @param {(input: Buffer) => Promise<Buffer>} oneShot @param {(input: Buffer) => Buffer} sync
 */
function contexts(label, create, input, oneShot, sync) {
  const pool = new ObjectPool({
    create,
    reset: ({ stream }) => stream.reset(),
    destroy: ({ stream }) => stream.close(),
  });
  return {
    label,
    expected: sync(input),
    cases: [
      {
        name: 'slabpool, a context and its reset()',
        run: async () => {
          const lease = pool.acquire();
          const output = await lease.value.run(input);
          lease.release();
          return output;
        },
      },
      {
        name: 'a new context each time',
        run: async () => {
          const context = create();
          const output = await context.run(input);
          context.stream.close();
          return output;
        },
      },
      { name: 'a function of zlib, asynchronous', run: () => oneShot(input) },
      { name: 'a function of zlib, synchronous', run: async () => sync(input) },
    ],
    close: () => pool.close(),
  };
}

/** @param {(buffer: Buffer, options: any) => Buffer} sync @param {object} [options] */
const withOptions =
  (sync, options = {}) =>
  (/** @type {Buffer} */ input) =>
    sync(input, options);

export function contextCases() {
  const deflate = () => new Context(zlib.createDeflateRaw(), Z_FINISH);
  const inflate = () => new Context(zlib.createInflateRaw(), Z_FINISH);
  const brotli = () =>
    new Context(
      /** @type {zlib.BrotliCompress & zlib.ZlibReset} */ (zlib.createBrotliCompress(QUALITY)),
      BROTLI_OPERATION_FINISH,
    );
  const unbrotli = () =>
    new Context(
      /** @type {zlib.BrotliDecompress & zlib.ZlibReset} */ (zlib.createBrotliDecompress()),
      BROTLI_OPERATION_FINISH,
    );
  const brotliSync = withOptions(zlib.brotliCompressSync, QUALITY);
  const brotliAsync = (/** @type {Buffer} */ input) => promisify(zlib.brotliCompress)(input, QUALITY);
  return [
    contexts(
      `deflate, ${message.length} B`,
      deflate,
      message,
      promisify(zlib.deflateRaw),
      withOptions(zlib.deflateRawSync),
    ),
    contexts(`deflate, ${long.length} B`, deflate, long, promisify(zlib.deflateRaw), withOptions(zlib.deflateRawSync)),
    contexts(
      `inflate to ${message.length} B`,
      inflate,
      zlib.deflateRawSync(message),
      promisify(zlib.inflateRaw),
      withOptions(zlib.inflateRawSync),
    ),
    contexts(`brotli, quality 4, ${message.length} B`, brotli, message, brotliAsync, brotliSync),
    contexts(
      `brotli to ${message.length} B`,
      unbrotli,
      zlib.brotliCompressSync(message),
      promisify(zlib.brotliDecompress),
      withOptions(zlib.brotliDecompressSync),
    ),
  ];
}

/** Writes a record of mixed fields and copies what was written. @param {ByteWriter} writer @param {number} i */
function encode(writer, i) {
  const length = writer.hole(4);
  const before = writer.length;
  writer.u32le(i);
  writer.f64le(i * 0.5);
  writer.utf8('sensor-17');
  writer.fill(length, writer.length - before);
  return writer.copy();
}

/** @returns {import('../measure.js').Case[]} */
export function encoderCases() {
  const buffers = new BufferPool();
  const pool = new ObjectPool({
    create: () => new ByteWriter(buffers, { segment: 4096 }),
    reset: (writer) => writer.reset(),
    destroy: (writer) => writer.release(),
  });
  let sink = 0;
  return [
    {
      name: 'slabpool, an encoder with its ByteWriter',
      run(operations) {
        for (let i = 0; i < operations; i++) {
          const lease = pool.acquire();
          sink += encode(lease.value, i).length;
          lease.release();
        }
        return sink;
      },
      close() {
        pool.close();
        buffers.close();
      },
    },
    {
      name: 'a ByteWriter each time',
      run(operations) {
        for (let i = 0; i < operations; i++) {
          const writer = new ByteWriter(buffers, { segment: 4096 });
          sink += encode(writer, i).length;
          writer.release();
        }
        return sink;
      },
    },
    {
      name: 'Buffer.concat of parts',
      run(operations) {
        for (let i = 0; i < operations; i++) {
          const head = Buffer.allocUnsafe(12);
          head.writeUInt32LE(i, 0);
          head.writeDoubleLE(i * 0.5, 4);
          const name = Buffer.from('sensor-17');
          const length = Buffer.allocUnsafe(4);
          length.writeUInt32BE(head.length + name.length, 0);
          sink += Buffer.concat([length, head, name]).length;
        }
        return sink;
      },
    },
  ];
}
