import { EventDecoder } from '../../canal/event/decoder.ts';
import type { BinlogEvent, TableMap } from '../../canal/event/event.ts';
import { readBinlogFile } from '../../canal/event/file-reader.ts';
import {
  ABSENT_LENGTH,
  compileRowScanner,
  NULL_LENGTH,
  type RowScanner,
} from '../../canal/value/row-scanner.ts';
import type { ColumnBitmap, RowOp } from '../../model/rows.ts';
import type { TableShape } from '../../model/table-shape.ts';
import type { Database } from './database.ts';
import type { DatabaseServer } from './database-server.ts';

/** A column's raw bytes; null for NULL, undefined where the image lacks the column. */
export type RawValue = Buffer | null | undefined;

export interface LoggedRow {
  readonly shape: TableShape;
  readonly op: RowOp;
  readonly before: readonly RawValue[] | null;
  readonly after: readonly RawValue[] | null;
  /** Columns of `after` that hold JSON diffs. */
  readonly partial: readonly boolean[];
}

/** All rows of a schema in a server's binlog files, in order. Shapes are completed from the server's present schema. */
export async function loggedRows(server: DatabaseServer, schema: string): Promise<LoggedRow[]> {
  const reader = new RowReader(schema, await tableShapes(server.db, schema));
  const rows: LoggedRow[] = [];
  for await (const event of loggedEvents(server))
    for (const inner of event.kind === 'transaction-payload' ? event.events : [event])
      rows.push(...reader.take(inner));
  return rows;
}

/** Reads rows out of events in order. */
export class RowReader {
  readonly #schema: string;
  readonly #facts: ReadonlyMap<string, readonly ColumnFact[]>;
  readonly #maps = new Map<number, TableMap>();

  constructor(schema: string, facts: ReadonlyMap<string, readonly ColumnFact[]>) {
    this.#schema = schema;
    this.#facts = facts;
  }

  /** The map that row events of this table id have. */
  mapOf(tableId: number): TableMap | undefined {
    return this.#maps.get(tableId);
  }

  /** The rows of a rows event; none for other events and other schemas. */
  take(event: BinlogEvent): LoggedRow[] {
    if (event.kind === 'table-map') this.#maps.set(event.map.tableId, event.map);
    if (event.kind !== 'rows') return [];
    const map = this.#maps.get(event.tableId);
    if (map === undefined || map.schema !== this.#schema) return [];
    const shape = completed(map, this.#facts.get(map.table));
    const scanner = compileRowScanner(shape);
    const counted = scanner.countRows(event.data, event.before, event.after, event.partialJson);
    const rows = rowsOf(event, shape, scanner);
    if (counted !== rows.length) throw new Error(`${counted} rows counted, ${rows.length} found`);
    return rows;
  }
}

/** Every event of every binlog file. */
export async function* loggedEvents(server: DatabaseServer): AsyncGenerator<BinlogEvent> {
  await server.db.query(server.flavour === 'mysql56' ? 'FLUSH LOGS' : 'FLUSH BINARY LOGS');
  const files = await server.binlogFiles();
  for (const file of files.slice(0, -1)) {
    const decoder = new EventDecoder();
    for await (const { bytes } of readBinlogFile(file)) yield decoder.decode(bytes);
  }
}

function rowsOf(
  event: Extract<BinlogEvent, { kind: 'rows' }>,
  shape: TableShape,
  scanner: RowScanner,
): LoggedRow[] {
  const rows: LoggedRow[] = [];
  const { data } = event;
  let at = 0;
  const image = (present: ColumnBitmap, partial: boolean): RawValue[] => {
    at = partial
      ? scanner.scanPartial(data, at, data.length, present)
      : scanner.scan(data, at, data.length, present);
    return shape.columns.map((_, i) => {
      const length = scanner.lengths[i] ?? ABSENT_LENGTH;
      const offset = scanner.offsets[i] ?? 0;
      if (length === ABSENT_LENGTH) return undefined;
      return length === NULL_LENGTH ? null : data.subarray(offset, offset + length);
    });
  };
  do {
    const before = event.before === null ? null : image(event.before, false);
    const after = event.after === null ? null : image(event.after, event.partialJson);
    rows.push({ shape, op: event.op, before, after, partial: [...scanner.partial].map(Boolean) });
  } while (at < data.length);
  return rows;
}

/** Collation ids and declared types, which logs of older servers and of binlog_row_metadata=MINIMAL lack. */
export async function tableShapes(
  db: Database,
  schema: string,
): Promise<ReadonlyMap<string, readonly ColumnFact[]>> {
  const rows = await db.query(
    `SELECT c.table_name AS t, c.column_name AS n, c.column_type AS d, c.is_nullable AS u,
       (SELECT MAX(l.id) FROM information_schema.collations l WHERE l.collation_name = c.collation_name) AS k
     FROM information_schema.columns c WHERE c.table_schema = ? ORDER BY c.table_name, c.ordinal_position`,
    [schema],
  );
  const tables = new Map<string, ColumnFact[]>();
  for (const row of rows) {
    const table = tables.get(String(row.t)) ?? [];
    tables.set(String(row.t), table);
    const declared = String(row.d);
    table.push({
      name: String(row.n),
      declared,
      nullable: row.u === 'YES',
      unsigned: declared.includes('unsigned'),
      collation: row.k === null ? (/binary|blob/.test(declared) ? 63 : 0) : Number(row.k),
    });
  }
  return tables;
}

export interface ColumnFact {
  readonly name: string;
  readonly declared: string;
  readonly nullable: boolean;
  readonly unsigned: boolean;
  readonly collation: number;
}

function completed(map: TableMap, facts: readonly ColumnFact[] | undefined): TableShape {
  return {
    schema: map.schema,
    table: map.table,
    key: map.primaryKey ?? [0],
    hasPrimaryKey: true,
    columns: map.types.map((type, i) => ({
      name: map.names?.[i] ?? facts?.[i]?.name ?? `c${i}`,
      type,
      meta: map.metas[i] ?? 0,
      nullable: facts?.[i]?.nullable ?? true,
      unsigned: map.unsigned?.[i] ?? facts?.[i]?.unsigned ?? false,
      collation: map.collations?.[i] ?? facts?.[i]?.collation ?? 0,
      carrier: 'binlog',
      declared: facts?.[i]?.declared ?? null,
    })),
  };
}
