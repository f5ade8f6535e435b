import { checkOptions } from '../base/check-options.js';
import { poolName } from '../base/option-checks.js';
import type { WaitOptions } from '../base/wait-options.js';
import { invalidArg } from '../errors.js';
import type { ResourcePoolStats } from '../stats/resource-stats.js';
import { closeAll } from './close-all.js';
import type { ResourcePoolOptions } from './options.js';
import { hashOf, scoreOf } from './rendezvous.js';
import type { ResourceLease } from './resource-lease.js';
import { ResourcePool } from './resource-pool.js';

/** Options of a {@link ShardedPool}. What is misspelt or ill-typed is an `ERR_SLABPOOL_INVALID_ARG`. */
export interface ShardedPoolOptions<R> {
  /** The pool's name; not empty. Default: `'sharded-pool-N'`, counted in each thread. */
  name?: string;
  /** The options of each shard's own pool, by the shard's name; at least one. A pool's `name` is `'NAME/SHARD'` by default. */
  shards: Readonly<Record<string, ResourcePoolOptions<R>>>;
}

const checkName = poolName('sharded-pool');

/**
 * A ShardedPool has a bounded {@link ResourcePool} for each of several shards, and picks one by a key: a shard that is slow or down
 * makes nobody wait who wants another one.
 *
 * Which shard a key belongs to is told by rendezvous hashing (D. Thaler and C. Ravishankar, 1996), from the names of the shards alone:
 * the same in every process and release, in whatever order they are given. A shard that is taken out gives its keys to all others
 * evenly, and no other key moves; one that comes gets its share from all.
 */
export class ShardedPool<R> {
  /** The option `name`. */
  readonly name: string;
  /** The pool of each shard. */
  readonly pools: ReadonlyMap<string, ResourcePool<R>>;
  readonly #hashes: readonly (readonly [shard: string, hash: number])[];

  /** @throws `ERR_SLABPOOL_INVALID_ARG` */
  constructor(options: ShardedPoolOptions<R>) {
    const what = 'new ShardedPool(options)';
    const { name, shards } = checkOptions<ShardedPoolOptions<R>>(what, options, ['name', 'shards']);
    this.name = checkName(name, 'name', undefined);
    if (typeof shards !== 'object' || shards === null || Array.isArray(shards) || Object.keys(shards).length === 0) {
      throw invalidArg(`${what}, option 'shards'`, 'an object with the options of at least one shard', shards);
    }
    this.pools = new Map(
      Object.entries(shards).map(([shard, given]) => {
        const { name: own = `${this.name}/${shard}`, ...rest } = { ...given };
        return [shard, new ResourcePool<R>({ ...rest, name: own })];
      }),
    );
    this.#hashes = [...this.pools.keys()].map((shard) => [shard, hashOf(shard)]);
  }

  /**
   * The name of the shard that a key belongs to.
   * @throws `ERR_SLABPOOL_INVALID_ARG`
   */
  shardOf(key: string): string {
    if (typeof key !== 'string') throw invalidArg('shardOf(key), key', 'a string', key, this.name);
    const hash = hashOf(key);
    let best = '';
    let most = -1;
    for (const [shard, own] of this.#hashes) {
      const score = scoreOf(own, hash);
      // Of equal ones, which are rare, the first by name.
      if (score < most || (score === most && shard > best)) continue;
      most = score;
      best = shard;
    }
    return best;
  }

  /**
   * A lease of a resource of the key's shard.
   * @throws as `ResourcePool.acquire()`
   */
  async acquire(key: string, options?: WaitOptions): Promise<ResourceLease<R>> {
    return this.#poolOf(key).acquire(options);
  }

  /**
   * Lends a lease of a resource of the key's shard to `fn`.
   * @throws as `ResourcePool.borrow()`
   */
  async borrow<T>(key: string, fn: (lease: ResourceLease<R>) => T, options?: WaitOptions): Promise<Awaited<T>> {
    return this.#poolOf(key).borrow(fn, options);
  }

  #poolOf(key: string): ResourcePool<R> {
    return this.pools.get(this.shardOf(key)) as ResourcePool<R>;
  }

  /**
   * A snapshot of each shard's pool, by the shard's name.
   * @throws `ERR_SLABPOOL_CLOSED`
   */
  stats(): Record<string, ResourcePoolStats> {
    return Object.fromEntries([...this.pools].map(([shard, pool]) => [shard, pool.stats()]));
  }

  /**
   * Ends the pools of all shards, as `ResourcePool.close()` does.
   * @throws as `ResourcePool.close()`
   */
  async close(options?: WaitOptions): Promise<void> {
    await closeAll(this.pools.values(), options);
  }

  /** `await using`: {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
