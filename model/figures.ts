/** Figures as people read them: the same words in CLI and console. */
import type { Measured } from './lag.ts';

export function formatMs(ms: number | null): string {
  if (ms === null) return '?';
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
  return `${Math.floor(ms / 3_600_000)} h ${Math.round((ms % 3_600_000) / 60_000)} min`;
}

/** A figure with what it may be wrong by: `1.2 s ±4 ms`; `≈1.2 s` where nobody can say by what. 0 is 0. */
export function formatMeasured(lag: Measured | null, unknown = '?'): string {
  if (lag === null) return unknown;
  if (lag.ms === 0) return '0';
  return lag.errorMs === null
    ? `≈${formatMs(lag.ms)}`
    : `${formatMs(lag.ms)} ±${formatMs(Math.ceil(lag.errorMs))}`;
}

export function formatRate(rowsPerSecond: number): string {
  return rowsPerSecond >= 100
    ? Math.round(rowsPerSecond).toLocaleString('en-US')
    : rowsPerSecond.toFixed(rowsPerSecond === 0 ? 0 : 1);
}

export function formatBytes(bytes: number | null): string {
  if (bytes === null) return '?';
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
