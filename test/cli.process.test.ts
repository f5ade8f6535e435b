import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { run } from './child.js';

const CLI = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

describe('usage', () => {
  test.each([[['--help']], [['-h']], [['doctor', '--help']], [['top', '-h']]])('%j', async (args) => {
    const { code, stdout, stderr } = await run(CLI, args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const word of ['slabpool doctor [--json]', 'slabpool top SOURCE', '--interval', '--once']) {
      expect(stdout).toContain(word);
    }
  });

  test.each([
    [[], /expected one of the commands build, doctor, top, got nothing/],
    [['toString'], /expected one of the commands build, doctor, top, got 'toString'/],
    [['doctor', 'now'], /expected no arguments, got 'now'/],
    [['doctor', '--jason'], /Unknown option '--jason'/],
    [['doctor', '--json=yes'], /--json' does not take an argument/],
    [['top'], /expected SOURCE, got ''/],
    [['top', '1', '2'], /expected SOURCE, got '1 2'/],
    [['top', '--once'], /expected SOURCE/],
    [['top', '0'], /expected a port of 1 to 65535, got 0/],
    [['top', '65536'], /expected a port of 1 to 65535, got 65536/],
    [['top', 'http://'], /expected a URL, got http:\/\//],
    [['top', '1', '--interval', 'x'], /--interval: expected seconds, 0\.1 to 3600, got 'x'/],
    [['top', '1', '--interval', ''], /--interval: expected seconds/],
    [['top', '1', '--interval', '0.05'], /--interval: expected seconds/],
    [['top', '1', '--interval', '3601'], /--interval: expected seconds/],
    [['top', '1', '--interval'], /--interval <value>' argument missing/],
  ] as const)('%j: exit code 2, and what was expected', async (args, message) => {
    const ended = await run(CLI, args);
    expect(ended).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(message) });
    expect(ended.stderr).toMatch(/^slabpool: .*\nSee slabpool --help\n$/s);
  });
});
