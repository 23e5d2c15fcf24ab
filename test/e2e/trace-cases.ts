import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../../lib/abort.ts';
import type { TraceRequest, TraceView } from '../../node/trace/trace.ts';
import type { DatabaseFlavour } from '../support/database.ts';
import type { DatabaseServer, DatabaseServerOptions } from '../support/database-server.ts';
import { startDatabase } from '../support/servers.ts';
import { SoleNode } from '../support/sole-node.ts';

const PIPELINE = 'east-west';
const BACK = 'west-east';
const LONG_MS = 120_000;

const TABLES = [
  'CREATE TABLE shop.items (id INT PRIMARY KEY, name VARCHAR(40), kind VARCHAR(10))',
  'CREATE TABLE shop.lines (ord INT, line INT, what VARCHAR(40), PRIMARY KEY (ord, line))',
  'CREATE TABLE shop.people (name VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci PRIMARY KEY, age INT)',
  'CREATE TABLE shop.devices (id BINARY(4) PRIMARY KEY, seen DATETIME)',
  'CREATE TABLE shop.journal (at DATETIME, what VARCHAR(40), note VARCHAR(40))',
  'CREATE TABLE shop.children (id INT PRIMARY KEY, parent INT)',
  'CREATE TABLE shop.secrets (id INT PRIMARY KEY)',
];

/** The same of every source: what `settings` says of its server. */
export function traceCases(
  title: string,
  flavour: DatabaseFlavour,
  settings: NonNullable<DatabaseServerOptions['settings']>,
): void {
  const hasGtids = settings['gtid-mode'] !== 'OFF' && flavour !== 'mysql56';
  describe(`holt trace from ${title}`, () => {
    let east: DatabaseServer;
    let west: DatabaseServer;
    let holt: SoleNode;

    beforeAll(async () => {
      [east, west] = await Promise.all([startDatabase(flavour, { settings }), startDatabase('mariadb')]);
      for (const { db } of [east, west]) {
        await db.query('CREATE DATABASE shop');
        for (const table of TABLES) await db.query(table);
      }
      await west.db.query('CREATE TABLE shop.parents (id INT PRIMARY KEY)');
      await west.db.query('ALTER TABLE shop.children ADD FOREIGN KEY (parent) REFERENCES shop.parents (id)');
      const common = { start: 'now', tables: { include: ['shop.*'], exclude: ['shop.secrets'] } };
      holt = await SoleNode.start({
        databases: { east: east.db.endpoint, west: west.db.endpoint },
        winner: 'west',
        pipelines: {
          [PIPELINE]: {
            source: 'east-db',
            target: 'west-db',
            ...common,
            rules: [{ match: 'shop.items', where: "kind <> 'draft'" }],
          },
          [BACK]: { source: 'west-db', target: 'east-db', ...common },
        },
      });
      await holt.idle();
    });
    afterEach(() => {
      delete process.env.HOLT_FAILPOINTS;
    });
    afterAll(async () => {
      await holt?.[Symbol.asyncDispose]();
      await east?.[Symbol.asyncDispose]();
      await west?.[Symbol.asyncDispose]();
    });

    const arrive = () => holt.api.wait(PIPELINE, { gtid: null, timeoutMs: LONG_MS });

    async function trace(
      table: string,
      what: Partial<TraceRequest> | string[],
      pipeline = PIPELINE,
    ): Promise<TraceView> {
      const asked = Array.isArray(what) ? { key: what } : what;
      let view = await holt.api.startTrace(pipeline, {
        ...{ table, lastMs: 3_600_000, maxBytes: 2 ** 40 },
        ...asked,
      });
      return waitFor(
        async () => {
          view = await holt.api.trace(pipeline, view.id);
          return view.state === 'running' ? null : view;
        },
        { timeoutMs: LONG_MS, pollMs: 20, what: 'the trace to end' },
      );
    }

    it('an applied change: when and where it was committed, when it was applied, and the time of each stage', async () => {
      await east.db.query("INSERT INTO shop.items VALUES (1, 'one', 'good')");
      await east.db.query("UPDATE shop.items SET name = 'uno' WHERE id = 1");
      await east.db.query("INSERT INTO shop.items VALUES (2, 'two', 'good')");
      await arrive();
      const found = await trace('shop.items', ['1']);
      expect(found.error).toBeNull();
      expect(found).toMatchObject({
        state: 'found',
        target: 'shop.items',
        change: {
          op: 'update',
          columns: ['name'],
          keyBefore: { id: '1' },
          keyAfter: { id: '1' },
          origin: null,
        },
        outcome: { kind: 'applied', stage: null },
        rowAt: { source: true, target: true },
      });
      expect(found.change?.gtid === null).toBe(!hasGtids);
      expect(Math.abs((found.change?.commitMs ?? 0) - Date.now())).toBeLessThan(600_000);
      expect(found.outcome?.appliedMs).toBeGreaterThan(0);
      expect(found.steps.map(({ stage }) => stage)).toEqual(['select', 'extract', 'transform', 'load']);
      for (const { tookMs } of found.steps) expect(tookMs).not.toBeNull();
    });

    it.each(['select:before-publish', 'extract:before', 'transform:before', 'load:before'])(
      'a change in flight that stands at %s',
      async (place) => {
        const [stage = ''] = place.split(':');
        const id = String(100 + ['select', 'extract', 'transform', 'load'].indexOf(stage));
        process.env.HOLT_FAILPOINTS = `${place}=error@*`;
        await east.db.query(`INSERT INTO shop.items VALUES (${id}, 'held up', 'good')`);
        const seen = await waitFor(
          async () => {
            const one = await trace('shop.items', [id]);
            return one.outcome?.stage === stage && (stage === 'select' || one.outcome.kind === 'in-flight')
              ? one
              : null;
          },
          { timeoutMs: LONG_MS, pollMs: 100, what: `the change to stand at ${stage}` },
        );
        expect(seen.steps.at(-1)).toMatchObject({ stage, doneMs: null });
        expect(seen.rowAt).toEqual({ source: true, target: false });
        delete process.env.HOLT_FAILPOINTS;
        await arrive();
        expect((await trace('shop.items', [id])).outcome?.kind).toBe('applied');
      },
    );

    it('keys of several columns, of text by its collation, binary, and rows without a key', async () => {
      await east.db.query("INSERT INTO shop.lines VALUES (7, 1, 'a'), (7, 2, 'b'), (8, 1, 'c')");
      await east.db.query("INSERT INTO shop.people VALUES ('Zoë', 1), ('anna', 2)");
      await east.db.query("INSERT INTO shop.devices VALUES (x'00a1f300', '2026-01-02 03:04:05')");
      await east.db.query(
        "INSERT INTO shop.journal VALUES ('2026-01-01', 'paid', NULL), ('2026-01-02', 'paid', 'x')",
      );
      await arrive();
      expect((await trace('shop.lines', ['7', '2'])).change?.keyAfter).toEqual({ ord: '7', line: '2' });
      // Another spelling, and what it was before it got one.
      await east.db.query("UPDATE shop.people SET name = 'ZOE', age = 3 WHERE name = 'Zoë'");
      await arrive();
      expect((await trace('shop.people', ['zoe'])).change).toMatchObject({
        op: 'update',
        keyBefore: { name: 'Zoë' },
        keyAfter: { name: 'ZOE' },
      });
      expect((await trace('shop.people', ['Änna'])).change?.keyAfter).toEqual({ name: 'anna' });
      expect((await trace('shop.people', ['annb'])).state).toBe('not-found');
      expect((await trace('shop.devices', ['0x00a1f3'])).outcome?.kind).toBe('applied');
      expect((await trace('shop.devices', { where: { seen: '2026-1-2 3:4:5' } })).state).toBe('found');
      expect((await trace('shop.journal', { where: { what: 'PAID', note: null } })).change?.keyAfter).toEqual(
        {
          what: 'paid',
          note: null,
        },
      );
      expect((await trace('shop.journal', ['1'])).error?.code).toBe('HOLT_TRACE_KEY');
      expect((await trace('shop.lines', ['7'])).error?.code).toBe('HOLT_TRACE_KEY');
      expect((await trace('shop.nothing', ['7'])).error?.code).toBe('HOLT_TRACE_TABLE');
    });

    it('a change of the key is one of both', async () => {
      await east.db.query("INSERT INTO shop.items VALUES (20, 'moves', 'good')");
      await east.db.query('UPDATE shop.items SET id = 21 WHERE id = 20');
      await arrive();
      for (const id of ['20', '21']) {
        const { change, notes } = await trace('shop.items', [id]);
        expect(change).toMatchObject({ op: 'update', keyBefore: { id: '20' }, keyAfter: { id: '21' } });
        expect(notes.join()).toMatch(/key/);
      }
    });

    it('filtered by a row filter or by the table patterns, naming the rule', async () => {
      await east.db.query("INSERT INTO shop.items VALUES (30, 'x', 'draft')");
      await east.db.query('INSERT INTO shop.secrets VALUES (30)');
      await arrive();
      const { outcome } = await trace('shop.items', ['30']);
      expect(outcome).toMatchObject({ kind: 'filtered' });
      expect(outcome?.text).toContain("kind <> 'draft'");
      expect((await trace('shop.secrets', ['30'])).outcome?.text).toContain('tables.exclude shop.secrets');
    });

    it('a change that Holt brought is not carried back', async () => {
      await east.db.query("INSERT INTO shop.items VALUES (40, 'there and not back', 'good')");
      await arrive();
      const back = await trace('shop.items', ['40'], BACK);
      expect(back).toMatchObject({ change: { origin: 'east' }, outcome: { kind: 'not-carried' } });
    });

    it('lost to a conflict, and a dead letter, with their entries in the ledger', async () => {
      await east.db.query("INSERT INTO shop.items VALUES (50, 'before', 'good')");
      await arrive();
      // What the west changes stays there, so that the latest change in the east is its own.
      await holt.api.setDesired(BACK, { desired: 'paused', by: 'test', why: 'to have a conflict' });
      await waitFor(async () => (await holt.api.pipeline(BACK)).stages[0]?.holder === null, {
        timeoutMs: LONG_MS,
        pollMs: 50,
        what: 'the way back to be paused',
      });
      await west.db.query("UPDATE shop.items SET name = 'from the west' WHERE id = 50");
      await east.db.query("UPDATE shop.items SET name = 'from the east' WHERE id = 50");
      await east.db.query('INSERT INTO shop.children VALUES (1, 77)');
      await arrive();
      const lost = await trace('shop.items', ['50']);
      expect(lost.outcome).toMatchObject({ kind: 'conflict', code: 'update-differs' });
      expect(lost.outcome?.text).toMatch(/lost/);
      const entry = await holt.api.error(PIPELINE, lost.outcome?.ledgerId ?? '');
      expect(entry.code).toBe('update-differs');
      const dead = await trace('shop.children', ['1']);
      expect(dead.outcome).toMatchObject({ kind: 'dead-letter', code: 'parent-missing' });
    });

    it('held, while its table is parked', async () => {
      await holt.api.parkTable(PIPELINE, 'shop.lines', { by: 'test', why: 'to see' });
      await east.db.query("INSERT INTO shop.lines VALUES (9, 9, 'waits')");
      await arrive();
      expect((await trace('shop.lines', ['9', '9'])).outcome).toMatchObject({ kind: 'held' });
      expect((await trace('shop.lines', ['7', '2'])).outcome?.kind).toBe('applied');
      await holt.api.resumeTable(PIPELINE, 'shop.lines', { by: 'test', like: [] });
      await waitFor(async () => (await trace('shop.lines', ['9', '9'])).outcome?.kind === 'applied', {
        timeoutMs: LONG_MS,
        pollMs: 200,
        what: 'what was held to be applied',
      });
    });

    it('through files of the log, newest first; never seen; older logs purged', async () => {
      await east.db.query("INSERT INTO shop.items VALUES (60, 'old', 'good')");
      await east.db.query('FLUSH BINARY LOGS');
      await east.db.query("INSERT INTO shop.items VALUES (61, 'new', 'good')");
      await arrive();
      const old = await trace('shop.items', ['60']);
      expect(old).toMatchObject({ state: 'found', outcome: { kind: 'applied' } });
      expect(old.progress.filesDone).toBe(2);
      expect((await trace('shop.items', { key: ['60'], maxBytes: 1 })).notes.join()).toMatch(/no more than/);
      const never = await trace('shop.items', ['999']);
      expect(never).toMatchObject({ state: 'not-found', rowAt: { source: false, target: false } });
      const connection = await east.db.connect();
      // A file stays while somebody reads it, or the server still needs it.
      await waitFor(
        async () => {
          const [logs] = await connection.query('SHOW BINARY LOGS');
          const names = (logs as unknown as readonly { readonly Log_name: string }[]).map(
            (one) => one.Log_name,
          );
          if (names.length === 1) return true;
          await connection.query(`PURGE BINARY LOGS TO '${names.at(-1)}'`);
          return false;
        },
        { timeoutMs: LONG_MS, pollMs: 200, what: 'the old log to be purged' },
      );
      await connection.end();
      const purged = await trace('shop.items', ['60']);
      expect(purged.state).toBe('not-found');
      expect(purged.notes.join()).toMatch(/purged/);
      expect(purged.rowAt).toEqual({ source: true, target: true });
    });

    it('nothing of the values asked about stands in the audit log, and a trace is cancelled by its client', async () => {
      await trace('shop.people', ['very-secret-name']);
      const answer = await fetch(`${holt.url}/api/v1/audit?limit=200`, {
        headers: { authorization: `Bearer ${holt.token}` },
      });
      const text = await answer.text();
      expect(text).toContain('startTrace');
      expect(text).not.toContain('very-secret-name');
      const running = await holt.api.startTrace(PIPELINE, {
        ...{ table: 'shop.people', key: ['anna'], lastMs: 1000, maxBytes: 2 ** 40 },
      });
      const ended = await holt.api.cancelTrace(PIPELINE, running.id);
      expect(ended.state).not.toBe('running');
      await expect(holt.api.trace(BACK, running.id)).rejects.toMatchObject({ code: 'HOLT_TRACE_UNKNOWN' });
      await expect(holt.api.trace(PIPELINE, 'nowhere~1')).rejects.toMatchObject({
        code: 'HOLT_TRACE_UNKNOWN',
      });
    });
  });
}
