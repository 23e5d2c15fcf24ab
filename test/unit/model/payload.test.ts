import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PayloadReader, PayloadWriter, surveyPayload } from '../../../model/payload.ts';
import { ROW_OPS } from '../../../model/rows.ts';
import type { TableShape } from '../../../model/table-shape.ts';

const shapes = ['a', 'b'].map(
  (table): TableShape => ({ schema: 's', table, columns: [], key: [], hasPrimaryKey: false }),
);

const record = fc.record({
  table: fc.nat({ max: 1 }),
  op: fc.constantFrom(...ROW_OPS),
  flags: fc.nat({ max: 0xffff }),
  rows: fc.nat({ max: 8 }),
  // Few values, so that neighbours are often equal and often not.
  before: fc.uint8Array({ minLength: 1, maxLength: 2, max: 1 }),
  after: fc.uint8Array({ minLength: 1, maxLength: 2, max: 1 }),
  data: fc.uint8Array({ maxLength: 8 }),
});

const payload = fc.array(
  fc.record({ commitUs: fc.nat(), gtid: fc.constantFrom('', '0-1-7'), records: fc.array(record) }),
  { maxLength: 6 },
);
type Transactions = typeof payload extends fc.Arbitrary<infer T> ? T : never;

/** A row has a byte at least, but for the single one of a record without any. */
function countOf(one: { readonly rows: number; readonly data: Uint8Array }): number {
  return Math.min(one.rows, Math.max(1, one.data.length));
}

function written(transactions: Transactions): Buffer {
  const writer = new PayloadWriter();
  for (const { commitUs, gtid, records } of transactions) {
    writer.transaction(commitUs, gtid);
    for (const one of records) {
      const shape = shapes[one.table];
      if (shape === undefined) throw new Error('no shape');
      writer.rawRows(
        shape,
        one.op,
        one.flags,
        countOf(one),
        one.op === 'insert' ? null : Buffer.from(one.before),
        one.op === 'delete' ? null : Buffer.from(one.after),
        Buffer.from(one.data),
        0,
        one.data.length,
      );
    }
  }
  return writer.finish();
}

describe('a payload', () => {
  it('is read as it was written, record by record', () => {
    fc.assert(
      fc.property(payload, (transactions) => {
        const reader = new PayloadReader(written(transactions));
        const skipTables = () => {
          for (;;) {
            const kind = reader.next();
            if (kind !== 'table') return kind;
          }
        };
        for (const { commitUs, gtid, records } of transactions) {
          expect(skipTables()).toBe('transaction');
          expect([reader.commitUs, reader.gtid]).toEqual([commitUs, gtid]);
          for (const one of records) {
            expect(skipTables()).toBe('rows');
            expect(reader.shapes[reader.table]?.table).toBe(shapes[one.table]?.table);
            expect([reader.op, reader.flags, reader.rows]).toEqual([one.op, one.flags, countOf(one)]);
            expect(reader.before).toEqual(one.op === 'insert' ? null : Buffer.from(one.before));
            expect(reader.after).toEqual(one.op === 'delete' ? null : Buffer.from(one.after));
            expect(reader.bytes.subarray(reader.dataStart, reader.dataEnd)).toEqual(Buffer.from(one.data));
            // Asking again gives the same, and asking at all is not needed.
            expect(reader.gtid).toBe(gtid);
          }
        }
        expect(reader.next()).toBeNull();
      }),
    );
  });

  it('is surveyed once: tables, rows and flags', () => {
    fc.assert(
      fc.property(payload, (transactions) => {
        const bytes = written(transactions);
        const records = transactions.flatMap((one) => one.records);
        const survey = surveyPayload(bytes);
        expect(survey.rows).toBe(records.reduce((sum, one) => sum + countOf(one), 0));
        expect(survey.flags).toBe(records.reduce((flags, one) => flags | one.flags, 0));
        expect(survey.shapes.map((one) => one.table).sort()).toEqual(
          [...new Set(records.map((one) => shapes[one.table]?.table ?? ''))].sort(),
        );
        expect(surveyPayload(bytes)).toBe(survey);
      }),
    );
  });

  it('keeps bodies and outcomes of XA transactions in their places', () => {
    const writer = new PayloadWriter();
    const rows = (data: number): void => {
      const [shape] = shapes;
      if (shape === undefined) throw new Error('no shape');
      writer.rawRows(shape, 'insert', 1, 1, null, Uint8Array.of(1), Buffer.from([data]), 0, 1);
    };
    writer.xaBody("x'61',x'',1", true, 7, '0-1-1');
    rows(1);
    writer.transaction(8, '0-1-2');
    rows(2);
    writer.xaOutcome("x'62',x'',1", 'rollback', 9, '0-1-3');
    const bytes = writer.finish();
    const reader = new PayloadReader(bytes);
    const seen: unknown[] = [];
    for (let record = reader.next(); record !== null; record = reader.next())
      seen.push(
        record === 'rows'
          ? reader.bytes[reader.dataStart]
          : [record, reader.xid, reader.xaFirst, reader.xaOutcome, reader.commitUs, reader.gtid],
      );
    expect(seen.slice(0, 1)).toEqual([['xa-body', "x'61',x'',1", true, 'commit', 7, '0-1-1']]);
    expect(seen.slice(2)).toEqual([
      1,
      ['transaction', '', true, 'commit', 8, '0-1-2'],
      2,
      ['xa-outcome', "x'62',x'',1", true, 'rollback', 9, '0-1-3'],
    ]);
    expect(surveyPayload(bytes)).toMatchObject({ hasXa: true, rows: 2 });
    expect(surveyPayload(written([])).hasXa).toBe(false);
    // Rows behind an outcome belong to nothing.
    writer.reset();
    writer.xaOutcome('x', 'commit', 1, '');
    rows(3);
    expect(() => surveyPayload(writer.finish())).toThrow(/without table/);
  });

  it('that is damaged is refused', () => {
    const bytes = written([{ commitUs: 1, gtid: '', records: [] }]);
    expect(() => surveyPayload(Buffer.concat([bytes, Buffer.from([9])]))).toThrow(/record kind 9/);
    expect(() => surveyPayload(Buffer.from('no'))).toThrow(/HLT1/);
  });

  it('that counts more rows than it has bytes is refused: someone would go through them all', () => {
    const one = {
      table: 0,
      op: 'insert' as const,
      flags: 0,
      rows: 1,
      before: Uint8Array.of(),
      after: Uint8Array.of(1),
      data: Uint8Array.of(),
    };
    const bytes = written([{ commitUs: 1, gtid: '', records: [one] }]);
    expect(surveyPayload(bytes).rows).toBe(1);
    const many = Buffer.from(bytes);
    // The count stands before two bitmaps of lengths 0 and 1 and the length of the data.
    many.writeUInt32LE(0xffff_ffff, many.length - 4 - 3 - 2 - 4);
    expect(() => surveyPayload(many)).toThrow(/4294967295 rows in 0 bytes/);
  });
});
