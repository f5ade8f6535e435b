// plain.mjs [BACKEND...]: the checks without a test runner, for whatever runs JavaScript: `npm test -- hosts`.
import { backends, checks } from './checks.mjs';

const chosen = backends.filter((backend) => process.argv.length === 2 || process.argv.includes(backend));
let passed = 0;
let failed = 0;
for (const backend of chosen) {
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check(backend);
      passed++;
    } catch (error) {
      failed++;
      console.error(`FAILED ${backend}: ${name}:`, error);
    }
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
