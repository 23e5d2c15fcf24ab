/** Runs one case: what it does at the source, what Holt makes of it, and whether both sides are the same afterwards. */
import type { Connection } from 'mysql2/promise';
import { HoltError } from '../lib/errors.ts';
import { type FuzzCase, PAIRS, type Statement, statementSql } from './case.ts';
import { type Applied, type Chain, FuzzerError } from './chain.ts';
import { differencesOf } from './compare.ts';
import { createTables, dropTables, MARKER_TABLE, openSession, type Sides } from './sides.ts';

/** `different`: rows differ; `ledger`: Holt says that they differed; `careful`: it went row by row without need; else the code of what it threw. */
export interface Failure {
  readonly kind: string;
  readonly detail: string;
}

export interface CaseResult {
  readonly failure: Failure | null;
  readonly applied: Applied;
  /** Statements that changed a row, for the counts. */
  readonly done: readonly { readonly table: string; readonly op: string }[];
  /** Statements that the source refused, by errno. */
  readonly refused: ReadonlyMap<number, number>;
}

let schemas = 0;

export async function runCase(sides: Sides, chain: Chain, one: FuzzCase): Promise<CaseResult> {
  schemas += 1;
  const schema = `fuzz_${process.pid}_${schemas}`;
  const applied: Applied = { batches: 0, rows: 0, careful: 0, inParts: 0, ledger: [], ordered: new Map() };
  const done: { table: string; op: string }[] = [];
  const refused = new Map<number, number>();
  await createTables(sides, one, schema, chain.readsCreate);
  try {
    let failure: Failure | null = null;
    try {
      await chain.begin();
      await new SourceRun({ sides, chain, one, schema, applied, done, refused }).run();
      failure = await judge(sides, one, schema, applied);
    } catch (error) {
      failure = failureOf(error);
    }
    return { failure, applied, done, refused };
  } finally {
    await dropTables(sides, schema);
  }
}

async function judge(sides: Sides, one: FuzzCase, schema: string, applied: Applied): Promise<Failure | null> {
  const tables = one.tables.map(({ name }) => name);
  const differences = await differencesOf(sides.source, sides.target, schema, tables);
  if (differences.length > 0)
    return {
      kind: 'different',
      detail: differences
        .map(
          ({ table, missing, surplus, example }) =>
            `${table}: ${missing} missing, ${surplus} too many; ${example}`,
        )
        .join('\n'),
    };
  if (applied.ledger.length > 0)
    return { kind: 'ledger', detail: `the ledger has ${applied.ledger.slice(0, 5).join(', ')}` };
  if (applied.careful > 0 && !mayNeedCare(one))
    return { kind: 'careful', detail: `${applied.careful} batches went row by row without need` };
  return null;
}

/**
 * Whether the quick way may rightly give up: rows are compared first, the server finds keys equal that differ in their bytes, a unique
 * key cannot be followed, or a value wants a session of its own. Elsewhere the careful way would only hide a fault.
 */
function mayNeedCare(one: FuzzCase): boolean {
  const [from, to] = PAIRS[one.pair];
  if (from !== to || one.apply.detect || JSON.stringify(one.steps).includes("'no such label'")) return true;
  return one.tables.some(
    ({ shape, columns, keys }) =>
      /prefix|functional|generated/.test(shape) ||
      keys.some((key) =>
        key.columns.some((name) =>
          columns.some((column) => column.name === name && /char|float|double|inet|uuid/.test(column.family)),
        ),
      ),
  );
}

/** What Holt threw is a finding; what is wrong with the servers or with the fuzzer itself is not. */
function failureOf(error: unknown): Failure {
  if (error instanceof FuzzerError) throw error;
  if (error instanceof HoltError) return { kind: error.code, detail: `${error.message}${causeOf(error)}` };
  if (error instanceof Error && error.name !== 'TimeoutError' && !('sqlState' in error))
    return { kind: error.name, detail: `${error.message}\n${error.stack ?? ''}` };
  if (error instanceof Error) return { kind: error.name, detail: error.message };
  return { kind: 'unknown', detail: String(error) };
}

function causeOf(error: HoltError): string {
  return error.cause instanceof Error ? `: ${error.cause.message}` : '';
}

interface RunOptions {
  readonly sides: Sides;
  readonly chain: Chain;
  readonly one: FuzzCase;
  readonly schema: string;
  readonly applied: Applied;
  readonly done: { table: string; op: string }[];
  readonly refused: Map<number, number>;
}

/** Does the case's steps at the source, and lets the chain follow. */
class SourceRun {
  readonly #options: RunOptions;
  #markers = 0;

  constructor(options: RunOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { sides, one, schema } = this.#options;
    const source = await openSession(sides.source, schema, one.session);
    try {
      for (const step of one.steps)
        switch (step.kind) {
          case 'transaction':
            await source.query('START TRANSACTION');
            for (const statement of step.statements) await this.#statement(source, statement);
            await source.query(step.end);
            break;
          case 'session':
            await source.query(step.sql);
            break;
          case 'ddl':
            if (this.#options.chain.waitsForSchema(one)) await this.#drain(source);
            await this.#alter(source, step.table, step.op, step.sql);
            break;
          default:
            step satisfies never;
        }
      await this.#drain(source);
    } finally {
      await source.end().catch(() => {});
    }
  }

  async #statement(source: Connection, statement: Statement): Promise<void> {
    const result = await this.#try(source, statementSql(statement));
    if (statement.kind !== 'plain' && result !== null && result > 0)
      this.#options.done.push({ table: statement.table, op: statement.op });
  }

  /** Rows affected; null where the server refuses. */
  async #try(source: Connection, sql: string): Promise<number | null> {
    try {
      const [result] = await source.query(sql);
      return 'affectedRows' in result ? result.affectedRows : 0;
    } catch (error) {
      const { errno, sqlState } = error as { readonly errno?: number; readonly sqlState?: string };
      if (errno === undefined || sqlState === undefined)
        throw new FuzzerError(`the source is gone at: ${sql.slice(0, 500)}`, { cause: error });
      this.#options.refused.set(errno, (this.#options.refused.get(errno) ?? 0) + 1);
      return null;
    }
  }

  async #drain(source: Connection): Promise<void> {
    const { chain, schema, one, applied } = this.#options;
    this.#markers += 1;
    await source.query(`INSERT INTO ${MARKER_TABLE} VALUES (${this.#markers})`);
    await chain.follow(schema, one, applied);
  }

  async #alter(source: Connection, table: string, op: string, sql: string): Promise<void> {
    const { schema, chain, done } = this.#options;
    if ((await this.#try(source, sql)) === null) return;
    await chain.alter(schema, sql);
    done.push({ table, op });
  }
}
