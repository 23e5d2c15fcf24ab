/**
 * A native JSON document as an SQL expression that gives the same document, types included.
 *
 * Text is enough for nearly all documents. It is not for values that JSON's own syntax cannot tell from others: DECIMAL,
 * dates and times, unsigned integers that would fit a signed one, binary strings. Documents that have one are built up by
 * JSON_OBJECT and JSON_ARRAY along the path to it, everything else staying text.
 *
 * Binary strings come back as the type VARBINARY has (15), whatever their column type was: SQL has no way to say it.
 */
import type { ByteSink } from '../../lib/byte-sink.ts';
import { TYPE } from './column-type.ts';
import { JSON_TYPE, type JsonReader, type JsonValue } from './json-binary.ts';
import { writeJsonText, writeOpaqueDecimal, writeOpaqueTemporal } from './json-text.ts';
import { quoteWritten, writeQuoted } from './quoted.ts';

export function writeJsonLiteral(sink: ByteSink, reader: JsonReader, root: JsonValue): void {
  if (!isPeculiar(reader.fork(), root)) {
    writeText(sink, reader, root);
    return;
  }
  const scalar = !isContainer(root);
  if (scalar) sink.latin1('CAST(');
  writeExpression(sink, reader, root);
  if (scalar) sink.latin1(' AS JSON)');
}

/** An expression of type JSON, also for plain documents: for comparisons and for parts of larger documents. */
export function writeJsonExpression(sink: ByteSink, reader: JsonReader, value: JsonValue): void {
  const peculiar = isPeculiar(reader.fork(), value);
  if (peculiar && isContainer(value)) {
    writeExpression(sink, reader, value);
    return;
  }
  sink.latin1('CAST(');
  if (peculiar) writeExpression(sink, reader, value);
  else writeText(sink, reader, value);
  sink.latin1(' AS JSON)');
}

function writeText(sink: ByteSink, reader: JsonReader, value: JsonValue): void {
  sink.latin1('_utf8mb4');
  quoteWritten(sink, (text) => writeJsonText(text, reader, value));
}

function isContainer(value: JsonValue): boolean {
  return value.type <= JSON_TYPE.largeArray;
}

/** True where the document's text would come back as something else. */
function isPeculiar(reader: JsonReader, value: JsonValue): boolean {
  switch (value.type) {
    case JSON_TYPE.opaque:
    case JSON_TYPE.uint16:
    case JSON_TYPE.uint32:
      return true;
    case JSON_TYPE.uint64:
      // Beyond 2^63 - 1 the parser makes an unsigned integer by itself.
      return reader.buf.readUInt32LE(value.start + 4) < 0x8000_0000;
    case JSON_TYPE.smallObject:
    case JSON_TYPE.largeObject:
    case JSON_TYPE.smallArray:
    case JSON_TYPE.largeArray:
      for (const member of reader.members(value)) if (isPeculiar(reader, member.value)) return true;
      return false;
    default:
      return false;
  }
}

/** A container as a function call, a peculiar scalar as the SQL value that JSON functions turn into it. */
function writeExpression(sink: ByteSink, reader: JsonReader, value: JsonValue): void {
  switch (value.type) {
    case JSON_TYPE.smallObject:
    case JSON_TYPE.largeObject: {
      let separator = 'JSON_OBJECT(';
      for (const { keyStart, keyEnd, value: member } of reader.members(value)) {
        sink.latin1(`${separator}_utf8mb4`);
        separator = ',';
        writeQuoted(sink, reader.buf, keyStart, keyEnd - keyStart);
        sink.latin1(',');
        writeMember(sink, reader, member);
      }
      sink.latin1(')');
      return;
    }
    case JSON_TYPE.smallArray:
    case JSON_TYPE.largeArray: {
      let separator = 'JSON_ARRAY(';
      for (const { value: member } of reader.members(value)) {
        sink.latin1(separator);
        separator = ',';
        writeMember(sink, reader, member);
      }
      sink.latin1(')');
      return;
    }
    case JSON_TYPE.opaque:
      writeOpaque(sink, reader, value);
      return;
    default:
      sink.latin1('CAST(');
      writeJsonText(sink, reader, value);
      sink.latin1(' AS UNSIGNED)');
  }
}

function writeMember(sink: ByteSink, reader: JsonReader, value: JsonValue): void {
  if (isPeculiar(reader.fork(), value)) {
    writeExpression(sink, reader, value);
    return;
  }
  sink.latin1('CAST(');
  writeText(sink, reader, value);
  sink.latin1(' AS JSON)');
}

function writeOpaque(sink: ByteSink, reader: JsonReader, value: JsonValue): void {
  const { columnType, start, end } = reader.opaque(value);
  const { buf } = reader;
  switch (columnType) {
    case TYPE.newDecimal:
      sink.latin1('CAST(');
      writeOpaqueDecimal(sink, buf, start, end);
      sink.latin1(` AS DECIMAL(${buf[start]},${buf[start + 1]}))`);
      return;
    case TYPE.date:
    case TYPE.newDate:
    case TYPE.time:
    case TYPE.datetime:
    case TYPE.timestamp:
      sink.latin1("CAST('");
      writeOpaqueTemporal(sink, buf, columnType, start, end);
      sink.latin1(`' AS ${TEMPORAL_CASTS[columnType] ?? 'DATETIME(6)'})`);
      return;
    default:
      sink.latin1('_binary');
      writeQuoted(sink, buf, start, end - start);
  }
}

const TEMPORAL_CASTS: Readonly<Record<number, string>> = {
  [TYPE.date]: 'DATE',
  [TYPE.newDate]: 'DATE',
  [TYPE.time]: 'TIME(6)',
};
