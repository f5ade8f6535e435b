import { expect, test } from 'vitest';
import { fixture, run } from './child.js';

test.each(['tracked', 'oversize', 'objects', 'resources'])(
  'pools that are dropped with a leak, before that is told, silence no finalizer: %s',
  async (kind) => {
    const ended = await run(fixture('due-finalizers.mjs'), [kind], { execArgv: ['--expose-gc'] });
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(ended.stdout)).toEqual({ lost: 1, foreign: true });
  },
);
