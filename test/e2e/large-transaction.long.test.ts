import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { waitFor } from '../../lib/abort.ts';
import { Replication } from '../support/replication.ts';
import { SCHEMA } from '../support/shop.ts';

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;

/** Bytes of binlog that the transaction has; smaller ones for a quick look: HOLT_TEST_LARGE_MIB=256. */
const TOTAL = Number(process.env.HOLT_TEST_LARGE_MIB ?? (2 * GIB) / MIB) * MIB;
const ROW = 1 * MIB;

/** Peak resident memory of a process, bytes. */
function peakMemory(pid: number): number {
  const kib = /VmHWM:\s+([0-9]+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) * 1024;
}

describe('G6 bounded memory', () => {
  it('a transaction of 2 GiB passes with every node under 400 MB, and the target shows all of it or nothing', async () => {
    await using run = await Replication.create({
      source: 'mariadb',
      target: 'mariadb',
      sourceSettings: { max_allowed_packet: 64 * MIB },
      targetSettings: { max_allowed_packet: 64 * MIB },
    });
    const { holt, source, target } = run;
    for (const db of [source.db, target.db])
      await db.query(`CREATE TABLE ${SCHEMA}.large (id INT PRIMARY KEY, filler LONGBLOB NOT NULL)`);
    await holt.start();
    await run.reigning();
    const rows = Math.floor(TOTAL / ROW);
    const seen = new Set<number>();
    let watching = true;
    const watcher = (async () => {
      while (watching) {
        seen.add(Number(await target.db.value(`SELECT COUNT(*) FROM ${SCHEMA}.large`)));
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    })();
    const connection = await source.db.connect({ schema: SCHEMA });
    await connection.beginTransaction();
    for (let id = 0; id < rows; id++)
      await connection.query(`INSERT INTO large VALUES (?, REPEAT(CHAR(? USING binary), ${ROW}))`, [
        id,
        id % 256,
      ]);
    await connection.commit();
    await connection.end();
    await waitFor(() => seen.has(rows), {
      timeoutMs: 1_200_000,
      pollMs: 200,
      what: 'the transaction to arrive',
    });
    watching = false;
    await watcher;
    expect([...seen].sort((a, b) => a - b)).toEqual([0, rows]);
    const digest = `SELECT SUM(CRC32(CONCAT(id, SHA1(filler)))) FROM ${SCHEMA}.large`;
    expect(await target.db.value(digest)).toBe(await source.db.value(digest));
    const peaks = Object.fromEntries(
      [...holt.nodes.values()].map((node) => [node.name, Math.round(peakMemory(node.process.pid) / MIB)]),
    );
    console.log(`peak memory, MiB: ${JSON.stringify(peaks)}`);
    for (const peak of Object.values(peaks)) expect(peak * MIB).toBeLessThan(400e6);
  });
});
