/**
 * The bytes of one NDJSON record, read without making a single JavaScript string or object. It walks the top level of
 * the record, so a `country` inside a nested object, or inside quoted text, is not mistaken for the record's own.
 *
 * Every record must be followed by a newline, which JSON allows nowhere inside a record: it is the sentinel that stops
 * each loop below, so none of them compares against the end of the block.
 */
export const OK = 0;
export const BLANK = 1;
export const MALFORMED = 2;
export const NO_COUNTRY = 3;

/** Stands for "no coordinate"; outside what +-180 degrees in 1e-5 degrees can reach. */
export const NOWHERE = 0x7fffffff;

const NEWLINE = 10;
const SPACE = 32;
const QUOTE = 34;
const COMMA = 44;
const MINUS = 45;
const DOT = 46;
const ZERO = 48;
const COLON = 58;
const BACKSLASH = 92;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;
const OPEN_BRACKET = 91;
const CLOSE_BRACKET = 93;

/** 1 for what may stand in a string as it is; the two tables take one look-up where comparing takes three or more. */
const IN_STRING = new Uint8Array(256).fill(1).fill(0, 0, SPACE);
IN_STRING[QUOTE] = IN_STRING[BACKSLASH] = 0;

/** 1 for the bytes of numbers, `true`, `false` and `null`. */
const IN_LITERAL = Uint8Array.from({ length: 256 }, (_, byte) => Number(/[-+.\w]/.test(String.fromCharCode(byte))));

const OTHER_KEY = 0;
const COUNTRY = 1;
const LAT = 2;
const LNG = 3;

const DECIMALS = 5;
const LIMIT = 180 * 10 ** DECIMALS;

export class RecordParser {
  status = OK;
  country = -1;
  lat = NOWHERE;
  lng = NOWHERE;

  #countries;

  /** @param {import('./countries.js').Countries} countries gives each country its number */
  constructor(countries) {
    this.#countries = countries;
  }

  /**
   * Reads the record at `start` into this object's fields.
   *
   * @param {Buffer} bytes
   * @param {number} start
   * @returns {number} index of the newline that ends the record
   */
  parse(bytes, start) {
    this.country = -1;
    this.lat = NOWHERE;
    this.lng = NOWHERE;
    let at = skipSpace(bytes, start);
    if (bytes[at] === NEWLINE) {
      this.status = BLANK;
      return at;
    }
    at = this.#object(bytes, at);
    if (at >= 0) at = skipSpace(bytes, at);
    if (at < 0 || bytes[at] !== NEWLINE) {
      this.status = MALFORMED;
      return bytes.indexOf(NEWLINE, start);
    }
    this.status = this.country < 0 ? NO_COUNTRY : OK;
    return at;
  }

  /**
   * @param {Buffer} bytes
   * @param {number} at
   * @returns {number} index after the closing brace, or -1
   */
  #object(bytes, at) {
    if (bytes[at] !== OPEN_BRACE) return -1;
    at = skipSpace(bytes, at + 1);
    if (bytes[at] === CLOSE_BRACE) return at + 1;
    for (;;) {
      if (bytes[at] !== QUOTE) return -1;
      const keyStart = at + 1;
      const keyEnd = endOfString(bytes, keyStart);
      if (keyEnd < 0) return -1;
      at = skipSpace(bytes, keyEnd + 1);
      if (bytes[at] !== COLON) return -1;
      const value = skipSpace(bytes, at + 1);
      const end = endOfValue(bytes, value);
      if (end < 0) return -1;
      this.#field(keyOf(bytes, keyStart, keyEnd - keyStart), bytes, value, end);
      at = skipSpace(bytes, end);
      if (bytes[at] === CLOSE_BRACE) return at + 1;
      if (bytes[at] !== COMMA) return -1;
      at = skipSpace(bytes, at + 1);
    }
  }

  /**
   * @param {number} key
   * @param {Buffer} bytes
   * @param {number} start
   * @param {number} end
   */
  #field(key, bytes, start, end) {
    if (key === OTHER_KEY) return;
    const quoted = bytes[start] === QUOTE;
    if (key === COUNTRY) this.country = quoted ? this.#countries.idOf(bytes, start + 1, end - 1) : -1;
    else if (key === LAT) this.lat = quoted ? fixed(bytes, start + 1, end - 1) : fixed(bytes, start, end);
    else this.lng = quoted ? fixed(bytes, start + 1, end - 1) : fixed(bytes, start, end);
  }
}

/**
 * @param {Buffer} bytes
 * @param {number} start
 * @param {number} length
 */
function keyOf(bytes, start, length) {
  if (length === 3 && bytes[start] === 0x6c) {
    if (bytes[start + 1] === 0x61 && bytes[start + 2] === 0x74) return LAT;
    if (bytes[start + 1] === 0x6e && bytes[start + 2] === 0x67) return LNG;
  }
  if (
    length === 7 &&
    bytes[start] === 0x63 &&
    bytes[start + 1] === 0x6f &&
    bytes[start + 2] === 0x75 &&
    bytes[start + 3] === 0x6e &&
    bytes[start + 4] === 0x74 &&
    bytes[start + 5] === 0x72 &&
    bytes[start + 6] === 0x79
  ) {
    return COUNTRY;
  }
  return OTHER_KEY;
}

/**
 * @param {Buffer} bytes
 * @param {number} at
 */
function skipSpace(bytes, at) {
  while (bytes[at] === SPACE || bytes[at] === 9 || bytes[at] === 13) at++;
  return at;
}

/**
 * @param {Buffer} bytes
 * @param {number} at index after the opening quote
 * @returns {number} index of the closing quote, or -1
 */
function endOfString(bytes, at) {
  for (;;) {
    while (IN_STRING[bytes[at]]) at++;
    if (bytes[at] === QUOTE) return at;
    // A backslash takes the next byte with it, unless that is the sentinel.
    if (bytes[at] !== BACKSLASH || bytes[at + 1] < SPACE) return -1;
    at += 2;
  }
}

/**
 * @param {Buffer} bytes
 * @param {number} at
 * @returns {number} index after the value, or -1
 */
function endOfValue(bytes, at) {
  const first = bytes[at];
  if (first === QUOTE) return endOfString(bytes, at + 1) + 1 || -1;
  if (first === OPEN_BRACE || first === OPEN_BRACKET) return endOfNested(bytes, at);
  const start = at;
  while (IN_LITERAL[bytes[at]]) at++;
  return at > start ? at : -1;
}

/**
 * @param {Buffer} bytes
 * @param {number} at
 */
function endOfNested(bytes, at) {
  let depth = 0;
  for (;;) {
    const byte = bytes[at];
    if (byte === NEWLINE) return -1;
    if (byte === QUOTE) {
      at = endOfString(bytes, at + 1);
      if (at < 0) return -1;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth++;
    } else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --depth === 0) {
      return at + 1;
    }
    at++;
  }
}

/**
 * Degrees as an integer of 1e-5 degrees, so that sums are exact in any order. Further decimals are cut off.
 *
 * @param {Buffer} bytes
 * @param {number} at
 * @param {number} end
 * @returns {number} NOWHERE unless the text is a plain decimal within +-180
 */
function fixed(bytes, at, end) {
  const negative = bytes[at] === MINUS;
  if (negative) at++;
  if (at === end) return NOWHERE;
  let value = 0;
  let decimals = -1;
  for (; at < end; at++) {
    const byte = bytes[at];
    if (byte === DOT && decimals < 0) {
      decimals = 0;
      continue;
    }
    const digit = byte - ZERO;
    if (digit < 0 || digit > 9) return NOWHERE;
    if (decimals === DECIMALS) continue;
    value = value * 10 + digit;
    if (value > LIMIT) return NOWHERE;
    if (decimals >= 0) decimals++;
  }
  for (let places = Math.max(decimals, 0); places < DECIMALS; places++) value *= 10;
  if (value > LIMIT) return NOWHERE;
  return negative ? -value | 0 : value;
}
