import { PayloadWriter } from '../../../../../model/payload.ts';
import type { RowOp } from '../../../../../model/rows.ts';
import type { TableRoute } from '../../../../../model/table-route.ts';
import type { ColumnShape, TableShape } from '../../../../../model/table-shape.ts';
import { planTable, type TablePlan } from '../../../../../stages/load/apply/table-plan.ts';
import type {
  TargetColumn,
  TargetTable,
  TargetTraits,
  UniqueKey,
} from '../../../../../stages/load/apply/target-table.ts';

/** Tables and rows made by hand: columns are INT, or VARCHAR in utf8mb4; a value is a number, a text or null. */
export type Value = number | string | null;
export type Row = readonly Value[];

export const MARIADB: TargetTraits = {
  flavour: 'mariadb',
  versionNumber: 101_119,
  maxAllowedPacket: 16 * 1024 * 1024,
};
export const MYSQL: TargetTraits = { ...MARIADB, flavour: 'mysql', versionNumber: 90_704 };
export const MYSQL56: TargetTraits = { ...MARIADB, flavour: 'mysql', versionNumber: 50_624 };

export const int = (name: string): ColumnShape => ({
  name,
  type: 3,
  meta: 0,
  nullable: true,
  unsigned: false,
  collation: 0,
  carrier: 'binlog',
  declared: 'int',
});

export const varchar = (name: string): ColumnShape => ({
  ...int(name),
  type: 15,
  meta: 80,
  collation: 45,
  declared: 'varchar(20)',
});

export function shapeOf(columns: readonly ColumnShape[], key: readonly number[], table = 't'): TableShape {
  return { schema: 'src', table, columns, key, hasPrimaryKey: key.length > 0 };
}

export const routeOf = (shape: TableShape, table = 0): TableRoute => ({
  table,
  schema: 'dst',
  name: shape.table,
  columns: shape.columns.map((column, index) => ({ kind: 'column', name: column.name, index })),
});

export function targetColumn(name: string, change: Partial<TargetColumn> = {}): TargetColumn {
  return {
    name,
    dataType: 'int',
    columnType: 'int',
    nullable: true,
    hasDefault: true,
    generated: false,
    autoIncrement: false,
    autoUpdate: false,
    charset: null,
    collation: null,
    scale: 0,
    ...change,
  };
}

export const unique = (
  name: string,
  columns: readonly (string | null)[],
  change: Partial<UniqueKey> = {},
) => ({
  name,
  primary: name === 'PRIMARY',
  columns,
  prefix: false,
  nullable: false,
  ...change,
});

/** The target of a shape: the same columns, the shape's key as primary key. */
export function targetOf(shape: TableShape, change: Partial<TargetTable> = {}): TargetTable {
  return {
    schema: 'dst',
    name: shape.table,
    engine: 'InnoDB',
    rowEstimate: 100_000,
    columns: shape.columns.map((column) =>
      column.type === 3
        ? targetColumn(column.name)
        : targetColumn(column.name, {
            dataType: 'varchar',
            columnType: 'varchar(20)',
            charset: 'utf8mb4',
            collation: 'utf8mb4_general_ci',
            scale: null,
          }),
    ),
    uniqueKeys:
      shape.key.length === 0
        ? []
        : [
            unique(
              'PRIMARY',
              shape.key.map((index) => shape.columns[index]?.name ?? ''),
            ),
          ],
    triggers: [],
    foreignKeyGroup: null,
    referenced: false,
    referencedColumns: [],
    selfReferencing: false,
    ...change,
  };
}

export function planOf(shape: TableShape, change: Partial<TargetTable> = {}): TablePlan {
  return planTable(shape, routeOf(shape), targetOf(shape, change));
}

export const allPresent = (columns: number): Uint8Array => {
  const bitmap = new Uint8Array((columns + 7) >> 3);
  for (let i = 0; i < columns; i++) bitmap[i >> 3] = (bitmap[i >> 3] ?? 0) | (1 << (i & 7));
  return bitmap;
};

export const presentOnly = (columns: number, indexes: readonly number[]): Uint8Array => {
  const bitmap = new Uint8Array((columns + 7) >> 3);
  for (const i of indexes) bitmap[i >> 3] = (bitmap[i >> 3] ?? 0) | (1 << (i & 7));
  return bitmap;
};

/** The image of the values, in the order of their columns. */
export function imageOf(columns: readonly ColumnShape[], values: Row): Buffer {
  const nulls = Buffer.alloc((columns.length + 7) >> 3);
  const parts: Buffer[] = [nulls];
  for (const [i, column] of columns.entries()) {
    const value = values[i] ?? null;
    if (value === null) nulls[i >> 3] = (nulls[i >> 3] ?? 0) | (1 << (i & 7));
    else if (column.type === 3) {
      const bytes = Buffer.alloc(4);
      bytes.writeInt32LE(Number(value));
      parts.push(bytes);
    } else {
      const bytes = Buffer.from(String(value));
      parts.push(Buffer.from([bytes.length]), bytes);
    }
  }
  return Buffer.concat(parts);
}

/** A change of one row; images are complete unless `beforeColumns` or `afterColumns` name the ones that are there. */
export interface Change {
  readonly op: RowOp;
  readonly before?: Row;
  readonly after?: Row;
  readonly beforeColumns?: readonly number[];
  readonly afterColumns?: readonly number[];
  readonly flags?: number;
  readonly shape?: TableShape;
}

export const insert = (...after: Row): Change => ({ op: 'insert', after });
export const remove = (...before: Row): Change => ({ op: 'delete', before });
export const update = (before: Row, after: Row): Change => ({ op: 'update', before, after });

/** One transaction, one record a change. */
export function payloadOf(shape: TableShape, changes: readonly Change[]): Buffer {
  const writer = new PayloadWriter();
  writer.transaction(1, '0-1-1');
  for (const change of changes) {
    const own = change.shape ?? shape;
    const count = own.columns.length;
    const image = (row: Row | undefined, columns: readonly number[] | undefined) =>
      row === undefined
        ? Buffer.alloc(0)
        : columns === undefined
          ? imageOf(own.columns, row)
          : imageOf(
              columns.map((i) => own.columns[i] ?? int('?')),
              columns.map((i) => row[i] ?? null),
            );
    const data = Buffer.concat([
      image(change.before, change.beforeColumns),
      image(change.after, change.afterColumns),
    ]);
    const bitmap = (row: Row | undefined, columns: readonly number[] | undefined) =>
      row === undefined ? null : columns === undefined ? allPresent(count) : presentOnly(count, columns);
    writer.rawRows(
      own,
      change.op,
      change.flags ?? 0,
      1,
      bitmap(change.before, change.beforeColumns),
      bitmap(change.after, change.afterColumns),
      data,
      0,
      data.length,
    );
  }
  return writer.finish();
}
