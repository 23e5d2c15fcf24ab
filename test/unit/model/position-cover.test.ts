import { describe, expect, it } from 'vitest';
import type { PositionText } from '../../../model/position.ts';
import { coveredBy, covers, isBeyond, nowhere, TransactionsBehind } from '../../../model/position-cover.ts';

const A = '00000000-0000-0000-0000-00000000000a';
const B = '00000000-0000-0000-0000-00000000000b';
const at = (text: string) => text as PositionText;

describe('a position covers another', () => {
  it.each([
    [`mysql:${A}:1-9`, `mysql:${A}:1-9`, true],
    [`mysql:${A}:1-9`, `mysql:${A}:1-4:6`, true],
    [`mysql:${A}:1-4:6`, `mysql:${A}:1-5`, false],
    [`mysql:${A}:1-9`, `mysql:${A}:1-9,${B}:1`, false],
    [`mysql:${A}:1-9#${A}:10@7`, `mysql:${A}:1-9`, true],
    [`mysql:${A}:1-9#${A}:10@7`, `mysql:${A}:1-10`, false],
    ['mariadb:0-1-9,1-1-3', 'mariadb:0-1-9', true],
    ['mariadb:0-1-9', 'mariadb:0-1-9,1-1-3', false],
    ['mariadb:0-1-9', 'mariadb:0-2-8', true],
    ['file:s:bin.000009:500', 'file:s:bin.000009:500', true],
    ['file:s:bin.999999:500', 'file:s:bin.1000000:4', false],
    ['file:s:bin.1000000:4', 'file:s:bin.999999:500', true],
    ['file:other:bin.1000000:4', 'file:s:bin.999999:500', false],
    [`mysql:${A}:1-9`, 'mariadb:0-1-1', false],
  ])('%s, %s: %s', (one, other, expected) => {
    expect(covers(at(one), at(other))).toBe(expected);
  });
});

describe('a position is beyond another', () => {
  const place = (text: string, file: string | null, offset = 0) => ({
    text: at(text),
    at: file === null ? null : { file, offset },
    lastEvent: null,
  });

  it.each([
    // Numbers may go back in a domain: places do not.
    [place('mariadb:0-1-15', 'bin.000001', 500), place('mariadb:0-2-9', 'bin.000001', 900), false],
    [place('mariadb:0-2-9', 'bin.000001', 900), place('mariadb:0-1-15', 'bin.000001', 500), true],
    [place('mariadb:0-1-15', null), place('mariadb:0-1-9', 'bin.000001', 900), true],
    [place('mariadb:0-1-9', null), place('mariadb:0-1-15', 'bin.000001', 900), false],
    // Files of another name say nothing of each other.
    [place('mariadb:0-1-9', 'mysql-bin.000007', 4), place('mariadb:0-1-15', 'bin.000001', 900), false],
    [place('mariadb:0-1-9', 'bin.000007', 4), place('mariadb:0-1-9', 'bin.000001', 900), false],
  ])('%o, %o: %s', (one, other, expected) => {
    expect(isBeyond(one, other)).toBe(expected);
  });

  it.each(['mariadb:0-1-15', `mysql:${A}:1-9`, 'file:s:bin.000001:500'])(
    'nowhere is not beyond %s',
    (text) => {
      const here = place(text, 'bin.000001', 500);
      expect(isBeyond(nowhere(here), here)).toBe(false);
      expect(isBeyond(nowhere(here), { ...here, at: null })).toBe(false);
    },
  );
});

describe('a position includes transactions by their names', () => {
  it.each([
    [`mysql:${A}:1-4:6`, `${A}:6`, true],
    [`mysql:${A}:1-4:6`, `${A}:5`, false],
    [`mysql:${A}:1-4:6`, `${B}:1`, false],
    [`mysql:${A}:tag:1-4`, `${A}:tag:3`, true],
    [`mysql:${A}:tag:1-4`, `${A}:3`, false],
    ['mariadb:0-1-9', '0-7-9', true],
    ['mariadb:0-1-9', '0-1-10', false],
    ['mariadb:0-1-9', '1-1-1', false],
    ['file:s:bin.000009:500', 'bin.000009:499', true],
    ['file:s:bin.000009:500', 'bin.000009:500', false],
    ['file:s:bin.999999:500', 'bin.1000000:4', false],
  ])('%s: %s is %s', (position, transaction, expected) => {
    expect(coveredBy(at(position))(transaction)).toBe(expected);
  });

  it('refuses what names none', () => {
    expect(() => coveredBy(at(`mysql:${A}:1`))('bin.1:4')).toThrow(/names no transaction/);
  });
});

describe('transactions behind a position', () => {
  it('must rise in each domain of MariaDB', () => {
    const behind = new TransactionsBehind(at('mariadb:0-1-9'));
    expect(behind.add('0-1-9')).toBe(false);
    expect(behind.add('0-2-10')).toBe(true);
    expect(behind.add('1-1-1')).toBe(true);
    expect(behind.add('0-1-10')).toBe(false);
    expect(behind.reached(at('mariadb:0-1-20'))).toBe('mariadb:0-2-10,1-1-1');
  });

  it('must be new to a set of MySQL, in whatever order', () => {
    const behind = new TransactionsBehind(at(`mysql:${A}:1-4`));
    expect(behind.add(`${A}:6`)).toBe(true);
    expect(behind.add(`${A}:5`)).toBe(true);
    expect(behind.add(`${A}:5`)).toBe(false);
    expect(behind.reached(at(`mysql:${A}:1-20`))).toBe(`mysql:${A}:1-6`);
  });

  it('are places in order where there are no GTIDs, and reach to the end', () => {
    const behind = new TransactionsBehind(at('file:s:bin.000009:500'));
    expect(behind.add('bin.000009:500')).toBe(true);
    expect(behind.add('bin.000010:4')).toBe(true);
    expect(behind.add('bin.000009:700')).toBe(false);
    expect(behind.reached(at('file:s:bin.000010:900'))).toBe('file:s:bin.000010:900');
  });
});
