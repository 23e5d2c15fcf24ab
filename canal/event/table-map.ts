/**
 * TABLE_MAP: the columns that the row events of this table id have.
 *
 *     u48 table id (u32 where the post-header has 6 bytes) · u16 flags
 *     · u8 length · schema · NUL · u8 length · table · NUL
 *     · lenenc columns · u8 type per column
 *     · lenenc metadata bytes · metadata per column, its size by type
 *     · bitmap of nullable columns · optional metadata (rest), see `table-metadata.ts`
 *
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/classbinary__log_1_1Table__map__event.html (with the
 * table of metadata per type); MariaDB's types 140 and 141: https://mariadb.com/kb/en/storage-engine-independent-column-compression/.
 */
import { HoltError } from '../../lib/errors.ts';
import { TYPE } from '../value/column-type.ts';
import type { ByteReader } from './byte-reader.ts';
import type { TableMap } from './event.ts';
import { MAX_COLUMNS } from './rows.ts';
import { readTableMetadata } from './table-metadata.ts';

/** Types whose family is hidden in the metadata of STRING. */
const STRING_FAMILY = 0x30;

export function decodeTableMap(
  reader: ByteReader,
  form: { readonly tableIdBytes: 4 | 6; readonly mariadb: boolean; readonly raw: Buffer },
): TableMap {
  const tableId = reader.uint(form.tableIdBytes);
  reader.skip(2);
  const schema = readName(reader);
  const table = readName(reader);
  const columnCount = reader.lenenc();
  if (columnCount > MAX_COLUMNS) reader.fail(`${columnCount} columns`);
  const codes = reader.bytes(columnCount);
  const metaReader = reader.inner(reader.lenenc(), 'TABLE_MAP metadata');
  const types: number[] = [];
  const metas: number[] = [];
  for (const code of codes) readColumnType(metaReader, code, types, metas);
  if (metaReader.remaining > 0) metaReader.fail(`${metaReader.remaining} bytes of metadata left over`);
  const nullable = reader.bytes((columnCount + 7) >> 3);
  return {
    tableId,
    schema,
    table,
    columnCount,
    types,
    metas,
    nullable,
    ...readTableMetadata(reader, types, form.mariadb),
    raw: form.raw,
  };
}

function readName(reader: ByteReader): string {
  const name = reader.utf8(reader.u8());
  if (reader.u8() !== 0) reader.fail('a name does not end in NUL');
  return name;
}

/** Appends the resolved type and its metadata as `ColumnShape` has them. */
function readColumnType(reader: ByteReader, code: number, types: number[], metas: number[]): void {
  let type = code;
  let meta = 0;
  switch (code) {
    case TYPE.float:
    case TYPE.double:
    case TYPE.timestamp2:
    case TYPE.datetime2:
    case TYPE.time2:
    case TYPE.tinyBlob:
    case TYPE.mediumBlob:
    case TYPE.longBlob:
    case TYPE.blob:
    case TYPE.json:
    case TYPE.geometry:
    case TYPE.vector:
    case TYPE.blobCompressed:
      meta = reader.u8();
      break;
    case TYPE.varchar:
    case TYPE.varString:
    case TYPE.varcharCompressed:
    case TYPE.bit:
      meta = reader.u16();
      break;
    case TYPE.newDecimal:
      meta = (reader.u8() << 8) | reader.u8();
      break;
    case TYPE.string:
    case TYPE.enum:
    case TYPE.set: {
      const first = reader.u8();
      const second = reader.u8();
      if ((first & STRING_FAMILY) !== STRING_FAMILY) {
        // A CHAR longer than 255 bytes: bits 8 and 9 of its length stand inverted in the type.
        type = first | STRING_FAMILY;
        meta = second | (((first & STRING_FAMILY) ^ STRING_FAMILY) << 4);
      } else {
        type = first;
        meta = second;
      }
      if (type !== TYPE.string && type !== TYPE.enum && type !== TYPE.set)
        reader.fail(`${type} is no type of the STRING family`);
      break;
    }
    case TYPE.tiny:
    case TYPE.short:
    case TYPE.int24:
    case TYPE.long:
    case TYPE.longlong:
    case TYPE.year:
    case TYPE.date:
    case TYPE.newDate:
    case TYPE.time:
    case TYPE.datetime:
    case TYPE.timestamp:
    case TYPE.null:
      break;
    default:
      throw new HoltError('HOLT_EVENT_UNSUPPORTED', `TABLE_MAP: column type ${code} is not known`, {
        facts: { columnType: code },
      });
  }
  types.push(type);
  metas.push(meta);
}
