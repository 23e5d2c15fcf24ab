import type { Breather } from '../../../lib/breather.ts';
import { ByteSink } from '../../../lib/byte-sink.ts';
import { writeExactMatch } from './exact-match.ts';
import type { TableFold } from './fold.ts';
import { checkPacket } from './row-too-large.ts';
import type { Statement } from './statement.ts';
import type { TablePlan } from './table-plan.ts';
import type { TargetTraits } from './target-table.ts';

/** Rows in one look: the server compares each row it finds by key with every image of the list. */
const ROWS_A_LOOK = 100;

/**
 * Locking reads that count the rows which are, byte for byte, what their before images say. A row that the batch finds
 * there is compared as it was before the batch; rows that it inserts need no look, since a plain INSERT fails on what is there.
 */
export async function writeComparisons(options: {
  readonly fold: TableFold;
  readonly traits: TargetTraits;
  readonly payload: Buffer;
  readonly maxStatementBytes: number;
  readonly emit: (statement: Statement) => void;
  readonly breather: Breather;
  readonly pause: () => Promise<void>;
}): Promise<void> {
  const { fold, traits, payload, breather, pause } = options;
  const most = Math.min(options.maxStatementBytes, traits.maxAllowedPacket / 2);
  const sink = new ByteSink();
  let rows = 0;
  let plan: TablePlan | null = null;
  const end = () => {
    if (rows === 0 || plan === null) return;
    sink.latin1(' FOR UPDATE');
    const table = `${plan.target.schema}.${plan.target.name}`;
    checkPacket(table, sink.length, traits.maxAllowedPacket);
    options.emit({ kind: 'compare', sql: sink.take(), rows, checksOff: 0, table });
    rows = 0;
  };
  for (let entry = 0; entry < fold.size; entry++) {
    const change = fold.change(entry);
    if (change !== 'update' && change !== 'delete') continue;
    const own = fold.keyPlanOf(entry);
    if (own !== plan || rows >= Math.min(ROWS_A_LOOK, own.mostKeys) || sink.length > most) end();
    plan = own;
    if (rows === 0) {
      sink.reset();
      sink.utf8(`SELECT COUNT(*) FROM ${own.quotedTable} WHERE `);
    } else sink.latin1(' OR ');
    sink.byte(0x28);
    writeExactMatch(sink, own, fold.keyImage(entry), payload);
    sink.byte(0x29);
    rows += 1;
    if (breather.due()) await pause();
  }
  end();
}
