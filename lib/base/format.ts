const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** `'1.5 MiB'`: three digits, of which zeros behind the point are left out. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number(value.toPrecision(3))} ${UNITS[unit]}`;
}

/** `'12.3 %'`. Never rounded to all or nothing: 0 and 1 are exact. */
export function formatShare(share: number): string {
  const percent = share * 100;
  if (percent > 0 && percent < 0.1) return 'below 0.1 %';
  if (percent < 100 && percent > 99.9) return 'above 99.9 %';
  return `${Number(percent.toFixed(1))} %`;
}

/** `'1,234,567'`; below 100 with up to two digits behind the point. */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US', { maximumFractionDigits: count < 100 ? 2 : 0 });
}

/** `'2 h 5 min'`, `'3 min 20 s'`, `'1.25 s'`, `'40 ms'`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Number(ms.toPrecision(3))} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${Number(seconds.toPrecision(3))} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${formatCount(Math.floor(minutes / 60))} h ${minutes % 60} min`;
}
