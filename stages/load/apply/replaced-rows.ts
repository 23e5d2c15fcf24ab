import { PayloadReader, surveyPayload } from '../../../model/payload.ts';
import { ROW_FLAG } from '../../../model/rows.ts';

/**
 * The rows records (by where their images begin in the payload) whose deletions are a REPLACE's, at a source that logs what its foreign keys cascade to
 * (MySQL 9.6 and later). There REPLACE of a row leaves those that point to it as they are, whatever the foreign key says
 * (measured on 9.7): the target must not cascade, nor refuse. Other deletions come after those they cascade to, so that a target
 * finds nothing to cascade to, and may well look.
 *
 * A statement is told by the flag on its last event; what has inserts into the table that it deletes from is a REPLACE. So is, for all
 * that can be known, a statement whose end is in the next part of a large transaction.
 */
export function replacedRows(payload: Buffer): ReadonlySet<number> {
  const found = new Set<number>();
  if ((surveyPayload(payload).flags & ROW_FLAG.cascadesLogged) === 0) return found;
  /** Deletions of the statement at hand, by table. */
  let open: { readonly at: number; readonly table: number }[] = [];
  let inserts = new Set<number>();
  const end = () => {
    for (const one of open) if (inserts.has(one.table)) found.add(one.at);
    open = [];
    inserts = new Set();
  };
  const reader = new PayloadReader(payload);
  for (let kind = reader.next(); kind !== null; kind = reader.next()) {
    if (kind === 'transaction' || kind === 'xa-body') end();
    if (kind !== 'rows') continue;
    const { flags, op, table, dataStart } = reader;
    if ((flags & ROW_FLAG.cascadesLogged) === 0) continue;
    const isLast = (flags & ROW_FLAG.endOfStatement) !== 0;
    if (op === 'delete' && !isLast) open.push({ at: dataStart, table });
    if (op === 'insert' && open.length > 0) inserts.add(table);
    if (isLast) end();
  }
  for (const one of open) found.add(one.at);
  return found;
}
