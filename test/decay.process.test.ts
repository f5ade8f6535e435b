import { describe, expect, test } from 'vitest';
import { BACKENDS } from './backends.js';
import { run } from './child.js';

describe.each(BACKENDS)('decay on the %s core', (backend) => {
  test('neither an idle nor a forgotten pool keeps the process alive, however it ends', async () => {
    for (const end of ['', 'pool.close();', 'process.exit(0);', 'setTimeout(() => process.exit(0), 30);']) {
      const script = `
        import { BufferPool } from 'slabpool';
        const pool = new BufferPool({ backend: '${backend}', epochMs: 1 });
        pool.releaseMany(pool.acquireMany(65536, 1000));
        ${end}`;
      const ended = await run('-', [], { execArgv: ['--input-type=module', '-e', script] });
      expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
    }
  });
});
