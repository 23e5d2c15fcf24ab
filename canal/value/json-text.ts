/**
 * JSON documents as text, as MySQL itself prints them: ", " and ": " between, keys in stored order, DECIMAL digits as
 * they are, temporal values and other opaque ones as strings. Byte for byte what CAST(column AS CHAR) gives.
 */
import type { ByteSink } from '../../lib/byte-sink.ts';
import { HoltError } from '../../lib/errors.ts';
import { TYPE } from './column-type.ts';
import { decimalBytes, MAX_DECIMAL_TEXT, putDecimal } from './decimal.ts';
import { putInt32, putInt64, putPadded, putUint32, putUint64 } from './digits.ts';
import { jsonDoubleText } from './float.ts';
import { JSON_TYPE, type JsonReader, type JsonValue, MAX_JSON_DEPTH } from './json-binary.ts';

const QUOTE = 34;
const BACKSLASH = 92;
const LITERALS = ['null', 'true', 'false'] as const;
/** The character after the backslash for control characters that have a short form. */
const SHORT_ESCAPES: Readonly<Record<number, number>> = { 8: 98, 9: 116, 10: 110, 12: 102, 13: 114 };
const BASE64_LINE = 76;

export function writeJsonText(sink: ByteSink, reader: JsonReader, value: JsonValue, depth = 0): void {
  if (depth > MAX_JSON_DEPTH)
    throw new HoltError('HOLT_VALUE_INVALID', `a JSON document is deeper than ${MAX_JSON_DEPTH}`);
  switch (value.type) {
    case JSON_TYPE.smallObject:
    case JSON_TYPE.largeObject: {
      let separator = '{';
      for (const { keyStart, keyEnd, value: member } of reader.members(value)) {
        sink.latin1(separator);
        separator = ', ';
        writeJsonString(sink, reader.buf, keyStart, keyEnd);
        sink.latin1(': ');
        writeJsonText(sink, reader, member, depth + 1);
      }
      sink.latin1(separator === '{' ? '{}' : '}');
      return;
    }
    case JSON_TYPE.smallArray:
    case JSON_TYPE.largeArray: {
      let separator = '[';
      for (const { value: member } of reader.members(value)) {
        sink.latin1(separator);
        separator = ', ';
        writeJsonText(sink, reader, member, depth + 1);
      }
      sink.latin1(separator === '[' ? '[]' : ']');
      return;
    }
    default:
      writeJsonScalar(sink, reader, value);
  }
}

function writeJsonScalar(sink: ByteSink, reader: JsonReader, value: JsonValue): void {
  switch (value.type) {
    case JSON_TYPE.literal: {
      const text = LITERALS[reader.literal(value)];
      if (text === undefined) throw new HoltError('HOLT_VALUE_INVALID', 'a JSON literal that is none');
      sink.latin1(text);
      return;
    }
    case JSON_TYPE.int16:
    case JSON_TYPE.int32: {
      const out = sink.reserve(11);
      sink.advance(putInt32(out, sink.length, reader.int32(value)) - sink.length);
      return;
    }
    case JSON_TYPE.uint16:
    case JSON_TYPE.uint32: {
      const out = sink.reserve(11);
      sink.advance(putUint32(out, sink.length, reader.int32(value)) - sink.length);
      return;
    }
    case JSON_TYPE.int64:
    case JSON_TYPE.uint64: {
      const low = reader.buf.readUInt32LE(value.start);
      const high = reader.buf.readUInt32LE(value.start + 4);
      const out = sink.reserve(21);
      const put = value.type === JSON_TYPE.int64 ? putInt64 : putUint64;
      sink.advance(put(out, sink.length, high, low) - sink.length);
      return;
    }
    case JSON_TYPE.double:
      sink.latin1(jsonDoubleText(reader.double(value)));
      return;
    case JSON_TYPE.string: {
      const { start, end } = reader.string(value);
      writeJsonString(sink, reader.buf, start, end);
      return;
    }
    default: {
      const { columnType, start, end } = reader.opaque(value);
      writeOpaque(sink, reader.buf, columnType, start, end);
    }
  }
}

/** A JSON string of the bytes given, which are utf8mb4 already. */
export function writeJsonString(sink: ByteSink, buf: Buffer, start: number, end: number): void {
  sink.byte(QUOTE);
  let run = start;
  for (let i = start; i < end; i++) {
    const byte = buf[i] as number;
    if (byte >= 32 && byte !== QUOTE && byte !== BACKSLASH) continue;
    if (run < i) sink.copy(buf, run, i);
    run = i + 1;
    sink.byte(BACKSLASH);
    const short = SHORT_ESCAPES[byte];
    if (byte >= 32) sink.byte(byte);
    else if (short !== undefined) sink.byte(short);
    else sink.latin1(`u${byte.toString(16).padStart(4, '0')}`);
  }
  if (run < end) sink.copy(buf, run, end);
  sink.byte(QUOTE);
}

function writeOpaque(sink: ByteSink, buf: Buffer, columnType: number, start: number, end: number): void {
  switch (columnType) {
    case TYPE.newDecimal:
      writeOpaqueDecimal(sink, buf, start, end);
      return;
    case TYPE.date:
    case TYPE.newDate:
    case TYPE.time:
    case TYPE.datetime:
    case TYPE.timestamp:
      sink.byte(QUOTE);
      writeOpaqueTemporal(sink, buf, columnType, start, end);
      sink.byte(QUOTE);
      return;
    default: {
      const base64 = buf.toString('base64', start, end);
      sink.latin1(`"base64:type${columnType}:`);
      // The server's encoder breaks lines, and its printer escapes the breaks.
      for (let i = 0; i < base64.length; i += BASE64_LINE) {
        if (i > 0) sink.latin1('\\n');
        sink.latin1(base64.slice(i, i + BASE64_LINE));
      }
      sink.byte(QUOTE);
    }
  }
}

/** The digits of a DECIMAL inside JSON. */
export function writeOpaqueDecimal(sink: ByteSink, buf: Buffer, start: number, end: number): void {
  const precision = start < end ? (buf[start] as number) : 0;
  const scale = start + 1 < end ? (buf[start + 1] as number) : 0;
  if (start + 2 + opaqueDecimalBytes(precision, scale) !== end)
    throw new HoltError('HOLT_VALUE_INVALID', `a JSON decimal of ${end - start} bytes`);
  const out = sink.reserve(MAX_DECIMAL_TEXT);
  sink.advance(putDecimal(out, sink.length, buf, start + 2, precision, scale) - sink.length);
}

function opaqueDecimalBytes(precision: number, scale: number): number {
  if (precision < 1 || precision > 65 || scale > 38 || scale > precision)
    throw new HoltError(
      'HOLT_VALUE_INVALID',
      `a JSON decimal of ${precision} digits, ${scale} after the point`,
    );
  return decimalBytes(precision, scale);
}

/** Date and time inside JSON: always six digits of fraction, none with a date alone. No quotes. */
export function writeOpaqueTemporal(
  sink: ByteSink,
  buf: Buffer,
  columnType: number,
  start: number,
  end: number,
): void {
  if (end - start !== 8) throw new HoltError('HOLT_VALUE_INVALID', `a JSON date of ${end - start} bytes`);
  const out = sink.reserve(32);
  let to = sink.length;
  let packed = buf.readBigInt64LE(start);
  if (packed < 0n) {
    packed = -packed;
    if (columnType === TYPE.time) out[to++] = 45;
  }
  const fraction = Number(packed & 0xff_ffffn) % 1_000_000;
  // A TIME has ten bits of hours, up to 838; beside a date there are five.
  const clock = Number((packed >> 24n) & (columnType === TYPE.time ? 0x3f_ffffn : 0x1_ffffn));
  if (columnType !== TYPE.time) {
    const date = Number((packed >> 41n) & 0x3f_ffffn);
    const yearMonth = date >> 5;
    const year = Math.floor(yearMonth / 13);
    to = putPadded(out, to, year, 4);
    out[to++] = 45;
    to = putPadded(out, to, yearMonth - year * 13, 2);
    out[to++] = 45;
    to = putPadded(out, to, date & 31, 2);
    if (columnType === TYPE.date || columnType === TYPE.newDate) {
      sink.advance(to - sink.length);
      return;
    }
    out[to++] = 32;
  }
  const hour = clock >> 12;
  to = hour < 100 ? putPadded(out, to, hour, 2) : putUint32(out, to, hour);
  out[to++] = 58;
  to = putPadded(out, to, (clock >> 6) & 63, 2);
  out[to++] = 58;
  to = putPadded(out, to, clock & 63, 2);
  out[to++] = 46;
  to = putPadded(out, to, fraction, 6);
  sink.advance(to - sink.length);
}
