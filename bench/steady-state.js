import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const OPERATIONS = 20_000_000;

export const title = `${OPERATIONS.toLocaleString('en')} operations after warming up`;

/** @param {import('./run.js').Context} context */
export async function run({ progress, facts }) {
  progress('under --trace-deopt and --trace-gc');
  const script = fileURLToPath(new URL('steady-loop.js', import.meta.url));
  const output = execFileSync(process.execPath, ['--trace-deopt', '--trace-gc', script, String(OPERATIONS)], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  const marked = output.slice(output.indexOf('slabpool:mark:begin'), output.indexOf('slabpool:mark:end'));
  const memory = JSON.parse(/** @type {string} */ (/slabpool:memory:(.*)/.exec(output)?.[1]));
  const lines = marked.split('\n');
  const traced = lines.filter((line) => /Mark-(sweep|Compact)/i.test(line)).length;
  // All of them, since what is inlined shows as its caller: code of dist/ is deoptimised under the name of the loop.
  const deoptimised = lines.filter((line) => line.includes('bailout (') || line.includes('[bailout')).length;
  if (traced + memory.major + deoptimised > 0) process.exitCode = 1;
  facts({
    'mark-sweep collections': traced,
    'mark-sweep collections, by PerformanceObserver': memory.major,
    scavenges: lines.filter((line) => line.includes('Scavenge')).length,
    'functions deoptimised': deoptimised,
    'external bytes per operation': memory.external / OPERATIONS,
    'ArrayBuffer bytes per operation': memory.arrayBuffers / OPERATIONS,
  });
}
