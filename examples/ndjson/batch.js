/** @import { Allocator } from './allocator.js' */

/** Country number, latitude, longitude, record length: four 32-bit integers. */
const ROW = 16;

/**
 * Rows taken from records, on their way from the parser to the totals, in a buffer of the allocator.
 * The maker fills it and hands it over; the totals read it and release it.
 */
export class Batch {
  #holding;
  #bytes;
  #end;
  #at = 0;

  /**
   * @param {Allocator} allocator
   * @param {number} rows
   */
  constructor(allocator, rows) {
    this.#holding = allocator.acquire(rows * ROW);
    this.#bytes = this.#holding.bytes;
    this.#end = rows * ROW;
  }

  get full() {
    return this.#at === this.#end;
  }

  /**
   * @param {number} country
   * @param {number} lat
   * @param {number} lng
   * @param {number} length
   */
  push(country, lat, lng, length) {
    this.#bytes.writeInt32LE(country, this.#at);
    this.#bytes.writeInt32LE(lat, this.#at + 4);
    this.#bytes.writeInt32LE(lng, this.#at + 8);
    this.#bytes.writeInt32LE(length, this.#at + 12);
    this.#at += ROW;
  }

  /** @param {(country: number, lat: number, lng: number, length: number) => void} visit */
  drain(visit) {
    const bytes = this.#bytes;
    for (let at = 0; at < this.#at; at += ROW) {
      visit(bytes.readInt32LE(at), bytes.readInt32LE(at + 4), bytes.readInt32LE(at + 8), bytes.readInt32LE(at + 12));
    }
    this.#holding.release();
  }
}
