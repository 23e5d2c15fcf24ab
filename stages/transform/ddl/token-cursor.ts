/** Steps through the tokens of a statement. What does not stand where it has to is thrown as NotUnderstood. */
import type { SqlToken } from '../../select/sql-tokens.ts';
import type { NamePlace } from './ddl.ts';

/** The grammar here ends at a token; whoever reads may know another way. */
export class NotUnderstood extends Error {
  constructor(token: SqlToken | undefined) {
    super(
      token === undefined ? 'ends too early' : `not understood at ${JSON.stringify(token.text.slice(0, 40))}`,
    );
    this.name = 'NotUnderstood';
  }
}

/** Reserved in every server that is read from: never a bare name. */
export const RESERVED: ReadonlySet<string> = new Set(
  `ADD ALL ALTER AND AS ASC BETWEEN BINARY BY CASE CHANGE CHAR CHECK COLLATE COLUMN CONSTRAINT CONVERT CREATE CROSS DEFAULT DELETE DESC
   DISTINCT DIV DROP ELSE EXISTS FALSE FOR FORCE FOREIGN FROM FULLTEXT GROUP HAVING IF IGNORE IN INDEX INNER INSERT INTERVAL INTO IS
   JOIN KEY LEFT LIKE LIMIT LOCK MATCH MOD NATURAL NOT NULL ON OPTION OR ORDER OUTER PRIMARY PROCEDURE REFERENCES REGEXP RENAME
   REPLACE RIGHT RLIKE SELECT SET SPATIAL TABLE THEN TO TRUE UNION UNIQUE UPDATE USE USING VALUES WHEN WHERE WITH XOR`.split(
    /\s+/,
  ),
);

export class TokenCursor {
  readonly #tokens: readonly SqlToken[];
  #at = 0;

  constructor(tokens: readonly SqlToken[]) {
    this.#tokens = tokens;
  }

  /** Number of the next token. */
  get at(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#tokens.length;
  }

  /** First byte of the next token; of none, the end of the last. */
  get start(): number {
    return this.#tokens[this.#at]?.start ?? this.end;
  }

  /** Behind the token taken last. */
  get end(): number {
    return this.#tokens[this.#at - 1]?.end ?? 0;
  }

  peek(ahead = 0): SqlToken | undefined {
    return this.#tokens[this.#at + ahead];
  }

  /** In upper case; null where no bare word stands. */
  peekWord(ahead = 0): string | null {
    const token = this.#tokens[this.#at + ahead];
    return token?.kind === 'word' ? token.text.toUpperCase() : null;
  }

  peekSymbol(symbol: string, ahead = 0): boolean {
    const token = this.#tokens[this.#at + ahead];
    return token?.kind === 'symbol' && token.text === symbol;
  }

  take(): SqlToken {
    const token = this.#tokens[this.#at];
    if (token === undefined) this.fail();
    this.#at += 1;
    return token;
  }

  back(to: number): void {
    this.#at = to;
  }

  /** Takes one of these words, or nothing. */
  word(...words: readonly string[]): boolean {
    const word = this.peekWord();
    if (word === null || !words.includes(word)) return false;
    this.#at += 1;
    return true;
  }

  /** Takes all of these words one behind the other, or nothing. */
  words(...words: readonly string[]): boolean {
    if (words.some((word, index) => this.peekWord(index) !== word)) return false;
    this.#at += words.length;
    return true;
  }

  expectWord(...words: readonly string[]): void {
    if (!this.word(...words)) this.fail();
  }

  /** Any bare word, in upper case. */
  anyWord(): string {
    const word = this.peekWord();
    if (word === null) this.fail();
    this.#at += 1;
    return word;
  }

  symbol(symbol: string): boolean {
    if (!this.peekSymbol(symbol)) return false;
    this.#at += 1;
    return true;
  }

  expectSymbol(symbol: string): void {
    if (!this.symbol(symbol)) this.fail();
  }

  /** Texts in quotes, one behind the other, which count as one. */
  text(): boolean {
    const start = this.#at;
    while (this.#isText()) this.#at += 1;
    return this.#at > start;
  }

  expectText(): void {
    if (!this.text()) this.fail();
  }

  number(): boolean {
    if (this.peek()?.kind !== 'number') return false;
    this.#at += 1;
    return true;
  }

  expectNumber(): void {
    if (!this.number()) this.fail();
  }

  isName(ahead = 0): boolean {
    const token = this.peek(ahead);
    if (token === undefined) return false;
    if (token.kind === 'word') return !RESERVED.has(token.text.toUpperCase());
    return token.kind === 'name' || token.kind === 'either';
  }

  name(): NamePlace {
    if (!this.isName()) this.fail();
    return placeOf(this.take());
  }

  /** Behind a dot every word is a name. */
  nameBehindDot(): NamePlace {
    const token = this.peek();
    if (token === undefined || !(token.kind === 'word' || token.kind === 'name' || token.kind === 'either'))
      this.fail();
    return placeOf(this.take());
  }

  fail(): never {
    throw new NotUnderstood(this.#tokens[this.#at]);
  }

  #isText(): boolean {
    const kind = this.peek()?.kind;
    return kind === 'text' || kind === 'either';
  }
}

export function placeOf(token: SqlToken): NamePlace {
  return { start: token.start, end: token.end, text: token.text };
}
