/**
 * Names within an expression in parentheses: of a generated column, a CHECK, a DEFAULT, a functional key part, a partition.
 *
 * Not read as an expression: a name behind which no `(` stands is a column, one before a dot its table. What DDL does
 * not take in such a place (variables, queries, sequences) is not understood.
 */
import type { SqlToken } from '../../select/sql-tokens.ts';
import type { ReadingNotes } from './reading-notes.ts';
import { placeOf, RESERVED, type TokenCursor } from './token-cursor.ts';

/** Words of expressions that no server reserves everywhere, so that they may be columns as well. */
const EXPRESSION_WORDS = new Set(
  `YEAR QUARTER MONTH WEEK DAY HOUR MINUTE SECOND MICROSECOND YEAR_MONTH DAY_HOUR DAY_MINUTE DAY_SECOND DAY_MICROSECOND HOUR_MINUTE
   HOUR_SECOND HOUR_MICROSECOND MINUTE_SECOND MINUTE_MICROSECOND SECOND_MICROSECOND SIGNED UNSIGNED INTEGER INT DECIMAL DATE TIME
   DATETIME TIMESTAMP JSON DOUBLE FLOAT REAL PRECISION NCHAR ARRAY SOUNDS ESCAPE UNKNOWN END BOTH LEADING TRAILING MEMBER OF
   CURRENT_TIMESTAMP CURRENT_DATE CURRENT_TIME CURRENT_USER LOCALTIME LOCALTIMESTAMP UTC_DATE UTC_TIME UTC_TIMESTAMP CHARACTER
   CHARSET NVARCHAR VARCHAR PATH ERROR EMPTY RETURNING INET6 INET4 UUID ROW MAXVALUE AT ZONE LOCAL WEIGHT_STRING AGAINST
   MODE LANGUAGE BOOLEAN QUERY EXPANSION SEPARATOR`.split(/\s+/),
);

const FORBIDDEN = new Set(['SELECT', 'NEXTVAL', 'LASTVAL', 'SETVAL', 'NEXT', 'PREVIOUS']);

/** The cursor stands at the parenthesis and comes to stand behind the one that closes it. */
export function readExpression(cursor: TokenCursor, notes: ReadingNotes, of: number): void {
  cursor.expectSymbol('(');
  let depth = 1;
  let before: SqlToken | undefined;
  while (depth > 0) {
    const token = cursor.peek();
    if (token === undefined) cursor.fail();
    if (token.kind === 'symbol') {
      if (token.text === '(') depth += 1;
      else if (token.text === ')') depth -= 1;
      else if (token.text === '@' || token.text === ';' || token.text === '?') cursor.fail();
      cursor.take();
    } else if (token.kind === 'word' || token.kind === 'name') readWord(cursor, notes, of, before);
    else cursor.take();
    before = token;
  }
}

function readWord(cursor: TokenCursor, notes: ReadingNotes, of: number, before: SqlToken | undefined): void {
  const token = cursor.take();
  const word = token.kind === 'word' ? token.text.toUpperCase() : null;
  if (word !== null && FORBIDDEN.has(word)) cursor.fail();
  if (cursor.peekSymbol('(')) {
    // A word before a parenthesis is a function or an operator; a quoted name would be a stored function.
    if (word === null) cursor.fail();
    return;
  }
  const previous = before?.kind === 'word' ? before.text.toUpperCase() : null;
  // Names of character sets and collations.
  if (previous === 'COLLATE' || previous === 'CHARSET' || previous === 'SET' || previous === 'USING') {
    notes.collation(token.text, null);
    return;
  }
  // An introducer or the kind of a literal.
  if (word !== null && cursor.peek()?.kind === 'text' && /^(?:_.*|[XBN]|DATE|TIME|TIMESTAMP)$/.test(word))
    return;
  if (cursor.peekSymbol('.')) {
    readQualified(cursor, notes, of, token);
    return;
  }
  if (word !== null && (RESERVED.has(word) || /^\d/.test(word))) return;
  notes.column(placeOf(token), 'expression', of, { certain: word === null || !EXPRESSION_WORDS.has(word) });
}

/** `table.column` or `schema.table.column`. */
function readQualified(cursor: TokenCursor, notes: ReadingNotes, of: number, first: SqlToken): void {
  cursor.expectSymbol('.');
  const second = cursor.nameBehindDot();
  const table = notes.tables[of];
  if (table === undefined) cursor.fail();
  if (!cursor.symbol('.')) {
    notes.addTable(null, placeOf(first), 'qualifier', 'statement', table.schema);
    notes.column(second, 'expression', of);
    return;
  }
  notes.addTable(placeOf(first), second, 'qualifier', 'statement', first.text);
  notes.column(cursor.nameBehindDot(), 'expression', of);
}
