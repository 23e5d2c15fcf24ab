import { afterAll, beforeAll, expect, it } from 'vitest';
import { compileRowScanner } from '../../../canal/value/row-scanner.ts';
import { writeValueText } from '../../../canal/value/value-text.ts';
import { waitFor } from '../../../lib/abort.ts';
import { ByteSink } from '../../../lib/byte-sink.ts';
import type { HoltError } from '../../../lib/errors.ts';
import type { BatchHeader } from '../../../model/batch.ts';
import type { PipelineConfig } from '../../../model/config.ts';
import {
  channelId,
  dataSourceId,
  type NodeId,
  newTenure,
  pipelineId,
  type SiteId,
  siteId,
} from '../../../model/ids.ts';
import { PayloadReader } from '../../../model/payload.ts';
import type { Position, PositionText } from '../../../model/position.ts';
import { bitmapHas } from '../../../model/rows.ts';
import { Selector } from '../../../stages/select/selector.ts';
import type { SelectedBatch } from '../../../stages/stage.ts';
import type { Database, DatabaseFlavour } from '../../support/database.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { engineOn, LiveWriter, positionNow, sourceOf, tableRows } from '../canal/engine-fixture.ts';
import { migrated } from '../load/target-fixture.ts';

const FLAVOURS: readonly DatabaseFlavour[] = ['mariadb', 'mysql', 'mysql56'];

function pipelineOf(schema: string, origins: readonly SiteId[] = [siteId('east')]): PipelineConfig {
  return {
    name: pipelineId('east-to-west'),
    channel: channelId('c'),
    source: dataSourceId('east-db'),
    target: dataSourceId('west-db'),
    sourceSite: siteId('east'),
    targetSite: siteId('west'),
    origins,
    start: null,
    onTableError: 'stop',
    tables: { include: [`${schema}.*`], exclude: [`${schema}.c`] },
    rules: [],
    batch: { maxRows: 200, maxBytes: 1_000_000, partBytes: 1_000_000, window: 3 },
    conflict: { detect: false, winner: siteId('east') },
    pipe: { kind: 'node' },
    largeTransactions: 'whole',
    ddl: { default: 'stop', kinds: {} },
  };
}

/** Stands for everything behind Select: takes batches, checks that they chain, and answers after a while. */
class Receiver {
  readonly batches: SelectedBatch[] = [];
  readonly tables = new Map<string, Map<string, readonly (string | null)[]>>();
  position: string;
  inFlight = 0;
  readonly paceMs = 0;
  seq = 0n;
  selector: Selector | null = null;

  constructor(start: Position) {
    this.position = start.text;
  }

  get isEmpty(): boolean {
    return this.inFlight === 0;
  }

  hasRoom(): boolean {
    return this.inFlight < 3;
  }

  async emit(batch: SelectedBatch): Promise<void> {
    const { header } = batch;
    this.inFlight += 1;
    expect(header.start).toBe(this.position);
    expect(BigInt(header.seq)).toBe(this.seq + 1n);
    this.position = header.end;
    this.seq += 1n;
    this.batches.push(batch);
    this.#apply(batch);
    setTimeout(() => {
      this.inFlight -= 1;
      this.selector?.poke();
    }, 20);
  }

  advance(seq: bigint, position: PositionText): void {
    expect(seq).toBe(this.seq + 1n);
    this.seq = seq;
    this.position = position;
  }

  #apply(batch: SelectedBatch): void {
    const reader = new PayloadReader(batch.payload);
    const sink = new ByteSink();
    for (let record = reader.next(); record !== null; record = reader.next()) {
      if (record !== 'rows') continue;
      const shape = reader.shapes[reader.table];
      if (shape === undefined) throw new Error('no shape');
      const scanner = compileRowScanner(shape);
      const table = this.tables.get(shape.table) ?? new Map<string, readonly (string | null)[]>();
      this.tables.set(shape.table, table);
      let at = reader.dataStart;
      const image = (present: Uint8Array | null): (string | null)[] | null => {
        if (present === null) return null;
        at = scanner.scan(reader.bytes, at, reader.dataEnd, present);
        return shape.columns.map((column, index) => {
          const length = scanner.lengths[index] ?? -1;
          if (length < 0 || !bitmapHas(present, index)) return null;
          sink.reset();
          writeValueText(sink, column, reader.bytes, scanner.offsets[index] ?? 0, length);
          return sink.view().toString('utf8');
        });
      };
      for (let row = 0; row < reader.rows; row++) {
        const before = image(reader.before);
        const after = image(reader.after);
        if (before !== null && !table.delete(String(before[0])))
          throw new Error(`${shape.table} ${before[0]} missing`);
        if (after !== null) table.set(String(after[0]), after);
      }
    }
  }

  rows(table: string): (readonly (string | null)[])[] {
    return [...(this.tables.get(table)?.values() ?? [])].sort((a, b) => Number(a[0]) - Number(b[0]));
  }
}

for (const flavour of FLAVOURS)
  describeWithOwn([flavour], `Select on ${flavour}`, () => {
    let server: DatabaseServer;
    let db: Database;
    beforeAll(async () => {
      server = await startDatabase(flavour);
      db = server.db;
      await migrated(sourceOf(db));
    });
    afterAll(async () => {
      await server?.dispose();
    });

    async function selecting<T>(
      schema: string,
      start: Position | null,
      work: (selector: Selector, receiver: Receiver, ended: Promise<unknown>) => Promise<T>,
      origins?: readonly SiteId[],
    ): Promise<T> {
      await using host = await engineOn(db);
      const position = start ?? (await positionNow(host.engine));
      const receiver = new Receiver(position);
      const selector = new Selector({
        pipeline: pipelineOf(schema, origins),
        configVersion: 1,
        cluster: 'test',
        reign: { epoch: 1, tenure: newTenure(), seq: 0n, position },
        engine: host.engine,
        window: receiver,
        place: ({ sha256, bytes }) => ({
          kind: 'node',
          node: 'n' as NodeId,
          site: siteId('east'),
          address: 'http://127.0.0.1:1',
          sha256,
          bytes,
        }),
        emit: (batch) => receiver.emit(batch),
        emptyAdvance: async ({ seq, end }) => receiver.advance(seq, end.text),
      });
      receiver.selector = selector;
      const ended = selector.run().then(
        () => 'stopped',
        (error: unknown) => error,
      );
      try {
        return await work(selector, receiver, ended);
      } finally {
        await selector.stop();
      }
    }

    it('carries a live writer’s changes of the tables wanted, in batches that chain', async () => {
      const schema = await db.freshSchema('select');
      const writer = new LiveWriter(db, schema, 11);
      await writer.createTables();
      await selecting(schema, null, async (selector, receiver) => {
        writer.start();
        await writer.wrote(250);
        await writer.stop();
        const same = async (): Promise<boolean> =>
          JSON.stringify([receiver.rows('a'), receiver.rows('b')]) ===
          JSON.stringify([await tableRows(db, schema, 'a'), await tableRows(db, schema, 'b')]);
        await waitFor(same, { timeoutMs: 30_000, what: 'both tables' });
        expect(receiver.tables.has('c')).toBe(false);
        expect(receiver.batches.length).toBeGreaterThan(3);
        expect(receiver.batches.some(({ header }) => header.transactions > 1)).toBe(true);
        expect(selector.status.counts.filtered).toBeGreaterThan(0);
      });
    });

    it('stops at DDL on a replicated table, and goes on behind it from where the error says', async () => {
      const schema = await db.freshSchema('ddl');
      await db.query(`CREATE TABLE \`${schema}\`.a (id INT PRIMARY KEY)`);
      const behind = await selecting(schema, null, async (_, receiver, ended) => {
        await db.query(`INSERT INTO \`${schema}\`.a VALUES (1)`);
        await waitFor(() => receiver.rows('a').length === 1, { timeoutMs: 20_000, what: 'the row before' });
        await db.query(`CREATE TABLE \`${schema}\`.c (id INT)`);
        await db.query(`ALTER TABLE \`${schema}\`.a ADD COLUMN v INT`);
        await db.query(`INSERT INTO \`${schema}\`.a VALUES (2, 3)`);
        const error = (await ended) as HoltError;
        expect(error).toMatchObject({
          code: 'HOLT_DDL_ON_REPLICATED_TABLE',
          disposition: 'pause',
          facts: { statement: `ALTER TABLE \`${schema}\`.a ADD COLUMN v INT` },
        });
        return error.facts.behind as PositionText;
      });
      await selecting(schema, { text: behind, at: null, lastEvent: null }, async (_, receiver) => {
        await waitFor(() => receiver.rows('a').length === 1, { timeoutMs: 20_000, what: 'the row behind' });
        expect(receiver.rows('a')).toEqual([['2', '3']]);
      });
    });

    for (const image of ['FULL', 'MINIMAL', 'NOBLOB'])
      it(`drops what Holt wrote, and knows a raise from a mark, with ${image} images`, async () => {
        const schema = await db.freshSchema('mark');
        await db.query(`CREATE TABLE \`${schema}\`.a (id INT PRIMARY KEY)`);
        const connection = await db.connect({ schema });
        await connection.query(`SET SESSION binlog_row_image = '${image}'`);
        const pipeline = `west-to-east-${image.toLowerCase()}`;
        const load = async (seq: number, id: number): Promise<void> => {
          await connection.beginTransaction();
          if (seq > 0)
            await connection.query(
              `UPDATE holt.checkpoint SET seq = ${seq}, origin = 'west', position = 'mysql:${seq}' WHERE pipeline = '${pipeline}' AND lane = 0`,
            );
          await connection.query(`INSERT INTO a VALUES (${id})`);
          await connection.commit();
        };
        try {
          const error = await selecting(schema, null, async (selector, receiver, ended) => {
            await connection.query(
              `INSERT INTO holt.checkpoint (pipeline, lane, seq, origin, cluster, epoch, tenure, position, position_digest, source_identity, target_identity, source_committed_us, applied_at, raised_at)
               VALUES ('${pipeline}', 0, 6, 'west', 'test', 1, '', 'mysql:', '', '', '', 0, NOW(6), NOW(6))`,
            );
            await load(7, 1);
            await load(0, 2);
            // A raise changes the row without being a mark.
            await connection.beginTransaction();
            await connection.query(
              `UPDATE holt.checkpoint SET epoch = 2, tenure = 'x' WHERE pipeline = '${pipeline}'`,
            );
            await connection.query('INSERT INTO a VALUES (3)');
            await connection.commit();
            await load(8, 4);
            await load(0, 5);
            await waitFor(() => receiver.rows('a').length === 3, { timeoutMs: 20_000, what: 'own rows' });
            expect(receiver.rows('a').map(([id]) => id)).toEqual(['2', '3', '5']);
            expect(selector.status.counts.foreign).toBe(2);
            // Two marks that never reach the log: whoever filters holt makes changes go round.
            await connection.query('SET SESSION sql_log_bin = 0');
            await connection.query(`UPDATE holt.checkpoint SET seq = 9 WHERE pipeline = '${pipeline}'`);
            await connection.query('SET SESSION sql_log_bin = 1');
            await load(10, 6);
            return await ended;
          });
          expect(error).toMatchObject({ code: 'HOLT_MARK_GAP', facts: { lastSeq: 8n, seq: 10n } });
        } finally {
          await connection.end();
        }
      });

    it('carries changes of another origin where it is told to', async () => {
      const schema = await db.freshSchema('mesh');
      await db.query(`CREATE TABLE \`${schema}\`.a (id INT PRIMARY KEY)`);
      const headers: BatchHeader[] = await selecting(
        schema,
        null,
        async (_, receiver) => {
          await db.query(
            `INSERT INTO holt.checkpoint (pipeline, lane, seq, origin, cluster, epoch, tenure, position, position_digest, source_identity, target_identity, source_committed_us, applied_at, raised_at)
             VALUES ('north-to-east', 0, 1, 'north', 'test', 1, '', 'mysql:', '', '', '', 0, NOW(6), NOW(6))`,
          );
          await db.query(
            `BEGIN; UPDATE holt.checkpoint SET seq = 2, origin = 'north' WHERE pipeline = 'north-to-east' AND lane = 0; INSERT INTO \`${schema}\`.a VALUES (1); COMMIT; INSERT INTO \`${schema}\`.a VALUES (2)`,
          );
          await waitFor(() => receiver.batches.length === 2, { timeoutMs: 20_000, what: 'two batches' });
          return receiver.batches.map(({ header }) => header);
        },
        [siteId('east'), siteId('north')],
      );
      expect(headers.map((header) => header.origin)).toEqual(['north', 'east']);
    });
  });
