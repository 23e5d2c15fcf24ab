/** A moment: how long ago, and exactly when to whoever points at it or listens. */
import { formatMs } from '../../model/figures.ts';
import { useNow } from '../live/resource.ts';

/** `2026-11-21 14:03:22` in the browser's own zone. */
export function clockText(ms: number): string {
  const at = new Date(ms);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${timeText(ms)}`;
}

export function timeText(ms: number): string {
  const at = new Date(ms);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

export function Time({ ms, exact = false }: { readonly ms: number; readonly exact?: boolean }) {
  const now = useNow(exact ? 60_000 : 1_000);
  const ago = Math.max(0, now - ms);
  return (
    <time dateTime={new Date(ms).toISOString()} title={new Date(ms).toISOString()} class="figure">
      {exact
        ? clockText(ms)
        : ago < 1_000
          ? 'now'
          : `${formatMs(ago < 60_000 ? Math.floor(ago / 1000) * 1000 : ago).replace('.0 s', ' s')} ago`}
    </time>
  );
}
