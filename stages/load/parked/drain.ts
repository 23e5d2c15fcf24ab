/**
 * Draining: the held changes of a group of tables, applied in their order, each entry in one transaction with its deletion.
 *
 *     START TRANSACTION
 *       lane's row locked · the entry is still the oldest · guard of the lane (loop mark with the entry's origin)
 *       the entry's changes applied, as Load applies a batch · the entry deleted
 *     COMMIT
 *     nothing left: root's row locked · still nothing left · the group's rows deleted     the tables are applied again
 *
 * Whoever is killed in between has done an entry or has not; another goes on with the oldest that is left. Several may
 * drain at once: the lane's row makes them one.
 *
 * Failpoints: drain:unparking, drain:guarded, drain:before-commit, drain:after-commit, drain:before-unpark.
 */
import { Backoff } from '../../../lib/backoff.ts';
import { type Clock, systemClock } from '../../../lib/clock.ts';
import { HoltError } from '../../../lib/errors.ts';
import { failpoint } from '../../../lib/failpoint.ts';
import { type Logger, silentLogger } from '../../../lib/logger.ts';
import type { BatchHeader } from '../../../model/batch.ts';
import type { DataSourceConfig } from '../../../model/config.ts';
import { LANE } from '../../../model/holt-tables.ts';
import type { NodeId } from '../../../model/ids.ts';
import { surveyPayload } from '../../../model/payload.ts';
import type { PositionText } from '../../../model/position.ts';
import type { TransformedBatch } from '../../stage.ts';
import { dropHeld, nextHeld, type StoredPayload } from '../held.ts';
import { keptHeader, noCheckpoint } from '../kept-batch.ts';
import { type ApplyResult, type BatchApplier, DivergenceSignal, type PreparedBatch } from '../load.ts';
import { type CheckpointRow, readCheckpointRow } from '../target/checkpoint-row.ts';
import { classify, targetError } from '../target/error-classes.ts';
import { guardBeside, guardStatement } from '../target/guard.ts';
import { type ConnectTarget, connectTarget } from '../target/mysql2-connection.ts';
import { openRegistered } from '../target/registered-session.ts';
import { bytesLiteral, integerLiteral } from '../target/sql-text.ts';
import type { RegisteredWriter } from '../target/writer-registry.ts';
import { heldSubject, isSameTable, type TableName, tableText } from './parked.ts';
import { deleteGroup, lockParked, setGroupState } from './parked-rows.ts';

export interface DrainOptions<Prepared extends PreparedBatch> {
  readonly pipeline: string;
  readonly root: TableName;
  readonly node: NodeId;
  readonly target: DataSourceConfig;
  readonly applier: BatchApplier<Prepared>;
  /** What Extract and Transform make of held changes now: by the rules of today, and with columns that are known by now. */
  readonly transform: (held: HeldBatch, signal: AbortSignal) => Promise<TransformedBatch>;
  readonly signal: AbortSignal;
  readonly onProgress?: (done: DrainProgress) => void;
  readonly connect?: ConnectTarget;
  readonly clock?: Clock;
  readonly log?: Logger;
}

/** An entry of `holt.held` with the header that applying wants. */
export interface HeldBatch {
  readonly header: BatchHeader;
  readonly payload: Buffer;
}

export interface DrainProgress {
  /** Row changes that took effect, and those that went to the ledger. */
  readonly changes: number;
  readonly ledgered: number;
}

export type DrainOutcome =
  /** Nothing was left, and the tables are applied again. */
  | { readonly kind: 'unparked'; readonly done: DrainProgress }
  /** An entry cannot be applied: the group is parked again with this reason. */
  | { readonly kind: 'refused'; readonly error: HoltError; readonly done: DrainProgress }
  /** Somebody else finished it, parked it again, or joined it to another group. */
  | { readonly kind: 'over'; readonly done: DrainProgress };

type Step = 'applied' | 'moved' | 'unparked' | 'over';

/** Tries at one entry that meets locks of others, before the pause grows no more. */
const LANE_ATTEMPTS = 20;

/**
 * Drains a group that is in state `draining`.
 * @throws HoltError with disposition `retry` when the target cannot be reached or stays locked; the abort reason.
 */
export async function drainGroup<Prepared extends PreparedBatch>(
  options: DrainOptions<Prepared>,
): Promise<DrainOutcome> {
  const clock = options.clock ?? systemClock;
  const log = options.log ?? silentLogger;
  const { pipeline, root, signal } = options;
  const backoff = new Backoff({ initialMs: 20, maxMs: 2_000 });
  let done: DrainProgress = { changes: 0, ledgered: 0 };
  const link: { writer: RegisteredWriter | null } = { writer: null };
  const abort = () => link.writer?.destroy();
  signal.addEventListener('abort', abort, { once: true });
  try {
    for (;;) {
      signal.throwIfAborted();
      try {
        const writer = link.writer?.usable === true ? link.writer : await open(options);
        link.writer = writer;
        const drainer = new Drainer(options, writer, (result) => {
          done = { changes: done.changes + result.rows, ledgered: done.ledgered + result.ledgered };
          options.onProgress?.(done);
        });
        const step = await drainer.step();
        backoff.reset();
        if (step === 'unparked') {
          log.info(
            { event: 'table:unparked', pipeline, root: tableText(root), ...done },
            'tables are applied again',
          );
          return { kind: 'unparked', done };
        }
        if (step === 'over') return { kind: 'over', done };
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        const kind = classify(error);
        if ((kind === 'conflict' || kind === 'lost') && backoff.attempt < LANE_ATTEMPTS) {
          await clock.sleep(backoff.nextMs(), signal);
          continue;
        }
        if (kind === 'conflict' || kind === 'lost' || isPassing(error)) throw targetError(error);
        const refusal = targetError(error);
        if (link.writer?.usable === true) await refuse(link.writer, options, refusal);
        log.warn(
          { event: 'table:drain:refused', pipeline, root: tableText(root), err: refusal },
          'held changes cannot be applied; the tables stay parked',
        );
        return { kind: 'refused', error: refusal, done };
      }
    }
  } finally {
    signal.removeEventListener('abort', abort);
    if (link.writer?.usable === true) await link.writer.close();
    else link.writer?.destroy();
  }
}

/** What is no matter of the held changes: the target as a whole does not take anything now. */
function isPassing(error: unknown): boolean {
  const { code } = targetError(error);
  return (
    code === 'HOLT_TARGET_READ_ONLY' ||
    code === 'HOLT_TARGET_DISK' ||
    code === 'HOLT_TARGET_CONNECTIONS' ||
    code === 'HOLT_TARGET_UNREACHABLE'
  );
}

async function open<Prepared extends PreparedBatch>(
  options: DrainOptions<Prepared>,
): Promise<RegisteredWriter> {
  const { pipeline, node, target, signal } = options;
  const registering = await openRegistered({
    connect: options.connect ?? connectTarget,
    target,
    pipeline,
    lane: LANE.drain,
    role: 'drain',
    node,
    signal,
    deadlineMs: 60_000,
    accepts: (row) => row !== null,
  });
  if (registering.kind === 'refused') throw noCheckpoint(pipeline);
  return registering.writer;
}

async function refuse<Prepared extends PreparedBatch>(
  writer: RegisteredWriter,
  { pipeline, root }: DrainOptions<Prepared>,
  error: HoltError,
): Promise<void> {
  await setGroupState(writer, pipeline, root, 'parked', { code: error.code, why: error.message });
}

class Drainer<Prepared extends PreparedBatch> {
  readonly #options: DrainOptions<Prepared>;
  readonly #writer: RegisteredWriter;
  readonly #onApplied: (result: ApplyResult) => void;

  constructor(
    options: DrainOptions<Prepared>,
    writer: RegisteredWriter,
    onApplied: (result: ApplyResult) => void,
  ) {
    this.#options = options;
    this.#writer = writer;
    this.#onApplied = onApplied;
  }

  async step(): Promise<Step> {
    const { pipeline, root, applier, transform, signal } = this.#options;
    const entry = await nextHeld(this.#writer, heldSubject(pipeline, root));
    if (entry === null) return await this.#unpark();
    const batch = await transform(
      { header: headerOf(this.#options, entry, null), payload: entry.payload },
      signal,
    );
    const prepared = await applier.prepare(batch, signal);
    try {
      return await this.#apply(entry, prepared, false);
    } catch (error) {
      if (classify(error) !== 'careful') throw error;
      return await this.#apply(entry, prepared, true);
    }
  }

  async #apply(entry: StoredPayload, prepared: Prepared, careful: boolean): Promise<Step> {
    const { pipeline, root, applier, signal } = this.#options;
    const writer = this.#writer;
    const subject = heldSubject(pipeline, root);
    try {
      await writer.execute('START TRANSACTION');
      const row = await readCheckpointRow(writer, pipeline, LANE.drain, true);
      if (row === null) throw noCheckpoint(pipeline);
      if (!(await this.#isDraining(false))) return 'over';
      // Read before the lane's row was locked: another may have applied it since.
      if (!(await this.#isOldest(entry))) return 'moved';
      const { affectedRows } = await writer.execute(
        guardStatement(
          guardBeside(row, {
            pipeline,
            lane: LANE.drain,
            origin: entry.origin,
            targetIdentity: writer.session.server.identity,
          }),
        ),
      );
      if (affectedRows !== 1)
        throw new HoltError('HOLT_DRAIN_SUPERSEDED', `${pipeline} was raised on another server`, {
          disposition: 'retry',
        });
      await failpoint('drain:guarded');
      const work = { ...prepared, batch: { ...prepared.batch, header: headerOf(this.#options, entry, row) } };
      const result = careful
        ? await applier.executeCarefully(work, writer, signal)
        : await applier.execute(work, writer, signal);
      await dropHeld(writer, subject, entry.lastId);
      await failpoint('drain:before-commit');
      signal.throwIfAborted();
      await writer.execute('COMMIT');
      this.#onApplied(result);
      await failpoint('drain:after-commit');
      return 'applied';
    } catch (error) {
      if (error instanceof DivergenceSignal && careful)
        throw new HoltError('HOLT_LOAD_DEFECT', 'the careful path gave a divergence', { cause: error });
      throw error;
    } finally {
      if (writer.usable) await writer.execute('ROLLBACK').catch(() => writer.destroy());
    }
  }

  /** The last step: under lock on the root's row, which Load holds while it appends. */
  async #unpark(): Promise<Step> {
    const { pipeline, root } = this.#options;
    const writer = this.#writer;
    await failpoint('drain:unparking');
    try {
      await writer.execute('START TRANSACTION');
      if (!(await this.#isDraining(true))) return 'over';
      if ((await nextHeld(writer, heldSubject(pipeline, root))) !== null) return 'moved';
      await deleteGroup(writer, pipeline, root);
      await failpoint('drain:before-unpark');
      await writer.execute('COMMIT');
      return 'unparked';
    } finally {
      if (writer.usable) await writer.execute('ROLLBACK').catch(() => writer.destroy());
    }
  }

  async #isDraining(lock: boolean): Promise<boolean> {
    const { pipeline, root } = this.#options;
    if (lock) {
      const row = await lockParked(this.#writer, pipeline, root);
      return row !== null && row.state === 'draining' && isSameTable(row.root, root);
    }
    const rows = await this.#writer.rows(
      `SELECT 1 FROM holt.parked WHERE pipeline = ${bytesLiteral(pipeline)} AND table_schema = ${bytesLiteral(root.schema)} ` +
        `AND table_name = ${bytesLiteral(root.table)} AND root_schema = table_schema AND root_table = table_name AND state = ${bytesLiteral('draining')}`,
    );
    return rows.length > 0;
  }

  async #isOldest(entry: StoredPayload): Promise<boolean> {
    const { kind, subject, pipeline } = heldSubject(this.#options.pipeline, this.#options.root);
    const [row] = await this.#writer.rows(
      `SELECT id FROM holt.held WHERE pipeline = ${bytesLiteral(pipeline)} AND kind = ${bytesLiteral(kind)} ` +
        `AND subject = ${bytesLiteral(subject)} AND id <= ${integerLiteral(entry.firstId)} ORDER BY id LIMIT 1`,
    );
    return row?.[0]?.toString('latin1') === String(entry.firstId);
  }
}

/** What the applier wants to know of the batch that held changes were in. */
function headerOf<Prepared extends PreparedBatch>(
  options: DrainOptions<Prepared>,
  entry: StoredPayload,
  row: CheckpointRow | null,
): BatchHeader {
  return keptHeader({
    pipeline: options.pipeline,
    node: options.node,
    seq: entry.seq,
    origin: entry.origin,
    end: row?.position.text ?? (`file:held:held:${entry.firstId}` as PositionText),
    commitUs: entry.sourceCommittedUs,
    rows: surveyPayload(entry.payload).rows,
    bytes: entry.payload.length,
    row,
  });
}
