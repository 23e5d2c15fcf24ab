import { expect, it } from 'vitest';
import { EventDecoder } from '../../../canal/event/decoder.ts';
import type { BinlogEvent, TableMap } from '../../../canal/event/event.ts';
import { readBinlogFile } from '../../../canal/event/file-reader.ts';
import { CHECKPOINT_COLUMN } from '../../../model/holt-tables.ts';
import { bitmapHas } from '../../../model/rows.ts';
import { EmptyAdvance } from '../../../stages/load/empty-advance.ts';
import { DATABASE_FLAVOURS } from '../../support/database.ts';
import type { DatabaseServer } from '../../support/database-server.ts';
import { withServer } from '../../support/servers.ts';
import { describeWithOwn } from '../../support/shared-servers.ts';
import { at, kindOf, noSignal, Pipeline } from './load-fixture.ts';

interface RowsEvent {
  readonly table: string;
  readonly op: string;
  /** Whether the after image shows seq and origin. */
  readonly showsMark: boolean;
}

/** The row events of each transaction, and statements that are none of a transaction's own, in the order of the log. */
async function transactions(server: DatabaseServer): Promise<RowsEvent[][]> {
  await server.db.query('FLUSH BINARY LOGS');
  const found: RowsEvent[][] = [];
  for (const file of await server.binlogFiles()) {
    const decoder = new EventDecoder();
    const tables = new Map<number, TableMap>();
    let open: RowsEvent[] = [];
    const take = (event: BinlogEvent) => {
      switch (event.kind) {
        case 'table-map':
          tables.set(event.map.tableId, event.map);
          return;
        case 'rows': {
          const map = tables.get(event.tableId);
          const after = event.after;
          open.push({
            table: `${map?.schema}.${map?.table}`,
            op: event.op,
            showsMark:
              map?.table === 'checkpoint' &&
              after !== null &&
              bitmapHas(after, CHECKPOINT_COLUMN.seq) &&
              bitmapHas(after, CHECKPOINT_COLUMN.origin),
          });
          return;
        }
        case 'xid':
          found.push(open);
          open = [];
          return;
        default:
      }
    };
    for await (const { bytes } of readBinlogFile(file)) take(decoder.decode(bytes));
  }
  return found;
}

for (const flavour of DATABASE_FLAVOURS)
  describeWithOwn([flavour], `the loop mark (${flavour})`, () => {
    for (const image of ['FULL', 'MINIMAL'])
      it(`is the first row event of every transaction that brings changes, under ${image} images`, async () => {
        const settings = {
          binlog_row_image: image,
          ...(flavour === 'mysql' ? {} : { binlog_format: 'MIXED' }),
        };
        await withServer(flavour, { settings }, async (server) => {
          const schema = await server.db.freshSchema('mark');
          const pipeline = await Pipeline.on({ db: server.db, schema });
          const reign = await pipeline.reign();
          const { run } = await pipeline.taken(reign);
          const before = (await transactions(server)).length;
          expect(kindOf(await run.load(pipeline.batch(reign, 1), noSignal))).toBe('applied');
          const part = (number: number, lastPart: boolean) =>
            pipeline.batch(reign, 2, { header: { part: number, lastPart } });
          await run.loadPart(part(0, false), noSignal);
          expect(kindOf(await run.loadPart(part(1, true), noSignal))).toBe('applied');
          const advance = new EmptyAdvance({
            pipeline: pipeline.name,
            node: 'node-a',
            target: pipeline.config,
            epoch: reign.epoch,
            tenure: reign.tenure,
            origin: 'east',
          });
          const step = { seq: 3n, start: at(2).text, end: at(3), sourceCommittedUs: 1 };
          expect(await advance.advance(step, noSignal)).toEqual({ kind: 'advanced' });
          await advance.close();
          await run.close();
          await pipeline.reign();
          const log = await transactions(server);
          const mark = { table: 'holt.checkpoint', op: 'update', showsMark: true };
          const row = { table: `${schema}.${pipeline.name}`, op: 'update', showsMark: false };
          const carrying = log
            .slice(before)
            .filter((events) =>
              events.some(({ table }) => table !== 'holt.writer' && table !== 'holt.checkpoint'),
            );
          expect(carrying).toEqual([
            [mark, row],
            [mark, row, row, { ...mark, showsMark: image === 'FULL' }],
          ]);
          expect(log.slice(before)).toContainEqual([mark]);
          // Under FULL images a raise shows seq as it was before; under MINIMAL it must not show it at all.
          if (image === 'MINIMAL') {
            const raises = log.filter(
              (events) =>
                events.filter(({ table }) => table === 'holt.checkpoint').length > 1 &&
                events.every(({ table }) => table.startsWith('holt.')),
            );
            expect(raises.length).toBeGreaterThan(0);
            for (const events of raises)
              for (const event of events) if (event.op === 'update') expect(event.showsMark).toBe(false);
          }
        });
      });
  });
