/**
 * `BatchApplier` for MySQL and MariaDB targets: few large statements for a batch, each with the number of rows it must
 * find; and the careful way, row by row, when one finds another number.
 *
 * Between the two stands the source's order: values of a further unique key that are equal to the server and differ in
 * bytes, or that nobody but the server can compute (prefixes, expressions), may go from row to row unseen by the fold. Then the
 * server refuses a statement, all of the batch is undone and written in order, which is what the source itself did.
 */
import type { SiteId } from '../../../model/ids.ts';
import type { TransformedBatch } from '../../stage.ts';
import type { LedgerWriter } from '../ledger-contract.ts';
import { type ApplyResult, type BatchApplier, DivergenceSignal, type PreparedBatch } from '../load.ts';
import type { TargetConnection } from '../target/target-connection.ts';
import { type BatchStatements, batchStatements } from './batch-statements.ts';
import { CarefulApplier } from './careful.ts';
import { completeJson } from './complete-json.ts';
import { errnoOf, isCollision, isRowDivergence, isSchemaChange } from './server-error.ts';
import { SessionChecks } from './session-checks.ts';
import { countProblem, type Statement } from './statement.ts';
import { TablePlans } from './table-plans.ts';
import type { TargetSchema } from './target-schema.ts';

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
}

export interface AppliedBatch extends PreparedBatch, BatchStatements {}

const MIB = 1024 * 1024;
const SAVEPOINT = 'holt_net_changes';

export class SqlBatchApplier implements BatchApplier<AppliedBatch> {
  readonly #options: ApplierOptions;
  readonly #plans: TablePlans;
  readonly #checks = new SessionChecks();

  constructor(options: ApplierOptions) {
    this.#options = options;
    this.#plans = new TablePlans(options.schema);
  }

  async prepare(batch: TransformedBatch, signal: AbortSignal): Promise<AppliedBatch> {
    const payload = await completeJson(batch.payload, signal);
    return this.#built({ ...batch, payload }, null, signal);
  }

  async #built(batch: TransformedBatch, order: string | null, signal: AbortSignal): Promise<AppliedBatch> {
    const { payload, routes } = batch;
    const built = await batchStatements({
      payload,
      routes,
      traits: await this.#options.schema.traits(),
      plan: (shape, route) => this.#plans.plan(shape, route),
      maxStatementBytes: this.#options.maxStatementBytes ?? MIB,
      compare: this.#options.conflict.detect,
      order,
      signal,
    });
    const statementBytes = built.statements.reduce((sum, { sql }) => sum + sql.length, 0);
    return { batch, bytes: payload.length + statementBytes, ...built };
  }

  async execute(
    prepared: AppliedBatch,
    connection: TargetConnection,
    signal: AbortSignal,
  ): Promise<ApplyResult> {
    if (!prepared.mayCollide) return this.#run(prepared, connection, signal);
    await connection.execute(`SAVEPOINT ${SAVEPOINT}`);
    try {
      return await this.#run(prepared, connection, signal);
    } catch (error) {
      const errno = error instanceof DivergenceSignal ? errnoOf(error) : null;
      if (errno === null || !isCollision(errno)) throw error;
    }
    const inOrder = await this.#built(prepared.batch, 'a unique key refuses the net changes', signal);
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
        if (statement.kind === 'upsert') counts.update += statement.rows;
        else if (statement.kind !== 'absence' && statement.kind !== 'compare')
          counts[statement.kind] += statement.rows;
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
    const problem = countProblem(statement, await connection.execute(sql));
    if (problem !== null) throw new DivergenceSignal(`${table}: ${problem}`);
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
