import { stripVTControlCharacters } from 'node:util';

/** A stranger's text, fit for a terminal: no escape sequences, nothing that moves the cursor. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replace(/\p{Cc}/gu, '?');
}
