import { siteId } from '../../../model/ids.ts';
import { type ApplierOptions, SqlBatchApplier } from '../../../stages/load/apply/batch-applier.ts';
import { TargetSchema } from '../../../stages/load/apply/target-schema.ts';
import type { LedgerEntry, LedgerWriter } from '../../../stages/load/ledger-contract.ts';
import type { ApplyResult } from '../../../stages/load/load.ts';
import { classify } from '../../../stages/load/target/error-classes.ts';
import { connectTarget } from '../../../stages/load/target/mysql2-connection.ts';
import type { TargetSession } from '../../../stages/load/target/target-connection.ts';
import type { TransformedBatch } from '../../../stages/stage.ts';
import type { Database } from '../../support/database.ts';
import { dataSourceOf } from '../load/target-fixture.ts';

export interface HarnessOptions extends Partial<ApplierOptions> {
  /** Row counts as the server estimates them. */
  readonly trueEstimates?: boolean;
  /** Rows go as events wherever they may, however few. */
  readonly rowEvents?: boolean;
}

/** An applier on a real server, and what Load does around it: a transaction, and the careful way after a divergence. */
export class TargetHarness implements AsyncDisposable {
  readonly applier: SqlBatchApplier;
  readonly schema: TargetSchema;
  readonly session: TargetSession;
  readonly ledger: LedgerEntry[] = [];
  /** Why batches went the careful way. */
  readonly divergences: string[] = [];
  /** Tables written in order, and why. */
  readonly ordered = new Map<string, string>();
  /** Statements made of events, so far. */
  eventStatements = 0;
  readonly #looks: TargetSession;

  private constructor(
    session: TargetSession,
    looks: TargetSession,
    { trueEstimates = false, rowEvents = false, ...options }: HarnessOptions,
  ) {
    this.session = session;
    this.#looks = looks;
    this.schema = new TargetSchema({
      definitions: rowEvents,
      query: async (sql) => {
        const rows = await this.#looks.rows(sql);
        // Tests have few rows: as if there were many, so that many go into one statement.
        if (trueEstimates || !sql.includes('TABLE_ROWS')) return rows;
        return rows.map((row) => [...row.slice(0, 4), Buffer.from('1000000')]);
      },
    });
    const ledger: LedgerWriter = {
      append: async (_connection, _batch, entry) => {
        this.ledger.push({ ...entry, data: Buffer.from(entry.data) });
      },
    };
    this.applier = new SqlBatchApplier({
      schema: this.schema,
      ledger,
      conflict: { detect: false, winner: siteId('east') },
      sourceSite: siteId('east'),
      eventsFromRows: rowEvents ? 1 : Number.POSITIVE_INFINITY,
      ...options,
    });
  }

  static async on(db: Database, options: HarnessOptions = {}): Promise<TargetHarness> {
    const config = dataSourceOf(db);
    const session = { rowEvents: options.rowEvents ?? false };
    return new TargetHarness(await connectTarget(config, { session }), await connectTarget(config), options);
  }

  async apply(batch: TransformedBatch, signal = new AbortController().signal): Promise<ApplyResult> {
    const prepared = await this.applier.prepare(batch, signal);
    this.eventStatements += prepared.statements.filter(({ kind }) => kind === 'events').length;
    for (const [table, why] of prepared.ordered) this.ordered.set(table, why);
    await this.session.execute('START TRANSACTION');
    try {
      const result = await this.applier.execute(prepared, this.session, signal);
      await this.session.execute('COMMIT');
      return result;
    } catch (error) {
      await this.session.execute('ROLLBACK');
      if (classify(error) !== 'careful') throw error;
      this.divergences.push(error instanceof Error ? error.message : String(error));
    }
    await this.session.execute('START TRANSACTION');
    try {
      const result = await this.applier.executeCarefully(prepared, this.session, signal);
      await this.session.execute('COMMIT');
      return result;
    } catch (error) {
      await this.session.execute('ROLLBACK');
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.session.close();
    await this.#looks.close();
  }
}

/** Every row of a table as HEX of every column's own bytes or text, ordered: code that shares nothing with Holt. */
export async function hexRows(db: Database, schema: string, table: string): Promise<string[]> {
  const columns = await db.query(
    'SELECT COLUMN_NAME AS name, DATA_TYPE AS type FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION',
    [schema, table],
  );
  const parts = columns.map(({ name, type }) => `IFNULL(${hexOf(`\`${name}\``, String(type))},'~')`);
  const rows = await db.query(
    `SELECT CONCAT_WS('|',${parts.join(',')}) AS row_text FROM \`${schema}\`.\`${table}\` ORDER BY 1`,
  );
  return rows.map((row) => String(row.row_text));
}

/** HEX of a number would round it, and the text of a FLOAT has not all its digits. */
function hexOf(column: string, type: string): string {
  // A sum would lose the sign of zero.
  if (type === 'float' || type === 'double') return `HEX(CONCAT(${column} * 1e0))`;
  if (/char|text|binary|blob|bit|geometry|point|polygon|line|vector/.test(type)) return `HEX(${column})`;
  return `HEX(CAST(${column} AS CHAR))`;
}
