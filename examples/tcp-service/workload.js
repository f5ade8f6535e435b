const ALPHABET = [...'abcdefghijklmnopqrstuvwxyz 0123456789"\\\n\t', 'é', '漢', '😀'];

/**
 * mulberry32 (T. Ettinger, public domain).
 *
 * @param {number} seed
 * @returns {() => number} from 0 to 1
 */
export function random(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * Records with the replies that they have to get. Most are short, one in some hundred is longer than a block. The last one
 * lacks its newline for every other seed.
 *
 * @param {number} seed
 * @param {number} count
 * @returns {Generator<{ record: Buffer, reply: Buffer }, void, void>}
 */
export function* recordsOf(seed, count) {
  const next = random(seed);
  const below = (/** @type {number} */ limit) => Math.floor(next() * limit);
  const text = Array.from({ length: 20_000 }, () => ALPHABET[below(ALPHABET.length)]).join('');
  for (let id = 1; id <= count; id++) {
    const values = Array.from({ length: below(10) }, () => below(2_000_001) - 1_000_000);
    const sum = values.reduce((total, value) => total + value, 0);
    const start = below(text.length);
    const chars = Math.min(text.length - start, below(300) === 0 ? below(text.length) : below(200));
    // A record may well begin or end with half a surrogate pair: JSON.stringify() escapes it.
    const json = JSON.stringify({ id, values, text: text.slice(start, start + chars) });
    const record = Buffer.from(id === count && seed % 2 === 0 ? json : `${json}\n`);
    const bytes = Buffer.byteLength(json);
    yield { record, reply: Buffer.from(`{"id":${id},"sum":${sum},"chars":${chars},"bytes":${bytes}}\n`) };
  }
}
