// Frames over loopback: what receiving a megabyte costs the receiving process, in CPU time, and its peak RSS. The receiver is a
// process of its own (this file, started with the name of a way), so is the sender.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, Socket } from 'node:net';
import { argv, cpuUsage, execPath, resourceUsage, stdout } from 'node:process';
import { fileURLToPath } from 'node:url';
import { BufferPool } from 'slabpool';
import { serve } from 'slabpool/io';

const MAX = 2 * 1024 * 1024;
const SHARED = 64 * 1024;

/** Ways to receive frames; each calls `frame(bytes, start, end)` with each body. */
export const WAYS = ['serve', 'hand-written', 'list', 'concat'];

/** @typedef {(bytes: Buffer, start: number, end: number) => void} OnFrame */

/** @param {import('node:net').Server} server @param {OnFrame} frame */
function byServe(server, frame) {
  serve(
    new BufferPool({ maxPooledSize: MAX }),
    server,
    () => ({
      data(reader) {
        while (reader.read(4)) {
          const whole = 4 + reader.bytes.readUInt32LE(reader.start);
          if (!reader.read(whole)) return;
          frame(reader.bytes, reader.start + 4, reader.start + whole);
          reader.consume(whole);
        }
      },
    }),
    { maxLength: MAX },
  );
}

/** The same by hand, on leases, for frames that are no longer than MAX. @param {import('node:net').Server} server @param {OnFrame} frame */
function byHand(server, frame) {
  const pool = new BufferPool({ maxPooledSize: MAX });
  const shared = Buffer.allocUnsafeSlow(SHARED);
  server.on('connection', (accepted) => {
    /** @type {import('slabpool').Lease | null} */
    let lease = null;
    let have = 0;
    let need = 0;
    /** @param {Buffer} bytes @param {number} at @param {number} end */
    const keep = (bytes, at, end) => {
      if (at === end) return;
      need = end - at < 4 ? 4 : 4 + bytes.readUInt32LE(at);
      lease = pool.acquire(need);
      have = bytes.copy(lease.bytes, 0, at, end);
    };
    /** @param {Buffer} bytes @param {number} from @param {number} end */
    const parse = (bytes, from, end) => {
      let at = from;
      while (end - at >= 4) {
        const whole = 4 + bytes.readUInt32LE(at);
        if (end - at < whole) break;
        frame(bytes, at + 4, at + whole);
        at += whole;
      }
      return at;
    };
    const buffer = () => (lease !== null && need - have >= SHARED / 2 ? lease.bytes.subarray(have, need) : shared);
    /** @param {number} length @param {Uint8Array} into */
    const callback = (length, into) => {
      let at = 0;
      if (into !== shared) have += length;
      while (lease !== null) {
        if (into === shared && at < length) {
          const part = Math.min(need - have, length - at);
          shared.copy(lease.bytes, have, at, at + part);
          have += part;
          at += part;
        }
        if (have < need) return true;
        const done = lease;
        lease = null;
        const parsed = parse(done.bytes, 0, have);
        if (parsed < have) keep(done.bytes, parsed, have);
        done.release();
      }
      if (into === shared) keep(shared, parse(shared, at, length), length);
      return true;
    };
    const inside = /** @type {any} */ (accepted);
    const handle = inside._handle;
    inside._handle = null;
    new Socket(/** @type {any} */ ({ handle, onread: { buffer, callback } })).resume();
  });
}

/** @param {import('node:net').Server} server @param {OnFrame} frame */
function byList(server, frame) {
  server.on('connection', (socket) => {
    /** @type {Buffer[]} */
    let list = [];
    let have = 0;
    let need = 4;
    socket.on('data', (chunk) => {
      list.push(/** @type {Buffer} */ (chunk));
      have += chunk.length;
      if (have < need) return;
      const bytes = list.length === 1 ? /** @type {Buffer} */ (list[0]) : Buffer.concat(list, have);
      let at = 0;
      need = 4;
      while (have - at >= 4) {
        need = 4 + bytes.readUInt32LE(at);
        if (have - at < need) break;
        const body = Buffer.concat([bytes.subarray(at + 4, at + need)]);
        frame(body, 0, body.length);
        at += need;
        need = 4;
      }
      have -= at;
      list = have === 0 ? [] : [bytes.subarray(at)];
    });
  });
}

/** @param {import('node:net').Server} server @param {OnFrame} frame */
function byConcat(server, frame) {
  server.on('connection', (socket) => {
    let bytes = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, /** @type {Buffer} */ (chunk)]);
      let at = 0;
      while (bytes.length - at >= 4) {
        const whole = 4 + bytes.readUInt32LE(at);
        if (bytes.length - at < whole) break;
        frame(bytes, at + 4, at + whole);
        at += whole;
      }
      bytes = bytes.subarray(at);
    });
  });
}

const RECEIVERS = { serve: byServe, 'hand-written': byHand, list: byList, concat: byConcat };

/** The receiving process. @param {keyof typeof RECEIVERS} way @param {number} warm bytes @param {number} total bytes */
async function receiveAll(way, warm, total) {
  let bytes = 0;
  let frames = 0;
  let check = 0;
  let begun = cpuUsage();
  let begunAt = 0;
  const server = createServer();
  RECEIVERS[way](server, (body, start, end) => {
    check = (check * 31 + /** @type {number} */ (body[start]) + /** @type {number} */ (body[end - 1])) | 0;
    frames++;
    bytes += end - start;
    if (begunAt === 0 && bytes >= warm) {
      begun = cpuUsage();
      begunAt = bytes;
    }
    if (bytes < total) return;
    const { user, system } = cpuUsage(begun);
    const megabytes = (bytes - begunAt) / 1e6;
    const result = { frames, check, cpu: (user + system) / 1e6 / megabytes, rss: resourceUsage().maxRSS * 1024 };
    stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stdout.write(`${/** @type {import('node:net').AddressInfo} */ (server.address()).port}\n`);
}

/** The sending process: writes until the other side goes away. @param {number} port @param {number} size */
function sendAll(port, size) {
  const one = Buffer.alloc(4 + size, 'frame ');
  one.writeUInt32LE(size);
  const some = Buffer.concat(Array(Math.max(1, Math.round((256 * 1024) / one.length))).fill(one));
  const socket = connect(port, '127.0.0.1');
  const more = () => {
    while (socket.write(some));
  };
  socket
    .on('connect', more)
    .on('drain', more)
    .on('error', () => {})
    .on('close', () => process.exit(0));
}

/**
 * @param {string} way one of {@link WAYS}
 * @param {number} size bytes of a frame's body
 * @param {number} total bytes that are received, of which the first quarter is not measured
 * @returns {Promise<{ frames: number, check: number, cpu: number, rss: number }>} `cpu`: seconds a megabyte; `rss`: bytes at the peak
 */
export async function measureFrames(way, size, total) {
  const self = fileURLToPath(import.meta.url);
  const warm = Math.round(total / 4);
  const receiver = spawn(execPath, [self, 'receive', way, String(warm), String(total)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  receiver.stdout.setEncoding('utf8').on('data', (text) => {
    output += text;
  });
  const ended = once(receiver, 'close');
  while (!output.includes('\n')) {
    await Promise.race([once(receiver.stdout, 'data'), ended]);
    if (receiver.exitCode !== null) throw new Error(`the receiver '${way}' ended`);
  }
  const sender = spawn(execPath, [self, 'send', output.trim(), String(size)], { stdio: 'inherit' });
  await Promise.all([ended, once(sender, 'close')]);
  return JSON.parse(/** @type {string} */ (output.split('\n')[1]));
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const [, , role, first, second, third] = argv;
  if (role === 'receive')
    await receiveAll(/** @type {keyof typeof RECEIVERS} */ (first), Number(second), Number(third));
  else if (role === 'send') sendAll(Number(first), Number(second));
}
