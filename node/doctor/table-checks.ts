/** What stands against replicating one table, all at once. Pure: functions of the table at both sides and the pipeline's rules. */
import { HoltError } from '../../lib/errors.ts';
import type { TableRuleConfig } from '../../model/config.ts';
import { parseRowExpression } from '../../model/row-expression.ts';
import type { TableRoute } from '../../model/table-route.ts';
import type { TableShape } from '../../model/table-shape.ts';
import { RowFilter } from '../../stages/extract/row-filter.ts';
import { planTable, type TablePlan } from '../../stages/load/apply/table-plan.ts';
import type { TargetTable } from '../../stages/load/apply/target-table.ts';
import { type Finding, failure, ok, warning } from './finding.ts';

export interface TableAtBothSides {
  /** What the lines are about, such as `shop.orders (pipeline shop)`. */
  readonly about: string;
  readonly shape: TableShape;
  readonly route: TableRoute;
  readonly target: TargetTable;
}

/** Problems as findings; a table that fits gives notes only, or nothing. */
export function tableFindings(table: TableAtBothSides): readonly Finding[] {
  const { about, shape } = table;
  const { refusals, plan } = planBeyondRefusals(table);
  const findings = refusals.map((error) => failure(about, error));
  if (shape.key.length === 0)
    findings.push(
      warning({
        code: 'HOLT_TABLE_WITHOUT_KEY',
        about,
        message: `${shape.schema}.${shape.table} has no primary key at the source, and no unique key without NULL`,
      }),
    );
  if (plan === null) return findings;
  const place = `${plan.target.schema}.${plan.target.name}`;
  if (plan.identity.length === 0 && shape.key.length > 0)
    findings.push(
      warning({
        code: 'HOLT_TARGET_KEY_MISSING',
        about,
        message: `${place} at the target has no unique key of columns that are carried and NOT NULL: each change looks through the whole table`,
      }),
    );
  if (plan.secondaryKeys.length > 0)
    findings.push(
      ok(
        about,
        `further unique keys at the target (${plan.secondaryKeys.map((key) => key.name).join(', ')}): changes that move a value between rows are written in the source's order`,
      ),
    );
  return findings;
}

/**
 * `planTable` gives its first objection. Each is noted and taken out of the way, until a plan stands or nothing can be taken
 * away any more.
 */
function planBeyondRefusals({ shape, route, target }: TableAtBothSides): {
  readonly refusals: readonly HoltError[];
  readonly plan: TablePlan | null;
} {
  const refusals: HoltError[] = [];
  let tried: { readonly route: TableRoute; readonly target: TargetTable } = { route, target };
  for (;;) {
    try {
      return { refusals, plan: planTable(shape, tried.route, tried.target) };
    } catch (error) {
      if (!(error instanceof HoltError)) throw error;
      refusals.push(error);
      const next = without(error, tried.route, tried.target);
      if (next === null) return { refusals, plan: null };
      tried = next;
    }
  }
}

/** The same table as if what the error names were mended. Each step makes one refusal impossible, so that they end. */
function without(
  error: HoltError,
  route: TableRoute,
  target: TargetTable,
): { readonly route: TableRoute; readonly target: TargetTable } | null {
  const column = typeof error.facts.column === 'string' ? error.facts.column.toLowerCase() : null;
  switch (error.code) {
    case 'HOLT_TARGET_ENGINE':
      return { route, target: { ...target, engine: 'InnoDB' } };
    case 'HOLT_TARGET_TRIGGER':
      return { route, target: { ...target, triggers: [] } };
    case 'HOLT_TARGET_COLUMN_MISSING':
    case 'HOLT_TARGET_COLUMN_TYPE': {
      if (column === null) return null;
      const columns = route.columns.filter((one) => one.name.toLowerCase() !== column);
      // A column that does not fit is there all the same: it is not one that nobody fills.
      const kept = target.columns.map((one) =>
        one.name.toLowerCase() === column ? { ...one, hasDefault: true } : one,
      );
      return { route: { ...route, columns }, target: { ...target, columns: kept } };
    }
    case 'HOLT_TARGET_COLUMN_UNFILLED':
      return column === null
        ? null
        : {
            route,
            target: {
              ...target,
              columns: target.columns.map((one) =>
                one.name.toLowerCase() === column ? { ...one, hasDefault: true } : one,
              ),
            },
          };
    default:
      return null;
  }
}

export interface RowSizes {
  readonly about: string;
  /** Declared type, and largest size where the type has one. */
  readonly columns: readonly { readonly declared: string; readonly octetLength: bigint | null }[];
  /** Of the table's data at the source, as the server estimates it. */
  readonly dataBytes: bigint;
  /** max_allowed_packet at both sides. */
  readonly sourcePacket: bigint;
  readonly targetPacket: bigint;
}

/** Escaped, a value takes up to twice its bytes in a statement. */
const ESCAPED = 2n;
const UNBOUNDED =
  /^(?:json|geometry|geomcollection|geometrycollection|(?:multi)?(?:point|linestring|polygon)|vector)/i;

/** Warns of a table that may have rows too large for a statement at the target: its columns allow it, and it has as much data. */
export function rowSizeFindings(sizes: RowSizes): readonly Finding[] {
  const { about, columns, dataBytes, sourcePacket, targetPacket } = sizes;
  let largest = 0n;
  for (const { declared, octetLength } of columns) {
    const octets = octetLength ?? (UNBOUNDED.test(declared) ? sourcePacket : 0n);
    largest += octets < sourcePacket ? octets : sourcePacket;
  }
  if (largest * ESCAPED <= targetPacket || dataBytes * ESCAPED <= targetPacket) return [];
  return [
    warning({
      code: 'HOLT_TARGET_ROW_TOO_LARGE',
      about,
      message: `a row can make a statement larger than the target takes (max_allowed_packet is ${targetPacket}): its change would go to the ledger`,
    }),
  ];
}

/** Whether the rule's row filter can be asked of the table's rows. */
export function filterFindings(about: string, shape: TableShape, rule: TableRuleConfig): readonly Finding[] {
  if (rule.where === null) return [];
  try {
    new RowFilter(shape, parseRowExpression(rule.where));
    return [];
  } catch (error) {
    return [failure(about, error)];
  }
}
