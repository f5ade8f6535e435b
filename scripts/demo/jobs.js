// What the demo does. The first way of each job is slabpool's; `of` names them as the file with the job does.
import { measureFrames } from '../../bench/io-sockets.js';
import { runAlone } from './alone.js';

/**
 * What one run cost, in one process.
 * @typedef {{ bytes: number, cpu: number, peakRss: number, result: string }} Reading bytes moved, CPU seconds, bytes, what was found
 * @typedef {{ label: string, run: (input: string, seconds: number) => Promise<Reading> }} Way
 * @typedef {{ title: string, ways: readonly Way[] }} Job
 */

const FRAME = 1000;
/** Bytes of frames for a second. */
const RATE = 600e6;

/** A job of a module that bench/io/child.js can run. @param {string} title @param {string} file @param {string} job @param {Record<string, string>} ways labels, and how the module calls it */
function inChild(title, file, job, ways) {
  const url = new URL(file, import.meta.url).href;
  return {
    title,
    ways: Object.entries(ways).map(([label, way]) => ({
      label,
      run: (/** @type {string} */ input, /** @type {number} */ seconds) =>
        runAlone(label, [url, job, way], input, seconds),
    })),
  };
}

/** @param {string} label @param {string} way of bench/io-sockets.js @returns {Way} */
function overSocket(label, way) {
  const run = async (/** @type {string} */ _input, /** @type {number} */ seconds) => {
    const bytes = Math.round((seconds * RATE) / FRAME) * FRAME;
    const { frames, check, cpu, rss } = await measureFrames(way, FRAME, bytes);
    return { bytes, cpu: cpu * (bytes / 1e6), peakRss: rss, result: `${frames} frames, ${check}` };
  };
  return { label, run };
}

const FILES = '../../bench/io/files.js';

/** @type {Job} */
export const COUNTRIES = inChild(
  'NDJSON records counted by country: the parser dominates',
  './countries.js',
  'countries',
  {
    'lines()': 'slabpool',
    'blocks of a JavaScript pool, by hand': 'a JavaScript pool',
    'fresh blocks, by hand': 'fresh buffers',
  },
);

/** @type {readonly Job[]} */
export const JOBS = [
  inChild('Lines of a file, one field of each read from its bytes', FILES, 'lines', {
    'lines()': 'lines()',
    'createReadStream, the rest carried over': 'createReadStream, carrying over',
    readline: 'readline',
    'readSync into one buffer, by hand': 'by hand, on one static buffer',
  }),
  inChild('JSON.parse of each line of a file', FILES, 'json', {
    'lines(), texts()': 'lines(), texts()',
    readline: 'readline',
  }),
  inChild('Whole files of 100 KiB', FILES, 'whole-100K', {
    'readWholeSync()': 'readWholeSync()',
    readFileSync: 'readFileSync',
  }),
  inChild('Whole files of 1 MiB', FILES, 'whole-1M', {
    'readWholeSync()': 'readWholeSync()',
    readFileSync: 'readFileSync',
  }),
  {
    title: 'Frames of 1,000 B received from a socket',
    ways: [
      overSocket('serve()', 'serve'),
      overSocket("'data', a list of chunks", 'list'),
      overSocket("'data', Buffer.concat", 'concat'),
    ],
  },
  inChild('Small records encoded', '../../bench/io/written.js', 'small', {
    ByteWriter: 'ByteWriter',
    'Buffer.concat': 'Buffer.concat',
  }),
  COUNTRIES,
  inChild('A file in asynchronous reads of 8 KiB: the calls dominate', '../../bench/io/nothing.js', 'small-reads', {
    'fromFile()': 'fromFile()',
    createReadStream: 'createReadStream',
    'FileHandle.read() into one buffer': 'FileHandle.read(), one static buffer',
  }),
];
