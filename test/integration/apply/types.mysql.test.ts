import { afterAll, beforeAll, expect, it } from 'vitest';
import { siteId } from '../../../model/ids.ts';
import type { DatabaseFlavour } from '../../support/database.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { batchOf, loggedTransactions } from './logged-transactions.ts';
import { hexRows, TargetHarness } from './target-harness.ts';

/** Columns that every server has, with values at their edges. */
const COMMON: Readonly<Record<string, { readonly type: string; readonly values: readonly string[] }>> = {
  tiny: { type: 'TINYINT', values: ['-128', '127', '0'] },
  tiny_u: { type: 'TINYINT UNSIGNED', values: ['255', '0', '1'] },
  medium: { type: 'MEDIUMINT', values: ['-8388608', '8388607', '-1'] },
  big: { type: 'BIGINT', values: ['-9223372036854775808', '9223372036854775807', '9007199254740993'] },
  big_u: { type: 'BIGINT UNSIGNED', values: ['18446744073709551615', '9007199254740993', '0'] },
  dec_s: { type: 'DECIMAL(30,10)', values: ['-12345678901234567890.0123456789', '0', '-0.0000000001'] },
  dec_l: {
    type: 'DECIMAL(65,30)',
    values: ['99999999999999999999999999999999999.999999999999999999999999999999', '0', '1e-30'],
  },
  f: { type: 'FLOAT', values: ['0.1', '-3.4028234e38', '16777217'] },
  g: { type: 'DOUBLE', values: ['0.1', '1.7976931348623157e308', '-0.0'] },
  bits: { type: 'BIT(33)', values: ["b'100000000000000000000000000000001'", "b'0'", "b'1'"] },
  y: { type: 'YEAR', values: ['1901', '2155', '0'] },
  d: { type: 'DATE', values: ["'9999-12-31'", "'0000-00-00'", "'2024-02-30'"] },
  t6: { type: 'TIME(6)', values: ["'-838:59:59.000000'", "'00:00:00.000001'", "'12:00:00'"] },
  dt: {
    type: 'DATETIME',
    values: ["'1000-01-01 00:00:00'", "'0000-00-00 00:00:00'", "'9999-12-31 23:59:59'"],
  },
  dt6: { type: 'DATETIME(6)', values: ["'2024-02-29 23:59:59.999999'", "'0000-00-00'", "'2001-01-01'"] },
  ts3: {
    type: 'TIMESTAMP(3) NULL',
    values: ["'1970-01-01 05:00:01.001'", "'2037-12-31 23:59:59.999'", 'NULL'],
  },
  c_latin: { type: 'CHAR(10) CHARACTER SET latin1', values: ["'é'", "'x '", "''"] },
  v_utf8: {
    type: 'VARCHAR(30) CHARACTER SET utf8mb4',
    values: ["'🦦 o''b\\\\\\\\n \\\\0'", "'trailing  '", "''"],
  },
  v_utf8mb3: { type: 'VARCHAR(300) CHARACTER SET utf8', values: ["'名前'", "REPEAT('ä', 300)", "'x'"] },
  v_sjis: { type: 'VARCHAR(30) CHARACTER SET sjis', values: ["_sjis x'835c835c'", "_sjis x'5c'", "'plain'"] },
  v_ucs2: { type: 'VARCHAR(30) CHARACTER SET ucs2', values: ["'ucs'", "_ucs2 x'00270027'", "''"] },
  txt: { type: 'TEXT CHARACTER SET utf8mb4', values: ["REPEAT('t', 5000)", "''", "'\\n\\r\\Z'"] },
  bin: { type: 'BINARY(8)', values: ["x'00'", "x'2700275c00'", "x'2020202020202020'"] },
  vbin: { type: 'VARBINARY(300)', values: ["x'00275c22ff1a0d0a'", "x''", "REPEAT(x'27', 300)"] },
  lob: { type: 'LONGBLOB', values: ["REPEAT(x'ff005c27', 20000)", "x''", "x'00'"] },
  e: { type: "ENUM('a','it''s','名')", values: ["'it''s'", "'a'", '3'] },
  s: { type: "SET('x','y','z')", values: ["'x,z'", "''", '7'] },
  nothing: { type: 'INT', values: ['NULL', 'NULL', '1'] },
};

const GEOMETRY = {
  geo: {
    type: 'GEOMETRY',
    values: ["ST_GeomFromText('POINT(1 2)')", "ST_GeomFromText('LINESTRING(0 0,1 1.5)')", 'NULL'],
  },
};

const OWN: Readonly<Record<DatabaseFlavour, typeof COMMON>> = {
  mariadb: {
    ...GEOMETRY,
    id_uuid: { type: 'UUID', values: ["'123e4567-e89b-12d3-a456-426655440000'", 'NULL', 'UUID()'] },
    ip: { type: 'INET6', values: ["'2001:db8::ff00:42:8329'", "'::ffff:1.2.3.4'", 'NULL'] },
    j: { type: 'JSON', values: ['\'{"b": 1, "a": [1,2.50,null]}\'', 'NULL', "'[]'"] },
  },
  mysql: {
    ...GEOMETRY,
    j: {
      type: 'JSON',
      values: [
        '\'{"b": 1, "a": [1,2.5,null], "\\\\u0000": "it\\\'s"}\'',
        "JSON_OBJECT('d', CAST('2020-01-01' AS DATE), 'n', 18446744073709551615, 'x', CAST(1.10 AS DECIMAL(5,2)))",
        'NULL',
      ],
    },
    vec: { type: 'VECTOR(3)', values: ["TO_VECTOR('[1,2,3]')", 'NULL', "TO_VECTOR('[0,-1.5,1e10]')"] },
  },
  mysql56: {
    geo: {
      ...GEOMETRY.geo,
      values: ["GeomFromText('POINT(1 2)')", "GeomFromText('LINESTRING(0 0,1 1.5)')", 'NULL'],
    },
  },
};

const PAIRS: readonly (readonly [DatabaseFlavour, DatabaseFlavour])[] = [
  ['mariadb', 'mariadb'],
  ['mysql', 'mysql'],
  ['mysql56', 'mysql56'],
  ['mysql56', 'mariadb'],
  ['mariadb', 'mysql'],
  ['mysql', 'mariadb'],
];

describeWithOwn(['mariadb', 'mysql', 'mysql56'], 'values of every type', () => {
  const servers = new Map<DatabaseFlavour, DatabaseServer>();
  beforeAll(async () => {
    for (const flavour of ['mariadb', 'mysql', 'mysql56'] as const)
      servers.set(flavour, await startDatabase(flavour));
  });
  afterAll(async () => {
    for (const server of servers.values()) await server.dispose();
  });

  const serverOf = (flavour: DatabaseFlavour): DatabaseServer => {
    const server = servers.get(flavour);
    if (server === undefined) throw new Error(`no ${flavour}`);
    return server;
  };

  for (const [source, target] of PAIRS)
    for (const detect of [false, true])
      it(`arrive as they were, ${source} → ${target}${detect ? ', compared under lock' : ''}`, async () => {
        const [east, west] = [serverOf(source), serverOf(target)];
        const columns = source === target ? { ...COMMON, ...OWN[source] } : COMMON;
        const [from, to] = [await east.db.freshSchema('src'), await west.db.freshSchema('dst')];
        const declared = Object.entries(columns)
          .map(([name, { type }]) => `${name} ${type}`)
          .join(', ');
        for (const [server, schema] of [
          [east, from],
          [west, to],
        ] as const) {
          const connection = await server.db.connect({ schema });
          await connection.query("SET SESSION sql_mode = 'ALLOW_INVALID_DATES'");
          await connection.query(
            `CREATE TABLE keyed (id INT PRIMARY KEY, ${declared}) ENGINE=InnoDB ROW_FORMAT=DYNAMIC`,
          );
          await connection.query(
            `CREATE TABLE keyless (n INT, ${declared}) ENGINE=InnoDB ROW_FORMAT=DYNAMIC`,
          );
          await connection.end();
        }
        const before = (await loggedTransactions(east, from)).length;
        const connection = await east.db.connect({ schema: from });
        await connection.query("SET SESSION sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+05:00'");
        const run = async (sql: string) => {
          await connection.query(sql);
        };
        for (const table of ['keyed', 'keyless'])
          for (const i of [0, 1, 2])
            await run(
              `INSERT INTO ${table} VALUES (${i}, ${Object.values(columns)
                .map(({ values }) => values[i])
                .join(', ')})`,
            );
        // Every column of a row is looked for in a table without key, and compared where conflicts are detected.
        await run('UPDATE keyed SET nothing = 5, id = id + 10 WHERE id = 0');
        await run('UPDATE keyed SET nothing = 6 WHERE id > 0');
        await run('UPDATE keyless SET nothing = 7 WHERE n < 2');
        await run('DELETE FROM keyless WHERE n = 2');
        await run('DELETE FROM keyed WHERE id = 2');
        await connection.end();
        const transactions = (await loggedTransactions(east, from)).slice(before);
        await using harness = await TargetHarness.on(west.db, {
          conflict: { detect, winner: siteId('east') },
        });
        for (const transaction of transactions) await harness.apply(batchOf([transaction], to));
        expect(harness.ledger.map(({ kind, route, found }) => ({ kind, table: route.name, found }))).toEqual(
          [],
        );
        if (!detect) expect(harness.divergences).toEqual([]);
        for (const table of ['keyed', 'keyless'])
          expect(await hexRows(west.db, to, table)).toEqual(await hexRows(east.db, from, table));
        expect((await hexRows(west.db, to, 'keyed')).length).toBe(2);
      });
});
