// How many pools, and threads at one, there can be; and that those nobody has any more do not count.
import { BufferPool } from 'slabpool';
import { describe, expect, test } from 'vitest';
import { BACKENDS, coded } from './backends.js';
import { fixture, run } from './child.js';

describe.each(BACKENDS)('B5: pools on the %s core', (backend) => {
  test('that are dropped are collected, more of them than there can be at once', async () => {
    const ended = await run(fixture('dropped-pools.mjs'), [backend, '5000'], { execArgv: ['--expose-gc'] });
    expect(ended).toEqual({ code: 0, signal: null, stdout: '0\n', stderr: '' });
  });
});

const options = { name: 'limited', tiers: [4096], maxBytes: 2 ** 20, backend: 'native' } as const;

test('B5: 4,096 pools at once, and one more fails with its own code and the true words', () => {
  const pools: BufferPool[] = [];
  expect(() => {
    for (;;) pools.push(new BufferPool(options));
  }).toThrow(
    coded('ERR_SLABPOOL_LIMIT', /4096 pools in this process, the most there can be: close\(\)/, { pool: 'limited' }),
  );
  expect(pools).toHaveLength(4096);
  const { handle } = pools[7];
  pools[7].close();
  pools[7] = new BufferPool(options);
  expect(() => BufferPool.attach(handle)).toThrow(coded('ERR_SLABPOOL_CLOSED', /every thread that had the pool/));
  for (const pool of pools) pool.close();
});

test('B5: 4,095 threads at one pool, and one more fails with its own code and the true words', () => {
  const pool = new BufferPool(options);
  const members: BufferPool[] = [];
  const join = () => members.push(BufferPool.attach(pool.handle));
  const error = coded('ERR_SLABPOOL_LIMIT', /4095 threads have the pool, the most there can be/, { pool: 'limited' });
  expect(() => {
    for (;;) join();
  }).toThrow(error as Error);
  expect(members).toHaveLength(4094);
  members.pop()?.close();
  join();
  expect(join).toThrow(error as Error);
  for (const member of [...members, pool]) member.close();
});
