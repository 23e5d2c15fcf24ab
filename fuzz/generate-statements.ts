/** Statements on one table, drawn from the values of its plan. What a server refuses (a duplicate, a missing parent) is part of it. */
import type { Random } from '../test/support/random.ts';
import {
  type Assignment,
  type ChangeStatement,
  type InsertStatement,
  quoted,
  type Statement,
} from './case.ts';
import type { TablePlan } from './key-shapes.ts';

export const OPERATIONS = [
  'insert',
  'insert many',
  'insert bulk',
  'replace',
  'upsert',
  'ignore',
  'update',
  'update many',
  'update key',
  'update unique',
  'swap',
  'rotate',
  'delete',
  'delete many',
  'delete and insert',
  'key back and forth',
] as const;
export type OperationName = (typeof OPERATIONS)[number];

/** Whether an operation can be had on a table: what the counts expect of it. */
export function isPossible(
  op: OperationName,
  plan: Pick<TablePlan, 'identity' | 'uniques' | 'integers'>,
): boolean {
  switch (op) {
    case 'update key':
    case 'key back and forth':
    case 'delete and insert':
      return plan.identity.length > 0;
    case 'update unique':
    case 'swap':
      return plan.uniques.length > 0;
    case 'rotate':
      return plan.integers.length > 0;
    default:
      return true;
  }
}

const WEIGHTS: Readonly<Record<OperationName, number>> = {
  insert: 4,
  'insert many': 4,
  'insert bulk': 0.15,
  replace: 3,
  upsert: 3,
  ignore: 1,
  update: 5,
  'update many': 4,
  'update key': 3,
  'update unique': 3,
  swap: 3,
  rotate: 2,
  delete: 3,
  'delete many': 2,
  'delete and insert': 3,
  'key back and forth': 1,
};

function pickOperation(random: Random, plan: TablePlan): OperationName {
  const possible = OPERATIONS.filter((op) => isPossible(op, plan));
  let left = random.next() * possible.reduce((sum, op) => sum + WEIGHTS[op], 0);
  for (const op of possible) {
    left -= WEIGHTS[op];
    if (left < 0) return op;
  }
  return 'insert';
}

export interface StatementOptions {
  /** REPLACE names every column. */
  readonly wholeRows: boolean;
  /** The rows that a case begins with. */
  readonly first: boolean;
  /** Drawn by default. */
  readonly op?: OperationName;
}

export function statementsOf(
  random: Random,
  plan: TablePlan,
  { wholeRows, first, op: wanted }: StatementOptions,
): Statement[] {
  const op = first ? 'insert many' : (wanted ?? pickOperation(random, plan));
  const make = new Maker(random, plan, op, wholeRows);
  switch (op) {
    case 'insert':
      return [make.insert('INSERT', 1)];
    case 'insert many':
      // Row by row where one refusal would take all with it.
      return first
        ? Array.from({ length: random.int(2, 6) }, () => make.insert('INSERT IGNORE', random.int(1, 3)))
        : [make.insert('INSERT', random.int(2, 6))];
    case 'insert bulk':
      return make.bulk();
    case 'replace':
      return [make.insert('REPLACE', random.int(1, 3))];
    case 'upsert':
      return [make.insert('INSERT', random.int(1, 3), true)];
    case 'ignore':
      return [make.insert('INSERT IGNORE', random.int(1, 4))];
    case 'update':
      return [make.update(make.assignments(make.others()), make.one())];
    case 'update many':
      return [make.update(make.assignments(make.others()), make.some())];
    case 'update key': {
      const column = random.pick(plan.identity);
      const more = random.int(1, 2) === 1 ? make.assignments(make.others()) : [];
      return [make.update([{ column, value: make.value(column) }, ...more], make.one())];
    }
    case 'update unique': {
      const column = random.pick(plan.uniques);
      return [make.update([{ column, value: make.value(column) }], make.one())];
    }
    case 'swap':
      return make.swap();
    case 'rotate':
      return make.rotate();
    case 'delete':
      return [make.remove(make.one())];
    case 'delete many':
      return [make.remove(make.some())];
    case 'delete and insert':
      return make.deleteAndInsert();
    case 'key back and forth':
      return make.backAndForth();
    default:
      return op satisfies never;
  }
}

type Where = Pick<ChangeStatement, 'where' | 'order' | 'limit'>;

class Maker {
  readonly #random: Random;
  readonly #plan: TablePlan;
  readonly #op: OperationName;
  readonly #wholeRows: boolean;

  constructor(random: Random, plan: TablePlan, op: OperationName, wholeRows: boolean) {
    this.#random = random;
    this.#plan = plan;
    this.#op = op;
    this.#wholeRows = wholeRows;
  }

  get #table(): string {
    return this.#plan.spec.name;
  }

  /** Columns that statements may fill. */
  get #columns(): string[] {
    return this.#plan.spec.columns.map(({ name }) => name).filter((name) => !this.#plan.computed.has(name));
  }

  others(): string[] {
    const { identity, uniques } = this.#plan;
    const rest = this.#columns.filter((name) => !identity.includes(name) && !uniques.includes(name));
    const some = rest.filter(() => this.#random.int(1, 2) === 1);
    return some.length > 0 ? some : rest.slice(0, 1);
  }

  value(column: string): string {
    const pool = this.#plan.pools.get(column) ?? [];
    return pool.length === 0 ? 'NULL' : this.#random.pick(pool);
  }

  assignments(columns: readonly string[]): Assignment[] {
    return columns.map((column) => {
      const add = column === 'n' && this.#random.int(1, 3) === 1;
      // To itself: what changes by itself then stays.
      const same = this.#random.int(1, 6) === 1;
      if (add) return { column, value: 'IFNULL(`n`,0)+1' };
      if (this.#isJson(column) && this.#random.int(1, 2) === 1)
        return { column, value: `JSON_SET(${quoted(column)},'$.fuzz',${this.#random.int(0, 9)})` };
      return { column, value: same ? quoted(column) : this.value(column) };
    });
  }

  insert(verb: InsertStatement['verb'], rows: number, upsert = false): InsertStatement {
    const isWhole = verb === 'REPLACE' && this.#wholeRows;
    const columns = this.#columns.filter(
      (name) => isWhole || this.#isKey(name) || this.#random.int(1, 8) > 1,
    );
    return {
      kind: 'insert',
      op: this.#op,
      table: this.#table,
      verb,
      columns,
      rows: Array.from({ length: rows }, () => columns.map((column) => this.value(column))),
      onDuplicate: upsert ? this.assignments(this.others()) : [],
    };
  }

  /** Some hundred rows whose keys are no others', and changes to all of them. */
  bulk(): Statement[] {
    const { identity, uniques, integers } = this.#plan;
    const fresh = [...identity, ...uniques].every((column) => integers.includes(column));
    const rows = this.#random.pick([100, 300, 700]);
    const columns = this.#columns.filter(
      (name) => this.#isKey(name) || name === 'n' || this.#random.int(1, 2) === 1,
    );
    // Large values make large cases: a few kilobytes a row are enough.
    const light = columns.filter((column) =>
      (this.#plan.pools.get(column) ?? []).every(
        (value) => value.length < 300 && !value.startsWith('REPEAT'),
      ),
    );
    const insert: InsertStatement = {
      kind: 'insert',
      op: this.#op,
      table: this.#table,
      verb: 'INSERT IGNORE',
      columns: light,
      rows: Array.from({ length: rows }, (_, i) =>
        light.map((column) => (fresh && this.#isKey(column) ? String(1000 + i) : this.value(column))),
      ),
      onDuplicate: [],
    };
    const all: Where = { where: [], order: null, limit: null };
    return [insert, this.update([{ column: 'n', value: 'IFNULL(`n`,0)+1' }], all), this.remove(this.some())];
  }

  update(set: readonly Assignment[], where: Where): ChangeStatement {
    return { kind: 'update', op: this.#op, table: this.#table, set, ...where };
  }

  remove(where: Where): ChangeStatement {
    return { kind: 'delete', op: this.#op, table: this.#table, set: [], ...where };
  }

  /** One row by its key, or the first or last. */
  one(): Where {
    const { identity } = this.#plan;
    if (identity.length === 0) return { ...this.#number(), limit: this.#random.int(1, 2) };
    if (this.#random.int(1, 3) === 1) return { where: [], order: this.#order(), limit: 1 };
    return this.#at(identity.map((column) => [column, this.value(column)]));
  }

  some(): Where {
    const { identity } = this.#plan;
    switch (this.#random.int(1, 6)) {
      case 1:
        return { where: [], order: null, limit: null };
      case 2:
        return identity.length === 0
          ? this.#number()
          : { where: [], order: this.#order(), limit: this.#random.int(2, 4) };
      default:
        return this.#number();
    }
  }

  /** Two rows exchange a unique value, over one that is free. */
  swap(): Statement[] {
    const { uniques, integers, pools } = this.#plan;
    const column = this.#random.pick(uniques);
    const [first, second] = [this.#key(), this.#key()];
    const pool = (pools.get(column) ?? []).filter((value) => value !== 'NULL');
    const [a, b] = [this.#random.pick(pool), this.#random.pick(pool)];
    const free = integers.includes(column)
      ? String(1_000_000 + this.#random.int(0, 999))
      : this.#random.pick(pool);
    const set = (key: Where, value: string): Statement => this.update([{ column, value }], key);
    const fill = (key: readonly (readonly [string, string])[], value: string): Statement => {
      const insert = this.insert('REPLACE', 1);
      return { ...insert, rows: [this.#withValues(insert, [...key, [column, value]])] };
    };
    const statements = [fill(first, a), fill(second, b)];
    const [one, two] = [this.#at(first), this.#at(second)];
    statements.push(set(one, free), set(two, a), set(one, b));
    // Now and then the rows are there already: the exchange alone.
    return this.#random.int(1, 2) === 1 ? statements : statements.slice(2);
  }

  /** Values move along: every row takes its neighbour's. */
  rotate(): Statement[] {
    const column = this.#random.pick(this.#plan.integers);
    const by = this.#random.int(1, 2);
    const up = this.#random.int(1, 2) === 1;
    const move = (sign: '+' | '-'): Statement =>
      this.update([{ column, value: `${quoted(column)}${sign}${by}` }], {
        where: [],
        order: { columns: [column], descending: sign === '+' },
        limit: null,
      });
    const first = move(up ? '+' : '-');
    if (this.#random.int(1, 2) === 1) return [first];
    // The last one goes to the front, the others follow.
    const far = this.update([{ column, value: `${quoted(column)}-1000` }], {
      where: [],
      order: { columns: [column], descending: true },
      limit: 1,
    });
    return [far, move('+')];
  }

  deleteAndInsert(): Statement[] {
    const key = this.#key();
    const insert = this.insert('INSERT', 1);
    const row = this.#withValues(insert, key);
    const statements: Statement[] = [this.remove(this.#at(key)), { ...insert, rows: [row] }];
    if (this.#random.int(1, 3) === 1) statements.push(this.remove(this.#at(key)));
    if (this.#random.int(1, 3) === 1) statements.reverse();
    return statements;
  }

  /** A row takes another key, changes there, and comes back. */
  backAndForth(): Statement[] {
    const { identity } = this.#plan;
    const column = this.#random.pick(identity);
    const here = this.#key();
    const there = here.map(([name, value]) => [name, name === column ? this.value(name) : value] as const);
    const valueAt = (key: typeof here): string => key.find(([name]) => name === column)?.[1] ?? 'NULL';
    return [
      this.update([{ column, value: valueAt(there) }], this.#at(here)),
      this.update(this.assignments(this.others()), this.#at(there)),
      this.update([{ column, value: valueAt(here) }], this.#at(there)),
    ];
  }

  /** The statement's first row, with these values in their columns. */
  #withValues(insert: InsertStatement, values: readonly (readonly [string, string])[]): string[] {
    return (insert.rows[0] ?? []).map((value, i) => {
      const found = values.find(([column]) => column === insert.columns[i]);
      return found?.[1] ?? value;
    });
  }

  #key(): readonly (readonly [string, string])[] {
    return this.#plan.identity.map((column) => [column, this.value(column)] as const);
  }

  #at(key: readonly (readonly [string, string])[]): Where {
    return {
      where: key.map(([column, value]) => ({
        column,
        sql: `${quoted(column)} <=> ${value === 'DEFAULT' ? 'NULL' : value}`,
      })),
      order: null,
      limit: null,
    };
  }

  #number(): Where {
    const sql = this.#random.pick([
      `\`n\` = ${this.#random.int(0, 4)}`,
      `\`n\` % 3 = ${this.#random.int(0, 2)}`,
      '`n` IS NULL',
    ]);
    return { where: [{ column: 'n', sql }], order: null, limit: null };
  }

  #order(): ChangeStatement['order'] {
    return { columns: this.#plan.identity, descending: this.#random.int(1, 2) === 1 };
  }

  #isJson(column: string): boolean {
    return this.#plan.spec.columns.some(({ name, family }) => name === column && family === 'json');
  }

  #isKey(column: string): boolean {
    return this.#plan.identity.includes(column) || this.#plan.uniques.includes(column);
  }
}
