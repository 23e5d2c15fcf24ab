/**
 * An applier that holds back the changes of parked tables, around one that applies the others.
 *
 * What is parked is decided when a batch is prepared, by what was known then, and looked at again inside the guarded transaction: where
 * that differs, the batch is prepared again, there. So what commits with the guard is what the rows of `holt.parked`, locked
 * there, say.
 */
import { type Clock, systemClock } from '../../../lib/clock.ts';
import { HoltError } from '../../../lib/errors.ts';
import { failpoint } from '../../../lib/failpoint.ts';
import { type Logger, silentLogger } from '../../../lib/logger.ts';
import type { BatchHeader } from '../../../model/batch.ts';
import { surveyPayload } from '../../../model/payload.ts';
import type { TransformedBatch } from '../../stage.ts';
import { appendHeld } from '../held.ts';
import type { ApplyResult, BatchApplier, PreparedBatch } from '../load.ts';
import type { TargetConnection } from '../target/target-connection.ts';
import { type BatchTable, decideParking, NOTHING_PARKED, type ParkingDecision } from './decide-parking.ts';
import { heldSubject, isSameTable, type ParkedTable, type TableName, tableKey, tableText } from './parked.ts';
import { insertParked, joinGroups, lockParked, readParked } from './parked-rows.ts';
import type { ColumnRelation } from './relations.ts';
import { releases } from './releases.ts';
import { type HeldShare, splitBatch } from './split-payload.ts';

export interface ParkingApplierOptions<Inner extends PreparedBatch> {
  readonly pipeline: string;
  readonly inner: BatchApplier<Inner>;
  readonly relations: () => Promise<readonly ColumnRelation[]>;
  /** What is parked now, beside any transaction: asked when a batch cannot be prepared by what was known. */
  readonly parked?: () => Promise<readonly ParkedTable[]>;
  /** What becomes of a table whose changes the target does not take: parked, or the pipeline stays where it is. */
  readonly onError: 'park' | 'stop';
  /** How long a table may go on failing before it is parked by the policy, ms; default 3000. */
  readonly patienceMs?: number;
  readonly clock?: Clock;
  readonly log?: Logger;
}

export interface ParkedPrepared<Inner extends PreparedBatch> extends PreparedBatch {
  /** Null when everything is held. */
  readonly inner: Inner | null;
  /** What was parked when it was prepared. */
  readonly seen: string;
  readonly decision: ParkingDecision;
  readonly held: readonly HeldShare[];
}

interface Reason {
  readonly code: string;
  readonly why: string;
}

/** Failures of one table before it is parked by the pipeline's policy, however long they take. */
const PATIENCE = 3;
const PATIENCE_MS = 3_000;
/** Looks at what is parked, within one transaction, while it changes. */
const ATTEMPTS = 10;

/** Codes of a table that does not fit: others are no matter of one table. */
const TABLE_CODES: ReadonlySet<string> = new Set([
  'HOLT_TARGET_TABLE',
  'HOLT_TARGET_TABLE_MISSING',
  'HOLT_TARGET_COLUMN_MISSING',
  'HOLT_TARGET_COLUMN_UNFILLED',
  'HOLT_TARGET_COLUMN_TYPE',
  'HOLT_TARGET_ENGINE',
  'HOLT_TARGET_TRIGGER',
  'HOLT_TARGET_VALUE_REFUSED',
  'HOLT_TARGET_ROW_AMBIGUOUS',
  'HOLT_TARGET_UNIQUE_CONFLICT',
  'HOLT_TARGET_STATEMENT',
]);

export class ParkingApplier<Inner extends PreparedBatch> implements BatchApplier<ParkedPrepared<Inner>> {
  readonly #options: ParkingApplierOptions<Inner>;
  readonly #log: Logger;
  #known: readonly ParkedTable[] = [];
  readonly #clock: Clock;
  /** By target table: how often in a row it did not fit, and since when. */
  readonly #failures = new Map<string, { readonly count: number; readonly sinceMs: number }>();
  /** By target table: why it is parked with the next batch of this reign that has changes of it. */
  readonly #givenUp = new Map<string, Reason & { readonly tenure: string }>();

  constructor(options: ParkingApplierOptions<Inner>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLogger;
  }

  prepare(batch: TransformedBatch, signal: AbortSignal): Promise<ParkedPrepared<Inner>> {
    return this.#prepareFor(batch, this.#known, signal);
  }

  execute(
    prepared: ParkedPrepared<Inner>,
    connection: TargetConnection,
    signal: AbortSignal,
  ): Promise<ApplyResult> {
    return this.#apply(prepared, connection, signal, (inner) =>
      this.#options.inner.execute(inner, connection, signal),
    );
  }

  executeCarefully(
    prepared: ParkedPrepared<Inner>,
    connection: TargetConnection,
    signal: AbortSignal,
  ): Promise<ApplyResult> {
    return this.#apply(prepared, connection, signal, (inner) =>
      this.#options.inner.executeCarefully(inner, connection, signal),
    );
  }

  async #apply(
    prepared: ParkedPrepared<Inner>,
    connection: TargetConnection,
    signal: AbortSignal,
    write: (inner: Inner) => Promise<ApplyResult>,
  ): Promise<ApplyResult> {
    const work = await this.#hold(prepared, connection, signal);
    try {
      const result = work.inner === null ? NOTHING_APPLIED : await write(work.inner);
      this.#done(work);
      return result;
    } catch (error) {
      this.#giveUp(work.batch, error);
      throw error;
    }
  }

  async #prepareFor(
    batch: TransformedBatch,
    known: readonly ParkedTable[],
    signal: AbortSignal,
  ): Promise<ParkedPrepared<Inner>> {
    for (;;) {
      const decision = await this.#decide(batch, known);
      const { rest, held } = await splitBatch(batch, decision.held, signal);
      try {
        const inner = rest === null ? null : await this.#options.inner.prepare(rest, signal);
        const bytes = held.reduce((sum, one) => sum + one.payload.length, inner?.bytes ?? 0);
        return { batch, bytes, inner, seen: this.#signatureOf(known), decision, held };
      } catch (error) {
        // Parked meanwhile by others, such as a schema change that was not done, it need not be prepared.
        const now = (await this.#options.parked?.()) ?? known;
        if (this.#signatureOf(now) !== this.#signatureOf(known)) {
          this.#known = now;
          known = now;
        } else if (!this.#giveUp(batch, error)) throw error;
      }
    }
  }

  /** In the guarded transaction: gives the batch as it is prepared for what is parked now, once its held changes are written. */
  async #hold(
    prepared: ParkedPrepared<Inner>,
    connection: TargetConnection,
    signal: AbortSignal,
  ): Promise<ParkedPrepared<Inner>> {
    const { pipeline } = this.#options;
    let work = prepared;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const now = await readParked(connection, pipeline);
      if (this.#signatureOf(now) !== work.seen) {
        this.#known = now;
        work = await this.#prepareFor(work.batch, now, signal);
      }
      if (work.decision.held.size === 0) return work;
      if (!(await this.#lockRoots(work.decision, connection))) continue;
      if (!(await this.#insert(work.decision, connection))) continue;
      await this.#write(work, connection);
      return work;
    }
    throw new HoltError(
      'HOLT_TABLES_IN_FLUX',
      'tables were parked and unparked as often as they were looked at',
      {
        disposition: 'retry',
        facts: { pipeline },
      },
    );
  }

  async #write(
    { batch, decision, held }: ParkedPrepared<Inner>,
    connection: TargetConnection,
  ): Promise<void> {
    const { pipeline } = this.#options;
    const { header } = batch;
    for (const { from, to } of decision.join) await joinGroups(connection, pipeline, from, to);
    for (const { root, payload, changes } of held)
      await appendHeld(connection, heldSubject(pipeline, root), {
        seq: BigInt(header.seq),
        origin: header.origin,
        sourceCommittedUs: header.firstCommitUs,
        changes,
        payload,
      });
    await failpoint('parked:held');
    if (decision.park.length > 0)
      this.#log.warn(
        {
          event: 'table:parked',
          pipeline,
          batch: header.seq,
          tables: decision.park.map(({ name, code, root }) => ({
            table: tableText(name),
            code,
            with: tableText(root),
          })),
        },
        'tables are parked: their changes are held at the target',
      );
  }

  /** False when one of them was parked by somebody else since it was looked at. */
  async #insert(decision: ParkingDecision, connection: TargetConnection): Promise<boolean> {
    for (const table of decision.park)
      if (!(await insertParked(connection, this.#options.pipeline, table))) return false;
    return true;
  }

  /** Roots that stand already, in the order of their names: whoever unparks a group holds its root. False when one is gone. */
  async #lockRoots(decision: ParkingDecision, connection: TargetConnection): Promise<boolean> {
    const roots = new Map<string, TableName>();
    for (const root of [...decision.held.values(), ...decision.join.map(({ from }) => from)])
      if (!decision.park.some(({ name }) => isSameTable(name, root))) roots.set(tableKey(root), root);
    for (const [, root] of [...roots].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      const row = await lockParked(connection, this.#options.pipeline, root);
      if (row === null || !isSameTable(row.root, root)) return false;
    }
    return true;
  }

  async #decide(batch: TransformedBatch, known: readonly ParkedTable[]): Promise<ParkingDecision> {
    const { shapes } = surveyPayload(batch.payload);
    const isFaulty = shapes.some(({ fault }) => fault !== undefined);
    if (known.length === 0 && this.#givenUp.size === 0 && !isFaulty) return NOTHING_PARKED;
    const relations = await this.#options.relations();
    const tables = shapes.map((shape, table): BatchTable => {
      const source = { schema: shape.schema, table: shape.table };
      const route = batch.routes.find((one) => one.table === table);
      const target = route === undefined ? source : { schema: route.schema, table: route.name };
      return {
        table,
        source,
        target,
        reason: shape.fault ?? this.#reasonFor(target, batch.header),
        releases: () => {
          const columns = new Set(
            relations
              .filter(({ parent }) => isTarget(parent, target))
              .map((one) => one.parentColumn.toLowerCase()),
          );
          const indexes = (route?.columns ?? []).flatMap((one) =>
            one.kind === 'column' && columns.has(one.name.toLowerCase()) ? [one.index] : [],
          );
          return releases(batch.payload, table, shape.fault === undefined ? indexes : null);
        },
      };
    });
    return decideParking(tables, known, relations);
  }

  #reasonFor(target: TableName, header: BatchHeader): Reason | null {
    const reason = this.#givenUp.get(tableKey(target).toLowerCase());
    return reason?.tenure === header.tenure ? reason : null;
  }

  /** Counts what a table does not take. True when it is given up: prepared again, the batch goes on without it. */
  #giveUp({ header, routes }: TransformedBatch, error: unknown): boolean {
    if (this.#options.onError !== 'park' || !(error instanceof HoltError) || !TABLE_CODES.has(error.code))
      return false;
    const name = typeof error.facts.table === 'string' ? error.facts.table.toLowerCase() : null;
    const route = routes.find((one) => `${one.schema}.${one.name}`.toLowerCase() === name);
    if (route === undefined) return false;
    const target = tableKey({ schema: route.schema, table: route.name }).toLowerCase();
    const nowMs = this.#clock.monotonicMs();
    const { count, sinceMs } = this.#failures.get(target) ?? { count: 0, sinceMs: nowMs };
    this.#failures.set(target, { count: count + 1, sinceMs });
    if (count + 1 < PATIENCE || nowMs - sinceMs < (this.#options.patienceMs ?? PATIENCE_MS)) return false;
    this.#givenUp.set(target, { code: error.code, why: error.message, tenure: header.tenure });
    return true;
  }

  /** What decides how a batch is divided, beside the batch: what is parked, and what is given up. */
  #signatureOf(parked: readonly ParkedTable[]): string {
    const tables = parked.map(({ name, root }) => `${tableKey(name)}\u0001${tableKey(root)}`);
    return [...tables, '', ...this.#givenUp.keys()].join('\u0002');
  }

  #done({ batch }: ParkedPrepared<Inner>): void {
    if (this.#failures.size === 0 && this.#givenUp.size === 0) return;
    for (const { schema, name } of batch.routes) {
      const target = tableKey({ schema, table: name }).toLowerCase();
      this.#failures.delete(target);
      this.#givenUp.delete(target);
    }
  }
}

const NOTHING_APPLIED: ApplyResult = {
  rows: 0,
  inserted: 0,
  updated: 0,
  deleted: 0,
  statements: 0,
  ledgered: 0,
  careful: false,
};

function isTarget(a: TableName, b: TableName): boolean {
  return tableKey(a).toLowerCase() === tableKey(b).toLowerCase();
}
