/**
 * Writes the recorded values of every column type anew: `npx tsx test/support/record-column-types.ts`. For each server
 * what its binlog holds of each case's own values, and what the server itself says that they are.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CASE_SERVERS, valuesOn } from '../cases/column-types/column-type-case.ts';
import { ownTypesOn } from '../cases/column-types/column-type-cases.ts';
import { loggedRows } from './binlog-rows.ts';
import { exactRows, LENIENT_SESSION } from './column-type-tables.ts';
import { repositoryRoot } from './inventory.ts';
import type { RecordedCase } from './recorded-types.ts';
import { startDatabase } from './servers.ts';

for (const flavour of CASE_SERVERS) {
  await using server = await startDatabase(flavour);
  const connection = await server.db.connect();
  await connection.query('CREATE DATABASE s CHARACTER SET utf8mb4');
  await connection.query(LENIENT_SESSION);
  const cases = ownTypesOn(flavour).filter((one) => one.large !== true);
  for (const one of cases) {
    await connection.query(`CREATE TABLE s.${one.id} (id INT PRIMARY KEY, v ${one.ddl})`);
    const rows = valuesOn(one, flavour).map((value, i) => `(${i + 1}, ${value})`);
    await connection.query(`INSERT INTO s.${one.id} VALUES ${rows.join(', ')}`);
  }
  const logged = await loggedRows(server, 's');
  const recorded: RecordedCase[] = [];
  for (const one of cases) {
    const rows = logged.filter((row) => row.shape.table === one.id);
    const said = new Map((await exactRows(server.db, 's', one.id)).map((row) => [row.id, row.v ?? null]));
    const column = rows[0]?.shape.columns[1];
    if (column === undefined) throw new Error(`${one.id}: nothing was logged`);
    const { type, meta, unsigned, collation, declared } = column;
    const values = rows.map((row, i): readonly [string, string] => [
      row.after?.[1]?.toString('hex') ?? '',
      said.get(Buffer.from(String(i + 1)).toString('hex')) ?? '',
    ]);
    recorded.push({ id: one.id, type, meta, unsigned, collation, declared, values });
  }
  const folder = join(repositoryRoot(), 'test', 'fixtures', 'column-types');
  await mkdir(folder, { recursive: true });
  const lines = recorded.map((one) => JSON.stringify(one)).join(',\n');
  await writeFile(join(folder, `${flavour}.json`), `[\n${lines}\n]\n`);
  connection.destroy();
  console.log(`${flavour} ${server.version}: ${recorded.length} cases`);
}
