import { freemem, totalmem } from 'node:os';

/** How short memory is: of the limit `none` below 70 %, `high` from there, `critical` from 90 % on. */
export type PressureLevel = 'none' | 'high' | 'critical';

/** The last verdict on the memory of the system, or of the container. */
export interface Pressure {
  /** Where the figures are from; `'none'` before the first look, and where nobody may look. */
  readonly source: 'cgroup-v2' | 'cgroup-v1' | 'system' | 'runtime' | 'none';
  /** How much of the limit is in use. */
  readonly level: PressureLevel;
  /** Bytes in use, without what the kernel can drop at once. */
  readonly usedBytes: number;
  /** Bytes of the limit: the container's, or the memory of the machine. */
  readonly limitBytes: number;
}

/** Shares of the limit. */
export const HIGH = 0.7;
const CRITICAL = 0.9;

/** The pressure as the runtime sees it. In a container with a limit, the page cache counts as used. */
export function runtimePressure(): Pressure {
  try {
    const limit = process.constrainedMemory?.();
    const available = process.availableMemory?.();
    // 0, or more than there is, means no limit.
    const limited = limit !== undefined && available !== undefined && limit > 0 && limit <= totalmem();
    const limitBytes = limited ? limit : totalmem();
    const usedBytes = Math.max(0, limitBytes - (limited ? available : freemem()));
    const share = usedBytes / limitBytes;
    const level = share >= CRITICAL ? 'critical' : share >= HIGH ? 'high' : 'none';
    return { source: 'runtime', level, usedBytes, limitBytes };
  } catch {
    // Deno without --allow-sys.
    return { source: 'none', level: 'none', usedBytes: 0, limitBytes: 0 };
  }
}
