import { afterAll, beforeAll, expect, it } from 'vitest';
import { applyJsonDiffs, writeJsonDiffExpression } from '../../../canal/value/json-diff.ts';
import { completePartialRows } from '../../../canal/value/partial-rows.ts';
import { compileRowScanner } from '../../../canal/value/row-scanner.ts';
import { writeLiteral } from '../../../canal/value/value-literal.ts';
import { writeValueText } from '../../../canal/value/value-text.ts';
import { defined } from '../../../lib/assert.ts';
import { ByteSink } from '../../../lib/byte-sink.ts';
import { connectTarget } from '../../../stages/load/target/mysql2-connection.ts';
import type { TargetSession } from '../../../stages/load/target/target-connection.ts';
import { loggedEvents, loggedRows } from '../../support/binlog-rows.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { Random } from '../../support/random.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { dataSourceOf } from '../load/target-fixture.ts';

const DOCUMENT = JSON.stringify({
  a: 1,
  bb: [1, 2, [3, 4]],
  'a b"c\\': { inner: { deep: 'x'.repeat(300) } },
  list: Array.from({ length: 30 }, (_, i) => ({ i, name: `item ${i}`, pad: 'p'.repeat(40) })),
  ü: { é: 'ü'.repeat(50), null: null, t: true, big: 123456789012, d: 0.125 },
  filler: 'f'.repeat(2000),
});
const PATHS = [
  '$.a',
  '$.bb[0]',
  '$.bb[2][1]',
  '$.bb[3]',
  '$.bb[9]',
  '$.list[4].name',
  '$.list[4].fresh',
  '$.list[29]',
  '$.list[30]',
  '$."a b\\"c\\\\".inner',
  '$."a b\\"c\\\\".inner.deep',
  '$."ü"."é"',
  '$."ü".d',
  '$.zzz',
  '$.fresh1',
  '$.fresh2',
];
const VALUES = [
  '1',
  '-70000',
  '5000000000',
  '0.5',
  "'text with \\' and \\\\'",
  "'ü😀'",
  'TRUE',
  "CAST('null' AS JSON)",
  `CAST('{"x": [1, {"y": "z"}]}' AS JSON)`,
  'JSON_ARRAY()',
  'JSON_OBJECT()',
  "REPEAT('long ', 100)",
  "CAST('1.50' AS DECIMAL(5,2))",
  "CAST('2020-01-02 03:04:05.5' AS DATETIME(6))",
];

describeWithOwn(['mysql'], 'partial JSON changes in the binlog of MySQL', () => {
  let server: DatabaseServer;
  let session: TargetSession;

  beforeAll(async () => {
    server = await startDatabase('mysql');
    const random = new Random(5);
    const connection = await server.db.connect();
    await connection.query('CREATE DATABASE s');
    await connection.query('CREATE TABLE s.t (id INT PRIMARY KEY, x INT, j JSON, y VARCHAR(300), k JSON)');
    await connection.query('CREATE TABLE s.lone (id INT PRIMARY KEY, j JSON)');
    await connection.query('INSERT INTO s.t VALUES (1, 1, ?, ?, ?), (2, 2, ?, ?, ?)', [
      DOCUMENT,
      'y',
      DOCUMENT,
      DOCUMENT,
      null,
      DOCUMENT,
    ]);
    await connection.query('INSERT INTO s.lone VALUES (1, ?)', [DOCUMENT]);
    await connection.query("SET binlog_row_value_options = 'PARTIAL_JSON'");
    const change = (column: string) => {
      const paths = random.int(0, 3);
      if (paths === 0) return `JSON_REMOVE(${column}, '${sql(random.pick(PATHS))}')`;
      const pairs = Array.from(
        { length: paths },
        () => `'${sql(random.pick(PATHS))}', ${random.pick(VALUES)}`,
      ).join(', ');
      return `${random.pick(['JSON_SET', 'JSON_REPLACE'])}(${column}, ${pairs})`;
    };
    for (let i = 0; i < 200; i++)
      await connection.query(
        `UPDATE s.t SET x = x + 1, j = ${change('j')}${random.int(0, 1) === 1 ? `, k = ${change('k')}` : ''}`,
      );
    await connection.query("SET binlog_row_image = 'MINIMAL'");
    for (let i = 0; i < 60; i++) await connection.query(`UPDATE s.lone SET j = ${change('j')}`);
    connection.destroy();
    session = await connectTarget(dataSourceOf(server.db));
  });
  afterAll(async () => {
    await session?.close();
    await server?.dispose();
  });

  it('applied to the document before, give the document that the server has', async () => {
    const documents = new Map<string, Buffer>();
    let partial = 0;
    for (const row of await loggedRows(server, 's')) {
      if (row.shape.table !== 't' || row.after === null) continue;
      const id = defined(row.after[0], 'id').readInt32LE(0);
      row.shape.columns.forEach((column, i) => {
        const after = row.after?.[i];
        if (column.type !== 245 || after === null || after === undefined) return;
        const base = row.before?.[i];
        if (row.partial[i]) partial += 1;
        documents.set(
          `${id}.${column.name}`,
          row.partial[i] ? applyJsonDiffs(defined(base, 'base'), after) : after,
        );
        if (base)
          expect(textOf(base), `before image of ${id}.${column.name}`).toBe(
            textOf(defined(previous.get(`${id}.${column.name}`), 'previous')),
          );
      });
      for (const [key, value] of documents) previous.set(key, value);
    }
    expect(partial).toBeGreaterThan(200);
    for (const [key, document] of documents) {
      const [id, column] = key.split('.');
      const [row] = await session.rows(`SELECT CAST(${column} AS CHAR) FROM s.t WHERE id = ${id}`);
      expect(textOf(document)).toBe(row?.[0]?.toString('utf8'));
    }
  });

  it('made into full images, read as an ordinary update does', async () => {
    let events = 0;
    const rows = await loggedRows(server, 's');
    const shape = defined(rows.find((row) => row.shape.table === 't')?.shape, 'shape');
    const scanners = { before: compileRowScanner(shape), after: compileRowScanner(shape) };
    const last = new Map<number, string>();
    for await (const event of loggedEvents(server)) {
      if (event.kind !== 'rows' || event.columnCount !== 5 || event.before === null || event.after === null)
        continue;
      const data = event.partialJson
        ? defined(completePartialRows(shape, scanners, event.data, event.before, event.after), 'images')
        : event.data;
      events += 1;
      expect(scanners.before.countRows(data, event.before, event.after)).toBe(
        scanners.after.countRows(event.data, event.before, event.after, event.partialJson),
      );
      for (let at = 0; at < data.length; ) {
        at = scanners.before.scan(data, at, data.length, event.before);
        const before = textAt(scanners.before, data);
        at = scanners.after.scan(data, at, data.length, event.after);
        const id = data.readInt32LE(scanners.after.offsets[0]);
        if (last.has(id)) expect(before).toBe(last.get(id));
        last.set(id, textAt(scanners.after, data));
      }
    }
    expect(events).toBeGreaterThan(100);

    function textAt(scanner: typeof scanners.before, data: Buffer): string {
      const offset = defined(scanner.offsets[2], 'offset');
      return textOf(data.subarray(offset, offset + defined(scanner.lengths[2], 'length')));
    }
  });

  it('without a document before, are applied by the server itself', async () => {
    await session.execute('CREATE TABLE s.copy LIKE s.lone');
    let expressions = 0;
    for (const row of await loggedRows(server, 's')) {
      const after = row.after?.[1];
      const column = row.shape.columns[1];
      if (row.shape.table !== 'lone' || !after || column === undefined) continue;
      const sink = new ByteSink();
      if (row.op === 'insert') sink.latin1('INSERT INTO s.copy VALUES (1, ');
      else sink.latin1('UPDATE s.copy SET j = ');
      if (row.partial[1]) {
        expressions += 1;
        writeJsonDiffExpression(sink, '`j`', after);
      } else writeLiteral(sink, column, after, 0, after.length);
      if (row.op === 'insert') sink.latin1(')');
      await session.execute(sink.take());
    }
    expect(expressions).toBeGreaterThan(20);
    const [row] = await session.rows(
      'SELECT CAST(c.j AS CHAR), CAST(l.j AS CHAR) FROM s.copy c JOIN s.lone l USING (id)',
    );
    expect(row?.[0]?.toString('utf8')).toBe(row?.[1]?.toString('utf8'));
  });
});

const previous = new Map<string, Buffer>();
const JSON_COLUMN = {
  name: 'j',
  type: 245,
  meta: 4,
  nullable: true,
  unsigned: false,
  collation: 0,
  carrier: 'binlog',
  declared: 'json',
} as const;

function textOf(document: Buffer): string {
  const sink = new ByteSink();
  writeValueText(sink, JSON_COLUMN, document, 0, document.length);
  return sink.view().toString('utf8');
}

function sql(path: string): string {
  return path.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
}
