import { Readable } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { BinlogEvent } from '../../../canal/event/event.ts';
import { defined } from '../../../lib/assert.ts';
import type { TransactionGtid } from '../../../model/source-item.ts';
import { type LoggedRow, RowReader, tableShapes } from '../../support/binlog-rows.ts';
import { columnSamples } from '../../support/column-samples.ts';
import { DATABASE_FLAVOURS, type DatabaseFlavour } from '../../support/database.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { startDatabase } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { ZONGJI_EXCEPTIONS } from '../../support/zongji-exceptions.ts';
import { type OwnEvent, ownEvents, type ZongjiEvent, zongjiEvents } from '../../support/zongji-oracle.ts';
import { sameValue } from '../../support/zongji-values.ts';

/** At least so many values of each type are compared. */
const ROWS = 110;

/** Beside rows of every type: what else each server can log. Plain statements, and those that zongji gives up on. */
const STATEMENTS: Readonly<Record<DatabaseFlavour, readonly string[]>> = {
  mysql: [
    "XA START 'g', 'b', 3",
    'INSERT INTO s.extra VALUES (1, 1, NULL)',
    "XA END 'g', 'b', 3",
    "XA PREPARE 'g', 'b', 3",
    "XA COMMIT 'g', 'b', 3",
    "SET gtid_next = 'automatic:some_tag'",
    'UPDATE s.extra SET b = 2',
    "SET gtid_next = 'automatic'",
    'SET binlog_rows_query_log_events = ON',
    'UPDATE s.extra SET b = 3, j = \'{"a": [1, 2, 3], "b": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}\'',
    "SET binlog_row_image = 'MINIMAL'",
    'UPDATE s.extra SET b = 4',
    "SET binlog_row_image = 'FULL'",
    "SET binlog_row_value_options = 'PARTIAL_JSON'",
    "UPDATE s.extra SET j = JSON_SET(j, '$.a[0]', 7)",
    "SET binlog_row_value_options = ''",
    'SET binlog_transaction_compression = ON',
    'UPDATE s.extra SET b = 5',
    'SET binlog_transaction_compression = OFF',
    'TRUNCATE s.extra',
    'FLUSH BINARY LOGS',
  ],
  mariadb: [
    'SET GLOBAL log_bin_compress = ON',
    'SET GLOBAL log_bin_compress_min_len = 10',
    "INSERT INTO s.extra VALUES (1, 1, REPEAT('abc', 200))",
    "UPDATE s.extra SET j = REPEAT('xyz', 300)",
    'DELETE FROM s.extra',
    `CREATE TABLE s.compressed (a INT COMMENT '${'x'.repeat(300)}')`,
    'SET GLOBAL log_bin_compress = OFF',
    'SET binlog_alter_two_phase = ON',
    'ALTER TABLE s.extra ADD c INT',
    'SET binlog_alter_two_phase = OFF',
    "XA START 'g', 'b', 3",
    'INSERT INTO s.extra (id) VALUES (2)',
    "XA END 'g', 'b', 3",
    "XA PREPARE 'g', 'b', 3",
    "XA COMMIT 'g', 'b', 3",
    "SET binlog_format = 'STATEMENT'",
    'SET @v = 5',
    'INSERT INTO s.extra (id, b) VALUES (3, RAND() * 5 + @v)',
    'INSERT INTO s.auto (x) VALUES (1)',
    "LOAD DATA LOCAL INFILE 'numbers' INTO TABLE s.auto (x)",
    "SET binlog_format = 'ROW'",
    "SET binlog_row_image = 'MINIMAL'",
    'UPDATE s.extra SET b = -1',
    'TRUNCATE s.extra',
    'FLUSH BINARY LOGS',
  ],
  mysql56: [
    "SET binlog_format = 'STATEMENT'",
    'SET @v = 5',
    'INSERT INTO s.extra (id, b) VALUES (3, RAND() * 5 + @v)',
    'INSERT INTO s.auto (x) VALUES (1)',
    "SET binlog_format = 'ROW'",
    'SET binlog_rows_query_log_events = ON',
    "SET binlog_row_image = 'MINIMAL'",
    'UPDATE s.extra SET b = -1',
    'TRUNCATE s.extra',
    'FLUSH LOGS',
  ],
};

const SETTINGS = {
  mariadb: { binlog_row_metadata: 'FULL' },
  mysql: { binlog_row_metadata: 'FULL' },
  mysql56: { gtid_mode: 'ON', enforce_gtid_consistency: 'ON', log_slave_updates: 'ON' },
} as const;

for (const flavour of DATABASE_FLAVOURS)
  describeWithOwn([flavour], `zongji and we read the same log of ${flavour}`, () => {
    const samples = columnSamples({ flavour, rows: ROWS });
    let server: DatabaseServer;
    let own: readonly OwnEvent[];
    let pairs: readonly Pair[];
    let errors: readonly string[];
    let tables: ReadonlyMap<string, Comparison>;

    beforeAll(async () => {
      server = await startDatabase(flavour, { settings: SETTINGS[flavour] });
      await writeLog(server, samples);
      const theirs = await zongjiEvents(server);
      own = await ownEvents(server);
      errors = theirs.errors;
      pairs = paired(own, theirs.events);
      tables = await comparedRows(server, pairs);
    });
    afterAll(() => server?.dispose());

    it('event by event, in the same order, at the same places', () => {
      const excepted = eventExceptions(flavour);
      const different = pairs.flatMap(({ ours, theirs }) => {
        if (ours !== null && excepted.has(kindOf(ours.event))) return [];
        const [us, them] = [ours && describeOurs(ours.event), theirs && describeTheirs(theirs)];
        return isDeepStrictEqual(us, them) ? [] : [{ place: `${ours?.file}:${ours?.end}`, us, them }];
      });
      expect(different).toEqual([]);
      expect(new Set(own.map(({ event }) => kindOf(event))).size).toBeGreaterThan(8);
    });

    it('and to the same values, at least 100 of every type', () => {
      const excepted = columnExceptions(flavour);
      const different: Record<string, readonly string[]> = {};
      for (const name of [...samples.map((sample) => sample.name), 'extra']) {
        const found = defined(tables.get(name), name);
        if (name !== 'extra') expect(found.compared, name).toBeGreaterThanOrEqual(100);
        if (found.different.length > 0 && !excepted.some((pattern) => pattern.test(name)))
          different[name] = found.different.slice(0, 5);
      }
      expect(different).toEqual({});
    });

    it('but for what the list of exceptions says, each entry of which is true', () => {
      for (const exception of ZONGJI_EXCEPTIONS) {
        if (!exception.flavours.includes(flavour)) continue;
        if (exception.kind === 'column') {
          const names = samples.map(({ name }) => name).filter((name) => exception.samples.test(name));
          expect(names.length, String(exception.samples)).toBeGreaterThan(0);
          for (const name of names)
            expect(tables.get(name)?.different.length, `${name} in fact agrees`).toBeGreaterThan(0);
        } else {
          const found = pairs.filter(({ ours }) => ours !== null && kindOf(ours.event) === exception.event);
          expect(found.length, exception.event).toBeGreaterThan(0);
          for (const { ours, theirs } of found)
            expect(
              theirs === null ? null : describeTheirs(theirs),
              `${exception.event} in fact agrees`,
            ).not.toEqual(describeOurs(defined(ours, 'ours').event));
        }
      }
    });

    it('and zongji complains of nothing else', () => {
      const others = errors.filter((message) => !/compress|partial|type "242"/i.test(message));
      expect([...new Set(others)]).toEqual([]);
    });
  });

interface Pair {
  readonly ours: OwnEvent | null;
  readonly theirs: ZongjiEvent | null;
}

interface Comparison {
  compared: number;
  readonly different: string[];
}

async function writeLog(server: DatabaseServer, samples: ReturnType<typeof columnSamples>): Promise<void> {
  const connection = await server.db.connect();
  try {
    await connection.query('CREATE DATABASE s CHARACTER SET utf8mb4');
    await connection.query("SET sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00'");
    for (const { name, ddl, values } of samples) {
      await connection.query(`CREATE TABLE s.${name} (id INT PRIMARY KEY, v ${ddl})`);
      const rows = [...values, 'NULL'].map((value, i) => `(${i + 1}, ${value})`);
      await connection.query(`INSERT INTO s.${name} VALUES ${rows.join(', ')}`);
      await connection.query(`UPDATE s.${name} SET id = id + 1000 WHERE id % 7 = 0`);
      await connection.query(`DELETE FROM s.${name} WHERE id % 5 = 0`);
    }
    const document = server.flavour === 'mysql' ? 'JSON' : 'TEXT';
    await connection.query(`CREATE TABLE s.extra (id INT PRIMARY KEY, b INT, j ${document})`);
    await connection.query('CREATE TABLE s.auto (id INT AUTO_INCREMENT PRIMARY KEY, x INT)');
    for (const sql of STATEMENTS[server.flavour])
      await connection.query({ sql, infileStreamFactory: () => Readable.from([Buffer.from('1\n2\n')]) });
  } finally {
    connection.destroy();
  }
}

/** Events that end at the same place of the same file. */
function paired(own: readonly OwnEvent[], theirs: readonly ZongjiEvent[]): Pair[] {
  const places = new Map(theirs.map((event) => [`${event.file}:${event.end}`, event]));
  const pairs: Pair[] = own
    .filter((event) => event.file <= (theirs.at(-1)?.file ?? '') && !isBeyond(event, theirs))
    .map((ours) => {
      const place = `${ours.file}:${ours.end}`;
      const found = places.get(place) ?? null;
      places.delete(place);
      return { ours, theirs: found };
    });
  return [...pairs, ...[...places.values()].map((event) => ({ ours: null, theirs: event }))];
}

/** Behind the last event that zongji was waited for. */
function isBeyond(event: OwnEvent, theirs: readonly ZongjiEvent[]): boolean {
  const last = defined(theirs.at(-1), 'an event');
  return event.file === last.file && event.end > last.end;
}

async function comparedRows(
  server: DatabaseServer,
  pairs: readonly Pair[],
): Promise<Map<string, Comparison>> {
  const reader = new RowReader('s', await tableShapes(server.db, 's'));
  const labels = await memberLabels(server);
  const tables = new Map<string, Comparison>();
  for (const { ours, theirs } of pairs) {
    if (ours === null) continue;
    const rows = reader.take(ours.event);
    if (theirs === null || kindOf(ours.event) === 'rows:partial-json') continue;
    const found = (theirs.fields.rows ?? []) as readonly Record<string, unknown>[];
    rows.forEach((row, i) => {
      const comparison = tables.get(row.shape.table) ?? { compared: 0, different: [] };
      tables.set(row.shape.table, comparison);
      const other = found[i] ?? {};
      const both = row.op === 'update';
      const before = (both ? other.before : other) as Record<string, unknown>;
      const after = (both ? other.after : other) as Record<string, unknown>;
      compareImage(row, row.before, before, labels, comparison);
      compareImage(row, row.after, after, labels, comparison);
    });
    if (found.length > rows.length && ours.event.kind === 'rows')
      tables.get('extra')?.different.push(`${found.length} rows, we have ${rows.length}`);
  }
  return tables;
}

function compareImage(
  row: LoggedRow,
  image: LoggedRow['before'],
  theirs: Record<string, unknown> | undefined,
  labels: ReadonlyMap<string, readonly string[]>,
  comparison: Comparison,
): void {
  if (image === null) return;
  comparison.compared += 1;
  row.shape.columns.forEach((column, i) => {
    const ours = image[i];
    const other = theirs?.[column.name];
    // zongji gives null for a column that the image lacks.
    const same =
      ours === undefined
        ? other === null
        : sameValue(column, ours, other, labels.get(`${row.shape.table}.${column.name}`) ?? null);
    if (!same)
      comparison.different.push(
        `${ours?.toString('hex').slice(0, 60)} is ${JSON.stringify(other)?.slice(0, 60)}`,
      );
  });
}

async function memberLabels(server: DatabaseServer): Promise<Map<string, readonly string[]>> {
  const rows = await server.db.query(
    "SELECT table_name AS t, column_name AS n, column_type AS d FROM information_schema.columns WHERE table_schema = 's' AND data_type IN ('enum', 'set')",
  );
  return new Map(
    rows.map((row) => [
      `${row.t}.${row.n}`,
      [...String(row.d).matchAll(/'((?:[^']|'')*)'/g)].map(([, label = '']) =>
        label.replaceAll("''", "'").replaceAll('\\\\', '\\'),
      ),
    ]),
  );
}

function eventExceptions(flavour: DatabaseFlavour): ReadonlySet<string> {
  return new Set(
    ZONGJI_EXCEPTIONS.flatMap((exception) =>
      exception.kind === 'event' && exception.flavours.includes(flavour) ? [exception.event] : [],
    ),
  );
}

function columnExceptions(flavour: DatabaseFlavour): readonly RegExp[] {
  return ZONGJI_EXCEPTIONS.flatMap((exception) =>
    exception.kind === 'column' && exception.flavours.includes(flavour) ? [exception.samples] : [],
  );
}

/** Our kind, and the name where a kind has several. */
function kindOf(event: BinlogEvent): string {
  if (event.kind === 'ignored' || event.kind === 'load-data' || event.kind === 'statement-context')
    return `${event.kind}:${event.name}`;
  return event.kind === 'rows' && event.partialJson ? 'rows:partial-json' : event.kind;
}

function gtidText(gtid: TransactionGtid | null): string | null {
  if (gtid === null) return null;
  if (gtid.flavour === 'mariadb') return `${gtid.domain}-${gtid.server}-${gtid.sequence}`;
  return `${gtid.uuid}:${gtid.tag === '' ? '' : `${gtid.tag}:`}${gtid.number}`;
}

/** What both sides say of an event, in the same words. */
function describeOurs(event: BinlogEvent): readonly unknown[] {
  switch (event.kind) {
    case 'format-description':
      return ['Format'];
    case 'rotate':
      return ['Rotate', event.file, event.offset];
    case 'query':
      return [
        'Query',
        event.schema,
        event.sql.toString('utf8'),
        event.threadId,
        event.errorCode,
        event.statusVars.toString('utf8'),
      ];
    case 'xid':
      return ['Xid', String(event.xid)];
    case 'gtid':
      return [event.gtid === null ? 'AnonymousGtid' : 'Gtid', gtidText(event.gtid)];
    case 'previous-gtids':
      return ['PreviousGtids', event.set];
    case 'mariadb-gtid':
      return [
        'MariadbGtid',
        gtidText(event.gtid),
        event.standalone,
        event.transactional,
        event.ddl,
        event.preparedXa,
        event.completedXa,
        event.alter,
        event.alterStartSequence === null ? null : String(event.alterStartSequence),
      ];
    case 'mariadb-gtid-list':
      return ['MariadbGtidList', event.gtids.map(gtidText)];
    case 'table-map':
      return ['TableMap', event.map.schema, event.map.table, event.map.tableId, event.map.columnCount];
    case 'rows':
      return [
        { insert: 'WriteRows', update: 'UpdateRows', delete: 'DeleteRows' }[event.op],
        event.tableId,
        event.flags,
        event.columnCount,
        event.partialJson,
      ];
    case 'rows-query':
      return ['Statement', event.sql.toString('utf8')];
    case 'xa-prepare':
      return ['XaPrepare', event.onePhase, event.formatId, event.gtrid.toString(), event.bqual.toString()];
    case 'statement-context':
      return [event.name === 'intvar' ? 'IntVar' : event.name];
    case 'ignored':
      return [event.name === 'mariadbBinlogCheckpoint' ? 'BinlogCheckpoint' : event.name];
    default:
      return [event.kind];
  }
}

const ALTER_PHASES: Readonly<Record<number, string>> = { 2: 'start', 4: 'commit', 8: 'rollback' };

function describeTheirs({ type, fields }: ZongjiEvent): readonly unknown[] {
  switch (type) {
    case 'Format':
    case 'BinlogCheckpoint':
    case 'IntVar':
      return [type];
    case 'Rotate':
      return [type, fields.binlogName, fields.position];
    case 'Query':
      return [type, fields.schema, fields.query, fields.slaveProxyId, fields.errorCode, fields.statusVars];
    case 'Xid':
      return [type, String(fields.xid)];
    case 'Gtid':
      return [type, fields.gtid];
    case 'AnonymousGtid':
      return [type, null];
    case 'PreviousGtids':
      return [type, fields.gtidSet];
    case 'MariadbGtid':
      return [
        type,
        fields.gtid,
        fields.standalone,
        fields.transactional,
        fields.isDdl,
        fields.preparedXa,
        fields.completedXa,
        ALTER_PHASES[Number(fields.flagsExtra) & 14] ?? 'none',
        fields.saSeqNo === undefined ? null : String(fields.saSeqNo),
      ];
    case 'MariadbGtidList':
      return [type, (fields.gtids as readonly { gtid: string }[]).map(({ gtid }) => gtid)];
    case 'TableMap':
      return [type, fields.schemaName, fields.tableName, fields.tableId, fields.columnCount];
    case 'WriteRows':
    case 'UpdateRows':
    case 'DeleteRows':
      return [type, fields.tableId, fields.flags, fields.numberOfColumns, false];
    case 'RowsQuery':
    case 'AnnotateRows':
      return ['Statement', fields.statement];
    case 'XaPrepare':
      return [
        type,
        Boolean(fields.onePhase),
        fields.xidFormatId,
        String(fields.xidGtrid),
        String(fields.xidBqual),
      ];
    default:
      return [type];
  }
}
