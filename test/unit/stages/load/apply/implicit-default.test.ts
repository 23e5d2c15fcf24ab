import { expect, it } from 'vitest';
import { implicitDefault } from '../../../../../stages/load/apply/implicit-default.ts';
import { targetColumn } from './paper.ts';

it.each([
  ['int', '0'],
  ['varchar', "''"],
  ['blob', "''"],
  ['decimal', '0'],
  ['datetime', "'0000-00-00 00:00:00'"],
  ['enum', '1'],
  ['point', null],
])('a NOT NULL %s without default that an image lacks is %s', (dataType, literal) => {
  const column = targetColumn('c', { dataType, columnType: dataType, nullable: false, hasDefault: false });
  expect(implicitDefault(column)).toBe(literal);
  expect(implicitDefault({ ...column, hasDefault: true })).toBeNull();
});
