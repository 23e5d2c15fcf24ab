import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { TYPE } from '../../../../canal/value/column-type.ts';
import { ABSENT_LENGTH, compileRowScanner, NULL_LENGTH } from '../../../../canal/value/row-scanner.ts';
import { writeValueText } from '../../../../canal/value/value-text.ts';
import { ByteSink } from '../../../../lib/byte-sink.ts';
import type { BatchHeader } from '../../../../model/batch.ts';
import type { PipelineConfig, TableRuleConfig } from '../../../../model/config.ts';
import { PayloadReader, PayloadWriter } from '../../../../model/payload.ts';
import type { RowOp } from '../../../../model/rows.ts';
import type { ColumnShape, TableShape } from '../../../../model/table-shape.ts';
import { Extractor } from '../../../../stages/extract/extract.ts';

const never = new AbortController().signal;
const column = (name: string, type: number, extra: Partial<ColumnShape> = {}): ColumnShape => ({
  name,
  type,
  meta: 0,
  nullable: true,
  unsigned: false,
  collation: 0,
  carrier: 'binlog',
  declared: null,
  ...extra,
});

/** id INT, n TINYINT, region VARCHAR(20) */
const shape: TableShape = {
  schema: 's',
  table: 't',
  columns: [
    column('id', TYPE.long),
    column('n', TYPE.tiny),
    column('region', TYPE.varchar, { meta: 80, collation: 45 }),
  ],
  key: [0],
  hasPrimaryKey: true,
};
const ALL = Uint8Array.of(0b111);

type Values = readonly [number | null, number | null, string | null];

function image([id, n, region]: Values, present = 0b111): Buffer {
  const values = [id, n, region].filter((_, i) => (present & (1 << i)) !== 0);
  const sink = new ByteSink();
  sink.byte(values.reduce<number>((bits, value, i) => (value === null ? bits | (1 << i) : bits), 0));
  if ((present & 1) !== 0 && id !== null) sink.uint32(id);
  if ((present & 2) !== 0 && n !== null) sink.byte(n);
  if ((present & 4) !== 0 && region !== null) {
    const text = Buffer.from(region);
    sink.byte(text.length);
    sink.copy(text);
  }
  return sink.take();
}

const header = { rows: 0, seq: '1' } as unknown as BatchHeader;

function batchOf(
  ...records: {
    op: RowOp;
    before?: Uint8Array;
    after?: Uint8Array;
    data: Buffer[];
    rows: number;
    shape?: TableShape;
  }[]
) {
  const writer = new PayloadWriter();
  writer.transaction(1, 'gtid');
  for (const one of records) {
    const data = Buffer.concat(one.data);
    writer.rawRows(
      one.shape ?? shape,
      one.op,
      1,
      one.rows,
      one.before ?? null,
      one.after ?? null,
      data,
      0,
      data.length,
    );
  }
  return { header, payload: writer.finish() };
}

const insert = (...rows: Values[]) => ({
  op: 'insert' as const,
  after: ALL,
  data: rows.map((row) => image(row)),
  rows: rows.length,
});
const remove = (...rows: Values[]) => ({
  op: 'delete' as const,
  before: ALL,
  data: rows.map((row) => image(row)),
  rows: rows.length,
});
const update = (...rows: [Values, Values][]) => ({
  op: 'update' as const,
  before: ALL,
  after: ALL,
  data: rows.flatMap((row) => row.map((one) => image(one))),
  rows: rows.length,
});

/** The records of a payload, each row as `before>after` in text. */
function read(payload: Buffer): string[] {
  const reader = new PayloadReader(payload);
  const lines: string[] = [];
  for (let record = reader.next(); record !== null; record = reader.next()) {
    if (record !== 'rows') continue;
    const of = reader.shapes[reader.table];
    if (of === undefined) throw new Error('no shape');
    const scanner = compileRowScanner(of);
    const text = () =>
      of.columns
        .map((one, i) => {
          const length = scanner.lengths[i] ?? ABSENT_LENGTH;
          if (length === ABSENT_LENGTH) return '-';
          if (length === NULL_LENGTH) return 'NULL';
          const sink = new ByteSink();
          writeValueText(sink, one, reader.bytes, scanner.offsets[i] ?? 0, length);
          return sink.take().toString();
        })
        .join(',');
    let at = reader.dataStart;
    const rows: string[] = [];
    for (let row = 0; row < reader.rows; row++) {
      let line = '';
      if (reader.before !== null) {
        at = scanner.scan(reader.bytes, at, reader.dataEnd, reader.before);
        line += text();
      }
      if (reader.op === 'update') line += '>';
      if (reader.after !== null) {
        at = scanner.scan(reader.bytes, at, reader.dataEnd, reader.after);
        line += text();
      }
      rows.push(line);
    }
    expect(at).toBe(reader.dataEnd);
    lines.push(`${reader.op} ${rows.join(' ')}`);
  }
  return lines;
}

const folder = mkdtempSync(join(tmpdir(), 'holt-extract-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function extractor(rule: Partial<TableRuleConfig>): Promise<Extractor> {
  const full: TableRuleConfig = {
    match: 's.t',
    to: { schema: null, table: null },
    columns: { rename: {}, drop: [], order: null, constant: {} },
    where: null,
    processor: null,
    ...rule,
  };
  return Extractor.open({ rules: [full] } as unknown as PipelineConfig);
}

async function processor(name: string, source: string): Promise<Extractor> {
  const path = join(folder, name);
  writeFileSync(path, source);
  return extractor({ processor: path });
}

describe('a row filter', () => {
  const eu = "region = 'eu' and n < 10";

  test('drops, keeps, and turns updates that cross it into deletes and inserts, in order', async () => {
    const batch = batchOf(
      insert([1, 1, 'eu'], [2, 1, 'us'], [3, 2, 'eu'], [4, 3, 'eu']),
      update(
        [
          [1, 1, 'eu'],
          [1, 2, 'eu'],
        ],
        [
          [1, 2, 'eu'],
          [1, 2, 'us'],
        ],
        [
          [2, 1, 'us'],
          [2, 1, 'eu'],
        ],
        [
          [5, 1, 'us'],
          [5, 9, 'us'],
        ],
        [
          [3, 2, 'eu'],
          [3, 99, 'eu'],
        ],
      ),
      remove([4, 3, 'eu'], [5, 9, 'us']),
    );
    const result = await (await extractor({ where: eu })).process(batch, never);
    expect(read(result.payload)).toEqual([
      'insert 1,1,eu',
      'insert 3,2,eu 4,3,eu',
      'update 1,1,eu>1,2,eu',
      'delete 1,2,eu',
      'insert 2,1,eu',
      'delete 3,2,eu',
      'delete 4,3,eu',
    ]);
    expect(result.header.rows).toBe(8);
  });

  test('a batch without filtered tables goes on as the same object', async () => {
    const batch = batchOf(insert([1, 1, 'eu']));
    expect(await (await extractor({})).process(batch, never)).toBe(batch);
    expect(await (await extractor({ match: 's.other', where: eu })).process(batch, never)).toBe(batch);
  });

  test('an unlogged column of the after image is that of the before image', async () => {
    const changed = {
      op: 'update' as const,
      before: ALL,
      after: Uint8Array.of(0b010),
      data: [image([1, 1, 'eu']), image([null, 5, null], 0b010)],
      rows: 1,
    };
    const result = await (await extractor({ where: eu })).process(batchOf(changed), never);
    expect(read(result.payload)).toEqual(['update 1,1,eu>-,5,-']);
  });

  test('an image without the columns it needs pauses the pipeline', async () => {
    const keyOnly = {
      op: 'delete' as const,
      before: Uint8Array.of(0b001),
      data: [image([1, null, null], 0b001)],
      rows: 1,
    };
    const where = await extractor({ where: eu });
    await expect(where.process(batchOf(insert([1, 1, 'eu']), keyOnly), never)).rejects.toMatchObject({
      code: 'HOLT_ROW_FILTER_IMAGE',
    });
    const enters = {
      op: 'update' as const,
      before: ALL,
      after: Uint8Array.of(0b100),
      data: [image([1, 1, 'us']), image([null, null, 'eu'], 0b100)],
      rows: 1,
    };
    await expect(where.process(batchOf(enters), never)).rejects.toMatchObject({
      code: 'HOLT_ROW_FILTER_IMAGE',
    });
  });

  test('a column the table lacks, and a character set it cannot compare in, pause the pipeline', async () => {
    const lacks = await extractor({ where: 'nope = 1' });
    await expect(lacks.process(batchOf(insert([1, 1, 'eu'])), never)).rejects.toMatchObject({
      code: 'HOLT_ROW_FILTER_COLUMN',
    });
    const gbk: TableShape = {
      ...shape,
      columns: shape.columns.map((one) => (one.name === 'region' ? { ...one, collation: 28 } : one)),
    };
    const where = await extractor({ where: eu });
    await expect(where.process(batchOf({ ...insert([1, 1, 'eu']), shape: gbk }), never)).rejects.toThrow(
      'character set gbk',
    );
  });
});

describe('a user processor', () => {
  test('changes values, drops rows, and its rows travel as text', async () => {
    const extract = await processor(
      'change.mjs',
      `export default (row) => {
        if (row.before?.id === 2n) return null;
        const change = (image) => image && { ...image, n: image.n === null ? null : image.n + 1n, region: image.region?.toUpperCase() ?? null };
        return { ...row, before: change(row.before), after: change(row.after) };
      };`,
    );
    const batch = batchOf(
      insert([1, 255, 'eü']),
      update([
        [1, 1, 'eu'],
        [1, null, null],
      ]),
      remove([2, 1, 'x'], [3, 1, 'y']),
    );
    const result = await extract.process(batch, never);
    expect(read(result.payload)).toEqual(['insert 1,0,EÜ', 'update 1,2,EU>1,NULL,NULL', 'delete 3,2,Y']);
    const reader = new PayloadReader(result.payload);
    while (reader.next() !== 'rows');
    expect(reader.shapes[0]?.columns.map((one) => one.carrier)).toEqual(['text', 'text', 'text']);
    expect(result.header.rows).toBe(3);
  });

  test('leaves prepared XA transactions and their outcomes in their places', async () => {
    const extract = await processor('same.mjs', 'export default (row) => row;');
    const writer = new PayloadWriter();
    const rows = () =>
      writer.rawRows(shape, 'insert', 1, 1, null, ALL, image([1, 1, 'x']), 0, image([1, 1, 'x']).length);
    writer.xaBody('a', true, 7, 'g1');
    rows();
    writer.transaction(8, 'g2');
    rows();
    writer.xaOutcome('b', 'rollback', 9, 'g3');
    const { payload } = await extract.process({ header, payload: writer.finish() }, never);
    const reader = new PayloadReader(payload);
    const seen: unknown[] = [];
    for (let record = reader.next(); record !== null; record = reader.next())
      if (record !== 'table') seen.push([record, reader.xid, reader.commitUs, reader.gtid]);
    expect(seen).toEqual([
      ['xa-body', 'a', 7, 'g1'],
      ['rows', 'a', 7, 'g1'],
      ['transaction', '', 8, 'g2'],
      ['rows', '', 8, 'g2'],
      ['xa-outcome', 'b', 9, 'g3'],
    ]);
  });

  test('may be written in TypeScript', async () => {
    const extract = await processor(
      'typed.ts',
      'interface Row { after: Record<string, unknown> | null }\nexport default (row: Row): Row => ({ ...row, after: row.after && { ...row.after, region: "ts" as string } });',
    );
    expect(read((await extract.process(batchOf(insert([1, 1, 'x'])), never)).payload)).toEqual([
      'insert 1,1,ts',
    ]);
  });

  test.each([
    ['throws.mjs', 'export default () => { throw new Error("boom"); };', 'it threw on a row of s.t: boom'],
    ['no-row.mjs', 'export default () => 5;', 'it returned what is no row'],
    [
      'unknown.mjs',
      'export default (row) => ({ ...row, after: { ...row.after, more: 1 } });',
      'it returned column more',
    ],
    [
      'nan.mjs',
      'export default (row) => ({ ...row, after: { ...row.after, n: NaN } });',
      'it returned NaN for s.t.n',
    ],
  ])('%s pauses the pipeline and says why', async (name, source, message) => {
    const extract = await processor(name, source);
    await expect(extract.process(batchOf(insert([1, 1, 'x'])), never)).rejects.toMatchObject({
      code: 'HOLT_PROCESSOR_FAILED',
      disposition: 'pause',
      message: expect.stringContaining(message),
    });
  });

  test('a module without a function is refused when it is loaded', async () => {
    await expect(processor('none.mjs', 'export const a = 1;')).rejects.toThrow(
      'its default export is no function',
    );
    await expect(extractor({ processor: join(folder, 'missing.mjs') })).rejects.toMatchObject({
      code: 'HOLT_PROCESSOR_FAILED',
    });
  });
});
