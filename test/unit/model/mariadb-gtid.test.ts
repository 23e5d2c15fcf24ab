import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatMariadbGtid,
  type MariadbGtid,
  MariadbPosition,
  mariadbPositionOf,
  parseMariadbGtid,
  parseMariadbGtids,
} from '../../../model/mariadb-gtid.ts';

const anyGtid: fc.Arbitrary<MariadbGtid> = fc.record({
  flavour: fc.constant('mariadb' as const),
  domain: fc.oneof(fc.nat(5), fc.constant(0xffff_ffff)),
  server: fc.nat(0xffff_ffff),
  sequence: fc.bigInt(0n, 0xffff_ffff_ffff_ffffn),
});

const advanced = (gtids: readonly MariadbGtid[]): MariadbPosition => {
  const position = new MariadbPosition();
  for (const gtid of gtids) position.advance(gtid);
  return position;
};

describe('MariadbPosition', () => {
  test('text is sorted by domain number, not by its digits', () => {
    expect(MariadbPosition.parse('10-1-5, 2-1-7,0-3-1').toString()).toBe('0-3-1,2-1-7,10-1-5');
    expect(MariadbPosition.parse('').toString()).toBe('');
    expect(MariadbPosition.parse('0-1-18446744073709551615').toPosition()).toBe(
      'mariadb:0-1-18446744073709551615',
    );
  });

  test('parse undoes toString', () => {
    fc.assert(
      fc.property(fc.array(anyGtid), (gtids) => {
        const position = advanced(gtids);
        expect(mariadbPositionOf(position.toPosition()).toString()).toBe(position.toString());
        for (const gtid of gtids) expect(parseMariadbGtid(formatMariadbGtid(gtid))).toEqual(gtid);
      }),
    );
  });

  test('each domain stands at the last GTID that the log gave it', () => {
    fc.assert(
      fc.property(fc.array(anyGtid), (gtids) => {
        const position = advanced(gtids);
        for (const { domain } of gtids)
          expect(position.get(domain)).toEqual(gtids.findLast((one) => one.domain === domain));
      }),
    );
  });

  test('contains is an order where sequence numbers grow', () => {
    fc.assert(
      fc.property(fc.array(anyGtid), fc.array(anyGtid), (a, b) => {
        const [x, y] = [advanced(a), advanced(b)];
        expect(x.contains(x)).toBe(true);
        expect(x.contains(new MariadbPosition())).toBe(true);
        expect(x.contains(y)).toBe(
          y.gtids.every((theirs) => (x.get(theirs.domain)?.sequence ?? -1n) >= theirs.sequence),
        );
      }),
    );
  });

  test('a clone goes its own way', () => {
    const position = MariadbPosition.parse('0-1-5');
    const copy = position.clone();
    copy.advance(parseMariadbGtid('0-1-6'));
    expect([position.toString(), copy.toString()]).toEqual(['0-1-5', '0-1-6']);
    expect(copy.equals(position)).toBe(false);
  });

  test.each([
    '0-1',
    '0-1-2-3',
    'a-1-2',
    '4294967296-1-2',
    '0-4294967296-2',
    '0-1-18446744073709551616',
    '0-1-5,0-2-6',
    '3e11fa47-71ca-11e1-9e33-c80aa9429562:1',
  ])('%j is refused', (text) => {
    expect(() => MariadbPosition.parse(text)).toThrow(
      expect.objectContaining({ code: 'HOLT_POSITION_INVALID' }),
    );
  });

  test('a binlog state may have several servers in a domain', () => {
    expect(parseMariadbGtids('0-1-5,0-2-6').map(formatMariadbGtid)).toEqual(['0-1-5', '0-2-6']);
  });
});
