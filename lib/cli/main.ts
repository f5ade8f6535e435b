#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { build } from './build.js';
import { doctor } from './doctor.js';
import { Failure } from './failure.js';
import { size } from './size.js';
import { sourceOf } from './snapshot.js';
import { top } from './top.js';

const SHORTEST_INTERVAL = 0.1;
const LONGEST_INTERVAL = 3600;

const HELP = `slabpool doctor [--json]
  What slabpool runs on here, whether it works, and what it gains. Takes about two seconds.
  The exit code is 0 when it works, 1 when it does not.

slabpool build
  Builds the native addon from source, for a system that no binary in the package is for. Needs a C++20 compiler, and the packages
  node-addon-api and node-gyp.

slabpool top SOURCE [--interval SECONDS] [--once]
  Shows the pools of a service.
  SOURCE      a port of this machine, the URL, or the file with the stats of a pool as JSON, or an array of such. A service
              publishes them with serveStats([pool], { port }) of 'slabpool/top', or writes JSON.stringify(pool.stats()).
  --interval  between two looks, ${SHORTEST_INTERVAL} to ${LONGEST_INTERVAL}; 1 unless given
  --once      one look; the exit code is 1 when there is nothing to see

slabpool size --rate RATE --hold TIME [--wait SHARE]
  How large a pool has to be: how many are in use on average (Little's law), and at which size at most a share of acquires waits.
  --rate      acquires a second: 300, 5k, 1.5M
  --hold      how long each is held on average: 150us, 20ms, 1.5s, 2min
  --wait      the share of acquires that may have to wait; 1% unless given

Called in a wrong way, all end with the exit code 2.
`;

const COMMANDS: Record<string, (args: string[]) => Promise<void>> = {
  async build(args) {
    parse(args, {}, []);
    build();
  },

  async doctor(args) {
    const { values } = parse(args, { json: { type: 'boolean', default: false } }, []);
    process.exitCode = (await doctor(values.json)) ? 0 : 1;
  },

  async size(args) {
    const text = { type: 'string' } as const;
    const { values } = parse(args, { rate: text, hold: text, wait: { ...text, default: '1%' } }, []);
    const { rate, hold, wait } = values;
    if (rate === undefined || hold === undefined) {
      throw new Failure("size: expected --rate and --hold, such as 'slabpool size --rate 5000 --hold 20ms'", 2);
    }
    await size({ rate, hold, wait });
  },

  async top(args) {
    const options = { interval: { type: 'string', default: '1' }, once: { type: 'boolean', default: false } } as const;
    const { values, positionals } = parse(args, options, ['SOURCE']);
    const seconds = Number(values.interval);
    if (values.interval.trim() === '' || !(seconds >= SHORTEST_INTERVAL && seconds <= LONGEST_INTERVAL)) {
      const expected = `expected seconds, ${SHORTEST_INTERVAL} to ${LONGEST_INTERVAL}`;
      throw new Failure(`top --interval: ${expected}, got '${values.interval}'`, 2);
    }
    await top({ source: sourceOf(positionals[0] as string), intervalMs: seconds * 1000, once: values.once });
  },
};

function parse<const T extends NonNullable<Parameters<typeof parseArgs>[0]>['options'] & object>(
  args: string[],
  options: T,
  expected: readonly string[],
) {
  try {
    const parsed = parseArgs({ args, options, allowPositionals: true });
    if (parsed.positionals.length === expected.length) return parsed;
  } catch (error) {
    throw new Failure((error as Error).message, 2);
  }
  throw new Failure(
    `expected ${expected.length === 0 ? 'no arguments' : expected.join(' ')}, got '${args.join(' ')}'`,
    2,
  );
}

async function main([name, ...args]: string[]): Promise<void> {
  if ([name, ...args].some((arg) => arg === '--help' || arg === '-h')) {
    process.stdout.write(HELP);
    return;
  }
  const command = name === undefined || !Object.hasOwn(COMMANDS, name) ? undefined : COMMANDS[name];
  if (command === undefined) {
    const given = name === undefined ? 'nothing' : `'${name}'`;
    throw new Failure(`expected one of the commands ${Object.keys(COMMANDS).join(', ')}, got ${given}`, 2);
  }
  await command(args);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  process.stderr.write(`slabpool: ${error.message}${error.exitCode === 2 ? '\nSee slabpool --help' : ''}\n`);
  process.exitCode = error.exitCode;
}
