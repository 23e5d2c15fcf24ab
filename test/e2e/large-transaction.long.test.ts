import { readFileSync } from 'node:fs';
import type { Connection } from 'mysql2/promise';
import { describe, expect, it } from 'vitest';
import { waitFor, withDeadline } from '../../lib/abort.ts';
import type { DatabaseFlavour } from '../support/database.ts';
import { ServerUnavailable } from '../support/inventory.ts';
import { Replication } from '../support/replication.ts';
import { SCHEMA } from '../support/shop.ts';

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;

/** Bytes of binlog that the large transaction has; smaller ones for a quick look: HOLT_TEST_LARGE_MIB=256. */
const TOTAL = Number(process.env.HOLT_TEST_LARGE_MIB ?? (4 * GIB) / MIB) * MIB;
/** Rows of the other; HOLT_TEST_LARGE_ROWS=200000 for a quick look. */
const ROWS = Number(process.env.HOLT_TEST_LARGE_ROWS ?? 5_000_000);
const ROW = 1 * MIB;
/** What a node may take at its peak, bytes. */
const MEMORY = 350e6;
const TIMEOUT_MS = 1_700_000;

/** Peak resident memory of a process, bytes. */
function peakMemory(pid: number): number {
  const kib = /VmHWM:\s+([0-9]+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) * 1024;
}

function peaks(run: Replication): Record<string, number> {
  return Object.fromEntries(
    [...run.holt.nodes.values()].map((node) => [node.name, peakMemory(node.process.pid)]),
  );
}

/** Looks at the number of rows at the target until all are there; it must be none or all at every look. */
async function allOrNothing(run: Replication, rows: number, during: () => Promise<void>): Promise<void> {
  const { target } = run;
  const seen = new Set<number>();
  await during();
  await waitFor(
    async () => {
      seen.add(Number(await target.db.value(`SELECT COUNT(*) FROM ${SCHEMA}.large`)));
      return seen.has(rows);
    },
    { timeoutMs: TIMEOUT_MS, pollMs: 100, what: 'the transaction to arrive' },
  );
  expect([...seen].sort((a, b) => a - b)).toEqual([0, rows]);
}

/** `id` and `filler` rows in one transaction. */
async function fillBytes(connection: Connection, rows: number): Promise<void> {
  await connection.beginTransaction();
  for (let id = 0; id < rows; id++)
    await connection.query(`INSERT INTO large VALUES (?, REPEAT(CHAR(? USING binary), ${ROW}))`, [
      id,
      id % 256,
    ]);
  await connection.commit();
}

const SMALL_ROW = `(id INT PRIMARY KEY, a BIGINT NOT NULL, b VARCHAR(40) NOT NULL, c DATETIME(6) NULL)`;

/** Many small rows in one transaction; statements of some size, so that the source needs no more memory either. */
async function fillRows(connection: Connection, rows: number): Promise<void> {
  const step = 50_000;
  await connection.query('CREATE TEMPORARY TABLE digit (d INT PRIMARY KEY)');
  await connection.query('INSERT INTO digit VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)');
  await connection.query('CREATE TEMPORARY TABLE number (n INT PRIMARY KEY)');
  for (let n = 0; n < step; n += 1000)
    await connection.query(
      `INSERT INTO number VALUES ${Array.from({ length: 1000 }, (_, i) => `(${n + i})`).join(',')}`,
    );
  await connection.beginTransaction();
  for (let from = 0; from < rows; from += step)
    await connection.query(
      `INSERT INTO large SELECT ${from} + n, (${from} + n) * 7919, CONCAT('row ', ${from} + n), '2026-01-01 00:00:00.5' FROM number WHERE ${from} + n < ${rows}`,
    );
  await connection.commit();
}

describe('G6 bounded memory', () => {
  it('a transaction of 4 GiB passes with every node under 350 MB, and the target shows all of it or nothing', async () => {
    await using run = await Replication.create({
      source: 'mariadb',
      target: 'mariadb',
      sourceSettings: { max_allowed_packet: 64 * MIB },
      targetSettings: { max_allowed_packet: 64 * MIB },
      nodes: { 'east-1': 'east', 'west-1': 'west' },
    });
    const { holt, source, target } = run;
    for (const db of [source.db, target.db])
      await db.query(`CREATE TABLE ${SCHEMA}.large (id INT PRIMARY KEY, filler LONGBLOB NOT NULL)`);
    await holt.start();
    await run.reigning();
    const rows = Math.floor(TOTAL / ROW);
    await allOrNothing(run, rows, async () => {
      const connection = await source.db.connect({ schema: SCHEMA });
      await fillBytes(connection, rows);
      await connection.end();
    });
    const digest = `SELECT SUM(CRC32(CONCAT(id, SHA1(filler)))) FROM ${SCHEMA}.large`;
    expect(await target.db.value(digest)).toBe(await source.db.value(digest));
    report(`${TOTAL / MIB} MiB`, peaks(run));
  });

  const pairs: readonly (readonly [DatabaseFlavour, DatabaseFlavour])[] = [
    ['mariadb', 'mariadb'],
    ['mysql', 'mysql'],
  ];
  it.for(pairs)(
    'a transaction of 5 million rows passes with every node under 350 MB, through a kill of Load in the midst of it: %s → %s',
    async ([from, to], context) => {
      let made: Replication;
      try {
        made = await Replication.create({
          source: from,
          target: to,
          nodes: { 'east-1': 'east', 'west-1': 'west' },
        });
      } catch (error) {
        if (error instanceof ServerUnavailable) return context.skip(`SKIPPED: ${error.message}`);
        throw error;
      }
      await using run = made;
      const { holt, source, target } = run;
      for (const db of [source.db, target.db]) await db.query(`CREATE TABLE ${SCHEMA}.large ${SMALL_ROW}`);
      await holt.start();
      await run.reigning();
      const loader = holt.node('west-1');
      await loader.stop();
      await loader.start({ failpoints: 'load:before=kill@20' });
      await allOrNothing(run, ROWS, async () => {
        const connection = await source.db.connect({ schema: SCHEMA });
        await fillRows(connection, ROWS);
        await connection.end();
        const end = await withDeadline(loader.process.ended, 300_000, 'Load to be killed between two parts');
        expect(end.signal).toBe('SIGKILL');
        await loader.start();
      });
      const digest = `SELECT SUM(CRC32(CONCAT_WS(',', id, a, b, c))) FROM ${SCHEMA}.large`;
      expect(await target.db.value(digest)).toBe(await source.db.value(digest));
      report(`${ROWS} rows, ${from} → ${to}`, peaks(run));
    },
  );
});

function report(what: string, found: Readonly<Record<string, number>>): void {
  const shown = Object.entries(found).map(([node, bytes]) => `${node} ${Math.round(bytes / 1e6)} MB`);
  console.log(`peak memory, ${what}: ${shown.join(', ')}`);
  for (const bytes of Object.values(found)) expect(bytes).toBeLessThan(MEMORY);
}
