import { TYPE } from '../../../canal/value/column-type.ts';
import { ABSENT_LENGTH, NULL_LENGTH } from '../../../canal/value/row-scanner.ts';
import { writeKeyLiteral } from '../../../canal/value/value-literal.ts';
import type { ByteSink } from '../../../lib/byte-sink.ts';
import { targetFamily } from './column-fit.ts';
import type { RowImage } from './fold.ts';
import type { TablePlan, WrittenColumn } from './table-plan.ts';
import { writeKeyValue } from './written-value.ts';

/**
 * A condition that holds for rows whose columns are, byte for byte, those of an image. Equality of the server is not
 * enough: it takes "a" for "A". It is asked for all the same, first, so that an index may serve. Columns of `or` may as well be those
 * of its image.
 */
export function writeExactMatch(
  sink: ByteSink,
  plan: TablePlan,
  image: RowImage,
  payload: Buffer,
  or: { readonly columns: readonly WrittenColumn[]; readonly image: RowImage } | null = null,
): void {
  const start = sink.length;
  for (let i = 0; i < plan.columns.length; i++) {
    const column = plan.columns[i] as WrittenColumn;
    const length = image.lengths[column.index] as number;
    if (length === ABSENT_LENGTH) continue;
    if (sink.length > start) sink.latin1(' AND ');
    const other = or?.columns.includes(column) === true ? or.image : null;
    if (other !== null) {
      sink.latin1('((');
      writeEqual(
        sink,
        column,
        payload,
        other.offsets[column.index] as number,
        other.lengths[column.index] as number,
      );
      sink.latin1(') OR (');
    }
    if (length === NULL_LENGTH) {
      sink.utf8(column.quoted);
      sink.latin1(' IS NULL');
    } else if (isDocumentText(plan, column))
      writeSameDocument(sink, column, payload, image.offsets[column.index] as number, length);
    else writeEqual(sink, column, payload, image.offsets[column.index] as number, length);
    if (other !== null) sink.latin1('))');
  }
  for (const { quoted, literal, text } of plan.constants) {
    if (sink.length > start) sink.latin1(' AND ');
    sink.utf8(text === null ? `${quoted} IS NULL` : `${quoted}=${literal}`);
  }
}

/**
 * True where a row is found by its key and only compared, and MySQL's document stands in a column of text: MySQL logs
 * documents as it prints them, whatever text they came in. (An escape like \u00e9 is another text to JSON_EQUALS.)
 */
function isDocumentText(plan: TablePlan, { source, target }: WrittenColumn): boolean {
  return plan.identity.length > 0 && source.type === TYPE.json && target.hasJsonEquals === true;
}

function writeSameDocument(
  sink: ByteSink,
  column: WrittenColumn,
  payload: Buffer,
  offset: number,
  length: number,
): void {
  sink.byte(0x28);
  writeEqual(sink, column, payload, offset, length);
  sink.utf8(` OR JSON_EQUALS(${column.quoted},`);
  writeKeyValue(sink, column, payload, offset, length);
  sink.latin1('))');
}

function writeEqual(
  sink: ByteSink,
  column: WrittenColumn,
  payload: Buffer,
  offset: number,
  length: number,
): void {
  const { quoted, source, target, keyPrefix } = column;
  const literal = () => writeKeyValue(sink, column, payload, offset, length);
  switch (targetFamily(target)) {
    case 'text':
      sink.utf8(`${quoted}=`);
      literal();
      sink.utf8(` AND CAST(${quoted} AS BINARY)=`);
      if (keyPrefix === '') writeKeyLiteral(sink, source, payload, offset, length, column.literal);
      else {
        sink.latin1('CAST(');
        literal();
        sink.latin1(' AS BINARY)');
      }
      return;
    case 'float':
    case 'double': {
      const before = sink.length;
      sink.utf8(`${quoted}=`);
      const start = sink.length;
      literal();
      const text = sink.view().toString('latin1', start);
      if (Number(text) !== 0 || target.losesSignOfZero === true) return;
      // Zero is equal to its negative. Without the equality beside it: MySQL would put its constant in the place of the column.
      sink.truncate(before);
      sink.utf8(`CONCAT(${quoted}*1e0)='${text.startsWith('-') ? '-0' : '0'}'`);
      return;
    }
    case 'json': {
      // A text is compared as a JSON string, whatever it holds. Documents are equal whose numbers are: 1 and 1.0.
      sink.utf8(`${quoted}=CAST(`);
      const from = sink.length;
      literal();
      const expression = Buffer.from(sink.view().subarray(from));
      sink.utf8(` AS JSON) AND CAST(${quoted} AS BINARY)=CAST(CAST(`);
      sink.copy(expression);
      sink.latin1(' AS JSON) AS BINARY)');
      return;
    }
    case 'geometry':
    case 'vector':
      // Geometries are compared by what they enclose, on some servers, and vectors not at all.
      sink.utf8(`HEX(${quoted})=HEX(`);
      literal();
      sink.byte(0x29);
      return;
    default:
      sink.utf8(`${quoted}=`);
      literal();
  }
}
