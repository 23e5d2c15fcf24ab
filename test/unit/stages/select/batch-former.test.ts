import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitChunk, withChunk } from '../../../../model/chunk-position.ts';
import { siteId } from '../../../../model/ids.ts';
import { PayloadReader } from '../../../../model/payload.ts';
import type { Position, PositionText } from '../../../../model/position.ts';
import type { LoadMark, SourceItem } from '../../../../model/source-item.ts';
import { BatchFormer, type FormerOptions } from '../../../../stages/select/batch-former.ts';
import type { FormedBatch } from '../../../../stages/select/formed-batch.ts';
import { OnlineSchemaChanges } from '../../../../stages/select/online-schema-change.ts';
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
    ddl: { default: 'stop', kinds: {} },
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

describe('the delay of a source that is a replica', () => {
  it('is that of what it replicates, whatever else it commits, and not known when that has ceased', () => {
    const script = new ItemScript();
    const one = former();
    expect(one.upstreamMs).toBeNull();
    one.take(script.rows());
    expect(one.upstreamMs).toBe(0);
    one.take(script.rows({ upstreamMs: 9_000 }));
    // Transactions of its own, such as heartbeats, a second apart.
    for (let own = 0; own < 60; own++) {
      expect(one.upstreamMs).toBe(9_000);
      one.take(script.rows());
    }
    one.take(script.rows());
    expect(one.upstreamMs).toBeNull();
    one.take(script.rows({ upstreamMs: 20 }));
    expect(one.upstreamMs).toBe(20);
  });
});

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

describe('an online schema change', () => {
  const replicate = { default: 'replicate', kinds: {} } as const;
  const online = (state: string | null = null) =>
    new OnlineSchemaChanges({ tables, server: { flavour: 'mysql', version: 80_036 }, state });
  const begin = ['create table shop._t_gho like shop.t', 'alter table shop._t_gho add column c int'];
  const exchange = 'rename table shop.t to shop._t_del, shop._t_gho to shop.t';

  it('goes on after a restart from the state that came with the position', () => {
    const script = new ItemScript();
    const first = former({ ddl: replicate, onlineChanges: online() });
    for (const sql of begin) expect(first.take(script.statement(sql))).toBe('taken');
    const told = first.advance();
    expect(told?.onlineChanges).toMatch(/_t_gho/);
    expect(told?.end.text).toBe(upTo(2));

    const second = former({
      start: told?.end ?? START,
      ddl: replicate,
      onlineChanges: online(told?.onlineChanges ?? null),
    });
    second.take(script.rows({ rows: [sourceRows('shop', '_t_gho', [1, 2])] }));
    second.take(script.rows({ rows: [sourceRows('shop', 't', [3]), sourceRows('shop', '_t_gho', [3])] }));
    const item = script.statement(exchange);
    expect(second.take(item)).toBe('cut-first');
    const rows = second.cut();
    // What is known behind the exchange does not belong to the batch before it.
    expect(rows).toMatchObject({ rows: 1, ddl: null });
    expect(rows).not.toHaveProperty('onlineChanges');
    expect(idsOf(rows as FormedBatch)).toEqual([3]);
    expect(second.take(item)).toBe('taken');
    const ddl = second.cut();
    expect(ddl).toMatchObject({ ddl: 'alter-table', end: expect.objectContaining({ text: upTo(5) }) });
    expect(ddl?.onlineChanges).toMatch(/_t_del/);
    const reader = new PayloadReader(ddl?.payload ?? Buffer.alloc(0));
    while (reader.next() !== null);
    expect(reader.statement?.sql.toString()).toBe('alter table `shop`.`t` add column c int');
    expect(second.take(script.statement('drop table shop._t_del'))).toBe('taken');
    expect(second.advance()).toMatchObject({ onlineChanges: null });
    second.take(script.rows());
    expect(second.cut()).not.toHaveProperty('onlineChanges');
  });

  it('that cannot be told stops at its place', () => {
    const script = new ItemScript();
    const one = former({ ddl: replicate, onlineChanges: online() });
    expect(() => one.take(script.statement(exchange))).toThrow(
      expect.objectContaining({ code: 'HOLT_DDL_ONLINE_CHANGE_UNSEEN', disposition: 'pause' }),
    );
    expect(one.advance()).toBeNull();
    const made = 'CREATE TABLE `shop`.`_t_new` (\n  `id` int NOT NULL,\n  PRIMARY KEY (`id`)\n)';
    one.take(script.statement(made));
    expect(() => one.take(script.rows({ rows: [sourceRows('shop', '_t_new', [1])] }))).toThrow(
      expect.objectContaining({ code: 'HOLT_DDL_ONLINE_CHANGE_UNCLEAR' }),
    );
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
});

/** What a payload says, in order: ids of rows, bodies in brackets, outcomes in angle brackets. */
function storyOf(batch: FormedBatch | null): string[] {
  if (batch === null) return ['no batch'];
  const lines: string[] = [];
  const reader = new PayloadReader(batch.payload);
  for (let record = reader.next(); record !== null; record = reader.next()) {
    if (record === 'transaction') lines.push('transaction');
    else if (record === 'xa-body') lines.push(`[${reader.xid}${reader.xaFirst ? '' : ' goes on'}]`);
    else if (record === 'xa-outcome') lines.push(`<${reader.xaOutcome} ${reader.xid}>`);
    else if (record === 'rows')
      for (let at = reader.dataStart; at < reader.dataEnd; at += 5)
        lines.push(String(reader.bytes.readInt32LE(at + 1)));
  }
  return lines;
}

describe('XA', () => {
  const prepared = (xid: string) => ({ xa: { xid, phase: 'prepared' as const } });

  it('decided before the batch is cut: its rows stand where the outcome does, or nowhere', () => {
    const script = new ItemScript();
    const one = former();
    one.take(script.rows(prepared('a')));
    one.take(script.rows(prepared('b')));
    one.take(script.rows());
    one.take(script.outcome('b', 'rollback'));
    one.take(script.outcome('a'));
    one.take(script.rows());
    const batch = one.cut();
    expect(storyOf(batch)).toEqual(['transaction', '3', 'transaction', '1', 'transaction', '6']);
    expect(batch).toMatchObject({ rows: 3, end: { text: upTo(6) } });
  });

  it('undecided at the cut: its body goes along, and the outcome later', () => {
    const script = new ItemScript();
    const one = former();
    one.take(script.rows());
    one.take(script.rows(prepared('a')));
    expect(one.pendingRows).toBe(2);
    expect(storyOf(one.cut())).toEqual(['transaction', '1', '[a]', '2']);
    one.take(script.rows());
    expect(one.take(script.outcome('a'))).toBe('taken');
    one.take(script.rows());
    expect(storyOf(one.cut())).toEqual(['transaction', '3', '<commit a>', 'transaction', '5']);
  });

  it('of whose PREPARE nothing is known: the outcome goes alone, so that the position behind it can be set', () => {
    const script = new ItemScript();
    const items = [script.rows(), script.outcome('a'), script.rows(), script.outcome('b', 'rollback')];
    expect(formAll(former(), items).map(storyOf)).toEqual([
      ['transaction', '1'],
      ['<commit a>'],
      ['transaction', '3'],
      ['<rollback b>'],
    ]);
  });

  it('without replicated rows is passed over; the position does not go past it without saying that it was read', () => {
    const script = new ItemScript();
    const one = former();
    one.take(script.rows({ rows: [], ...prepared('a') }));
    one.take(script.outcome('a'));
    expect(one.advance()).toMatchObject({ end: { text: upTo(2) } });
    one.take(script.rows({ rows: [], ...prepared('b') }));
    expect(one.hasPending).toBe(false);
    expect(one.advance()).toBeNull();
    const batch = one.cut();
    expect(storyOf(batch)).toEqual(['[b]']);
    expect(batch).toMatchObject({ rows: 0, end: { text: upTo(3) } });
    one.take(script.outcome('b'));
    expect(storyOf(one.cut())).toEqual(['<commit b>']);
  });

  it('without replicated rows is said to have been read before the pipeline stops, so that the position behind may be set', () => {
    const script = new ItemScript();
    const one = former();
    one.take(script.rows({ rows: [], ...prepared('a') }));
    expect(() => one.take(script.statement('DELETE FROM t', 'dml'))).toThrow(
      expect.objectContaining({ code: 'HOLT_STATEMENT_FORMAT' }),
    );
    expect(storyOf(one.cut())).toEqual(['[a]']);
  });

  it('in parts is held part by part, and decided at the end of the last where it commits in one phase', () => {
    for (const phase of ['prepared', 'one-phase'] as const) {
      const script = new ItemScript();
      const open = { xa: { xid: 'a', phase: 'open' as const } };
      const items = [
        script.rows({ part: 0, lastPart: false, rows: [], ...open }),
        script.rows({ part: 1, lastPart: false, rows: [sourceRows('shop', 't', [1])], ...open }),
        script.rows({ part: 2, lastPart: false, rows: [sourceRows('shop', 't', [2])], ...open }),
        script.rows({ part: 3, rows: [sourceRows('shop', 't', [3])], xa: { xid: 'a', phase } }),
        script.outcome('a'),
      ];
      const one = former();
      const batches = formAll(one, phase === 'prepared' ? items : items.slice(0, -1));
      expect(batches.map(storyOf)).toEqual([
        ['[a]', '1'],
        ['[a goes on]', '2'],
        phase === 'prepared' ? ['[a goes on]', '3'] : ['[a goes on]', '3', '<commit a>'],
        ...(phase === 'prepared' ? [['<commit a>']] : []),
      ]);
    }
  });

  it('is not this pipeline’s where the site’s own changes are not carried', () => {
    const script = new ItemScript();
    const one = former({ origins: [siteId('west')] });
    one.take(script.rows(prepared('a')));
    one.take(script.outcome('a'));
    one.take(script.outcome('unknown'));
    expect(one.counts).toMatchObject({ foreign: 3 });
    expect(one.advance()).not.toBeNull();
  });

  it('counts towards the size of the batch while it is put aside', () => {
    const script = new ItemScript();
    const limits = { maxRows: 3, maxBytes: 1_000_000, partBytes: 1_000_000, window: 4 };
    const items = ['a', 'b', 'c', 'd'].map((xid) => script.rows(prepared(xid)));
    expect(formAll(former({ limits }), items).map((batch) => batch.rows)).toEqual([3, 1]);
  });

  it('for any order of transactions and cuts: what takes effect, and when, is what the log says', () => {
    const step = fc.oneof(
      fc.record({ what: fc.constant('rows' as const) }),
      fc.record({ what: fc.constant('prepare' as const), rows: fc.nat({ max: 2 }) }),
      fc.record({ what: fc.constant('commit' as const), which: fc.nat() }),
      fc.record({ what: fc.constant('rollback' as const), which: fc.nat() }),
      fc.record({ what: fc.constant('cut' as const) }),
      fc.record({ what: fc.constant('advance' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 8 }), (log, maxRows) => {
        const script = new ItemScript();
        const one = former({ limits: { maxRows, maxBytes: 1_000_000, partBytes: 1_000_000, window: 4 } });
        const wanted: string[] = [];
        const applied: string[] = [];
        /** What Load holds. */
        const held = new Map<string, string[]>();
        const open: { xid: string; ids: string[] }[] = [];
        let position = 'mysql:';
        let next = 0;
        let serial = 0;
        const load = (batch: FormedBatch | null): void => {
          if (batch === null) return;
          expect(batch.start).toBe(position);
          position = batch.end.text;
          let into = applied;
          for (const line of storyOf(batch)) {
            const body = /^\[(.*)\]$/.exec(line)?.[1];
            const outcome = /^<(commit|rollback) (.*)>$/.exec(line);
            if (line === 'transaction') into = applied;
            else if (body !== undefined) {
              into = [];
              held.set(body, into);
            } else if (outcome !== null) {
              const [, what = '', xid = ''] = outcome;
              const ids = held.get(xid);
              if (ids === undefined) throw new Error(`no body of ${xid}`);
              if (what === 'commit') applied.push(...ids);
              held.delete(xid);
            } else into.push(line);
          }
        };
        const offer = (item: SourceItem): void => {
          while (one.take(item) === 'cut-first') load(one.cut());
        };
        for (const entry of log) {
          if (entry.what === 'rows' || entry.what === 'prepare') {
            const ids = Array.from({ length: entry.what === 'rows' ? 1 : entry.rows }, () => next++);
            const rows = ids.length === 0 ? [] : [sourceRows('shop', 't', ids)];
            const xid = `x${serial++}`;
            if (entry.what === 'rows') wanted.push(...ids.map(String));
            else open.push({ xid, ids: ids.map(String) });
            offer(script.rows({ rows, ...(entry.what === 'rows' ? {} : prepared(xid)) }));
          } else if (entry.what === 'cut') load(one.cut());
          else if (entry.what === 'advance') {
            const advance = one.advance();
            if (advance !== null) position = advance.end.text;
            // What is not written yet must not be behind the position.
            if (advance !== null) expect(open.every(({ xid }) => held.has(xid))).toBe(true);
          } else {
            const [decided] = open.length === 0 ? [] : open.splice(entry.which % open.length, 1);
            if (decided === undefined) continue;
            if (entry.what === 'commit') wanted.push(...decided.ids);
            offer(script.outcome(decided.xid, entry.what));
          }
        }
        load(one.cut());
        if (one.advance() === null) load(one.cut());
        expect(applied).toEqual(wanted);
        expect([...held.keys()].toSorted()).toEqual(open.map(({ xid }) => xid).toSorted());
      }),
    );
  });
});

describe('a part without those before it', () => {
  it('is taken for nothing: the pipeline reads again', () => {
    for (const chunked of [false, true]) {
      const item = new ItemScript().rows({ part: 2, lastPart: false, rawRows: 9 });
      expect(() => former({ chunked }).take(item)).toThrow(
        expect.objectContaining({ code: 'HOLT_SOURCE_INTERRUPTED', disposition: 'rewind' }),
      );
    }
  });
});

describe('chunks', () => {
  /** Rows events of one transaction: how many rows, and whether this pipeline wants them. */
  type Logged = readonly { readonly rows: number; readonly wanted: boolean }[];

  /** Items of that transaction as an engine makes them that hands out a part after so many events; ids count raw rows from 0. */
  function itemsOf(script: ItemScript, events: Logged, eventsPerPart: number): SourceItem[] {
    const items: SourceItem[] = [];
    let raw = 0;
    for (let from = 0, part = 0; part === 0 || from < events.length; part++, from += eventsPerPart) {
      const rows = events.slice(from, from + eventsPerPart).flatMap((event) => {
        const rawBefore = raw;
        raw += event.rows;
        const ids = Array.from({ length: event.rows }, (_, i) => rawBefore + i);
        return event.wanted ? [{ ...sourceRows('shop', 't', ids), rawBefore }] : [];
      });
      const lastPart = from + eventsPerPart >= events.length;
      // Where the transaction ends in the log does not depend on its parts.
      items.push(script.rows({ part, lastPart, rows, rawRows: raw, logBytes: lastPart ? 1000 : 0 }));
    }
    return items;
  }

  const ten: Logged = Array.from({ length: 10 }, () => ({ rows: 3, wanted: true }));

  it('are whole batches that chain; the transaction joins the position with the last', () => {
    const script = new ItemScript();
    const items = [script.rows({ rawRows: 1 }), ...itemsOf(script, ten, 4), script.rows({ rawRows: 1 })];
    const one = former({ chunked: true });
    const batches = formAll(one, items);
    const inside = (rows: number) => `${upTo(1)}#${SOURCE_UUID}:2@${rows}`;
    expect(batches.map(({ part, lastPart, start, end }) => [part, lastPart, start, end.text])).toEqual([
      [0, true, 'mysql:', upTo(1)],
      [0, true, upTo(1), inside(12)],
      [0, true, inside(12), inside(24)],
      [0, true, inside(24), upTo(3)],
    ]);
    expect(one.counts.chunks).toBe(2);
    // Where reading begins again is a place of the log all the same.
    expect(batches[1]?.end.at).toEqual(batches[0]?.end.at);
  });

  it('never hold rows of XA: those wait for their COMMIT in one piece', () => {
    const script = new ItemScript();
    const xa = { xid: 'a', phase: 'open' as const };
    const items = itemsOf(script, ten, 4).map(
      (item): SourceItem =>
        item.kind === 'rows' ? { ...item, xa: item.lastPart ? { ...xa, phase: 'prepared' } : xa } : item,
    );
    const batches = formAll(former({ chunked: true }), items);
    expect(batches.map(({ part, lastPart }) => [part, lastPart])).toEqual([
      [0, false],
      [1, false],
      [2, true],
    ]);
  });

  it('go on after a lost link without a rewind, and without a repeat', () => {
    const script = new ItemScript();
    const items = itemsOf(script, ten, 4);
    const again = itemsOf(new ItemScript(), ten, 3);
    const [first, second] = items;
    if (first === undefined || second === undefined) throw new Error('no parts');
    const batches = formAll(former({ chunked: true }), [
      first,
      second,
      { kind: 'interrupted', bytes: 0 },
      ...again,
    ]);
    expect(batches.flatMap(idsOf)).toEqual(Array.from({ length: 30 }, (_, i) => i));
  });

  it('of a transaction that has fewer rows now stop the pipeline', () => {
    const start = { ...START, text: `mysql:#${SOURCE_UUID}:1@31` as PositionText };
    const items = itemsOf(new ItemScript(), ten, 4);
    expect(() => formAll(former({ chunked: true, start }), items)).toThrow(
      expect.objectContaining({ code: 'HOLT_POSITION_CHUNK', disposition: 'pause' }),
    );
  });

  it('begun are ended in one piece when the choice is taken back', () => {
    const start = { ...START, text: `mysql:#${SOURCE_UUID}:1@13` as PositionText };
    const batches = formAll(former({ start }), itemsOf(new ItemScript(), ten, 4));
    expect(batches.map(({ part, lastPart, end }) => [part, lastPart, end.text])).toEqual([
      [0, false, start.text],
      [1, true, upTo(1)],
    ]);
    expect(batches.flatMap(idsOf)).toEqual(Array.from({ length: 17 }, (_, i) => 13 + i));
  });

  it('for any transaction, parts, filters and restarts: every wanted row once, in order', () => {
    const event = fc.record({ rows: fc.integer({ min: 1, max: 5 }), wanted: fc.boolean() });
    const log = fc.array(fc.array(event, { maxLength: 12 }), { minLength: 1, maxLength: 5 });
    const run = fc.record({
      /** Batches that commit before the node dies. */
      batches: fc.nat({ max: 6 }),
      eventsPerPart: fc.integer({ min: 1, max: 5 }),
      chunked: fc.constantFrom(true, true, true, false),
    });
    fc.assert(
      fc.property(log, fc.array(run, { maxLength: 8 }), fc.boolean(), (transactions, runs, withGtids) => {
        const start: Position = withGtids
          ? START
          : { text: 'file:srv:binlog.000001:4' as PositionText, at: null, lastEvent: null };
        let position = start;
        const got: string[] = [];
        const last = { batches: Number.POSITIVE_INFINITY, eventsPerPart: 3, chunked: true };
        for (const { batches, eventsPerPart, chunked } of [...runs, last]) {
          const script = new ItemScript();
          const log = transactions.map((events, number) => ({
            number,
            items: itemsOf(script, events, eventsPerPart),
          }));
          const done = Number(
            withGtids
              ? (/:1(?:-([0-9]+))?(?:#|$)/.exec(position.text)?.[1] ??
                  (/:1(?:#|$)/.test(position.text) ? 1 : 0))
              : transactions.findIndex(
                  (_, number) =>
                    log[number]?.items[0]?.kind === 'rows' &&
                    `file:srv:binlog.000001:${startOf(log[number]?.items[0])}` === baseOf(position),
                ),
          );
          const from = !withGtids && done < 0 ? transactions.length : done;
          const one = former({ chunked, start: position });
          let committed = 0;
          const open: string[] = [];
          const commit = (batch: FormedBatch | null, number: number): void => {
            if (batch === null || committed >= batches) return;
            open.push(...idsOf(batch).map((id) => `${number}:${id}`));
            if (!batch.lastPart) return;
            expect(batch.start).toBe(position.text);
            position = batch.end;
            got.push(...open.splice(0));
            committed += 1;
          };
          for (const { number, items } of log.slice(from))
            for (const item of items) {
              const given = withGtids || item.kind !== 'rows' ? item : { ...item, gtid: null };
              while (one.take(given) === 'cut-first') commit(one.cut(), number);
              // One transaction a batch, so that it is known whose rows a batch has.
              commit(one.cut(), number);
            }
        }
        const wanted = transactions.flatMap((events, number) => {
          let raw = 0;
          return events.flatMap(({ rows, wanted }) => {
            const ids = Array.from({ length: rows }, () => `${number}:${raw++}`);
            return wanted ? ids : [];
          });
        });
        expect(got).toEqual(wanted);
      }),
    );
  });

  const startOf = (item: SourceItem | undefined): number => (item?.kind === 'rows' ? item.start.offset : -1);
  const baseOf = (position: Position): string => position.text.replace(/#.*$/s, '');

  it('positions come apart as they were put together', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('mysql:', `mysql:${SOURCE_UUID}:1-4`, 'mariadb:0-1-5', 'file:srv:bin#1@2.000001:4'),
        fc.option(
          fc.record({
            transaction: fc.constantFrom('a:5', '0-1-6', 'b.1:4'),
            rawRows: fc.integer({ min: 1 }),
          }),
        ),
        (text, chunk) => {
          const base = { ...START, text: text as PositionText };
          expect(splitChunk(withChunk(base, chunk))).toEqual({ base, chunk });
        },
      ),
    );
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
