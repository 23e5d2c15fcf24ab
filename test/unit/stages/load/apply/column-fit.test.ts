import { expect, it } from 'vitest';
import type { ColumnShape } from '../../../../../model/table-shape.ts';
import { misfit } from '../../../../../stages/load/apply/column-fit.ts';
import type { TargetColumn } from '../../../../../stages/load/apply/target-table.ts';
import { int, targetColumn, varchar } from './paper.ts';

const column = (type: number, meta = 0, change: Partial<ColumnShape> = {}): ColumnShape => ({
  ...int('c'),
  type,
  meta,
  ...change,
});
const target = (dataType: string, change: Partial<TargetColumn> = {}): TargetColumn =>
  targetColumn('c', { dataType, columnType: dataType, scale: null, ...change });
const text = { charset: 'utf8mb4', collation: 'utf8mb4_bin' };

it.each<[string, ColumnShape, TargetColumn]>([
  ['INT → BIGINT', int('c'), target('bigint')],
  ['INT → VARCHAR', int('c'), target('varchar', text)],
  ['DECIMAL(10,2) → DECIMAL(12,4)', column(246, (10 << 8) | 2), target('decimal', { scale: 4 })],
  ['FLOAT → DOUBLE', column(4, 4), target('double')],
  ['DATE → DATETIME', column(10), target('datetime', { scale: 0 })],
  ['DATETIME(3) → DATETIME(6)', column(18, 3), target('datetime', { scale: 6 })],
  ['TIMESTAMP → DATETIME', column(17, 0), target('datetime', { scale: 0 })],
  ['VARCHAR → VARBINARY', varchar('c'), target('varbinary')],
  ['BLOB → TEXT', column(252, 2, { collation: 63 }), target('text', text)],
  ['JSON → LONGTEXT', column(245, 4), target('longtext', text)],
  ['TEXT → JSON', column(252, 2, { collation: 45 }), target('json')],
  [
    'ENUM with more labels at the end',
    column(247, 1, { declared: "enum('a','b''c')" }),
    target('enum', { columnType: "enum('a','b''c','d')" }),
  ],
  ['CHAR → CHAR', column(254, 40, { collation: 45 }), target('char', text)],
  ['CHAR → VARCHAR', column(254, 40, { collation: 45 }), target('varchar', text)],
  ['INT → CHAR', int('c'), target('char', text)],
  ['UUID → CHAR', column(254, 16, { declared: 'uuid', collation: 63 }), target('char', text)],
  ['BINARY(4) → BINARY(4)', column(254, 4, { collation: 63 }), target('binary', { columnType: 'binary(4)' })],
  [
    'FLOAT(7,3) → FLOAT(9,4)',
    column(4, 4, { declared: 'float(7,3)' }),
    target('float', { columnType: 'float(9,4)', scale: 4 }),
  ],
  ['gb18030 where the target knows it', column(15, 40, { collation: 248 }), target('varchar', text)],
  ['UUID → UUID', column(254, 16, { declared: 'uuid', collation: 63 }), target('uuid')],
  ['POINT → GEOMETRY', column(255, 4), target('geometry')],
])('%s fits', (_, from, to) => {
  expect(misfit(from, to)).toBeNull();
});

it.each<[string, ColumnShape, TargetColumn]>([
  ['VARCHAR → INT', varchar('c'), target('int')],
  ['DOUBLE → FLOAT', column(5, 8), target('float')],
  ['BIGINT → DOUBLE', column(8), target('double')],
  ['DECIMAL(10,4) → DECIMAL(10,2)', column(246, (10 << 8) | 4), target('decimal', { scale: 2 })],
  ['DATETIME(6) → DATETIME', column(18, 6), target('datetime', { scale: 0 })],
  ['TIME(3) → TIME', column(19, 3), target('time', { scale: 0 })],
  [
    'DATETIME → TIMESTAMP, which would depend on a time zone',
    column(18, 0),
    target('timestamp', { scale: 0 }),
  ],
  [
    'ENUM with labels in another order',
    column(247, 1, { declared: "enum('a','b')" }),
    target('enum', { columnType: "enum('b','a')" }),
  ],
  ['ENUM → VARCHAR', column(247, 1, { declared: "enum('a','b')" }), target('varchar', text)],
  [
    'SET with fewer labels',
    column(248, 1, { declared: "set('a','b')" }),
    target('set', { columnType: "set('a')" }),
  ],
  [
    'ENUM with a label that differs in case',
    column(247, 1, { declared: "enum('a','b')" }),
    target('enum', { columnType: "enum('a','B')" }),
  ],
  ['VARCHAR → CHAR', varchar('c'), target('char', text)],
  ['VARBINARY → BINARY', column(15, 4, { collation: 63 }), target('binary', { columnType: 'binary(4)' })],
  ['BINARY(4) → BINARY(8)', column(254, 4, { collation: 63 }), target('binary', { columnType: 'binary(8)' })],
  ['FLOAT → FLOAT(7,3)', column(4, 4), target('float', { columnType: 'float(7,3)', scale: 3 })],
  [
    'DOUBLE(9,4) → DOUBLE(9,3)',
    column(5, 8, { declared: 'double(9,4)' }),
    target('double', { columnType: 'double(9,3)', scale: 3 }),
  ],
  [
    'a TIME(3) in the old form of MariaDB → TIME',
    column(11, 0, { declared: 'time(3)' }),
    target('time', { scale: 0 }),
  ],
  [
    'gb18030 where the target does not know it',
    column(15, 40, { collation: 248 }),
    target('varchar', { ...text, unknownCharsets: ['gb18030'] }),
  ],
  ['INET4 → INET6', column(254, 4, { declared: 'inet4', collation: 63 }), target('inet6')],
  ['GEOMETRY → BLOB', column(255, 4), target('blob')],
  ['a type that is not known', column(99), target('int')],
])('%s does not fit', (_, from, to) => {
  expect(misfit(from, to)).not.toBeNull();
});
