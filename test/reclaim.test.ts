import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { BufferPool, type Lease } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, coded, detach, fill, heapOf, holdsPattern, KiB, MiB } from './backends.js';

const SIZE = 64 * KiB;
const gc = (globalThis as { gc?: () => void }).gc as () => void;
const NODE = Number(process.versions.node.split('.')[0]);

/** Since Node 22; not in the `lib` that this project compiles against. */
interface Transferable extends ArrayBuffer {
  transfer(newByteLength?: number): ArrayBuffer;
}

/** A byte stream that fills every request, the `i`th with `i`; and so many of them. */
function source(count: number): ReadableStreamBYOBReader {
  let i = 0;
  const stream = new ReadableStream({
    type: 'bytes',
    pull(controller) {
      const request = controller.byobRequest as ReadableStreamBYOBRequest;
      const view = request.view as Uint8Array;
      if (i < count) {
        view.fill(++i);
        request.respond(view.byteLength);
      } else {
        controller.close();
        request.respond(0);
      }
    },
  });
  return stream.getReader({ mode: 'byob' });
}

/** One read into the lease's memory: what it returned. */
async function read(lease: Lease): Promise<Buffer<ArrayBuffer>> {
  const { value } = await source(1).read(lease.bytes);
  return value as Buffer<ArrayBuffer>;
}

describe.each(BACKENDS)('B11: reclaim() on the %s core', (backend) => {
  let pool: BufferPool;
  const make = (options = {}) => new BufferPool({ name: 'read', backend, tiers: [SIZE], maxBytes: MiB, ...options });
  beforeEach(() => {
    pool = make();
  });
  afterEach(() => {
    pool.assertNoLeaks();
    expect(pool.stats()).toMatchObject({ retiredBytes: 0, drops: { retired: 0 } });
    checkBooks(pool);
    pool.close();
  });

  const foreign = (givenBytes = SIZE) =>
    coded('ERR_SLABPOOL_FOREIGN_BUFFER', /expected what the read returned.*over the lease's own memory; got one of/, {
      pool: 'read',
      details: { givenBytes, capacityBytes: SIZE },
    });

  test('BYOB reads of ten times the budget, a lease each, use one block, and retire none', async () => {
    const reader = source(160);
    for (let i = 1; i <= 160; i++) {
      const lease = pool.acquire(SIZE);
      const { value } = await reader.read(lease.bytes);
      expect(lease.bytes).toHaveLength(0);
      lease.reclaim(value as Uint8Array);
      expect(lease.buffer).toBe(value?.buffer);
      expect([lease.capacity, lease.view().length, lease.bytes.equals(Buffer.alloc(SIZE, i))]).toEqual([
        SIZE,
        SIZE,
        true,
      ]);
      lease.release();
      expect(pool.stats()).toMatchObject({ mappedBlocks: 1, leasedBytes: 0, retiredBytes: 0 });
    }
  });

  test('one lease serves a loop of reads until the stream ends, and is whole then', async () => {
    const reader = source(100);
    const lease = pool.acquire(SIZE);
    let bytes = 0;
    for (;;) {
      const { value, done } = await reader.read(lease.bytes);
      lease.reclaim(value as Uint8Array);
      if (done) break;
      bytes += value.byteLength;
    }
    expect(bytes).toBe(100 * SIZE);
    fill(lease, 1);
    lease.release();
    const leases = pool.acquireMany(SIZE, 16); // all of the budget is there
    pool.releaseMany(leases);
  });

  test('the body of a fetch() of more than the budget', async () => {
    const chunk = Buffer.alloc(100_000, 'slabpool');
    const server = createServer((_, response) => {
      let left = 40;
      const more = () => {
        while (left-- > 0) if (!response.write(chunk)) return response.once('drain', more);
        return response.end();
      };
      more();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { body } = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const reader = (body as ReadableStream<Uint8Array>).getReader({ mode: 'byob' });
    const received: Buffer[] = [];
    for (let done = false; !done; ) {
      const lease = pool.acquire(SIZE);
      const result = await reader.read(lease.bytes);
      ({ done } = result);
      lease.reclaim(result.value as Uint8Array);
      received.push(Buffer.from(lease.bytes.subarray(0, result.value?.byteLength)));
      lease.release();
    }
    server.close();
    expect(Buffer.concat(received).equals(Buffer.concat(Array.from({ length: 40 }, () => chunk)))).toBe(true);
  });

  test('takes an ArrayBuffer as well as a view, of what enqueue() and transfer() make of it, too', async () => {
    const ways: ((lease: Lease) => Promise<ArrayBufferLike> | ArrayBufferLike)[] = [
      async (lease) => (await read(lease)).buffer,
      async (lease) => (await detach(lease.bytes)).buffer,
    ];
    if (NODE >= 22) ways.push(({ buffer }) => (buffer as Transferable).transfer());
    for (const way of ways) {
      for (const view of [
        (b: ArrayBuffer) => b,
        (b: ArrayBuffer) => new DataView(b, 8, 16),
        (b: ArrayBuffer) => new Float64Array(b),
      ]) {
        const lease = pool.acquire(SIZE);
        const buffer = (await way(lease)) as ArrayBuffer;
        lease.reclaim(view(buffer));
        expect([lease.buffer === buffer, lease.bytes.length]).toEqual([true, SIZE]);
        lease.release();
      }
    }
  });

  test('of what the lease has anyway changes nothing', async () => {
    const lease = pool.acquire(SIZE);
    const { bytes } = lease;
    lease.reclaim(lease.bytes);
    expect(lease.bytes).toBe(bytes);
    const value = await read(lease);
    lease.reclaim(value);
    lease.reclaim(value);
    expect(lease.buffer).toBe(value.buffer);
    lease.release();
  });

  test('the next owner has the same memory under the same ArrayBuffer, and hands it over', async () => {
    const lease = pool.acquire(SIZE);
    const value = await read(lease);
    lease.reclaim(value);
    lease.release();
    const next = pool.acquire(SIZE);
    expect(next.buffer).toBe(value.buffer);
    fill(next, 7);
    const adopted = pool.adopt(next.transfer());
    expect([adopted.buffer === value.buffer, holdsPattern(adopted, 7)]).toEqual([true, true]);
    const again = await read(adopted);
    expect(() => adopted.transfer()).toThrow(coded('ERR_SLABPOOL_DETACHED'));
    adopted.reclaim(again);
    pool.adopt(adopted.transfer()).release();
    expect(pool.stats().mappedBlocks).toBe(1);
  });

  test.each(['off', 'full'] as const)(
    'with leakDetection %s the lease is as tracked as before',
    async (leakDetection) => {
      const tracked = make({ leakDetection });
      const full = leakDetection === 'full' ? 1 : 0;
      const lease = tracked.acquire(5000);
      for (let i = 0; i < 3; i++) {
        lease.reclaim(await read(lease));
        expect(tracked.trackedLeases()).toHaveLength(full);
        if (i === 1) await setImmediate(); // registered from now on
      }
      expect([lease.size, lease.bytes.length]).toEqual([5000, SIZE]);
      lease.release();
      expect(() => lease.reclaim(Buffer.alloc(SIZE))).toThrow(
        coded('ERR_SLABPOOL_LEASE_RELEASED', full ? /acquired at .*reclaim\.test\.ts/ : /./),
      );
      expect([tracked.outstanding(), tracked.trackedLeases().length]).toEqual([0, 0]);
      expect(tracked.stats().leaks.collected).toBe(0);
      checkBooks(tracked);
      tracked.close();
    },
  );

  test('a lease that is forgotten after it is a leak like any other', async () => {
    const leaky = make({ leakDetection: 'full' });
    await (async () => {
      const lease = leaky.acquire(SIZE);
      lease.reclaim(await read(lease));
      await setImmediate();
    })();
    for (let tries = 0; tries < 100 && leaky.stats().leaks.collected === 0; tries++) {
      gc();
      await setImmediate();
    }
    expect(leaky.stats().leaks.collected).toBe(1);
    for (let tries = 0; tries < 100 && leaky.outstanding() > 0; tries++) {
      gc();
      await setImmediate();
    }
    expect([leaky.outstanding(), leaky.stats().retiredBytes]).toEqual([0, 0]);
    checkBooks(leaky);
    leaky.close();
  });

  test('borrow() refuses reclaimed memory as a result like any other of its lease', async () => {
    for (const use of [(value: Buffer) => value, (value: Buffer) => value.buffer]) {
      const result = pool.borrow(SIZE, async (lease) => {
        const value = await read(lease);
        lease.reclaim(value);
        return use(value);
      });
      await expect(result).rejects.toThrow(coded('ERR_SLABPOOL_BORROWED'));
    }
  });

  test('of an oversize lease, whose charge goes on', async () => {
    const lease = pool.acquire(3 * MiB);
    const value = await read(lease);
    lease.reclaim(value);
    expect([lease.buffer === value.buffer, lease.capacity, pool.stats().oversize.leasedBytes]).toEqual([
      true,
      3 * MiB,
      3 * MiB,
    ]);
    const other = pool.acquire(3 * MiB);
    const otherValue = await read(other);
    expect(() => other.reclaim(value)).toThrow(coded('ERR_SLABPOOL_FOREIGN_BUFFER'));
    other.reclaim(otherValue);
    lease.release();
    other.release();
    expect(pool.stats().oversize).toMatchObject({ leasedBytes: 0, outstanding: 0 });
    for (let i = 0; i < 3; i++) {
      gc();
      await setImmediate();
    }
    expect(pool.stats().oversize).toMatchObject({ leasedBytes: 0, outstanding: 0 });
  });

  describe('what it refuses leaves the lease as it is:', () => {
    let lease: Lease;
    let value: Buffer<ArrayBuffer>;
    beforeEach(async () => {
      lease = pool.acquire(SIZE);
      value = await read(lease);
    });
    afterEach(() => {
      expect([lease.released, lease.bytes.length, pool.outstanding()]).toEqual([false, 0, 1]);
      lease.reclaim(value);
      expect(lease.bytes).toHaveLength(SIZE);
      lease.release();
    });

    test.each([
      undefined,
      null,
      1,
      'bytes',
      {},
      [],
      new SharedArrayBuffer(SIZE),
      new Uint8Array(new SharedArrayBuffer(SIZE)),
    ])('what is no ArrayBuffer: %o', (given) => {
      expect(() => lease.reclaim(given as ArrayBuffer)).toThrow(
        coded('ERR_SLABPOOL_INVALID_ARG', /reclaim\(memory\): expected an ArrayBuffer, or a view of one/, {
          pool: 'read',
        }),
      );
    });

    test.each([0, 1, SIZE - 1, SIZE + 1, 2 * SIZE])('one of another length: %i', (bytes) => {
      expect(() => lease.reclaim(new ArrayBuffer(bytes))).toThrow(foreign(bytes));
    });

    test('one that is detached', async () => {
      const buffer = new ArrayBuffer(SIZE);
      await detach(new Uint8Array(buffer));
      expect(() => lease.reclaim(buffer)).toThrow(foreign(0));
    });

    test('one that can be resized', () => {
      const Resizable = ArrayBuffer as unknown as new (bytes: number, options: object) => ArrayBuffer;
      expect(() => lease.reclaim(new Resizable(SIZE, { maxByteLength: 2 * SIZE }))).toThrow(foreign());
    });

    test('that of another lease, of this pool or of another one', () => {
      const other = make();
      for (const victim of [pool.acquire(SIZE), other.acquire(SIZE)]) {
        fill(victim, 3);
        expect(() => lease.reclaim(victim.bytes)).toThrow(foreign());
        expect(holdsPattern(victim, 3)).toBe(true);
        victim.release();
      }
      other.close();
    });

    test('what another lease has reclaimed', async () => {
      const other = pool.acquire(SIZE);
      const theirs = await read(other);
      other.reclaim(theirs);
      expect(() => lease.reclaim(theirs)).toThrow(foreign());
      other.release();
      expect(() => lease.reclaim(theirs)).toThrow(foreign());
    });

    test.runIf(backend === 'native')('memory of the same length that is not its own', async () => {
      expect(() => lease.reclaim(new ArrayBuffer(SIZE))).toThrow(foreign());
      const other = pool.acquire(SIZE);
      const theirs = await read(other);
      expect(() => lease.reclaim(theirs)).toThrow(foreign());
      other.reclaim(theirs);
      other.release();
    });

    test.runIf(NODE >= 22)('its memory cut short', () => {
      const short = structuredClone(new ArrayBuffer(SIZE)) as Transferable;
      expect(() => lease.reclaim(short.transfer(16))).toThrow(foreign(16));
    });
  });

  test('refuses a lease that several have, and takes it from the last; one that is retained after it is fine', async () => {
    const lost = make();
    const lease = lost.acquire(SIZE);
    const reader = lease.retain();
    const value = await read(lease);
    for (const each of [lease, reader]) {
      expect(() => each.reclaim(value)).toThrow(
        coded('ERR_SLABPOOL_SHARED', /2 leases have the buffer .* reclaimed before/),
      );
    }
    lease.release();
    reader.reclaim(value);
    expect(reader.bytes).toHaveLength(SIZE);
    reader.release();
    expect(lost.stats()).toMatchObject({ leasedBytes: 0, retiredBytes: 0 });
    checkBooks(lost);
    lost.close();
    const whole = pool.acquire(SIZE);
    whole.reclaim(await read(whole));
    const other = whole.retain();
    whole.release();
    expect(other.bytes).toHaveLength(SIZE);
    other.release();
  });

  test('refuses other memory for a lease that has its own', () => {
    const lease = pool.acquire(SIZE);
    fill(lease, 9);
    expect(() => lease.reclaim(new ArrayBuffer(SIZE))).toThrow(foreign());
    expect(holdsPattern(lease, 9)).toBe(true);
    lease.release();
  });

  test('refuses a lease that was released or handed over: its memory stays with the stream', async () => {
    const lost = make();
    const lease = lost.acquire(SIZE);
    const value = await read(lease);
    lease.release();
    expect(() => lease.reclaim(value)).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
    expect(lost.stats().retiredBytes).toBe(SIZE);
    expect(value).toHaveLength(SIZE);
    lost.close();
    const sent = pool.acquire(SIZE);
    const ticket = sent.transfer();
    expect(() => sent.reclaim(value)).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
    pool.adopt(ticket).release();
  });

  test('close() detaches it as any other; that of a lease that is out when the lease ends', async () => {
    const closed = make();
    const [free, out, away] = closed.acquireMany(SIZE, 3) as [Lease, Lease, Lease];
    const values = [await read(free), await read(out)] as const;
    const late = await read(away);
    free.reclaim(values[0]);
    out.reclaim(values[1]);
    free.release();
    closed.close();
    expect(values.map(({ length }) => length)).toEqual([0, SIZE]);
    fill(out, 5);
    out.release();
    away.reclaim(late); // it may come back after the pool is closed
    fill(away, 6);
    expect([values[1].length, holdsPattern(away, 6)]).toEqual([0, true]);
    away.release();
    expect(late).toHaveLength(0);
  });

  test("with debug 'detach' the release takes it away", async () => {
    const debug = make({ debug: 'detach' });
    for (let i = 0; i < 40; i++) {
      const lease = debug.acquire(SIZE);
      const value = await read(lease);
      lease.reclaim(value);
      lease.release();
      expect(value).toHaveLength(0);
    }
    expect(debug.stats()).toMatchObject({ retiredBytes: 0, leasedBytes: 0 });
    checkBooks(debug);
    debug.close();
  });

  test("with debug 'poison' and zero 'release' nobody else's bytes are seen, and nothing is reported", async () => {
    for (const options of [{ debug: 'poison' }, { zero: 'release' }]) {
      const other = make(options);
      for (let i = 0; i < 20; i++) {
        const lease = other.acquire(SIZE);
        lease.reclaim(await read(lease));
        lease.release();
      }
      expect(other.stats().leaks).toMatchObject({ writtenAfterRelease: 0 });
      checkBooks(other);
      other.close();
    }
  });
});

test('B11: nobody gets the addresses of a reclaimed block of a dropped pool, while there is a view of it', async () => {
  let value: Buffer | undefined;
  const dropped = await (async () => {
    const pool = new BufferPool({ backend: 'native', tiers: [SIZE], maxBytes: 4 * MiB });
    const lease = pool.acquire(SIZE);
    value = await read(lease);
    lease.reclaim(value);
    lease.release();
    value.fill(1);
    return new WeakRef(pool);
  })();
  for (let tries = 0; tries < 100 && dropped.deref() !== undefined; tries++) {
    await setImmediate(); // what deref() returned is kept until the end of its turn
    gc();
  }
  expect(dropped.deref()).toBeUndefined();
  for (let i = 0; i < 20; i++) await setImmediate(); // what belongs to it is finalized
  const next = new BufferPool({ backend: 'native', tiers: [SIZE], maxBytes: 64 * MiB });
  for (const { bytes } of next.acquireMany(SIZE, 1000)) bytes.fill(2);
  expect(value?.equals(Buffer.alloc(SIZE, 1))).toBe(true);
  next.close();
});

/** Of all mappings of this process, in bytes. */
function mapped(): number {
  const pages = Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[0]);
  return pages * 4 * KiB;
}

test.runIf(process.platform === 'linux')(
  'B11: 600 pools whose reclaimed blocks take 1.2 GiB of addresses between them leave them to each other',
  async () => {
    new BufferPool({ backend: 'native' }).acquire(SIZE).release(); // makes an arena, if there is none
    const before = mapped();
    for (let i = 0; i < 600; i++) {
      const pool = new BufferPool({ backend: 'native', tiers: [SIZE], maxBytes: 4 * MiB });
      const lease = pool.acquire(SIZE);
      lease.reclaim(await read(lease));
      lease.reclaim(await read(lease));
      lease.release();
      const { core } = heapOf(pool);
      expect(core.checkInvariants()).toBeNull();
      pool.close();
      if (i % 50 === 0) gc();
      await setImmediate();
    }
    expect(mapped() - before).toBeLessThan(600 * MiB);
  },
);
