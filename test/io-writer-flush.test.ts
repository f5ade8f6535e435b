import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { BufferPool } from 'slabpool';
import { ByteWriter, type FlushTarget } from 'slabpool/io';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, coded, KiB, MiB, settled } from './backends.js';

const TEXT = Array.from({ length: 20_000 }, (_, i) => `line ${i}\n`).join('');

describe.each(BACKENDS)('a writer is flushed, on the %s core', (backend) => {
  let pool: BufferPool;
  let folder: string;
  let path: string;
  let writer: ByteWriter;
  beforeEach(() => {
    pool = new BufferPool({ name: 'flush', backend, maxBytes: 8 * MiB });
    folder = mkdtempSync(join(tmpdir(), 'slabpool-flush-'));
    path = join(folder, 'file');
    writer = new ByteWriter(pool, { segment: KiB });
    writer.utf8(TEXT);
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
    writer[Symbol.dispose]();
    pool.assertNoLeaks();
    checkBooks(pool);
    pool.close();
  });

  test('into a file: flushSync, a descriptor, a FileHandle; each goes on where the one before ended', async () => {
    const fd = openSync(path, 'w');
    writer.flushSync(fd);
    expect([writer.length, pool.outstanding()]).toEqual([0, 0]);
    writer.utf8(TEXT);
    await writer.flush(fd);
    writer.flushSync(fd);
    closeSync(fd);
    const file = await open(path, 'a');
    writer.utf8(TEXT);
    await writer.flush(file);
    await file.close();
    expect(readFileSync(path, 'utf8') === TEXT.repeat(3)).toBe(true);
    expect(pool.outstanding()).toBe(0);
  });

  test('flushes come one after the other, and the writer is written to meanwhile', async () => {
    const file = await open(path, 'w');
    const flushes = [writer.flush(file)];
    for (let i = 0; i < 5; i++) {
      expect(writer.length).toBe(0);
      writer.utf8(`flush ${i}\n`);
      flushes.push(writer.flush(file));
    }
    writer.utf8('not flushed');
    await Promise.all(flushes);
    await file.close();
    expect(readFileSync(path, 'utf8')).toBe(`${TEXT}flush 0\nflush 1\nflush 2\nflush 3\nflush 4\n`);
    expect(writer.copy().toString()).toBe('not flushed');
  });

  test('a file that cannot be written to: flushSync keeps what was not written, flush gives it back', async () => {
    const fd = openSync(path, 'w');
    closeSync(fd);
    const readOnly = openSync(path, 'r');
    const hole = writer.hole(1);
    expect(() => writer.flushSync(readOnly)).toThrow(/EBADF|EPERM/);
    expect(writer.copy().toString()).toBe(`${TEXT}\0`);
    expect(() => writer.fill(hole, 1)).toThrow(coded('ERR_SLABPOOL_INVALID_ARG'));
    await expect(writer.flush(readOnly)).rejects.toThrow(/EBADF|EPERM/);
    expect([writer.length, pool.outstanding()]).toEqual([0, 0]);
    closeSync(readOnly);
  });

  test('what is no target, an unknown option, an aborted signal: the writer is as it was', async () => {
    for (const target of [-1, 1.5, null, undefined, 'path', {}, []]) {
      await expect(writer.flush(target as unknown as FlushTarget)).rejects.toThrow(coded('ERR_SLABPOOL_INVALID_ARG'));
      expect(() => writer.flushSync(target as number)).toThrow(coded('ERR_SLABPOOL_INVALID_ARG'));
    }
    await expect(writer.flush(1, { sync: true } as object)).rejects.toThrow(coded('ERR_SLABPOOL_INVALID_ARG'));
    await expect(writer.flush(1, { signal: 1 } as object)).rejects.toThrow(coded('ERR_SLABPOOL_INVALID_ARG'));
    const signal = AbortSignal.abort(new Error('before'));
    await expect(writer.flush(1, { signal })).rejects.toThrow('before');
    expect(writer.length).toBe(TEXT.length);
  });

  test('partial writes are continued', async () => {
    const got: Buffer[] = [];
    const file = {
      fd: 1,
      async writev(views: Buffer[]) {
        const n = Math.min(700, views[0].length);
        got.push(Buffer.from(views[0].subarray(0, n)));
        return { bytesWritten: n, buffers: views };
      },
    };
    await writer.flush(file as unknown as FlushTarget);
    expect(Buffer.concat(got).toString() === TEXT).toBe(true);
  });

  test('a file that is busy is tried again; a signal ends it when the call has returned', async () => {
    const aborter = new AbortController();
    let calls = 0;
    const file = {
      fd: 1,
      async writev(views: Buffer[]) {
        if (++calls === 3) aborter.abort(new Error('enough'));
        if (calls === 1) throw Object.assign(new Error('busy'), { code: 'EAGAIN' });
        return { bytesWritten: 100, buffers: views };
      },
    };
    await expect(writer.flush(file as unknown as FlushTarget, { signal: aborter.signal })).rejects.toThrow('enough');
    expect([calls, pool.outstanding()]).toEqual([3, 0]);
  });

  test('into a stream: a segment is given back in its callback, and no more is written than it takes', async () => {
    const got: Buffer[] = [];
    const slow = new Writable({
      highWaterMark: 4 * KiB,
      write(chunk: Buffer, _, callback) {
        expect(slow.writableLength).toBeLessThanOrEqual(6 * KiB);
        got.push(Buffer.from(chunk));
        setImmediate(callback);
      },
    });
    await writer.flush(slow);
    expect(Buffer.concat(got).toString() === TEXT).toBe(true);
    expect(pool.outstanding()).toBe(0);
    for (const event of ['drain', 'error', 'close']) expect(slow.listenerCount(event), event).toBe(0);
  });

  test('a stream that fails, is destroyed, has ended, or throws', async () => {
    const failing = new Writable({ write: (_, __, callback) => callback(new Error('no')) });
    await expect(writer.flush(failing)).rejects.toThrow('no');
    expect(pool.outstanding()).toBe(0);

    writer.utf8(TEXT);
    await expect(writer.flush(failing)).rejects.toThrow('no');
    const ended = new Writable({ write: (_, __, callback) => callback() }).end();
    writer.utf8(TEXT);
    await expect(writer.flush(ended)).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });

    // Never calls back.
    for (const reason of [undefined, new Error('gone')]) {
      const stuck = new Writable({ write: () => {} });
      writer.utf8(TEXT);
      const flush = writer.flush(stuck);
      expect(await settled(flush)).toBe(false);
      expect(pool.outstanding()).toBeGreaterThan(0);
      stuck.destroy(reason);
      await expect(flush).rejects.toThrow(reason?.message ?? /./);
      await new Promise(setImmediate);
      expect(pool.outstanding()).toBe(0);
    }

    const throwing = new Writable({ write: () => {} });
    throwing.write = () => {
      throw new Error('thrown');
    };
    writer.utf8(TEXT);
    await expect(writer.flush(throwing)).rejects.toThrow('thrown');
    expect(pool.outstanding()).toBe(0);
  });

  test('a signal ends a flush at once, also one that waits for another; what the stream has stays its own until its callback', async () => {
    const callbacks: (() => void)[] = [];
    const slow = new Writable({ highWaterMark: 1, write: (_, __, callback) => void callbacks.push(callback) });
    const aborter = new AbortController();
    const first = writer.flush(slow, { signal: aborter.signal });
    writer.utf8('second');
    const second = writer.flush(slow, { signal: aborter.signal });
    expect(await settled(Promise.race([first, second]))).toBe(false);
    aborter.abort(new Error('enough'));
    await expect(first).rejects.toThrow('enough');
    await expect(second).rejects.toThrow('enough');
    expect(pool.outstanding()).toBe(1);
    callbacks[0]();
    await new Promise(setImmediate);
    expect(pool.outstanding()).toBe(0);
    writer.utf8('third');
    const third = writer.flush(slow);
    await new Promise(setImmediate);
    callbacks[1]();
    await third;
    for (const event of ['drain', 'error', 'close']) expect(slow.listenerCount(event), event).toBe(0);
  });

  test('into a socket, and one that is reset by the other side', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const socket = connect(port, '127.0.0.1');
    const [other] = await accepted;
    const got: Buffer[] = [];
    other.on('data', (data: Buffer) => got.push(data));
    await writer.flush(socket);
    socket.end();
    await once(other, 'end');
    expect(Buffer.concat(got).toString() === TEXT).toBe(true);
    other.destroy();
    await once(socket, 'close');

    const again = once(server, 'connection') as Promise<[Socket]>;
    const second = connect(port, '127.0.0.1');
    const [peer] = await again;
    peer.pause();
    for (let i = 0; i < 30; i++) writer.utf8(TEXT);
    const flush = writer.flush(second);
    peer.resetAndDestroy();
    await expect(flush).rejects.toThrow();
    if (!second.closed) await once(second, 'close');
    expect(pool.outstanding()).toBe(0);
    server.close();
    await once(server, 'close');
  });
});
