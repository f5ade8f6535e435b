// Debian packages of another release or architecture, unpacked into a folder: neither installed nor configured.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root, run } from './run.js';

/**
 * @param {string} folder below the root
 * @param {string} release
 * @param {string} architecture
 * @param {readonly string[]} packages all that belong in the folder: what they depend on is not added
 * @returns {string} the folder
 */
export function unpackDebian(folder, release, architecture, packages) {
  const path = join(root, folder);
  const done = join(path, '.packages');
  const wanted = `${release} ${architecture} ${packages.join(' ')}\n`;
  if (existsSync(done) && readFileSync(done, 'utf8') === wanted) return path;
  console.log(`Unpacking ${packages.join(', ')} of Debian ${release} (${architecture}) into ${folder}/ ...`);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  const state = mkdtempSync(join(tmpdir(), 'slabpool-apt-'));
  try {
    const apt = aptFor(state, release, architecture);
    if (!apt('update') || !apt('download', ...packages)) throw new Error(`cannot download from Debian ${release}`);
    for (const file of readdirSync(state).filter((name) => name.endsWith('.deb'))) {
      if (!run('dpkg-deb', ['--extract', join(state, file), path])) throw new Error(`cannot unpack ${file}`);
    }
  } finally {
    rmSync(state, { recursive: true });
  }
  writeFileSync(done, wanted);
  return path;
}

/** apt-get with a state of its own. @param {string} state @param {string} release @param {string} architecture */
function aptFor(state, release, architecture) {
  for (const folder of ['lists', 'archives']) mkdirSync(join(state, folder, 'partial'), { recursive: true });
  writeFileSync(join(state, 'status'), '');
  writeFileSync(join(state, 'sources.list'), `deb [arch=${architecture}] ${mirror()} ${release} main\n`);
  const settings = {
    'Dir::State': state,
    'Dir::State::Status': join(state, 'status'),
    'Dir::Cache': state,
    'Dir::Etc::SourceList': join(state, 'sources.list'),
    'Dir::Etc::SourceParts': '/dev/null',
    'APT::Architecture': architecture,
    'APT::Architectures': architecture,
    // Another user could not write here.
    'APT::Sandbox::User': 'root',
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  return (/** @type {string[]} */ ...args) => run('apt-get', ['-qq', ...options, ...args], { cwd: state });
}

/** Where this machine has its packages from: the mirrors have all releases that are supported. */
function mirror() {
  const args = ['indextargets', '--format', '$(RELEASE) $(REPO_URI)', 'Created-By: Packages'];
  const targets = execFileSync('apt-get', args, { encoding: 'utf8' }).trim().split('\n');
  // Not that of security updates.
  const [, uri] = targets.map((line) => line.split(' ')).find(([release]) => release && !release.includes('-')) ?? [];
  if (uri === undefined) throw new Error('apt-get knows no mirror of Debian');
  return uri;
}
