// Run by Node itself, with all that sinon can fake: `npm test -- realms`.
import { createRequire } from 'node:module';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { backends, checks } from './checks.mjs';

const sinon = createRequire(new URL('../../.realms/node_modules/', import.meta.url))('sinon');

for (const backend of backends) {
  describe(`the ${backend} core with fake timers`, () => {
    beforeEach(() => void sinon.useFakeTimers({ toNotFake: ['nextTick'] }));
    afterEach(() => sinon.restore());
    for (const [name, check] of Object.entries(checks)) test(name, () => check(backend));
  });
}
