// npm run build: dist/, and the addon if the one that would be loaded is not made from the sources as they are now.
import { spawnSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { sourceHash } from '../native/source-hash.js';
import { bin, buildLibrary, node, root } from './run.js';

/** In a process of its own: a file that is loaded cannot be replaced on Windows. */
function isFresh() {
  const binary = new URL('dist/core/binary.js', pathToFileURL(root));
  const script = `process.stdout.write((await import('${binary}')).loadBinary().addon?.sourceHash ?? 'none')`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  return stdout === sourceHash();
}

const built = buildLibrary() && (isFresh() || node(bin.nodeGyp, ['rebuild', '--silent']));
process.exitCode = built ? 0 : 1;
