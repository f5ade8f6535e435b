import '../garbage.js';
import { move } from 'piscina';
import { countLines } from './count-lines.js';

/** @param {Uint8Array<ArrayBuffer>} bytes */
export default (bytes) => {
  countLines(bytes);
  return move(bytes);
};
