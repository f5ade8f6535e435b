/** How short memory is: of the limit `none` below 70 %, `high` from there, `critical` from 90 % on. */
export type PressureLevel = 'none' | 'high' | 'critical';

/** The last verdict on the memory of the system, or of the container. */
export interface Pressure {
  /** Where the figures are from; `'none'` before the first look. */
  readonly source: 'cgroup-v2' | 'cgroup-v1' | 'system' | 'runtime' | 'none';
  readonly level: PressureLevel;
  /** In use, without what the kernel can drop at once. */
  readonly usedBytes: number;
  readonly limitBytes: number;
}
