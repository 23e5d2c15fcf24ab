/** What people ask of the journal: to see it, and to say what became of a statement where nothing else can. */
import { HoltError } from '../../../lib/errors.ts';
import { LANE } from '../../../model/holt-tables.ts';
import { readCheckpointRow } from '../target/checkpoint-row.ts';
import type { TargetSession } from '../target/target-connection.ts';
import { isRegistered } from '../target/writer-registry.ts';
import type { DdlRow } from './ddl.ts';
import { closeDdlRow, readDdlRow } from './journal.ts';
import { readLogEnd } from './target-log.ts';

/** @throws HoltError HOLT_DDL_MISSING */
export async function ddlRow(session: TargetSession, pipeline: string, id: bigint): Promise<DdlRow> {
  const row = await readDdlRow(session, pipeline, id);
  if (row === null)
    throw new HoltError('HOLT_DDL_MISSING', `the journal of ${pipeline} has no row ${id}`, {
      disposition: 'fatal',
      facts: { pipeline, id: String(id) },
    });
  return row;
}

export interface SettleByHand {
  readonly id: bigint;
  readonly ran: boolean;
  readonly by: string;
}

/**
 * A person says whether the statement ran. Only of one that is open and whose connection is gone: what is under way says it itself.
 * @throws HoltError HOLT_DDL_MISSING, HOLT_DDL_SETTLED
 */
export async function settleByHand(
  session: TargetSession,
  pipeline: string,
  { id, ran, by }: SettleByHand,
): Promise<DdlRow> {
  const found = await ddlRow(session, pipeline, id);
  if (found.state === 'open' && (await isRegistered(session, found.registration)))
    throw new HoltError(
      'HOLT_DDL_SETTLED',
      `${pipeline}: statement ${id} is under way, its connection lives`,
      {
        disposition: 'retry',
        facts: { pipeline, id: String(id) },
      },
    );
  await session.execute('START TRANSACTION');
  try {
    await readCheckpointRow(session, pipeline, LANE.stream, true);
    const closed = await closeDdlRow(session, id, {
      state: ran ? 'ran' : 'void',
      why: `${by} says that it ${ran ? 'ran' : 'did not run'}`,
      by,
      log: await readLogEnd(session, session.server),
    });
    if (closed !== 1)
      throw new HoltError('HOLT_DDL_SETTLED', `${pipeline}: statement ${id} is not open: ${found.state}`, {
        disposition: 'fatal',
        facts: { pipeline, id: String(id), state: found.state },
      });
    await session.execute('COMMIT');
  } catch (error) {
    await session.execute('ROLLBACK').catch(() => {});
    throw error;
  }
  return ddlRow(session, pipeline, id);
}
