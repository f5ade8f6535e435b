// A service of MessagePack: orders come, and go back with what each of their lines and all of them amount to.
import { Packr } from 'msgpackr';
import { BufferPool } from 'slabpool';
import { ByteWriter, msgpackrEncoder } from 'slabpool/io';
import { requestsOf } from './requests.js';
import { joined, LENGTH, served } from './service.js';

/** About what a line of an order takes. */
const LINE_BYTES = 64;

export const what = 'a service whose requests and answers are objects in MessagePack';
export const unit = 'request';

/** @typedef {{ sku: string, count: number, cents: number, amount?: number }} Line */
/** @typedef {{ id: number, customer: string, at: number, lines: Line[], total?: number }} Order */

/** @param {Order} order */
function priced(order) {
  let total = 0;
  for (const line of order.lines) {
    line.amount = line.count * line.cents;
    total += line.amount;
  }
  order.total = total;
  return order;
}

const plain = () => new Packr({ useRecords: false });

/** @param {Packr} packr @param {Order} order */
function framed(packr, order) {
  const body = packr.pack(order);
  const length = Buffer.allocUnsafe(LENGTH);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

export const ways = {
  slabpool() {
    const pool = new BufferPool();
    const packr = plain();
    const encoder = msgpackrEncoder(packr);
    return served(pool, (socket) => {
      const writer = new ByteWriter(pool);
      socket.on('close', () => writer.release());
      return (bytes, start, end) => {
        const order = packr.unpack(bytes, { start: start + LENGTH, end });
        const length = writer.hole(LENGTH);
        encoder.encode(writer, priced(order));
        writer.fill(length, writer.length - LENGTH);
        void writer.flush(socket);
      };
    });
  },
  'pack() and Buffer.concat'() {
    const packr = plain();
    return joined((socket) => (bytes, start, end) => {
      const order = packr.unpack(bytes, { start: start + LENGTH, end });
      socket.write(framed(packr, priced(order)));
    });
  },
};

export function requests() {
  const packr = plain();
  return requestsOf((id, size) => {
    const lines = Array.from({ length: Math.ceil(size / LINE_BYTES) }, (_, n) => ({
      sku: `part-${(n * 7919) % 100_000}`,
      count: 1 + (n % 9),
      cents: (n * 2_654_435_761) % 100_000,
    }));
    const order = { id, customer: `customer ${id}`, at: 1.7e12 + id * 1000.25, lines };
    return { bytes: framed(packr, order), answer: framed(packr, priced(order)) };
  });
}
