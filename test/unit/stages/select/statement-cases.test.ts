import { describe, expect, it } from 'vitest';
import { TransactionAssembler } from '../../../../canal/assembler/transaction-assembler.ts';
import { HoltError } from '../../../../lib/errors.ts';
import { siteId } from '../../../../model/ids.ts';
import { PayloadReader } from '../../../../model/payload.ts';
import type { PositionText } from '../../../../model/position.ts';
import { BatchFormer } from '../../../../stages/select/batch-former.ts';
import { TableFilter } from '../../../../stages/select/table-filter.ts';
import { STATEMENT_CASES } from '../../../cases/statements/statement-cases.ts';
import { EventScript, tableMap } from '../../canal/assembler/event-script.ts';
import { shapeNamed } from './item-script.ts';

const TABLES = { t: tableMap(1, 'shop', 't', 1), m: tableMap(2, 'shop', 'm', 1) } as const;

/** The log of a case as events. */
function scriptOf(log: readonly string[]): EventScript {
  const script = new EventScript();
  let gtid = 0n;
  for (const line of log) {
    const row = /^([+-])([tm]) ([0-9]+)$/.exec(line);
    if (row !== null) {
      const map = row[2] === 'm' ? TABLES.m : TABLES.t;
      const data = Buffer.alloc(5);
      data.writeInt32LE(Number(row[3]), 1);
      script.map(map).rows(map, row[1] === '+' ? 'insert' : 'delete', data);
    } else if (line === 'GTID') script.gtid(++gtid);
    else if (line === 'XID') script.xid();
    else if (line === '{incident}')
      script.add((header) => ({ kind: 'incident', header, incident: 1, message: 'lost events' }));
    else if (line.startsWith('LOAD DATA')) script.loadData(line);
    else script.query(line);
  }
  return script;
}

/** Rows that get through, as in the log; then the error that ends it. */
function selected(log: readonly string[]): { readonly rows: string[]; readonly error: HoltError | null } {
  const former = new BatchFormer({
    start: { text: 'mysql:' as PositionText, at: null, lastEvent: null },
    site: siteId('east'),
    origins: [siteId('east')],
    tables: new TableFilter({ include: ['shop.*'], exclude: [] }, { caseSensitive: true }),
    limits: { maxRows: 1000, maxBytes: 1_000_000, partBytes: 1_000_000, window: 4 },
    cluster: 'c',
  });
  const assembler = new TransactionAssembler({
    shapeOf: (map) => shapeNamed(map.schema, map.table),
    countRows: (_, event) => event.data.length / 5,
    readMark: () => null,
    partBytes: 1_000_000,
    emit: (item) => expect(former.take(item)).toBe('taken'),
  });
  let error: HoltError | null = null;
  try {
    for (const { event, ...place } of scriptOf(log).events) assembler.push(event, place);
  } catch (thrown) {
    if (!(thrown instanceof HoltError)) throw thrown;
    error = thrown;
  }
  const rows: string[] = [];
  const batch = former.cut();
  if (batch !== null) {
    const reader = new PayloadReader(batch.payload);
    for (let record = reader.next(); record !== null; record = reader.next()) {
      if (record !== 'rows') continue;
      const table = reader.shapes[reader.table]?.table;
      for (let at = reader.dataStart; at < reader.dataEnd; at += 5)
        rows.push(`${reader.op === 'insert' ? '+' : '-'}${table} ${reader.bytes.readInt32LE(at + 1)}`);
    }
  }
  return { rows, error };
}

/** What must come through of a log that is carried whole: its rows, without those taken back. */
function rowsOf(log: readonly string[]): string[] {
  let rows: string[] = [];
  const savepoints = new Map<string, number>();
  for (const line of log) {
    if (/^[+-][tm] /.test(line)) rows.push(line);
    const savepoint = /^SAVEPOINT (.*)$/.exec(line)?.[1];
    if (savepoint !== undefined) savepoints.set(savepoint, rows.length);
    const back = /^ROLLBACK TO (.*)$/.exec(line)?.[1];
    if (back !== undefined) rows = rows.slice(0, savepoints.get(back));
  }
  return rows;
}

/** Rows of the transactions before the last. */
function rowsBefore(log: readonly string[]): string[] {
  return log.slice(0, log.lastIndexOf('GTID')).filter((line) => /^[+-][tm] /.test(line));
}

describe('statements that are not rows', () => {
  it.each(STATEMENT_CASES)('$title: $outcome', ({ log, outcome }) => {
    const { rows, error } = selected(log);
    if (outcome === 'equal') {
      expect(error).toBeNull();
      expect(rows).toEqual(rowsOf(log));
      return;
    }
    expect(error).toMatchObject({ code: outcome, disposition: 'pause' });
    expect(rows).toEqual(rowsBefore(log));
    // The way on is named; values of rows are not.
    expect(error?.remedy).toContain(String(error?.facts.behind));
    expect(`${error?.message} ${JSON.stringify(error?.facts, (_, v) => String(v))}`).not.toContain('424242');
  });
});
