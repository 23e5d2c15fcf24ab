import { expect, it } from 'vitest';
import { countProblem, type Statement } from '../../../../../stages/load/apply/statement.ts';

const statement = (kind: Statement['kind'], rows: number): Statement => ({
  kind,
  rows,
  sql: Buffer.alloc(0),
  checksOff: 0,
  table: 'dst.t',
});
const result = (affectedRows: number, info = '') => ({ affectedRows, info, warningCount: 0 });

it.each([
  ['insert', 3, result(3, 'Records: 3  Duplicates: 0  Warnings: 0')],
  ['delete', 2, result(2)],
  ['update', 1, result(1, 'Rows matched: 1  Changed: 0  Warnings: 0')],
  ['absence', 5, result(0)],
  ['upsert', 3, result(6, 'Records: 3  Duplicates: 3  Warnings: 0')],
  ['upsert', 3, result(3, 'Records: 3  Duplicates: 3  Warnings: 0')],
  // The driver hands on the length byte of MySQL 5.6's text.
  ['upsert', 3, result(3, '&Records: 3  Duplicates: 3  Warnings: 2')],
] as const)('%s of %i rows is as promised', (kind, rows, answer) => {
  expect(countProblem(statement(kind, rows), answer)).toBeNull();
});

it.each([
  ['insert', 3, result(2)],
  ['delete', 2, result(1)],
  ['update', 1, result(0, 'Rows matched: 0  Changed: 0  Warnings: 0')],
  ['absence', 5, result(1)],
  ['upsert', 3, result(5, 'Records: 3  Duplicates: 2  Warnings: 0')],
  ['upsert', 3, result(3, 'Records: 4  Duplicates: 3  Warnings: 0')],
  ['upsert', 3, result(3)],
  ['compare', 1, result(0)],
] as const)('%s of %i rows that finds others is a divergence', (kind, rows, answer) => {
  expect(countProblem(statement(kind, rows), answer)).not.toBeNull();
});
