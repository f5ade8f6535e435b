import { defineConfig } from 'vitest/config';

const IN_ANY_REALM = 'test/realms/*.test.ts';
const OTHER_POOLS = ['threads', 'vmThreads', 'vmForks'] as const;

export default defineConfig({
  test: {
    // dist/ is run by Node itself, not transformed: what ships is what is tested.
    server: { deps: { external: [/\/dist\//] } },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'node',
          include: ['test/**/*.test.ts'],
          // Some tests wait for the garbage collector; the addon is loaded the way most programs load it, on a main thread.
          pool: 'forks',
          execArgv: ['--expose-gc'],
        },
      },
      ...OTHER_POOLS.map((pool) => ({ extends: true as const, test: { name: pool, include: [IN_ANY_REALM], pool } })),
    ],
  },
});
