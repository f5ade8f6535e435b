// A thousand small records encoded, again and again: bench/io-writer.js has the ways.
import { createHash } from 'node:crypto';
import { smallRecords } from '../../bench/io-writer.js';

const TIMES = 100;

/** @param {string} name of a way there */
function way(name) {
  const found = smallRecords().find((one) => one.name === name);
  if (found === undefined) throw new Error(`bench/io-writer.js has no way '${name}'`);
  const written = createHash('sha256').update(found.once()).digest('hex');
  const once = () => {
    found.run(TIMES);
    return written;
  };
  return { bytes: TIMES * found.bytes, once, close: () => found.close?.() };
}

export const jobs = {
  records: { ways: { ByteWriter: () => way('ByteWriter'), 'Buffer.concat': () => way('Buffer.concat') } },
};
