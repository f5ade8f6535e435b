import { expect, test } from 'vitest';
import { BACKENDS } from './backends.js';
import { fixture, run } from './child.js';

test.each(BACKENDS)(
  'a full collection while no lease is alive costs the program no optimised code, %s core',
  async (backend) => {
    const execArgv = ['--expose-gc', '--trace-opt', '--trace-deopt'];
    const { stdout } = await run(fixture('collected.mjs'), [backend], { execArgv });
    const [warm, collected] = stdout.split('collections\n');
    expect(warm).toMatch(/completed optimizing .*everyLease/);
    expect(collected).toContain('outstanding 0');
    expect(collected?.split('\n').filter((line) => /everyLease.*weak objects/.test(line))).toEqual([]);
  },
);
