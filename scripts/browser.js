// The browser that `npm test -- browser` looks at pages with: where it is, and how it comes here.
import { existsSync } from 'node:fs';
import { tryDebian } from './run.js';

export const BROWSER = '/usr/bin/chromium';

/** Installs it if it is missing. @returns {string | undefined} why it cannot */
export function installBrowser() {
  return tryDebian(existsSync(BROWSER) ? [] : ['chromium']);
}
