// node examples/upload.js FOLDER [PORT [MAX_BYTES [BUDGET]]]: PUT /name stores a body in FOLDER, and answers with its SHA-256. However
// many clients upload at once, their bytes in memory fit into the pool's budget: who finds it exhausted waits.
import { createHash, randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { BufferPool } from 'slabpool';
import { fromReadable, pump } from 'slabpool/io';

const [folder, port = '8080', maxBytes = `${2 ** 30}`, budget = `${16 * 2 ** 20}`] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: node examples/upload.js FOLDER [PORT [MAX_BYTES [BUDGET]]]');
  process.exit(2);
}
const pool = new BufferPool({ name: 'uploads', maxBytes: Number(budget) });

class TooLong extends Error {}

/** The chunks as they are, hashed and counted on their way. @param {import('slabpool/io').ChunkSource} source @param {import('node:crypto').Hash} hash */
async function* checked(source, hash) {
  let length = 0;
  for await (const chunk of source) {
    length += chunk.end - chunk.start;
    hash.update(chunk.bytes.subarray(chunk.start, chunk.end));
    if (length <= Number(maxBytes)) yield chunk;
    else {
      chunk.release();
      throw new TooLong(`a body has at most ${maxBytes} bytes`);
    }
  }
}

/** A file is there when it is whole, or not at all. @param {import('node:http').IncomingMessage} request @param {string} name */
async function store(request, name) {
  const part = join(folder, `.${randomUUID()}.part`);
  const hash = createHash('sha256');
  const file = await open(part, 'wx');
  try {
    const bytes = await pump(checked(fromReadable(pool, request), hash), file);
    await file.close();
    await rename(part, join(folder, name));
    return { bytes, sha256: hash.digest('hex') };
  } catch (error) {
    await file.close();
    await rm(part);
    throw error;
  }
}

/** @type {import('node:http').RequestListener} */
async function answer(request, response) {
  const [, name] = /^\/([\w-][\w.-]*)$/.exec(request.url ?? '') ?? [];
  try {
    if (request.method !== 'PUT' || name === undefined) {
      response.writeHead(404).end('PUT /name\n');
      return;
    }
    if (Number(request.headers['content-length']) > Number(maxBytes)) throw new TooLong(`at most ${maxBytes} bytes`);
    const stored = await store(request, name);
    response.writeHead(201).end(`${JSON.stringify(stored)}\n`);
  } catch (error) {
    if (error instanceof TooLong) response.writeHead(413, { connection: 'close' }).end(`${error.message}\n`);
    else response.destroy();
  }
}

const server = createServer(answer).listen(Number(port), '127.0.0.1', () => {
  console.log(`listening on 127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}`);
});
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    server.close(async () => {
      await pool.drain();
      console.log('nothing out');
    });
    server.closeIdleConnections();
  });
}
