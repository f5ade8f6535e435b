// node examples/requests.js < REQUESTS: reads requests, as text, and prints a line about each when it was handled. A request is a line with a
// method and a path, headers as `name: value`, an empty line, and as many bytes as its header `length` says. Four are handled at once.
//
// What is parsed into is pooled: a struct whose list and body stay when a request is done. Its map is a new one each time: to empty it would take
// longer.
import { setTimeout } from 'node:timers/promises';
import { clear, ObjectPool } from 'slabpool/object';

const AT_ONCE = 4;
const LARGE = 64 * 1024;

class Request {
  line = '';
  /** @type {Map<string, string>} */
  headers = new Map();
  /** @type {string[]} */
  segments = [];
  body = Buffer.alloc(1024);
  length = 0;

  reset() {
    this.headers = new Map();
    clear(this.segments);
    this.length = 0;
  }
}

const requests = new ObjectPool({
  name: 'requests',
  create: () => new Request(),
  reset: (request) => request.reset(),
  // One large body must not make all that come after it large: the buffer-size trap.
  keep: ({ body }) => body.length <= LARGE,
});

/** Parses the request that begins at `from` into what is leased. @param {Request} request @param {Buffer} input @param {number} from @returns where it ends */
function parse(request, input, from) {
  const end = input.indexOf('\n\n', from);
  if (end === -1) throw new Error('requests: the input ends within a request');
  const [line = '', ...headers] = input.toString('utf8', from, end).split('\n');
  request.line = line;
  for (const part of (line.split(' ')[1] ?? '').split('/')) if (part !== '') request.segments.push(part);
  for (const header of headers) {
    const colon = header.indexOf(': ');
    request.headers.set(header.slice(0, colon).toLowerCase(), header.slice(colon + 2));
  }
  request.length = Number(request.headers.get('length') ?? 0);
  if (request.length > request.body.length) request.body = Buffer.alloc(request.length);
  return end + 2 + input.copy(request.body, 0, end + 2, end + 2 + request.length);
}

/** @param {Request} request */
async function handle({ line, headers, segments, body, length }) {
  await setTimeout(1);
  const sum = body.subarray(0, length).reduce((total, byte) => total + byte, 0);
  console.log(`${line}: ${segments.length} segments, ${headers.size} headers, ${length} bytes, sum ${sum}`);
}

/** @type {Set<Promise<void>>} */
const running = new Set();
const parts = [];
for await (const part of process.stdin) parts.push(part);
const input = Buffer.concat(parts);
for (let at = 0; at < input.length; ) {
  if (running.size === AT_ONCE) await Promise.race(running);
  const lease = requests.acquire();
  at = parse(lease.value, input, at);
  const done = handle(lease.value).finally(() => {
    lease.release();
    running.delete(done);
  });
  running.add(done);
}
await Promise.all(running);
const { acquires, created, drops } = requests.stats();
console.log(`${acquires} requests, ${created} structs, ${drops.vetoed} dropped as too large`);
requests.assertNoLeaks();
requests.close();
