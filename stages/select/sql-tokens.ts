/**
 * Splits a statement into tokens, far enough to find the names of tables. Not a parser of SQL: it knows comments, quotes, names,
 * numbers and single symbols.
 *
 * How quotes and comments read depends on the session's sql_mode and the server's version. Where those are not known, or
 * a comment is executed by some servers only, there is more than one reading, and whoever must not overlook anything
 * looks at all of them.
 */
export interface SqlToken {
  /** `name`: quoted, never a keyword. `word`: bare. `either`: in double quotes, a name or a text as the session has it. */
  readonly kind: 'word' | 'name' | 'either' | 'text' | 'number' | 'symbol';
  readonly text: string;
}

export interface SqlSource {
  readonly sql: Buffer;
  readonly sqlMode: bigint | null;
  readonly charset: number | null;
}

const MODE_ANSI_QUOTES = 0x4n;
const MODE_NO_BACKSLASH_ESCAPES = 0x10_0000n;

interface Reading {
  readonly backslash: boolean;
  readonly doubleQuotes: 'text' | 'name' | 'either';
  /** Whether comments that only some servers execute are part of the statement. */
  readonly versioned: boolean;
}

/** Every server that is read from executes comments up to this version. */
const OLDEST_VERSION = 50_600;

/** All ways to read the statement; nearly always one. */
export function sqlReadings(source: SqlSource): readonly (readonly SqlToken[])[] {
  const text = decodeSql(source.sql, source.charset);
  const { sqlMode } = source;
  const doubleQuotes = sqlMode === null ? 'either' : (sqlMode & MODE_ANSI_QUOTES) !== 0n ? 'name' : 'text';
  const backslashes =
    sqlMode !== null
      ? [(sqlMode & MODE_NO_BACKSLASH_ESCAPES) === 0n]
      : text.includes('\\')
        ? [true, false]
        : [true];
  const versions = hasOptionalComment(text) ? [true, false] : [true];
  return backslashes.flatMap((backslash) =>
    versions.map((versioned) => tokenize(text, { backslash, doubleQuotes, versioned })),
  );
}

function hasOptionalComment(text: string): boolean {
  for (const [, maria, version] of text.matchAll(/\/\*(M?)!(\d*)/g))
    if (maria !== '' || Number(version) > OLDEST_VERSION) return true;
  return false;
}

function tokenize(text: string, reading: Reading): SqlToken[] {
  const tokens: SqlToken[] = [];
  /** Ends of comments whose content is part of the statement. */
  let insideComments = 0;
  let at = 0;
  while (at < text.length) {
    const char = text[at] ?? '';
    const next = text[at + 1] ?? '';
    if (/\s/.test(char)) {
      at += 1;
    } else if (char === '#' || (char === '-' && next === '-' && /^(?:\s|$)/.test(text[at + 2] ?? ''))) {
      const end = text.indexOf('\n', at);
      at = end < 0 ? text.length : end + 1;
    } else if (char === '/' && next === '*') {
      const executed = /^\/\*(M?)!(\d{0,6})/.exec(text.slice(at, at + 12));
      const optional = executed !== null && (executed[1] !== '' || Number(executed[2]) > OLDEST_VERSION);
      if (executed !== null && (!optional || reading.versioned)) {
        insideComments += 1;
        at += executed[0].length;
      } else {
        const end = text.indexOf('*/', at + 2);
        at = end < 0 ? text.length : end + 2;
      }
    } else if (char === '*' && next === '/' && insideComments > 0) {
      insideComments -= 1;
      at += 2;
    } else if (char === '`') {
      const [name, end] = quoted(text, at, '`', false);
      tokens.push({ kind: 'name', text: name });
      at = end;
    } else if (char === "'") {
      const [value, end] = quoted(text, at, "'", reading.backslash);
      tokens.push({ kind: 'text', text: value });
      at = end;
    } else if (char === '"') {
      const [value, end] = quoted(text, at, '"', reading.doubleQuotes !== 'name' && reading.backslash);
      tokens.push({ kind: reading.doubleQuotes, text: value });
      at = end;
    } else {
      const word = /^[\p{L}\p{M}\p{N}_$\u0080-\u{10ffff}]+/u.exec(text.slice(at, at + 512))?.[0];
      if (word === undefined) {
        tokens.push({ kind: 'symbol', text: char });
        at += 1;
      } else {
        // Bare names may begin with digits, but not consist of them.
        tokens.push({ kind: /^\d+$/.test(word) ? 'number' : 'word', text: word });
        at += word.length;
      }
    }
  }
  return tokens;
}

/** Text between quotes and the place behind them; a doubled quote stands for itself. */
function quoted(text: string, start: number, quote: string, backslash: boolean): readonly [string, number] {
  let value = '';
  let at = start + 1;
  while (at < text.length) {
    const char = text[at] ?? '';
    if (backslash && char === '\\') {
      value += text[at + 1] ?? '';
      at += 2;
    } else if (char !== quote) {
      value += char;
      at += 1;
    } else if (text[at + 1] === quote) {
      value += quote;
      at += 2;
    } else return [value, at + 1];
  }
  return [value, at];
}

/**
 * Character sets by the collation ids that clients use, where they are not UTF-8 (source: information_schema.COLLATIONS
 * of MySQL 9.7 and MariaDB 10.11). Anything else that is not ASCII decodes to U+FFFD, which nobody takes for a known name.
 */
const ENCODINGS: readonly (readonly [string, readonly number[]])[] = [
  ['windows-1252', [5, 8, 15, 31, 47, 48, 49, 94]],
  ['iso-8859-2', [2, 9, 21, 27, 77]],
  ['windows-1251', [14, 23, 50, 51, 52]],
  ['windows-1250', [26, 34, 44, 66, 99]],
  ['koi8-r', [7, 74]],
  ['gbk', [28, 87, 24, 86]],
  ['gb18030', [248, 249, 250]],
  ['big5', [1, 84]],
  ['shift_jis', [13, 88, 95, 96]],
  ['euc-jp', [12, 91, 97, 98]],
  ['euc-kr', [19, 85]],
];

function decodeSql(sql: Buffer, charset: number | null): string {
  const encoding = ENCODINGS.find(([, ids]) => charset !== null && ids.includes(charset))?.[0];
  return encoding === undefined ? sql.toString('utf8') : new TextDecoder(encoding).decode(sql);
}
