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
  /** Whether it may match some table of the schema. */
  readonly touches: (schema: string) => boolean;
  /** Whether it matches every table of a schema that it touches. */
  readonly wholeSchema: boolean;
  /** Whether it may match more tables than one. */
  readonly isPattern: boolean;
}

/** Where a schema as a whole goes; `unclear` when its tables do not all go to one, or others go there, too. */
export type SchemaRoute =
  | { readonly kind: 'to'; readonly schema: string }
  | { readonly kind: 'unclear'; readonly why: string };

export class TableMapping {
  readonly #rules: readonly CompiledRule[];

  constructor(rules: readonly TableRuleConfig[]) {
    this.#rules = rules.map((rule) => {
      const [schema = '', ...table] = rule.match.split('.');
      return {
        matches: wildcard(rule.match),
        rule,
        // A pattern is matched against schema.table as one text: * may stand for the dot as well.
        touches: table.length === 0 || schema.includes('*') ? () => true : wildcard(schema),
        wholeSchema: /^\*+$/.test(table.length === 0 ? schema : table.join('.')),
        isPattern: /[*?]/.test(rule.match),
      };
    });
  }

  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  /** True when a rule gives one name at the target to whatever of several tables comes. */
  mergesTables(schema: string, table: string): boolean {
    const found = this.#rules.find((one) => one.matches(`${schema}.${table}`));
    return found?.isPattern === true && found.rule.to.table !== null;
  }

  schemaRoute(schema: string): SchemaRoute {
    const touching = this.#rules.filter((one) => one.touches(schema));
    const until = touching.findIndex((one) => one.wholeSchema);
    const counting = until === -1 ? touching : touching.slice(0, until + 1);
    const targets = new Set(counting.map((one) => one.rule.to.schema ?? schema));
    if (until === -1) targets.add(schema);
    const [target] = targets;
    if (target === undefined || targets.size > 1)
      return { kind: 'unclear', why: `the rules send the tables of ${schema} to several schemas` };
    const others = this.#rules.find(
      (one) =>
        (one.rule.to.schema ?? null) === target &&
        !(one.wholeSchema && one.rule.match.startsWith(`${schema}.`)),
    );
    if (others !== undefined && target !== schema)
      return {
        kind: 'unclear',
        why: `the rule for ${others.rule.match} sends tables of other schemas to ${target}`,
      };
    if (others !== undefined)
      return { kind: 'unclear', why: `the rule for ${others.rule.match} sends tables to ${target}` };
    return { kind: 'to', schema: target };
  }

  /** The first rule that matches the source's names. */
  ruleFor(schema: string, table: string): TableRuleConfig | null {
    return this.#rules.find((one) => one.matches(`${schema}.${table}`))?.rule ?? null;
  }

  /** Where a table's rows go. */
  target(schema: string, table: string): { readonly schema: string; readonly table: string } {
    const to = this.ruleFor(schema, table)?.to;
    return { schema: to?.schema ?? schema, table: to?.table ?? table };
  }

  /** Throws HOLT_MAPPING_COLUMN_MISSING when the rule names a column the table does not have. */
  route(shape: TableShape, table: number): TableRoute {
    if (shape.fault !== undefined) {
      // Its columns are stand-ins: only where it goes is known.
      const to = this.target(shape.schema, shape.table);
      return { table, schema: to.schema, name: to.table, columns: [] };
    }
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
      ...(rule.triggers === undefined ? {} : { triggers: rule.triggers }),
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
