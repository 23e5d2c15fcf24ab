/** SQL of the cases' tables and changes, for one server. */
import type { CaseServer } from '../column-types/column-type-case.ts';
import type { Cells, CellValue, Op, TableDef } from './key-case.ts';

/** Collations that not every server has, and what stands in for them there: equal for the strings of the cases. */
const STAND_INS: Readonly<Record<string, Readonly<Partial<Record<CaseServer, string>>>>> = {
  utf8mb4_0900_ai_ci: { mariadb: 'utf8mb4_unicode_520_nopad_ci' },
  utf8mb4_0900_as_cs: { mariadb: 'utf8mb4_nopad_bin' },
  utf8mb4_0900_bin: { mariadb: 'utf8mb4_nopad_bin' },
  utf8mb4_general_nopad_ci: { mysql: 'utf8mb4_0900_ai_ci' },
  utf8mb4_nopad_bin: { mysql: 'utf8mb4_0900_bin' },
  utf8mb4_uca1400_ai_ci: { mysql: 'utf8mb4_unicode_520_ci' },
  utf8mb4_uca1400_as_cs: { mysql: 'utf8mb4_bin' },
};

const quoted = (name: string): string => `\`${name.replaceAll('`', '``')}\``;

/** `a`, `a`(3), (expression) */
const part = (text: string): string => {
  if (text.startsWith('(')) return text;
  const [, name = text, prefix = ''] = /^(.*?)(\(\d+\))?$/.exec(text) ?? [];
  return `${quoted(name)}${prefix}`;
};

export function createTable(table: TableDef, flavour: CaseServer): string {
  const lines = table.columns.map(
    ({ name, type, nullable, extra }) =>
      `${quoted(name)} ${onServer(type, flavour)} ${nullable === true ? 'NULL' : 'NOT NULL'}${extra === undefined ? '' : ` ${extra}`}`,
  );
  if (table.primary.length > 0) lines.push(`PRIMARY KEY (${table.primary.map(part).join(', ')})`);
  for (const { name, parts } of table.unique ?? [])
    lines.push(`UNIQUE KEY ${quoted(name)} (${parts.map(part).join(', ')})`);
  for (const key of table.foreignKeys ?? []) {
    const own = key.columns.map(quoted).join(', ');
    const theirs = key.references.map(quoted).join(', ');
    lines.push(
      `FOREIGN KEY (${own}) REFERENCES ${quoted(key.table)} (${theirs})` +
        `${key.onDelete === undefined ? '' : ` ON DELETE ${key.onDelete}`}` +
        `${key.onUpdate === undefined ? '' : ` ON UPDATE ${key.onUpdate}`}`,
    );
  }
  return `CREATE TABLE ${quoted(table.name)} (${lines.join(', ')}) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 ROW_FORMAT=DYNAMIC`;
}

function onServer(type: string, flavour: CaseServer): string {
  return type.replace(/COLLATE (\w+)/, (all, name: string) => {
    const other = STAND_INS[name]?.[flavour];
    return other === undefined ? all : `COLLATE ${other}`;
  });
}

export function literal(value: CellValue): string {
  if (value === null) return 'NULL';
  if (typeof value === 'number') return String(value);
  if (typeof value === 'object') return value.sql;
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

export function statement(op: Op): string {
  switch (op.kind) {
    case 'insert': {
      const names = Object.keys(op.rows[0] ?? {});
      const rows = op.rows.map((row) => `(${names.map((name) => literal(row[name] ?? null)).join(', ')})`);
      return `INSERT INTO ${quoted(op.table)} (${names.map(quoted).join(', ')}) VALUES ${rows.join(', ')}`;
    }
    case 'update':
      return `UPDATE ${quoted(op.table)} SET ${assignments(op.set)} WHERE ${condition(op.where)}`;
    case 'delete':
      return `DELETE FROM ${quoted(op.table)} WHERE ${condition(op.where)}`;
    case 'sql':
      return op.text;
    default:
      return op satisfies never;
  }
}

function assignments(cells: Cells): string {
  return Object.entries(cells)
    .map(([name, value]) => `${quoted(name)} = ${literal(value)}`)
    .join(', ');
}

function condition(cells: Cells): string {
  const parts = Object.entries(cells).map(([name, value]) =>
    value === null ? `${quoted(name)} IS NULL` : `${quoted(name)} = ${literal(value)}`,
  );
  return parts.length === 0 ? '1 = 1' : parts.join(' AND ');
}
