import { expect, it } from 'vitest';
import { PayloadReader } from '../../../../../model/payload.ts';
import { ROW_FLAG } from '../../../../../model/rows.ts';
import { replacedRows } from '../../../../../stages/load/apply/replaced-rows.ts';
import { type Change, insert, int, payloadOf, remove, shapeOf, update } from './paper.ts';

const parent = shapeOf([int('id')], [0], 'parent');
const child = shapeOf([int('id')], [0], 'child');
const LOGGED = ROW_FLAG.cascadesLogged;
const LAST = LOGGED | ROW_FLAG.endOfStatement;
const of = (change: Change, flags: number, shape = parent): Change => ({ ...change, flags, shape });

/** Numbers of the records whose deletions are found to be a REPLACE's. */
function found(changes: readonly Change[]): number[] {
  const payload = payloadOf(parent, changes);
  const replaced = replacedRows(payload);
  const numbers: number[] = [];
  const reader = new PayloadReader(payload);
  let number = 0;
  for (let record = reader.next(); record !== null; record = reader.next()) {
    if (record !== 'rows') continue;
    if (replaced.has(reader.dataStart)) numbers.push(number);
    number += 1;
  }
  return numbers;
}

it.each<readonly [string, readonly Change[], readonly number[]]>([
  ['a row deleted and inserted by one statement', [of(remove(1), LOGGED), of(insert(1), LAST)], [0]],
  [
    'several of them',
    [of(remove(1), LOGGED), of(insert(1), LOGGED), of(remove(2), LOGGED), of(insert(2), LAST)],
    [0, 2],
  ],
  ['not by two statements', [of(remove(1), LAST), of(insert(1), LAST)], []],
  ['not a deletion of many events', [of(remove(1), LOGGED), of(remove(2), LAST), of(insert(1), LAST)], []],
  ['not where another table is inserted into', [of(remove(1), LOGGED), of(insert(1), LAST, child)], []],
  ['not where cascades are not logged', [of(remove(1), 0), of(insert(1), ROW_FLAG.endOfStatement)], []],
  [
    'a deletion whose statement ends in the next part',
    [of(remove(1), LOGGED), of(update([2], [3]), LOGGED)],
    [0],
  ],
])('%s', (_, changes, expected) => {
  expect(found(changes)).toEqual(expected);
});
