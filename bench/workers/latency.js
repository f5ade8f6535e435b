// The receiver of latency.js: notes how long each message was under way.
import '../garbage.js';
import { parentPort, workerData } from 'node:worker_threads';
import { BufferPool, Channel } from 'slabpool';

const pool = BufferPool.attach(workerData.pool);
const channel = Channel.attach(pool, workerData.channel);
const { port } = workerData;

/** @type {number[]} */
let times = [];
let wanted = -1;

/** @param {number} sent */
function received(sent) {
  times.push(Number(process.hrtime.bigint()) - sent);
  answer();
}

/** When all have come that are asked for: some may have overtaken the question. */
function answer() {
  if (times.length !== wanted) return;
  parentPort?.postMessage(times);
  times = [];
  wanted = -1;
}

port.on('message', received);

parentPort?.on('message', async ({ name, count }) => {
  wanted = count;
  answer();
  if (!name.startsWith('Channel')) return;
  for (let i = 0; i < count; i++) {
    const lease = name === 'Channel' ? await channel.receive() : channel.receiveSync();
    if (lease === null) throw new Error('the channel was closed');
    received(lease.tag);
    lease.release();
  }
});
