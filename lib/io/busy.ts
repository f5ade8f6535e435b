/** A file that is busy, such as a pipe that is full and does not block, is tried again after so many milliseconds. */
export const BUSY_MS = 1;

export function isBusy(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EAGAIN';
}
