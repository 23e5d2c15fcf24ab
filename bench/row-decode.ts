/**
 * How fast are row images found, and turned into SQL literals? Rows as sysbench's oltp tables have them
 * (id INT, k INT, c CHAR(120), pad CHAR(60)); one thread, no I/O. Run: `npx tsx bench/row-decode.ts [rows]`.
 */
import { cpus } from 'node:os';
import { compileRowScanner } from '../canal/value/row-scanner.ts';
import { writeLiteral } from '../canal/value/value-literal.ts';
import { ByteSink } from '../lib/byte-sink.ts';
import type { ColumnShape, TableShape } from '../model/table-shape.ts';

const ROWS = Number(process.argv[2] ?? 200_000);
const PASSES = 5;

function column(name: string, type: number, meta: number): ColumnShape {
  return {
    name,
    type,
    meta,
    nullable: false,
    unsigned: false,
    collation: 8,
    carrier: 'binlog',
    declared: null,
  };
}

const shape: TableShape = {
  schema: 'sbtest',
  table: 'sbtest1',
  columns: [column('id', 3, 0), column('k', 3, 0), column('c', 254, 120), column('pad', 254, 60)],
  key: [0],
  hasPrimaryKey: true,
};

function images(rows: number): Buffer {
  const digits = (groups: number, seed: number) =>
    Array.from({ length: groups }, (_, i) =>
      String((seed * 7_919 + i * 104_729 + 12_345_678_901) % 99_999_999_999).padStart(11, '0'),
    ).join('-');
  const sink = new ByteSink(rows * 200);
  for (let i = 0; i < rows; i++) {
    sink.byte(0xf0);
    sink.uint32(i + 1);
    sink.uint32((i * 7919) % 20_000);
    const c = digits(10, i);
    sink.byte(c.length);
    sink.latin1(c);
    const pad = digits(5, i + 1);
    sink.byte(pad.length);
    sink.latin1(pad);
  }
  return sink.take();
}

function measure(title: string, rows: number, bytes: number, work: () => void): void {
  work();
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < PASSES; i++) {
    const start = performance.now();
    work();
    best = Math.min(best, performance.now() - start);
  }
  const rate = (rows / best / 1000).toFixed(2);
  console.log(
    `${title.padEnd(28)} ${rate.padStart(7)} M rows/s ${(bytes / best / 1000).toFixed(0).padStart(6)} MB/s`,
  );
}

const data = images(ROWS);
const full = Buffer.from([0x0f]);
const scanner = compileRowScanner(shape);
const sink = new ByteSink(data.length * 2);
console.log(
  `node ${process.version}, ${cpus()[0]?.model ?? 'unknown'}, ${ROWS} rows of ${Math.round(data.length / ROWS)} bytes`,
);

measure('count rows', ROWS, data.length, () => {
  if (scanner.countRows(data, null, full) !== ROWS) throw new Error('rows lost');
});
measure('scan rows', ROWS, data.length, () => {
  for (let at = 0; at < data.length; ) at = scanner.scan(data, at, data.length, full);
});
measure('scan and write literals', ROWS, data.length, () => {
  sink.reset();
  for (let at = 0; at < data.length; ) {
    at = scanner.scan(data, at, data.length, full);
    for (let i = 0; i < shape.columns.length; i++)
      writeLiteral(
        sink,
        shape.columns[i] as ColumnShape,
        data,
        scanner.offsets[i] as number,
        scanner.lengths[i] as number,
      );
    sink.byte(44);
  }
});
measure('scan and write keys', ROWS, data.length, () => {
  sink.reset();
  for (let at = 0; at < data.length; ) {
    at = scanner.scan(data, at, data.length, full);
    writeLiteral(
      sink,
      shape.columns[0] as ColumnShape,
      data,
      scanner.offsets[0] as number,
      scanner.lengths[0] as number,
    );
    sink.byte(44);
  }
});
