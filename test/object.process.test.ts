import { expect, test } from 'vitest';
import { fixture, run } from './child.js';

test.each([[[]], [['--no-addons']], [['--frozen-intrinsics']]])(
  'with %j: a process with idle objects and a lease that is out ends by itself',
  async (execArgv) => {
    const { code, stdout, stderr } = await run(fixture('object-exit.mjs'), [], { execArgv });
    expect({ code, stdout }).toEqual({ code: 0, stdout: '1 9\n1 9\n1 9\n' });
    // Node says that frozen intrinsics are an experiment.
    if (!execArgv.includes('--frozen-intrinsics')) expect(stderr).toBe('');
  },
);

test('a full collection while no lease is alive costs the program no optimised code', async () => {
  const execArgv = ['--expose-gc', '--trace-opt', '--trace-deopt'];
  const { stdout } = await run(fixture('object-collected.mjs'), [], { execArgv });
  const [warm, collected] = stdout.split('collections\n');
  expect(warm).toMatch(/completed optimizing .*everyLease/);
  expect(collected).toContain('outstanding 0');
  expect(collected?.split('\n').filter((line) => /everyLease.*weak objects/.test(line))).toEqual([]);
});
