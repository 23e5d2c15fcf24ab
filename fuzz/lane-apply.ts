/**
 * Batches over parallel lanes, as `stages/load/lanes/laned-load-run.ts` does it but for the checkpoint: each share in a transaction of its
 * own, all at once. Every few batches some lanes do not write, as if the node had died: what they have left must be just what
 * the others have not done.
 */

import { coveredBy } from '../model/position-cover.ts';
import type { AppliedBatch, SqlBatchApplier } from '../stages/load/apply/batch-applier.ts';
import { planWith } from '../stages/load/lanes/lane-plan.ts';
import { LanePreparer } from '../stages/load/lanes/lane-preparer.ts';
import { restOf } from '../stages/load/lanes/split-lanes.ts';
import { classify } from '../stages/load/target/error-classes.ts';
import type { TargetSession } from '../stages/load/target/target-connection.ts';
import type { TransformedBatch } from '../stages/stage.ts';

export interface LaneApplyOptions {
  readonly applier: SqlBatchApplier;
  /** One a lane. */
  readonly sessions: readonly TargetSession[];
}

export class LaneApply {
  readonly #options: LaneApplyOptions;
  readonly #preparer: LanePreparer<AppliedBatch, AppliedBatch>;
  #batches = 0;

  constructor(options: LaneApplyOptions) {
    const { applier, sessions } = options;
    this.#options = options;
    this.#preparer = new LanePreparer({
      lanes: sessions.length,
      minRows: 1,
      serial: applier,
      share: applier,
      plan: (shape, route) => applier.plan(shape, route),
      isProcessed: () => false,
    });
  }

  /** What is to be applied in order: all of the batch where it is not divided, else what lanes have left. */
  async apply(
    batch: TransformedBatch,
    signal: AbortSignal,
  ): Promise<{ readonly rest: AppliedBatch; readonly lanes: number }> {
    const { applier } = this.#options;
    const { serial, laned } = await this.#preparer.prepare(batch, signal);
    if (serial !== null) return { rest: serial, lanes: 0 };
    if (laned === null) throw new Error('neither divided nor whole');
    this.#batches += 1;
    const done = await Promise.all(
      laned.shares
        .filter(({ lane }) => (this.#batches * 7 + lane * 3) % 5 !== 0)
        .map(async ({ lane, prepared }) => ((await this.#share(lane, prepared, signal)) ? [lane] : [])),
    );
    const plan = planWith(null, this.#preparer.lanes, laned.rules);
    if (plan === null) throw new Error('no plan');
    const has = coveredBy(laned.reached);
    const lanes = done.flat();
    const rest = await restOf(batch, plan, new Map(lanes.map((lane) => [lane, has])), signal);
    return { rest: await applier.prepare(rest, signal), lanes: lanes.length };
  }

  /** False where the lane leaves its share. */
  async #share(lane: number, prepared: AppliedBatch, signal: AbortSignal): Promise<boolean> {
    const session = this.#options.sessions[lane - 1];
    if (session === undefined) throw new Error(`no lane ${lane}`);
    await session.execute('START TRANSACTION');
    try {
      await this.#options.applier.execute(prepared, session, signal);
      await session.execute('COMMIT');
      return true;
    } catch (error) {
      await session.execute('ROLLBACK');
      if (classify(error) === 'other') throw error;
      return false;
    }
  }
}
