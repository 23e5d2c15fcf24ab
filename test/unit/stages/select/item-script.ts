/** Source items built by hand, one after another as in a log. */
import type {
  LoadMark,
  SourceItem,
  SourceRows,
  SourceStatement,
  StatementNature,
  TransactionGtid,
  XaBranch,
  XaOutcome,
} from '../../../../model/source-item.ts';
import type { TableShape } from '../../../../model/table-shape.ts';

export type RowsItem = Extract<SourceItem, { kind: 'rows' }>;
export type StatementItem = Extract<SourceItem, { kind: 'statement' }>;

export const SOURCE_UUID = '3e11fa47-71ca-11e1-9e33-c80aa9429562';

const shapes = new Map<string, TableShape>();

/** One shape object per table, with an INT key. */
export function shapeNamed(schema: string, table: string): TableShape {
  const key = `${schema}.${table}`;
  const known = shapes.get(key);
  if (known !== undefined) return known;
  const shape: TableShape = {
    schema,
    table,
    columns: [
      {
        name: 'id',
        type: 3,
        meta: 0,
        nullable: false,
        unsigned: false,
        collation: 0,
        carrier: 'binlog',
        declared: 'int',
      },
    ],
    key: [0],
    hasPrimaryKey: true,
  };
  shapes.set(key, shape);
  return shape;
}

/** Inserted rows with the given ids. */
export function sourceRows(schema: string, table: string, ids: readonly number[]): SourceRows {
  const data = Buffer.alloc(ids.length * 5);
  ids.forEach((id, index) => {
    data.writeInt32LE(id, index * 5 + 1);
  });
  return {
    shape: shapeNamed(schema, table),
    op: 'insert',
    flags: 1,
    before: null,
    after: Uint8Array.of(1),
    rows: ids.length,
    data,
  };
}

export interface ItemFacts {
  readonly rows?: readonly SourceRows[];
  readonly mark?: LoadMark | null;
  readonly statements?: readonly SourceStatement[];
  readonly part?: number;
  readonly lastPart?: boolean;
  readonly xa?: XaBranch;
  readonly rawRows?: number;
  /** Bytes of log the item takes; default 1000. */
  readonly logBytes?: number;
  /** Committed elsewhere, so long before it was committed here. */
  readonly upstreamMs?: number;
}

/** Hands out items with ascending GTIDs, coordinates and commit times (a second apart). */
export class ItemScript {
  #number = 0n;
  #offset = 4;
  #file = 'binlog.000001';
  #start = 4;

  nextFile(file: string): void {
    this.#file = file;
    this.#offset = 4;
  }

  rows(facts: ItemFacts = {}): RowsItem {
    const lastPart = facts.lastPart ?? true;
    if ((facts.part ?? 0) === 0) this.#start = this.#offset;
    this.#offset += facts.logBytes ?? 1000;
    if ((facts.part ?? 0) === 0) this.#number += 1n;
    const base = this.#base();
    return {
      kind: 'rows',
      ...base,
      ...(facts.upstreamMs === undefined
        ? {}
        : { originalCommitUs: base.commitUs - facts.upstreamMs * 1_000 }),
      part: facts.part ?? 0,
      lastPart,
      mark: facts.mark ?? null,
      rows: facts.rows ?? [sourceRows('shop', 't', [Number(this.#number)])],
      statements: facts.statements ?? [],
      ...(facts.xa === undefined ? {} : { xa: facts.xa }),
      ...(facts.rawRows === undefined ? {} : { rawRows: facts.rawRows }),
    };
  }

  outcome(xid: string, outcome: XaOutcome = 'commit'): Extract<SourceItem, { kind: 'xa-outcome' }> {
    this.#start = this.#offset;
    this.#offset += 200;
    this.#number += 1n;
    return { kind: 'xa-outcome', ...this.#base(), xid, outcome };
  }

  statement(sql: string, nature: StatementNature = 'ddl'): StatementItem {
    this.#start = this.#offset;
    this.#offset += 200;
    this.#number += 1n;
    return { kind: 'statement', ...this.#base(), ...statementOf(sql, nature) };
  }

  #base() {
    const gtid: TransactionGtid = { flavour: 'mysql', uuid: SOURCE_UUID, tag: '', number: this.#number };
    return {
      gtid,
      start: { file: this.#file, offset: this.#start },
      end: { file: this.#file, offset: this.#offset },
      lastEvent: { timestamp: 1_700_000_000, crc32: Number(this.#number), length: 31 },
      commitUs: 1_700_000_000_000_000 + Number(this.#number) * 1_000_000,
      commitIsExact: true,
      bytes: 500,
    };
  }
}

export function statementOf(sql: string, nature: StatementNature = 'ddl'): SourceStatement {
  return { schema: 'shop', sql: Buffer.from(sql), threadId: 1, nature, sqlMode: 0n, charset: 45 };
}
