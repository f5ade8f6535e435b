import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { BufferPool, type Lease } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, coded, detach, fill, holdsPattern, KiB } from './backends.js';

const SIZE = 64 * KiB;
const NODE = Number(process.versions.node.split('.')[0]);

/** Since Node 22; not in the `lib` that this project compiles against. */
interface Transferable extends ArrayBuffer {
  transfer(newByteLength?: number): ArrayBuffer;
}

describe.each(BACKENDS)('blocks whose ArrayBuffer is taken away, on the %s core', (backend) => {
  let pool: BufferPool;
  let neighbours: Lease[];
  beforeEach(() => {
    pool = new BufferPool({ backend, tiers: [SIZE], maxBytes: 100 * SIZE });
    neighbours = pool.acquireMany(SIZE, 3);
    for (const [i, lease] of neighbours.entries()) fill(lease, i);
  });
  afterEach(() => {
    expect(neighbours.every((lease, i) => holdsPattern(lease, i))).toBe(true);
    pool.releaseMany(neighbours);
    pool.assertNoLeaks();
    checkBooks(pool);
    pool.close();
  });

  /** That `count` blocks were lost, all others are in use, and none of them lies in the memory of `taken`. */
  const expectRetired = (count: number, taken: readonly Uint8Array[]) => {
    expect(pool.stats().retiredBytes).toBe(count * SIZE);
    pool.trim();
    const rest = pool.acquireMany(SIZE, 100 - neighbours.length - count);
    expect(() => pool.acquire(SIZE)).toThrow(
      coded('ERR_SLABPOOL_EXHAUSTED', /in use/, {
        details: expect.objectContaining({ retiredBytes: count * SIZE }),
      }),
    );
    for (const { bytes } of rest) bytes.fill(0x11);
    for (const bytes of taken) bytes.fill(0xee);
    const clean = Buffer.alloc(SIZE, 0x11);
    expect(rest.filter(({ bytes }) => !bytes.equals(clean))).toEqual([]);
    for (const { bytes } of rest) bytes.fill(0x22);
    for (const bytes of taken) expect(Buffer.alloc(bytes.length, 0xee).equals(bytes)).toBe(true);
    pool.releaseMany(rest);
  };

  const ways: [string, (bytes: Buffer<ArrayBuffer>) => Promise<Uint8Array>][] = [
    [
      'by a BYOB read',
      async (bytes) => {
        const stream = new ReadableStream({
          type: 'bytes',
          pull(controller) {
            const view = controller.byobRequest?.view as Uint8Array;
            view[0] = 1;
            (controller.byobRequest as ReadableStreamBYOBRequest).respond(1);
          },
        });
        const { value } = await stream.getReader({ mode: 'byob' }).read(new Uint8Array(bytes.buffer));
        return new Uint8Array((value as Uint8Array).buffer);
      },
    ],
    ['by enqueue on a byte stream', detach],
  ];
  if (NODE >= 22) {
    ways.push(['by transfer()', async ({ buffer }) => new Uint8Array((buffer as Transferable).transfer())]);
  }

  describe.each(ways)('%s', (_, take) => {
    test('are retired at their release, and nothing else is', async () => {
      const lease = pool.acquire(SIZE);
      const taken = await take(lease.bytes);
      expect(taken.byteLength).toBe(SIZE);
      expect(lease.bytes).toHaveLength(0);
      const { retiredBytes, mappedBlocks } = pool.stats();
      expect(retiredBytes).toBe(0);
      lease.release();
      expect(pool.stats().mappedBlocks).toBe(mappedBlocks - 1);
      expectRetired(1, [taken]);
    });

    test.each<[string, (lease: Lease) => void]>([
      ['pool.release', (lease) => pool.release(lease)],
      ['releaseMany', (lease) => pool.releaseMany([lease])],
      ['dispose', (lease) => lease[Symbol.dispose]()],
    ])('are retired through %s as well, and a second release is told', async (_way, release) => {
      const lease = pool.acquire(SIZE);
      const taken = await take(lease.bytes);
      release(lease);
      expect(() => lease.release()).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
      expectRetired(1, [taken]);
    });

    test('are retired through borrow', async () => {
      let taken: Promise<Uint8Array> | undefined;
      await pool.borrow(SIZE, async ({ bytes }) => {
        taken = take(bytes);
        await taken;
      });
      expectRetired(1, [(await taken) as Uint8Array]);
    });

    test('are never leased when it happens after the release, wherever the block is by then', async () => {
      const leases = pool.acquireMany(SIZE, 40);
      const views = leases.map(({ bytes }) => bytes);
      pool.releaseMany(leases);
      const taken = await Promise.all(views.map(take));
      const again = pool.acquireMany(SIZE, 50);
      expect(new Set(again.map(({ bytes }) => bytes.length))).toEqual(new Set([SIZE]));
      pool.releaseMany(again);
      expectRetired(40, taken);
    });
  });

  test('by transfer to a smaller ArrayBuffer are retired as well', { skip: NODE < 22 }, () => {
    const lease = pool.acquire(SIZE);
    const copy = new Uint8Array((lease.buffer as Transferable).transfer(16));
    lease.release();
    expectRetired(1, [copy]);
  });

  const posts: [string, (bytes: Buffer<ArrayBuffer>) => Uint8Array][] = [
    ['structuredClone', (bytes) => structuredClone(bytes, { transfer: [bytes.buffer] })],
    [
      'postMessage',
      (bytes) => {
        const { port1, port2 } = new MessageChannel();
        try {
          port1.postMessage(bytes, [bytes.buffer]);
          return receiveMessageOnPort(port2)?.message;
        } finally {
          port1.close();
        }
      },
    ],
  ];
  describe.each(posts)('%s with the ArrayBuffer in the transfer list', (_, post) => {
    test.runIf(backend === 'js')('takes the block, which is retired', () => {
      const lease = pool.acquire(SIZE);
      fill(lease, 7);
      const received = post(lease.bytes);
      expect(received.buffer.byteLength).toBe(SIZE);
      expect(lease.bytes).toHaveLength(0);
      lease.release();
      expectRetired(1, [received]);
    });

    test.runIf(backend === 'native' && NODE < 22)('clones it on Node 20, and the block stays', () => {
      const lease = pool.acquire(SIZE);
      fill(lease, 7);
      const received = post(lease.bytes);
      expect(received.buffer.byteLength).toBe(SIZE);
      received.fill(0xee);
      expect(holdsPattern(lease, 7)).toBe(true);
      lease.release();
      expectRetired(0, [received]);
    });

    test.runIf(backend === 'native' && NODE >= 22)('is refused since Node 22, and the block stays', () => {
      const lease = pool.acquire(SIZE);
      fill(lease, 7);
      expect(() => post(lease.bytes)).toThrow(expect.objectContaining({ name: 'DataCloneError' }));
      expect(holdsPattern(lease, 7)).toBe(true);
      lease.release();
      expectRetired(0, []);
    });
  });

  test('posting the bytes without a transfer copies this block, and not one byte more', () => {
    const lease = pool.acquire(SIZE);
    fill(lease, 7);
    const { port1, port2 } = new MessageChannel();
    port1.postMessage({ bytes: lease.bytes, view: lease.view() });
    const { bytes, view } = receiveMessageOnPort(port2)?.message ?? {};
    port1.close();
    expect(bytes.buffer).toBe(view.buffer);
    expect(bytes.buffer.byteLength).toBe(lease.capacity);
    expect(Buffer.from(bytes.buffer).equals(lease.bytes)).toBe(true);
    bytes.fill(0xee);
    expect(holdsPattern(lease, 7)).toBe(true);
    lease.release();
    expectRetired(0, []);
  });

  test('a pool that lost its whole budget says so, and keeps its other promises', async () => {
    pool.releaseMany(neighbours);
    neighbours = [];
    const leases = pool.acquireMany(SIZE, 100);
    const taken = leases.map(({ bytes }) => detach(bytes));
    pool.releaseMany(leases);
    expect(() => pool.acquire(SIZE)).toThrow(
      coded('ERR_SLABPOOL_EXHAUSTED', /6553600 are in use/, {
        details: expect.objectContaining({ retiredBytes: 6553600 }),
      }),
    );
    expect(pool.trim()).toBe(0);
    expect(pool.stats()).toMatchObject({ mappedBlocks: 0, leasedBytes: 0, cachedBytes: 0 });
    for (const bytes of await Promise.all(taken)) expect(bytes.fill(1)).toHaveLength(SIZE);
  });
});
