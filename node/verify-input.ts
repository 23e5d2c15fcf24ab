/** What `verify` compares for a pipeline: its tables as they stand in both servers, with names and filters mapped. */

import type { VerifyColumn, VerifyTable } from '../jobs/verify/verify.ts';
import type { VerifyInput } from '../jobs/verify/verify-runs.ts';
import { HoltError } from '../lib/errors.ts';
import type { DataSourceConfig, PipelineConfig } from '../model/config.ts';
import { columnsOf, parseRowExpression } from '../model/row-expression.ts';
import { type ComparisonKind, compilePredicate } from '../model/row-predicate.ts';
import type { TableShape } from '../model/table-shape.ts';
import { targetError } from '../stages/load/target/error-classes.ts';
import { connectTarget } from '../stages/load/target/mysql2-connection.ts';
import { TableFilter } from '../stages/select/table-filter.ts';
import { TableMapping } from '../stages/transform/table-mapping.ts';
import { withSession } from './runtime/target-half.ts';

const SETUP_MS = 60_000;

interface SourceColumn {
  readonly name: string;
  readonly dataType: string;
  readonly charset: string | null;
  readonly generated: boolean;
}

interface SourceTable {
  readonly schema: string;
  readonly table: string;
  readonly columns: SourceColumn[];
  readonly key: string[];
}

/** @throws HOLT_VERIFY_PROCESSOR for a table that a user processor changes: what the target should have cannot be read anywhere. */
export async function verifyInput(
  pipeline: PipelineConfig,
  source: DataSourceConfig,
  target: DataSourceConfig,
): Promise<VerifyInput> {
  const signal = AbortSignal.timeout(SETUP_MS);
  const caseSensitive = await withSession(source, signal, async (session) => {
    const [row] = await session.rows('SELECT @@global.lower_case_table_names');
    return row?.[0]?.toString('latin1') === '0';
  });
  const filter = new TableFilter(pipeline.tables, { caseSensitive });
  const mapping = new TableMapping(pipeline.rules);
  const tables = await withSession(source, signal, async (session) => {
    const rows = await session.rows(
      `SELECT c.TABLE_SCHEMA, c.TABLE_NAME, c.COLUMN_NAME, c.DATA_TYPE, c.CHARACTER_SET_NAME, c.EXTRA, k.ORDINAL_POSITION
       FROM information_schema.COLUMNS c
       JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME AND t.TABLE_TYPE = 'BASE TABLE'
       LEFT JOIN information_schema.KEY_COLUMN_USAGE k ON k.TABLE_SCHEMA = c.TABLE_SCHEMA AND k.TABLE_NAME = c.TABLE_NAME
         AND k.COLUMN_NAME = c.COLUMN_NAME AND k.CONSTRAINT_NAME = 'PRIMARY'
       ORDER BY c.TABLE_SCHEMA, c.TABLE_NAME, c.ORDINAL_POSITION`,
    );
    return gather(rows.map((row) => row.map((value) => value?.toString('utf8') ?? null)));
  });
  const targetColumns = await withSession(target, signal, async (session) => {
    const losesSignOfZero = session.server.flavour === 'mariadb';
    const rows = await session.rows(
      'SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, CHARACTER_SET_NAME FROM information_schema.COLUMNS',
    );
    return new Map(
      rows.map((row) => {
        const [schema = '', table = '', name = '', dataType = '', charset = null] = row.map(
          (value) => value?.toString('utf8') ?? null,
        );
        return [
          columnId(schema, table, name),
          { dataType: (dataType ?? '').toLowerCase(), charset, losesSignOfZero },
        ];
      }),
    );
  });
  return {
    pipeline: pipeline.name,
    tables: tables
      .filter((one) => filter.matches(one.schema, one.table))
      .map((one) => verifyTable(one, mapping, targetColumns)),
    open: async () => {
      try {
        const left = await connectTarget(source, { session: { writes: false } });
        const right = await connectTarget(target, { session: { writes: false } });
        return {
          source: left,
          target: right,
          close: async () => {
            await Promise.all([left.close(), right.close()]);
          },
        };
      } catch (error) {
        throw targetError(error);
      }
    },
  };
}

function gather(rows: readonly (readonly (string | null)[])[]): SourceTable[] {
  const tables = new Map<string, SourceTable & { readonly order: Map<string, number> }>();
  for (const [
    schema = '',
    table = '',
    name = '',
    dataType = '',
    charset = null,
    extra = '',
    position = null,
  ] of rows) {
    const id = `${schema}\0${table}`;
    const known = tables.get(id) ?? {
      schema: schema ?? '',
      table: table ?? '',
      columns: [],
      key: [],
      order: new Map<string, number>(),
    };
    tables.set(id, known);
    const generated = /generated/i.test(extra ?? '') && !/default_generated/i.test(extra ?? '');
    known.columns.push({ name: name ?? '', dataType: (dataType ?? '').toLowerCase(), charset, generated });
    if (position !== null) known.order.set(name ?? '', Number(position));
  }
  return [...tables.values()].map(({ schema, table, columns, order }) => ({
    schema,
    table,
    columns,
    key: [...order].sort(([, a], [, b]) => a - b).map(([name]) => name),
  }));
}

interface TargetColumn {
  readonly dataType: string;
  readonly charset: string | null;
  readonly losesSignOfZero: boolean;
}

function columnId(schema: string | null, table: string | null, column: string | null): string {
  return `${schema}\0${table}\0${column}`.toLowerCase();
}

function verifyTable(
  table: SourceTable,
  mapping: TableMapping,
  targetColumns: ReadonlyMap<string, TargetColumn>,
): VerifyTable {
  const rule = mapping.ruleFor(table.schema, table.table);
  if (rule !== null && rule.processor !== null)
    throw new HoltError(
      'HOLT_VERIFY_PROCESSOR',
      `${table.schema}.${table.table} is changed by a user processor and cannot be compared`,
      {
        disposition: 'fatal',
        remedy: 'Verify the other tables through a pipeline without it.',
      },
    );
  // The route needs names only; types do not matter for it.
  const shape: TableShape = {
    schema: table.schema,
    table: table.table,
    columns: table.columns.map((column) => ({
      name: column.name,
      type: 0,
      meta: 0,
      nullable: true,
      unsigned: false,
      collation: 0,
      carrier: 'binlog',
      declared: null,
    })),
    key: [],
    hasPrimaryKey: table.key.length > 0,
  };
  const route = mapping.route(shape, 0);
  const columns = route.columns.flatMap((column): VerifyColumn[] => {
    if (column.kind === 'constant')
      return [
        {
          source: null,
          target: column.name,
          constant: column.text,
          form: 'bytes',
          dataType: 'varchar',
          charset: 'utf8mb4',
        },
      ];
    const own = table.columns[column.index];
    if (own === undefined || own.generated) return [];
    const there = targetColumns.get(columnId(route.schema, route.name, column.name));
    // The text of a document is compared as a document only where the other end holds no text but MySQL's own form of it.
    const isDocument = there !== undefined && (own.dataType === 'json') !== (there.dataType === 'json');
    const isFloat = own.dataType === 'float' || own.dataType === 'double';
    const converted =
      own.charset !== null && there !== undefined && there.charset !== null && own.charset !== there.charset;
    return [
      {
        source: own.name,
        target: column.name,
        constant: null,
        form: isDocument ? 'json' : isFloat && there?.losesSignOfZero === true ? 'unsigned-zero' : 'bytes',
        dataType: own.dataType,
        charset: own.charset,
        ...(converted && own.dataType !== 'enum' && own.dataType !== 'set' ? { converted } : {}),
      },
    ];
  });
  const key = table.key.map((name) => columns.findIndex((column) => column.source === name));
  const where = rule === null || rule.where === null ? null : parseRowExpression(rule.where);
  const named = where === null ? [] : [...columnsOf(where)];
  const filtered = named.map((name) => ({
    name,
    own: table.columns.find((one) => one.name.toLowerCase() === name.toLowerCase()),
  }));
  const filterColumns = filtered.map(({ name, own }) => ({ name, dataType: own?.dataType ?? '' }));
  const kinds = filtered.map(({ name, own }) => ({ name, kind: kindOf(own) }));
  const passes = where === null ? null : compilePredicate(where, kinds, `${table.schema}.${table.table}`);
  return {
    sourceSchema: table.schema,
    sourceTable: table.table,
    targetSchema: route.schema,
    targetTable: route.name,
    columns,
    // A key that is not carried whole is none at the target.
    key: key.includes(-1) ? [] : key,
    passes: passes === null ? null : (row) => passes((index) => row[columns.length + index] ?? null),
    filterColumns,
  };
}

const NUMERIC = new Set([
  'tinyint',
  'smallint',
  'mediumint',
  'int',
  'bigint',
  'decimal',
  'float',
  'double',
  'year',
  'bit',
  'enum',
  'set',
]);

function kindOf(column: SourceColumn | undefined): ComparisonKind {
  if (column === undefined) return 'bytes';
  if (NUMERIC.has(column.dataType)) return 'number';
  if (column.charset === 'latin1') return 'latin1';
  return column.charset === null ? 'bytes' : 'utf8';
}
