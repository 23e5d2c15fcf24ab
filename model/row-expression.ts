/**
 * The language of row filters: a small, closed one, so that no SQL of a user ever reaches a server.
 *
 *     expression := or
 *     or         := and ( OR and )*
 *     and        := not ( AND not )*
 *     not        := NOT not | "(" expression ")" | predicate
 *     predicate  := column ( comparison literal | [NOT] IN "(" literal ("," literal)* ")" | IS [NOT] NULL | [NOT] LIKE text )
 *     comparison := "=" | "!=" | "<>" | "<" | "<=" | ">" | ">="
 *     literal    := number | 'text' | x'hex'
 *     column     := name | `name`
 *
 * A comparison with NULL is neither true nor false, as in SQL; a row passes when the whole is true.
 */
import { HoltError } from '../lib/errors.ts';

export type Comparison = '=' | '!=' | '<' | '<=' | '>' | '>=';

/** A literal keeps its own bytes: numbers are decimal text and never pass through a double. */
export type RowLiteral =
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'bytes'; readonly hex: string };

export type RowExpression =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly RowExpression[] }
  | { readonly kind: 'not'; readonly part: RowExpression }
  | {
      readonly kind: 'compare';
      readonly column: string;
      readonly op: Comparison;
      readonly literal: RowLiteral;
    }
  | { readonly kind: 'in'; readonly column: string; readonly literals: readonly RowLiteral[] }
  | { readonly kind: 'like'; readonly column: string; readonly pattern: string }
  | { readonly kind: 'is-null'; readonly column: string };

type Token =
  | {
      readonly kind: 'word' | 'quoted-name' | 'number' | 'text' | 'bytes' | 'symbol';
      readonly text: string;
      readonly at: number;
    }
  | { readonly kind: 'end'; readonly text: ''; readonly at: number };

/** Throws HOLT_ROW_FILTER_INVALID naming the column (from 1) in the text. */
export function parseRowExpression(text: string): RowExpression {
  return new Parser(text).parse();
}

/** Every column the expression looks at. */
export function columnsOf(expression: RowExpression): ReadonlySet<string> {
  const names = new Set<string>();
  const walk = (node: RowExpression): void => {
    switch (node.kind) {
      case 'and':
      case 'or':
        node.parts.forEach(walk);
        return;
      case 'not':
        walk(node.part);
        return;
      case 'compare':
      case 'in':
      case 'like':
      case 'is-null':
        names.add(node.column);
        return;
      default:
        node satisfies never;
    }
  };
  walk(expression);
  return names;
}

function invalid(what: string, at: number): HoltError {
  return new HoltError('HOLT_ROW_FILTER_INVALID', `row filter: ${what} at character ${at + 1}`, {
    disposition: 'fatal',
    remedy:
      "Write comparisons, IN, IS NULL and LIKE joined by AND, OR, NOT, for example: region = 'EU' and total >= 10",
    facts: { at: at + 1 },
  });
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const rest = text.slice(at);
    const space = /^\s+/.exec(rest);
    if (space) {
      at += space[0].length;
      continue;
    }
    const bytes = /^[xX]'([0-9a-fA-F]*)'/.exec(rest);
    if (bytes) {
      const hex = (bytes[1] ?? '').toLowerCase();
      if (hex.length % 2 !== 0) throw invalid('an odd number of hex digits', at);
      tokens.push({ kind: 'bytes', text: hex, at });
      at += bytes[0].length;
      continue;
    }
    const quoted = /^'((?:[^']|'')*)'/.exec(rest);
    if (quoted) {
      tokens.push({ kind: 'text', text: (quoted[1] ?? '').replaceAll("''", "'"), at });
      at += quoted[0].length;
      continue;
    }
    const name = /^`((?:[^`]|``)+)`/.exec(rest);
    if (name) {
      tokens.push({ kind: 'quoted-name', text: (name[1] ?? '').replaceAll('``', '`'), at });
      at += name[0].length;
      continue;
    }
    const number = /^[-+]?[0-9]+(?:\.[0-9]+)?(?![A-Za-z0-9_])/.exec(rest);
    if (number) {
      tokens.push({ kind: 'number', text: number[0].replace(/^\+/, ''), at });
      at += number[0].length;
      continue;
    }
    const word = /^[A-Za-z_$\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*/.exec(rest);
    if (word) {
      tokens.push({ kind: 'word', text: word[0], at });
      at += word[0].length;
      continue;
    }
    const symbol = /^(?:<=|>=|<>|!=|[=<>(),])/.exec(rest);
    if (!symbol) throw invalid(`${JSON.stringify(rest[0])} is not understood`, at);
    tokens.push({ kind: 'symbol', text: symbol[0], at });
    at += symbol[0].length;
  }
  tokens.push({ kind: 'end', text: '', at: text.length });
  return tokens;
}

class Parser {
  readonly #tokens: readonly Token[];
  #next = 0;

  constructor(text: string) {
    this.#tokens = tokenize(text);
  }

  parse(): RowExpression {
    const expression = this.#or(0);
    const token = this.#peek();
    if (token.kind !== 'end') throw invalid(`${JSON.stringify(token.text)} does not belong here`, token.at);
    return expression;
  }

  #or(depth: number): RowExpression {
    if (depth > 100) throw invalid('nested more than 100 deep', this.#peek().at);
    const parts = [this.#and(depth)];
    while (this.#acceptWord('OR')) parts.push(this.#and(depth));
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : { kind: 'or', parts };
  }

  #and(depth: number): RowExpression {
    const parts = [this.#not(depth)];
    while (this.#acceptWord('AND')) parts.push(this.#not(depth));
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : { kind: 'and', parts };
  }

  #not(depth: number): RowExpression {
    if (this.#acceptWord('NOT')) {
      if (depth > 100) throw invalid('nested more than 100 deep', this.#peek().at);
      return { kind: 'not', part: this.#not(depth + 1) };
    }
    if (this.#acceptSymbol('(')) {
      const inner = this.#or(depth + 1);
      this.#expectSymbol(')');
      return inner;
    }
    return this.#predicate();
  }

  #predicate(): RowExpression {
    const token = this.#take();
    if (token.kind !== 'word' && token.kind !== 'quoted-name')
      throw invalid(
        token.kind === 'end' ? 'a column name is missing' : `${JSON.stringify(token.text)} is no column name`,
        token.at,
      );
    const column = token.text;
    if (this.#acceptWord('IS')) {
      const negated = this.#acceptWord('NOT');
      if (!this.#acceptWord('NULL')) throw invalid('NULL expected after IS', this.#peek().at);
      return negate({ kind: 'is-null', column }, negated);
    }
    const negated = this.#acceptWord('NOT');
    if (this.#acceptWord('IN')) {
      this.#expectSymbol('(');
      const literals = [this.#literal()];
      while (this.#acceptSymbol(',')) literals.push(this.#literal());
      this.#expectSymbol(')');
      return negate({ kind: 'in', column, literals }, negated);
    }
    if (this.#acceptWord('LIKE')) {
      const pattern = this.#take();
      if (pattern.kind !== 'text') throw invalid("LIKE wants a text such as 'EU-%'", pattern.at);
      return negate({ kind: 'like', column, pattern: pattern.text }, negated);
    }
    const symbol = this.#take();
    const op = symbol.text === '<>' ? '!=' : symbol.text;
    if (negated || symbol.kind !== 'symbol' || !isComparison(op))
      throw invalid('a comparison, IN, LIKE or IS NULL is expected', symbol.at);
    return { kind: 'compare', column, op, literal: this.#literal() };
  }

  #literal(): RowLiteral {
    const token = this.#take();
    switch (token.kind) {
      case 'number':
      case 'text':
        return { kind: token.kind, text: token.text };
      case 'bytes':
        return { kind: 'bytes', hex: token.text };
      default:
        throw invalid("a number, 'text' or x'bytes' is expected", token.at);
    }
  }

  #peek(): Token {
    const token = this.#tokens[Math.min(this.#next, this.#tokens.length - 1)];
    return token ?? { kind: 'end', text: '', at: 0 };
  }

  #take(): Token {
    const token = this.#peek();
    this.#next += 1;
    return token;
  }

  #acceptWord(word: string): boolean {
    const token = this.#peek();
    if (token.kind !== 'word' || token.text.toUpperCase() !== word) return false;
    this.#next += 1;
    return true;
  }

  #acceptSymbol(symbol: string): boolean {
    const token = this.#peek();
    if (token.kind !== 'symbol' || token.text !== symbol) return false;
    this.#next += 1;
    return true;
  }

  #expectSymbol(symbol: string): void {
    const token = this.#peek();
    if (!this.#acceptSymbol(symbol)) throw invalid(`${JSON.stringify(symbol)} is missing`, token.at);
  }
}

function negate(expression: RowExpression, negated: boolean): RowExpression {
  return negated ? { kind: 'not', part: expression } : expression;
}

function isComparison(text: string): text is Comparison {
  return text === '=' || text === '!=' || text === '<' || text === '<=' || text === '>' || text === '>=';
}
