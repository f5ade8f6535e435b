import { afterEach, describe, test, vi } from 'vitest';
import { backends, checks } from './checks.mjs';

describe.each(backends)('C: the %s core', (backend) => {
  afterEach(() => void vi.useRealTimers());

  test.each(Object.entries(checks))('%s', (_, check) => check(backend));

  test.each(Object.entries(checks))('with fake timers: %s', (_, check) => {
    vi.useFakeTimers({
      toFake: [
        'setTimeout',
        'clearTimeout',
        'setImmediate',
        'clearImmediate',
        'setInterval',
        'hrtime',
        'performance',
        'Date',
        'queueMicrotask',
      ],
    });
    return check(backend);
  });
});
