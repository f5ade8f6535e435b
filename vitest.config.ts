import { defineConfig } from 'vitest/config';

const IN_ANY_REALM = 'test/realms/*.test.ts';
const OTHER_POOLS = ['threads', 'vmThreads', 'vmForks'] as const;
/** By what tests need: worker threads, or processes of their own. */
const THREADS = 'test/*.thread.test.ts';
const PROCESSES = 'test/*.process.test.ts';

const project = (name: string, include: string[], exclude: string[] = []) => ({
  extends: true as const,
  test: {
    ...{ name, include, exclude },
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
      project('fast', ['test/*.test.ts', IN_ANY_REALM], [THREADS, PROCESSES]),
      project('threads', [THREADS]),
      project('processes', [PROCESSES]),
      // Vitest's own pools, which are other realms.
      ...OTHER_POOLS.map((pool) => ({
        extends: true as const,
        test: { name: `realms-${pool}`, include: [IN_ANY_REALM], pool },
      })),
    ],
  },
});
