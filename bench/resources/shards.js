// Eight shards, of which one is slow: what the others notice of it, and what they would if all had one pool.
import { setTimeout } from 'node:timers/promises';
import { ResourcePool, ShardedPool } from 'slabpool/resource';

const SHARDS = 8;
/** Resources of each shard, and tasks that use them. */
const SIZE = 4;
const TASKS = 8;
const QUICK_MS = 2;
const SLOW_MS = 200;

const names = Array.from({ length: SHARDS }, (_, i) => `shard-${i}`);
const options = { open: () => ({}), close() {}, maxSize: SIZE };

/** @typedef {(shard: string, hold: () => Promise<unknown>) => Promise<unknown>} Use */

/** Uses that the seven which are never slow have in a second. @param {Use} use @param {boolean} slow @param {number} ms */
async function rate(use, slow, ms) {
  let uses = 0;
  let over = false;
  const started = performance.now();
  const tasks = names.flatMap((name, i) =>
    Array.from({ length: TASKS }, async () => {
      while (!over) {
        await use(name, () => setTimeout(slow && i === 0 ? SLOW_MS : QUICK_MS));
        if (i > 0 && !over) uses++;
      }
    }),
  );
  await setTimeout(ms);
  over = true;
  const seconds = (performance.now() - started) / 1000;
  await Promise.all(tasks);
  return uses / seconds;
}

/** Shares of the rate without a slow shard, one for each round: with a pool for each shard, and with one for all. @param {number} rounds @param {number} ms */
export async function slowShard(rounds, ms) {
  const sharded = new ShardedPool({ shards: Object.fromEntries(names.map((name) => [name, options])) });
  const keys = new Map(
    names.map((name) => {
      let i = 0;
      while (sharded.shardOf(`key-${i}`) !== name) i++;
      return [name, `key-${i}`];
    }),
  );
  const one = new ResourcePool({ ...options, maxSize: SHARDS * SIZE });
  /** @type {Use} */
  const each = (name, hold) => sharded.borrow(/** @type {string} */ (keys.get(name)), hold);
  /** @type {Use} */
  const all = (_, hold) => one.borrow(hold);
  /** @type {[number[], number[]]} */
  const shares = [[], []];
  for (let round = 0; round < rounds; round++) {
    for (const [i, use] of [each, all].entries()) {
      const without = await rate(use, false, ms);
      /** @type {number[]} */ (shares[i]).push((await rate(use, true, ms)) / without);
    }
  }
  await Promise.all([sharded.close(), one.close()]);
  return shares;
}
