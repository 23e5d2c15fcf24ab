/** Makes a failing case small: takes out what it still fails without, the large things first. */
import type { FuzzCase, InsertStatement, Statement, Step, TableSpec } from './case.ts';

export interface ShrinkOptions {
  /** Whether the case still fails in the same way. */
  readonly fails: (one: FuzzCase) => Promise<boolean>;
  /** Most cases tried. */
  readonly attempts: number;
}

export async function shrinkCase(failing: FuzzCase, options: ShrinkOptions): Promise<FuzzCase> {
  const shrinker = new Shrinker(failing, options);
  await shrinker.run();
  return shrinker.best;
}

class Shrinker {
  best: FuzzCase;
  readonly #fails: ShrinkOptions['fails'];
  #left: number;

  constructor(failing: FuzzCase, { fails, attempts }: ShrinkOptions) {
    this.best = failing;
    this.#fails = fails;
    this.#left = attempts;
  }

  async run(): Promise<void> {
    for (;;) {
      const before = JSON.stringify(this.best).length;
      await this.#list(
        () => this.best.steps,
        (steps) => ({ ...this.best, steps }),
      );
      await this.#tables();
      await this.#statements();
      await this.#rows();
      await this.#columns();
      await this.#keys();
      await this.#rest();
      if (this.#left <= 0 || JSON.stringify(this.best).length >= before) return;
    }
  }

  async #try(candidate: FuzzCase): Promise<boolean> {
    if (this.#left <= 0) return false;
    this.#left -= 1;
    if (!(await this.#fails(candidate))) return false;
    this.best = candidate;
    return true;
  }

  /** Takes out runs of a list, half of it first, then smaller ones. */
  async #list<T>(get: () => readonly T[], put: (list: readonly T[]) => FuzzCase): Promise<void> {
    for (let size = Math.ceil(get().length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
      for (let at = 0; at < get().length && this.#left > 0; ) {
        const list = get();
        if (!(await this.#try(put([...list.slice(0, at), ...list.slice(at + size)])))) at += size;
      }
  }

  async #tables(): Promise<void> {
    for (const table of this.best.tables) {
      if (this.best.tables.length === 1) return;
      await this.#try(withoutTable(this.best, table.name));
    }
  }

  async #statements(): Promise<void> {
    for (let number = 0; number < this.best.steps.length; number++) {
      const at = number;
      const statements = (): readonly Statement[] => {
        const step = this.best.steps[at];
        return step?.kind === 'transaction' ? step.statements : [];
      };
      await this.#list(statements, (list) => this.#withStatements(at, list));
    }
  }

  async #rows(): Promise<void> {
    for (const [at, step] of this.best.steps.entries()) {
      if (step.kind !== 'transaction') continue;
      for (let number = 0; number < step.statements.length; number++) {
        const insert = (): InsertStatement | null => {
          const now = this.best.steps[at];
          const statement = now?.kind === 'transaction' ? now.statements[number] : undefined;
          return statement?.kind === 'insert' ? statement : null;
        };
        if ((insert()?.rows.length ?? 0) < 2) continue;
        await this.#list(
          () => insert()?.rows ?? [],
          (rows) => this.#withStatement(at, number, rows),
        );
      }
    }
  }

  async #columns(): Promise<void> {
    for (const { name } of this.best.tables)
      for (const column of this.best.tables.find((one) => one.name === name)?.columns ?? []) {
        const smaller = withoutColumn(this.best, name, column.name);
        if (smaller !== null) await this.#try(smaller);
      }
  }

  async #keys(): Promise<void> {
    for (const [i, table] of this.best.tables.entries())
      for (const key of table.keys)
        await this.#try({
          ...this.best,
          tables: this.best.tables.map((one, j) =>
            i === j ? { ...one, keys: one.keys.filter((other) => other.sql !== key.sql) } : one,
          ),
        });
  }

  async #rest(): Promise<void> {
    await this.#list(
      () => this.best.session,
      (session) => ({ ...this.best, session }),
    );
    const { apply } = this.best;
    if (apply.detect) await this.#try({ ...this.best, apply: { ...this.best.apply, detect: false } });
    if (apply.lanes !== undefined) {
      const { lanes: _, ...rest } = this.best.apply;
      await this.#try({ ...this.best, apply: rest });
    }
    if (apply.rowEvents === true)
      await this.#try({ ...this.best, apply: { ...this.best.apply, rowEvents: false } });
    if (apply.maxStatementBytes !== 1_000_000)
      await this.#try({ ...this.best, apply: { ...this.best.apply, maxStatementBytes: 1_000_000 } });
    for (const batches of [[1], [1000]])
      if (JSON.stringify(this.best.apply.batches) !== '[1]')
        await this.#try({ ...this.best, apply: { ...this.best.apply, batches } });
    const plain = this.best.tables.map((table) => ({ ...table, targetOnly: [], targetReversed: false }));
    if (JSON.stringify(plain) !== JSON.stringify(this.best.tables))
      await this.#try({ ...this.best, tables: plain });
  }

  #withStatements(at: number, statements: readonly Statement[]): FuzzCase {
    return {
      ...this.best,
      steps: this.best.steps.map((step, i) =>
        i === at && step.kind === 'transaction' ? { ...step, statements } : step,
      ),
    };
  }

  #withStatement(at: number, number: number, rows: InsertStatement['rows']): FuzzCase {
    const step = this.best.steps[at];
    const statements = step?.kind === 'transaction' ? step.statements : [];
    return this.#withStatements(
      at,
      statements.flatMap((one, i): Statement[] => {
        if (i !== number || one.kind !== 'insert') return [one];
        return rows.length === 0 ? [] : [{ ...one, rows }];
      }),
    );
  }
}

function mapStatements(
  steps: readonly Step[],
  change: (statement: Statement) => Statement | null,
): readonly Step[] {
  return steps.map((step) =>
    step.kind === 'transaction'
      ? { ...step, statements: step.statements.flatMap((one) => change(one) ?? []) }
      : step,
  );
}

export function withoutTable(one: FuzzCase, name: string): FuzzCase {
  const steps = one.steps.filter((step) => step.kind !== 'ddl' || step.table !== name);
  return {
    ...one,
    tables: one.tables
      .filter((table) => table.name !== name)
      .map((table) => ({ ...table, keys: table.keys.filter(({ references }) => references !== name) })),
    steps: mapStatements(steps, (statement) =>
      statement.kind !== 'plain' && statement.table === name ? null : statement,
    ),
  };
}

/** Null where the table would have no column left that is filled. */
export function withoutColumn(one: FuzzCase, tableName: string, name: string): FuzzCase | null {
  const table = one.tables.find((candidate) => candidate.name === tableName);
  if (table === undefined) return null;
  const gone = new Set([
    name,
    ...table.columns.filter(({ needs }) => needs?.includes(name)).map((other) => other.name),
  ]);
  const columns = table.columns.filter((column) => !gone.has(column.name));
  if (columns.filter(({ needs }) => needs === undefined).length === 0) return null;
  const smaller: TableSpec = {
    ...table,
    columns,
    keys: table.keys.filter((key) => !key.columns.some((column) => gone.has(column))),
  };
  // A foreign key needs the key it points to.
  const keysLost = smaller.keys.length < table.keys.length;
  const steps = one.steps.filter(
    (step) =>
      step.kind !== 'ddl' || step.table !== tableName || !step.needs.some((column) => gone.has(column)),
  );
  return {
    ...one,
    tables: one.tables.map((other) => {
      const next = other === table ? smaller : other;
      return keysLost
        ? { ...next, keys: next.keys.filter(({ references }) => references !== tableName) }
        : next;
    }),
    steps: mapStatements(steps, (statement) =>
      statement.kind !== 'plain' && statement.table === tableName
        ? statementWithout(statement, gone)
        : statement,
    ),
  };
}

function statementWithout(
  statement: Exclude<Statement, { kind: 'plain' }>,
  gone: ReadonlySet<string>,
): Statement | null {
  if (statement.kind === 'insert') {
    const kept = statement.columns.flatMap((column, i) => (gone.has(column) ? [] : [i]));
    if (kept.length === 0) return null;
    return {
      ...statement,
      columns: kept.map((i) => statement.columns[i] ?? ''),
      rows: statement.rows.map((row) => kept.map((i) => row[i] ?? 'NULL')),
      onDuplicate: statement.onDuplicate.filter(({ column }) => !gone.has(column)),
    };
  }
  const set = statement.set.filter(({ column }) => !gone.has(column));
  if (statement.kind === 'update' && set.length === 0) return null;
  const order = statement.order?.columns.some((column) => gone.has(column)) ? null : statement.order;
  return { ...statement, set, where: statement.where.filter(({ column }) => !gone.has(column)), order };
}
