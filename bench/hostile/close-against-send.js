import { setImmediate } from 'node:timers/promises';
import { BufferPool, Channel } from 'slabpool';
import { Thread } from '../threads.js';

const SIZE = 4096;
/** Messages that are received before the channel is closed. */
const BEFORE = 50;

/**
 * A worker sends as fast as it can, while this thread receives and closes, again and again: what was accepted, and had not been received
 * when the end was told.
 * @param {number} seconds
 */
export async function closeAgainstSend(seconds) {
  const pool = new BufferPool({ maxBytes: 2 ** 26, tiers: [SIZE], backend: 'native' });
  const sender = new Thread('close-against-send', { pool: pool.handle, size: SIZE });
  const until = performance.now() + seconds * 1000;
  let channels = 0;
  let accepted = 0;
  let lost = 0;
  for (; performance.now() < until; channels++) {
    const channel = new Channel(pool, { capacity: 1024 });
    const answer = sender.ask(channel.handle);
    while (channel.size === 0) await setImmediate();
    let received = drain(channel, BEFORE);
    channel.close();
    received += drain(channel, Infinity);
    const sent = await answer;
    accepted += sent;
    lost += sent - received;
    channel.leave();
  }
  await sender.end();
  pool.close();
  return { channels, accepted, lost };
}

/** @param {Channel} channel @param {number} most */
function drain(channel, most) {
  for (let received = 0; ; received++) {
    const lease = received < most ? channel.tryReceive() : null;
    if (lease === null) return received;
    lease.release();
  }
}
