import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { slabpool } from './contenders.js';
import { passedOn, prepared, steady } from './loops.js';
import { measure } from './measure.js';
import { fixed, logNormal } from './sizes.js';

export const title = 'statistics and sampled leak detection (the default), against a copy of dist/ without';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What acquire and release do for statistics and for leases that are tracked, and what there would be otherwise. */
export const REMOVED = /** @type {const} */ ([
  [
    'pool.js',
    `        if (--magazine.untilSample === 0)
            magazine = this.#heap.sampled(magazine, size);
`,
    '',
  ],
  [
    'lease/lease.js',
    `('release()');
        const bytes = this.#bytes ?? released(this.#magazine);
        this.#bytes = null;
        const ended = this.#magazine.put(bytes, this.#index);
        if (ended !== null)
            this.#magazine = ended;
`,
    `('release()');
        const bytes = this.#bytes ?? released(this.#magazine);
        this.#bytes = null;
        this.#magazine.put(bytes, this.#index);
`,
  ],
]);

/**
 * A copy of dist/ with some of its text replaced. Both contenders are such, so that nothing that ran before has shaped either.
 * @param {string} folder @param {readonly (readonly [file: string, text: string, instead: string])[]} replaced @returns {Promise<typeof import('slabpool')>}
 */
async function copy(folder, replaced) {
  cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
  for (const name of ['build', 'prebuilds', 'node_modules', 'package.json']) {
    symlinkSync(join(root, name), join(folder, name));
  }
  for (const [name, text, instead] of replaced) {
    const file = join(folder, 'dist', name);
    const parts = readFileSync(file, 'utf8').split(text);
    if (parts.length !== 2) throw new Error(`bench/detection.js: expected once in dist/${name}:\n${text}`);
    writeFileSync(file, parts.join(instead));
  }
  return import(pathToFileURL(join(folder, 'dist', 'index.js')).href);
}

/** @param {import('./run.js').Context} context */
export async function run({ effort, progress, report }) {
  const folder = mkdtempSync(join(tmpdir(), 'slabpool-detection-'));
  try {
    const contenders = [
      { name: 'both compiled away', ...(await copy(join(folder, 'without'), REMOVED)) },
      { name: 'slabpool', ...(await copy(join(folder, 'with'), [])) },
    ].map(({ name, BufferPool }) => ({
      ...slabpool,
      name,
      open: (/** @type {boolean} */ warmUp) =>
        new BufferPool(warmUp ? { maxBytes: 2 ** 27, maxOversizeBytes: 2 ** 20 } : {}),
    }));
    for (const [label, loop, sizes] of /** @type {const} */ ([
      ['4000 B', steady, fixed(4000)],
      ['mix', steady, logNormal],
      ['4000 B, passed on', passedOn, fixed(4000)],
      ['mix, passed on', passedOn, logNormal],
    ])) {
      const cases = contenders.map((contender) => prepared(contender, loop(contender), sizes, effort));
      report(label, await measure(cases, effort, (what) => progress(`${label}: ${what}`)));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}
