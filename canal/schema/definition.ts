/** A table's definition as text, for keeping; and rows that could not be decoded, once it is known. */
import { z } from 'zod';
import type { TableShape } from '../../model/table-shape.ts';
import type { TableMap } from '../event/event.ts';
import { compileRowScanner } from '../value/row-scanner.ts';
import { completeShape } from './complete-shape.ts';
import type { TableFacts } from './table-facts.ts';

const tableFacts = z.object({
  columns: z.array(
    z.object({
      name: z.string(),
      declared: z.string(),
      nullable: z.boolean().nullable(),
      octetLength: z
        .string()
        .regex(/^[0-9]+$/)
        .transform((text) => BigInt(text))
        .nullable(),
      collation: z.number(),
      charset: z.string().optional(),
    }),
  ),
  primaryKey: z.array(z.string()),
  uniqueKeys: z.array(
    z.object({
      name: z.string(),
      columns: z.array(z.string()),
      partial: z.boolean(),
      isHash: z.boolean().default(false),
    }),
  ),
  type: z.string().default(''),
  collation: z.number().optional(),
  charset: z.string().optional(),
  changedAt: z.number().nullable().optional(),
});

export function definitionText(facts: TableFacts): string {
  return JSON.stringify(facts, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}

/** Null for what is none, such as that of a later version. */
export function parseDefinition(text: string): TableFacts | null {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return null;
  }
  const parsed = tableFacts.safeParse(json);
  if (!parsed.success) return null;
  const { columns, collation, charset, changedAt, ...rest } = parsed.data;
  return {
    ...rest,
    columns: columns.map(({ charset: own, ...column }) => ({
      ...column,
      ...(own === undefined ? {} : { charset: own }),
    })),
    ...(charset === undefined ? {} : { charset }),
    ...(collation === undefined ? {} : { collation }),
    ...(changedAt === undefined ? {} : { changedAt }),
  };
}

/**
 * The shape of rows that were logged as `faulty` says, in a table that was defined so. Null where the two do not fit. The shape says that its rows have
 * not been extracted.
 */
export function repairedShape(faulty: TableShape, facts: TableFacts): TableShape | null {
  const { columns, schema, table, fault } = faulty;
  const map: TableMap = {
    tableId: 0,
    schema,
    table,
    columnCount: columns.length,
    types: columns.map(({ type }) => type),
    metas: columns.map(({ meta }) => meta),
    nullable: nullableBits(faulty),
    unsigned: fault?.knowsUnsigned === true ? columns.map(({ unsigned }) => unsigned) : null,
    // A stand-in has 0 where the log says nothing.
    collations: columns.map(({ collation }) => collation),
    names: null,
    primaryKey: null,
    enumValues: null,
    setValues: null,
    geometryTypes: null,
    visible: null,
    vectorDimensions: null,
    raw: Buffer.alloc(0),
  };
  const { shape, fault: still } = completeShape(map, facts);
  if (still !== null || !canScan(shape)) return null;
  return { ...shape, repaired: true };
}

function canScan(shape: TableShape): boolean {
  try {
    compileRowScanner(shape);
    return true;
  } catch {
    return false;
  }
}

function nullableBits({ columns }: TableShape): Uint8Array {
  const bits = new Uint8Array((columns.length + 7) >> 3);
  for (const [i, { nullable }] of columns.entries())
    if (nullable) bits[i >> 3] = (bits[i >> 3] ?? 0) | (1 << (i & 7));
  return bits;
}

/** Whether two shapes read the same bytes as the same values of the same columns. */
export function readsAlike(a: TableShape, b: TableShape): boolean {
  return JSON.stringify([a.columns, a.key]) === JSON.stringify([b.columns, b.key]);
}
