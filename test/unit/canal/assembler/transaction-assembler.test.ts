import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalXid } from '../../../../canal/assembler/statement.ts';
import { TransactionAssembler } from '../../../../canal/assembler/transaction-assembler.ts';
import type { TableMap } from '../../../../canal/event/event.ts';
import type { LoadMark, SourceItem } from '../../../../model/source-item.ts';
import type { TableShape } from '../../../../model/table-shape.ts';
import { EventScript, type PlacedEvent, queryEvent, rowsEvent, tableMap, UUID } from './event-script.ts';

type Rows = Extract<SourceItem, { kind: 'rows' }>;

const T = tableMap(1, 'shop', 't');
const U = tableMap(2, 'shop', 'u');
const UNWANTED = tableMap(3, 'other', 'x');
const CHECKPOINT = tableMap(4, 'holt', 'checkpoint', 4);
const MARK: LoadMark = { pipeline: 'p', lane: 0, seq: 4n, origin: 'west', previousSeq: 3n };

function shapeOf(map: TableMap): TableShape | null {
  if (map.schema === 'other') return null;
  return {
    schema: map.schema,
    table: map.table,
    columns: map.types.map((type, index) => ({
      name: `c${index}`,
      type,
      meta: 0,
      nullable: true,
      unsigned: false,
      collation: 0,
      carrier: 'binlog',
      declared: null,
    })),
    key: [0],
    hasPrimaryKey: true,
  };
}

function assembler(emit: (item: SourceItem) => void, partBytes = 1_000_000): TransactionAssembler {
  return new TransactionAssembler({
    shapeOf,
    countRows: (_, event) => Math.max(1, event.data.length),
    readMark: () => MARK,
    partBytes,
    emit,
  });
}

function assemble(events: readonly PlacedEvent[], partBytes?: number): SourceItem[] {
  const items: SourceItem[] = [];
  const one = assembler((item) => items.push(item), partBytes);
  for (const { event, ...place } of events) one.push(event, place);
  return items;
}

function only(items: readonly SourceItem[]): SourceItem {
  expect(items).toHaveLength(1);
  const [item] = items;
  if (item === undefined) throw new Error('no item');
  return item;
}

function onlyRows(items: readonly SourceItem[]): Rows {
  const item = only(items);
  if (item.kind !== 'rows') throw new Error(`a ${item.kind}`);
  return item;
}

/** What the items say, wherever their rows lie in memory. */
const plain = (items: readonly SourceItem[]): unknown[] =>
  items.map((item) =>
    item.kind !== 'rows'
      ? item
      : {
          ...item,
          rows: item.rows.map(({ shape, op, flags, before, after, rows, rawBefore, data }) => {
            return { shape, op, flags, before, after, rows, rawBefore, data };
          }),
        },
  );

const dataOf = (item: Rows): string[] =>
  item.rows.map((rows) => `${rows.op} ${rows.shape.table} ${rows.data}`);

describe('a transaction', () => {
  it('of MySQL reaches from its GTID to its XID', () => {
    const script = new EventScript().gtid(5n).query('BEGIN').map(T).rows(T, 'insert', 'ab').xid();
    const item = onlyRows(assemble(script.events));
    expect(item).toMatchObject({
      gtid: { uuid: UUID, number: 5n },
      start: { file: 'binlog.000001', offset: 4 },
      end: { file: 'binlog.000001', offset: 504 },
      lastEvent: { timestamp: 1_700_000_000, crc32: 504, length: 100 },
      commitUs: 1_700_000_000_123_456,
      commitIsExact: true,
      part: 0,
      lastPart: true,
      mark: null,
    });
    expect(dataOf(item)).toEqual(['insert t ab']);
    expect(item.rows[0]?.rows).toBe(2);
  });

  it('without GTIDs reaches from BEGIN to COMMIT, and is as old as the second of its last event', () => {
    const script = new EventScript()
      .query('BEGIN')
      .map(T)
      .rows(T, 'delete', 'a')
      .at(1_700_000_009)
      .query('COMMIT');
    expect(onlyRows(assemble(script.events))).toMatchObject({
      gtid: null,
      start: { offset: 4 },
      end: { offset: 404 },
      commitUs: 1_700_000_009_000_000,
      commitIsExact: false,
    });
  });

  it('of MariaDB begins with its GTID, without BEGIN', () => {
    const script = new EventScript().mariadbGtid().map(T).rows(T, 'update', 'ab').xid();
    expect(onlyRows(assemble(script.events))).toMatchObject({
      gtid: { flavour: 'mariadb', sequence: 1n },
      start: { offset: 4 },
      end: { offset: 404 },
    });
  });

  it('comes out of a payload with the coordinates and CRC of the payload event', () => {
    const script = new EventScript().gtid(1n).add((header) => ({
      kind: 'transaction-payload',
      header,
      compression: 'zstd',
      events: [
        queryEvent({ ...header, logPos: 0, crc32: null }, 'BEGIN'),
        { kind: 'table-map', header, map: T },
        rowsEvent(header, T, 'insert', Buffer.from('z')),
        { kind: 'xid', header: { ...header, crc32: null, eventLength: 31 }, xid: 1n },
      ],
    }));
    const item = onlyRows(assemble(script.events));
    expect(dataOf(item)).toEqual(['insert t z']);
    expect(item).toMatchObject({ end: { offset: 204 }, lastEvent: { crc32: 204, length: 100 } });
  });

  it('leaves out tables nobody wants, and is still there', () => {
    const script = new EventScript()
      .gtid(1n)
      .query('BEGIN')
      .map(UNWANTED)
      .rows(UNWANTED, 'insert', 'x')
      .xid();
    expect(onlyRows(assemble(script.events)).rows).toEqual([]);
  });

  it('keeps a row that has no bytes', () => {
    const script = new EventScript().gtid(1n).query('BEGIN').map(T).rows(T, 'insert', '').xid();
    expect(onlyRows(assemble(script.events)).rows[0]?.rows).toBe(1);
  });

  it('passes over the row event that only ends a statement', () => {
    const script = new EventScript().gtid(1n).query('BEGIN').map(T).rows(T, 'insert', 'a');
    script.rows(tableMap(0xff_ffff, '', ''), 'insert', '').xid();
    expect(dataOf(onlyRows(assemble(script.events)))).toEqual(['insert t a']);
  });

  it('keeps rows apart from the network buffer they came in', () => {
    const shared = Buffer.alloc(1_000_000, 0x61);
    const script = new EventScript().gtid(1n).query('BEGIN').map(T);
    script.add((header) => rowsEvent(header, T, 'insert', shared.subarray(10, 20))).xid();
    const data = onlyRows(assemble(script.events)).rows[0]?.data;
    shared.fill(0);
    expect(data?.toString()).toBe('aaaaaaaaaa');
    expect(data?.buffer.byteLength).toBeLessThan(100_000);
  });

  it('that rolls back has no rows and still moves the position', () => {
    const script = new EventScript().gtid(1n).query('BEGIN').map(T).rows(T, 'insert', 'a').query('ROLLBACK');
    expect(onlyRows(assemble(script.events))).toMatchObject({ rows: [], gtid: { number: 1n } });
  });

  it('loses the rows behind a savepoint it rolls back to', () => {
    const script = new EventScript().gtid(1n).query('BEGIN').map(T).rows(T, 'insert', 'a');
    script
      .query('SAVEPOINT `s``1`')
      .map(T)
      .rows(T, 'insert', 'b')
      .query('SAVEPOINT x')
      .map(T)
      .rows(T, 'insert', 'c');
    script.query('ROLLBACK TO `S``1`').map(T).rows(T, 'insert', 'd').xid();
    expect(dataOf(onlyRows(assemble(script.events)))).toEqual(['insert t a', 'insert t d']);
  });

  it('is dropped when the server restarted before it ended', () => {
    const script = new EventScript().query('BEGIN').map(T).rows(T, 'insert', 'a').rotate('binlog.000002');
    script.formatDescription(1).query('BEGIN').map(T).rows(T, 'insert', 'b').xid();
    expect(dataOf(onlyRows(assemble(script.events)))).toEqual(['insert t b']);
  });

  it('refuses to begin in the middle', () => {
    const script = new EventScript().map(T).rows(T, 'insert', 'a').xid();
    expect(() => assemble(script.events)).toThrow(
      expect.objectContaining({ code: 'HOLT_TRANSACTION_MALFORMED', disposition: 'pause' }),
    );
  });

  it('refuses rows whose table was not announced', () => {
    const script = new EventScript().gtid(1n).query('BEGIN').map(T).rows(U, 'insert', 'a');
    expect(() => assemble(script.events)).toThrow('without a table map');
  });
});

describe('the loop mark', () => {
  it('is the change of the checkpoint when that comes first', () => {
    const script = new EventScript().gtid(1n).query('BEGIN').map(CHECKPOINT).rows(CHECKPOINT, 'update', 'm');
    script.map(T).rows(T, 'insert', 'a').xid();
    expect(onlyRows(assemble(script.events)).mark).toEqual(MARK);
  });

  it('is none when other rows come before it, wanted or not', () => {
    for (const first of [T, UNWANTED]) {
      const script = new EventScript().gtid(1n).query('BEGIN').map(first).rows(first, 'insert', 'a');
      script.map(CHECKPOINT).rows(CHECKPOINT, 'update', 'm').xid();
      expect(onlyRows(assemble(script.events)).mark).toBeNull();
    }
  });
});

describe('statements', () => {
  it('DDL is a transaction of its own on MySQL, 5.6 and MariaDB', () => {
    const sql = 'ALTER TABLE t ADD c INT';
    for (const script of [
      new EventScript().gtid(3n).query(sql),
      new EventScript().query(sql),
      new EventScript().mariadbGtid({ standalone: true, ddl: true }).query(sql),
    ])
      expect(only(assemble(script.events))).toMatchObject({
        kind: 'statement',
        nature: 'ddl',
        schema: 'shop',
        sql: Buffer.from(sql),
        start: { offset: 4 },
        end: script.end,
      });
  });

  it('in a transaction stand beside its rows', () => {
    const script = new EventScript()
      .gtid(1n)
      .query('BEGIN')
      .query('CREATE TABLE `t` (a INT) START TRANSACTION');
    script.map(T).rows(T, 'insert', 'a').query('INSERT INTO x VALUES (1)').xid();
    const item = onlyRows(assemble(script.events));
    expect(item.statements.map((one) => one.nature)).toEqual(['ddl', 'dml']);
    expect(item.rows).toHaveLength(1);
  });

  it('two-phase ALTER counts at COMMIT, not at START nor ROLLBACK', () => {
    const sql = 'ALTER TABLE t ADD c INT';
    const script = new EventScript()
      .mariadbGtid({ standalone: true, ddl: true, alter: 'start' })
      .query(sql)
      .mariadbGtid({ standalone: true, ddl: true, alter: 'rollback', alterStartSequence: 1n })
      .query(sql)
      .mariadbGtid({ standalone: true, ddl: true, alter: 'commit', alterStartSequence: 1n })
      .query(sql);
    const items = assemble(script.events);
    expect(items.map((item) => item.kind)).toEqual(['rows', 'rows', 'statement']);
    expect(items[0]).toMatchObject({ rows: [], end: { offset: 204 } });
  });

  it('XA: prepared rows are named as such, the outcome stands alone, one phase is a plain commit', () => {
    const xa = (onePhase: boolean): SourceItem[] =>
      assemble(
        new EventScript()
          .gtid(1n)
          .query("XA START X'61',X'',1")
          .map(T)
          .rows(T, 'insert', 'a')
          .query("XA END X'61',X'',1")
          .add((header) => ({
            kind: 'xa-prepare',
            header,
            onePhase,
            formatId: 1,
            gtrid: Buffer.from('a'),
            bqual: Buffer.alloc(0),
          })).events,
      );
    expect(onlyRows(xa(true)).xa).toBeUndefined();
    expect(onlyRows(xa(false))).toMatchObject({
      statements: [],
      xa: { xid: "x'61',x'',1", phase: 'prepared' },
    });
    for (const outcome of ['commit', 'rollback'] as const) {
      const script = new EventScript().gtid(2n).query(`XA ${outcome.toUpperCase()} X'61',X'',1`);
      expect(only(assemble(script.events))).toMatchObject({
        kind: 'xa-outcome',
        xid: "x'61',x'',1",
        outcome,
        gtid: { number: 2n },
        end: { offset: 204 },
      });
    }
  });

  it('XA of MariaDB: the GTID names it, and no XA START does', () => {
    const id = { formatId: 7, gtrid: Buffer.from('aB'), bqual: Buffer.from([0xff]) };
    const script = new EventScript()
      .mariadbGtid({ preparedXa: true, xa: id })
      .map(T)
      .rows(T, 'insert', 'a')
      .query("XA END X'6142',X'ff',7")
      .add((header) => ({ kind: 'xa-prepare', header, onePhase: false, ...id }))
      .mariadbGtid({ completedXa: true, standalone: true, xa: id })
      .query("XA COMMIT X'6142',X'FF',7");
    const [prepared, outcome] = assemble(script.events);
    expect(prepared).toMatchObject({ xa: { xid: "x'6142',x'ff',7", phase: 'prepared' } });
    expect(outcome).toMatchObject({ kind: 'xa-outcome', xid: "x'6142',x'ff',7" });
  });

  it.each([
    ["X'4142' , X'' , 1", "x'4142',x'',1"],
    ["X'AB',X'cd',4294967295;", "x'ab',x'cd',4294967295"],
    ["x'ab',x'cd',-1", "x'ab',x'cd',4294967295"],
    ["X'ab',X'cd',1 ONE PHASE", "x'ab',x'cd',1"],
    ["'Ab','',1", "'Ab','',1"],
  ])('XA ids have one spelling: %s', (text, wanted) => {
    expect(normalXid(text)).toBe(wanted);
  });

  it('LOAD DATA and INCIDENT are told', () => {
    const script = new EventScript()
      .query('BEGIN')
      .loadData("LOAD DATA LOCAL INFILE 'f' INTO TABLE t", 'depot');
    script.xid().add((header) => ({ kind: 'incident', header, incident: 1, message: 'lost' }));
    const items = assemble(script.events);
    expect(items[0]).toMatchObject({ kind: 'rows', statements: [{ nature: 'load-data', schema: 'depot' }] });
    expect(items[1]).toMatchObject({ kind: 'statement', nature: 'incident', sql: Buffer.from('lost') });
  });
});

describe('a large transaction', () => {
  const large = (rows: number, end: (script: EventScript) => void): PlacedEvent[] => {
    const script = new EventScript().gtid(1n).query('BEGIN');
    for (let i = 0; i < rows; i++) script.map(T).rows(T, 'insert', Buffer.alloc(1000, 65 + (i % 26)));
    end(script);
    return script.events;
  };

  it('leaves in parts before its end is seen', () => {
    const items: SourceItem[] = [];
    const one = assembler((item) => items.push(item), 4000);
    for (const { event, ...place } of large(20, () => {})) one.push(event, place);
    expect(items.length).toBeGreaterThan(4);
    expect(items.every((item) => item.kind === 'rows' && !item.lastPart)).toBe(true);
    expect(one.isOpen).toBe(true);
  });

  it('has consecutive parts, one mark for all, and its whole content', () => {
    const script = new EventScript().gtid(1n).query('BEGIN').map(CHECKPOINT).rows(CHECKPOINT, 'update', 'm');
    for (let i = 0; i < 10; i++) script.map(T).rows(T, 'insert', Buffer.alloc(1000, 65 + i));
    const items = assemble(script.xid().events, 3000) as Rows[];
    expect(items.map((item) => item.part)).toEqual(items.map((_, index) => index));
    expect(items.map((item) => item.lastPart)).toEqual(items.map((_, index) => index === items.length - 1));
    expect(items.every((item) => item.mark === MARK && item.start.offset === 4)).toBe(true);
    expect(items.flatMap((item) => item.rows).filter((rows) => rows.shape.table === 't')).toHaveLength(10);
  });

  it('says so when it will not be completed', () => {
    const items: SourceItem[] = [];
    const one = assembler((item) => items.push(item), 3000);
    for (const { event, ...place } of large(10, () => {})) one.push(event, place);
    one.interrupted();
    expect(items.at(-1)).toMatchObject({ kind: 'interrupted' });
    expect(one.isOpen).toBe(false);
    one.interrupted();
    expect(items.filter((item) => item.kind === 'interrupted')).toHaveLength(1);
  });

  it('cannot take back what is out', () => {
    for (const sql of ['ROLLBACK', 'ROLLBACK TO `s`']) {
      const script = new EventScript().gtid(1n).query('BEGIN').query('SAVEPOINT `s`');
      for (let i = 0; i < 10; i++) script.map(T).rows(T, 'insert', Buffer.alloc(1000));
      script.query(sql);
      expect(() => assemble(script.events, 3000)).toThrow(
        expect.objectContaining({ code: 'HOLT_TRANSACTION_UNDO_IN_PARTS' }),
      );
    }
  });

  it('under XA names itself in every part', () => {
    const script = new EventScript().gtid(1n).query("XA START X'61',X'',1");
    for (let i = 0; i < 10; i++) script.map(T).rows(T, 'insert', Buffer.alloc(1000));
    const items = assemble(script.events, 3000) as Rows[];
    expect(items.length).toBeGreaterThan(1);
    expect(items.every((item) => item.xa?.phase === 'open' && item.xa.xid === "x'61',x'',1")).toBe(true);
  });

  it.each([true, false])('under XA says at its end what it was (one phase: %s)', (onePhase) => {
    const id = { formatId: 1, gtrid: Buffer.from('a'), bqual: Buffer.alloc(0) };
    const script = new EventScript().gtid(1n).query("XA START X'61',X'',1");
    for (let i = 0; i < 10; i++) script.map(T).rows(T, 'insert', Buffer.alloc(1000));
    script.query("XA END X'61',X'',1").add((header) => ({ kind: 'xa-prepare', header, onePhase, ...id }));
    const last = (assemble(script.events, 3000) as Rows[]).at(-1);
    expect(last).toMatchObject({
      lastPart: true,
      xa: { xid: "x'61',x'',1", phase: onePhase ? 'one-phase' : 'prepared' },
    });
  });
});

describe('for any log', () => {
  const transaction = fc.record({
    form: fc.constantFrom('gtid' as const, 'plain' as const, 'mariadb' as const),
    rows: fc.array(
      fc.record({
        table: fc.constantFrom(T, U, UNWANTED),
        op: fc.constantFrom('insert' as const, 'update' as const, 'delete' as const),
        data: fc.string({ minLength: 1, maxLength: 60 }),
      }),
      { maxLength: 12 },
    ),
    rotate: fc.boolean(),
  });

  it('every wanted row comes once, in order, and transactions adjoin, whatever the size of parts', () => {
    fc.assert(
      fc.property(
        fc.array(transaction, { maxLength: 12 }),
        fc.integer({ min: 600, max: 5000 }),
        (log, part) => {
          const script = new EventScript();
          let files = 1;
          const expected: string[] = [];
          for (const [index, one] of log.entries()) {
            if (one.form === 'gtid') script.gtid(BigInt(index + 1)).query('BEGIN');
            else if (one.form === 'plain') script.query('BEGIN');
            else script.mariadbGtid();
            for (const { table, op, data } of one.rows) {
              script.map(table).rows(table, op, data);
              if (table !== UNWANTED) expected.push(`${op} ${table.table} ${data}`);
            }
            script.xid();
            if (one.rotate) {
              files += 1;
              script.rotate(`binlog.00000${files}`).formatDescription();
            }
          }
          const items = assemble(script.events, part) as Rows[];
          expect(items.flatMap(dataOf)).toEqual(expected);
          expect(items.filter((item) => item.lastPart)).toHaveLength(log.length);
          let next = 0;
          for (const item of items) {
            expect(item.part).toBe(next);
            next = item.lastPart ? 0 : next + 1;
            expect(item.start.file).toBe(item.end.file);
            expect(item.start.offset).toBeLessThan(item.end.offset);
          }
        },
      ),
    );
  });

  it('cutting the stream anywhere and reading the open transaction again gives the same', () => {
    fc.assert(
      fc.property(fc.array(transaction, { minLength: 1, maxLength: 8 }), fc.nat(), (log, where) => {
        const script = new EventScript();
        for (const [index, one] of log.entries()) {
          script.gtid(BigInt(index + 1)).query('BEGIN');
          for (const { table, op, data } of one.rows) script.map(table).rows(table, op, data);
          script.xid();
        }
        const cut = where % (script.events.length + 1);
        const whole = assemble(script.events);
        const items: SourceItem[] = [];
        const one = assembler((item) => items.push(item));
        let begin = 0;
        for (const [index, { event, ...place }] of script.events.slice(0, cut).entries()) {
          if (event.kind === 'gtid') begin = index;
          one.push(event, place);
        }
        if (!one.isOpen) begin = cut;
        one.interrupted();
        for (const { event, ...place } of script.events.slice(begin)) one.push(event, place);
        expect(plain(items)).toEqual(plain(whole));
      }),
    );
  });
});
