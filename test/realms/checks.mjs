// What has to hold where the globals are not those of Node: in `node:vm` contexts, with a simulated browser, with fake timers. Each check is
// a function; the files beside this one run them all.
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setImmediate, setTimeout } from 'node:timers';
import { BufferPool, Channel, diagnose } from 'slabpool';
import { clear, ObjectPool } from 'slabpool/object';

const BLOCK = 65_536;

/** @typedef {'native' | 'js'} Backend */

/** @param {Backend} backend @param {import('slabpool').BufferPoolOptions} [options] */
const make = (backend, options) =>
  new BufferPool({ backend, maxBytes: 2 * BLOCK, tiers: [4096, BLOCK], epochMs: 20, ...options });

/** In true time. @param {() => boolean} condition */
async function until(condition) {
  for (let i = 0; i < 2000 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(condition());
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** @type {Record<string, (backend: Backend) => void | Promise<void>>} */
export const checks = {
  'leases, and memory that goes back'(backend) {
    const pool = make(backend);
    assert.equal(pool.backend.kind, backend);
    const lease = pool.acquire(BLOCK);
    assert.equal(lease.bytes.fill(7).length, BLOCK);
    assert.equal(lease.view().length, BLOCK);
    lease.release();
    assert.throws(() => lease.release(), { name: 'SlabPoolError', code: 'ERR_SLABPOOL_LEASE_RELEASED' });
    assert.ok(pool.stats().ageMs >= 0);
    assert.equal(typeof String(diagnose(pool.stats())), 'string');
    return until(() => pool.stats().residentBytes === 0).then(() => pool.close());
  },

  async 'whoever waits is served'(backend) {
    const pool = make(backend);
    const leases = pool.acquireMany(BLOCK, 2);
    const asked = [pool.acquireAsync(BLOCK), pool.acquireAsync(BLOCK, { timeout: 60_000 })];
    pool.releaseMany(leases);
    for (const lease of await Promise.all(asked)) lease.release();
    assert.equal(await pool.borrowAsync(BLOCK, async ({ size }) => size), BLOCK);
    pool.assertNoLeaks();
    pool.close();
  },

  async 'whoever waits gives up: timeouts are of true time, signals are whoever’s'(backend) {
    const pool = make(backend);
    const leases = pool.acquireMany(BLOCK, 2);
    await assert.rejects(pool.acquireAsync(BLOCK, { timeout: 20 }), { code: 'ERR_SLABPOOL_TIMEOUT' });
    const aborter = new AbortController();
    const asked = [
      pool.acquireAsync(BLOCK, { signal: aborter.signal }),
      pool.acquireAsync(1, { signal: aborter.signal }),
    ];
    aborter.abort();
    for (const one of asked) await assert.rejects(one, { name: 'AbortError' });
    await assert.rejects(pool.acquireAsync(1, { signal: aborter.signal }), { name: 'AbortError' });
    assert.equal(pool.stats().waits.aborted, 2);
    pool.releaseMany(leases);
    pool.close();
  },

  async 'tracked leases have an age and a site'(backend) {
    const pool = make(backend, { leakDetection: 'full' });
    const lease = pool.acquire(100);
    await turn();
    const [{ ageMs = -1, site = '' } = {}] = pool.trackedLeases();
    assert.ok(ageMs >= 0);
    assert.match(site, /checks\.mjs/);
    lease.touch('here');
    lease.release();
    pool.assertNoLeaks();
    pool.close();
  },

  'detaching, and writes after the release'(backend) {
    const detaches = make(backend, { debug: 'detach' });
    const lease = detaches.acquire(BLOCK);
    const { buffer } = lease;
    lease.release();
    assert.equal(buffer.byteLength, 0);
    detaches.close();
    const poisons = make(backend, { debug: 'poison' });
    const { bytes } = poisons.borrow(BLOCK, (lent) => ({ bytes: lent.bytes }));
    bytes[5] = 1;
    let seen = 0;
    const listener = () => void seen++;
    subscribe('slabpool:use-after-release', listener);
    poisons.acquire(BLOCK).release();
    unsubscribe('slabpool:use-after-release', listener);
    assert.equal(seen, 1);
    poisons.close();
  },

  'misuse has its codes'(backend) {
    const pool = make(backend);
    const expected = { name: 'SlabPoolError', code: 'ERR_SLABPOOL_INVALID_ARG' };
    assert.throws(() => pool.acquire(-1), expected);
    assert.throws(() => make(backend, /** @type {never} */ ({ maxByte: 1 })), expected);
    assert.throws(() => pool.acquire(2 ** 30), { code: 'ERR_SLABPOOL_OVERSIZE' });
    assert.throws(() => pool.acquireMany(BLOCK, 3), { code: 'ERR_SLABPOOL_EXHAUSTED' });
    pool.close();
  },

  async 'objects: leases, callbacks, and idle ones that are dropped'(backend) {
    if (backend === 'js') return;
    let destroyed = 0;
    const pool = new ObjectPool({
      create: () => ({ map: new Map([[1, 2]]), list: [1] }),
      reset: ({ map, list }) => clear(map, list),
      keep: ({ list }) => list.length < 5,
      destroy: () => void destroyed++,
      epochMs: 20,
      leakDetection: 'full',
    });
    const lease = pool.acquire();
    const { value } = lease;
    assert.match(pool.trackedLeases()[0]?.site ?? '', /checks\.mjs/);
    lease.release();
    assert.throws(() => lease.release(), { name: 'SlabPoolError', code: 'ERR_SLABPOOL_LEASE_RELEASED' });
    pool.borrow((again) => assert.deepEqual([again.value === value, value.map.size, value.list], [true, 0, []]));
    assert.throws(() => pool.borrow((again) => again.value), { code: 'ERR_SLABPOOL_BORROWED' });
    await until(() => destroyed === 1);
    const promising = new ObjectPool({ create: () => Promise.resolve({}) });
    assert.throws(() => promising.acquire(), { code: 'ERR_SLABPOOL_INVALID_ARG' });
    assert.throws(() => clear(/** @type {never} */ ({})), { code: 'ERR_SLABPOOL_INVALID_ARG' });
    pool.assertNoLeaks();
    pool.close();
  },

  async 'members and channels'(backend) {
    if (backend === 'js') return;
    const pool = make(backend);
    const other = BufferPool.attach(pool.handle);
    const channel = new Channel(pool);
    const end = Channel.attach(other, channel.handle);
    assert.equal(end.receiveSync(50), null);
    assert.equal(channel.trySend(pool.acquire(BLOCK), undefined, 7), true);
    const received = await end.receive();
    assert.equal(received?.tag, 7);
    received?.release();
    const adopted = other.adopt(pool.acquire(BLOCK).transfer());
    adopted.release();
    other.close();
    pool.close();
  },
};

export const backends = /** @type {const} */ (['native', 'js']);
