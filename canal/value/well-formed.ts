/**
 * Whether bytes are text of a character set, by the structure of their characters.
 *
 * Servers keep bytes that are none (the log of a source may hold them: row events are not looked at, and older servers and
 * sql_modes let much through), but refuse them in a statement. What is asked here is what no server refuses: where the
 * servers differ, as over lone surrogates, the answer is no. An assigned code point is not asked for.
 *
 * Sources: the lead and trail bytes of each set as in https://www.unicode.org/Public/MAPPINGS/ and RFC 3629, 2781, 1345;
 * held against the servers by test.
 */

/** First and last byte, both included. */
type Range = readonly [first: number, last: number];

interface DoubleByte {
  readonly lead: readonly Range[];
  readonly trail: readonly Range[];
  /** Single bytes beyond ASCII. */
  readonly single: readonly Range[];
}

const DOUBLE_BYTE: Readonly<Record<string, DoubleByte>> = {
  sjis: shiftJis(),
  cp932: shiftJis(),
  gbk: {
    lead: [[0x81, 0xfe]],
    trail: [
      [0x40, 0x7e],
      [0x80, 0xfe],
    ],
    single: [],
  },
  gb2312: { lead: [[0xa1, 0xf7]], trail: [[0xa1, 0xfe]], single: [] },
  big5: {
    lead: [[0xa1, 0xf9]],
    trail: [
      [0x40, 0x7e],
      [0xa1, 0xfe],
    ],
    single: [],
  },
  euckr: {
    lead: [[0x81, 0xfe]],
    trail: [
      [0x41, 0x5a],
      [0x61, 0x7a],
      [0x81, 0xfe],
    ],
    single: [],
  },
};

function shiftJis(): DoubleByte {
  return {
    lead: [
      [0x81, 0x9f],
      [0xe0, 0xfc],
    ],
    trail: [
      [0x40, 0x7e],
      [0x80, 0xfc],
    ],
    single: [[0xa1, 0xdf]],
  };
}

/** Bytes of the smallest character: where it is more than one, servers fill up what is short of it instead of refusing it. */
export function characterWidth(charset: string): 1 | 2 | 4 {
  switch (charset) {
    case 'ucs2':
    case 'utf16':
    case 'utf16le':
      return 2;
    case 'utf32':
      return 4;
    default:
      return 1;
  }
}

/** True where every server takes the `len` bytes at `off` as text of the set. Sets of single bytes have no others. */
export function isWellFormed(charset: string, buf: Buffer, off: number, len: number): boolean {
  const end = off + len;
  switch (charset) {
    case 'utf8mb3':
      return isUtf8(buf, off, end, 3);
    case 'utf8mb4':
      return isUtf8(buf, off, end, 4);
    case 'ascii':
      for (let at = off; at < end; at++) if ((buf[at] as number) > 0x7f) return false;
      return true;
    case 'ucs2':
    case 'utf16':
    case 'utf16le':
      return len % 2 === 0 && isUtf16(buf, off, end, charset);
    case 'utf32':
      return len % 4 === 0 && isUtf32(buf, off, end);
    case 'ujis':
    case 'eucjpms':
      return isEucJapanese(buf, off, end);
    case 'gb18030':
      return isGb18030(buf, off, end);
    default: {
      const form = DOUBLE_BYTE[charset];
      return form === undefined || isDoubleByte(form, buf, off, end);
    }
  }
}

function within(ranges: readonly Range[], byte: number | undefined): boolean {
  return byte !== undefined && ranges.some(([first, last]) => byte >= first && byte <= last);
}

function isDoubleByte(form: DoubleByte, buf: Buffer, off: number, end: number): boolean {
  for (let at = off; at < end; at++) {
    const byte = buf[at] as number;
    if (byte < 0x80 || within(form.single, byte)) continue;
    at += 1;
    if (!within(form.lead, byte) || at >= end || !within(form.trail, buf[at])) return false;
  }
  return true;
}

function isUtf8(buf: Buffer, off: number, end: number, mostBytes: 3 | 4): boolean {
  for (let at = off; at < end; ) {
    const first = buf[at] as number;
    const bytes =
      first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (bytes === 0 || bytes > mostBytes || at + bytes > end) return false;
    for (let i = 1; i < bytes; i++) if (((buf[at + i] as number) & 0xc0) !== 0x80) return false;
    const second = buf[at + 1] as number;
    // Overlong forms, surrogates, and what is beyond the last code point.
    if (first === 0xe0 && second < 0xa0) return false;
    if (first === 0xed && second > 0x9f) return false;
    if (first === 0xf0 && second < 0x90) return false;
    if (first === 0xf4 && second > 0x8f) return false;
    at += bytes;
  }
  return true;
}

function isUtf16(buf: Buffer, off: number, end: number, charset: string): boolean {
  const unit = (at: number) => (charset === 'utf16le' ? buf.readUInt16LE(at) : buf.readUInt16BE(at));
  for (let at = off; at < end; at += 2) {
    const high = unit(at);
    if (high < 0xd800 || high > 0xdfff) continue;
    at += 2;
    if (charset === 'ucs2' || high > 0xdbff || at >= end) return false;
    const low = unit(at);
    if (low < 0xdc00 || low > 0xdfff) return false;
  }
  return true;
}

function isUtf32(buf: Buffer, off: number, end: number): boolean {
  for (let at = off; at < end; at += 4) {
    const point = buf.readUInt32BE(at);
    if (point > 0x10_ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
  }
  return true;
}

function isEucJapanese(buf: Buffer, off: number, end: number): boolean {
  const byte = (at: number) => (at < end ? (buf[at] as number) : 0);
  const isDouble = (at: number) => byte(at) >= 0xa1 && byte(at) <= 0xfe;
  for (let at = off; at < end; at++) {
    const first = byte(at);
    if (first < 0x80) continue;
    if (first === 0x8e) {
      at += 1;
      if (byte(at) < 0xa1 || byte(at) > 0xdf) return false;
    } else if (first === 0x8f) {
      at += 2;
      if (!isDouble(at - 1) || !isDouble(at)) return false;
    } else {
      at += 1;
      if (!isDouble(at - 1) || !isDouble(at)) return false;
    }
  }
  return true;
}

function isGb18030(buf: Buffer, off: number, end: number): boolean {
  const byte = (at: number) => (at < end ? (buf[at] as number) : 0);
  for (let at = off; at < end; at++) {
    const first = byte(at);
    if (first < 0x80) continue;
    if (first === 0x80 || first === 0xff) return false;
    at += 1;
    const second = byte(at);
    if ((second >= 0x40 && second <= 0x7e) || (second >= 0x80 && second <= 0xfe)) continue;
    if (second < 0x30 || second > 0x39) return false;
    at += 2;
    if (byte(at - 1) < 0x81 || byte(at - 1) > 0xfe || byte(at) < 0x30 || byte(at) > 0x39) return false;
  }
  return true;
}
