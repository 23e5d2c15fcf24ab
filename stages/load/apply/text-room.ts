/**
 * Trailing spaces beyond the length of a VARCHAR or TEXT, which a target would take away without a word. Everything else that does not fit, a server in strict mode refuses by itself.
 * (https://dev.mysql.com/doc/refman/8.4/en/char.html)
 */
import { charsetOf } from '../../../canal/value/charset.ts';
import { HoltError } from '../../../lib/errors.ts';
import type { ColumnShape } from '../../../model/table-shape.ts';
import type { TargetColumn } from './target-table.ts';

/** MariaDB's compressed columns: the log has their packed bytes, which say nothing of spaces. */
const COMPRESSED: readonly number[] = [140, 141];
const SPACE = 0x20;

const BYTES_OF_TEXT: Readonly<Record<string, number>> = {
  tinytext: 255,
  text: 65_535,
  mediumtext: 16_777_215,
  longtext: 4_294_967_295,
};

export interface TextRoom {
  readonly most: number;
  readonly unit: 'characters' | 'bytes';
}

/** Null where the target takes no space away from any value of the source. */
export function textRoomOf(source: ColumnShape, target: TargetColumn): TextRoom | null {
  if (COMPRESSED.includes(source.type)) return null;
  const bytes = BYTES_OF_TEXT[target.dataType];
  if (bytes !== undefined) return { most: bytes, unit: 'bytes' };
  const [, length] = /^varchar\((\d+)\)/.exec(target.columnType) ?? [];
  if (length === undefined) return null;
  return { most: Number(length), unit: 'characters' };
}

/** @throws HOLT_TARGET_VALUE_REFUSED where the target would take spaces away from the value */
export function checkTextRoom(
  room: TextRoom,
  source: ColumnShape,
  target: TargetColumn,
  payload: Buffer,
  offset: number,
  length: number,
): void {
  // A character has a byte at least.
  if (length <= room.most) return;
  const value = payload.subarray(offset, offset + length);
  const charset = charsetOf(source.collation) ?? 'utf8mb4';
  const width = /^(?:ucs2|utf16)/.test(charset) ? 2 : charset === 'utf32' ? 4 : 1;
  if (!endsWithSpace(value, width, charset)) return;
  const used = room.unit === 'bytes' ? length : charactersIn(value, charset);
  if (used <= room.most) return;
  throw new HoltError(
    'HOLT_TARGET_VALUE_REFUSED',
    `${target.name} at the target (${target.columnType}) would take trailing spaces away from a value of the source`,
    {
      disposition: 'retry',
      remedy: `Make ${target.name} at the target as wide as at the source; Holt tries again by itself.`,
      facts: { column: target.name, type: target.columnType },
    },
  );
}

function endsWithSpace(value: Buffer, width: number, charset: string): boolean {
  if (width === 1) return value[value.length - 1] === SPACE;
  const low = charset === 'utf16le' ? value.length - width : value.length - 1;
  return (
    value.length >= width &&
    value.subarray(-width).every((byte, i) => byte === (value.length - width + i === low ? SPACE : 0))
  );
}

/** Names under which the runtime knows sets whose characters are of one byte or two. */
const DECODERS: Readonly<Record<string, string>> = {
  gbk: 'gbk',
  gb2312: 'gbk',
  gb18030: 'gb18030',
  big5: 'big5',
  sjis: 'shift_jis',
  cp932: 'shift_jis',
  ujis: 'euc-jp',
  eucjpms: 'euc-jp',
  euckr: 'euc-kr',
  utf8mb3: 'utf-8',
  utf8mb4: 'utf-8',
  utf16: 'utf-16be',
  utf16le: 'utf-16le',
};

function charactersIn(value: Buffer, charset: string): number {
  if (charset === 'ucs2') return value.length >> 1;
  if (charset === 'utf32') return value.length >> 2;
  const decoder = DECODERS[charset];
  if (decoder === undefined) return value.length;
  let characters = 0;
  for (const _ of new TextDecoder(decoder).decode(value)) characters += 1;
  return characters;
}
