/**
 * `LoadRun` in apply mode `parallel`: a batch's rows go over several connections at once, each a lane with a transaction and a
 * checkpoint row of its own; then the stream's row moves, which says that all lanes are done with the batch.
 *
 *                    ┌─ lane 1: guard, its rows, COMMIT ─┐
 *     batch n ─plan──┼─ lane 2: guard, its rows, COMMIT ─┼─ stream: guard n, what lanes left, COMMIT ─► receipt
 *                    └─ lane k: guard, its rows, COMMIT ─┘
 *
 * What must hold, for every lane i with position Pᵢ, and P₀ that of the stream's row: of all changes that the plan on record gives to
 * lane i, those in P₀ or Pᵢ have taken effect once, and no others have. It is so when the lanes begin; a lane's commit moves Pᵢ over just
 * its share of the batch; the stream's commit moves P₀ over the whole batch when every share is done, and does what lanes have left in
 * the same transaction. Whatever dies in between leaves some lanes ahead of P₀ by shares of that one batch.
 *
 * So after a fault reading goes on from P₀, the lowest, and of what comes, rows are left out that a lane ahead has done (`restOf`): by the
 * plan on record, in order and in one transaction a batch, until P₀ has passed all lanes. Only then are rows given to lanes again, and
 * only then may the plan change, and the number of lanes. The same in mode `prefix`, so that the mode may change at any time.
 *
 * No zombie: a raise locks the lanes' rows with the stream's, and sets tenure in all; taking Load sets the loader in all; both end the
 * lanes' connections first, all of which are registered.
 *
 * Lanes fight for nothing: what diverges, collides, or meets locks or a parked table too long is left, and goes in order behind the
 * stream's guard, where all the means of the default mode are: row by row, ledger, parking, waiting.
 *
 * Failpoints: lanes:planned, lanes:done, and those of `lane.ts`.
 */

import { HoltError } from '../../../lib/errors.ts';
import { failpoint } from '../../../lib/failpoint.ts';
import { type Logger, silentLogger } from '../../../lib/logger.ts';
import type { BatchHeader } from '../../../model/batch.ts';
import type { Position } from '../../../model/position.ts';
import { coveredBy, isBeyond } from '../../../model/position-cover.ts';
import type { LoadOutcome, LoadStats, TransformedBatch } from '../../stage.ts';
import type { ApplyResult, BatchApplier, LoadRun, PreparedBatch } from '../load.ts';
import { type LoadRunOptions, TargetLoadRun } from '../load-run.ts';
import type { LoadSessionOptions } from '../load-session.ts';
import { endOf, type GuardStatement } from '../target/guard.ts';
import { Lane } from './lane.ts';
import { type LanePlan, planWith, readLanePlan, writeLanePlan } from './lane-plan.ts';
import type { Laned, LanedPrepared } from './lane-preparer.ts';
import { definitionsOnly, type LanesDone, restOf } from './split-lanes.ts';

export interface LanedLoadRunOptions<Serial extends PreparedBatch, Share extends PreparedBatch>
  extends LoadRunOptions<Serial> {
  /** 0 in mode `prefix`. */
  readonly lanes: number;
  readonly shareApplier: Pick<BatchApplier<Share>, 'execute'>;
  /** Told what a lane has committed: its number, and rows. */
  readonly onLane?: (lane: number, rows: number) => void;
  /** For tests that show what a weaker guard would let through. */
  readonly laneGuard?: GuardStatement;
}

export class LanedLoadRun<Serial extends PreparedBatch, Share extends PreparedBatch> implements LoadRun {
  readonly #options: LanedLoadRunOptions<Serial, Share>;
  readonly #log: Logger;
  readonly #stream: TargetLoadRun<Serial>;
  readonly #lanes: readonly Lane<Share>[];
  /** By lane that has done more than the stream's row says: how far. Empty: all are level. */
  readonly #ahead = new Map<number, Position>();
  /** What is on record; null for nothing. */
  #plan: LanePlan | null = null;
  /** Tenure and loader that the lanes write for. */
  #joined: string | null = null;

  constructor(options: LanedLoadRunOptions<Serial, Share>) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    this.#stream = new TargetLoadRun<Serial>(options);
    const session: LoadSessionOptions = options;
    this.#lanes = Array.from(
      { length: options.lanes },
      (_, index) =>
        new Lane<Share>({
          ...session,
          lane: index + 1,
          applier: options.shareApplier,
          guard: options.laneGuard,
        }),
    );
  }

  get nextSeq(): bigint {
    return this.#stream.nextSeq;
  }

  get open(): BatchHeader | null {
    return this.#stream.open;
  }

  /** Lanes that are ahead of the stream's row: after a fault, until it has passed them. */
  get ahead(): readonly number[] {
    return [...this.#ahead.keys()];
  }

  async take(tenure: string, epoch: number, signal: AbortSignal): Promise<LoadOutcome | null> {
    const outcome = await this.#stream.take(tenure, epoch, signal);
    const { reign } = this.#stream;
    if (outcome !== null || reign === null) return outcome ?? { kind: 'lost-run' };
    const run = `${reign.tenure}/${reign.loader}`;
    // Looking where the row is (an advance has moved it) says nothing new of lanes.
    if (this.#joined === run) return null;
    await Promise.all(this.#lanes.map((lane) => lane.close()));
    this.#joined = null;
    const { lanes, takenAt } = this.#stream;
    if (takenAt === null) return { kind: 'lost-run' };
    this.#ahead.clear();
    for (const { lane, position } of lanes) if (isBeyond(position, takenAt)) this.#ahead.set(lane, position);
    if (this.#ahead.size > 0 || this.#lanes.length > 0) {
      const plan = await this.#stream.ask(signal, (one) => readLanePlan(one, this.#options.pipeline));
      if (plan !== null && 'kind' in plan) return plan;
      this.#plan = plan;
      if (plan === null && this.#ahead.size > 0) return { kind: 'stop', error: this.#noPlan() };
    }
    for (const lane of this.#lanes) {
      const row = lanes.find((one) => one.lane === lane.number);
      // Rows are made by the raise alone: a configuration that asks for more lanes has begun a reign.
      if (row === undefined) return { kind: 'rewind', why: `lane ${lane.number} has no row yet` };
      lane.join(reign, row);
    }
    this.#joined = run;
    this.#tellTaken();
    return null;
  }

  async load(given: PreparedBatch, signal: AbortSignal): Promise<LoadOutcome> {
    const prepared = given as LanedPrepared<Serial, Share>;
    const { batch, laned } = prepared;
    const isNext = BigInt(batch.header.seq) === this.nextSeq && this.#joined !== null;
    let outcome: LoadOutcome;
    // A schema change stands in no batch that lanes have written.
    if (batch.ddl !== undefined) outcome = await this.#stream.load(given, signal);
    else if (this.#ahead.size > 0)
      outcome = await this.#stream.load(await this.#rest(batch, this.#doneAhead(), signal), signal);
    else if (laned !== null && isNext) outcome = await this.#loadLaned(batch, laned, signal);
    else outcome = await this.#stream.load(prepared.serial ?? (await this.#serial(batch, signal)), signal);
    if (outcome.kind === 'applied' || outcome.kind === 'repeat') this.#passed(batch.header);
    return outcome;
  }

  async loadPart(given: PreparedBatch, signal: AbortSignal): Promise<LoadOutcome | null> {
    const { batch, serial } = given as LanedPrepared<Serial, Share>;
    const prepared =
      this.#ahead.size > 0
        ? await this.#rest(batch, this.#doneAhead(), signal)
        : (serial ?? (await this.#serial(batch, signal)));
    const outcome = await this.#stream.loadPart(prepared, signal);
    if (outcome?.kind === 'applied') this.#passed(batch.header);
    return outcome;
  }

  async close(): Promise<void> {
    this.#joined = null;
    await Promise.all([...this.#lanes.map((lane) => lane.close()), this.#stream.close()]);
  }

  async #loadLaned(batch: TransformedBatch, laned: Laned<Share>, signal: AbortSignal): Promise<LoadOutcome> {
    const { header } = batch;
    const { pipeline, onState, onLane } = this.#options;
    const refused = await this.#recordPlan(header, laned, signal);
    if (refused !== null) return refused;
    onState?.({ kind: 'executing', seq: BigInt(header.seq), careful: false });
    const startedMs = performance.now();
    const work = laned.shares.map(async ({ lane, rows, prepared }) => {
      const own = this.#lanes[lane - 1];
      if (own === undefined) throw new HoltError('HOLT_LOAD_DEFECT', `there is no lane ${lane}`);
      const outcome = await own.load(prepared, header, laned.reached, signal);
      if (outcome.kind === 'done') onLane?.(lane, rows);
      return { lane, outcome };
    });
    // All of them: nothing of this batch may still be on its way when the next thing is done.
    const settled = await Promise.allSettled(work);
    const done = new Map<number, ApplyResult>();
    const left: { readonly lane: number; readonly why: string }[] = [];
    for (const one of settled) {
      if (one.status === 'rejected') throw one.reason;
      const { lane, outcome } = one.value;
      if (outcome.kind === 'over') return outcome.outcome;
      if (outcome.kind === 'done') done.set(lane, outcome.result);
      else left.push({ lane, why: outcome.why });
    }
    await failpoint('lanes:done');
    if (left.length > 0)
      this.#log.info(
        { event: 'lanes:left', pipeline, batch: header.seq, left },
        'lanes have left rows of a batch; they go in order',
      );
    const lanesMs = performance.now() - startedMs;
    const all: LanesDone = new Map([...done.keys()].map((lane) => [lane, () => true]));
    const rest =
      left.length > 0 ? await this.#rest(batch, all, signal) : await this.#serial(withoutRows(batch), signal);
    const outcome = await this.#stream.load(rest, signal);
    return outcome.kind === 'applied'
      ? { ...outcome, stats: summed(outcome.stats, [...done.values()], lanesMs) }
      : outcome;
  }

  /** Before any lane writes by it; all are level now. */
  async #recordPlan(
    header: BatchHeader,
    laned: Laned<Share>,
    signal: AbortSignal,
  ): Promise<LoadOutcome | null> {
    const { pipeline, lanes } = this.#options;
    const plan = planWith(this.#plan, lanes, laned.rules);
    if (plan === null) return null;
    const refused = await this.#stream.record(header, (one) => writeLanePlan(one, pipeline, plan), signal);
    if (refused !== null) return refused;
    this.#plan = plan;
    this.#log.debug(
      { event: 'lanes:planned', pipeline, lanes, tables: plan.rules.size },
      'the rules by which rows go to lanes are on record',
    );
    await failpoint('lanes:planned');
    return null;
  }

  #serial(batch: TransformedBatch, signal: AbortSignal): Promise<Serial> {
    return this.#options.applier.prepare(batch, signal);
  }

  async #rest(batch: TransformedBatch, done: LanesDone, signal: AbortSignal): Promise<PreparedBatch> {
    const plan = this.#plan;
    if (plan === null) throw this.#noPlan();
    return this.#serial(await restOf(batch, plan, done, signal), signal);
  }

  #doneAhead(): LanesDone {
    return new Map([...this.#ahead].map(([lane, position]) => [lane, coveredBy(position.text)]));
  }

  /** The stream's row is at the batch's end. */
  #passed(header: BatchHeader): void {
    if (this.#ahead.size === 0) return;
    const { position: here } = endOf(header);
    for (const [lane, position] of this.#ahead) if (!isBeyond(position, here)) this.#ahead.delete(lane);
    if (this.#ahead.size === 0)
      this.#log.info(
        { event: 'lanes:level', pipeline: this.#options.pipeline, batch: header.seq },
        'all lanes are level again',
      );
  }

  #tellTaken(): void {
    const { pipeline, lanes } = this.#options;
    if (lanes > 0)
      this.#log.info(
        { event: 'lanes:taken', pipeline, lanes, ahead: this.ahead },
        'apply mode parallel: readers of the target may see a part of a batch (no consistent prefix, G3)',
      );
    else if (this.#ahead.size > 0)
      this.#log.info(
        { event: 'lanes:taken', pipeline, lanes, ahead: this.ahead },
        'lanes of an earlier mode are ahead; what they have done is left out until all are level',
      );
  }

  #noPlan(): HoltError {
    const { pipeline, target } = this.#options;
    return new HoltError(
      'HOLT_LANES_UNCLEAR',
      `${pipeline}: lanes have done parts of a batch, and holt.lane_plan does not say which`,
      { disposition: 'pause', facts: { pipeline, target: target.name, lanes: this.ahead.join(',') } },
    );
  }
}

/** What else the stream's transaction brings: the mark, the position, definitions of tables. */
function withoutRows(batch: TransformedBatch): TransformedBatch {
  return { ...batch, payload: definitionsOnly(batch.payload), routes: [] };
}

function summed(stats: LoadStats, lanes: readonly ApplyResult[], lanesMs: number): LoadStats {
  const sum = (name: 'rows' | 'inserted' | 'updated' | 'deleted' | 'statements') =>
    lanes.reduce((total, one) => total + one[name], stats[name]);
  return {
    ...stats,
    rows: sum('rows'),
    inserted: sum('inserted'),
    updated: sum('updated'),
    deleted: sum('deleted'),
    statements: sum('statements'),
    executeMs: stats.executeMs + lanesMs,
  };
}
