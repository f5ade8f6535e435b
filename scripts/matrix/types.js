// The declarations as programs see them: TypeScript from the oldest that is supported, both kinds of modules, each resolution, with
// nothing skipped.
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureNpm, root } from '../run.js';
import { Cases, inFolder, output } from './cases.js';

const FOLDER = '.tools/types';
/** Types of Node.js, and the compilers that they are for: before and after Buffer and Uint8Array told what memory they have. */
const NODE_TYPES = { '20.11.0': ['5.4', '5.6'], 22: ['5.4', '5.6', '5.7', '5.9', '6.0'] };
const RESOLUTIONS = [
  { module: 'node16', moduleResolution: 'node16' },
  { module: 'nodenext', moduleResolution: 'nodenext' },
  { module: 'esnext', moduleResolution: 'bundler' },
];
const SAMPLE = `
import { createServer } from 'node:net';
import { BufferPool, Channel, SlabPoolError, diagnose } from 'slabpool';
import type { Lease, PoolHandle, PoolStats, ReceivedLease } from 'slabpool';
import { ByteReader, ByteWriter, fromFile, lines, serve } from 'slabpool/io';
import type { Chunk, Encoder, RecordBatch } from 'slabpool/io';
import { clear, ObjectPool } from 'slabpool/object';
import type { ObjectLease, ObjectPoolStats } from 'slabpool/object';
import { ResourcePool, ShardedPool, FailoverPool } from 'slabpool/resource';
import type { ResourceLease, ResourcePoolOptions, ResourcePoolStats } from 'slabpool/resource';
import { serveStats } from 'slabpool/top';

const pool: BufferPool = new BufferPool({ maxBytes: 1024 * 1024, name: 'typed' });
const lease: Lease = pool.acquire(1000);
const bytes: Buffer = lease.bytes;
const memory: ArrayBuffer = lease.buffer;
const view: Uint8Array = lease.view();
export const first: number = (bytes[0] ?? 0) + memory.byteLength + view.length;
const stats: PoolStats = pool.stats();
export const report: string = String(diagnose(stats));
const channel: Channel = new Channel(pool, { capacity: 8 });
export const sent: boolean = channel.trySend(lease, 1, 2);
export const received: ReceivedLease | null = channel.tryReceive();
export const handle: PoolHandle = pool.handle;
export const attached: BufferPool = BufferPool.attach(handle);
export const served: Promise<unknown> = Promise.resolve(serveStats([pool], { port: 0 }));
export class Mine extends BufferPool {}
try {
  lease.release();
} catch (error) {
  if (error instanceof SlabPoolError) console.log(error.code satisfies string);
}
export async function main(): Promise<number> {
  for await (const message of channel) message.release();
  return pool.borrow(10, ({ size }) => size);
}
export async function read(): Promise<Chunk> {
  const batches: AsyncIterable<RecordBatch> = lines(fromFile(pool, 'file'), { crlf: true });
  for await (const batch of batches) while (batch.next()) console.log(batch.text().length, batch.bytes[batch.from]);
  const reader = new ByteReader(fromFile(pool, 'file', { ahead: 1 }));
  const there: boolean | Promise<boolean> = reader.read(10);
  console.log(await there);
  return reader.take(10);
}
const encoder: Encoder<number> = { encode: (writer, value) => writer.u32le(value) };
encoder.encode(new ByteWriter(pool), 1);
export const mode: 'onread' | 'copy' = serve(pool, createServer(), () => ({ data: (received) => received.consume(1) })).mode;
const objects: ObjectPool<Map<string, number>> = new ObjectPool({ create: () => new Map<string, number>(), reset: (map) => clear(map) });
const object: ObjectLease<Map<string, number>> = objects.acquire();
export const counted: number | undefined = object.value.get('a');
export const objectStats: ObjectPoolStats = objects.stats();
export const lent: number = objects.borrow(({ value }) => value.size);
// @ts-expect-error: no primitive is pooled
new ObjectPool({ create: () => 7 });
const sockets: ResourcePoolOptions<{ id: number }> = { open: () => ({ id: 1 }), close: ({ id }) => console.log(id), breaker: {} };
const resources: ResourcePool<{ id: number }> = new ResourcePool(sockets);
export async function useResources(): Promise<ResourcePoolStats> {
  const held: ResourceLease<{ id: number }> = await resources.acquire({ timeout: 10 });
  held.destroy(held.value.id);
  const id: number = await resources.borrow(({ value }) => value.id);
  await new ShardedPool({ shards: { one: sockets } }).acquire(String(id));
  await new FailoverPool({ primary: sockets, spare: sockets }).close();
  return resources.stats();
}
// @ts-expect-error: a size is a number
pool.acquire('1');
// @ts-expect-error: not any
export const wrong: boolean = lease.bytes;
`;

/** @param {Cases} cases */
export async function run(cases) {
  const alias = (/** @type {string} */ version) => `typescript-${version}`;
  const typesOf = (/** @type {string} */ version) => `node-types-${version}`;
  const compilers = [...new Set(Object.values(NODE_TYPES).flat())];
  const nodeTypes = Object.keys(NODE_TYPES);
  ensureNpm(
    FOLDER,
    [
      ...compilers.map((version) => `${alias(version)}@npm:typescript@${version}`),
      ...nodeTypes.map((version) => `${typesOf(version)}@npm:@types/node@${version}`),
    ],
    [...compilers.map(alias), ...nodeTypes.map(typesOf)],
  );
  const modules = join(root, FOLDER, 'node_modules');
  await inFolder(async (folder) => {
    const installed = join(folder, 'node_modules/slabpool');
    for (const part of ['dist', 'require', 'package.json'])
      cpSync(join(root, part), join(installed, part), { recursive: true });
    for (const kind of ['cts', 'mts']) writeFileSync(join(folder, `sample.${kind}`), SAMPLE);
    symlinkSync(join(modules, 'undici-types'), join(folder, 'node_modules/undici-types'));
    for (const [types, known] of Object.entries(NODE_TYPES)) {
      const parent = join(folder, types, '@types');
      mkdirSync(parent, { recursive: true });
      cpSync(join(modules, typesOf(types)), join(parent, 'node'), { recursive: true });
      for (const compiler of known) {
        for (const resolution of RESOLUTIONS) {
          const kinds = resolution.moduleResolution === 'bundler' ? ['mts'] : ['mts', 'cts'];
          const name = `TypeScript ${compiler}, @types/node ${types}, ${resolution.moduleResolution}`;
          await cases.check(name, () => {
            const config = join(folder, 'tsconfig.json');
            const compilerOptions = {
              ...{ ...resolution, strict: true, skipLibCheck: false, noEmit: true, target: 'es2022', lib: ['es2022'] },
              ...{ types: ['node'], typeRoots: [parent], esModuleInterop: true },
            };
            writeFileSync(config, JSON.stringify({ compilerOptions, files: kinds.map((kind) => `sample.${kind}`) }));
            output(process.execPath, [join(modules, alias(compiler), 'lib/tsc.js'), '-p', config]);
          });
        }
      }
    }
  });
}
