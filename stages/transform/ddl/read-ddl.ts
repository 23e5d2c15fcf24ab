/**
 * What a statement is and where its names stand.
 *
 * Read twice: by the grammar here, which knows both servers' words but only this far, and by a library that knows SQL but
 * neither server whole. What the grammar understands to its last token stands, unless the library reads the same statement with
 * other names: then nobody knows. What only the library understands stands if Select, too, finds the same tables changed.
 */
import type { DdlKind, SqlServer } from '../../../model/ddl-kind.ts';
import type { SourceStatement } from '../../../model/source-item.ts';
import { statementEffects, type TableName } from '../../select/ddl.ts';
import { executesComment, readSql, type SqlReading, type SqlToken } from '../../select/sql-tokens.ts';
import type { DdlRead, DdlReading, Feature, TablePlace } from './ddl.ts';
import { type GrammarReading, readByGrammar } from './ddl-grammar.ts';
import { type LibraryNames, namesByLibrary } from './library-names.ts';
import { ReadingNotes } from './reading-notes.ts';
import { NotUnderstood, placeOf } from './token-cursor.ts';

/** Longer statements are not read. */
const MAX_SQL_BYTES = 1024 * 1024;

/** `server` is the source, by which comments are executed or not; null where it is not known. */
export function readDdl(statement: SourceStatement, server: SqlServer | null): DdlRead {
  if (statement.nature !== 'ddl') return unreadable(`a statement of nature ${statement.nature}`);
  if (statement.sql.length > MAX_SQL_BYTES) return unreadable('a statement above 1 MiB');
  const effects = statementEffects(statement);
  const nothing = effects.find((effect) => effect.kind === 'none');
  if (nothing !== undefined && effects.every((effect) => effect.kind === 'none') && !hasTables(nothing.what))
    return { readable: true, kind: 'none', what: nothing.what };
  const readings = readSql(statement, server).map((reading) => readOne(statement, reading));
  const [first] = readings;
  if (first === undefined) return unreadable('nothing to read');
  const refused = readings.find((one) => !one.readable);
  if (refused !== undefined) return refused;
  if (readings.some((one) => shapeOf(one) !== shapeOf(first)))
    return unreadable(
      'it reads differently depending on the session or on the server, which the log does not tell',
    );
  return first;
}

/** What Select has no use for and DDL replication has. */
function hasTables(what: string): boolean {
  return /^(?:(?:CREATE|ALTER|DROP) (?:VIEW|DATABASE))$/.test(what);
}

function readOne(statement: SourceStatement, reading: SqlReading): DdlRead {
  const { tokens } = reading;
  if (tokens.some((token) => token.kind !== 'text' && token.text.includes('\ufffd')))
    return unreadable('a name is not in the character set of the session');
  let grammar: GrammarReading;
  try {
    grammar = readByGrammar(tokens, statement.schema);
  } catch (error) {
    if (!(error instanceof NotUnderstood)) throw error;
    const library = namesByLibrary(tokens);
    if (library === null) return unreadable(error.message);
    return byLibrary(statement, reading, library) ?? unreadable(error.message);
  }
  const { notes, kind } = grammar;
  const given = kind === 'create-view' || kind === 'alter-view' ? bareView(tokens) : tokens;
  // The library reads as MySQL does: words that only MariaDB has are names to it.
  const library = notes.features.some((one) => isOfMariadb(one)) ? null : namesByLibrary(given);
  const difference = library === null ? null : differenceOf(given, grammar, library);
  if (difference !== null) return unreadable(difference);
  if (grammar.queryAt !== null && library !== null) addQueryTables(given, notes, library, statement.schema);
  const knowsReads = grammar.queryAt === null || (library !== null && !library.intricate);
  return finish(statement, reading, kind, notes, knowsReads, library === null ? 'grammar' : 'both');
}

function isOfMariadb(feature: Feature): boolean {
  return !feature.known({ flavour: 'mysql', version: Number.MAX_SAFE_INTEGER });
}

/** CREATE VIEW … AS query, without what the library does not know around it. */
function bareView(tokens: readonly SqlToken[]): readonly SqlToken[] {
  const isWord = (index: number, ...words: readonly string[]): boolean => {
    const token = tokens[index];
    return token?.kind === 'word' && words.includes(token.text.toUpperCase());
  };
  const [verb] = tokens;
  const view = tokens.findIndex((_, index) => isWord(index, 'VIEW'));
  let end = tokens.length;
  while (tokens[end - 1]?.text === ';') end -= 1;
  if (isWord(end - 2, 'CHECK') && isWord(end - 1, 'OPTION'))
    end -= isWord(end - 3, 'CASCADED', 'LOCAL') ? 4 : 3;
  return verb === undefined ? [] : [{ ...verb, text: 'CREATE' }, ...tokens.slice(view, end)];
}

/** Null where both found the same names. */
function differenceOf(
  tokens: readonly SqlToken[],
  grammar: GrammarReading,
  library: LibraryNames,
): string | null {
  const { notes } = grammar;
  const byGrammar = new Set(
    notes.tables.filter((one) => one.use !== 'qualifier').map((one) => one.tableAt.start),
  );
  const byLibrary = new Set<number>();
  for (const one of library.tables) if (!one.inQuery) byLibrary.add(tokens[one.table]?.start ?? -1);
  for (const start of byLibrary) if (!byGrammar.has(start)) return differs(tokens, start, 'a table');
  for (const start of byGrammar) if (!byLibrary.has(start)) return differs(tokens, start, 'a table');
  if (grammar.queryAt !== null) return null;
  const columns = new Map(notes.columns.map((one) => [one.at.start, one]));
  const libraryColumns = new Set(library.columns.map((one) => tokens[one]?.start ?? -1));
  for (const start of libraryColumns) if (!columns.has(start)) return differs(tokens, start, 'a column');
  const behind = new Map(tokens.map((token, index) => [token.start, tokens[index + 1]?.text]));
  for (const [start, one] of columns) {
    // A key part with a length looks like the call of a function.
    const isPrefix = one.use === 'listed' && behind.get(start) === '(';
    if (one.certain && !isPrefix && !libraryColumns.has(start)) return differs(tokens, start, 'a column');
  }
  return null;
}

function differs(tokens: readonly SqlToken[], start: number, what: string): string {
  const text = tokens.find((token) => token.start === start)?.text ?? '';
  return `two readings differ over whether ${JSON.stringify(text)} is ${what}`;
}

function addQueryTables(
  tokens: readonly SqlToken[],
  notes: ReadingNotes,
  library: LibraryNames,
  sessionSchema: string,
): void {
  for (const one of library.tables) {
    const table = tokens[one.table];
    const schema = one.schema === null ? undefined : tokens[one.schema];
    if (!one.inQuery || table === undefined) continue;
    notes.addTable(
      schema === undefined ? null : placeOf(schema),
      placeOf(table),
      one.hasAlias ? 'read' : 'read-unnamed',
      'session',
      schema?.text ?? sessionSchema,
    );
  }
}

const KINDS: Readonly<Record<string, DdlKind>> = {
  CreateTable: 'create-table',
  AlterTable: 'alter-table',
  CreateIndex: 'create-index',
};

/** Of what the grammar does not understand; null where it is no safe reading either. */
function byLibrary(
  statement: SourceStatement,
  reading: SqlReading,
  library: LibraryNames,
): DdlReading | null {
  const kind = KINDS[library.statement];
  if (kind === undefined || library.tables.some((one) => one.inQuery)) return null;
  const { tokens } = reading;
  const notes = new ReadingNotes(statement.schema);
  for (const [index, one] of library.tables.entries()) {
    const table = tokens[one.table];
    const schema = one.schema === null ? undefined : tokens[one.schema];
    if (table === undefined) return null;
    const use = index > 0 ? 'referenced' : kind === 'create-table' ? 'created' : 'changed';
    notes.addTable(
      schema === undefined ? null : placeOf(schema),
      placeOf(table),
      use,
      index > 0 ? 'statement' : 'session',
      schema?.text ?? (index > 0 ? notes.tables[0]?.schema : undefined) ?? statement.schema,
    );
  }
  for (const one of library.columns) {
    const token = tokens[one];
    if (token !== undefined) notes.column(placeOf(token), 'listed', 0, { certain: false });
  }
  notes.feature('anything but what both flavours have');
  const read = finish(statement, reading, kind, notes, true, 'library');
  const sameChanges = statementEffects(statement).every(
    (effect) =>
      effect.kind === 'tables' &&
      effect.tables.length === read.changes.length &&
      effect.tables.every((table) => read.changes.some((one) => sameName(one, table))),
  );
  return sameChanges ? read : null;
}

function finish(
  statement: SourceStatement,
  reading: SqlReading,
  kind: DdlKind,
  notes: ReadingNotes,
  knowsReads: boolean,
  readBy: DdlReading['readBy'],
): DdlReading {
  const changes = notes.tables.filter((one) => changesIt(one));
  const reads = notes.tables.filter((one) => !changesIt(one) && one.use !== 'qualifier');
  return {
    readable: true,
    kind,
    sql: statement.sql,
    charset: statement.charset,
    sessionSchema: statement.schema,
    tables: notes.tables,
    columns: notes.columns,
    items: notes.items,
    cuts: notes.cuts,
    edges: reading.edges,
    database: notes.database,
    changes: once(changes),
    reads: knowsReads ? once(reads) : null,
    readBy,
    conditional: notes.conditional,
    features: [...notes.features, ...commentFeatures(reading)],
    utf8mb4: {
      stands: notes.hasUtf8mb4Alone ? 'alone' : 'with-collation',
      session: statement.session ?? {},
    },
  };
}

/** A comment that the source executed and the target would not, or the other way round, changes the statement. */
function commentFeatures(reading: SqlReading): Feature[] {
  const executed = reading.edges.filter((edge) => edge.opens).map((edge) => edge.condition);
  const feature = (condition: string, isExecuted: boolean): Feature => ({
    word: `/*${condition}`,
    known: (server) => executesComment(condition, server) === isExecuted,
    why: `the target ${isExecuted ? 'would pass over' : 'would execute'} the comment /*${condition} … */, unlike the source`,
  });
  return [
    ...[...new Set(executed)].map((one) => feature(one, true)),
    ...[...new Set(reading.passed)].map((one) => feature(one, false)),
  ];
}

function changesIt(place: TablePlace): boolean {
  switch (place.use) {
    case 'changed':
    case 'created':
    case 'dropped':
    case 'renamed':
    case 'renamed-to':
      return true;
    case 'read':
    case 'read-unnamed':
    case 'referenced':
    case 'qualifier':
      return false;
    default:
      return place.use satisfies never;
  }
}

function once(places: readonly TablePlace[]): TableName[] {
  const names = new Map<string, TableName>();
  for (const { schema, table } of places) names.set(JSON.stringify([schema, table]), { schema, table });
  return [...names.values()];
}

function sameName(a: TableName, b: TableName): boolean {
  return a.schema === b.schema && a.table === b.table;
}

/** What two readings of one statement have to have in common. */
function shapeOf(read: DdlRead): string {
  if (!read.readable || read.kind === 'none') return JSON.stringify(read);
  const { kind, tables, columns, items, cuts, database, features, utf8mb4 } = read;
  return JSON.stringify([
    kind,
    tables,
    columns,
    items,
    cuts,
    database,
    features.map((one) => one.word),
    utf8mb4.stands,
  ]);
}

function unreadable(why: string): DdlRead {
  return { readable: false, code: 'HOLT_DDL_UNREADABLE', why };
}
