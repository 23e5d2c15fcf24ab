/**
 * Whether a row passes a row filter: three-valued as SQL, on the canonical text of values, exact for numbers of any size.
 */
import { HoltError } from '../lib/errors.ts';
import type { Comparison, RowExpression, RowLiteral } from './row-expression.ts';

/** How a column's canonical text compares. */
export type ComparisonKind =
  /** Decimal digits, with sign, fraction and exponent. */
  | 'number'
  /** Bytes of UTF-8 (or of a subset); compared byte by byte, `_` in LIKE is one character. */
  | 'utf8'
  /** Bytes of a single-byte character set that agrees with Latin-1. */
  | 'latin1'
  /** Bytes, and temporal values in their ISO form. */
  | 'bytes';

export interface PredicateColumn {
  readonly name: string;
  readonly kind: ComparisonKind;
}

/** The canonical text of column `index`, or null. The buffer is only looked at during the call. */
export type ValueAt = (index: number) => Buffer | null;

/** True, false, or null for unknown. */
type Truth = boolean | null;
type Test = (value: ValueAt) => Truth;

/** Throws HOLT_ROW_FILTER_COLUMN when the table lacks a column or the literal does not suit it. */
export function compilePredicate(
  expression: RowExpression,
  columns: readonly PredicateColumn[],
  table: string,
): (value: ValueAt) => boolean {
  const test = compile(expression, columns, table);
  return (value) => test(value) === true;
}

function compile(expression: RowExpression, columns: readonly PredicateColumn[], table: string): Test {
  switch (expression.kind) {
    case 'and': {
      const parts = expression.parts.map((part) => compile(part, columns, table));
      return (value) => {
        let unknown = false;
        for (const part of parts) {
          const truth = part(value);
          if (truth === false) return false;
          if (truth === null) unknown = true;
        }
        return unknown ? null : true;
      };
    }
    case 'or': {
      const parts = expression.parts.map((part) => compile(part, columns, table));
      return (value) => {
        let unknown = false;
        for (const part of parts) {
          const truth = part(value);
          if (truth === true) return true;
          if (truth === null) unknown = true;
        }
        return unknown ? null : false;
      };
    }
    case 'not': {
      const part = compile(expression.part, columns, table);
      return (value) => {
        const truth = part(value);
        return truth === null ? null : !truth;
      };
    }
    case 'is-null': {
      const { index } = find(expression.column, columns, table);
      return (value) => value(index) === null;
    }
    case 'compare': {
      const { index, column } = find(expression.column, columns, table);
      const compare = comparator(column, expression.literal, table);
      const holds = HOLDS[expression.op];
      return (value) => {
        const bytes = value(index);
        return bytes === null ? null : holds(compare(bytes));
      };
    }
    case 'in': {
      const { index, column } = find(expression.column, columns, table);
      const compares = expression.literals.map((literal) => comparator(column, literal, table));
      return (value) => {
        const bytes = value(index);
        return bytes === null ? null : compares.some((compare) => compare(bytes) === 0);
      };
    }
    case 'like': {
      const { index, column } = find(expression.column, columns, table);
      if (column.kind === 'number')
        throw unsuitable(table, column.name, 'LIKE wants a column of text or bytes');
      const encoding = column.kind === 'utf8' ? 'utf8' : 'latin1';
      const pattern = likePattern(
        encoding === 'utf8' ? expression.pattern : Buffer.from(expression.pattern, 'utf8').toString('latin1'),
      );
      return (value) => {
        const bytes = value(index);
        return bytes === null ? null : pattern.test(bytes.toString(encoding));
      };
    }
    default:
      return expression satisfies never;
  }
}

const HOLDS: Readonly<Record<Comparison, (order: number) => boolean>> = {
  '=': (order) => order === 0,
  '!=': (order) => order !== 0,
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
};

function find(
  name: string,
  columns: readonly PredicateColumn[],
  table: string,
): { readonly index: number; readonly column: PredicateColumn } {
  const lower = name.toLowerCase();
  const index = columns.findIndex((one) => one.name.toLowerCase() === lower);
  const column = columns[index];
  if (column === undefined) throw unsuitable(table, name, 'the table has no such column');
  return { index, column };
}

/** How the value stands to the literal: negative, 0, positive. */
function comparator(column: PredicateColumn, literal: RowLiteral, table: string): (bytes: Buffer) => number {
  if (column.kind === 'number') {
    const text = literal.kind === 'bytes' ? null : literal.text;
    const wanted = text === null ? null : parseDecimal(text);
    if (wanted === null) throw unsuitable(table, column.name, 'a number is expected');
    return (bytes) => {
      const found = parseDecimal(bytes.toString('latin1'));
      // NaN and infinities do not occur in MySQL columns; whatever is no number is larger than every number.
      return found === null ? 1 : compareDecimals(found, wanted);
    };
  }
  const wanted =
    literal.kind === 'bytes'
      ? Buffer.from(literal.hex, 'hex')
      : Buffer.from(literal.text, column.kind === 'latin1' ? 'latin1' : 'utf8');
  return (bytes) => Buffer.compare(bytes, wanted);
}

interface Decimal {
  /** Signed digits without the point. */
  readonly digits: bigint;
  /** How many of them stand behind the point. */
  readonly scale: number;
}

/** Null for text that is no number, and for exponents no column can have. */
export function parseDecimal(text: string): Decimal | null {
  const match = /^(-?)([0-9]+)(?:\.([0-9]*))?(?:[eE]([-+]?[0-9]{1,4}))?$/.exec(text.trim());
  if (match === null) return null;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match;
  const scale = fraction.length - Number(exponent);
  if (Math.abs(scale) > 5000) return null;
  const digits = BigInt(whole + fraction) * (sign === '-' ? -1n : 1n);
  return scale < 0 ? { digits: digits * 10n ** BigInt(-scale), scale: 0 } : { digits, scale };
}

export function compareDecimals(a: Decimal, b: Decimal): number {
  const scale = Math.max(a.scale, b.scale);
  const left = a.digits * 10n ** BigInt(scale - a.scale);
  const right = b.digits * 10n ** BigInt(scale - b.scale);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** `%` any run, `_` any one character, backslash takes the next as itself. */
function likePattern(pattern: string): RegExp {
  let source = '';
  const characters = [...pattern];
  for (let i = 0; i < characters.length; i++) {
    const character = characters[i] ?? '';
    if (character === '%') source += '.*';
    else if (character === '_') source += '.';
    else {
      const plain = character === '\\' && i + 1 < characters.length ? (characters[++i] ?? '') : character;
      source += plain.replace(/[.*+?^${}()|[\]\\/]/, '\\$&');
    }
  }
  return new RegExp(`^${source}$`, 'su');
}

function unsuitable(table: string, column: string, why: string): HoltError {
  return new HoltError('HOLT_ROW_FILTER_COLUMN', `row filter on ${table}, column ${column}: ${why}`, {
    disposition: 'pause',
    remedy: 'Correct the rule, or narrow its pattern to the tables it fits; then resume the pipeline.',
    facts: { table, column },
  });
}
