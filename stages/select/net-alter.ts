/** The ALTERs of a ghost table as one ALTER of the table whose ghost it is. */
import type { SqlServer } from '../../model/ddl-kind.ts';
import type { SourceStatement, StatementSession } from '../../model/source-item.ts';
import type { DdlReading } from '../transform/ddl/ddl.ts';
import { readDdl } from '../transform/ddl/read-ddl.ts';
import { editText } from '../transform/ddl/text-edits.ts';
import type { TableName } from './ddl.ts';
import { encodeName } from './sql-chars.ts';

export type NetAlter =
  | { readonly kind: 'sql'; readonly statement: SourceStatement }
  | { readonly kind: 'unclear'; readonly why: string };

/**
 * One statement stays as it was written, but for the name. Of several the specifications are strung together, which means the same as one
 * after the other as long as no two of them are about one column, and all were written in sessions alike.
 */
export function netAlter(
  alters: readonly SourceStatement[],
  table: TableName,
  server: SqlServer | null,
): NetAlter {
  const readings: DdlReading[] = [];
  for (const one of alters) {
    const read = readDdl(one, server);
    if (!read.readable || read.kind === 'none')
      return unclear('an ALTER of the ghost cannot be read any more');
    readings.push(read);
  }
  const [first] = alters;
  const [reading, ...others] = readings;
  const place = reading?.tables[0];
  if (first === undefined || reading === undefined || place === undefined)
    return unclear('there is no ALTER');
  if (alters.some((one) => !isAlike(one, first)))
    return unclear('the ALTERs of the ghost were written in sessions that differ');
  const twice = others.length > 0 ? columnOfTwo(readings) : null;
  if (twice !== null) return unclear(`more than one ALTER of the ghost is about the column ${twice}`);
  const name = [table.schema, table.table].map((part) => `\`${part.replaceAll('`', '``')}\``).join('.');
  const bytes = encodeName(name, first.charset);
  if (bytes === null) return unclear(`the name ${name} cannot be written in the character set of the ALTER`);
  const start = (place.schemaAt ?? place.tableAt).start;
  const head = editText(first.sql, [], [{ start, end: place.tableAt.end, bytes }]);
  if (others.length === 0) return { kind: 'sql', statement: { ...first, sql: head } };
  const parts = [withoutEnd(head)];
  for (const other of others) {
    const specifications = other.items.filter((item) => item.within === null);
    const [begin, end] = [specifications[0]?.start, specifications.at(-1)?.end];
    if (begin === undefined || end === undefined || other.edges.length > 0)
      return unclear('an ALTER of the ghost has more than a list of specifications');
    parts.push(other.sql.subarray(begin, end));
  }
  return {
    kind: 'sql',
    statement: {
      ...first,
      sql: Buffer.concat(parts.flatMap((part, i) => (i === 0 ? [part] : [COMMA, part]))),
    },
  };
}

const COMMA = Buffer.from(', ');

function isAlike(a: SourceStatement, b: SourceStatement): boolean {
  return (
    a.sqlMode === b.sqlMode &&
    a.charset === b.charset &&
    JSON.stringify(timeless(a.session)) === JSON.stringify(timeless(b.session))
  );
}

/** They were begun one after the other. */
function timeless(session: StatementSession | undefined): unknown {
  return session === undefined ? null : { ...session, timestamp: null, microseconds: null };
}

function columnOfTwo(readings: readonly DdlReading[]): string | null {
  const seen = new Map<string, number>();
  for (const [index, { columns }] of readings.entries())
    for (const { at } of columns) {
      const before = seen.get(at.text.toLowerCase());
      if (before !== undefined && before !== index) return at.text;
      seen.set(at.text.toLowerCase(), index);
    }
  return null;
}

/** Without a semicolon and what follows it. */
function withoutEnd(sql: Buffer): Buffer {
  return Buffer.from(sql.toString('latin1').replace(/[\s;]+$/, ''), 'latin1');
}

function unclear(why: string): NetAlter {
  return { kind: 'unclear', why };
}
