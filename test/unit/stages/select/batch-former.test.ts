import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { siteId } from '../../../../model/ids.ts';
import { PayloadReader } from '../../../../model/payload.ts';
import type { Position, PositionText } from '../../../../model/position.ts';
import type { LoadMark, SourceItem } from '../../../../model/source-item.ts';
import { BatchFormer, type FormedBatch, type FormerOptions } from '../../../../stages/select/batch-former.ts';
import { TableFilter } from '../../../../stages/select/table-filter.ts';
import { ItemScript, SOURCE_UUID, sourceRows, statementOf } from './item-script.ts';

const START: Position = { text: 'mysql:' as PositionText, at: null, lastEvent: null };
const tables = new TableFilter({ include: ['shop.*'], exclude: [] }, { caseSensitive: true });

function holtRows(site: string, laneStartsAt: bigint | null = null) {
  return {
    heartbeats: () => [{ cluster: 'c', site, atUs: 42 }],
    laneStarts: () =>
      laneStartsAt === null ? [] : [{ pipeline: 'west-to-east', lane: 0, seq: laneStartsAt }],
  };
}

function former(options: Partial<FormerOptions> = {}): BatchFormer {
  return new BatchFormer({
    start: START,
    site: siteId('east'),
    origins: [siteId('east')],
    tables,
    limits: { maxRows: 100, maxBytes: 1_000_000, partBytes: 1_000_000, window: 4 },
    cluster: 'c',
    holtRows: holtRows('east'),
    ...options,
  });
}

function idsOf(batch: FormedBatch): number[] {
  const ids: number[] = [];
  const reader = new PayloadReader(batch.payload);
  for (let record = reader.next(); record !== null; record = reader.next()) {
    if (record !== 'rows') continue;
    for (let at = reader.dataStart; at < reader.dataEnd; at += 5) ids.push(reader.bytes.readInt32LE(at + 1));
  }
  return ids;
}

function mark(seq: bigint, origin = 'west', lane = 0): LoadMark {
  return { pipeline: 'west-to-east', lane, seq, origin, previousSeq: seq - 1n };
}

const upTo = (n: number): string => `mysql:${SOURCE_UUID}:1${n > 1 ? `-${n}` : ''}`;

/** Takes everything, cutting only where the former asks. */
function formAll(one: BatchFormer, items: readonly SourceItem[]): FormedBatch[] {
  const batches: FormedBatch[] = [];
  const cut = (): void => {
    const batch = one.cut();
    if (batch !== null) batches.push(batch);
  };
  for (const item of items)
    while (one.take(item) === 'cut-first') {
      expect(one.hasPending).toBe(true);
      cut();
    }
  cut();
  return batches;
}

describe('batches', () => {
  it('hold whole transactions, in order, and chain', () => {
    const script = new ItemScript();
    const one = former();
    one.take(script.rows());
    one.take(script.rows());
    const first = one.cut();
    one.take(script.rows());
    const second = one.cut();
    expect(first).toMatchObject({
      start: 'mysql:',
      end: { text: upTo(2) },
      transactions: 2,
      rows: 2,
      part: 0,
    });
    expect(second).toMatchObject({ start: upTo(2), end: { text: upTo(3) }, transactions: 1 });
    expect(first).toMatchObject({
      firstCommitUs: 1_700_000_001_000_000,
      lastCommitUs: 1_700_000_002_000_000,
    });
    expect(first?.end).toMatchObject({
      at: { file: 'binlog.000001', offset: 2004 },
      lastEvent: { crc32: 2 },
    });
    expect(one.cut()).toBeNull();
  });

  it('end at their limits in rows and bytes, but never inside a transaction', () => {
    const script = new ItemScript();
    const limits = { maxRows: 3, maxBytes: 1_000_000, partBytes: 1_000_000, window: 4 };
    const items = [1, 1, 2, 5, 1].map((n) =>
      script.rows({
        rows: [
          sourceRows(
            'shop',
            't',
            Array.from({ length: n }, (_, i) => i),
          ),
        ],
      }),
    );
    expect(formAll(former({ limits }), items).map((batch) => batch.rows)).toEqual([2, 2, 5, 1]);
    const small = { ...limits, maxRows: 100, maxBytes: 600 };
    expect(formAll(former({ limits: small }), items).map((batch) => batch.transactions)).toEqual([
      1, 1, 1, 1, 1,
    ]);
  });

  it('leave Holt’s own rows out', () => {
    const script = new ItemScript();
    const rows = [sourceRows('holt', 'heartbeat', [1]), sourceRows('shop', 't', [2])];
    const [batch] = formAll(former(), [script.rows({ rows })]);
    expect(batch && idsOf(batch)).toEqual([2]);
  });

  it('cover what was passed over behind and before their transactions', () => {
    const script = new ItemScript();
    const one = former();
    const nothing = { rows: [] };
    one.take(script.rows(nothing));
    one.take(script.rows());
    one.take(script.rows(nothing));
    expect(one.cut()).toMatchObject({ start: 'mysql:', end: { text: upTo(3) }, transactions: 1 });
    expect(one.passed).toBeNull();
  });

  it('work without GTIDs', () => {
    const script = new ItemScript();
    const start = { text: 'file:srv:binlog.000001:4' as PositionText, at: null, lastEvent: null };
    const one = former({ start });
    one.take({ ...script.rows(), gtid: null });
    expect(one.cut()).toMatchObject({ start: start.text, end: { text: 'file:srv:binlog.000001:1004' } });
  });

  it('refuse a transaction that the form of the position cannot express', () => {
    const item = { ...new ItemScript().rows(), gtid: null };
    expect(() => former().take(item)).toThrow(expect.objectContaining({ code: 'HOLT_POSITION_FORM' }));
  });
});

describe('origins', () => {
  it('of other sites are dropped unless carried', () => {
    const script = new ItemScript();
    const items = [script.rows(), script.rows({ mark: mark(1n) }), script.rows()];
    const [batch] = formAll(former(), items);
    expect(batch && idsOf(batch)).toEqual([1, 3]);
    const carried = formAll(former({ origins: [siteId('east'), siteId('west')] }), items);
    expect(carried.map((one) => [one.origin, idsOf(one)])).toEqual([
      ['east', [1]],
      ['west', [2]],
      ['east', [3]],
    ]);
  });

  it('a carried origin alone leaves out the site’s own changes', () => {
    const script = new ItemScript();
    const items = [script.rows(), script.rows({ mark: mark(1n) })];
    expect(formAll(former({ origins: [siteId('west')] }), items).map(idsOf)).toEqual([[2]]);
  });

  it('marks with a gap stop, naming both numbers, per pipeline and lane', () => {
    const script = new ItemScript();
    const one = former();
    one.take(script.rows({ mark: mark(7n) }));
    one.take(script.rows({ mark: mark(3n, 'west', 1) }));
    one.take(script.rows({ mark: mark(8n) }));
    expect(() => one.take(script.rows({ mark: mark(10n) }))).toThrow(
      expect.objectContaining({
        code: 'HOLT_MARK_GAP',
        disposition: 'pause',
        facts: expect.objectContaining({ lastSeq: 8n, seq: 10n, lane: 0 }),
      }),
    );
  });

  it('a lane that begins anew counts on from its row', () => {
    const script = new ItemScript();
    const one = former({ holtRows: holtRows('east', 41n) });
    one.take(script.rows({ mark: mark(7n) }));
    one.take(script.rows({ rows: [sourceRows('holt', 'checkpoint', [1])] }));
    expect(one.take(script.rows({ mark: mark(42n) }))).toBe('taken');
    expect(() => one.take(script.rows({ mark: mark(44n) }))).toThrow(
      expect.objectContaining({ code: 'HOLT_MARK_GAP' }),
    );
  });

  it('marks may go back, as after a failover of the source', () => {
    const script = new ItemScript();
    const one = former();
    for (const seq of [7n, 8n, 7n, 8n, 9n]) expect(one.take(script.rows({ mark: mark(seq) }))).toBe('taken');
  });
});

describe('a transaction in parts', () => {
  const part = (script: ItemScript, n: number, last = false) =>
    script.rows({ part: n, lastPart: last, rows: [sourceRows('shop', 't', [n])] });

  it('goes out part by part, and only the last moves the position', () => {
    const script = new ItemScript();
    const items = [script.rows(), part(script, 0), part(script, 1), part(script, 2, true), script.rows()];
    const batches = formAll(former(), items);
    expect(batches.map((one) => [one.part, one.lastPart, one.start, one.end.text, one.transactions])).toEqual(
      [
        [0, true, 'mysql:', upTo(1), 1],
        [0, false, upTo(1), upTo(1), 0],
        [1, false, upTo(1), upTo(1), 0],
        [2, true, upTo(1), upTo(2), 1],
        [0, true, upTo(2), upTo(3), 1],
      ],
    );
  });

  it('ends with a last part even if nothing of it is wanted, and skips empty ones before', () => {
    const script = new ItemScript();
    const items = [
      script.rows({ part: 0, lastPart: false, rows: [] }),
      part(script, 1),
      script.rows({ part: 2, lastPart: false, rows: [] }),
      script.rows({ part: 3, lastPart: true, rows: [] }),
    ];
    const batches = formAll(former(), items);
    expect(batches.map((one) => [one.part, one.lastPart, idsOf(one)])).toEqual([
      [0, false, [1]],
      [1, true, []],
    ]);
  });

  it('is an ordinary transaction when only its last part is wanted', () => {
    const script = new ItemScript();
    const items = [script.rows({ part: 0, lastPart: false, rows: [] }), part(script, 1, true)];
    expect(formAll(former(), items)).toMatchObject([
      { part: 0, lastPart: true, transactions: 1, end: { text: upTo(1) } },
    ]);
  });

  it('of a foreign origin is dropped whole', () => {
    const script = new ItemScript();
    const foreign = { mark: mark(1n), rows: [sourceRows('shop', 't', [1])] };
    const one = former();
    one.take(script.rows({ ...foreign, part: 0, lastPart: false }));
    one.take(script.rows({ ...foreign, part: 1, lastPart: true }));
    expect(one.hasPending).toBe(false);
    expect(one.position.text).toBe(upTo(1));
  });

  it('that is interrupted rewinds if a part is out, and begins again if none is', () => {
    const script = new ItemScript();
    const one = former();
    one.take(part(script, 0));
    one.cut();
    expect(() => one.take({ kind: 'interrupted', bytes: 0 })).toThrow(
      expect.objectContaining({ code: 'HOLT_SOURCE_INTERRUPTED', disposition: 'rewind' }),
    );
    const other = former();
    const again = new ItemScript();
    other.take(again.rows({ part: 0, lastPart: false, rows: [] }));
    other.take({ kind: 'interrupted', bytes: 0 });
    other.take(again.rows());
    expect(other.cut()).toMatchObject({ part: 0, lastPart: true });
  });
});

describe('statements', () => {
  it('DDL on a replicated table pauses at its place, naming the place behind it; the pending batch stays', () => {
    const script = new ItemScript();
    const one = former();
    one.take(script.rows());
    expect(() => one.take(script.statement('ALTER TABLE t ADD c INT'))).toThrow(
      expect.objectContaining({
        code: 'HOLT_DDL_ON_REPLICATED_TABLE',
        disposition: 'pause',
        facts: expect.objectContaining({
          position: upTo(1),
          behind: upTo(2),
          statement: 'ALTER TABLE t ADD c INT',
        }),
      }),
    );
    expect(one.cut()).toMatchObject({ end: { text: upTo(1) }, transactions: 1 });
  });

  it('elsewhere are ignored and counted, and move the position', () => {
    const script = new ItemScript();
    const one = former();
    expect(one.take(script.statement('ALTER TABLE other.t ADD c INT'))).toBe('taken');
    expect(one.counts.statementsIgnored).toBe(1);
    expect(one.position.text).toBe(upTo(1));
  });

  it.each([
    ['dml', 'INSERT INTO t VALUES (1)', 'HOLT_STATEMENT_FORMAT'],
    ['load-data', "LOAD DATA INFILE 'x' INTO TABLE t", 'HOLT_LOAD_DATA_STATEMENT'],
    ['incident', 'LOST_EVENTS', 'HOLT_SOURCE_INCIDENT'],
  ] as const)('%s is refused', (nature, sql, code) => {
    const one = former();
    expect(() => one.take(new ItemScript().statement(sql, nature))).toThrow(
      expect.objectContaining({ code, disposition: 'pause' }),
    );
    expect(one.position.text).toBe('mysql:');
  });

  it('in statement form are named without the values they hold', () => {
    const sql = "INSERT INTO `shop`.`t` (a, b) VALUES ('secret', 4711)";
    expect(() => former().take(new ItemScript().statement(sql, 'dml'))).toThrow(
      expect.objectContaining({
        message: expect.not.stringMatching(/secret|4711/),
        facts: expect.objectContaining({ statement: 'INSERT INTO `shop`.`t` … (53 bytes)' }),
      }),
    );
  });

  it('inside a transaction in parts do not name a place behind it', () => {
    const item = new ItemScript().rows({
      part: 0,
      lastPart: false,
      statements: [statementOf('CREATE TABLE t (a INT)')],
    });
    expect(() => former().take(item)).toThrow(
      expect.objectContaining({ facts: expect.objectContaining({ behind: null, position: 'mysql:' }) }),
    );
  });

  it('inside a transaction are looked at too', () => {
    const script = new ItemScript();
    const rows = { statements: [statementOf('CREATE TABLE t (a INT)')] };
    expect(() => former().take(script.rows(rows))).toThrow(
      expect.objectContaining({ code: 'HOLT_DDL_ON_REPLICATED_TABLE' }),
    );
    // What another site did there is not ours to judge.
    expect(former().take(script.rows({ ...rows, mark: mark(1n) }))).toBe('taken');
  });

  it('XA that prepares rows of ours is refused; one that does not may commit later', () => {
    const script = new ItemScript();
    const prepare = [statementOf("XA PREPARE x'61',x'',1", 'xa')];
    expect(() => former().take(script.rows({ statements: prepare }))).toThrow(
      expect.objectContaining({ code: 'HOLT_XA_UNSUPPORTED' }),
    );
    const one = former();
    one.take(script.rows({ rows: [], statements: prepare }));
    expect(one.take(script.statement("XA COMMIT X'61',X'',1", 'xa'))).toBe('taken');
    // Of one that was prepared before reading began, nobody knows what it holds.
    expect(() => one.take(script.statement("XA COMMIT X'61',X'',1", 'xa'))).toThrow(
      expect.objectContaining({ code: 'HOLT_XA_UNSUPPORTED' }),
    );
    expect(one.take(script.statement("XA ROLLBACK X'62',X'',1", 'xa'))).toBe('taken');
  });
});

describe('what is passed over', () => {
  it('is counted by kind, and ends with an advance that the next batch starts from', () => {
    const script = new ItemScript();
    const one = former();
    one.take(script.rows({ rows: [] }));
    one.take(script.rows({ mark: mark(1n) }));
    expect(one.passed).toMatchObject({ transactions: 2, bytes: 2000, ownOnly: false });
    expect(one.counts).toMatchObject({ filtered: 1, foreign: 1, own: 0 });
    expect(one.advance()).toMatchObject({
      start: 'mysql:',
      end: { text: upTo(2) },
      lastCommitUs: 1_700_000_002_000_000,
    });
    expect(one.passed).toBeNull();
    one.take(script.rows());
    expect(one.cut()).toMatchObject({ start: upTo(2) });
  });

  it('marks alone and heartbeats are Holt’s own', () => {
    const script = new ItemScript();
    const one = former();
    one.take(script.rows({ rows: [sourceRows('holt', 'heartbeat', [1])] }));
    one.take(script.rows({ rows: [sourceRows('holt', 'checkpoint', [1])], mark: mark(1n) }));
    expect(one.passed).toMatchObject({ ownOnly: true });
    expect(one.counts.own).toBe(2);
    one.take(script.rows({ rows: [] }));
    expect(one.passed?.ownOnly).toBe(false);
  });

  it('notices a change of file', () => {
    const script = new ItemScript();
    const one = former();
    one.take(script.rows());
    one.cut();
    one.take(script.rows({ rows: [] }));
    expect(one.passed?.fileChanged).toBe(false);
    script.nextFile('binlog.000002');
    one.take(script.rows({ rows: [] }));
    expect(one.passed?.fileChanged).toBe(true);
  });

  it('says how far reading is by this site’s own heartbeat', () => {
    const beat = { rows: [sourceRows('holt', 'heartbeat', [1])] };
    const one = former();
    expect(one.heartbeatUs).toBeNull();
    one.take(new ItemScript().rows(beat));
    expect(one.heartbeatUs).toBe(42);
    const other = former({ holtRows: holtRows('west') });
    other.take(new ItemScript().rows(beat));
    expect(other.heartbeatUs).toBeNull();
  });
});

describe('for any run of items', () => {
  const kind = fc.constantFrom('own-change', 'filtered', 'foreign', 'carried', 'heartbeat', 'ddl', 'large');

  it('batches and advances chain without gap, cover exactly the wanted rows in order, and have one origin each', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(kind, fc.integer({ min: 1, max: 6 }), fc.boolean(), fc.boolean()), {
          maxLength: 40,
        }),
        fc.integer({ min: 1, max: 10 }),
        (log, maxRows) => {
          const script = new ItemScript();
          const one = former({
            origins: [siteId('east'), siteId('north')],
            limits: { maxRows, maxBytes: 1_000_000, partBytes: 1_000_000, window: 4 },
          });
          const wanted: string[] = [];
          const got: string[] = [];
          let position = 'mysql:';
          let next = 0;
          let expectedPart = 0;
          const seqs = new Map<string, bigint>();
          const markOf = (origin: string): LoadMark => {
            const seq = (seqs.get(origin) ?? 0n) + 1n;
            seqs.set(origin, seq);
            return { pipeline: origin, lane: 0, seq, origin, previousSeq: null };
          };
          const take = (batch: FormedBatch | null): void => {
            if (batch === null) return;
            expect(batch.start).toBe(position);
            expect(batch.part).toBe(expectedPart);
            expectedPart = batch.lastPart ? 0 : expectedPart + 1;
            if (batch.lastPart) position = batch.end.text;
            else expect(batch.end.text).toBe(batch.start);
            for (const id of idsOf(batch)) got.push(`${batch.origin} ${id}`);
          };
          const offer = (item: SourceItem): void => {
            while (one.take(item) === 'cut-first') take(one.cut());
          };
          const rowsOf = (n: number, origin: string | null) => {
            const ids = Array.from({ length: n }, () => next++);
            if (origin !== null) wanted.push(...ids.map((id) => `${origin} ${id}`));
            return [sourceRows('shop', 't', ids)];
          };
          for (const [what, n, cutAfter, advanceAfter] of log) {
            if (what === 'own-change') offer(script.rows({ rows: rowsOf(n, 'east') }));
            else if (what === 'filtered') offer(script.rows({ rows: [] }));
            else if (what === 'foreign') offer(script.rows({ rows: rowsOf(n, null), mark: markOf('west') }));
            else if (what === 'carried')
              offer(script.rows({ rows: rowsOf(n, 'north'), mark: markOf('north') }));
            else if (what === 'heartbeat')
              offer(script.rows({ rows: [sourceRows('holt', 'heartbeat', [1])] }));
            else if (what === 'ddl') offer(script.statement('DROP TABLE other.x'));
            else
              for (let part = 0; part < n; part++)
                offer(
                  script.rows({
                    part,
                    lastPart: part === n - 1,
                    rows: part % 2 === 0 ? rowsOf(1, 'east') : [],
                  }),
                );
            if (cutAfter) take(one.cut());
            if (advanceAfter) {
              const advance = one.advance();
              if (advance !== null) {
                expect(advance.start).toBe(position);
                position = advance.end.text;
              }
            }
          }
          take(one.cut());
          const advance = one.advance();
          if (advance !== null) position = advance.end.text;
          expect(got).toEqual(wanted);
          expect(position).toBe(one.position.text);
        },
      ),
    );
  });
});
