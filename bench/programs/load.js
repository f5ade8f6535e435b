// Who asks a service, in a process of its own: load.js PROGRAM PORT. Each connection asks the next when it has its answer: latencies are those
// of so many users, not of requests that come whether or not those before were answered.
import { once } from 'node:events';
import { connect } from 'node:net';
import { createHistogram } from 'node:perf_hooks';
import { byNines } from '../percentiles.js';

const CONNECTIONS = 16;
const NS_PER_MS = 1e6;

const [program, port] = process.argv.slice(2);
const { requests } = await import(`./${program}.js`);
/** @type {import('./requests.js').Request[]} */
const all = requests();
const latencies = createHistogram();
let answers = 0;
let ending = false;

/** Asks until the end. @param {import('node:net').Socket} socket @param {number} first the number of its first request */
async function client(socket, first) {
  for (let i = first; !ending; i++) {
    const { bytes, answer } = /** @type {import('./requests.js').Request} */ (all[i % all.length]);
    const asked = performance.now();
    socket.write(bytes);
    await received(socket, answer);
    latencies.record(Math.round((performance.now() - asked) * NS_PER_MS));
    answers++;
  }
}

/** @param {import('node:net').Socket} socket @param {Buffer} answer */
function received(socket, answer) {
  let have = 0;
  return /** @type {Promise<void>} */ (
    new Promise((resolve, reject) => {
      const data = (/** @type {Buffer} */ chunk) => {
        const to = have + chunk.length;
        if (to > answer.length || answer.compare(chunk, 0, chunk.length, have, to) !== 0) {
          reject(new Error(`${program}: a wrong answer`));
        }
        have = to;
        if (have < answer.length) return;
        socket.off('data', data);
        resolve();
      };
      socket.on('data', data);
    })
  );
}

process.once('disconnect', () => process.exit());
const sockets = Array.from({ length: CONNECTIONS }, () => connect({ port: Number(port), noDelay: true }));
for (const socket of sockets) {
  socket.on('close', () => {
    throw new Error(`${program}: hung up on`);
  });
}
await Promise.all(sockets.map((socket) => once(socket, 'connect')));
process.send?.('ready');
await once(process, 'message');
process.once('message', () => {
  ending = true;
});
await Promise.all(sockets.map((socket, i) => client(socket, Math.floor((i * all.length) / CONNECTIONS))));
const percentile = (/** @type {number} */ share) => latencies.percentile(share) / 1000;
process.send?.({
  answers,
  latencies: { p50: percentile(50), p99: percentile(99), 'p99.9': percentile(99.9) },
  byNines: byNines(latencies),
});
