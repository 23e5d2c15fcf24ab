/**
 * A comparison that shares nothing with Holt. Every table whole, rows in the order of their keys, HEX of every
 * column's text: two lists of lines that must be the same.
 */
import type { Database } from './database.ts';

export interface Comparison {
  readonly rows: number;
  /** Tables that differ, with the first row that does. */
  readonly differences: readonly string[];
}

export async function compareSchemas(
  a: Database,
  b: Database,
  schema: string,
  tables: readonly string[],
): Promise<Comparison> {
  let rows = 0;
  const differences: string[] = [];
  for (const table of tables) {
    const [left, right] = await Promise.all([content(a, schema, table), content(b, schema, table)]);
    rows += left.length;
    const at = left.findIndex((line, i) => line !== right[i]);
    if (at !== -1)
      differences.push(`${table}: row ${at + 1} differs (${left.length} and ${right.length} rows)`);
    else if (left.length !== right.length)
      differences.push(`${table}: ${left.length} and ${right.length} rows`);
  }
  return { rows, differences };
}

async function content(db: Database, schema: string, table: string): Promise<string[]> {
  const columns = await db.query<{ name: string; position: string | null }>(
    `SELECT c.COLUMN_NAME AS name, k.ORDINAL_POSITION AS position FROM information_schema.COLUMNS c
     LEFT JOIN information_schema.KEY_COLUMN_USAGE k ON k.TABLE_SCHEMA = c.TABLE_SCHEMA AND k.TABLE_NAME = c.TABLE_NAME
       AND k.COLUMN_NAME = c.COLUMN_NAME AND k.CONSTRAINT_NAME = 'PRIMARY'
     WHERE c.TABLE_SCHEMA = ? AND c.TABLE_NAME = ? ORDER BY c.ORDINAL_POSITION`,
    [schema, table],
  );
  const key = columns
    .filter((one) => one.position !== null)
    .sort((x, y) => Number(x.position) - Number(y.position));
  const hex = columns.map((one) => `IFNULL(HEX(CONCAT(\`${one.name}\`)), 'NULL')`).join(", ',', ");
  const order = (key.length > 0 ? key : columns).map((one) => `\`${one.name}\``).join(', ');
  const lines = await db.query<{ line: Buffer | string }>(
    `SELECT CONCAT(${hex}) AS line FROM \`${schema}\`.\`${table}\` ORDER BY ${order}`,
  );
  return lines.map((one) => one.line.toString());
}
