/**
 * Where each table of a batch goes: names and columns changed by description, the rows untouched.
 *
 * Pure, and a function of config and shape alone: a rewind maps the same way again.
 */
import { HoltError } from '../../lib/errors.ts';
import { wildcard } from '../../lib/wildcard.ts';
import type { TableRuleConfig } from '../../model/config.ts';
import type { RouteColumn, TableRoute } from '../../model/table-route.ts';
import type { TableShape } from '../../model/table-shape.ts';

interface CompiledRule {
  readonly matches: (name: string) => boolean;
  readonly rule: TableRuleConfig;
}

export class TableMapping {
  readonly #rules: readonly CompiledRule[];

  constructor(rules: readonly TableRuleConfig[]) {
    this.#rules = rules.map((rule) => ({ matches: wildcard(rule.match), rule }));
  }

  /** The first rule that matches the source's names. */
  ruleFor(schema: string, table: string): TableRuleConfig | null {
    return this.#rules.find((one) => one.matches(`${schema}.${table}`))?.rule ?? null;
  }

  /** Throws HOLT_MAPPING_COLUMN_MISSING when the rule names a column the table does not have. */
  route(shape: TableShape, table: number): TableRoute {
    const rule = this.ruleFor(shape.schema, shape.table);
    if (rule === null) return { table, schema: shape.schema, name: shape.table, columns: sameColumns(shape) };
    const { rename, drop, order, constant } = rule.columns;
    const known = new Set(shape.columns.map((column) => column.name));
    for (const name of [...Object.keys(rename), ...drop])
      if (!known.has(name)) throw missing(shape, rule, name, 'names the source column');
    const columns: RouteColumn[] = [];
    for (const [index, column] of shape.columns.entries()) {
      if (column.hidden === true || drop.includes(column.name)) continue;
      const name = rename[column.name] ?? column.name;
      // A constant stands in for the column of that name: the source's value is dropped.
      if (!(name in constant)) columns.push({ kind: 'column', name, index });
    }
    for (const [name, text] of Object.entries(constant)) columns.push({ kind: 'constant', name, text });
    return {
      table,
      schema: rule.to.schema ?? shape.schema,
      name: rule.to.table ?? shape.table,
      columns: order === null ? columns : ordered(columns, order, shape, rule),
    };
  }
}

/** Every column under its own name, but for those that only a server can make. */
function sameColumns(shape: TableShape): RouteColumn[] {
  return shape.columns.flatMap((column, index) =>
    column.hidden === true ? [] : [{ kind: 'column' as const, name: column.name, index }],
  );
}

/** The columns named in `order` first, in that order, then the others as they were. */
function ordered(
  columns: readonly RouteColumn[],
  order: readonly string[],
  shape: TableShape,
  rule: TableRuleConfig,
): RouteColumn[] {
  const first = order.map((name) => {
    const column = columns.find((one) => one.name === name);
    if (column === undefined) throw missing(shape, rule, name, 'orders the target column');
    return column;
  });
  return [...first, ...columns.filter((one) => !order.includes(one.name))];
}

function missing(shape: TableShape, rule: TableRuleConfig, column: string, what: string): HoltError {
  return new HoltError(
    'HOLT_MAPPING_COLUMN_MISSING',
    `the rule for ${rule.match} ${what} ${column}, which ${shape.schema}.${shape.table} does not have`,
    {
      disposition: 'pause',
      remedy:
        'Correct the rule, or narrow its pattern to the tables that have the column; then resume the pipeline.',
      facts: { table: `${shape.schema}.${shape.table}`, column, rule: rule.match },
    },
  );
}
