// A file in small pieces, each read asynchronously: a buffer of one's own is all that this takes.
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { BufferPool } from 'slabpool';
import { fromFile } from 'slabpool/io';
import { citiesFile } from '../../bench/io/data.js';

const PIECE = 8 * 1024;

function onLeases() {
  const { path, size } = citiesFile();
  const pool = new BufferPool();
  const once = async () => {
    let sum = 0;
    for await (const chunk of fromFile(pool, path, { block: PIECE })) {
      sum += chunk.end - chunk.start + chunk.bytes[chunk.start];
      chunk.release();
    }
    return sum;
  };
  return { bytes: size, once, close: () => pool.close() };
}

function onStream() {
  const { path, size } = citiesFile();
  const once = async () => {
    let sum = 0;
    for await (const piece of createReadStream(path, { highWaterMark: PIECE })) sum += piece.length + piece[0];
    return sum;
  };
  return { bytes: size, once };
}

function onOneBuffer() {
  const { path, size } = citiesFile();
  const bytes = Buffer.allocUnsafeSlow(PIECE);
  const once = async () => {
    let sum = 0;
    const file = await open(path);
    for (;;) {
      const { bytesRead } = await file.read(bytes, 0, PIECE);
      if (bytesRead === 0) break;
      sum += bytesRead + bytes[0];
    }
    await file.close();
    return sum;
  };
  return { bytes: size, once };
}

export const jobs = {
  small: { ways: { 'fromFile()': onLeases, createReadStream: onStream, 'one buffer': onOneBuffer } },
};
