// The servers that `npm test -- servers` runs: where they are, and how they come here.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { tryDebian } from './run.js';

const POSTGRES = '/usr/lib/postgresql';
const REDIS = '/usr/bin/redis-server';

/** A program of the newest PostgreSQL here, or ''. @param {string} name */
export function postgresProgram(name) {
  const versions = existsSync(POSTGRES) ? readdirSync(POSTGRES) : [];
  const paths = versions.sort((a, b) => Number(b) - Number(a)).map((version) => join(POSTGRES, version, 'bin', name));
  return paths.find((path) => existsSync(path)) ?? '';
}

/** Where Redis is, or ''. */
export function redisProgram() {
  return existsSync(REDIS) ? REDIS : '';
}

/** Installs what is missing. @returns {string | undefined} why it cannot */
export function installServers() {
  return tryDebian([
    ...(postgresProgram('initdb') === '' ? ['postgresql'] : []),
    ...(redisProgram() === '' ? ['redis-server'] : []),
  ]);
}
