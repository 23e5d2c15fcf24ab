/**
 * A statement's bytes as characters that know where they stand.
 *
 * A byte within a character of gbk, sjis or big5 can look like a quote or a backslash: only characters are looked at. As in
 * the server, bytes that form no character of the set stand each for themselves; here as U+FFFD, which nobody takes for a known name.
 */
import { charsetOf } from '../../canal/value/charset.ts';

export interface SqlChars {
  readonly text: string;
  /** Byte at which the UTF-16 unit begins; one more entry than units. Null where both count alike. */
  readonly offsets: Int32Array | null;
}

/** Length in bytes of the character at `at`, 1 for what is none. */
type CharLength = (sql: Buffer, at: number) => number;

interface Encoding {
  /** Name for TextDecoder; null where it has none: nothing beyond ASCII can be read. */
  readonly decoder: string | null;
  readonly length: CharLength;
}

const within = (byte: number | undefined, ...ranges: readonly number[]): boolean => {
  if (byte === undefined) return false;
  for (let i = 0; i + 1 < ranges.length; i += 2)
    if (byte >= (ranges[i] ?? 0) && byte <= (ranges[i + 1] ?? 0)) return true;
  return false;
};

const single: CharLength = () => 1;
const double =
  (lead: readonly number[], trail: readonly number[]): CharLength =>
  (sql, at) =>
    within(sql[at], ...lead) && within(sql[at + 1], ...trail) ? 2 : 1;

const gbk = double([0x81, 0xfe], [0x40, 0x7e, 0x80, 0xfe]);
const eucTrail = [0xa1, 0xfe] as const;
const sjis = double([0x81, 0x9f, 0xe0, 0xfc], [0x40, 0x7e, 0x80, 0xfc]);

const gb18030: CharLength = (sql, at) =>
  within(sql[at], 0x81, 0xfe) &&
  within(sql[at + 1], 0x30, 0x39) &&
  within(sql[at + 2], 0x81, 0xfe) &&
  within(sql[at + 3], 0x30, 0x39)
    ? 4
    : gbk(sql, at);

const ujis: CharLength = (sql, at) => {
  if (sql[at] === 0x8e) return within(sql[at + 1], 0xa1, 0xdf) ? 2 : 1;
  if (sql[at] === 0x8f) return within(sql[at + 1], ...eucTrail) && within(sql[at + 2], ...eucTrail) ? 3 : 1;
  return within(sql[at], ...eucTrail) && within(sql[at + 1], ...eucTrail) ? 2 : 1;
};

/** Character sets of clients other than UTF-8 (the server takes no UCS-2, UTF-16 or UTF-32 from a client). */
const ENCODINGS: Readonly<Record<string, Encoding>> = {
  latin1: { decoder: 'windows-1252', length: single },
  latin2: { decoder: 'iso-8859-2', length: single },
  latin5: { decoder: 'windows-1254', length: single },
  latin7: { decoder: 'iso-8859-13', length: single },
  greek: { decoder: 'iso-8859-7', length: single },
  hebrew: { decoder: 'iso-8859-8', length: single },
  cp1250: { decoder: 'windows-1250', length: single },
  cp1251: { decoder: 'windows-1251', length: single },
  cp1256: { decoder: 'windows-1256', length: single },
  cp1257: { decoder: 'windows-1257', length: single },
  cp866: { decoder: 'ibm866', length: single },
  koi8r: { decoder: 'koi8-r', length: single },
  koi8u: { decoder: 'koi8-u', length: single },
  macroman: { decoder: 'macintosh', length: single },
  gbk: { decoder: 'gbk', length: gbk },
  gb2312: { decoder: 'gbk', length: double([0xa1, 0xf7], eucTrail) },
  gb18030: { decoder: 'gb18030', length: gb18030 },
  big5: { decoder: 'big5', length: double([0xa1, 0xf9], [0x40, 0x7e, 0xa1, 0xfe]) },
  euckr: { decoder: 'euc-kr', length: double([0x81, 0xfe], [0x41, 0x5a, 0x61, 0x7a, 0x81, 0xfe]) },
  sjis: { decoder: 'shift_jis', length: sjis },
  cp932: { decoder: 'shift_jis', length: sjis },
  ujis: { decoder: 'euc-jp', length: ujis },
  eucjpms: { decoder: 'euc-jp', length: ujis },
};

const UTF8 = new Set(['utf8mb3', 'utf8mb4', 'binary', 'ascii']);
const UNKNOWN: Encoding = { decoder: null, length: single };

export function sqlChars(sql: Buffer, collation: number | null): SqlChars {
  if (isAscii(sql)) return { text: sql.toString('latin1'), offsets: null };
  const charset = collation === null ? 'utf8mb4' : charsetOf(collation);
  if (charset !== null && UTF8.has(charset)) return decode(sql, { decoder: 'utf-8', length: utf8Length });
  return decode(sql, ENCODINGS[charset ?? ''] ?? UNKNOWN);
}

/** Bytes of a name in the encoding of a statement; null where it cannot be said there. */
export function encodeName(name: string, collation: number | null): Buffer | null {
  const bytes = Buffer.from(name, 'utf8');
  if (isAscii(bytes)) return bytes;
  const charset = collation === null ? 'utf8mb4' : charsetOf(collation);
  if (charset === 'utf8mb4' || charset === 'binary') return bytes;
  if (charset === 'utf8mb3') return /[\u{10000}-\u{10ffff}]/u.test(name) ? null : bytes;
  const decoder = ENCODINGS[charset ?? '']?.decoder;
  if (decoder === undefined || decoder === null || ENCODINGS[charset ?? '']?.length !== single) return null;
  const table = new TextDecoder(decoder).decode(Uint8Array.from({ length: 256 }, (_, byte) => byte));
  const codes = [...name].map((char) => table.indexOf(char));
  return codes.includes(-1) ? null : Buffer.from(codes);
}

function decode(sql: Buffer, encoding: Encoding): SqlChars {
  const decoder = encoding.decoder === null ? null : new TextDecoder(encoding.decoder, { ignoreBOM: true });
  const offsets = new Int32Array(sql.length + 1);
  const parts: string[] = [];
  let units = 0;
  let at = 0;
  while (at < sql.length) {
    const byte = sql[at] ?? 0;
    if (byte < 0x80) {
      parts.push(String.fromCharCode(byte));
      offsets[units++] = at++;
      continue;
    }
    const length = encoding.length(sql, at);
    let char = decoder?.decode(sql.subarray(at, at + length)) ?? '\ufffd';
    // No character of any set has more units than bytes.
    if (char.length === 0 || char.length > length) char = '\ufffd';
    parts.push(char);
    for (let unit = 0; unit < char.length; unit++) offsets[units++] = at;
    at += length;
  }
  offsets[units] = sql.length;
  return { text: parts.join(''), offsets: offsets.subarray(0, units + 1) };
}

function isAscii(sql: Buffer): boolean {
  for (const byte of sql) if (byte >= 0x80) return false;
  return true;
}

/** By RFC 3629, without surrogates and overlong forms. */
const utf8Length: CharLength = (sql, at) => {
  const lead = sql[at] ?? 0;
  const next = sql[at + 1];
  if (within(lead, 0xc2, 0xdf)) return within(next, 0x80, 0xbf) ? 2 : 1;
  if (within(lead, 0xe0, 0xef)) {
    const low = lead === 0xe0 ? 0xa0 : 0x80;
    const high = lead === 0xed ? 0x9f : 0xbf;
    return within(next, low, high) && within(sql[at + 2], 0x80, 0xbf) ? 3 : 1;
  }
  if (within(lead, 0xf0, 0xf4)) {
    const low = lead === 0xf0 ? 0x90 : 0x80;
    const high = lead === 0xf4 ? 0x8f : 0xbf;
    return within(next, low, high) && within(sql[at + 2], 0x80, 0xbf) && within(sql[at + 3], 0x80, 0xbf)
      ? 4
      : 1;
  }
  return 1;
};
