import { expect, test } from 'vitest';
import { fixture, run } from './child.js';

test('a server keeps no process alive, also with a client that stays connected', async () => {
  expect(await run(fixture('top-service.mjs'), ['--idle'])).toMatchObject({ code: 0, stderr: '' });
});
