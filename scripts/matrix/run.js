// node scripts/matrix/run.js SUITE[:PART]: one suite of those in this folder; the last line is its count.
import { Cases } from './cases.js';

const [name, ...parts] = String(process.argv[2]).split(':');
const cases = new Cases();
await (await import(`./${name}.js`)).run(cases, ...parts);
console.log(`${cases.passed} passed, ${cases.failed} failed`);
process.exitCode = cases.failed === 0 && cases.passed > 0 ? 0 : 1;
