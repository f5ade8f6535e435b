import { open, stat } from 'node:fs/promises';
import { DemoError } from './errors.js';

/** Enough for the first record of any sensible file. */
const PEEK = 1024 * 1024;

const EXPECTED =
  'Expected NDJSON: one JSON object a line, each with a text field "country" (and, if it has them, "lat" and "lng").';

/**
 * Looks at the user's file before anything is measured.
 *
 * @param {string} path
 * @param {string} shown the path as the user wrote it
 * @returns {Promise<number>} its size in bytes
 * @throws {DemoError} that says what is wrong with it
 */
export async function checkInput(path, shown) {
  const info = await stat(path).catch((error) => {
    throw new DemoError(`${shown}: ${error.code === 'ENOENT' ? 'no such file' : `cannot be opened (${error.code})`}.`);
  });
  if (!info.isFile()) {
    throw new DemoError(`${shown}: is not a regular file, and the demo reads it several times.\n${EXPECTED}`);
  }
  if (info.size === 0) throw new DemoError(`${shown}: is empty.\n${EXPECTED}`);
  const line = await firstLine(path).catch((error) => {
    throw new DemoError(`${shown}: cannot be read (${error.code}).`);
  });
  if (!isObject(line)) {
    const start = JSON.stringify(line.slice(0, 60));
    const hint = line.startsWith('[') ? '\nIf it is one JSON array: jq -c ".[]" FILE > FILE.ndjson' : '';
    throw new DemoError(`${shown}: is not NDJSON; it begins with ${start}.\n${EXPECTED}${hint}`);
  }
  return info.size;
}

/**
 * A file can be NDJSON and still hold nothing to count.
 *
 * @param {import('./tally.js').Result} result
 * @param {string} shown
 */
export function checkCounted(result, shown) {
  if (result.countries.length > 0) return;
  throw new DemoError(`${shown}: none of its ${result.records} records has a text field "country".\n${EXPECTED}`);
}

/** @param {string} path */
async function firstLine(path) {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(PEEK), 0, PEEK, 0);
    return buffer.toString('utf8', 0, bytesRead).trimStart().split('\n', 1)[0].trimEnd();
  } finally {
    await file.close();
  }
}

/** @param {string} line */
function isObject(line) {
  try {
    const value = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

/**
 * One pass over the file, so that every run finds it in the page cache.
 *
 * @param {string} path
 * @param {(bytes: number) => void} onProgress
 */
export async function warm(path, onProgress) {
  const file = await open(path);
  const chunk = Buffer.alloc(PEEK);
  try {
    for (let done = 0; ; ) {
      const { bytesRead } = await file.read(chunk, 0, PEEK);
      if (bytesRead === 0) return;
      done += bytesRead;
      onProgress(done);
    }
  } finally {
    await file.close();
  }
}
