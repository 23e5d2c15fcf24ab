/** Figures with their units, in digits of one width. */

import { formatBytes, formatMeasured, formatMs, formatRate } from '../../model/figures.ts';
import type { Measured } from '../../model/lag.ts';

/** `1.2 s ±4 ms`: the figure, and smaller what it may be wrong by. */
export function Lag({ lag, unknown = '?' }: { readonly lag: Measured | null; readonly unknown?: string }) {
  const text = formatMeasured(lag, unknown);
  const at = text.indexOf(' ±');
  const figure = at === -1 ? text : text.slice(0, at);
  return (
    <span class="figure" title={lag === null ? 'Nobody can say at present.' : undefined}>
      {figure}
      {at !== -1 && <span class="error">{text.slice(at)}</span>}
    </span>
  );
}

export function lagOf(ms: number | null, errorMs: number | null): Measured | null {
  return ms === null ? null : { ms, errorMs };
}

export function Duration({ ms, unknown = '–' }: { readonly ms: number | null; readonly unknown?: string }) {
  return <span class="figure">{ms === null ? unknown : formatMs(ms)}</span>;
}

export function Rate({ perSecond, unit = 'rows/s' }: { readonly perSecond: number; readonly unit?: string }) {
  return (
    <span class="figure">
      {formatRate(perSecond)}
      <span class="unit"> {unit}</span>
    </span>
  );
}

export function Bytes({ bytes }: { readonly bytes: number | null }) {
  return <span class="figure">{bytes === null ? '–' : formatBytes(bytes)}</span>;
}

export function Count({ value }: { readonly value: number }) {
  return <span class="figure">{value.toLocaleString('en-US')}</span>;
}
