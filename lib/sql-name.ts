import { HoltError } from './errors.ts';

/** A schema, table, column or key name in backticks. Throws for what no server takes as a name. */
export function quoteName(name: string): string {
  if (name.length === 0 || name.length > 64 || name.includes('\0'))
    throw new HoltError('HOLT_SQL_NAME_INVALID', `${JSON.stringify(name)} cannot be a name in SQL`, {
      disposition: 'pause',
    });
  return `\`${name.replaceAll('`', '``')}\``;
}

/** schema.table, both in backticks. */
export function quoteTable(schema: string, table: string): string {
  return `${quoteName(schema)}.${quoteName(table)}`;
}

/** A string literal that means the same in every sql_mode and character set: for names and other short UTF-8 text. */
export function quoteText(text: string): string {
  return `_utf8mb4 X'${Buffer.from(text, 'utf8').toString('hex')}'`;
}
