import { defineConfig } from 'vitest/config';

const IN_ANY_REALM = 'test/realms/*.test.ts';
const OTHER_POOLS = ['threads', 'vmThreads', 'vmForks'] as const;

const project = (name: string, ...include: string[]) => ({
  extends: true as const,
  test: {
    ...{ name, include },
    // Some tests wait for the garbage collector; the addon is loaded the way most programs load it, on a main thread.
    pool: 'forks' as const,
    execArgv: ['--expose-gc'],
  },
});

export default defineConfig({
  test: {
    // dist/ is run by Node itself, not transformed: what ships is what is tested.
    server: { deps: { external: [/\/dist\//] } },
    // By default one core is left out, of two as well.
    maxWorkers: '100%',
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      // By what tests need: none but this thread, worker threads, or processes of their own.
      project('fast', 'test/+([^.]).test.ts', IN_ANY_REALM),
      project('threads', 'test/*.thread.test.ts'),
      project('processes', 'test/*.process.test.ts'),
      // Servers that are installed: scripts/servers.js.
      project('servers', 'test/servers/*.test.ts'),
      // Vitest's own pools, which are other realms.
      ...OTHER_POOLS.map((pool) => ({
        extends: true as const,
        test: { name: `realms-${pool}`, include: [IN_ANY_REALM], pool },
      })),
    ],
  },
});
