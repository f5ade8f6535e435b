// The program of test/fixtures/bundled, and slabpool as strangers get it.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pack } from '../package.js';
import { root } from '../run.js';
import { output } from './cases.js';

export const PROGRAM = join(root, 'test/fixtures/bundled');

/** @param {string} folder @returns {string} the package, unpacked in it */
export function unpack(folder) {
  const unpacked = join(folder, 'slabpool');
  mkdirSync(unpacked);
  output('tar', ['-xzf', pack(folder), '--strip-components=1', '-C', unpacked]);
  return unpacked;
}

/**
 * @param {string} said by the program
 * @param {object} expected
 * @param {boolean} expected.native
 * @param {string} expected.file what lies at the top of each stack
 * @param {string} [expected.looked] where the reason says that there was no binary
 */
export function expectAnswer(said, { native, file, looked = '' }) {
  const { kind, reason, sites, worker } = JSON.parse(said);
  assert.equal(kind, native ? 'native' : 'js', reason);
  assert.equal(worker, native ? '100 messages came back' : 'a pool of its own, on the js core');
  for (const [what, site] of Object.entries({ tracked: '', leaked: '', acquired: '', released: '', ...sites })) {
    assert.match(site, what === 'released' ? /^Object\.releaseHere \(/ : /^Object\.acquireHere \(/, what);
    assert.ok(site.includes(file), `${what}: ${site}`);
  }
  if (native) return;
  assert.match(reason, /^there is no native addon for .*\. If slabpool was bundled, mark it as external/);
  assert.ok(reason.includes(looked), reason);
}
