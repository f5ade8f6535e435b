// @ts-nocheck: the types come with Jest, which is not installed for everybody.
// Run by Jest, with globals of jsdom: `npm test -- realms`.
import { jest } from '@jest/globals';
import { backends, checks } from './checks.mjs';

describe.each(backends)('the %s core', (backend) => {
  afterEach(() => jest.useRealTimers());

  test.each(Object.entries(checks))('%s', (_, check) => check(backend));

  test.each(Object.entries(checks))('with fake timers: %s', (_, check) => {
    jest.useFakeTimers();
    return check(backend);
  });
});
