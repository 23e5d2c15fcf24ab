import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { siteId } from '../../../model/ids.ts';
import type { CaseServer, TableCase } from '../../cases/column-types/column-type-case.ts';
import { outcomeOf } from '../../cases/column-types/column-type-case.ts';
import { columnCasesOn } from '../../cases/column-types/column-type-cases.ts';
import {
  agreedRows,
  type CaseTable,
  carriedTables,
  caseTables,
  columnsAt,
  ddlAt,
  exactRows,
  LENIENT_SESSION,
  refusedCases,
  tableWrites,
} from '../../support/column-type-tables.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { bits, imageBytes } from '../../support/row-bytes.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { batchOf, type LoggedTransaction, loggedTransactions } from './logged-transactions.ts';
import { TargetHarness } from './target-harness.ts';

/** Tests for the tables of cases between servers, and of what no statement could write. */
export function describeTypes(pairs: readonly (readonly [CaseServer, CaseServer])[], foreign: boolean): void {
  describeWithOwn(['mariadb', 'mysql', 'mysql56'], 'values of every type', () => {
    const servers = new Map<CaseServer, DatabaseServer>();
    beforeAll(async () => {
      for (const server of ['mariadb', 'mysql', 'mysql56'] as const)
        servers.set(server, await startDatabase(server));
    });
    afterAll(async () => {
      for (const server of servers.values()) await server.dispose();
    });

    const serverOf = (name: CaseServer): DatabaseServer => {
      const server = servers.get(name);
      if (server === undefined) throw new Error(`no ${name}`);
      return server;
    };

    for (const [source, target] of pairs)
      describe(`${source} → ${target}`, () => {
        // Before images are compared where conflicts are detected: half of the runs do.
        for (const image of ['FULL', 'MINIMAL'] as const)
          it(`arrive as they were, ${image} images`, async () => {
            const ends = new Ends(serverOf(source), serverOf(target));
            await ends.open();
            const detect = image === 'FULL' && source !== 'mysql56';
            for (const table of caseTables(source, target)) {
              await ends.createTable(table);
              for (const keyed of [true, false])
                for (const phase of tableWrites(table, keyed)) await ends.write(image, phase);
            }
            await ends.apply(detect, source === target && image === 'FULL');
            for (const table of caseTables(source, target))
              for (const name of [table.name, `${table.name}_nokey`]) await ends.compare(table, name);
          }, 180_000);

        it('of tables that are more than columns', async () => {
          for (const image of ['FULL', 'MINIMAL'] as const) {
            const ends = new Ends(serverOf(source), serverOf(target));
            await ends.open();
            // Diffs alone say nothing to a server without JSON: see docs/types.md.
            const cases = carriedTables(source, target).filter(
              (one) => !(one.id === 'json_partial' && image === 'MINIMAL' && target !== 'mysql'),
            );
            for (const one of cases) await ends.runTable(one, image);
            await ends.apply(false, image === 'FULL');
            for (const one of cases) await ends.compareTable(one);
          }
        }, 120_000);

        it('are refused by code where they cannot be kept', async () => {
          for (const { one, outcome } of refusedCases(source, target)) {
            const ends = new Ends(serverOf(source), serverOf(target));
            await ends.open();
            if (one.kind === 'table') {
              await ends.runTable(one, 'FULL');
            } else {
              await ends.createPair(one.id, `id INT PRIMARY KEY, v ${one.ddl}`, [
                `id INT PRIMARY KEY, v ${ddlAt(one, source, target)}`,
              ]);
              await ends.write('FULL', [`INSERT INTO ${one.id} VALUES (1, NULL)`]);
            }
            await expect(ends.apply(false), one.id).rejects.toMatchObject({ code: outcome.code });
          }
        }, 60_000);
      });

    for (const target of foreign ? (['mariadb', 'mysql', 'mysql56'] as const) : [])
      it(`are stored exactly or go to the ledger where their bytes are no text, in ${target}`, async () => {
        const server = serverOf(target);
        const cases = columnCasesOn(target).filter((one) => one.foreign !== undefined);
        expect(cases.length).toBeGreaterThan(10);
        const wrong: string[] = [];
        for (const one of cases) {
          const ends = new Ends(server, server);
          await ends.open();
          await ends.createPair(one.id, `id INT PRIMARY KEY, v ${one.ddl}`);
          await ends.write('FULL', [`INSERT INTO ${one.id} VALUES (1, 'x')`]);
          const [[insert] = []] = await ends.logged();
          if (insert === undefined) throw new Error(`${one.id}: nothing was logged`);
          const prefix = (insert.shape.columns[1]?.meta ?? 0) > 255 ? 2 : 1;
          const width = { ucs2: 2, utf16: 2, utf16le: 2, utf32: 4 }[one.id.replace('varchar_', '')] ?? 1;
          const letter = one.id.endsWith('utf16le') ? Buffer.from('y\0') : Buffer.alloc(width);
          if (width !== 2 || letter[0] === 0) letter.write('y', width - 1);
          const image = (id: number, value: Buffer) =>
            imageBytes([
              { bytes: Buffer.from([id, 0, 0, 0]), prefix: 0 },
              { bytes: value, prefix },
            ]);
          const both = bits([true, true]);
          for (const { what, bytes, storedBy } of one.foreign ?? []) {
            await server.db.query(`DELETE FROM \`${ends.to}\`.${one.id}`);
            const row = { shape: insert.shape, flags: insert.flags, rows: 1 };
            const put = (id: number, value: Buffer) => [
              { ...row, op: 'insert' as const, before: null, after: both, data: image(id, value) },
            ];
            const set = (id: number, from: Buffer, to: Buffer) => [
              {
                ...row,
                op: 'update' as const,
                before: both,
                after: both,
                data: Buffer.concat([image(id, from), image(id, to)]),
              },
            ];
            await using harness = await TargetHarness.on(server.db);
            const say = (batch: readonly LoggedTransaction[]) => harness.apply(batchOf(batch, ends.to));
            await say([put(1, letter), put(2, bytes), put(3, letter)]);
            await say([set(3, letter, bytes), set(1, letter, letter)]);
            const found = await server.db.query(
              `SELECT id, HEX(v) AS v FROM \`${ends.to}\`.${one.id} ORDER BY id`,
            );
            const rows = found.map(({ id, v }) => `${id}:${v}`).join(' ');
            const kinds = harness.ledger.map(({ kind }) => kind).join(',');
            const [good, odd] = [letter.toString('hex'), bytes.toString('hex')].map((h) => h.toUpperCase());
            const stored = rows === `1:${good} 2:${odd} 3:${odd}` && kinds === '';
            const ledgered = rows === `1:${good} 3:${good}` && kinds === 'foreign-bytes,foreign-bytes';
            if (storedBy.includes(target) ? !stored : !ledgered)
              wrong.push(`${one.id}, ${what} ${odd}: rows ${rows}, ledger ${kinds}`);
          }
        }
        expect(wrong).toEqual([]);
      }, 120_000);
  });
}

/** Two schemas, what the source's server logs of the one, and Load's own applier for the other. */
class Ends {
  readonly #source: DatabaseServer;
  readonly #target: DatabaseServer;
  from = '';
  to = '';
  #firstFile = 0;

  constructor(source: DatabaseServer, target: DatabaseServer) {
    this.#source = source;
    this.#target = target;
  }

  async open(): Promise<void> {
    this.from = await this.#source.db.freshSchema('src');
    this.to = await this.#target.db.freshSchema('dst');
    await this.#source.db.query(this.#source.flavour === 'mysql56' ? 'FLUSH LOGS' : 'FLUSH BINARY LOGS');
    this.#firstFile = (await this.#source.binlogFiles()).length - 1;
  }

  async createTable(table: CaseTable): Promise<void> {
    await this.createPair(table.name, `id INT PRIMARY KEY, ${table.source}`, [
      `id INT PRIMARY KEY, ${table.target}`,
    ]);
    await this.createPair(`${table.name}_nokey`, `n INT, ${table.source}`, [`n INT, ${table.target}`]);
  }

  async createPair(name: string, source: string, [target = source]: readonly string[] = []): Promise<void> {
    await this.#create(this.#source, this.from, name, source);
    await this.#create(this.#target, this.to, name, target);
  }

  async write(image: string, statements: readonly string[], session: readonly string[] = []): Promise<void> {
    await this.#run(this.#source, this.from, [
      `SET SESSION binlog_row_image = '${image}'`,
      ...session,
      ...statements,
    ]);
  }

  async runTable(one: TableCase, image: string): Promise<void> {
    const [source, target] = [this.#source.flavour, this.#target.flavour];
    const named = (statements: readonly string[]) =>
      statements.map((statement) => statement.replaceAll('{t}', one.id));
    const ends = [
      [this.#source, this.from, source, columnsAt(one, source, null)],
      [this.#target, this.to, target, columnsAt(one, source, target)],
    ] as const;
    for (const [server, schema, flavour, columns] of ends)
      await this.#run(server, schema, [
        ...(one.session?.[flavour] ?? []),
        `CREATE TABLE ${one.id} (${columns}) ENGINE=InnoDB`,
        ...named(one.alter ?? []),
      ]);
    await this.write(image, named(one.writes), one.session?.[source] ?? []);
  }

  logged(): Promise<LoggedTransaction[]> {
    return loggedTransactions(this.#source, this.from, this.#firstFile);
  }

  async apply(detect: boolean, rowEvents = false): Promise<void> {
    await using harness = await TargetHarness.on(this.#target.db, {
      conflict: { detect, winner: siteId('east') },
      rowEvents,
    });
    for (const batch of batches(await this.logged())) await harness.apply(batchOf(batch, this.to));
    expect(harness.ledger.map(({ kind, route }) => ({ kind, table: route.name }))).toEqual([]);
  }

  async compare(table: CaseTable, name: string): Promise<void> {
    const [source, target] = [this.#source.flavour, this.#target.flavour];
    const [there, here] = await this.#both(name);
    const outcomes = new Map(table.cases.map((one) => [one.id, outcomeOf(one, source, target)]));
    expect(agreedRows(here, outcomes), `${source} → ${target} ${name}`).toEqual(agreedRows(there, outcomes));
    expect(there.length).toBeGreaterThan(0);
  }

  async compareTable(one: TableCase): Promise<void> {
    const [there, here] = await this.#both(one.id);
    const outcome = outcomeOf(one, this.#source.flavour, this.#target.flavour);
    const json = new Map(['j', 'k'].map((name) => [name, outcome]));
    expect(agreedRows(here, json), one.id).toEqual(agreedRows(there, json));
    expect(there.length).toBeGreaterThan(0);
  }

  async #both(name: string) {
    return [
      await exactRows(this.#source.db, this.from, name),
      await exactRows(this.#target.db, this.to, name),
    ] as const;
  }

  #create(server: DatabaseServer, schema: string, name: string, columns: string): Promise<void> {
    return this.#run(server, schema, [
      `CREATE TABLE ${name} (${columns}) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4`,
    ]);
  }

  async #run(server: DatabaseServer, schema: string, statements: readonly string[]): Promise<void> {
    const connection = await server.db.connect({ schema });
    try {
      await connection.query(LENIENT_SESSION);
      for (const statement of statements)
        await connection.query(statement).catch((error: unknown) => {
          throw new Error(`${server.flavour}: ${statement.slice(0, 300)}`, { cause: error });
        });
    } finally {
      connection.destroy();
    }
  }
}

/** Transactions that follow each other and do the same to the same table go together. */
function batches(transactions: readonly LoggedTransaction[]): readonly (readonly LoggedTransaction[])[] {
  const found: LoggedTransaction[][] = [];
  let last = '';
  for (const transaction of transactions) {
    const [first] = transaction;
    const like = `${first?.shape.table} ${first?.op}`;
    if (like !== last) found.push([]);
    last = like;
    found.at(-1)?.push(transaction);
  }
  return found;
}
