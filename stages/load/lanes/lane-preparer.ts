/**
 * Prepares batches for lanes where that is safe and worth it, and for the stream's own connection where it is not: small batches (one
 * commit is quicker than several), schema changes, parts and chunks of large transactions, XA, tables that do not fit or whose rows
 * trigger something.
 *
 * A table's rule stays as long as this preparer does, and may only become coarser. That is a matter of cost, not of safety: no batch
 * begins before all lanes are done with the one before, and rules that differ from those on record are recorded first.
 */
import { HoltError } from '../../../lib/errors.ts';
import { surveyPayload } from '../../../model/payload.ts';
import type { PositionText } from '../../../model/position.ts';
import type { TableRoute } from '../../../model/table-route.ts';
import type { TableShape } from '../../../model/table-shape.ts';
import type { TransformedBatch } from '../../stage.ts';
import type { TablePlan } from '../apply/table-plan.ts';
import type { BatchApplier, PreparedBatch } from '../load.ts';
import { sourceKey } from './lane-plan.ts';
import { type LaneChoice, type LaneRule, laneChoice, targetName } from './lane-rule.ts';
import { splitLanes } from './split-lanes.ts';

export interface LanePreparerOptions<Serial extends PreparedBatch, Share extends PreparedBatch> {
  /** 1…MAX_LANES, or 0: nothing is divided. */
  readonly lanes: number;
  /** Batches with fewer rows go in order. */
  readonly minRows: number;
  readonly serial: BatchApplier<Serial>;
  readonly share: Pick<BatchApplier<Share>, 'prepare'>;
  readonly plan: (shape: TableShape, route: TableRoute) => Promise<TablePlan>;
  /** True where a user processor may have changed a table's rows. */
  readonly isProcessed: (shape: TableShape) => boolean;
}

export interface PreparedShare<Share> {
  readonly lane: number;
  readonly rows: number;
  readonly prepared: Share;
}

export interface Laned<Share> {
  readonly shares: readonly PreparedShare<Share>[];
  /** Where a lane is that has done its share. */
  readonly reached: PositionText;
  /** Of the batch's tables, by source table. */
  readonly rules: ReadonlyMap<string, LaneRule>;
}

/** Exactly one of the two is there. */
export interface LanedPrepared<Serial, Share> extends PreparedBatch {
  readonly serial: Serial | null;
  readonly laned: Laned<Share> | null;
}

export class LanePreparer<Serial extends PreparedBatch, Share extends PreparedBatch> {
  readonly #options: LanePreparerOptions<Serial, Share>;
  /** By target table: source tables whose rows go there. */
  readonly #sources = new Map<string, Set<string>>();
  /** By the name under which tables go together, their lane. */
  readonly #places = new Map<string, number>();
  /** Source tables that one lane writes though their columns would allow more. */
  readonly #coarse = new Set<string>();

  constructor(options: LanePreparerOptions<Serial, Share>) {
    this.#options = options;
  }

  get lanes(): number {
    return this.#options.lanes;
  }

  async prepare(batch: TransformedBatch, signal: AbortSignal): Promise<LanedPrepared<Serial, Share>> {
    const laned = this.#isDivisible(batch) ? await this.#divided(batch, signal) : null;
    if (laned !== null) {
      const shares = laned.shares.reduce((sum, { prepared }) => sum + prepared.bytes, 0);
      return { batch, bytes: batch.payload.length + shares, serial: null, laned };
    }
    const serial = await this.#options.serial.prepare(batch, signal);
    return { batch, bytes: serial.bytes, serial, laned: null };
  }

  #isDivisible({ header, payload, ddl }: TransformedBatch): boolean {
    if (this.#options.lanes === 0 || ddl !== undefined || header.rows < this.#options.minRows) return false;
    if (header.part !== 0 || !header.lastPart) return false;
    // A place inside a transaction: that is for the stream's row alone.
    if (header.start.includes('#') || header.end.includes('#')) return false;
    const { hasXa, shapes } = surveyPayload(payload);
    return !hasXa && shapes.every(({ fault }) => fault === undefined);
  }

  async #divided(batch: TransformedBatch, signal: AbortSignal): Promise<Laned<Share> | null> {
    const { lanes, share } = this.#options;
    try {
      for (;;) {
        const rules = await this.#rules(batch);
        if (rules === null) return null;
        const split = await splitLanes(batch, rules, lanes, signal);
        if (split.kind === 'disorder') return null;
        const { shapes } = surveyPayload(batch.payload);
        if (split.kind === 'moves') {
          for (const table of split.tables) this.#coarse.add(sourceKey(shapes[table] ?? NO_TABLE));
          continue;
        }
        const shares: PreparedShare<Share>[] = [];
        for (const { lane, rows, batch: own } of split.shares)
          shares.push({ lane, rows, prepared: await share.prepare(own, signal) });
        return {
          shares,
          reached: split.reached,
          rules: new Map(
            shapes.flatMap((shape, table): [string, LaneRule][] => {
              const rule = rules[table];
              return rule === undefined ? [] : [[sourceKey(shape), rule]];
            }),
          ),
        };
      }
    } catch (error) {
      signal.throwIfAborted();
      // What is wrong with a table is for the stream's way to tell: it may wait, or park the table.
      if (error instanceof HoltError) return null;
      throw error;
    }
  }

  /** By table number; null where the batch is not to be divided. */
  async #rules(batch: TransformedBatch): Promise<readonly LaneRule[] | null> {
    const { shapes } = surveyPayload(batch.payload);
    const plans = await this.#plans(batch);
    if (plans === null) return null;
    // While the last was asked for, the first may have got foreign keys: all of one view, or none.
    const again = await this.#plans(batch);
    if (again === null || again.some((plan, table) => plan !== plans[table])) return null;
    for (const [table, plan] of plans.entries())
      this.#noteSource(targetName(plan), sourceKey(shapes[table] ?? NO_TABLE));
    const choices = plans.map((plan) => this.#choice(plan));
    if (choices.includes(null)) return null;
    const coarse = coarsened(shapes, choices);
    return coarse.map((choice) =>
      choice.kind === 'hash' ? choice : { kind: 'whole', lane: this.#placeOf(choice.name) },
    );
  }

  async #plans({ payload, routes }: TransformedBatch): Promise<readonly TablePlan[] | null> {
    const plans: TablePlan[] = [];
    for (const [table, shape] of surveyPayload(payload).shapes.entries()) {
      const route = routes.find((one) => one.table === table);
      if (route === undefined) return null;
      plans.push(await this.#options.plan(shape, route));
    }
    return plans;
  }

  #noteSource(target: string, source: string): void {
    const sources = this.#sources.get(target);
    if (sources === undefined) this.#sources.set(target, new Set([source]));
    else sources.add(source);
  }

  #choice(plan: TablePlan): LaneChoice | null {
    const choice = laneChoice(plan);
    if (choice?.kind !== 'hash') return choice;
    const name = targetName(plan);
    const isMixed = (this.#sources.get(name)?.size ?? 0) > 1;
    return isMixed || this.#coarse.has(sourceKey(plan.shape)) || this.#options.isProcessed(plan.shape)
      ? { kind: 'together', name }
      : choice;
  }

  /** In turn: whoever comes next gets the next lane. */
  #placeOf(name: string): number {
    const known = this.#places.get(name);
    if (known !== undefined) return known;
    const lane = (this.#places.size % this.#options.lanes) + 1;
    this.#places.set(name, lane);
    return lane;
  }
}

const NO_TABLE = { schema: '', table: '' };

/** A source table that comes in several shapes has one rule: if any of them must stay together, all do. */
function coarsened(
  shapes: readonly TableShape[],
  choices: readonly (LaneChoice | null)[],
): readonly LaneChoice[] {
  const bySource = new Map<string, LaneChoice>();
  for (const [table, choice] of choices.entries()) {
    const key = sourceKey(shapes[table] ?? NO_TABLE);
    const other = bySource.get(key);
    if (choice === null) continue;
    if (other === undefined || other.kind === 'hash') bySource.set(key, choice);
  }
  return shapes.map((shape) => bySource.get(sourceKey(shape)) ?? { kind: 'together', name: '' });
}
