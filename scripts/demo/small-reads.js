// A file in small pieces, each read asynchronously: where a pool gains nothing.
import { createReadStream } from 'node:fs';
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

export const jobs = { small: { ways: { 'fromFile()': onLeases, createReadStream: onStream } } };
