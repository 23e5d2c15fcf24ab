/** Comparing two sets of rows: pure. */
import { canonicalJsonText } from './canonical-json.ts';
import type { Difference, VerifyTable } from './verify.ts';

export type Row = readonly (Buffer | null)[];

/** A difference with what both sides showed, so that a later look can tell rest from motion. */
export interface Finding {
  readonly key: Row;
  readonly kind: Difference['kind'];
  readonly columns: readonly string[];
  /** Changes when either side's row changes. */
  readonly signature: string;
}

/** Rows by their own bytes of the key. Source rows the filter holds back count as absent. */
export function compareRows(table: VerifyTable, source: readonly Row[], target: readonly Row[]): Finding[] {
  const expected = new Map<string, Row>();
  for (const row of source) {
    if (table.passes !== null && !table.passes(row)) continue;
    expected.set(keyText(table, row), row);
  }
  const findings: Finding[] = [];
  for (const row of target) {
    const text = keyText(table, row);
    const wanted = expected.get(text);
    if (wanted === undefined) {
      findings.push({
        key: keyOf(table, row),
        kind: 'unexpected',
        columns: [],
        signature: `>${rowText(table, row, 'target')}`,
      });
      continue;
    }
    expected.delete(text);
    const columns = table.columns.filter(
      (_, i) => valueText(table, wanted, i, 'source') !== valueText(table, row, i, 'target'),
    );
    if (columns.length > 0)
      findings.push({
        key: keyOf(table, row),
        kind: 'different',
        columns: columns.map((column) => column.target),
        signature: `${rowText(table, wanted, 'source')}>${rowText(table, row, 'target')}`,
      });
  }
  for (const row of expected.values())
    findings.push({
      key: keyOf(table, row),
      kind: 'missing',
      columns: [],
      signature: `${rowText(table, row, 'source')}>`,
    });
  return findings;
}

/** For tables without key: how often each row stands at either side. */
export function compareBags(table: VerifyTable, source: readonly Row[], target: readonly Row[]): Finding[] {
  const counts = new Map<string, { count: number; readonly row: Row }>();
  const add = (row: Row, side: 'source' | 'target', step: number) => {
    const text = rowText(table, row, side);
    const entry = counts.get(text);
    if (entry === undefined) counts.set(text, { count: step, row });
    else entry.count += step;
  };
  for (const row of source) if (table.passes === null || table.passes(row)) add(row, 'source', 1);
  for (const row of target) add(row, 'target', -1);
  const findings: Finding[] = [];
  for (const [signature, { count, row }] of counts)
    for (let i = 0; i < Math.abs(count); i++)
      findings.push({
        key: row.slice(0, table.columns.length),
        kind: count > 0 ? 'missing' : 'unexpected',
        columns: [],
        signature,
      });
  return findings;
}

/** For people: `id=5`, text as it reads, other bytes as 0x… */
export function formatKey(table: VerifyTable, finding: Finding): string {
  const indexes = table.key.length === 0 ? table.columns.map((_, i) => i) : table.key;
  return indexes
    .map((index, i) => `${table.columns[index]?.target ?? '?'}=${readable(finding.key[i] ?? null)}`)
    .join(', ');
}

function readable(value: Buffer | null): string {
  if (value === null) return 'NULL';
  const text = value.toString('utf8');
  return /^[\p{L}\p{N}\p{P}\p{S} ]*$/u.test(text) && !text.includes('\ufffd')
    ? text
    : `0x${value.toString('hex')}`;
}

function keyOf(table: VerifyTable, row: Row): Row {
  return table.key.map((index) => row[index] ?? null);
}

function keyText(table: VerifyTable, row: Row): string {
  return table.key.map((index) => textOf(row[index] ?? null)).join('');
}

function rowText(table: VerifyTable, row: Row, side: 'source' | 'target'): string {
  return table.columns.map((_, i) => valueText(table, row, i, side)).join('');
}

function valueText(table: VerifyTable, row: Row, index: number, side: 'source' | 'target'): string {
  const column = table.columns[index];
  if (side === 'source' && column?.source === null)
    return column.constant === null ? 'N' : textOf(Buffer.from(column.constant, 'utf8'));
  const value = row[index] ?? null;
  if (value === null || column === undefined) return textOf(value);
  switch (column.form) {
    case 'bytes':
      return textOf(value);
    case 'json':
      return textOf(Buffer.from(canonicalJsonText(value.toString('utf8'))));
    case 'unsigned-zero':
      return textOf(value.toString('latin1') === '-0' ? Buffer.from('0') : value);
    default:
      return column.form satisfies never;
  }
}

/** NULL differs from every value, the empty one too; the length keeps two values apart, whatever bytes they hold. */
function textOf(value: Buffer | null): string {
  return value === null ? 'N' : `V${value.length}:${value.toString('latin1')}`;
}
