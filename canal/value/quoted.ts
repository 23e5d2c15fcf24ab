/**
 * Bytes as a quoted SQL literal, for a session with `SET NAMES binary` and an sql_mode without NO_BACKSLASH_ESCAPES and
 * ANSI_QUOTES: only the quote and the backslash get a backslash before them; a zero byte stands as it is.
 */
import type { ByteSink } from '../../lib/byte-sink.ts';

const QUOTE = 39;
const BACKSLASH = 92;
/** From this size on bytes are searched and copied by the platform, below by a loop. */
const LONG_BYTES = 1024;

/** Quoted bytes, with `padding` zero bytes at the end. */
export function writeQuoted(sink: ByteSink, buf: Buffer, off: number, len: number, padding = 0): void {
  if (len >= LONG_BYTES) {
    writeLongQuoted(sink, buf, off, len, padding);
    return;
  }
  const out = sink.reserve(2 * len + padding + 2);
  const start = sink.length;
  const end = off + len;
  let to = start;
  out[to++] = QUOTE;
  for (let i = off; i < end; i++) {
    const byte = buf[i] as number;
    if (byte === QUOTE || byte === BACKSLASH) out[to++] = BACKSLASH;
    out[to++] = byte;
  }
  for (let i = 0; i < padding; i++) out[to++] = 0;
  out[to++] = QUOTE;
  sink.advance(to - start);
}

function writeLongQuoted(sink: ByteSink, buf: Buffer, off: number, len: number, padding: number): void {
  const value = buf.subarray(off, off + len);
  sink.reserve(len + padding + 2);
  sink.byte(QUOTE);
  let run = 0;
  let quote = value.indexOf(QUOTE);
  let backslash = value.indexOf(BACKSLASH);
  while (quote !== -1 || backslash !== -1) {
    const at = quote === -1 || (backslash !== -1 && backslash < quote) ? backslash : quote;
    sink.copy(value, run, at);
    sink.byte(BACKSLASH);
    run = at;
    if (at === quote) quote = value.indexOf(QUOTE, at + 1);
    else backslash = value.indexOf(BACKSLASH, at + 1);
  }
  sink.copy(value, run, len);
  for (let i = 0; i < padding; i++) sink.byte(0);
  sink.byte(QUOTE);
}

/** Quotes what `write` writes. */
export function quoteWritten(sink: ByteSink, write: (text: ByteSink) => void): void {
  const start = sink.length;
  write(sink);
  const text = Buffer.from(sink.view().subarray(start));
  sink.truncate(start);
  writeQuoted(sink, text, 0, text.length);
}
