/**
 * Options of a table and its partitioning.
 *
 *     option       := [DEFAULT] word ["="] value | UNION ["="] "(" table, … ")" | …
 *     partitioning := PARTITION BY [LINEAR] (HASH | KEY | RANGE | LIST | SYSTEM_TIME) … [PARTITIONS n] [SUBPARTITION BY …] ["(" definition, … ")"]
 *
 * Source: https://dev.mysql.com/doc/refman/9.7/en/create-table.html, https://mariadb.com/kb/en/partitioning-types-overview/
 */
import { readCharset, readOptionValue } from './column-grammar.ts';
import { readExpression } from './expression-names.ts';
import type { ReadingNotes } from './reading-notes.ts';
import { engineFeature } from './server-features.ts';
import type { TokenCursor } from './token-cursor.ts';

/** Options of both flavours that take a value with or without a sign. */
const COMMON = new Set(
  `AUTO_INCREMENT AVG_ROW_LENGTH CHECKSUM TABLE_CHECKSUM COMMENT CONNECTION DELAY_KEY_WRITE INSERT_METHOD KEY_BLOCK_SIZE MAX_ROWS MIN_ROWS
   PACK_KEYS PASSWORD ROW_FORMAT STATS_AUTO_RECALC STATS_PERSISTENT STATS_SAMPLE_PAGES`.split(/\s+/),
);
const OF_MYSQL = new Set(
  'AUTOEXTEND_SIZE COMPRESSION ENCRYPTION ENGINE_ATTRIBUTE SECONDARY_ENGINE_ATTRIBUTE SECONDARY_ENGINE NODEGROUP'.split(
    ' ',
  ),
);
const OF_MARIADB = new Set(
  'PAGE_CHECKSUM TRANSACTIONAL SEQUENCE PAGE_COMPRESSED PAGE_COMPRESSION_LEVEL ENCRYPTED ENCRYPTION_KEY_ID IETF_QUOTES'.split(
    ' ',
  ),
);

/** One option, if one stands there. */
export function readTableOption(cursor: TokenCursor, notes: ReadingNotes): boolean {
  const start = cursor.at;
  const isDefault = cursor.word('DEFAULT');
  if (readCharset(cursor, notes)) return true;
  if (isDefault && cursor.peekWord() !== 'ENCRYPTION') {
    cursor.back(start);
    return false;
  }
  if (cursor.words('WITH', 'SYSTEM', 'VERSIONING')) {
    notes.feature('system versioning or periods');
    return true;
  }
  if (cursor.words('DATA', 'DIRECTORY') || cursor.words('INDEX', 'DIRECTORY')) {
    cursor.symbol('=');
    cursor.expectText();
    return true;
  }
  if (cursor.word('UNION')) {
    cursor.symbol('=');
    cursor.expectSymbol('(');
    if (!cursor.peekSymbol(')'))
      do {
        notes.table(cursor, 'read');
      } while (cursor.symbol(','));
    cursor.expectSymbol(')');
    return true;
  }
  if (cursor.word('TABLESPACE')) {
    notes.feature('a table option of MySQL');
    cursor.symbol('=');
    cursor.name();
    if (cursor.word('STORAGE')) cursor.expectWord('DISK', 'MEMORY', 'DEFAULT');
    return true;
  }
  if (cursor.words('STORAGE', 'DISK') || cursor.words('STORAGE', 'MEMORY')) return true;
  if (cursor.word('ENGINE', 'TYPE')) {
    cursor.symbol('=');
    notes.feature(engineFeature(cursor.peek()?.text ?? ''));
    readOptionValue(cursor);
    return true;
  }
  const word = cursor.peekWord();
  if (word !== null && COMMON.has(word)) {
    cursor.take();
    cursor.symbol('=');
    readOptionValue(cursor);
    return true;
  }
  if (word !== null && OF_MYSQL.has(word)) {
    notes.feature('a table option of MySQL');
    cursor.take();
    cursor.symbol('=');
    readOptionValue(cursor);
    return true;
  }
  const known = word !== null && OF_MARIADB.has(word);
  // MariaDB: whatever an engine takes, but never without the sign.
  if (known || (cursor.isName() && cursor.peekSymbol('=', 1) && word !== 'ALGORITHM' && word !== 'LOCK')) {
    notes.feature('a table or column option of MariaDB');
    cursor.take();
    if (!cursor.symbol('=') && !known) cursor.fail();
    readOptionValue(cursor);
    return true;
  }
  cursor.back(start);
  return false;
}

/** From PARTITION BY on. */
export function readPartitioning(cursor: TokenCursor, notes: ReadingNotes, table: number): void {
  cursor.expectWord('PARTITION');
  cursor.expectWord('BY');
  readScheme(cursor, notes, table);
  if (cursor.word('PARTITIONS')) cursor.expectNumber();
  if (cursor.words('SUBPARTITION', 'BY')) {
    readScheme(cursor, notes, table);
    if (cursor.word('SUBPARTITIONS')) cursor.expectNumber();
  }
  if (cursor.peekSymbol('(')) readPartitionList(cursor, notes);
}

function readScheme(cursor: TokenCursor, notes: ReadingNotes, table: number): void {
  cursor.word('LINEAR');
  if (cursor.word('SYSTEM_TIME')) {
    notes.feature('system versioning or periods');
    if (cursor.word('LIMIT')) cursor.expectNumber();
    else if (cursor.word('INTERVAL')) {
      if (!cursor.text()) cursor.expectNumber();
      cursor.anyWord();
      if (cursor.word('STARTS')) readStarts(cursor);
    }
    cursor.word('AUTO');
    return;
  }
  if (cursor.word('KEY')) {
    if (cursor.word('ALGORITHM')) {
      cursor.symbol('=');
      cursor.expectNumber();
    }
    readOptionalColumns(cursor, notes, table);
    return;
  }
  cursor.expectWord('HASH', 'RANGE', 'LIST');
  if (cursor.word('COLUMNS')) readOptionalColumns(cursor, notes, table);
  else readExpression(cursor, notes, table);
}

function readStarts(cursor: TokenCursor): void {
  if (cursor.text()) return;
  cursor.expectWord('TIMESTAMP', 'CURRENT_TIMESTAMP');
  cursor.text();
}

function readOptionalColumns(cursor: TokenCursor, notes: ReadingNotes, table: number): void {
  cursor.expectSymbol('(');
  if (cursor.symbol(')')) return;
  do {
    notes.column(cursor.name(), 'listed', table);
  } while (cursor.symbol(','));
  cursor.expectSymbol(')');
}

/** "(" definition, … ")": names of partitions and constants, but nothing of tables and columns. */
export function readPartitionList(cursor: TokenCursor, notes: ReadingNotes): void {
  cursor.expectSymbol('(');
  do {
    cursor.expectWord('PARTITION');
    readPartition(cursor, notes);
  } while (cursor.symbol(','));
  cursor.expectSymbol(')');
}

/** From the name of the partition on. */
export function readPartition(cursor: TokenCursor, notes: ReadingNotes): void {
  cursor.name();
  if (cursor.word('VALUES')) {
    if (cursor.words('LESS', 'THAN')) {
      if (!cursor.word('MAXVALUE')) skipParentheses(cursor);
    } else {
      cursor.expectWord('IN');
      skipParentheses(cursor);
    }
  } else if (cursor.word('HISTORY', 'CURRENT', 'DEFAULT')) {
    // Partitions of a versioned table.
  }
  readPartitionOptions(cursor, notes);
  if (!cursor.symbol('(')) return;
  do {
    cursor.expectWord('SUBPARTITION');
    cursor.name();
    readPartitionOptions(cursor, notes);
  } while (cursor.symbol(','));
  cursor.expectSymbol(')');
}

function readPartitionOptions(cursor: TokenCursor, notes: ReadingNotes): void {
  while (
    cursor.peekWord() !== 'PARTITION' && cursor.words('STORAGE', 'ENGINE')
      ? readEngine(cursor, notes)
      : readTableOption(cursor, notes)
  );
}

function readEngine(cursor: TokenCursor, notes: ReadingNotes): boolean {
  cursor.symbol('=');
  notes.feature(engineFeature(cursor.peek()?.text ?? ''));
  readOptionValue(cursor);
  return true;
}

/** Bounds of a partition: constants, functions of constants. */
function skipParentheses(cursor: TokenCursor): void {
  cursor.expectSymbol('(');
  for (let depth = 1; depth > 0; ) {
    const token = cursor.take();
    if (token.kind === 'name') cursor.fail();
    if (token.kind !== 'symbol') continue;
    if (token.text === '(') depth += 1;
    else if (token.text === ')') depth -= 1;
    else if (token.text === ';' || token.text === '@') cursor.fail();
  }
}
