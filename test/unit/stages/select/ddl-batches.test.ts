import { describe, expect, it } from 'vitest';
import type { DdlRowChange } from '../../../../canal/assembler/holt-rows.ts';
import { siteId } from '../../../../model/ids.ts';
import { PayloadReader, surveyPayload } from '../../../../model/payload.ts';
import type { Position, PositionText } from '../../../../model/position.ts';
import type { SourceItem } from '../../../../model/source-item.ts';
import { BatchFormer, type FormerOptions } from '../../../../stages/select/batch-former.ts';
import type { FormedBatch } from '../../../../stages/select/formed-batch.ts';
import { TableFilter } from '../../../../stages/select/table-filter.ts';
import { ItemScript, SOURCE_UUID, sourceRows, statementOf } from './item-script.ts';

const START: Position = { text: 'mysql:' as PositionText, at: null, lastEvent: null };

function former(options: Partial<FormerOptions> = {}): BatchFormer {
  return new BatchFormer({
    start: START,
    site: siteId('east'),
    origins: [siteId('east')],
    tables: new TableFilter({ include: ['shop.*'], exclude: [] }, { caseSensitive: true }),
    limits: { maxRows: 100, maxBytes: 1_000_000, partBytes: 1_000_000, window: 4 },
    ddl: { default: 'replicate', kinds: {} },
    server: { flavour: 'mysql', version: 90_700 },
    cluster: 'c',
    ...options,
  });
}

function formAll(one: BatchFormer, items: readonly SourceItem[]): FormedBatch[] {
  const batches: FormedBatch[] = [];
  const cut = (): void => {
    const batch = one.cut();
    if (batch !== null) batches.push(batch);
  };
  for (const item of items) while (one.take(item) === 'cut-first') cut();
  cut();
  return batches;
}

/** Changes of the journal, one an item with rows of `holt.ddl`. */
function journal(...changes: readonly DdlRowChange[]): NonNullable<FormerOptions['holtRows']> {
  const left = [...changes];
  return {
    heartbeats: () => [],
    laneStarts: () => [],
    ddlRows: () => {
      const next = left.shift();
      return next === undefined ? [] : [next];
    },
  };
}

const open: DdlRowChange = { id: 9n, state: 'open', origin: 'west', connectionId: 1 };
const done: DdlRowChange = { id: 9n, state: 'done', origin: null, connectionId: null };
const journalItem = (script: ItemScript) => script.rows({ rows: [sourceRows('holt', 'ddl', [1])] });

describe('a schema change that is replicated', () => {
  it('is alone in its batch, between what was before and what comes after', () => {
    const script = new ItemScript();
    const batches = formAll(former(), [
      script.rows(),
      script.statement('ALTER TABLE t ADD c INT'),
      script.rows(),
      script.rows(),
    ]);
    expect(batches.map(({ ddl, rows }) => [ddl, rows])).toEqual([
      [null, 1],
      ['alter-table', 0],
      [null, 2],
    ]);
    const [, batch] = batches;
    expect(batch?.start).toBe(`mysql:${SOURCE_UUID}:1`);
    expect(batch?.end.text).toBe(`mysql:${SOURCE_UUID}:1-2`);
    expect(batch && surveyPayload(batch.payload).statement).toMatchObject({
      kind: 'alter-table',
      schema: 'shop',
      sourceRef: `${SOURCE_UUID}:2`,
      server: { flavour: 'mysql', version: 90_700 },
      caseSensitive: true,
    });
    expect(batch && surveyPayload(batch.payload).statement?.sql.toString()).toBe('ALTER TABLE t ADD c INT');
  });

  it('goes with its rows when it is CREATE TABLE … SELECT', () => {
    const script = new ItemScript();
    const [batch] = formAll(former(), [
      script.rows({
        statements: [statementOf('CREATE TABLE t (id INT)')],
        rows: [sourceRows('shop', 't', [1, 2])],
      }),
    ]);
    expect(batch).toMatchObject({ ddl: 'create-table', rows: 2 });
    const reader = new PayloadReader(batch?.payload ?? Buffer.alloc(0));
    expect([reader.next(), reader.next(), reader.next(), reader.next(), reader.next()]).toEqual([
      'transaction',
      'statement',
      'table',
      'rows',
      null,
    ]);
  });

  it('is passed over, or stops the pipeline, by the kind of statement', () => {
    const script = new ItemScript();
    const ddl = { default: 'replicate', kinds: { truncate: 'ignore', 'drop-table': 'stop' } } as const;
    const one = former({ ddl });
    expect(formAll(one, [script.statement('TRUNCATE t')])).toEqual([]);
    expect(one.counts.ddlIgnored).toBe(1);
    expect(one.passed).toMatchObject({ transactions: 1 });
    expect(() => one.take(script.statement('DROP TABLE t'))).toThrow(/at binlog.000001:\d+: DROP TABLE t/);
    expect(one.take(script.statement('DROP TABLE elsewhere.t'))).toBe('taken');
  });

  it('is of the kind `other` when nobody can read it', () => {
    const script = new ItemScript();
    const statement = 'ALTER TABLE t FROBNICATE COMPLETELY (t)';
    expect(formAll(former(), [script.statement(statement)])[0]?.ddl).toBe('other');
    const strict = former({ ddl: { default: 'replicate', kinds: { other: 'stop' } } });
    expect(() => strict.take(script.statement(statement))).toThrow(/FROBNICATE/);
  });

  it.each([
    'GRANT ALL ON *.* TO x',
    'CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @a = 1',
    'FLUSH TABLES',
  ])('is none that holds no tables: %s', (statement) => {
    const script = new ItemScript();
    expect(formAll(former(), [script.statement(statement)])).toEqual([]);
  });

  it('is a view of a carried schema, too, and the database itself', () => {
    const script = new ItemScript();
    const batches = formAll(former(), [
      script.statement('CREATE VIEW w AS SELECT id FROM t'),
      script.statement('ALTER DATABASE shop CHARACTER SET latin1'),
      script.statement('CREATE DATABASE other'),
    ]);
    expect(batches.map(({ ddl }) => ddl)).toEqual(['create-view', 'alter-database']);
  });
});

describe('a schema change that Holt made', () => {
  it('does not go back: it is of a thread that the journal names', () => {
    const script = new ItemScript();
    const one = former({ holtRows: journal(open, done) });
    const items = [
      journalItem(script),
      script.statement('ALTER TABLE t ADD c INT'),
      journalItem(script),
      script.statement('ALTER TABLE t ADD d INT'),
    ];
    const batches = formAll(one, items);
    expect(batches.map(({ payload }) => surveyPayload(payload).statement?.sql.toString())).toEqual([
      'ALTER TABLE t ADD d INT',
    ]);
    expect(one.counts.foreign).toBe(1);
  });

  it('goes on under its own origin where the pipeline carries that', () => {
    const script = new ItemScript();
    const one = former({ origins: [siteId('east'), siteId('west')], holtRows: journal(open) });
    const [batch] = formAll(one, [journalItem(script), script.statement('ALTER TABLE t ADD c INT')]);
    expect(batch).toMatchObject({ ddl: 'alter-table', origin: 'west' });
  });

  it('is not taken for one after the server was started anew', () => {
    const script = new ItemScript();
    const one = former({ holtRows: journal(open) });
    const [batch] = formAll(one, [
      journalItem(script),
      { ...script.statement('ALTER TABLE t ADD c INT'), afterServerStart: true },
    ]);
    expect(batch).toMatchObject({ ddl: 'alter-table', origin: 'east' });
  });

  it('is known where reading begins between its row and its statement', () => {
    const script = new ItemScript();
    const one = former({ openDdl: [{ id: 9n, threadId: 1, origin: 'west' }] });
    expect(formAll(one, [script.statement('ALTER TABLE t ADD c INT')])).toEqual([]);
  });
});
