import { describe, expect, test } from 'vitest';
import { BACKENDS } from './backends.js';
import { fixture, run } from './child.js';

describe.each(BACKENDS)('the process ends on the %s core', (backend) => {
  test.each([
    ['leases out', 0],
    ['pool closed, leases out', 0],
    ['process.exit within borrow', 7],
    ['uncaught exception within borrow', 1],
    ['unhandled rejection within borrow', 1],
    ['use and close on exit', 7],
    ['acquire within on exit, never released', 0],
    ['process.exit under pressure of the garbage collector', 7],
    ['pools dropped without close', 7],
    ['leases that outlive the name of their pool', 7],
    ['thousands of pools', 7],
  ])('%s: code %i', async (way, code) => {
    const ended = await run(fixture('exit.mjs'), [backend, way], { execArgv: ['--expose-gc'] });
    expect(ended).toMatchObject({ code, signal: null, stdout: '' });
    if (code === 1) expect(ended.stderr).toContain('Error: expected by the test');
    else expect(ended.stderr).toBe('');
  });

  test.each([
    ['by themselves, leases out', 12],
    ['closed', 12],
    ['exit', 12],
    ['throw', 12],
    ['terminated', 48],
    ['terminated within the core', 60],
    ['terminated while making pools', 24],
    ['terminated while idle', 12],
  ])('workers end: %s, %i of them', async (ending, count) => {
    const ended = await run(fixture('workers.mjs'), [backend, ending, String(count)]);
    expect(ended).toEqual({ code: 0, signal: null, stdout: 'intact\n', stderr: '' });
  });
});
