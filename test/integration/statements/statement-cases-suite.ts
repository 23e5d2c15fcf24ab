import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EventDecoder } from '../../../canal/event/decoder.ts';
import { readBinlogFile } from '../../../canal/event/file-reader.ts';
import { STATEMENT_CASES, type StatementCase } from '../../cases/statements/statement-cases.ts';
import type { Database, DatabaseFlavour } from '../../support/database.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { Carrier, rowsIn } from './carrier.ts';

const casesOn = (flavour: DatabaseFlavour): StatementCase[] =>
  STATEMENT_CASES.filter(({ on, work }) => work.length > 0 && (on?.includes(flavour) ?? true));

/** Every case at a real server: its log through Select and Load, and the target compared. */
export function statementCases(flavour: DatabaseFlavour): void {
  describeWithOwn([flavour], `statements that are not rows, from ${flavour}`, () => {
    let server: DatabaseServer;
    let db: Database;
    let files = 0;
    beforeAll(async () => {
      server = await startDatabase(flavour, { settings: { secure_file_priv: '' } });
      db = server.db;
      await db.query('CREATE DATABASE elsewhere');
      await db.query('CREATE TABLE elsewhere.x (id INT PRIMARY KEY) ENGINE=InnoDB');
    });
    afterAll(async () => {
      await server?.dispose();
    });

    it.each(casesOn(flavour))('$title: $outcome', async (one) => {
      const [source, target] = [await db.freshSchema('source'), await db.freshSchema('target')];
      for (const schema of [source, target]) {
        await db.query(`CREATE TABLE \`${schema}\`.t (id INT PRIMARY KEY, v BIGINT) ENGINE=InnoDB`);
        // At the target every table commits with the checkpoint.
        const engine = schema === source ? 'MyISAM' : 'InnoDB';
        await db.query(`CREATE TABLE \`${schema}\`.m (id INT PRIMARY KEY, v BIGINT) ENGINE=${engine}`);
      }
      const carrier = await Carrier.open({
        ...{ source: db, target: db, sourceSchema: source, targetSchema: target },
      });
      const session = await db.connect({ schema: source });
      for (const statement of one.before ?? []) await session.query(statement);
      const file = `${server.dir}/case-${++files}.txt`;
      for (const [index, statement] of one.work.entries()) {
        const done = run(session, statement.replaceAll('{file}', file), source);
        if (index === one.fails) await expect(done).rejects.toThrow();
        else await done;
      }
      await session.end();
      for (const statement of one.after ?? []) await db.query(statement);

      const code = await carrier.carry();
      expect(code ?? 'equal').toBe(one.outcome);
      const equal = async () => {
        for (const table of ['t', 'm'])
          expect(await rowsIn(db, target, table)).toEqual(await rowsIn(db, source, table));
      };
      if (code === null) {
        await equal();
        return;
      }
      const stopped = carrier.stoppedBy;
      // It says which statement, and not which values; and where to go on.
      const shown = `${stopped?.message} ${JSON.stringify(stopped?.facts, (_, value) => String(value))}`;
      expect(shown).not.toContain('424242');
      // MariaDB's incidents have no GTID: no position tells them from the transaction before.
      const wayOn = stopped?.facts.behind ?? 'to the GTID of that one';
      expect(stopped?.remedy).toContain(String(wayOn));
    });

    async function run(session: Connection, statement: string, schema: string): Promise<void> {
      if (statement === '{binlog}') await session.query(await binlogStatement(schema));
      else if (statement === '{many into m}')
        await session.query(`INSERT INTO m VALUES ${Array.from({ length: 3000 }, (_, i) => `(${i}, 1)`)}`);
      else await session.query(statement);
    }

    /** BINLOG '…' that inserts the first rows again which the log has of the schema. */
    async function binlogStatement(schema: string): Promise<string> {
      const events: Buffer[] = [];
      for (const file of await server.binlogFiles()) {
        const decoder = new EventDecoder();
        let description: Buffer | null = null;
        for await (const { bytes } of readBinlogFile(file)) {
          const event = decoder.decode(bytes);
          if (event.kind === 'format-description') description = Buffer.from(bytes);
          const isTheirs =
            event.kind === 'table-map' && event.map.schema === schema && event.map.table === 't';
          if (isTheirs && events.length === 0 && description !== null)
            events.push(description, Buffer.from(bytes));
          else if (event.kind === 'rows' && events.length === 2) events.push(Buffer.from(bytes));
        }
      }
      expect(events).toHaveLength(3);
      return `BINLOG '\n${events.map((event) => event.toString('base64')).join('\n')}\n'`;
    }
  });
}
