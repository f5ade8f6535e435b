import { MessageChannel } from 'node:worker_threads';
import { BufferPool, Channel } from 'slabpool';
import { ByteRing } from './byte-ring.js';
import { endAll, Thread, takeTurns, timed } from './threads.js';
import { TicketRing } from './ticket-ring.js';

const SIZE = 64 * 1024;
/** Messages under way at the most, in each of the ways: a Channel's default. */
const IN_FLIGHT = 256;
/** How often a receiver that has nothing to send back says how far it is. */
const CREDIT = 16;
/** Leases that are sent at once where they are sent many at once. */
const BATCH = 16;

export const title = `${SIZE / 1024} KiB buffers from the main thread to a worker, a byte touched on both sides; per buffer`;

/** @param {import('./run.js').Context} context */
export async function run({ effort, progress, report, facts }) {
  const scale = effort.seconds / 0.2;
  const ways = [
    channel('receive'),
    tickets(),
    channel('receiveSync'),
    batched(),
    recycled(),
    fresh(),
    cloned(),
    copied(),
    number(),
  ].map((way) => ({ ...way, count: Math.ceil(way.count * scale) }));
  const results = await takeTurns(ways, effort.rounds, progress);
  report(`${SIZE / 1024} KiB`, results);
  const [, byTickets] = results;
  facts({ 'ns by tickets': byTickets?.ns ?? Number.NaN, 'tickets over Channel': byTickets?.ratio ?? Number.NaN });
  await endAll(ways);
}

/** @param {'receive' | 'receiveSync'} how the worker waits @returns {import('./threads.js').Way} */
function channel(how) {
  const pool = new BufferPool();
  const channel = new Channel(pool, { capacity: IN_FLIGHT });
  const thread = new Thread('handover', { kind: how, pool: pool.handle, channel: channel.handle });
  return {
    name: how === 'receive' ? 'slabpool Channel' : 'slabpool Channel, receiveSync',
    count: 400_000,
    run: (count) =>
      timed(async () => {
        const received = thread.ask(count);
        for (let i = 0; i < count; i++) {
          const lease = pool.acquire(SIZE);
          lease.bytes[0] = i;
          if (!channel.trySend(lease)) await channel.send(lease);
        }
        await received;
      }),
    end: () => thread.end(),
  };
}

/** @returns {import('./threads.js').Way} */
function batched() {
  const pool = new BufferPool();
  const channel = new Channel(pool, { capacity: IN_FLIGHT });
  const thread = new Thread('handover', { kind: 'receiveMany', pool: pool.handle, channel: channel.handle });
  return {
    name: `slabpool Channel, sendMany of ${BATCH}`,
    count: 400_000,
    run: (wanted) =>
      timed(async () => {
        const count = Math.ceil(wanted / BATCH) * BATCH;
        const received = thread.ask(count);
        for (let sent = 0; sent < count; sent += BATCH) {
          const leases = pool.acquireMany(SIZE, BATCH);
          for (const lease of leases) lease.bytes[0] = sent;
          await channel.sendMany(leases);
        }
        await received;
      }),
    end: () => thread.end(),
  };
}

/** @returns {import('./threads.js').Way} */
function tickets() {
  const pool = new BufferPool();
  const memory = TicketRing.memory(IN_FLIGHT);
  const ring = new TicketRing(memory);
  const thread = new Thread('handover', { kind: 'tickets', pool: pool.handle, memory });
  return {
    name: "slabpool tickets in the user's own ring",
    count: 400_000,
    run: (count) =>
      timed(async () => {
        const received = thread.ask(count);
        for (let i = 0; i < count; i++) {
          const lease = pool.acquire(SIZE);
          lease.bytes[0] = i;
          ring.push(lease.transfer());
        }
        await received;
      }),
    end: () => thread.end(),
  };
}

/** @returns {import('./threads.js').Way} */
function recycled() {
  const { thread, port } = posting('recycled');
  const idle = Array.from({ length: IN_FLIGHT }, () => new ArrayBuffer(SIZE));
  return {
    name: 'postMessage, recycled ArrayBuffers transferred there and back',
    count: 40_000,
    run: (count) =>
      timed(
        () =>
          new Promise((resolve) => {
            let sent = 0;
            let returned = 0;
            const send = (/** @type {ArrayBuffer} */ buffer) => {
              new Uint8Array(buffer)[0] = sent++;
              port.postMessage(buffer, [buffer]);
            };
            const received = (/** @type {ArrayBuffer} */ buffer) => {
              if (sent < count) send(buffer);
              else idle.push(buffer);
              if (++returned < count) return;
              port.off('message', received);
              resolve(undefined);
            };
            port.on('message', received);
            while (idle.length > 0 && sent < count) send(/** @type {ArrayBuffer} */ (idle.pop()));
          }),
      ),
    end: () => thread.end(),
  };
}

/** @returns {import('./threads.js').Way} */
function fresh() {
  return pipelined('postMessage, fresh ArrayBuffers transferred', 'fresh', 6_000, (port, i) => {
    const buffer = new ArrayBuffer(SIZE);
    new Uint8Array(buffer)[0] = i;
    port.postMessage(buffer, [buffer]);
  });
}

/** The sender's stays its own: each message has a copy. @returns {import('./threads.js').Way} */
function cloned() {
  const bytes = new Uint8Array(SIZE);
  return pipelined('postMessage, cloned', 'fresh', 6_000, (port, i) => {
    bytes[0] = i;
    port.postMessage(bytes.buffer);
  });
}

/** @returns {import('./threads.js').Way} */
function copied() {
  const memory = ByteRing.memory(IN_FLIGHT * SIZE);
  const ring = new ByteRing(memory);
  const thread = new Thread('handover', { kind: 'copied', memory, size: SIZE });
  const words = new Uint32Array(SIZE / 4);
  const bytes = new Uint8Array(words.buffer);
  return {
    name: 'ringbuf.js, copied into shared memory and out of it',
    count: 4_000,
    run: (count) =>
      timed(async () => {
        const received = thread.ask(count);
        let sent = 0;
        for (let i = 0; i < count; i++) {
          bytes[0] = i;
          sent += i & 0xff;
          ring.push(words);
        }
        if ((await received) !== sent) throw new Error('other bytes were received than sent');
      }),
    end: () => thread.end(),
  };
}

/** @returns {import('./threads.js').Way} */
function number() {
  return pipelined('postMessage of a number, no buffer', 'number', 100_000, (port, i) => port.postMessage(i));
}

/**
 * A way that keeps the receiver supplied, and hears from it now and then.
 * @param {string} name @param {string} kind @param {number} count
 * @param {(port: import('node:worker_threads').MessagePort, i: number) => void} send
 * @returns {import('./threads.js').Way}
 */
function pipelined(name, kind, count, send) {
  const { thread, port } = posting(kind);
  return {
    name,
    count,
    run: (wanted) =>
      timed(
        () =>
          new Promise((resolve) => {
            const total = Math.ceil(wanted / CREDIT) * CREDIT;
            let sent = 0;
            let received = 0;
            const supply = () => {
              while (sent < total && sent - received < IN_FLIGHT) send(port, sent++);
            };
            const credited = () => {
              received += CREDIT;
              if (received < total) return supply();
              port.off('message', credited);
              resolve(undefined);
            };
            port.on('message', credited);
            supply();
          }),
      ),
    end: () => thread.end(),
  };
}

/** @param {string} kind */
function posting(kind) {
  const { port1: port, port2 } = new MessageChannel();
  return { thread: new Thread('handover', { kind, port: port2, credit: CREDIT }, [port2]), port };
}
