// node examples/csv.js FILE KEY VALUE: groups the rows of a CSV file by column KEY, and adds up column VALUE. The file's first line names
// the columns. Fields may be quoted; a newline within quotes is not supported.
import { BufferPool } from 'slabpool';
import { fromFile, lines } from 'slabpool/io';

const COMMA = 0x2c;
const QUOTE = 0x22;

const [file, key, value] = process.argv.slice(2);
if (value === undefined) {
  console.error('usage: node examples/csv.js FILE KEY VALUE');
  process.exit(2);
}

/** Where the fields of the current row begin and end: written over by each row, so that a row costs no allocation. */
const from = new Uint32Array(4096);
const to = new Uint32Array(4096);

/** Finds the fields between `start` and `end`, and returns how many there are. @param {Uint8Array} bytes @param {number} start @param {number} end */
function split(bytes, start, end) {
  let count = 0;
  for (let at = start; at <= end && count < from.length; at++, count++) {
    from[count] = at;
    let quoted = false;
    for (; at < end && (quoted || bytes[at] !== COMMA); at++) if (bytes[at] === QUOTE) quoted = !quoted;
    to[count] = at;
  }
  return count;
}

/** @param {Buffer} bytes @param {number} column */
function textOf(bytes, column) {
  const text = bytes.toString('utf8', from[column], to[column]);
  return text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text;
}

const pool = new BufferPool({ name: 'csv' });
/** @type {Map<string, { rows: number, sum: number }>} */
const groups = new Map();
let columns = { key: -1, value: -1 };
let row = 0;

for await (const batch of lines(fromFile(pool, file))) {
  const { bytes } = batch;
  while (batch.next()) {
    row++;
    if (batch.from === batch.to) continue;
    const count = split(bytes, batch.from, batch.to);
    if (columns.key === -1) {
      const names = Array.from({ length: count }, (_, column) => textOf(bytes, column));
      columns = { key: names.indexOf(key), value: names.indexOf(value) };
      if (columns.key === -1 || columns.value === -1)
        throw new Error(`expected columns ${key}, ${value}, got ${names}`);
      continue;
    }
    const number = columns.value < count ? Number(textOf(bytes, columns.value)) : Number.NaN;
    if (columns.key >= count || Number.isNaN(number)) throw new Error(`line ${row}: no number in column ${value}`);
    const name = textOf(bytes, columns.key);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, { rows: 1, sum: number });
    else {
      group.rows++;
      group.sum += number;
    }
  }
}

for (const [name, { rows, sum }] of [...groups].sort()) console.log(`${name}\t${rows}\t${sum}`);
pool.assertNoLeaks();
pool.close();
