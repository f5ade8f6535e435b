import { BufferPool } from '../pool.js';
import { type Check, check } from './check.js';
import { addressSpace, backend, explicitResources, limits, pages, runtime } from './system.js';
import { loadTableWriter } from './table.js';
import { alignment, leases, pageFaults, speed, threads } from './trials.js';

/** Prints what slabpool runs on here, whether it works, and what it gains. @returns whether there is no problem */
export async function doctor(json: boolean): Promise<boolean> {
  const checks = [runtime(), ...(await trials()), explicitResources(), pages(), limits(), addressSpace()];
  const problems = checks.filter(({ status }) => status === 'problem').length;
  const healthy = problems === 0;
  process.stdout.write(json ? `${JSON.stringify({ healthy, checks }, null, 2)}\n` : await report(checks, problems));
  return healthy;
}

async function trials(): Promise<Check[]> {
  let pool: BufferPool;
  try {
    pool = new BufferPool({ name: 'doctor' });
  } catch (error) {
    const advice = "A pool with { backend: 'js' } does without the addon.";
    return [check('backend', 'problem', (error as Error).message, { advice })];
  }
  try {
    return [backend(pool.backend), leases(pool), await threads(pool), speed(pool), alignment(pool), pageFaults(pool)];
  } finally {
    pool.close();
  }
}

async function report(checks: readonly Check[], problems: number): Promise<string> {
  const table = await loadTableWriter();
  const rows = checks.map(({ id, status, text }) => [id, status, text]);
  const advice = checks.filter((c) => c.advice !== '').map((c) => `${c.id}: ${c.advice}\n`);
  const verdict =
    problems === 0 ? 'slabpool works here.' : `Problems: ${problems}. slabpool does not work as it should here.`;
  return `${table([['check', 'state', 'what was found'], ...rows])}\n${advice.join('')}${verdict}\n`;
}
