import { RecordError } from './splitter.js';

/**
 * A record is a JSON object like `{"id":7,"values":[1,2,3],"text":"any"}`; its answer tells what was understood of it.
 *
 * @param {Buffer} line
 * @returns {string} ASCII, with its newline
 */
export function answerTo(line) {
  const { id, values, text } = parse(line);
  if (!Number.isSafeInteger(id)) throw new RecordError("a record's id is not a whole number");
  if (!Array.isArray(values)) throw new RecordError(`the values of record ${id} are not an array`);
  if (typeof text !== 'string') throw new RecordError(`the text of record ${id} is not a string`);
  let sum = 0;
  for (const value of values) {
    sum += Number.isSafeInteger(value) ? value : Number.NaN;
  }
  if (!Number.isSafeInteger(sum)) throw new RecordError(`the values of record ${id} do not add up to a whole number`);
  return `{"id":${id},"sum":${sum},"chars":${text.length},"bytes":${line.length}}\n`;
}

/**
 * @param {Buffer} line
 * @returns {{ id?: unknown, values?: unknown, text?: unknown }}
 */
function parse(line) {
  let record;
  try {
    record = JSON.parse(line.toString());
  } catch {
    throw new RecordError('a record is not JSON');
  }
  if (typeof record !== 'object' || record === null) throw new RecordError('a record is not an object');
  return record;
}
