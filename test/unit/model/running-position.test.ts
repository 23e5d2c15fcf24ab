import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PositionText } from '../../../model/position.ts';
import { RunningPosition } from '../../../model/running-position.ts';
import type { TransactionGtid } from '../../../model/source-item.ts';

const UUID = '3e11fa47-71ca-11e1-9e33-c80aa9429562';
const from = (text: string): RunningPosition =>
  RunningPosition.from({ text: text as PositionText, at: null, lastEvent: null });
const end = { file: 'binlog.000002', offset: 5_000_000_000 };
const mysql = (number: bigint, tag = ''): TransactionGtid => ({ flavour: 'mysql', uuid: UUID, tag, number });
const mariadb = (domain: number, sequence: bigint): TransactionGtid => ({
  flavour: 'mariadb',
  domain,
  server: 7,
  sequence,
});

describe('RunningPosition', () => {
  it('grows a MySQL set, tags included', () => {
    const running = from(`mysql:${UUID}:1-3`);
    running.advance(mysql(4n), end, null);
    running.advance(mysql(1n, 'blue'), end, null);
    expect(running.position).toEqual({ text: `mysql:${UUID}:1-4:blue:1`, at: end, lastEvent: null });
  });

  it('replaces the GTID of a MariaDB domain', () => {
    const running = from('mariadb:0-1-5');
    running.advance(mariadb(0, 6n), end, null);
    running.advance(mariadb(2, 1n), end, null);
    expect(running.text).toBe('mariadb:0-7-6,2-7-1');
  });

  it('moves to the end where there are no GTIDs, beyond 4 GiB too', () => {
    const running = from('file:srv:binlog.000001:4');
    expect(running.at).toEqual({ file: 'binlog.000001', offset: 4 });
    running.advance(null, end, { timestamp: 1, crc32: 2 });
    expect(running.position).toEqual({
      text: 'file:srv:binlog.000002:5000000000',
      at: end,
      lastEvent: { timestamp: 1, crc32: 2 },
    });
  });

  it('refuses another form', () => {
    for (const [text, gtid] of [
      ['mysql:', null],
      ['mysql:', mariadb(0, 1n)],
      ['mariadb:', mysql(1n)],
    ] as const)
      expect(() => from(text).advance(gtid, end, null)).toThrow(
        expect.objectContaining({ code: 'HOLT_POSITION_FORM' }),
      );
  });

  it('a clone goes its own way', () => {
    for (const text of [`mysql:${UUID}:1`, 'mariadb:0-1-1', 'file:s:f:4']) {
      const one = from(text);
      const gtid = text.startsWith('mysql') ? mysql(2n) : text.startsWith('mariadb') ? mariadb(0, 2n) : null;
      one.clone().advance(gtid, end, null);
      expect(one.text).toBe(text);
    }
  });

  it('gives the same text in steps as at once, through any cut', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 40 }),
        fc.nat(),
        (numbers, cut) => {
          const whole = from('mysql:');
          for (const n of numbers) whole.advance(mysql(BigInt(n)), end, null);
          const first = from('mysql:');
          const at = cut % (numbers.length + 1);
          for (const n of numbers.slice(0, at)) first.advance(mysql(BigInt(n)), end, null);
          const second = RunningPosition.from(first.position);
          for (const n of numbers.slice(at)) second.advance(mysql(BigInt(n)), end, null);
          expect(second.text).toBe(whole.text);
        },
      ),
    );
  });
});
