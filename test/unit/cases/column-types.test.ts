import { describe, expect, it } from 'vitest';
import { TYPE } from '../../../canal/value/column-type.ts';
import { decodeValue } from '../../../canal/value/decode.ts';
import { encodeTextValue } from '../../../canal/value/encode.ts';
import { addressType } from '../../../canal/value/mariadb-types.ts';
import { writeLiteral } from '../../../canal/value/value-literal.ts';
import { writeValueText } from '../../../canal/value/value-text.ts';
import { ByteSink } from '../../../lib/byte-sink.ts';
import { ERROR_CODES } from '../../../model/error-codes.ts';
import type { ColumnShape } from '../../../model/table-shape.ts';
import {
  CASE_SERVERS,
  COLUMN_TYPE_FAMILIES,
  outcomeOf,
  valuesOn,
} from '../../cases/column-types/column-type-case.ts';
import { COLUMN_TYPE_CASES, columnCasesOn, ownTypesOn } from '../../cases/column-types/column-type-cases.ts';
import { Random } from '../../support/random.ts';
import { recordedCases } from '../../support/recorded-types.ts';
import { columnShape } from '../../support/row-bytes.ts';

describe('the table of column types', () => {
  it('has ids that name tables and columns, each once', () => {
    const ids = COLUMN_TYPE_CASES.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.filter((id) => !/^[a-z][a-z0-9_]{1,40}$/.test(id))).toEqual([]);
  });

  it('says what becomes of every case between every two servers, in one line', () => {
    for (const one of COLUMN_TYPE_CASES)
      for (const source of CASE_SERVERS)
        for (const target of CASE_SERVERS) {
          const outcome = outcomeOf(one, source, target);
          expect(outcome !== null, one.id).toBe(one.on.includes(source));
          if (outcome?.kind === 'refused') expect(ERROR_CODES).toHaveProperty(outcome.code);
          if (outcome?.why !== undefined) expect(outcome.why).toMatch(/^[^\n]{10,200}[^.\n]$/);
        }
  });

  it('has every family, and every type that a row image can have', () => {
    expect([...new Set(COLUMN_TYPE_CASES.map(({ family }) => family))]).toEqual(COLUMN_TYPE_FAMILIES);
    const recorded = new Set(CASE_SERVERS.flatMap((server) => recordedCases(server).map(({ type }) => type)));
    // Forms of before MySQL 5.6 are tried in temporal.test.ts; the sizes of BLOB are told by metadata.
    const { null: _, timestamp, time, datetime, newDate, ...others } = TYPE;
    const { tinyBlob, mediumBlob, longBlob, varString, ...expected } = others;
    for (const [name, type] of Object.entries(expected)) expect(recorded, name).toContain(type);
  });

  it('gives values by chance that are the same for the same seed', () => {
    for (const server of CASE_SERVERS)
      for (const one of columnCasesOn(server)) {
        const some = () => valuesOn(one, server, { rows: 50, chance: new Random(7) });
        expect(some()).toEqual(some());
        expect(some().length).toBeGreaterThanOrEqual(50);
      }
  });
});

describe('values as the servers logged them', () => {
  for (const server of CASE_SERVERS) {
    const cases = recordedCases(server);

    it(`are recorded for every case (${server})`, () => {
      const wanted = ownTypesOn(server).filter((one) => one.large !== true);
      expect(cases.map(({ id }) => id)).toEqual(wanted.map(({ id }) => id));
      for (const [i, one] of wanted.entries())
        expect(cases[i]?.values.length, one.id).toBe(valuesOn(one, server).length);
    });

    it(`have the text that the server gave (${server})`, () => {
      for (const one of cases)
        for (const [raw, said] of one.values) {
          const [ours, theirs] = compared(shapeOf(one), Buffer.from(raw, 'hex'), said);
          expect(ours, `${one.id} ${raw}`).toBe(theirs);
        }
    });

    it(`stand in their literals bit by bit (${server})`, () => {
      for (const one of cases)
        for (const [raw] of one.values) {
          const [column, value] = [shapeOf(one), Buffer.from(raw, 'hex')];
          const literal = literalOf(column, value);
          const read = readBack(column, literal);
          if (read !== null)
            expect(read, `${one.id} ${literal.toString('latin1')}`).toBe(wanted(column, value));
        }
    });

    it(`come back from what a user processor is given (${server})`, () => {
      for (const one of cases)
        for (const [raw] of one.values) {
          const [column, value] = [shapeOf(one), Buffer.from(raw, 'hex')];
          const text = encodeTextValue(column, decodeValue(column, value, 0, value.length));
          const carried = { ...column, carrier: 'text' as const };
          expect(textOf(carried, text ?? Buffer.alloc(0)).toString('hex'), `${one.id} ${raw}`).toBe(
            textOf(column, value).toString('hex'),
          );
        }
    });
  }
});

function shapeOf(one: ReturnType<typeof recordedCases>[number]): ColumnShape {
  const { type, meta, unsigned, collation, declared } = one;
  return columnShape(type, meta, { unsigned, collation, declared });
}

function written(column: ColumnShape, value: Buffer, write: typeof writeLiteral): Buffer {
  const sink = new ByteSink(64);
  write(sink, column, value, 0, value.length);
  return sink.take();
}

function textOf(column: ColumnShape, value: Buffer): Buffer {
  return written(column, value, writeValueText);
}

function literalOf(column: ColumnShape, value: Buffer): Buffer {
  return written(column, value, writeLiteral);
}

/** Our text, and the server's, in one form. */
function compared(column: ColumnShape, value: Buffer, said: string): readonly [ours: string, theirs: string] {
  const text = textOf(column, value);
  const theirs = Buffer.from(said, 'hex');
  switch (column.type) {
    case TYPE.bit:
      return [BigInt(text.toString()).toString(16).toUpperCase(), said];
    case TYPE.enum:
    case TYPE.set:
      // MariaDB gives a SET of 64 members as a signed number.
      return [text.toString(), String(BigInt.asUintN(64, BigInt(said.split(':')[0] ?? '')))];
    case TYPE.float:
    case TYPE.double: {
      // Servers write exponents in another way; the bits decide.
      const bits = Buffer.alloc(column.type === TYPE.float ? 4 : 8);
      if (column.type === TYPE.float) bits.writeFloatLE(Number(theirs.toString()));
      else bits.writeDoubleLE(Number(theirs.toString()));
      return [value.toString('hex'), bits.toString('hex')];
    }
    case TYPE.long:
      return [text.toString(), String(BigInt(theirs.toString()))];
    default:
      return [text.toString('hex'), theirs.toString('hex')];
  }
}

/** What the server would read; null for literals that are expressions. */
function readBack(column: ColumnShape, literal: Buffer): string | null {
  const text = literal.toString('latin1');
  switch (column.type) {
    case TYPE.float: {
      const bytes = Buffer.alloc(4);
      bytes.writeFloatLE(Number(text));
      return bytes.toString('hex');
    }
    case TYPE.double: {
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleLE(Number(text));
      return bytes.toString('hex');
    }
    case TYPE.json:
      return text.startsWith("_utf8mb4'") ? unquoted(literal.subarray(8)) : null;
    default:
      return literal[0] === 39 ? unquoted(literal) : Buffer.from(text, 'latin1').toString('hex');
  }
}

function wanted(column: ColumnShape, value: Buffer): string {
  if (column.type === TYPE.float || column.type === TYPE.double) return value.toString('hex');
  // Addresses go to a column of their own kind as their bytes, with the zeros that the log has cut.
  if (addressType(column) !== null)
    return Buffer.concat([value, Buffer.alloc(column.meta - value.length)]).toString('hex');
  return textOf(column, value).toString('hex');
}

/** What a lexer makes of a quoted literal that has no escapes but of the quote and the backslash. */
function unquoted(literal: Buffer): string {
  const bytes: number[] = [];
  for (let i = 1; i < literal.length - 1; i++) {
    if (literal[i] === 92) i += 1;
    bytes.push(literal[i] ?? -1);
  }
  return Buffer.from(bytes).toString('hex');
}
