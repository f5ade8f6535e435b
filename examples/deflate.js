// node examples/deflate.js < LINES > FRAMES: each line is compressed by itself, eight at once, as a WebSocket compresses its messages; what is
// written are frames, in the order of the lines: length (u32 be), raw deflate. A context of zlib takes 256 KiB, so they are pooled.
//
// Not every context is worth it, or can be: docs/objects.md. That of brotli forgets its parameters when it is reset, before Node.js 26.
import { createInterface } from 'node:readline';
import { constants, createDeflateRaw } from 'node:zlib';
import { ObjectPool } from 'slabpool/object';

const AT_ONCE = 8;

class Deflater {
  /** @type {Buffer[]} */
  #parts = [];
  #stream = createDeflateRaw({ level: 6 });

  constructor() {
    this.#stream.on('data', (part) => this.#parts.push(part));
  }

  /** @param {string} text @returns {Promise<Buffer>} */
  deflate(text) {
    return new Promise((resolve, reject) => {
      this.#stream.once('error', reject);
      this.#stream.write(text);
      // All of it, with the end of a message; the stream itself goes on.
      this.#stream.flush(constants.Z_FINISH, () => {
        this.#stream.off('error', reject);
        resolve(Buffer.concat(this.#parts));
      });
    });
  }

  reset() {
    this.#parts.length = 0;
    this.#stream.reset();
  }

  close() {
    this.#stream.close();
  }
}

const deflaters = new ObjectPool({
  name: 'deflaters',
  create: () => new Deflater(),
  reset: (deflater) => deflater.reset(),
  destroy: (deflater) => deflater.close(),
  maxIdle: AT_ONCE,
});

/** @param {Buffer} body */
function write(body) {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  process.stdout.write(length);
  process.stdout.write(body);
}

/** @type {Promise<Buffer>[]} in the order of the lines */
const running = [];
for await (const line of createInterface({ input: process.stdin })) {
  if (running.length === AT_ONCE) write(await /** @type {Promise<Buffer>} */ (running.shift()));
  running.push(deflaters.borrow(({ value }) => value.deflate(line)));
}
for (const body of await Promise.all(running)) write(body);

const { acquires, created } = deflaters.stats();
console.error(`${acquires} lines, ${created} contexts`);
deflaters.assertNoLeaks();
deflaters.close();
