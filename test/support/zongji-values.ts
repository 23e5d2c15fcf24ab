import iconv from 'iconv-lite';
import { charsetOf } from '../../canal/value/charset.ts';
import { TYPE } from '../../canal/value/column-type.ts';
import { decodeValue } from '../../canal/value/decode.ts';
import type { ColumnShape } from '../../model/table-shape.ts';

/** Labels of an ENUM or SET, as text. */
export type Labels = readonly string[] | null;

/** True where zongji's value says the same as our bytes. */
export function sameValue(
  column: ColumnShape,
  ours: Buffer | null,
  theirs: unknown,
  labels: Labels,
): boolean {
  if (ours === null) return theirs === null;
  const value = decodeValue(column, ours, 0, ours.length);
  switch (column.type) {
    case TYPE.enum:
      return theirs === labels?.[Number(value) - 1];
    case TYPE.set:
      return (
        theirs ===
        (labels ?? []).filter((_, i) => ((BigInt(String(value)) >> BigInt(i)) & 1n) === 1n).join(',')
      );
    case TYPE.bit:
      return Buffer.isBuffer(theirs) && BigInt(`0x${theirs.toString('hex')}`) === value;
    case TYPE.geometry:
      return Buffer.isBuffer(value) && same(wellKnown(value), theirs);
    case TYPE.json:
      return typeof theirs === 'string' && same(JSON.parse(String(value)), JSON.parse(theirs));
    default:
  }
  if (typeof value === 'bigint')
    return (typeof theirs === 'number' || typeof theirs === 'string') && BigInt(theirs) === value;
  if (typeof value === 'number') return Object.is(value, theirs);
  if (typeof value === 'string') return value === theirs;
  if (!Buffer.isBuffer(value)) return false;
  return Buffer.isBuffer(theirs) ? value.equals(theirs) : textIn(column, value) === theirs;
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** What iconv-lite calls MySQL's character sets, where it calls them otherwise. */
const ENCODINGS: Readonly<Record<string, string>> = {
  latin1: 'cp1252',
  utf8mb3: 'utf8',
  utf8mb4: 'utf8',
  ucs2: 'utf16-be',
  utf16: 'utf16-be',
  utf16le: 'utf16-le',
  utf32: 'utf32-be',
  ujis: 'eucjp',
};

function textIn(column: ColumnShape, bytes: Buffer): string {
  const charset = charsetOf(column.collation) ?? 'utf8mb4';
  return iconv.decode(bytes, ENCODINGS[charset] ?? charset, { stripBOM: false });
}

interface Point {
  readonly x: number;
  readonly y: number;
}
type Shape = Point | readonly Shape[];

/** The coordinates in a geometry's bytes (SRID, then WKB), nested as zongji nests them. */
function wellKnown(bytes: Buffer): Shape {
  let at = 4;
  const count = () => {
    at += 4;
    return bytes.readUInt32LE(at - 4);
  };
  const point = (): Point => {
    at += 16;
    return { x: bytes.readDoubleLE(at - 16), y: bytes.readDoubleLE(at - 8) };
  };
  const many = (item: () => Shape): Shape => Array.from({ length: count() }, item);
  const shape = (): Shape => {
    at += 1;
    const type = count();
    if (type === 1) return point();
    if (type === 2) return many(point);
    if (type === 3) return many(() => many(point));
    return many(shape);
  };
  return shape();
}
