// The browser that `npm test -- browser` looks at pages with: where it is, and how it comes here.
import { existsSync } from 'node:fs';
import { ensureDebian } from './run.js';

const CHROMIUM = '/usr/bin/chromium';
const APT_TIMEOUT_MS = 5 * 60_000;

export function browserProgram() {
  return CHROMIUM;
}

/** Installs it if it is missing. @returns {string | undefined} why it cannot */
export function installBrowser() {
  if (existsSync(CHROMIUM)) return undefined;
  if (!existsSync('/usr/bin/apt-get')) return "Chromium comes from Debian's packages, and there is no apt-get";
  try {
    ensureDebian(false, ['chromium'], APT_TIMEOUT_MS);
  } catch (error) {
    return /** @type {Error} */ (error).message;
  }
  return undefined;
}
