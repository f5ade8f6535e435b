// The receiver of latency.js: notes how long each message was under way.
import { parentPort, workerData } from 'node:worker_threads';
import { BufferPool, Channel } from 'slabpool';

const pool = BufferPool.attach(workerData.pool);
const channel = Channel.attach(pool, workerData.channel);
const { port } = workerData;

/** @type {number[]} */
let times = [];
let wanted = 0;

/** @param {number} sent */
function received(sent) {
  times.push(Number(process.hrtime.bigint()) - sent);
  if (times.length === wanted) parentPort?.postMessage(times);
}

port.on('message', received);

parentPort?.on('message', async ({ name, count }) => {
  times = [];
  wanted = count;
  if (count === 0) parentPort?.postMessage(times);
  if (!name.startsWith('Channel')) return;
  for (let i = 0; i < count; i++) {
    const lease = name === 'Channel' ? await channel.receive() : channel.receiveSync();
    if (lease === null) throw new Error('the channel was closed');
    received(lease.tag);
    lease.release();
  }
});
