const LENGTH = 40;

/** `'[####......]'`: how full something is. */
export function bar(part: number, whole: number): string {
  const filled = Math.max(0, Math.min(LENGTH, Math.round((LENGTH * part) / Math.max(1, whole))));
  return `[${'#'.repeat(filled)}${'.'.repeat(LENGTH - filled)}]`;
}
