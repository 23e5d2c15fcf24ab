/**
 * User processors: a module whose default export gets each row and returns what goes on.
 *
 *     export default function process(row) {            // row: {op, schema, table, before, after}
 *       if (row.after) return {...row, after: {...row.after, note: null}};
 *       return row;                                      // null drops the row
 *     }
 *
 * Values: null · bigint (integers, BIT, YEAR, ENUM by index, SET by bits) · number (FLOAT, DOUBLE) · string (DECIMAL, temporal types
 * in their ISO form, JSON, text in utf8 and latin1) · Buffer (everything else). A processor may return any of these for
 * a column. It must be deterministic and keep nothing between rows: a rewind runs it again. Only what a processor has
 * touched leaves the path of raw bytes (G8): its tables travel in carrier `text`.
 */
import { pathToFileURL } from 'node:url';
import { type DecodedValue, decodeValue } from '../../canal/value/decode.ts';
import { ABSENT_LENGTH, compileRowScanner, type RowScanner } from '../../canal/value/row-scanner.ts';
import { ByteSink } from '../../lib/byte-sink.ts';
import { HoltError, messageOf } from '../../lib/errors.ts';
import type { PayloadReader, PayloadWriter } from '../../model/payload.ts';
import { type ColumnBitmap, ROW_FLAG, type RowOp } from '../../model/rows.ts';
import type { ColumnShape, TableShape } from '../../model/table-shape.ts';
import { comparisonKind } from './column-kind.ts';
import type { RowsRewriter } from './row-filter.ts';

export type ProcessorValue = null | bigint | number | string | boolean | Uint8Array;
export type ProcessorImage = Readonly<Record<string, ProcessorValue>>;

export interface ProcessorRow {
  readonly op: RowOp;
  readonly schema: string;
  readonly table: string;
  /** Columns the log has of the row before; null for an insert. */
  readonly before: ProcessorImage | null;
  /** Columns the log has of the row after; null for a delete. */
  readonly after: ProcessorImage | null;
}

export type ProcessorFunction = (row: ProcessorRow) => ProcessorRow | null;

/** Throws HOLT_PROCESSOR_FAILED when the module cannot be loaded or has no function as its default export. */
export async function loadProcessor(path: string): Promise<ProcessorFunction> {
  let module: { readonly default?: unknown };
  try {
    const url = pathToFileURL(path).href;
    if (/\.m?ts$/.test(path)) {
      const { tsImport } = await import('tsx/esm/api');
      module = (await tsImport(url, import.meta.url)) as typeof module;
    } else {
      module = (await import(url)) as typeof module;
    }
  } catch (error) {
    throw failed(path, `it cannot be loaded: ${messageOf(error)}`, error);
  }
  const process = defaultOf(module.default);
  if (typeof process !== 'function') throw failed(path, 'its default export is no function');
  return (row) => {
    let result: unknown;
    try {
      result = process(row);
    } catch (error) {
      throw failed(path, `it threw on a row of ${row.schema}.${row.table}: ${messageOf(error)}`, error);
    }
    if (result === null || isRow(result)) return result;
    throw failed(path, `it returned what is no row for ${row.schema}.${row.table}`);
  };
}

/** A TypeScript module in a folder without `"type": "module"` is loaded as CommonJS: its exports are then one level down. */
function defaultOf(exported: unknown): unknown {
  return typeof exported === 'object' && exported !== null && 'default' in exported
    ? exported.default
    : exported;
}

function isRow(value: unknown): value is ProcessorRow {
  if (typeof value !== 'object' || value === null) return false;
  const row = value as Partial<Record<keyof ProcessorRow, unknown>>;
  const image = (one: unknown) => one === null || (typeof one === 'object' && one !== null);
  return image(row.before) && image(row.after) && (row.before !== null || row.after !== null);
}

/** Runs a processor over the rows of one shape. */
export class RowProcessor implements RowsRewriter {
  readonly #path: string;
  readonly #shape: TableShape;
  readonly #result: TableShape;
  readonly #process: ProcessorFunction;
  readonly #scanner: RowScanner;
  readonly #encodings: readonly Encoding[];
  readonly #data = new ByteSink(4096);

  constructor(shape: TableShape, path: string, process: ProcessorFunction) {
    this.#path = path;
    this.#shape = shape;
    this.#process = process;
    this.#result = { ...shape, columns: shape.columns.map((column) => ({ ...column, carrier: 'text' })) };
    this.#scanner = compileRowScanner(shape);
    this.#encodings = shape.columns.map(encodingOf);
  }

  rewrite(reader: PayloadReader, writer: PayloadWriter): void {
    const { bytes, before, after, flags, dataEnd } = reader;
    if ((flags & ROW_FLAG.partialJson) !== 0)
      throw failed(
        this.#path,
        `${this.#name()} is logged with partial JSON; set binlog_row_value_options to empty at the source`,
      );
    let at = reader.dataStart;
    for (let index = 0; index < reader.rows; index++) {
      let was: ProcessorImage | null = null;
      let is: ProcessorImage | null = null;
      if (before !== null) {
        at = this.#scanner.scan(bytes, at, dataEnd, before);
        was = this.#image(bytes);
      }
      if (after !== null) {
        at = this.#scanner.scan(bytes, at, dataEnd, after);
        is = this.#image(bytes);
      }
      const row = this.#process({
        op: reader.op,
        schema: this.#shape.schema,
        table: this.#shape.table,
        before: was,
        after: is,
      });
      if (row !== null) this.#write(row, flags, writer);
    }
  }

  #write(row: ProcessorRow, flags: number, writer: PayloadWriter): void {
    const op: RowOp = row.before === null ? 'insert' : row.after === null ? 'delete' : 'update';
    this.#data.reset();
    const before = row.before === null ? null : this.#encode(row.before);
    const after = row.after === null ? null : this.#encode(row.after);
    const data = this.#data.take();
    writer.rawRows(this.#result, op, flags, 1, before, after, data, 0, data.length);
  }

  #image(bytes: Buffer): ProcessorImage {
    const image: Record<string, ProcessorValue> = {};
    for (const [index, column] of this.#shape.columns.entries()) {
      const length = this.#scanner.lengths[index] ?? ABSENT_LENGTH;
      const value = decodeValue(column, bytes, this.#scanner.offsets[index] ?? 0, length);
      if (value !== undefined) image[column.name] = processorValue(value, this.#encodings[index] ?? 'bytes');
    }
    return image;
  }

  /** Appends the image to the row's data; returns which columns it has. */
  #encode(image: ProcessorImage): ColumnBitmap {
    const { columns } = this.#shape;
    const known = new Set(columns.map((column) => column.name));
    for (const name of Object.keys(image))
      if (!known.has(name))
        throw failed(this.#path, `it returned column ${name}, which ${this.#name()} does not have`);
    const present = new Uint8Array((columns.length + 7) >> 3);
    const values: (Buffer | null)[] = [];
    for (const [index, column] of columns.entries()) {
      const value = image[column.name];
      if (value === undefined) continue;
      present[index >> 3] = (present[index >> 3] ?? 0) | (1 << (index & 7));
      values.push(this.#text(value, index));
    }
    const nulls = new Uint8Array((values.length + 7) >> 3);
    for (const [index, value] of values.entries())
      if (value === null) nulls[index >> 3] = (nulls[index >> 3] ?? 0) | (1 << (index & 7));
    this.#data.copy(nulls);
    for (const value of values) {
      if (value === null) continue;
      this.#data.uint32(value.length);
      this.#data.copy(value);
    }
    return present;
  }

  #text(value: ProcessorValue, index: number): Buffer | null {
    switch (typeof value) {
      case 'bigint':
        return Buffer.from(value.toString());
      case 'boolean':
        return Buffer.from(value ? '1' : '0');
      case 'number':
        if (!Number.isFinite(value))
          throw failed(this.#path, `it returned ${value} for ${this.#columnName(index)}`);
        return Buffer.from(Object.is(value, -0) ? '-0' : String(value));
      case 'string': {
        if (this.#encodings[index] !== 'latin1') return Buffer.from(value, 'utf8');
        const bytes = Buffer.from(value, 'latin1');
        if (bytes.toString('latin1') !== value)
          throw failed(
            this.#path,
            `it returned text for ${this.#columnName(index)} that latin1 does not have`,
          );
        return bytes;
      }
      default:
        if (value === null) return null;
        if (value instanceof Uint8Array) return Buffer.from(value);
        throw failed(this.#path, `it returned ${typeof value} for ${this.#columnName(index)}`);
    }
  }

  #columnName(index: number): string {
    return `${this.#name()}.${this.#shape.columns[index]?.name ?? index}`;
  }

  #name(): string {
    return `${this.#shape.schema}.${this.#shape.table}`;
  }
}

/** How a character column's bytes become a string; bytes where none could carry them to and fro. */
type Encoding = 'utf8' | 'latin1' | 'bytes';

function encodingOf(column: ColumnShape): Encoding {
  try {
    const kind = comparisonKind(column, '');
    return kind === 'number' ? 'bytes' : kind;
  } catch {
    return 'bytes';
  }
}

function processorValue(value: DecodedValue, encoding: Encoding): ProcessorValue {
  if (!Buffer.isBuffer(value)) return value;
  if (encoding === 'latin1') return value.toString('latin1');
  const string = encoding === 'utf8' ? value.toString('utf8') : null;
  // Bytes that are no UTF-8 would not come back as they were.
  return string === null || string.includes('\ufffd') ? Buffer.from(value) : string;
}

function failed(path: string, what: string, cause?: unknown): HoltError {
  return new HoltError('HOLT_PROCESSOR_FAILED', `processor ${path}: ${what}`, {
    disposition: 'pause',
    remedy:
      'Correct the module, restart the nodes of the source site, and resume: the pipeline stands before the batch.',
    facts: { processor: path },
    cause,
  });
}
