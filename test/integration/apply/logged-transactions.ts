import { EventDecoder } from '../../../canal/event/decoder.ts';
import type { BinlogEvent, TableMap } from '../../../canal/event/event.ts';
import { readBinlogFile } from '../../../canal/event/file-reader.ts';
import { completeShape } from '../../../canal/schema/complete-shape.ts';
import { SchemaReader } from '../../../canal/schema/schema-reader.ts';
import { compileRowScanner } from '../../../canal/value/row-scanner.ts';
import { PayloadWriter } from '../../../model/payload.ts';
import { ROW_FLAG } from '../../../model/rows.ts';
import type { SourceRows } from '../../../model/source-item.ts';
import type { TableRoute } from '../../../model/table-route.ts';
import type { TableShape } from '../../../model/table-shape.ts';
import type { TransformedBatch } from '../../../stages/stage.ts';
import { headerOf } from '../../support/batch-header.ts';
import type { DatabaseServer } from '../../support/database-server.ts';

/** What a server really logged: the rows of each transaction that touches a schema, as they stand in its binlog files. */
export type LoggedTransaction = readonly SourceRows[];

/** All transactions on `schema` since the server's first file, or the `fromFile`-th. */
export async function loggedTransactions(
  server: DatabaseServer,
  schema: string,
  fromFile = 0,
): Promise<LoggedTransaction[]> {
  const facts = new SchemaReader({
    query: async (sql) => {
      const rows = await server.db.query(sql);
      return rows.map((row) => Object.values(row).map((value) => (value === null ? null : String(value))));
    },
  });
  const shapes = new Map<string, TableShape>();
  const transactions: LoggedTransaction[] = [];
  let open: SourceRows[] = [];
  const maps = new Map<number, TableMap>();
  const take = async (event: BinlogEvent): Promise<void> => {
    switch (event.kind) {
      case 'table-map': {
        maps.set(event.map.tableId, event.map);
        const key = event.map.raw.toString('latin1');
        if (event.map.schema === schema && !shapes.has(key))
          shapes.set(key, completeShape(event.map, await facts.read(schema, event.map.table)).shape);
        return;
      }
      case 'rows': {
        const map = maps.get(event.tableId);
        const shape = map === undefined ? undefined : shapes.get(map.raw.toString('latin1'));
        if (shape === undefined) return;
        const { before, after, partialJson } = event;
        open.push({
          shape,
          op: event.op,
          flags: event.flags | (partialJson ? ROW_FLAG.partialJson : 0),
          before: before === null ? null : Uint8Array.from(before),
          after: after === null ? null : Uint8Array.from(after),
          rows: compileRowScanner(shape).countRows(event.data, before, after, partialJson),
          data: Buffer.from(event.data),
        });
        return;
      }
      case 'transaction-payload':
        for (const inner of event.events) await take(inner);
        return;
      case 'xid':
      case 'query':
        if (event.kind === 'query' && event.sql.toString('latin1') === 'BEGIN') return;
        if (open.length > 0) transactions.push(open);
        open = [];
        return;
      default:
    }
  };
  for (const file of (await server.binlogFiles()).slice(fromFile)) {
    const decoder = new EventDecoder();
    for await (const { bytes } of readBinlogFile(file)) await take(decoder.decode(bytes));
  }
  return transactions;
}

/** A batch of whole transactions whose tables go, under their own names, to another schema. */
export function batchOf(
  transactions: readonly LoggedTransaction[],
  toSchema: string,
  routeOf: (shape: TableShape) => Partial<TableRoute> = () => ({}),
): TransformedBatch {
  const writer = new PayloadWriter();
  const shapes: TableShape[] = [];
  for (const [i, rows] of transactions.entries()) {
    writer.transaction(1_700_000_000_000_000 + i, `0-1-${i + 1}`);
    for (const one of rows) {
      if (!shapes.includes(one.shape)) shapes.push(one.shape);
      writer.sourceRows(one);
    }
  }
  const routes = shapes.map(
    (shape, table): TableRoute => ({
      table,
      schema: toSchema,
      name: shape.table,
      columns: shape.columns.map((column, index) => ({ kind: 'column', name: column.name, index })),
      ...routeOf(shape),
    }),
  );
  return {
    header: headerOf({ rows: writer.rows, transactions: writer.transactions }),
    payload: writer.finish(),
    routes,
  };
}
