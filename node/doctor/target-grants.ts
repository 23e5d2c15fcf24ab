import { quoteName, quoteTable } from '../../lib/sql-name.ts';
import type { TargetTable } from '../../stages/load/apply/target-table.ts';
import type { TargetSession } from '../../stages/load/target/target-connection.ts';
import { isDenied } from './server-facts.ts';

/**
 * Privileges that Load lacks on a table. Tried with EXPLAIN, for which servers ask the same privileges as for the
 * statement, and which changes nothing.
 */
export async function lacksOfTarget(session: TargetSession, table: TargetTable): Promise<readonly string[]> {
  const column = table.columns.find((one) => !one.generated);
  if (column === undefined) return [];
  const place = quoteTable(table.schema, table.name);
  const name = quoteName(column.name);
  const probes = [
    ['SELECT', `EXPLAIN SELECT ${name} FROM ${place} WHERE FALSE`],
    ['INSERT', `EXPLAIN INSERT INTO ${place} (${name}) VALUES (NULL)`],
    ['UPDATE', `EXPLAIN UPDATE ${place} SET ${name} = NULL WHERE FALSE`],
    ['DELETE', `EXPLAIN DELETE FROM ${place} WHERE FALSE`],
  ] as const;
  const lacks: string[] = [];
  for (const [privilege, statement] of probes) if (await isDenied(session, statement)) lacks.push(privilege);
  return lacks;
}
