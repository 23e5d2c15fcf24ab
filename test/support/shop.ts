/** A little shop for demo, tests and benchmarks: tables, first rows, a writer that keeps changing them, a reader with an invariant. */
import { randomInt } from 'node:crypto';
import type { Connection, ResultSetHeader } from 'mysql2/promise';
import type { Database } from './database.ts';

export const SCHEMA = 'shop';
export const TABLES = ['accounts', 'customers', 'orders', 'order_items', 'notes', 'journal'] as const;

const STATEMENTS = [
  `CREATE TABLE accounts (id INT PRIMARY KEY, owner VARCHAR(40) NOT NULL, balance DECIMAL(12,2) NOT NULL, changed DATETIME(6) NOT NULL, site VARCHAR(8) NOT NULL)`,
  `CREATE TABLE customers (id BIGINT UNSIGNED PRIMARY KEY, email VARCHAR(120) NOT NULL, name VARCHAR(80) CHARACTER SET utf8mb4 NOT NULL, vip TINYINT(1) NOT NULL DEFAULT 0, site VARCHAR(8) NOT NULL, UNIQUE KEY email (email))`,
  `CREATE TABLE orders (id BIGINT UNSIGNED PRIMARY KEY, customer BIGINT UNSIGNED NOT NULL, status ENUM('new','paid','sent','gone') NOT NULL, total DECIMAL(10,2) NOT NULL, weight DOUBLE NULL, placed TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), site VARCHAR(8) NOT NULL, KEY customer (customer))`,
  `CREATE TABLE order_items (order_id BIGINT UNSIGNED NOT NULL, line SMALLINT NOT NULL, article VARCHAR(32) NOT NULL, amount INT NOT NULL, site VARCHAR(8) NOT NULL, PRIMARY KEY (order_id, line))`,
  `CREATE TABLE notes (id BIGINT UNSIGNED PRIMARY KEY, body MEDIUMTEXT NULL, picture BLOB NULL, site VARCHAR(8) NOT NULL)`,
  // No key at all: whatever is applied twice stands there twice.
  `CREATE TABLE journal (at DATETIME(6) NOT NULL, what VARCHAR(60) NOT NULL, site VARCHAR(8) NOT NULL)`,
] as const;

export const ACCOUNTS = 200;
export const OPENING_BALANCE = 1000;

/** Makes the tables; with `fill`, the accounts too. */
export async function createShop(
  db: Database,
  options: { readonly sites: readonly string[] },
): Promise<void> {
  await db.query(`DROP DATABASE IF EXISTS ${SCHEMA}`);
  await db.query(`CREATE DATABASE ${SCHEMA} CHARACTER SET utf8mb4`);
  for (const statement of STATEMENTS)
    await db.query(statement.replace('CREATE TABLE ', `CREATE TABLE ${SCHEMA}.`));
  for (const [index, site] of options.sites.entries()) {
    const rows = Array.from(
      { length: ACCOUNTS },
      (_, i) =>
        `(${i * options.sites.length + index}, 'owner ${i}', ${OPENING_BALANCE}, '2026-01-01 00:00:00', '${site}')`,
    );
    await db.query(`INSERT INTO ${SCHEMA}.accounts VALUES ${rows.join(',')}`);
  }
}

export interface WriterOptions {
  readonly db: Database;
  /** Tags every row; keys of different sites never meet. */
  readonly site: string;
  /** This site's keys are `index` modulo `count`. */
  readonly index: number;
  readonly count: number;
  /** Transactions a second to aim at. */
  readonly rate: number;
}

/** Keeps changing rows until stopped: inserts, updates, deletes, alone and mixed in transactions, some rolled back. */
export class ShopWriter {
  readonly #options: WriterOptions;
  readonly #orders: number[] = [];
  #next: number;
  #stopped = false;
  #transactions = 0;
  #rows = 0;
  #over: Promise<void> = Promise.resolve();

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#next = options.count * 1000 + options.index;
  }

  get transactions(): number {
    return this.#transactions;
  }

  get rows(): number {
    return this.#rows;
  }

  start(): void {
    this.#over = this.#run();
    this.#over.catch(() => {});
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#over;
  }

  async #run(): Promise<void> {
    const connection = await this.#options.db.connect({ schema: SCHEMA });
    try {
      const startedMs = performance.now();
      while (!this.#stopped) {
        await this.#attempt(connection);
        const aheadMs = (this.#transactions / this.#options.rate) * 1000 - (performance.now() - startedMs);
        if (aheadMs > 1) await new Promise((resolve) => setTimeout(resolve, aheadMs));
      }
    } finally {
      await connection.end();
    }
  }

  /** Two writers may meet at an index: whoever loses rolls back and goes on, as applications do. */
  async #attempt(db: Connection): Promise<void> {
    const orders = this.#orders.length;
    try {
      await this.#transaction(db);
      this.#transactions += 1;
    } catch (error) {
      if (!isConflict(error)) throw error;
      await db.rollback();
      this.#orders.length = Math.min(this.#orders.length, orders);
    }
  }

  async #transaction(db: Connection): Promise<void> {
    await db.beginTransaction();
    const kind = randomInt(100);
    if (kind < 40) await this.#transfer(db);
    else if (kind < 65) await this.#order(db);
    else if (kind < 85) await this.#progress(db);
    else if (kind < 93) await this.#note(db);
    else {
      await this.#order(db);
      await this.#transfer(db);
      await this.#progress(db);
    }
    if (randomInt(50) === 0) {
      await db.rollback();
      return;
    }
    await db.commit();
  }

  /** The sum of all balances stays the same. */
  async #transfer(db: Connection): Promise<void> {
    const { index, count } = this.#options;
    const account = () => randomInt(ACCOUNTS) * count + index;
    const [from, to] = [account(), account()].sort((a, b) => a - b);
    const amount = randomInt(1, 500) / 100;
    await this.#execute(db, 'UPDATE accounts SET balance = balance - ?, changed = NOW(6) WHERE id = ?', [
      amount,
      from,
    ]);
    await this.#execute(db, 'UPDATE accounts SET balance = balance + ?, changed = NOW(6) WHERE id = ?', [
      amount,
      to,
    ]);
    await this.#execute(db, 'INSERT INTO journal VALUES (NOW(6), ?, ?)', [
      `${amount} from ${from} to ${to}`,
      this.#options.site,
    ]);
  }

  async #order(db: Connection): Promise<void> {
    const id = this.#nextId();
    const { site } = this.#options;
    await this.#execute(db, 'INSERT INTO customers VALUES (?, ?, ?, ?, ?)', [
      id,
      `customer-${id}@${site}.example`,
      `Zoë ${id} – 顾客`,
      randomInt(2),
      site,
    ]);
    await this.#execute(
      db,
      'INSERT INTO orders (id, customer, status, total, weight, site) VALUES (?, ?, ?, ?, ?, ?)',
      [id, id, 'new', randomInt(1, 100_000) / 100, Math.random() * 10, site],
    );
    for (let line = 1; line <= randomInt(1, 5); line++)
      await this.#execute(db, 'INSERT INTO order_items VALUES (?, ?, ?, ?, ?)', [
        id,
        line,
        `article-${randomInt(500)}`,
        randomInt(1, 9),
        site,
      ]);
    this.#orders.push(id);
  }

  async #progress(db: Connection): Promise<void> {
    if (this.#orders.length === 0) return;
    const at = randomInt(this.#orders.length);
    const id = this.#orders[at] ?? 0;
    if (randomInt(3) > 0) {
      await this.#execute(
        db,
        "UPDATE orders SET status = ELT(?, 'new', 'paid', 'sent', 'gone'), weight = NULL WHERE id = ?",
        [randomInt(1, 5), id],
      );
      await this.#execute(db, 'UPDATE customers SET vip = 1 - vip WHERE id = ?', [id]);
      return;
    }
    this.#orders.splice(at, 1);
    await this.#execute(db, 'DELETE FROM order_items WHERE order_id = ?', [id]);
    await this.#execute(db, 'DELETE FROM orders WHERE id = ?', [id]);
    await this.#execute(db, 'DELETE FROM customers WHERE id = ?', [id]);
  }

  async #note(db: Connection): Promise<void> {
    const picture = Buffer.from(Array.from({ length: randomInt(2000) }, () => randomInt(256)));
    await this.#execute(db, 'INSERT INTO notes (id, body, picture, site) VALUES (?, ?, ?, ?)', [
      this.#nextId(),
      randomInt(4) === 0 ? null : `It's "quoted" \\ and\n${'long '.repeat(randomInt(200))}`,
      picture,
      this.#options.site,
    ]);
  }

  #nextId(): number {
    this.#next += this.#options.count;
    return this.#next;
  }

  async #execute(
    db: Connection,
    sql: string,
    values: (string | number | Buffer | null | undefined)[],
  ): Promise<void> {
    const [result] = await db.query<ResultSetHeader>(sql, values);
    this.#rows += result.affectedRows;
  }
}

/** 1213 deadlock, 1205 lock wait. */
function isConflict(error: unknown): boolean {
  return (
    typeof error === 'object' &&
    error !== null &&
    'errno' in error &&
    (error.errno === 1213 || error.errno === 1205)
  );
}

/** Reads the sum of all balances over and over: what a user of the target would see. */
export class BalanceReader {
  readonly #db: Database;
  readonly #expected: string;
  readonly #wrong: string[] = [];
  #reads = 0;
  #stopped = false;
  #over: Promise<void> = Promise.resolve();

  constructor(db: Database, options: { readonly sites: number }) {
    this.#db = db;
    this.#expected = (ACCOUNTS * OPENING_BALANCE * options.sites).toFixed(2);
  }

  get reads(): number {
    return this.#reads;
  }

  /** Sums that were not what they must be. */
  get wrong(): readonly string[] {
    return this.#wrong;
  }

  start(): void {
    this.#over = this.#run();
    this.#over.catch(() => {});
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#over;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const sum = await this.#db.value(`SELECT SUM(balance) FROM ${SCHEMA}.accounts`);
      this.#reads += 1;
      if (sum !== this.#expected) this.#wrong.push(String(sum));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}
