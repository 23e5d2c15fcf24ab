/**
 * Writes the binlog fixtures anew: `npx tsx test/support/record-binlogs.ts`. A few rows of every column type on each
 * server, and the events that only settings bring about.
 */
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { columnSamples } from './column-samples.ts';
import { DATABASE_FLAVOURS, type DatabaseFlavour } from './database.ts';
import { repositoryRoot } from './inventory.ts';
import { startDatabase } from './servers.ts';

const ROWS = 4;

/** Statements after the rows, by flavour. */
const MORE: Readonly<Record<DatabaseFlavour, readonly string[]>> = {
  mysql: [
    "SET binlog_row_value_options = 'PARTIAL_JSON'",
    "UPDATE s.json_doc SET j = JSON_SET(j, '$.a', 'new', '$.list[1]', 7), k = JSON_REMOVE(k, '$.b')",
    "SET binlog_row_value_options = ''",
    'SET binlog_transaction_compression = ON',
    "UPDATE s.json_doc SET j = JSON_SET(j, '$.a', 'compressed')",
    "INSERT INTO s.json_doc VALUES (2, '[]', REPEAT('1', 300))",
    'SET binlog_transaction_compression = OFF',
    "SET gtid_next = 'automatic:some_tag'",
    'DELETE FROM s.json_doc WHERE id = 2',
    "SET gtid_next = 'automatic'",
    "XA START 'g', 'b', 3",
    "UPDATE s.json_doc SET k = '1'",
    "XA END 'g', 'b', 3",
    "XA PREPARE 'g', 'b', 3",
    "XA COMMIT 'g', 'b', 3",
    "SET binlog_row_image = 'MINIMAL'",
    "UPDATE s.json_doc SET k = '2'",
  ],
  mariadb: [
    'SET GLOBAL log_bin_compress = ON',
    'SET GLOBAL log_bin_compress_min_len = 10',
    "UPDATE s.text SET v = REPEAT('abc', 100)",
    'DELETE FROM s.text WHERE id = 1',
    `CREATE TABLE s.compressed (a INT COMMENT '${'x'.repeat(300)}')`,
    'SET GLOBAL log_bin_compress = OFF',
    'SET binlog_alter_two_phase = ON',
    'ALTER TABLE s.compressed ADD b INT',
    "XA START 'g', 'b', 3",
    'INSERT INTO s.compressed VALUES (1, 2)',
    "XA END 'g', 'b', 3",
    "XA PREPARE 'g', 'b', 3",
    "XA COMMIT 'g', 'b', 3",
    "SET binlog_format = 'STATEMENT'",
    'SET @v = 5',
    'INSERT INTO s.compressed VALUES (RAND() * 5, @v)',
    "SET binlog_format = 'ROW'",
    "SET binlog_row_image = 'MINIMAL'",
    'UPDATE s.compressed SET b = 9',
  ],
  mysql56: [
    "SET binlog_format = 'STATEMENT'",
    'SET @v = 5',
    'INSERT INTO s.auto (x) VALUES (RAND() * 5 + @v)',
    "SET binlog_format = 'ROW'",
    'SET binlog_rows_query_log_events = ON',
    "SET binlog_row_image = 'MINIMAL'",
    'UPDATE s.auto SET x = 9',
    'DELETE FROM s.auto',
  ],
};

for (const flavour of DATABASE_FLAVOURS) {
  await using server = await startDatabase(flavour, {
    settings: flavour === 'mysql56' ? {} : { binlog_row_metadata: 'FULL' },
  });
  const connection = await server.db.connect();
  await connection.query('CREATE DATABASE s CHARACTER SET utf8mb4');
  await connection.query(
    "SET sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00', timestamp = 1700000000",
  );
  for (const { name, ddl, values } of columnSamples({ flavour, rows: ROWS })) {
    await connection.query(`CREATE TABLE s.${name} (id INT PRIMARY KEY, v ${ddl})`);
    const short = values.filter((value) => value.length < 300 && !value.includes('000)')).slice(0, ROWS);
    const rows = [...short, 'NULL'].map((value, i) => `(${i + 1}, ${value})`);
    await connection.query(`INSERT INTO s.${name} VALUES ${rows.join(', ')}`);
  }
  await connection.query('CREATE TABLE s.auto (id INT AUTO_INCREMENT PRIMARY KEY, x DOUBLE)');
  if (flavour === 'mysql') {
    await connection.query('CREATE TABLE s.json_doc (id INT PRIMARY KEY, j JSON, k JSON)');
    await connection.query(`INSERT INTO s.json_doc VALUES (1, '{"a": 1, "list": [1, 2, 3]}', '{"b": 2}')`);
  }
  for (const statement of MORE[flavour]) await connection.query(statement);
  await connection.query(flavour === 'mysql56' ? 'FLUSH LOGS' : 'FLUSH BINARY LOGS');
  connection.destroy();
  const [first = ''] = await server.binlogFiles();
  const folder = join(repositoryRoot(), 'test', 'fixtures', 'binlog');
  await mkdir(folder, { recursive: true });
  await copyFile(first, join(folder, `${flavour}.binlog`));
  console.log(`${flavour} ${server.version}: ${first}`);
}
