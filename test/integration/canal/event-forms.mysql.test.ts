import { expect, it } from 'vitest';
import { EventDecoder } from '../../../canal/event/decoder.ts';
import type { BinlogEvent } from '../../../canal/event/event.ts';
import { readBinlogFile } from '../../../canal/event/file-reader.ts';
import { writeValueText } from '../../../canal/value/value-text.ts';
import { defined } from '../../../lib/assert.ts';
import { ByteSink } from '../../../lib/byte-sink.ts';
import { ROW_FLAG } from '../../../model/rows.ts';
import { loggedEvents, loggedRows } from '../../support/binlog-rows.ts';
import { columnSamples } from '../../support/column-samples.ts';
import { DATABASE_FLAVOURS } from '../../support/database.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { withServer } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';

async function eventsOf(server: DatabaseServer): Promise<BinlogEvent[]> {
  const found: BinlogEvent[] = [];
  for await (const event of loggedEvents(server)) found.push(event);
  return found;
}

for (const flavour of DATABASE_FLAVOURS)
  describeWithOwn([flavour], `forms of the log of ${flavour}`, () => {
    it('without checksums, without GTIDs and with a STOP at the end', async () => {
      const settings = {
        binlog_checksum: 'NONE',
        ...(flavour === 'mysql' ? { gtid_mode: 'OFF', enforce_gtid_consistency: 'OFF' } : {}),
      };
      await withServer(flavour, { settings }, async (server) => {
        await server.db.query(
          'CREATE DATABASE s; CREATE TABLE s.t (id INT PRIMARY KEY); INSERT INTO s.t VALUES (1)',
        );
        const [first = ''] = await server.binlogFiles();
        await server.restart();
        const decoder = new EventDecoder();
        const kinds: string[] = [];
        for await (const { bytes } of readBinlogFile(first)) {
          const event = decoder.decode(bytes);
          expect(event.header.crc32).toBeNull();
          kinds.push(event.kind);
          if (event.kind === 'gtid') expect(event.gtid).toBeNull();
        }
        expect(decoder.format?.checksum).toBe('none');
        expect(kinds[0]).toBe('format-description');
        expect(kinds).toContain('rows');
        expect(kinds.includes('gtid')).toBe(flavour === 'mysql');
        expect(kinds.at(-1)).toBe('stop');
      });
    });

    it('the file being written, whose description says that it is open', async () => {
      await withServer(flavour, {}, async (server) => {
        await server.db.query('CREATE DATABASE s');
        const [first = ''] = await server.binlogFiles();
        const decoder = new EventDecoder();
        const flags: number[] = [];
        for await (const { bytes } of readBinlogFile(first)) flags.push(decoder.decode(bytes).header.flags);
        expect(defined(flags[0], 'flags') & 1).toBe(1);
        expect(flags.length).toBeGreaterThan(1);
      });
    });
  });

for (const flavour of ['mariadb', 'mysql'] as const)
  describeWithOwn([flavour], `flags of rows in the log of ${flavour}`, () => {
    it('say which checks the session had off, and whether cascades are in the log', async () => {
      await withServer(flavour, {}, async (server) => {
        const connection = await server.db.connect();
        await connection.query('CREATE DATABASE s');
        await connection.query('CREATE TABLE s.t (id INT PRIMARY KEY, CHECK (id > 0))');
        const off = ['foreign_key_checks', 'unique_checks', 'check_constraint_checks'];
        await connection.query('INSERT INTO s.t VALUES (1)');
        for (const [i, name] of (flavour === 'mariadb' ? off : off.slice(0, 2)).entries()) {
          await connection.query(`SET ${name} = 0`);
          await connection.query(`INSERT INTO s.t VALUES (${i + 2})`);
          await connection.query(`SET ${name} = 1`);
        }
        connection.destroy();
        const flags = (await eventsOf(server)).flatMap((event) =>
          event.kind === 'rows' ? [event.flags] : [],
        );
        const { noForeignKeyChecks, relaxedUniqueChecks, noCheckConstraintChecks } = ROW_FLAG;
        const always = ROW_FLAG.endOfStatement | (flavour === 'mysql' ? ROW_FLAG.cascadesLogged : 0);
        const expected = [0, noForeignKeyChecks, relaxedUniqueChecks, noCheckConstraintChecks];
        expect(flags).toEqual(expected.slice(0, flags.length).map((flag) => flag | always));
        expect(flags.length).toBe(flavour === 'mariadb' ? 4 : 3);
      });
    });
  });

describeWithOwn(['mysql'], 'compressed transactions of MySQL', () => {
  it('unpack in bounded memory, at the highest level too', async () => {
    await withServer('mysql', { settings: { max_allowed_packet: '1G' } }, async (server) => {
      const connection = await server.db.connect();
      await connection.query('CREATE DATABASE s');
      await connection.query('CREATE TABLE s.t (id INT AUTO_INCREMENT PRIMARY KEY, v LONGBLOB)');
      await connection.query(
        'SET binlog_transaction_compression = ON, binlog_transaction_compression_level_zstd = 22',
      );
      await connection.query('BEGIN');
      // Rows of 1 MiB: three kinds, from hardly to highly compressible.
      for (let i = 0; i < 20; i++)
        await connection.query(
          `INSERT INTO s.t (v) VALUES (CONCAT(RANDOM_BYTES(1024), REPEAT(RANDOM_BYTES(1000), 1000))),
             (REPEAT('x', 1048576)), (REPEAT(RANDOM_BYTES(16), 65536))`,
        );
      await connection.query('COMMIT');
      connection.destroy();
      let bytes = 0;
      let rows = 0;
      let peak = 0;
      const before = process.memoryUsage().arrayBuffers;
      for await (const event of loggedEvents(server)) {
        if (event.kind !== 'transaction-payload') continue;
        for (const inner of event.events) {
          bytes += inner.header.eventLength;
          if (inner.kind === 'rows') rows += 1;
          peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
        }
      }
      expect(rows).toBe(60);
      expect(bytes).toBeGreaterThan(60_000_000);
      // The window of level 22 and a few events; garbage that was not collected yet counts, too.
      expect(peak).toBeLessThan(250_000_000);
    });
  });
});

describeWithOwn(['mariadb'], 'forms of MariaDB', () => {
  it('two-phase ALTER that is rolled back, with the sequence number of its start', async () => {
    await withServer('mariadb', {}, async (server) => {
      const connection = await server.db.connect();
      await connection.query('CREATE DATABASE s');
      await connection.query('CREATE TABLE s.t (a INT)');
      await connection.query('INSERT INTO s.t VALUES (1), (1)');
      await connection.query('SET binlog_alter_two_phase = ON');
      await expect(connection.query('ALTER TABLE s.t ADD PRIMARY KEY (a), ALGORITHM=COPY')).rejects.toThrow(
        /Duplicate/,
      );
      await connection.query('ALTER TABLE s.t ADD b INT');
      connection.destroy();
      const alters = (await eventsOf(server)).flatMap((event) =>
        event.kind === 'mariadb-gtid' && event.alter !== 'none'
          ? [{ alter: event.alter, sequence: event.gtid.sequence, start: event.alterStartSequence }]
          : [],
      );
      const [start, end, secondStart, secondEnd] = alters;
      expect(alters.map(({ alter }) => alter)).toEqual(['start', 'rollback', 'start', 'commit']);
      expect(end?.start).toBe(start?.sequence);
      expect(secondEnd?.start).toBe(secondStart?.sequence);
    });
  });

  it('dates and times as MariaDB stored them before 10.1', async () => {
    await withServer('mariadb', { settings: { mysql56_temporal_format: 'OFF' } }, async (server) => {
      const samples = columnSamples({ flavour: 'mariadb', rows: 60 }).filter(({ name }) =>
        /^(time|datetime|timestamp)_/.test(name),
      );
      const connection = await server.db.connect();
      await connection.query('CREATE DATABASE s');
      await connection.query("SET sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00'");
      for (const { name, ddl, values } of samples) {
        await connection.query(`CREATE TABLE s.${name} (id INT PRIMARY KEY, v ${ddl})`);
        await connection.query(
          `INSERT INTO s.${name} VALUES ${values.map((v, i) => `(${i}, ${v})`).join(', ')}`,
        );
      }
      const sink = new ByteSink();
      const texts = new Map<string, string[]>();
      const types = new Set<number>();
      for (const row of await loggedRows(server, 's')) {
        const [, column] = row.shape.columns;
        const value = row.after?.[1];
        if (column === undefined || !value) continue;
        types.add(column.type);
        sink.reset();
        writeValueText(sink, column, value, 0, value.length);
        texts.set(row.shape.table, [...(texts.get(row.shape.table) ?? []), sink.view().toString()]);
      }
      expect([...types].sort((a, b) => a - b)).toEqual([7, 11, 12]);
      for (const { name } of samples) {
        const [rows] = await connection.query(`SELECT CAST(v AS CHAR) AS v FROM s.${name} ORDER BY id`);
        const printed = (rows as { v: string | null }[]).flatMap(({ v }) => (v === null ? [] : [v]));
        expect(texts.get(name), name).toEqual(printed);
      }
      connection.destroy();
    });
  });
});
