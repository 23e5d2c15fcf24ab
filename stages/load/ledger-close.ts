/**
 * Closing a ledger entry without applying it: somebody has looked at it, and what stands at the target shall stand. The entry stays with its
 * images, and may still be replayed.
 */
import { HoltError } from '../../lib/errors.ts';
import { type LedgerSummary, readLedgerEntry } from './ledger.ts';
import { bytesLiteral, integerLiteral } from './target/sql-text.ts';
import type { TargetConnection } from './target/target-connection.ts';

/** @throws HoltError HOLT_LEDGER_MISSING, HOLT_LEDGER_REPLAYED for one that is not open. */
export async function closeLedgerEntry(
  session: TargetConnection,
  { pipeline, id, by }: { readonly pipeline: string; readonly id: bigint; readonly by: string },
): Promise<LedgerSummary> {
  await session.execute('START TRANSACTION');
  try {
    const { affectedRows } = await session.execute(
      `UPDATE holt.ledger SET state = ${bytesLiteral('closed')}, replayed_by = ${bytesLiteral(by)}, replayed_at = UTC_TIMESTAMP(6) ` +
        `WHERE id = ${integerLiteral(id)} AND pipeline = ${bytesLiteral(pipeline)} AND state = ${bytesLiteral('open')}`,
    );
    const entry = await readLedgerEntry(session, { pipeline, id });
    if (affectedRows !== 1)
      throw new HoltError(
        'HOLT_LEDGER_REPLAYED',
        `ledger entry ${id} was ${entry.state} by ${entry.replayedBy} at ${entry.replayedAt}`,
        { disposition: 'fatal', facts: { pipeline, id } },
      );
    await session.execute('COMMIT');
    return entry;
  } catch (error) {
    await session.execute('ROLLBACK').catch(() => {});
    throw error;
  }
}
