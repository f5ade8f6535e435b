/** Something the person can understand and change: its message says all there is, so it is told without a stack. */
export class DemoError extends Error {}

/**
 * @param {unknown} error
 * @returns {string} with the stack, unless the message says it all
 */
export function explain(error) {
  if (error instanceof DemoError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
