import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Some tests wait for the garbage collector; the addon is loaded the way most programs load it, on a main thread.
    pool: 'forks',
    execArgv: ['--expose-gc'],
    // dist/ is run by Node itself, not transformed: what ships is what is tested.
    server: { deps: { external: [/\/dist\//] } },
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
