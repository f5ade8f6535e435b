import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { sizeFor } from '../dist/cli/size.js';
import { run } from './child.js';

const CLI = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

describe('usage', () => {
  test.each([[['--help']], [['-h']], [['doctor', '--help']], [['top', '-h']], [['size', '-h']]])('%j', async (args) => {
    const { code, stdout, stderr } = await run(CLI, args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const word of [
      'slabpool doctor [--json]',
      'slabpool top SOURCE',
      '--interval',
      '--once',
      'slabpool size --rate',
    ]) {
      expect(stdout).toContain(word);
    }
  });

  test.each([
    [[], /expected one of the commands build, doctor, size, top, got nothing/],
    [['toString'], /expected one of the commands build, doctor, size, top, got 'toString'/],
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
    [['size'], /size: expected --rate and --hold, such as/],
    [['size', '--rate', '5'], /size: expected --rate and --hold/],
    [['size', '5', '20ms'], /expected no arguments, got '5 20ms'/],
    [['size', '--rate', '0', '--hold', '1ms'], /--rate: expected acquires a second, such as 300, 5k or 1\.5M, got '0'/],
    [['size', '--rate=-5', '--hold', '1ms'], /--rate: expected acquires a second, .* got '-5'/],
    [['size', '--rate', '5K', '--hold', '1ms'], /--rate: expected/],
    [['size', '--rate', '1e3', '--hold', '1ms'], /--rate: expected/],
    [['size', '--rate', '5', '--hold', '20'], /--hold: expected a time with its unit, such as 150us, .* got '20'/],
    [['size', '--rate', '5', '--hold', '0ms'], /--hold: expected/],
    [['size', '--rate', '5', '--hold', '1h'], /--hold: expected/],
    [['size', '--rate', '5', '--hold', '1s', '--wait', '0%'], /--wait: expected a share above 0% and below 100%/],
    [['size', '--rate', '5', '--hold', '1s', '--wait', '100%'], /--wait: expected/],
    [['size', '--rate', '5', '--hold', '1s', '--wait', '0.01'], /--wait: expected .* got '0\.01'/],
    [['size', '--rate', '6M', '--hold', '2s'], /12,000,000 in use on average, expected at most 10,000,000/],
  ] as const)('%j: exit code 2, and what was expected', async (args, message) => {
    const ended = await run(CLI, args);
    expect(ended).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(message) });
    expect(ended.stderr).toMatch(/^slabpool: .*\nSee slabpool --help\n$/s);
  });
});

describe('size', () => {
  test('little: the mean in use, the size, and who waits how long', async () => {
    const { code, stdout, stderr } = await run(CLI, ['size', '--rate', '5k', '--hold', '20ms']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('5,000 a second, each held for 20 ms: 100 in use on average (L = λW).\n');
    expect(stdout).toMatch(/A pool of 125: 1 % of acquires wait, and those 0\.8 ms on average\.\n/);
    expect(stdout).toMatch(/125 <.*80 %.*1 %.*0\.8 ms/);
  });

  test('each size once, also where one is right for several shares', async () => {
    const { stdout } = await run(CLI, ['size', '--rate', '3', '--hold', '1us', '--wait', '5.5%']);
    expect(stdout).toContain('below 0.01 in use on average');
    expect(stdout.match(/below 0\.1 % +[│|]? +below/g)).toHaveLength(1);
  });

  /** Erlang C as it is defined, with its sums. */
  function erlangC(a: number, c: number): number {
    let term = 1;
    let sum = 1;
    for (let k = 1; k < c; k++) {
      term *= a / k;
      sum += term;
    }
    const last = ((term * a) / c) * (c / (c - a));
    return last / (sum + last);
  }

  test.each([0.1, 0.5, 1, 2.5, 10, 33.3, 100])('%d in use: the least size that keeps the share', (inUse) => {
    for (const share of [0.5, 0.1, 0.01, 0.0001]) {
      const { size, share: waits, waitMs, utilization } = sizeFor(inUse, 20, share);
      expect(waits).toBeCloseTo(erlangC(inUse, size), 10);
      expect(waits).toBeLessThanOrEqual(share * (1 + 1e-9));
      expect([waitMs, utilization]).toEqual([20 / (size - inUse), inUse / size]);
      if (size - 1 > inUse) expect(erlangC(inUse, size - 1)).toBeGreaterThan(share * (1 + 1e-9));
      else expect(size - 1).toBeLessThanOrEqual(inUse);
    }
  });

  test('one at a time is as M/M/1: the share that waits is the share in use', () => {
    expect(sizeFor(0.5, 1, 0.5)).toEqual({ size: 1, share: 0.5, waitMs: 2, utilization: 0.5 });
    expect(sizeFor(2, 1, 0.45)).toMatchObject({ size: 3, share: expect.closeTo(4 / 9, 12), waitMs: 1 });
  });
});
