/** A batch's payload divided: what is applied, and what is held of each group; the source's order stays in each. */
import { Breather } from '../../../lib/breather.ts';
import { PayloadReader, PayloadWriter } from '../../../model/payload.ts';
import type { TableRoute } from '../../../model/table-route.ts';
import type { TransformedBatch } from '../../stage.ts';
import { type TableName, tableKey } from './parked.ts';

export interface HeldShare {
  readonly root: TableName;
  readonly payload: Buffer;
  /** Row changes. */
  readonly changes: number;
}

export interface SplitBatch {
  /** Null when nothing is left to apply. */
  readonly rest: TransformedBatch | null;
  readonly held: readonly HeldShare[];
}

class Share {
  readonly writer = new PayloadWriter();
  /** Numbers in the whole payload of the tables written, in the order of their numbers here. */
  readonly tables: number[] = [];
  #transaction = -1;

  write(reader: PayloadReader): void {
    const shape = reader.shapes[reader.table];
    if (shape === undefined) return;
    if (this.#transaction !== reader.transaction) {
      this.#transaction = reader.transaction;
      this.writer.transaction(reader.commitUs, reader.gtid);
    }
    if (!this.tables.includes(reader.table)) this.tables.push(reader.table);
    this.writer.rawRows(
      shape,
      reader.op,
      reader.flags,
      reader.rows,
      reader.before,
      reader.after,
      reader.bytes,
      reader.dataStart,
      reader.dataEnd,
    );
  }
}

/** `held`: by table number of the payload, the root of its group. */
export async function splitBatch(
  batch: TransformedBatch,
  held: ReadonlyMap<number, TableName>,
  signal: AbortSignal,
): Promise<SplitBatch> {
  if (held.size === 0) return { rest: batch, held: [] };
  const rest = new Share();
  const groups = new Map<string, { readonly root: TableName; readonly share: Share }>();
  const breather = new Breather();
  const reader = new PayloadReader(batch.payload);
  for (let record = reader.next(); record !== null; record = reader.next()) {
    if (record !== 'rows') continue;
    const root = held.get(reader.table);
    if (root === undefined) rest.write(reader);
    else {
      const key = tableKey(root);
      const group = groups.get(key) ?? { root, share: new Share() };
      groups.set(key, group);
      group.share.write(reader);
    }
    if (breather.due()) {
      await breather.breathe();
      signal.throwIfAborted();
    }
  }
  return {
    rest:
      rest.tables.length === 0
        ? null
        : {
            header: batch.header,
            payload: rest.writer.finish(),
            routes: rest.tables.flatMap((old, table): TableRoute[] => {
              const route = batch.routes.find((one) => one.table === old);
              return route === undefined ? [] : [{ ...route, table }];
            }),
          },
    held: [...groups.values()].map(({ root, share }) => ({
      root,
      changes: share.writer.rows,
      payload: share.writer.finish(),
    })),
  };
}
