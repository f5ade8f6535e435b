/** Something the person can understand and change: its message says all there is, so it is told without a stack. */
export class Failure extends Error {}

/**
 * @param {unknown} error
 * @returns {string} with the stack, unless the message says it all
 */
export function explain(error) {
  if (!(error instanceof Error)) return String(error);
  // Node.js and slabpool give a code to what may be wrong outside of the program.
  return error instanceof Failure || 'code' in error ? error.message : (error.stack ?? error.message);
}
