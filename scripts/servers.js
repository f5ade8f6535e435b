// The servers that `npm test -- servers` runs: where they are, and how they come here.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDebian } from './run.js';

const POSTGRES = '/usr/lib/postgresql';
const REDIS = '/usr/bin/redis-server';
const APT_TIMEOUT_MS = 5 * 60_000;

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
  if (!existsSync('/usr/bin/apt-get'))
    return "PostgreSQL and Redis come from Debian's packages, and there is no apt-get";
  const missing = [
    ...(postgresProgram('initdb') === '' ? ['postgresql'] : []),
    ...(redisProgram() === '' ? ['redis-server'] : []),
  ];
  try {
    ensureDebian(missing.length === 0, missing, APT_TIMEOUT_MS);
  } catch (error) {
    return /** @type {Error} */ (error).message;
  }
  return undefined;
}
