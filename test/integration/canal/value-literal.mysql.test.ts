import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeKeyLiteral, writeLiteral } from '../../../canal/value/value-literal.ts';
import { writeValueText } from '../../../canal/value/value-text.ts';
import { defined } from '../../../lib/assert.ts';
import { ByteSink } from '../../../lib/byte-sink.ts';
import type { ColumnShape } from '../../../model/table-shape.ts';
import { connectTarget } from '../../../stages/load/target/mysql2-connection.ts';
import { LENIENT_SQL_MODE } from '../../../stages/load/target/session-settings.ts';
import type { TargetSession } from '../../../stages/load/target/target-connection.ts';
import { type LoggedRow, loggedRows, type RawValue } from '../../support/binlog-rows.ts';
import { type ColumnSample, columnSamples } from '../../support/column-samples.ts';
import { DATABASE_FLAVOURS } from '../../support/database.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { dataSourceOf } from '../load/target-fixture.ts';

/** Types that have no index, or none on a column alone. */
const NOT_INDEXED = /^(json|geometry|point|linestring|polygon|multi|vector)|compressed$/;

for (const flavour of DATABASE_FLAVOURS)
  describeWithOwn([flavour], `values from the binlog of ${flavour}`, () => {
    const samples = columnSamples({ flavour, rows: 40 });
    let server: DatabaseServer;
    let session: TargetSession;
    let logged: Map<string, LoggedRow[]>;

    beforeAll(async () => {
      server = await startDatabase(flavour);
      await writeSamples(server, samples);
      session = await connectTarget(dataSourceOf(server.db));
      logged = byTable(await loggedRows(server, 's'));
      // A strict session refuses the error value of an ENUM; Load writes it row by row.
      await session.execute(`SET SESSION sql_mode = '${LENIENT_SQL_MODE}'`);
      for (const sample of samples)
        await copyByLiterals(session, defined(logged.get(sample.name), sample.name));
    });
    afterAll(async () => {
      await session?.close();
      await server?.dispose();
    });

    it('come back as literals with the same bytes in the table', async () => {
      for (const sample of samples) {
        const text = sample.name.startsWith('json') ? 'CAST(v AS CHAR)' : 'v';
        const read = (schema: string) =>
          session.rows(`SELECT id, HEX(${text}), v IS NULL FROM ${schema}.${sample.name} ORDER BY id`);
        expect(await read('d'), sample.name).toEqual(await read('s'));
      }
    });

    it('and with the same bytes in the binlog', async () => {
      const copies = byTable(await loggedRows(server, 'd'));
      for (const sample of samples)
        expect(rawValues(copies, sample), sample.name).toEqual(rawValues(logged, sample));
    });

    it('are found by their key literals', async () => {
      for (const sample of samples)
        for (const [id, row] of defined(logged.get(sample.name), sample.name).entries()) {
          const literal = writtenKey(row);
          if (literal === null) continue;
          // MySQL compares no vectors.
          const left = sample.name === 'vector' ? 'CAST(v AS BINARY)' : 'v';
          const query = `SELECT id FROM s.${sample.name} WHERE id = ${id + 1} AND ${left} = `;
          const found = await session.rows(Buffer.concat([Buffer.from(query), literal]));
          expect(found.length, `${sample.name} = ${literal.toString('latin1').slice(0, 80)}`).toBe(1);
        }
    });

    it('are found through an index', async () => {
      if (flavour === 'mysql') await session.execute("SET explain_format = 'TRADITIONAL'");
      for (const { name, ddl } of samples.filter((sample) => !NOT_INDEXED.test(sample.name))) {
        const prefix = /blob|text|\((255|400|2000)\)/.test(ddl) ? '(20)' : '';
        await session.execute(`ALTER TABLE s.${name} ADD KEY by_v (v${prefix})`);
        const literal = defined(writtenKey(defined(logged.get(name)?.[1], name)), name);
        const [plan] = await session.rows(
          Buffer.concat([
            Buffer.from(`EXPLAIN SELECT id FROM s.${name} FORCE INDEX (by_v) WHERE v = `),
            literal,
          ]),
        );
        const words = plan?.map(String) ?? [];
        expect(words, name).toContain('by_v');
        // The name may also stand among the keys that were not taken.
        expect(
          words.some((word) => /^(ref|const|range)$/.test(word)),
          `${name}: ${words}`,
        ).toBe(true);
      }
    });

    it('have the text that the server prints', async () => {
      for (const sample of samples) {
        if (/^(float|double|enum|set|bit|int_zerofill)/.test(sample.name)) continue;
        const printed = await session.rows(`SELECT v FROM s.${sample.name} ORDER BY id`);
        const rows = defined(logged.get(sample.name), sample.name);
        expect(
          rows.map((row) => text(row)?.toString('hex') ?? null),
          sample.name,
        ).toEqual(printed.map(([value]) => value?.toString('hex') ?? null));
      }
    });
  });

async function writeSamples(server: DatabaseServer, samples: readonly ColumnSample[]): Promise<void> {
  const connection = await server.db.connect();
  try {
    await connection.query('CREATE DATABASE s CHARACTER SET utf8mb4');
    await connection.query('CREATE DATABASE d CHARACTER SET utf8mb4');
    await connection.query("SET sql_mode='ALLOW_INVALID_DATES', time_zone='+00:00'");
    for (const { name, ddl, values } of samples) {
      await connection.query(`CREATE TABLE s.${name} (id INT PRIMARY KEY, v ${ddl})`);
      await connection.query(`CREATE TABLE d.${name} LIKE s.${name}`);
      const rows = [...values, 'NULL'].map((value, i) => `(${i + 1}, ${value})`);
      await connection.query(`INSERT INTO s.${name} VALUES ${rows.join(', ')}`);
    }
  } finally {
    connection.destroy();
  }
}

async function copyByLiterals(session: TargetSession, rows: readonly LoggedRow[]): Promise<void> {
  const sink = new ByteSink();
  for (const [i, row] of rows.entries()) {
    const [id, column] = row.shape.columns;
    const value = row.after?.[1];
    if (i === 0) sink.latin1(`INSERT INTO d.${row.shape.table} VALUES (`);
    else sink.latin1(', (');
    const key = defined(row.after?.[0], 'id');
    writeLiteral(sink, defined(id, 'id'), key, 0, key.length);
    sink.latin1(', ');
    if (value === null || value === undefined) sink.latin1('NULL');
    else writeLiteral(sink, defined(column, 'v'), value, 0, value.length);
    sink.latin1(')');
  }
  try {
    await session.execute(sink.take());
  } catch (error) {
    throw new Error(`${rows[0]?.shape.table}: ${(error as { serverText?: string }).serverText}`, {
      cause: error,
    });
  }
}

function byTable(rows: readonly LoggedRow[]): Map<string, LoggedRow[]> {
  const tables = new Map<string, LoggedRow[]>();
  for (const row of rows) tables.set(row.shape.table, [...(tables.get(row.shape.table) ?? []), row]);
  return tables;
}

function rawValues(tables: ReadonlyMap<string, readonly LoggedRow[]>, sample: ColumnSample): unknown[] {
  return (tables.get(sample.name) ?? []).map((row) => row.after?.[1]?.toString('hex') ?? null);
}

function writtenKey(row: LoggedRow): Buffer | null {
  return written(row, (sink, column, value) => writeKeyLiteral(sink, column, value, 0, value.length));
}

function text(row: LoggedRow): Buffer | null {
  return written(row, (sink, column, value) => writeValueText(sink, column, value, 0, value.length));
}

function written(
  row: LoggedRow,
  write: (sink: ByteSink, column: ColumnShape, value: Buffer) => void,
): Buffer | null {
  const value: RawValue = row.after?.[1];
  if (value === null || value === undefined) return null;
  const sink = new ByteSink(64);
  write(sink, defined(row.shape.columns[1], 'v'), value);
  return sink.take();
}
