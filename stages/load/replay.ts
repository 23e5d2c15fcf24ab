/**
 * Applying a ledger entry later, at an operator's word: one transaction that moves the replay lane's own row (guard and loop mark), applies the
 * change, and marks the entry, all under lock. So it happens once, however often it is asked for, and it carries the mark
 * of the site where the change was first made: it does not go back there.
 *
 * The applier is one whose rule lets the source win; what it would write to the ledger comes here instead: an entry that still
 * leaves the target's version standing is a refusal, and nothing is changed.
 */
import { randomBytes } from 'node:crypto';
import { Backoff } from '../../lib/backoff.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { HoltError } from '../../lib/errors.ts';
import { failpoint } from '../../lib/failpoint.ts';
import type { BatchHeader } from '../../model/batch.ts';
import type { DataSourceConfig } from '../../model/config.ts';
import { LANE } from '../../model/holt-tables.ts';
import type { NodeId } from '../../model/ids.ts';
import type { PositionText } from '../../model/position.ts';
import { keptHeader, noCheckpoint } from './kept-batch.ts';
import { type LedgerSummary, readLedgerEntry, type StoredLedgerEntry } from './ledger.ts';
import type { LedgerEntry, LedgerWriter } from './ledger-contract.ts';
import type { BatchApplier, PreparedBatch } from './load.ts';
import { type CheckpointRow, readCheckpointRow } from './target/checkpoint-row.ts';
import { classify, targetError } from './target/error-classes.ts';
import { guardBeside, guardStatement } from './target/guard.ts';
import { type ConnectTarget, connectTarget } from './target/mysql2-connection.ts';
import { openRegistered } from './target/registered-session.ts';
import { bytesLiteral, hexLiteral, integerLiteral } from './target/sql-text.ts';
import { killWriters, type RegisteredWriter } from './target/writer-registry.ts';

/** Given to the applier as its ledger: writes nothing, remembers what could not be made true. */
export class ReplayLedger implements LedgerWriter {
  #refused: LedgerEntry | null = null;

  get refused(): LedgerEntry | null {
    return this.#refused;
  }

  forget(): void {
    this.#refused = null;
  }

  async append(_connection: unknown, _batch: BatchHeader, entry: LedgerEntry): Promise<void> {
    if (entry.decision === 'target') this.#refused = entry;
  }
}

export interface ReplayOptions<Prepared extends PreparedBatch> {
  readonly pipeline: string;
  readonly id: bigint;
  /** Who asked for it. */
  readonly by: string;
  readonly node: NodeId;
  readonly target: DataSourceConfig;
  /** Lets the source win, and has `ledger` as its ledger. */
  readonly applier: BatchApplier<Prepared>;
  readonly ledger: ReplayLedger;
  readonly signal: AbortSignal;
  readonly connect?: ConnectTarget;
  readonly deadlineMs?: number;
  readonly clock?: Clock;
}

/**
 * @returns the entry as it is afterwards.
 * @throws HoltError HOLT_LEDGER_MISSING, HOLT_LEDGER_REPLAYED, HOLT_REPLAY_REFUSED, HOLT_REPLAY_SUPERSEDED, HOLT_CHECKPOINT_MISSING; with
 *   disposition `retry` when the target cannot be reached or stays locked.
 */
export async function replayLedgerEntry<Prepared extends PreparedBatch>(
  options: ReplayOptions<Prepared>,
): Promise<LedgerSummary> {
  const clock = options.clock ?? systemClock;
  const end = clock.monotonicMs() + (options.deadlineMs ?? 60_000);
  const backoff = new Backoff({ initialMs: 20, maxMs: 1000 });
  /** Names this replay in the entry: after a lost answer it says whether it was done. */
  const token = randomBytes(16).toString('hex');
  let former: string | null = null;
  for (;;) {
    options.signal.throwIfAborted();
    try {
      const writer: RegisteredWriter = await open(options, former);
      former = writer.registration;
      try {
        await once(options, writer, token);
        const entry = await readLedgerEntry(writer, { pipeline: options.pipeline, id: options.id });
        await writer.close();
        return entry;
      } finally {
        writer.destroy();
      }
    } catch (error) {
      if (options.signal.aborted) throw options.signal.reason;
      const kind = classify(error);
      const again = kind === 'conflict' || kind === 'lost';
      if (!again || clock.monotonicMs() >= end)
        throw kind === 'other' || error instanceof HoltError ? error : targetError(error);
      await clock.sleep(backoff.nextMs(), options.signal);
    }
  }
}

async function open<Prepared extends PreparedBatch>(
  options: ReplayOptions<Prepared>,
  former: string | null,
): Promise<RegisteredWriter> {
  const { pipeline, node, target, signal } = options;
  const registering = await openRegistered({
    connect: options.connect ?? connectTarget,
    target,
    pipeline,
    lane: LANE.replay,
    role: 'replay',
    node,
    signal,
    deadlineMs: options.deadlineMs ?? 60_000,
    accepts: (row) => row !== null,
  });
  if (registering.kind === 'refused') throw noCheckpoint(pipeline);
  const { writer } = registering;
  try {
    // What an earlier attempt of ours left open must be gone before the row can say what became of it.
    if (former !== null)
      await killWriters({
        connection: writer,
        pipeline,
        which: (other) => other.registration === former,
        signal,
      });
    return writer;
  } catch (error) {
    writer.destroy();
    throw error;
  }
}

async function once<Prepared extends PreparedBatch>(
  options: ReplayOptions<Prepared>,
  writer: RegisteredWriter,
  token: string,
): Promise<void> {
  const { pipeline, id, applier, ledger, signal } = options;
  const stored = await readLedgerEntry(writer, { pipeline, id });
  if (await isDone(writer, stored, token)) return;
  const prepared = await applier.prepare(
    { header: headerOf(options, stored, null), payload: stored.change, routes: [stored.route] },
    signal,
  );
  ledger.forget();
  const abort = () => writer.destroy();
  signal.addEventListener('abort', abort, { once: true });
  try {
    await writer.execute('START TRANSACTION');
    const row = await readCheckpointRow(writer, pipeline, LANE.replay, true);
    if (row === null) throw noCheckpoint(pipeline);
    // Held now until COMMIT: of two that replay the same entry, the second finds it replayed.
    if (await isDone(writer, await readLedgerEntry(writer, { pipeline, id, lock: true }), token)) return;
    const { affectedRows } = await writer.execute(
      guardStatement(
        guardBeside(row, {
          pipeline,
          lane: LANE.replay,
          origin: stored.origin,
          targetIdentity: writer.session.server.identity,
        }),
      ),
    );
    if (affectedRows !== 1)
      throw new HoltError(
        'HOLT_REPLAY_SUPERSEDED',
        `${pipeline} was raised on another server; nothing was applied`,
        {
          disposition: 'fatal',
        },
      );
    await applier.executeCarefully(
      { ...prepared, batch: { ...prepared.batch, header: headerOf(options, stored, row) } },
      writer,
      signal,
    );
    if (ledger.refused !== null)
      throw new HoltError(
        'HOLT_REPLAY_REFUSED',
        `ledger entry ${id} cannot be applied: ${ledger.refused.kind}, ${ledger.refused.why}`,
        {
          disposition: 'fatal',
          facts: { pipeline, id, kind: ledger.refused.kind },
        },
      );
    await writer.execute(
      `UPDATE holt.ledger SET state = ${bytesLiteral('replayed')}, replay = ${hexLiteral(token)}, replayed_by = ${bytesLiteral(options.by)}, ` +
        `replayed_at = UTC_TIMESTAMP(6) WHERE id = ${integerLiteral(id)}`,
    );
    await failpoint('replay:before-commit');
    await writer.execute('COMMIT');
    await failpoint('replay:after-commit');
  } finally {
    signal.removeEventListener('abort', abort);
    if (writer.usable) await writer.execute('ROLLBACK').catch(() => writer.destroy());
  }
}

/** @returns true when this replay has been done already. @throws HoltError HOLT_LEDGER_REPLAYED when another one has. */
async function isDone(writer: RegisteredWriter, entry: LedgerSummary, token: string): Promise<boolean> {
  if (entry.state !== 'replayed') return false;
  const [row] = await writer.rows(`SELECT replay FROM holt.ledger WHERE id = ${integerLiteral(entry.id)}`);
  if (row?.[0]?.toString('hex') === token) return true;
  throw new HoltError(
    'HOLT_LEDGER_REPLAYED',
    `ledger entry ${entry.id} was replayed by ${entry.replayedBy} at ${entry.replayedAt}`,
    {
      disposition: 'fatal',
      facts: { id: entry.id },
    },
  );
}

/** What the applier wants to know of the batch that a kept change was in. */
function headerOf<Prepared extends PreparedBatch>(
  options: ReplayOptions<Prepared>,
  entry: StoredLedgerEntry,
  row: CheckpointRow | null,
): BatchHeader {
  return keptHeader({
    pipeline: options.pipeline,
    node: options.node,
    seq: entry.seq,
    origin: entry.origin,
    end: entry.batchEnd as PositionText,
    commitUs: entry.commitUs,
    rows: 1,
    bytes: entry.change.length,
    row,
  });
}
