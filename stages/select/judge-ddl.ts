/**
 * What Select makes of a schema change: whether it concerns what the pipeline carries, and its kind, by which the policy says what becomes
 * of it. What cannot be read counts as concerning every table it mentions, and has the kind `other`.
 */
import type { DdlPolicyKind } from '../../model/ddl.ts';
import type { SqlServer } from '../../model/ddl-kind.ts';
import type { SourceStatement } from '../../model/source-item.ts';
import { readDdl } from '../transform/ddl/read-ddl.ts';
import { concernsReplicated, type ReplicatedTables } from './ddl.ts';

/** Null for what concerns nothing that is carried. */
export function judgeDdl(
  statement: SourceStatement,
  tables: ReplicatedTables,
  server: SqlServer,
): DdlPolicyKind | null {
  const read = readDdl(statement, server);
  const concerns = concernsReplicated(statement, tables);
  if (!read.readable || read.kind === 'none') return concerns ? 'other' : null;
  const changes =
    read.database === null
      ? read.changes.some(({ schema, table }) => tables.matches(schema, table))
      : tables.mayMatchSchema(read.database.text);
  return changes || concerns ? read.kind : null;
}
