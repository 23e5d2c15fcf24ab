import { afterAll, beforeAll, expect, it } from 'vitest';
import type { DatabaseServer } from '../../support/database-server.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { batchOf, loggedTransactions } from './logged-transactions.ts';
import { hexRows, TargetHarness } from './target-harness.ts';

/** Values of one column that rows get in one statement: numbers that as text would be something else, labels that are numbers, and bounds. */
const COLUMNS: Readonly<Record<string, { readonly ddl: string; readonly values: readonly string[] }>> = {
  bit2: { ddl: 'BIT(2)', values: ['3', '2', '0', 'NULL'] },
  bit8: { ddl: 'BIT(8)', values: ['3', '65', '255', '0'] },
  bit24: { ddl: 'BIT(24)', values: ['300', '7', '16777215', '13877'] },
  bit32: { ddl: 'BIT(32)', values: ['4294967295', '944575941', '2147483648', '1'] },
  bit64: { ddl: 'BIT(64)', values: ['18446744073709551615', '1', '9223372036854775808', '51'] },
  labels: { ddl: "ENUM('3','2','1')", values: ["'3'", "'1'", "'2'", 'NULL'] },
  several: { ddl: "SET('4','2','1')", values: ["'4'", "'4,1'", "''", "'2,1'"] },
  year_of: { ddl: 'YEAR', values: ['2000', "'0000'", '1901', '2155'] },
  tiny: { ddl: 'TINYINT', values: ['-128', '127', '0', 'NULL'] },
  big: { ddl: 'BIGINT', values: ['-9223372036854775808', '9223372036854775807', '-1', '0'] },
  ubig: { ddl: 'BIGINT UNSIGNED', values: ['18446744073709551615', '9223372036854775807', '1', '0'] },
  exact: {
    ddl: 'DECIMAL(65,30)',
    values: ['0.000000000000000000000000000001', '-99999999999999999999999999999999999', '1', '0'],
  },
  single: { ddl: 'FLOAT', values: ['0.1', '3.4028234e38', '1.17549435e-38', '16777217'] },
  twice: { ddl: 'DOUBLE', values: ['1e22', '-3.485672169464806e-164', '1.7976931348623157e308', '0.1'] },
  day: { ddl: 'DATE', values: ["'0000-00-00'", "'9999-12-31'", "'2026-11-21'", 'NULL'] },
  clock: { ddl: 'TIME(3)', values: ["'-838:59:59'", "'00:00:00.001'", "'12:00:00'", 'NULL'] },
  moment: {
    ddl: 'DATETIME(6)',
    values: ["'1000-01-01 00:00:00.000001'", "'2026-11-21'", 'NULL', "'9999-12-31'"],
  },
  words: { ddl: 'VARCHAR(20)', values: ["'3'", "'  b  '", "''", 'NULL'] },
  bytes: { ddl: 'VARBINARY(20)', values: ["X'00'", "X'ff00'", "X''", "'3'"] },
};
const ROWS = [1, 2, 3, 4];

for (const flavour of ['mariadb', 'mysql', 'mysql56'] as const)
  describeWithOwn([flavour], `values that many rows get in one statement (${flavour})`, () => {
    let server: DatabaseServer;
    beforeAll(async () => {
      server = await startDatabase(flavour);
    });
    afterAll(() => server?.dispose());

    it('are those of each row', async () => {
      const from = await server.db.freshSchema('src');
      const to = await server.db.freshSchema('dst');
      const columns = Object.entries(COLUMNS);
      for (const schema of [from, to]) {
        const connection = await server.db.connect({ schema });
        await connection.query("SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION'");
        // A key of two forms: compared with CASE, and by conditions.
        for (const [name, { ddl }] of columns) {
          await connection.query(`CREATE TABLE one_${name} (id INT PRIMARY KEY, v ${ddl}) ENGINE=InnoDB`);
          await connection.query(
            `CREATE TABLE two_${name} (a INT, b INT, v ${ddl}, PRIMARY KEY (a, b)) ENGINE=InnoDB`,
          );
        }
        await connection.end();
      }
      const connection = await server.db.connect({ schema: from });
      await connection.query("SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION'");
      await connection.query("SET SESSION binlog_row_image = 'MINIMAL'");
      for (const [name, { values }] of columns) {
        await connection.query(`INSERT INTO one_${name} (id) VALUES ${ROWS.map((id) => `(${id})`).join()}`);
        await connection.query(
          `INSERT INTO two_${name} (a, b) VALUES ${ROWS.map((id) => `(${id},${id})`).join()}`,
        );
        await connection.query('START TRANSACTION');
        for (const id of ROWS) {
          await connection.query(`UPDATE one_${name} SET v = ${values[id - 1]} WHERE id = ${id}`);
          await connection.query(`UPDATE two_${name} SET v = ${values[id - 1]} WHERE a = ${id}`);
        }
        await connection.query('COMMIT');
      }
      await connection.end();
      await using harness = await TargetHarness.on(server.db);
      for (const transaction of await loggedTransactions(server, from))
        await harness.apply(batchOf([transaction], to));
      const wrong: string[] = [];
      for (const [name] of columns)
        for (const table of [`one_${name}`, `two_${name}`]) {
          const [there, here] = [await hexRows(server.db, from, table), await hexRows(server.db, to, table)];
          if (JSON.stringify(there) !== JSON.stringify(here)) wrong.push(`${table}: ${there} became ${here}`);
        }
      expect(wrong).toEqual([]);
      expect(harness.divergences).toEqual([]);
    }, 120_000);
  });
