import { randomBytes } from 'node:crypto';
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

/**
 * Privileges that schema changes lack in a schema. Tried on a table that does not exist, under a name that none has: servers look
 * at the privilege first.
 */
export async function lacksForSchemaChanges(
  session: TargetSession,
  schema: string,
): Promise<readonly string[]> {
  const name = `holt_doctor_${randomBytes(8).toString('hex')}`;
  const nowhere = quoteTable(schema, name);
  const probes = [
    ['CREATE', `CREATE TABLE ${nowhere} LIKE ${quoteTable(schema, `${name}_nowhere`)}`],
    ['ALTER', `ALTER TABLE ${nowhere} ENGINE = InnoDB`],
    ['DROP', `TRUNCATE TABLE ${nowhere}`],
    ['INDEX', `CREATE INDEX i ON ${nowhere} (a)`],
  ] as const;
  const lacks: string[] = [];
  for (const [privilege, statement] of probes) if (await isDenied(session, statement)) lacks.push(privilege);
  return lacks;
}
