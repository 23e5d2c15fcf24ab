/**
 * Dates and times as the servers store them in rows, written as the text that the servers print.
 *
 * - DATE, 3 bytes little-endian: day 5 bits, month 4, year 15.
 * - TIME2, DATETIME2, TIMESTAMP2 (MySQL 5.6, MariaDB 10.1): big-endian, with (fsp + 1) / 2 bytes of fraction.
 *   DATETIME2 is 5 bytes less 2^39: (year × 13 + month) 17 bits, day 5, hour 5, minute 6, second 6. TIME2 is 3 bytes less
 *   2^23: hour 10 bits, minute 6, second 6; a negative one is the two's complement of integer and fraction together.
 * - TIME, DATETIME, TIMESTAMP of before, little-endian: the numbers HHMMSS, YYYYMMDDHHMMSS, and seconds since 1970.
 * - MariaDB with mysql56_temporal_format=OFF and a fraction, big-endian and packed; TABLE_MAP does not tell it from the form
 *   without fraction, the declared type does.
 *
 * Sources: https://dev.mysql.com/doc/dev/mysql-server/latest/my__time_8h.html (my_datetime_packed_to_binary and others);
 * https://dev.mysql.com/doc/refman/8.4/en/date-and-time-type-syntax.html; for the last form
 * https://mariadb.com/kb/en/microseconds-in-mariadb/.
 */
import type { ColumnShape } from '../../model/table-shape.ts';
import { TYPE } from './column-type.ts';
import { putPadded, putUint32 } from './digits.ts';

const DASH = 45;
const COLON = 58;
const SPACE = 32;
const POINT = 46;
const POWERS = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000] as const;

/** The most characters any function here writes. */
export const MAX_TEMPORAL_TEXT = 40;

// ---- MariaDB's packed forms

const PACKED_BYTES: Readonly<Record<number, readonly number[]>> = {
  [TYPE.time]: [3, 4, 4, 5, 5, 5, 6],
  [TYPE.datetime]: [8, 6, 6, 7, 7, 7, 8],
  [TYPE.timestamp]: [4, 5, 5, 6, 6, 7, 7],
};

/** Digits of fraction of a column of the old types: more than 0 only on MariaDB, and known only by the declared type. */
export function oldTemporalDigits(column: ColumnShape): number {
  const digits = /^(?:time|datetime|timestamp)\s*\(([1-6])\)/.exec(column.declared ?? '')?.[1];
  return digits === undefined ? 0 : Number(digits);
}

/** Size of a value of the old types TIME, DATETIME and TIMESTAMP. */
export function oldTemporalBytes(column: ColumnShape): number {
  return PACKED_BYTES[column.type]?.[oldTemporalDigits(column)] ?? 0;
}

// ---- parts of texts

function putDateParts(out: Uint8Array, at: number, year: number, month: number, day: number): number {
  let to = putPadded(out, at, year, 4);
  out[to++] = DASH;
  to = putPadded(out, to, month, 2);
  out[to++] = DASH;
  return putPadded(out, to, day, 2);
}

function putClock(out: Uint8Array, at: number, hour: number, minute: number, second: number): number {
  let to = hour < 100 ? putPadded(out, at, hour, 2) : putUint32(out, at, hour);
  out[to++] = COLON;
  to = putPadded(out, to, minute, 2);
  out[to++] = COLON;
  return putPadded(out, to, second, 2);
}

/** `fraction` in units of 10^-digits seconds. */
function putFraction(out: Uint8Array, at: number, fraction: number, digits: number): number {
  if (digits === 0) return at;
  out[at] = POINT;
  return putPadded(out, at + 1, fraction % (POWERS[digits] as number), digits);
}

/** Seconds since 1970 as a UTC date and clock; 0 is the zero date, which TIMESTAMP stores so. */
function putTimestampSeconds(out: Uint8Array, at: number, seconds: number): number {
  if (seconds === 0) {
    const to = putDateParts(out, at, 0, 0, 0);
    out[to] = SPACE;
    return putClock(out, to + 1, 0, 0, 0);
  }
  // Civil date from days: years counted from March, in eras of 400 years (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
  const days = Math.floor(seconds / 86_400);
  const clock = seconds - days * 86_400;
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1_460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1;
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const to = putDateParts(out, at, year, month, day);
  out[to] = SPACE;
  return putClock(out, to + 1, Math.floor(clock / 3600), Math.floor((clock % 3600) / 60), clock % 60);
}

// ---- the forms

export function putDate(out: Uint8Array, at: number, buf: Buffer, offset: number): number {
  const packed =
    (buf[offset] as number) | ((buf[offset + 1] as number) << 8) | ((buf[offset + 2] as number) << 16);
  return putDateParts(out, at, packed >>> 9, (packed >> 5) & 15, packed & 31);
}

export function putYear(out: Uint8Array, at: number, buf: Buffer, offset: number): number {
  const year = buf[offset] as number;
  return putPadded(out, at, year === 0 ? 0 : 1900 + year, 4);
}

/** Fraction bytes as a number of 10^-digits seconds: one byte holds two digits, two four, three six. */
function readFraction(buf: Buffer, offset: number, digits: number): number {
  if (digits === 0) return 0;
  const bytes = (digits + 1) >> 1;
  let value = 0;
  for (let i = 0; i < bytes; i++) value = value * 256 + (buf[offset + i] as number);
  return digits % 2 === 0 ? value : Math.floor(value / 10);
}

export function putDatetime2(
  out: Uint8Array,
  at: number,
  buf: Buffer,
  offset: number,
  digits: number,
): number {
  // Five bytes less 2^39: the first byte less 0x80, and the value below 2^39 again.
  const upper = (((buf[offset] as number) & 0x7f) << 16) | ((buf[offset + 1] as number) << 8);
  const high = upper | (buf[offset + 2] as number);
  const low = ((buf[offset + 3] as number) << 8) | (buf[offset + 4] as number);
  // 17 bits of clock are the low 16 and the lowest bit of `high`.
  const clock = ((high & 1) << 16) | low;
  const date = high >> 1;
  const yearMonth = date >> 5;
  const year = Math.floor(yearMonth / 13);
  let to = putDateParts(out, at, year, yearMonth - year * 13, date & 31);
  out[to] = SPACE;
  to = putClock(out, to + 1, clock >> 12, (clock >> 6) & 63, clock & 63);
  return putFraction(out, to, readFraction(buf, offset + 5, digits), digits);
}

export function putTimestamp2(
  out: Uint8Array,
  at: number,
  buf: Buffer,
  offset: number,
  digits: number,
): number {
  const to = putTimestampSeconds(out, at, buf.readUInt32BE(offset));
  return putFraction(out, to, readFraction(buf, offset + 4, digits), digits);
}

export function putTime2(out: Uint8Array, at: number, buf: Buffer, offset: number, digits: number): number {
  const bytes = (digits + 1) >> 1;
  const scale = 256 ** bytes;
  let packed = 0;
  for (let i = 0; i < 3 + bytes; i++) packed = packed * 256 + (buf[offset + i] as number);
  packed -= 0x80_0000 * scale;
  let to = at;
  if (packed < 0) {
    out[to++] = DASH;
    packed = -packed;
  }
  const clock = Math.floor(packed / scale);
  const fraction = packed - clock * scale;
  to = putClock(out, to, clock >> 12, (clock >> 6) & 63, clock & 63);
  return putFraction(out, to, digits % 2 === 0 ? fraction : Math.floor(fraction / 10), digits);
}

/** TIME, DATETIME and TIMESTAMP of before MySQL 5.6, and MariaDB's with a fraction. */
export function putOldTemporal(
  out: Uint8Array,
  at: number,
  buf: Buffer,
  offset: number,
  column: ColumnShape,
): number {
  const digits = oldTemporalDigits(column);
  if (digits > 0) return putPackedTemporal(out, at, buf, offset, column.type, digits);
  switch (column.type) {
    case TYPE.timestamp:
      return putTimestampSeconds(out, at, buf.readUInt32LE(offset));
    case TYPE.time: {
      const value = buf.readIntLE(offset, 3);
      let to = at;
      if (value < 0) out[to++] = DASH;
      const clock = Math.abs(value);
      to = putClock(out, to, Math.floor(clock / 10_000), Math.floor(clock / 100) % 100, clock % 100);
      return to;
    }
    default: {
      const value = buf.readUInt32LE(offset) + (buf.readUInt32LE(offset + 4) & 0x1f_ffff) * 0x1_0000_0000;
      const date = Math.floor(value / 1_000_000);
      const clock = value - date * 1_000_000;
      const to = putDateParts(
        out,
        at,
        Math.floor(date / 10_000) % 10_000,
        Math.floor(date / 100) % 100,
        date % 100,
      );
      out[to] = SPACE;
      return putClock(out, to + 1, Math.floor(clock / 10_000), Math.floor(clock / 100) % 100, clock % 100);
    }
  }
}

function putPackedTemporal(
  out: Uint8Array,
  at: number,
  buf: Buffer,
  offset: number,
  type: number,
  digits: number,
): number {
  const unit = BigInt(POWERS[digits] as number);
  const bytes = PACKED_BYTES[type]?.[digits] ?? 0;
  if (type === TYPE.timestamp) {
    let fraction = 0;
    for (let i = 4; i < bytes; i++) fraction = fraction * 256 + (buf[offset + i] as number);
    return putFraction(out, putTimestampSeconds(out, at, buf.readUInt32BE(offset)), fraction, digits);
  }
  let packed = 0n;
  for (let i = 0; i < bytes; i++) packed = packed * 256n + BigInt(buf[offset + i] as number);
  let to = at;
  if (type === TYPE.time) {
    // Stored above a zero point of 839 hours less a second, in units of the precision.
    packed -= TIME_ZERO_POINT_SECONDS * unit;
    if (packed < 0n) {
      out[to++] = DASH;
      packed = -packed;
    }
    const seconds = Number(packed / unit);
    to = putClock(out, to, Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), seconds % 60);
    return putFraction(out, to, Number(packed % unit), digits);
  }
  const seconds = Number(packed / unit);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  const months = Math.floor(days / 32);
  to = putDateParts(out, to, Math.floor(months / 13), months % 13, days % 32);
  out[to] = SPACE;
  to = putClock(out, to + 1, hours % 24, minutes % 60, seconds % 60);
  return putFraction(out, to, Number(packed % unit), digits);
}

const TIME_ZERO_POINT_SECONDS = 838n * 3600n + 59n * 60n + 59n + 1n;
