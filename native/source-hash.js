// Prints the SHA-256 of everything a binary is made from; with --units, the files to compile. The hash is compiled into the addon,
// so that a binary can be told from its sources' present state.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);
const code = [...list('native/core/'), ...list('native/binding/')];

/** Translation units, relative to the root. */
export const units = code.filter((path) => path.endsWith('.cc'));

/** The files below a folder, in the same order everywhere. @param {string} folder @returns {string[]} */
function list(folder) {
  return readdirSync(new URL(folder, root), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => (entry.isDirectory() ? list(`${folder}${entry.name}/`) : folder + entry.name));
}

export function sourceHash() {
  const hash = createHash('sha256');
  for (const path of ['native/addon.gypi', ...code]) {
    // The same in check-outs with the line ends of Windows.
    const text = readFileSync(new URL(path, root), 'latin1').replaceAll('\r\n', '\n');
    hash.update(`${path}\0${text}`, 'latin1');
  }
  return hash.digest('hex');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(process.argv[2] === '--units' ? units.join('\n') : sourceHash());
}
