// node examples/lines.js FILE [TEXT]: counts lines, and prints those that contain TEXT. A line that is not printed is never a string.
import { BufferPool } from 'slabpool';
import { fromFile, lines } from 'slabpool/io';

const LONGEST = 16 * 1024 * 1024;

const [file, text] = process.argv.slice(2);
if (file === undefined) {
  console.error('usage: node examples/lines.js FILE [TEXT]');
  process.exit(2);
}

const pool = new BufferPool({ name: 'lines' });
const wanted = text === undefined ? null : Buffer.from(text);
let count = 0;
let found = 0;
let longest = 0;

/** Lines that are too long are left out, not an error. */
for await (const batch of lines(fromFile(pool, file), { maxLength: LONGEST, onTooLong: 'skip' })) {
  // Where TEXT comes next: found once for many lines, not searched for in each.
  let next = wanted === null ? -1 : batch.bytes.indexOf(wanted, batch.start);
  while (batch.next()) {
    count++;
    longest = Math.max(longest, batch.to - batch.from);
    if (wanted === null || next === -1) continue;
    if (next < batch.from) next = batch.bytes.indexOf(wanted, batch.from);
    if (next === -1 || next + wanted.length > batch.to) continue;
    found++;
    console.log(`${count}: ${batch.text()}`);
  }
}

const matches = wanted === null ? '' : `, ${found} with ${JSON.stringify(text)}`;
console.log(`${count} lines${matches}; the longest has ${longest} bytes`);
pool.assertNoLeaks();
pool.close();
