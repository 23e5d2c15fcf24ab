import { describe, expect, it } from 'vitest';
import { readEventHeader, verifyChecksum } from '../../../../canal/event/header.ts';
import type { RawEvent } from '../../../../canal/source/dump-stream.ts';
import { LogEvent } from '../../../../canal/source/log-event.ts';
import { TransactionEnds } from '../../../../canal/source/transaction-ends.ts';
import { LogWriter } from '../../../support/raw-events.ts';

function raw(bytes: Buffer): RawEvent {
  const header = readEventHeader(bytes, verifyChecksum(bytes));
  const { length } = bytes;
  return new LogEvent(bytes, 0, length, true).placed('f', header.logPos - length, header.logPos);
}

/** Ends found in events; a name a line shows which event ended one. */
function endsOf(make: (log: LogWriter) => readonly Buffer[]): { ends: number[]; isOpen: boolean } {
  const log = new LogWriter();
  const ends = new TransactionEnds();
  const format = raw(log.formatDescription());
  ends.push(format);
  const found: number[] = [];
  for (const [index, bytes] of make(log).entries()) {
    const end = ends.push(raw(bytes));
    if (end === null) continue;
    expect(end.end.offset).toBe(raw(bytes).end);
    expect(end.lastEvent.crc32).toBe(bytes.readUInt32LE(bytes.length - 4));
    found.push(index);
  }
  return { ends: found, isOpen: ends.isOpen };
}

/** GTID events of MySQL 5.6 and of MariaDB. */
const gtid = (log: LogWriter) =>
  log.event({
    type: 'gtid',
    body: Buffer.concat([Buffer.from([1]), Buffer.alloc(16, 0xaa), Buffer.from('0500000000000000', 'hex')]),
  });
const mariadbGtid = (log: LogWriter, flags: number) => {
  const body = Buffer.alloc(19);
  body.writeBigUInt64LE(7n, 0);
  body.writeUInt8(flags, 12);
  return log.event({ type: 'mariadbGtid', body });
};
const STANDALONE = 1;

describe('TransactionEnds', () => {
  it('BEGIN to XID, COMMIT or ROLLBACK', () => {
    for (const last of ['COMMIT', 'ROLLBACK'])
      expect(
        endsOf((log) => [
          log.query('BEGIN'),
          log.query('SAVEPOINT `a`'),
          log.query('ROLLBACK TO `a`'),
          log.query(last),
        ]),
      ).toEqual({ ends: [3], isOpen: false });
    expect(endsOf((log) => [...log.transaction(), ...log.transaction()])).toEqual({
      ends: [2, 5],
      isOpen: false,
    });
  });

  it('a statement by itself', () => {
    expect(endsOf((log) => [log.query('CREATE TABLE t (a INT)'), log.query('BEGIN')])).toEqual({
      ends: [0],
      isOpen: true,
    });
  });

  it('a GTID belongs to what follows it', () => {
    expect(endsOf((log) => [gtid(log), log.query('DROP TABLE t'), gtid(log), ...log.transaction()])).toEqual({
      ends: [1, 5],
      isOpen: false,
    });
    expect(endsOf((log) => [gtid(log)]).isOpen).toBe(true);
  });

  it('MariaDB begins without BEGIN, and says when one statement is all', () => {
    expect(
      endsOf((log) => [
        mariadbGtid(log, 0),
        log.event({ type: 'rowsQuery', body: Buffer.alloc(9) }),
        log.xid(),
        mariadbGtid(log, STANDALONE),
        log.query('ALTER TABLE t ADD b INT'),
      ]),
    ).toEqual({ ends: [2, 4], isOpen: false });
  });

  it('XA is one group up to PREPARE, and another for COMMIT', () => {
    expect(
      endsOf((log) => [
        gtid(log),
        log.query("XA START X'01',X'',1"),
        log.query("XA END X'01',X'',1"),
        log.event({
          type: 'xaPrepare',
          body: Buffer.concat([Buffer.from('00010000000100000000000000', 'hex'), Buffer.from([1])]),
        }),
        gtid(log),
        log.query("XA COMMIT X'01',X'',1"),
      ]),
    ).toEqual({ ends: [3, 5], isOpen: false });
  });

  it('a compressed transaction is one event', () => {
    expect(
      endsOf((log) => [gtid(log), log.event({ type: 'transactionPayload', body: Buffer.alloc(20) })]),
    ).toEqual({ ends: [1], isOpen: false });
  });

  it('gives GTID, start, and the second of commit', () => {
    const log = new LogWriter();
    const ends = new TransactionEnds();
    ends.push(raw(log.formatDescription()));
    const start = log.offset;
    const last = [gtid(log), ...log.transaction()].map((bytes) => ends.push(raw(bytes))).at(-1);
    expect(last).toEqual({
      gtid: { flavour: 'mysql', uuid: 'aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa', tag: '', number: 5n },
      start: { file: 'f', offset: start },
      end: { file: 'f', offset: log.offset },
      lastEvent: { timestamp: 1_700_000_000, crc32: expect.any(Number), length: 31 },
      commitUs: 1_700_000_000_000_000,
      commitIsExact: false,
    });
  });
});
