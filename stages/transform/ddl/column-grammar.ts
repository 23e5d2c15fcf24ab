/**
 * Columns, keys and constraints, as CREATE TABLE and ALTER TABLE have them.
 *
 *     column      := name type attribute*
 *     key         := [CONSTRAINT [name]] (PRIMARY KEY | UNIQUE | INDEX | KEY | FULLTEXT | SPATIAL | VECTOR) … "(" part, … ")" option*
 *     foreign key := [CONSTRAINT [name]] FOREIGN KEY [name] "(" column, … ")" references
 *     check       := [CONSTRAINT [name]] CHECK "(" expression ")"
 *
 * Source: https://dev.mysql.com/doc/refman/9.7/en/create-table.html, https://mariadb.com/kb/en/create-table/
 */
import { readExpression } from './expression-names.ts';
import type { ReadingNotes } from './reading-notes.ts';
import { typeFeature } from './server-features.ts';
import type { TokenCursor } from './token-cursor.ts';

/** A definition in a list of CREATE TABLE or behind ADD. Gives the column (its number) where it is one's definition. */
export function readElement(cursor: TokenCursor, notes: ReadingNotes, table: number): number | null {
  return readKeyOrConstraint(cursor, notes, table) ? null : readColumn(cursor, notes, table);
}

export function readKeyOrConstraint(cursor: TokenCursor, notes: ReadingNotes, table: number): boolean {
  const start = cursor.at;
  const named = cursor.word('CONSTRAINT');
  if (named && !atConstraint(cursor)) {
    notes.ifExistsInside(cursor);
    cursor.name();
  }
  if (cursor.words('PRIMARY', 'KEY')) {
    // MariaDB and MySQL take a name here and forget it.
    if (cursor.isName() && cursor.peekWord() !== 'USING') cursor.name();
    readKey(cursor, notes, table);
    return true;
  }
  if (cursor.word('UNIQUE')) {
    cursor.word('INDEX', 'KEY');
    readNamedKey(cursor, notes, table);
    return true;
  }
  if (cursor.words('FOREIGN', 'KEY')) {
    notes.ifExistsInside(cursor);
    if (!cursor.peekSymbol('(')) cursor.name();
    readColumnNames(cursor, notes, table);
    readReferences(cursor, notes, table);
    return true;
  }
  if (cursor.peekWord() === 'CHECK' && cursor.peekSymbol('(', 1)) {
    readCheck(cursor, notes, table);
    return true;
  }
  if (named) cursor.fail();
  if (cursor.word('INDEX', 'KEY')) {
    readNamedKey(cursor, notes, table);
    return true;
  }
  if (cursor.word('FULLTEXT', 'SPATIAL')) {
    cursor.word('INDEX', 'KEY');
    readNamedKey(cursor, notes, table);
    return true;
  }
  if (cursor.words('VECTOR', 'INDEX') || cursor.words('VECTOR', 'KEY')) {
    notes.feature('a vector index');
    readNamedKey(cursor, notes, table);
    return true;
  }
  if (cursor.words('PERIOD', 'FOR')) {
    notes.feature('system versioning or periods');
    cursor.name();
    readColumnNames(cursor, notes, table);
    return true;
  }
  cursor.back(start);
  return false;
}

function atConstraint(cursor: TokenCursor): boolean {
  const word = cursor.peekWord();
  return word === 'PRIMARY' || word === 'UNIQUE' || word === 'FOREIGN' || word === 'CHECK';
}

function readNamedKey(cursor: TokenCursor, notes: ReadingNotes, table: number): void {
  notes.ifExistsInside(cursor);
  if (!cursor.peekSymbol('(') && !(atIndexType(cursor) && !cursor.peekSymbol('(', 1))) cursor.name();
  readKey(cursor, notes, table);
}

function atIndexType(cursor: TokenCursor): boolean {
  const word = cursor.peekWord();
  return word === 'USING' || (word === 'TYPE' && /^(?:BTREE|HASH|RTREE)$/.test(cursor.peekWord(1) ?? ''));
}

/** From the index type on. */
export function readKey(cursor: TokenCursor, notes: ReadingNotes, table: number): void {
  if (atIndexType(cursor)) {
    cursor.take();
    cursor.anyWord();
  }
  readKeyParts(cursor, notes, table);
  readIndexOptions(cursor, notes);
}

export function readKeyParts(cursor: TokenCursor, notes: ReadingNotes, table: number): void {
  cursor.expectSymbol('(');
  do {
    if (cursor.peekSymbol('(')) {
      notes.feature('a functional key part');
      readExpression(cursor, notes, table);
    } else {
      notes.column(cursor.name(), 'listed', table);
      if (cursor.symbol('(')) {
        cursor.expectNumber();
        cursor.expectSymbol(')');
      }
    }
    if (cursor.words('WITHOUT', 'OVERLAPS')) notes.feature('system versioning or periods');
    else cursor.word('ASC', 'DESC');
  } while (cursor.symbol(','));
  cursor.expectSymbol(')');
}

export function readIndexOptions(cursor: TokenCursor, notes: ReadingNotes): void {
  for (;;) {
    if (cursor.word('KEY_BLOCK_SIZE')) {
      cursor.symbol('=');
      cursor.expectNumber();
    } else if (atIndexType(cursor)) {
      cursor.take();
      cursor.anyWord();
    } else if (cursor.words('WITH', 'PARSER')) {
      notes.feature('a full-text parser');
      cursor.name();
    } else if (cursor.word('COMMENT')) cursor.expectText();
    else if (cursor.word('VISIBLE', 'INVISIBLE')) notes.feature('an invisible index');
    else if (cursor.word('IGNORED') || cursor.words('NOT', 'IGNORED')) notes.feature('an ignored index');
    else if (cursor.word('ENGINE_ATTRIBUTE', 'SECONDARY_ENGINE_ATTRIBUTE')) {
      notes.feature('a table option of MySQL');
      cursor.symbol('=');
      cursor.expectText();
    } else if (cursor.isName() && cursor.peekSymbol('=', 1) && !atAlgorithmOrLock(cursor)) {
      notes.feature('a table or column option of MariaDB');
      cursor.name();
      cursor.take();
      readOptionValue(cursor);
    } else return;
  }
}

function atAlgorithmOrLock(cursor: TokenCursor): boolean {
  return cursor.peekWord() === 'ALGORITHM' || cursor.peekWord() === 'LOCK';
}

/** A word, a name, a text or a number. */
export function readOptionValue(cursor: TokenCursor): void {
  if (cursor.text()) return;
  if (cursor.number()) {
    if (cursor.symbol('.')) cursor.take();
    return;
  }
  const kind = cursor.peek()?.kind;
  if (kind !== 'word' && kind !== 'name') cursor.fail();
  cursor.take();
}

function readColumnNames(cursor: TokenCursor, notes: ReadingNotes, table: number): void {
  cursor.expectSymbol('(');
  do {
    notes.column(cursor.name(), 'listed', table);
    cursor.word('ASC', 'DESC');
  } while (cursor.symbol(','));
  cursor.expectSymbol(')');
}

/** A foreign key is looked for in the schema of the table that has it. */
function readReferences(cursor: TokenCursor, notes: ReadingNotes, table: number): void {
  cursor.expectWord('REFERENCES');
  const parent = notes.table(cursor, 'referenced', 'statement', notes.tables[table]?.schema ?? '');
  if (cursor.peekSymbol('(')) readColumnNames(cursor, notes, parent);
  if (cursor.word('MATCH')) cursor.expectWord('FULL', 'PARTIAL', 'SIMPLE');
  while (cursor.word('ON')) {
    cursor.expectWord('DELETE', 'UPDATE');
    if (cursor.word('SET')) cursor.expectWord('NULL', 'DEFAULT');
    else if (!cursor.words('NO', 'ACTION')) cursor.expectWord('RESTRICT', 'CASCADE');
  }
}

function readCheck(cursor: TokenCursor, notes: ReadingNotes, table: number): void {
  cursor.expectWord('CHECK');
  notes.feature('a CHECK constraint');
  readExpression(cursor, notes, table);
  if (cursor.words('NOT', 'ENFORCED') || cursor.word('ENFORCED')) notes.feature('ENFORCED of a constraint');
}

/** Gives the column's number. */
export function readColumn(cursor: TokenCursor, notes: ReadingNotes, table: number): number {
  const column = notes.column(cursor.name(), 'defined', table);
  readType(cursor, notes);
  while (readAttribute(cursor, notes, table));
  return column;
}

export function readType(cursor: TokenCursor, notes: ReadingNotes): void {
  // GEOMETRY, POINT and other names of types are bare words; plug-in types of MariaDB as well.
  const type = cursor.anyWord();
  notes.feature(typeFeature(type));
  if (type === 'NATIONAL') cursor.expectWord('CHAR', 'CHARACTER', 'VARCHAR');
  if (type === 'LONG') {
    if (!cursor.words('CHAR', 'VARYING') && !cursor.words('CHARACTER', 'VARYING'))
      cursor.word('VARCHAR', 'VARBINARY');
  } else if (type === 'NCHAR') cursor.word('VARCHAR');
  cursor.word('PRECISION', 'VARYING');
  if (cursor.symbol('(')) {
    do {
      if (!cursor.text()) cursor.expectNumber();
    } while (cursor.symbol(','));
    cursor.expectSymbol(')');
  }
  while (
    cursor.word('UNSIGNED', 'SIGNED', 'ZEROFILL', 'BINARY', 'ASCII', 'UNICODE', 'BYTE') ||
    readCharset(cursor, notes)
  );
}

/** CHARACTER SET or COLLATE with its value. */
export function readCharset(cursor: TokenCursor, notes: ReadingNotes): boolean {
  const at = cursor.start;
  const isCharset = cursor.words('CHARACTER', 'SET') || cursor.words('CHAR', 'SET') || cursor.word('CHARSET');
  if (!isCharset && !cursor.word('COLLATE')) return false;
  cursor.symbol('=');
  const name = cursor.peek()?.text ?? '';
  if (isCharset) notes.charset(name, at);
  else notes.collation(name, at);
  readOptionValue(cursor);
  return true;
}

const ATTRIBUTES_WITH_WORD = ['COLUMN_FORMAT', 'STORAGE'] as const;

function readAttribute(cursor: TokenCursor, notes: ReadingNotes, table: number): boolean {
  if (cursor.words('NOT', 'NULL') || cursor.word('NULL', 'AUTO_INCREMENT')) return true;
  if (cursor.words('NOT', 'SECONDARY')) {
    notes.feature('a table option of MySQL');
    return true;
  }
  if (cursor.word('DEFAULT')) {
    readDefault(cursor, notes, table);
    return true;
  }
  if (cursor.words('ON', 'UPDATE')) {
    readNow(cursor);
    return true;
  }
  if (cursor.words('SERIAL', 'DEFAULT', 'VALUE')) return true;
  if (cursor.word('UNIQUE')) {
    cursor.word('KEY');
    return true;
  }
  if (cursor.words('PRIMARY', 'KEY') || cursor.word('KEY')) return true;
  if (cursor.word('COMMENT')) {
    cursor.expectText();
    return true;
  }
  if (cursor.word(...ATTRIBUTES_WITH_WORD)) {
    cursor.anyWord();
    return true;
  }
  if (cursor.peekWord() === 'REFERENCES') {
    readReferences(cursor, notes, table);
    return true;
  }
  if (cursor.peekWord() === 'CHECK') {
    readCheck(cursor, notes, table);
    return true;
  }
  if (cursor.word('CONSTRAINT')) {
    if (cursor.peekWord() !== 'CHECK') cursor.name();
    readCheck(cursor, notes, table);
    return true;
  }
  if (cursor.words('GENERATED', 'ALWAYS') || cursor.peekWord() === 'AS') {
    cursor.expectWord('AS');
    if (cursor.word('ROW')) {
      cursor.expectWord('START', 'END');
      notes.feature('system versioning or periods');
    } else {
      notes.feature('a generated column');
      readExpression(cursor, notes, table);
    }
    return true;
  }
  if (cursor.word('VIRTUAL', 'STORED')) return true;
  if (cursor.word('PERSISTENT')) {
    notes.feature('PERSISTENT generated columns');
    return true;
  }
  if (cursor.word('INVISIBLE')) {
    notes.feature('an invisible column');
    return true;
  }
  if (cursor.word('VISIBLE')) {
    notes.feature('VISIBLE for a column');
    return true;
  }
  if (cursor.peekWord() === 'COMPRESSED') {
    cursor.take();
    if (cursor.symbol('=')) cursor.anyWord();
    notes.feature('a compressed column');
    return true;
  }
  if (cursor.words('WITH', 'SYSTEM', 'VERSIONING') || cursor.words('WITHOUT', 'SYSTEM', 'VERSIONING')) {
    notes.feature('system versioning or periods');
    return true;
  }
  if (cursor.word('SRID')) {
    notes.feature('the attribute SRID');
    cursor.expectNumber();
    return true;
  }
  if (cursor.words('REF_SYSTEM_ID')) {
    notes.feature('the attribute REF_SYSTEM_ID');
    cursor.expectSymbol('=');
    cursor.expectNumber();
    return true;
  }
  if (cursor.word('ENGINE_ATTRIBUTE', 'SECONDARY_ENGINE_ATTRIBUTE')) {
    notes.feature('a table option of MySQL');
    cursor.symbol('=');
    cursor.expectText();
    return true;
  }
  if (cursor.isName() && cursor.peekSymbol('=', 1)) {
    notes.feature('a table or column option of MariaDB');
    cursor.name();
    cursor.take();
    readOptionValue(cursor);
    return true;
  }
  return readCharset(cursor, notes) || cursor.word('ASCII', 'UNICODE', 'BINARY');
}

export function readDefault(cursor: TokenCursor, notes: ReadingNotes, table: number): void {
  if (cursor.peekSymbol('(')) {
    notes.feature('an expression as DEFAULT');
    readExpression(cursor, notes, table);
    return;
  }
  if (!cursor.symbol('-')) cursor.symbol('+');
  if (cursor.text() || cursor.word('NULL', 'TRUE', 'FALSE')) return;
  if (cursor.number()) {
    // 1.5 and 1.5e3 are more than one token.
    if (cursor.symbol('.') && !cursor.number()) readFraction(cursor);
    readExponent(cursor);
    return;
  }
  if (cursor.symbol('.')) {
    if (!cursor.number()) readFraction(cursor);
    return;
  }
  const word = cursor.anyWord();
  if (/^\d+E\d+$/.test(word) || /^0[XB][0-9A-F]+$/.test(word)) return;
  // 1e-3: the sign is a symbol of its own.
  if (/^\d+E$/.test(word)) {
    if (!cursor.symbol('-')) cursor.symbol('+');
    cursor.expectNumber();
    return;
  }
  // A literal by its kind or character set: DATE '…', X'…', _utf8mb4'…'.
  if (cursor.text()) return;
  if (NOW.has(word)) {
    if (cursor.peekSymbol('(')) readPrecision(cursor);
    return;
  }
  // MariaDB takes calls without parentheses around them: DEFAULT uuid().
  if (!cursor.peekSymbol('(') || word === 'NEXTVAL' || word === 'LASTVAL') cursor.fail();
  notes.feature('an expression as DEFAULT');
  readExpression(cursor, notes, table);
}

function readFraction(cursor: TokenCursor): void {
  const word = cursor.peekWord();
  if (word === null || !/^\d+E\d*$/.test(word)) {
    // `1.` is a number as well.
    return;
  }
  cursor.take();
  if (word.endsWith('E')) {
    if (!cursor.symbol('-')) cursor.symbol('+');
    cursor.expectNumber();
  }
}

function readExponent(cursor: TokenCursor): void {
  const word = cursor.peekWord();
  if (word !== null && /^E\d+$/.test(word)) cursor.take();
}

const NOW = new Set([
  'CURRENT_TIMESTAMP',
  'NOW',
  'LOCALTIME',
  'LOCALTIMESTAMP',
  'CURDATE',
  'CURRENT_DATE',
  'CURTIME',
]);

function readNow(cursor: TokenCursor): void {
  if (!NOW.has(cursor.anyWord())) cursor.fail();
  if (cursor.peekSymbol('(')) readPrecision(cursor);
}

function readPrecision(cursor: TokenCursor): void {
  cursor.expectSymbol('(');
  cursor.number();
  cursor.expectSymbol(')');
}
