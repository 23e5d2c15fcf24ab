/**
 * Splits a statement into tokens, far enough to find the names of tables. Not a parser of SQL: it knows comments, quotes, names,
 * numbers and single symbols.
 *
 * How quotes and comments read depends on the session's sql_mode and the server's version. Where those are not known, or
 * a comment is executed by some servers only, there is more than one reading, and whoever must not overlook anything
 * looks at all of them.
 */
import type { SqlServer } from '../../model/ddl-kind.ts';
import { type SqlChars, sqlChars } from './sql-chars.ts';

export interface SqlToken {
  /** `name`: quoted, never a keyword. `word`: bare. `either`: in double quotes, a name or a text as the session has it. */
  readonly kind: 'word' | 'name' | 'either' | 'text' | 'number' | 'symbol';
  readonly text: string;
  /** Bytes [start, end) of the statement, quotes included. */
  readonly start: number;
  readonly end: number;
}

export interface SqlSource {
  readonly sql: Buffer;
  readonly sqlMode: bigint | null;
  readonly charset: number | null;
}

/** One end of a comment whose content is part of the statement: bytes [start, end). */
export interface CommentEdge {
  readonly opens: boolean;
  readonly start: number;
  readonly end: number;
  /** What it says of servers: as written after the slash and star, such as `!50600` or `M!`; empty at the end. */
  readonly condition: string;
}

export interface SqlReading {
  readonly tokens: readonly SqlToken[];
  readonly edges: readonly CommentEdge[];
  /** Conditions of the comments that were passed over though other servers may execute them. */
  readonly passed: readonly string[];
}

const MODE_ANSI_QUOTES = 0x4n;
const MODE_NO_BACKSLASH_ESCAPES = 0x10_0000n;

interface Rules {
  readonly backslash: boolean;
  readonly doubleQuotes: 'text' | 'name' | 'either';
  /** Whether the content of a comment with this condition is part of the statement. */
  readonly executes: (condition: string) => boolean;
}

/** Every server that is read from executes comments up to this version. */
const OLDEST_VERSION = 50_600;

/** All ways to read the statement; nearly always one. */
export function sqlReadings(source: SqlSource): readonly (readonly SqlToken[])[] {
  return readSql(source, null).map((reading) => reading.tokens);
}

/** The same with the places of everything; of a known server there is one reading of comments. */
export function readSql(source: SqlSource, server: SqlServer | null): readonly SqlReading[] {
  const chars = sqlChars(source.sql, source.charset);
  const { sqlMode } = source;
  const doubleQuotes = sqlMode === null ? 'either' : (sqlMode & MODE_ANSI_QUOTES) !== 0n ? 'name' : 'text';
  const backslashes =
    sqlMode !== null
      ? [(sqlMode & MODE_NO_BACKSLASH_ESCAPES) === 0n]
      : chars.text.includes('\\')
        ? [true, false]
        : [true];
  return backslashes.flatMap((backslash) =>
    commentRules(chars.text, server).map((executes) =>
      tokenize(chars, { backslash, doubleQuotes, executes }),
    ),
  );
}

function commentRules(text: string, server: SqlServer | null): readonly Rules['executes'][] {
  if (server !== null) return [(condition) => executesComment(condition, server)];
  const all = (): boolean => true;
  const isOptional = (condition: string): boolean =>
    condition.startsWith('M') || Number(condition.slice(1)) > OLDEST_VERSION;
  const some = [...text.matchAll(CONDITIONS)].some((match) => isOptional(match[1] ?? ''));
  return some ? [all, (condition) => !isOptional(condition)] : [all];
}

/** Digits that are fewer than five are no version but part of the statement. */
const CONDITION = /\/\*(M?!(?:\d{5,6})?)/y;
const CONDITIONS = new RegExp(CONDITION.source, 'g');

/**
 * Whether a server takes the content of such a comment for part of the statement. MariaDB passes over what is meant for
 * MySQL 5.7 and later (https://mariadb.com/kb/en/comment-syntax/).
 */
export function executesComment(condition: string, server: SqlServer): boolean {
  const forMariadb = condition.startsWith('M');
  const version = Number(condition.slice(forMariadb ? 2 : 1));
  if (server.flavour === 'mysql') return !forMariadb && version <= server.version;
  if (!forMariadb && version >= 50_700 && version <= 99_999) return false;
  return version <= server.version;
}

const SPACE = /\s+/y;
const WORD = /[\p{L}\p{M}\p{N}_$\u0080-\u{10ffff}]+/uy;

function tokenize({ text, offsets }: SqlChars, rules: Rules): SqlReading {
  const tokens: SqlToken[] = [];
  const edges: CommentEdge[] = [];
  const passed: string[] = [];
  let insideComments = 0;
  let at = 0;
  const byteAt = (unit: number): number => (offsets === null ? unit : (offsets[unit] ?? 0));
  const push = (kind: SqlToken['kind'], value: string, end: number): void => {
    tokens.push({ kind, text: value, start: byteAt(at), end: byteAt(end) });
    at = end;
  };
  const match = (form: RegExp): RegExpExecArray | null => {
    form.lastIndex = at;
    return form.exec(text);
  };
  while (at < text.length) {
    const char = text[at] ?? '';
    const next = text[at + 1] ?? '';
    const space = match(SPACE);
    if (space !== null) {
      at += space[0].length;
    } else if (char === '#' || (char === '-' && next === '-' && /^(?:\s|$)/.test(text[at + 2] ?? ''))) {
      const end = text.indexOf('\n', at);
      at = end < 0 ? text.length : end + 1;
    } else if (char === '/' && next === '*') {
      const condition = match(CONDITION)?.[1];
      if (condition === undefined) {
        const end = text.indexOf('*/', at + 2);
        at = end < 0 ? text.length : end + 2;
      } else if (rules.executes(condition)) {
        insideComments += 1;
        const end = at + 2 + condition.length;
        edges.push({ opens: true, start: byteAt(at), end: byteAt(end), condition });
        at = end;
      } else {
        passed.push(condition);
        at = skipConditional(text, at + 2);
      }
    } else if (char === '*' && next === '/' && insideComments > 0) {
      insideComments -= 1;
      edges.push({ opens: false, start: byteAt(at), end: byteAt(at + 2), condition: '' });
      at += 2;
    } else if (char === '`') {
      push('name', ...quoted(text, at, '`', false));
    } else if (char === "'") {
      push('text', ...quoted(text, at, "'", rules.backslash));
    } else if (char === '"') {
      push(rules.doubleQuotes, ...quoted(text, at, '"', rules.doubleQuotes !== 'name' && rules.backslash));
    } else {
      const word = match(WORD)?.[0];
      if (word === undefined) push('symbol', char, at + 1);
      // Bare names may begin with digits, but not consist of them.
      else push(/^\d+$/.test(word) ? 'number' : 'word', word, at + word.length);
    }
  }
  return { tokens, edges, passed };
}

/** Behind a comment that is not executed though it could be: there a comment may stand within it. */
function skipConditional(text: string, start: number): number {
  let at = start;
  for (;;) {
    const end = text.indexOf('*/', at);
    if (end < 0) return text.length;
    const inner = text.indexOf('/*', at);
    if (inner < 0 || inner > end) return end + 2;
    const innerEnd = text.indexOf('*/', inner + 2);
    if (innerEnd < 0) return text.length;
    at = innerEnd + 2;
  }
}

/** What a backslash makes of the letter behind it; any other stands for itself (https://dev.mysql.com/doc/refman/9.7/en/string-literals.html). */
const ESCAPES: Readonly<Record<string, string>> = {
  '0': '\0',
  b: '\b',
  n: '\n',
  r: '\r',
  t: '\t',
  Z: '\x1a',
  '%': '\\%',
  _: '\\_',
};

/** Text between quotes and the place behind them; a doubled quote stands for itself. */
function quoted(text: string, start: number, quote: string, backslash: boolean): readonly [string, number] {
  const parts: string[] = [];
  let at = start + 1;
  // Looked for once and again only when passed: a text of a megabyte is not searched through at every quote.
  let escapeAt = backslash ? text.indexOf('\\', at) : -1;
  for (;;) {
    const end = text.indexOf(quote, at);
    if (escapeAt !== -1 && escapeAt < at) escapeAt = text.indexOf('\\', at);
    if (escapeAt !== -1 && (end === -1 || escapeAt < end)) {
      const escaped = text[escapeAt + 1] ?? '';
      parts.push(text.slice(at, escapeAt), ESCAPES[escaped] ?? escaped);
      at = escapeAt + 2;
    } else if (end === -1) {
      parts.push(text.slice(at));
      return [parts.join(''), text.length];
    } else {
      parts.push(text.slice(at, end));
      if (text[end + 1] !== quote) return [parts.join(''), end + 1];
      parts.push(quote);
      at = end + 2;
    }
  }
}
