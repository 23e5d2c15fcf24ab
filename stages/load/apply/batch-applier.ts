/**
 * `BatchApplier` for MySQL and MariaDB targets: few large statements for a batch, each with the number of rows it must
 * find; and the careful way, row by row, when one finds another number.
 *
 * Between the two stands the source's order: values of a further unique key that are equal to the server and differ in
 * bytes, or that nobody but the server can compute (prefixes, expressions), may go from row to row unseen by the fold. Then the
 * server refuses a statement, all of the batch is undone and written in order, which is what the source itself did.
 */
import type { SiteId } from '../../../model/ids.ts';
import type { TableRoute } from '../../../model/table-route.ts';
import type { TableShape } from '../../../model/table-shape.ts';
import type { TransformedBatch } from '../../stage.ts';
import type { LedgerWriter } from '../ledger-contract.ts';
import {
  type ApplyResult,
  type BatchApplier,
  DivergenceSignal,
  type PreparedBatch,
  StaleSignal,
} from '../load.ts';
import { classify, targetError } from '../target/error-classes.ts';
import type { TargetConnection } from '../target/target-connection.ts';
import { type BatchStatements, batchStatements } from './batch-statements.ts';
import { CarefulApplier } from './careful.ts';
import { completeJson } from './complete-json.ts';
import { ERRNO, errnoOf, isCollision, isRowDivergence, isSchemaChange } from './server-error.ts';
import { SessionChecks } from './session-checks.ts';
import { countProblem, type Statement } from './statement.ts';
import type { TablePlan } from './table-plan.ts';
import { TablePlans } from './table-plans.ts';
import { definitionText, type TargetSchema } from './target-schema.ts';

export interface ApplierOptions {
  readonly schema: TargetSchema;
  readonly ledger: LedgerWriter;
  readonly conflict: {
    /** Compare each row with its before image, under lock, before writing it. */
    readonly detect: boolean;
    /** The site whose version stays when rows differ. */
    readonly winner: SiteId;
  };
  readonly sourceSite: SiteId;
  /** Statements are cut at this length. Default 1 MiB. */
  readonly maxStatementBytes?: number;
  /**
   * Net changes of a table in a batch from which its rows go as events, where server and account take them and the table is the
   * source's own (`row-events.ts`); Infinity for never. Default 64: asking the server whether the table is still the same takes a while.
   */
  readonly eventsFromRows?: number;
}

export interface AppliedBatch extends PreparedBatch, BatchStatements {
  /** Id of the server whose events are in the statements, where there are any. */
  readonly serverId: number | null;
}

const MIB = 1024 * 1024;
const EVENTS_FROM_ROWS = 64;
/** After so long a table that the server refused as events is tried again. */
const REFUSED_MS = 600_000;
const ALL = '';
/** Codes of errors by which a server says that it does not take events, or not this session's, or not for this table. */
const NOT_TAKEN: ReadonlySet<string> = new Set(['HOLT_TARGET_STATEMENT', 'HOLT_TARGET_ACCESS_DENIED']);
const SAVEPOINT = 'holt_net_changes';

export class SqlBatchApplier implements BatchApplier<AppliedBatch> {
  readonly #options: ApplierOptions;
  readonly #plans: TablePlans;
  readonly #checks = new SessionChecks();
  /** Whether the session last seen takes rows as events: the next batch is prepared for one like it. */
  #sessionTakesEvents = true;
  /** schema.table whose events the server did not take, and until when (monotonic ms) they go as statements. */
  readonly #refused = new Map<string, number>();

  constructor(options: ApplierOptions) {
    this.#options = options;
    this.#plans = new TablePlans(options.schema);
  }

  /** How a table's rows are written. Throws what `planTable` does, and `TargetSchema`. */
  plan(shape: TableShape, route: TableRoute): Promise<TablePlan> {
    return this.#plans.plan(shape, route);
  }

  async prepare(batch: TransformedBatch, signal: AbortSignal): Promise<AppliedBatch> {
    const payload = await completeJson(batch.payload, signal);
    return this.#built({ ...batch, payload }, null, this.#sessionTakesEvents, signal);
  }

  async #built(
    batch: TransformedBatch,
    order: string | null,
    withEvents: boolean,
    signal: AbortSignal,
  ): Promise<AppliedBatch> {
    const { payload, routes } = batch;
    const except = this.#stillRefused();
    const traits = await this.#options.schema.traits();
    const built = await batchStatements({
      payload,
      routes,
      traits,
      plan: (shape, route) => this.#plans.plan(shape, route),
      maxStatementBytes: this.#options.maxStatementBytes ?? MIB,
      compare: this.#options.conflict.detect,
      order,
      rowEvents:
        withEvents && except !== null
          ? { fromRows: this.#options.eventsFromRows ?? EVENTS_FROM_ROWS, except }
          : null,
      signal,
    });
    const statementBytes = built.statements.reduce((sum, { sql }) => sum + sql.length, 0);
    const serverId = built.usesRowEvents ? (traits.serverId ?? 0) : null;
    return { batch, bytes: payload.length + statementBytes, serverId, ...built };
  }

  async execute(
    given: AppliedBatch,
    connection: TargetConnection,
    signal: AbortSignal,
  ): Promise<ApplyResult> {
    const takenAs = connection.rowEventsAs ?? null;
    this.#sessionTakesEvents = takenAs !== null;
    // Another server by now: its replicas pass over what bears their own id, and the former one may have become one.
    const prepared =
      given.usesRowEvents && given.serverId !== takenAs
        ? await this.#built(given.batch, null, false, signal)
        : given;
    if (!prepared.mayCollide) return this.#run(prepared, connection, signal);
    await connection.execute(`SAVEPOINT ${SAVEPOINT}`);
    try {
      return await this.#run(prepared, connection, signal);
    } catch (error) {
      const errno = error instanceof DivergenceSignal ? errnoOf(error) : null;
      if (errno === null || !isCollision(errno)) throw error;
    }
    const inOrder = await this.#built(prepared.batch, 'a unique key refuses the net changes', false, signal);
    await connection.execute(`ROLLBACK TO SAVEPOINT ${SAVEPOINT}`);
    return this.#run(inOrder, connection, signal);
  }

  async #run(
    prepared: AppliedBatch,
    connection: TargetConnection,
    signal: AbortSignal,
  ): Promise<ApplyResult> {
    if (prepared.mustBeCareful !== null) throw new DivergenceSignal(prepared.mustBeCareful);
    const traits = await this.#options.schema.traits();
    const counts = { insert: 0, update: 0, delete: 0 };
    try {
      for (const statement of prepared.statements) {
        signal.throwIfAborted();
        await this.#checks.set(connection, statement.checksOff, traits);
        await this.#one(statement, connection);
        add(counts, statement);
      }
      await this.#checks.set(connection, 0, traits);
    } catch (error) {
      throw this.#judged(error);
    }
    return {
      rows: prepared.rows,
      inserted: counts.insert,
      updated: counts.update,
      deleted: counts.delete,
      statements: prepared.statements.length,
      ledgered: 0,
      careful: false,
    };
  }

  async executeCarefully(
    prepared: AppliedBatch,
    connection: TargetConnection,
    signal: AbortSignal,
  ): Promise<ApplyResult> {
    const { schema, ledger, conflict, sourceSite } = this.#options;
    try {
      return await new CarefulApplier({
        batch: prepared.batch,
        plans: prepared.plans,
        traits: await schema.traits(),
        connection,
        checks: this.#checks,
        ledger,
        detect: conflict.detect,
        // One way, the source is the truth.
        sourceWins: !conflict.detect || conflict.winner === sourceSite,
        signal,
      }).run();
    } catch (error) {
      this.#forgetIfChanged(error);
      throw error;
    }
  }

  async #one(statement: Statement, connection: TargetConnection): Promise<void> {
    const { kind, sql, rows, table } = statement;
    if (kind === 'compare') {
      const [row] = await connection.rows(sql);
      const same = Number(row?.[0]?.toString('latin1'));
      if (same !== rows)
        throw new DivergenceSignal(`${table}: ${rows - same} of ${rows} rows are not as before`);
      return;
    }
    if (kind === 'expect') {
      const [row] = await connection.rows(sql);
      this.#expect(statement, row === undefined ? '' : definitionText(row));
      return;
    }
    if (kind === 'events') {
      await this.#events(statement, connection);
      return;
    }
    const problem = countProblem(statement, await connection.execute(sql));
    if (problem !== null) throw new DivergenceSignal(`${table}: ${problem}`);
  }

  async #events({ sql, table }: Statement, connection: TargetConnection): Promise<void> {
    try {
      await connection.execute(sql);
    } catch (error) {
      if (errnoOf(error) === ERRNO.keyNotFound)
        throw new DivergenceSignal(`${table}: a row to change is not there`, { cause: error });
      if (!NOT_TAKEN.has(targetError(error).code) || classify(error) !== 'blocked') throw error;
      this.#refuse(table);
      throw new StaleSignal(`the target does not take rows of ${table} as events: they go as statements`, {
        cause: error,
      });
    }
  }

  #expect({ table, expected }: Statement, answer: string): void {
    if (expected === undefined || expected.text === answer) return;
    if (expected.of === 'setting') {
      this.#refuse(ALL);
      throw new StaleSignal(
        `the target is set to pass over rows that are missing (slave_exec_mode is ${answer}): rows go as statements`,
      );
    }
    this.#options.schema.invalidate();
    throw new StaleSignal(`${table} has changed at the target since the batch was prepared`);
  }

  #refuse(table: string): void {
    this.#refused.set(table, performance.now() + REFUSED_MS);
  }

  /** Tables that go as statements for now; null for all. */
  #stillRefused(): ReadonlySet<string> | null {
    const now = performance.now();
    for (const [table, until] of this.#refused) if (until <= now) this.#refused.delete(table);
    return this.#refused.has(ALL) ? null : new Set(this.#refused.keys());
  }

  /** Errors that say that rows differ become the signal; the others are for Load to judge. */
  #judged(error: unknown): unknown {
    const errno = errnoOf(error);
    if (errno !== null && isRowDivergence(errno))
      return new DivergenceSignal(`the target answers ${errno}`, { cause: error });
    this.#forgetIfChanged(error);
    return error;
  }

  #forgetIfChanged(error: unknown): void {
    const errno = errnoOf(error);
    if (errno !== null && isSchemaChange(errno)) this.#options.schema.invalidate();
  }
}

function add(counts: { insert: number; update: number; delete: number }, statement: Statement): void {
  const { kind, rows } = statement;
  switch (kind) {
    case 'upsert':
      counts.update += rows;
      return;
    case 'events':
      counts.insert += statement.counts?.insert ?? 0;
      counts.update += statement.counts?.update ?? 0;
      counts.delete += statement.counts?.delete ?? 0;
      return;
    case 'absence':
    case 'aside':
    case 'compare':
    case 'expect':
      return;
    default:
      counts[kind] += rows;
  }
}
