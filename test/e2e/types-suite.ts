import { describe, expect, it } from 'vitest';
import { waitFor } from '../../lib/abort.ts';
import { ApiClient } from '../../node/api/client.ts';
import { type CaseServer, type Outcome, outcomeOf } from '../cases/column-types/column-type-case.ts';
import { DAYLIGHT_ZONE, ZONED_WRITES } from '../cases/column-types/temporal.ts';
import {
  agreedRows,
  type CaseTable,
  carriedTables,
  caseTables,
  columnsAt,
  exactRows,
  LENIENT_SESSION,
  tableWrites,
} from '../support/column-type-tables.ts';
import type { DatabaseServer } from '../support/database-server.ts';
import { HoltInstallation } from '../support/holt-installation.ts';
import { startDatabase, startZookeeper } from '../support/servers.ts';

const PIPELINE = 'east-west';
const IMAGES = ['FULL', 'MINIMAL'] as const;
/** The table of column types through whole nodes, one test a pair. */
export function describeTypes(pairs: readonly (readonly [CaseServer, CaseServer])[]): void {
  describe('every column type', () => {
    for (const [from, to] of pairs)
      it(`comes through all four stages as it was, ${from} → ${to}`, async () => {
        await using source = await startDatabase(from);
        await using target = await startDatabase(to);
        await using zookeeper = await startZookeeper();
        const tables = caseTables(from, to);
        // Diffs alone say nothing to a server without JSON: see docs/types.md.
        const specialOf = (image: (typeof IMAGES)[number]) =>
          carriedTables(from, to).filter(
            (one) => !(one.id === 'json_partial' && image === 'MINIMAL' && to !== 'mysql'),
          );
        for (const image of IMAGES) {
          for (const [server, end] of [
            [source, 'source'],
            [target, 'target'],
          ] as const)
            await run(server, null, [
              `CREATE DATABASE ${schemaOf(image)} CHARACTER SET utf8mb4`,
              ...tables.flatMap((table) => creates(image, table, end)),
              `CREATE TABLE ${schemaOf(image)}.zoned (id INT AUTO_INCREMENT PRIMARY KEY, at TIMESTAMP(3) NULL, local DATETIME)`,
              `CREATE TABLE ${schemaOf(image)}.done (id INT PRIMARY KEY)`,
            ]);
          for (const one of specialOf(image))
            for (const [server, end] of [
              [source, null],
              [target, to],
            ] as const)
              await run(server, schemaOf(image), [
                ...(one.session?.[server === source ? from : to] ?? []),
                `CREATE TABLE ${one.id} (${columnsAt(one, from, end)}) ENGINE=InnoDB`,
                ...named(one.id, one.alter ?? []),
              ]);
        }
        await addZone(source);
        await using holt = await HoltInstallation.create({
          databases: { east: source.db.endpoint, west: target.db.endpoint },
          zookeeper: `127.0.0.1:${zookeeper.port}`,
          nodes: { 'east-1': 'east', 'west-1': 'west' },
          pipelines: {
            [PIPELINE]: {
              source: 'east-db',
              target: 'west-db',
              start: 'now',
              tables: IMAGES.map((image) => `${schemaOf(image)}.*`),
            },
          },
        });
        await holt.start();
        await waitFor(
          async () => {
            const status = await holt.status(PIPELINE);
            return status?.state === 'idle' || status?.state === 'running';
          },
          { timeoutMs: 60_000, pollMs: 100, what: 'the pipeline to run' },
        );
        for (const image of IMAGES) {
          const settings = [`SET SESSION binlog_row_image = '${image}'`];
          for (const table of tables)
            for (const keyed of [true, false])
              await run(source, schemaOf(image), [...settings, ...tableWrites(table, keyed).flat()]);
          for (const one of specialOf(image))
            await run(source, schemaOf(image), [
              ...settings,
              ...(one.session?.[from] ?? []),
              ...named(one.id, one.writes),
            ]);
          for (const { zone, local } of ZONED_WRITES)
            await run(source, schemaOf(image), [
              ...settings,
              `SET SESSION time_zone = '${zone}'`,
              `INSERT INTO zoned (at, local) VALUES ('${local}', '${local}')`,
            ]);
        }
        await run(source, schemaOf('MINIMAL'), ['INSERT INTO done VALUES (1)']);
        await waitFor(
          async () => {
            const status = await holt.status(PIPELINE);
            if (status?.state === 'failed') throw new Error(JSON.stringify(status));
            return (await target.db.value(`SELECT COUNT(*) FROM ${schemaOf('MINIMAL')}.done`)) === '1';
          },
          { timeoutMs: 120_000, pollMs: 200, what: 'everything to arrive' },
        );

        for (const image of IMAGES) {
          for (const table of tables)
            for (const name of [table.name, `${table.name}_nokey`]) {
              const outcomes = new Map(table.cases.map((one) => [one.id, outcomeOf(one, from, to)]));
              await expectSame(source, target, schemaOf(image), name, outcomes);
            }
          for (const one of specialOf(image)) {
            const outcome = outcomeOf(one, from, to);
            const outcomes = new Map(['j', 'k'].map((name) => [name, outcome]));
            await expectSame(source, target, schemaOf(image), one.id, outcomes);
          }
          // What each session meant, in UTC, whatever its zone.
          await expectSame(source, target, schemaOf(image), 'zoned', new Map());
          const zoned = await exactRows(target.db, schemaOf(image), 'zoned');
          const moments = zoned.map(({ at }) => Buffer.from(at ?? '', 'hex').toString()).toSorted();
          expect(moments).toEqual(ZONED_WRITES.map(({ utc }) => `${utc}.000`).toSorted());
        }
        expect(await target.db.value('SELECT COUNT(*) FROM holt.ledger')).toBe('0');
        const api = new ApiClient({
          server: holt.node('west-1').apiUrl,
          timeoutMs: 30_000,
          token: holt.token,
        });
        const { id } = await api.startVerify(PIPELINE);
        const report = await waitFor(
          async () => {
            const now = await api.verify(PIPELINE, id);
            return now.state === 'running' ? null : now;
          },
          { timeoutMs: 120_000, pollMs: 100, what: 'verify to end' },
        );
        expect(report).toMatchObject({ state: 'equal', differences: [] });
      });
  });
}

function schemaOf(image: (typeof IMAGES)[number]): string {
  return `types_${image.toLowerCase()}`;
}

function creates(
  image: (typeof IMAGES)[number],
  table: CaseTable,
  end: 'source' | 'target',
): readonly string[] {
  const create = (name: string, columns: string) =>
    `CREATE TABLE ${schemaOf(image)}.${name} (${columns}) ENGINE=InnoDB ROW_FORMAT=DYNAMIC`;
  return [
    create(table.name, `id INT PRIMARY KEY, ${table[end]}`),
    create(`${table.name}_nokey`, `n INT, ${table[end]}`),
  ];
}

function named(table: string, statements: readonly string[]): readonly string[] {
  return statements.map((statement) => statement.replaceAll('{t}', table));
}

async function run(
  server: DatabaseServer,
  schema: string | null,
  statements: readonly string[],
): Promise<void> {
  const connection = await server.db.connect(schema === null ? {} : { schema });
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

async function expectSame(
  source: DatabaseServer,
  target: DatabaseServer,
  schema: string,
  table: string,
  outcomes: ReadonlyMap<string, Outcome | null>,
): Promise<void> {
  const there = agreedRows(await exactRows(source.db, schema, table), outcomes);
  const here = agreedRows(await exactRows(target.db, schema, table), outcomes);
  expect(there.length).toBeGreaterThan(0);
  expect(here, table).toEqual(there);
}

/** A zone of our own in the server's tables: what the machine knows of zones does not matter. */
async function addZone(server: DatabaseServer): Promise<void> {
  const { name, transitions } = DAYLIGHT_ZONE;
  await server.db.query("INSERT INTO mysql.time_zone (Time_zone_id, Use_leap_seconds) VALUES (9000, 'N')");
  await server.db.query(`INSERT INTO mysql.time_zone_name (Name, Time_zone_id) VALUES ('${name}', 9000)`);
  for (const [type, { at, offsetS, daylight, abbreviation }] of transitions.entries()) {
    await server.db.query(
      `INSERT INTO mysql.time_zone_transition_type (Time_zone_id, Transition_type_id, \`Offset\`, Is_DST, Abbreviation) VALUES (9000, ${type}, ${offsetS}, ${daylight ? 1 : 0}, '${abbreviation}')`,
    );
    await server.db.query(
      `INSERT INTO mysql.time_zone_transition (Time_zone_id, Transition_time, Transition_type_id) VALUES (9000, ${at}, ${type})`,
    );
  }
}
