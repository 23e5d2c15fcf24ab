import type { Database } from '../../support/database.ts';
import type { Dice } from '../../support/dice.ts';
import { errnoIsExpected } from './expected-errors.ts';

/** Tables of every shape that folding and ordering treat differently. */
export const TABLES: Readonly<Record<string, string>> = {
  plain:
    'id INT PRIMARY KEY, a INT, b VARCHAR(30) CHARACTER SET utf8mb4, c CHAR(8) CHARACTER SET latin1, d DECIMAL(12,4), e DATETIME(3) NULL, f FLOAT, g DOUBLE, h BLOB, i BIGINT UNSIGNED, t TIMESTAMP NULL',
  composite: 'a INT, b VARCHAR(10) CHARACTER SET utf8mb4, v INT, PRIMARY KEY (a, b)',
  binary_key: 'k VARBINARY(16) PRIMARY KEY, v INT',
  folding_key: 'k VARCHAR(12) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci PRIMARY KEY, v INT',
  secondary:
    'id INT PRIMARY KEY, u INT NOT NULL UNIQUE, w VARCHAR(10) CHARACTER SET utf8mb4 NULL UNIQUE, v INT',
  unique_only: 'k INT NOT NULL, v INT, UNIQUE KEY (k)',
  keyless: 'a INT, b VARCHAR(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci, f FLOAT',
  parent: 'id INT PRIMARY KEY, v INT',
  child:
    'id INT PRIMARY KEY, parent_id INT NULL, v INT, KEY (parent_id), CONSTRAINT child_parent FOREIGN KEY (parent_id) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE',
  tree: 'id INT PRIMARY KEY, up INT NULL, KEY (up), CONSTRAINT tree_up FOREIGN KEY (up) REFERENCES tree (id) ON DELETE SET NULL',
  stamped:
    'id INT PRIMARY KEY, v INT, changed TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)',
};

export async function createTables(db: Database, schema: string): Promise<void> {
  for (const [name, columns] of Object.entries(TABLES)) {
    const qualified = columns.replace(/REFERENCES (\w+)/g, `REFERENCES \`${schema}\`.$1`);
    await db.query(`CREATE TABLE \`${schema}\`.${name} (${qualified}) ENGINE=InnoDB`);
  }
}

/** Transactions of random statements; those that the server refuses (a duplicate, a missing parent) are part of it. */
export async function runWorkload(
  db: Database,
  schema: string,
  dice: Dice,
  transactions: number,
  setup: readonly string[] = [],
): Promise<void> {
  const connection = await db.connect({ schema });
  try {
    for (const statement of ["SET SESSION sql_mode = ''", ...setup]) await connection.query(statement);
    for (let i = 0; i < transactions; i++) {
      await connection.query('START TRANSACTION');
      for (let n = 1 + dice.below(6); n > 0; n--)
        try {
          for (const statement of randomStatements(dice)) await connection.query(statement);
        } catch (error) {
          if (!errnoIsExpected(error)) throw error;
        }
      await connection.query(dice.chance(0.95) ? 'COMMIT' : 'ROLLBACK');
    }
  } finally {
    await connection.end();
  }
}

const WORDS = ['a', 'A', 'b', 'B', 'ab', 'AB', 'ä', 'Ä', 'ß', 'ss', 'x y', "o'b\\n", '名', '🦦', ''];

function text(dice: Dice): string {
  return `'${dice.of(WORDS).replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

function id(dice: Dice): number {
  return dice.below(24);
}

function randomStatements(dice: Dice): readonly string[] {
  if (!dice.chance(0.03)) return [randomStatement(dice)];
  // Two rows exchange their unique values.
  const [one, other, free] = [id(dice), 24 + id(dice), 100 + dice.below(1000)];
  return [
    `SET @one = NULL, @other = NULL`,
    `REPLACE INTO secondary VALUES (${other},${free + 1000},NULL,3)`,
    `SELECT u INTO @one FROM secondary WHERE id = ${one}`,
    `SELECT u INTO @other FROM secondary WHERE id = ${other}`,
    `UPDATE secondary SET u = ${free} WHERE id = ${one}`,
    `UPDATE secondary SET u = IFNULL(@one, u) WHERE id = ${other}`,
    `UPDATE secondary SET u = @other WHERE id = ${one}`,
  ];
}

function randomStatement(dice: Dice): string {
  const table = dice.of(Object.keys(TABLES));
  const number = () => dice.below(50);
  switch (table) {
    case 'plain': {
      const row = () =>
        `(${id(dice)},${number()},${text(dice)},'${dice.of(['', 'x', 'Ã¼', 'é  '])}',${dice.of(['1.5', '-0.0001', '99999999.9999', 'NULL'])},${dice.of(["'2024-02-29 12:00:00.123'", "'0000-00-00'", 'NULL'])},${dice.of(['0.1', '-1e30', '16777217', 'NULL'])},${dice.of(['0.1', '1e308', '-0.0', '123456789.123456789'])},${dice.of(["x'00ff2722'", "x''", 'NULL', "REPEAT('z', 300)"])},${dice.of(['18446744073709551615', '0', '9007199254740993'])},${dice.of(["'2020-01-01 00:00:01'", 'NULL'])})`;
      if (dice.chance(0.5)) return `REPLACE INTO plain VALUES ${row()},${row()}`;
      if (dice.chance(0.5))
        return `UPDATE plain SET a = a + 1, b = ${text(dice)} WHERE id % 5 = ${dice.below(5)}`;
      if (dice.chance(0.3)) return `UPDATE plain SET id = id + 100 WHERE id = ${id(dice)}`;
      if (dice.chance(0.3)) return `UPDATE plain SET id = id - 100 WHERE id > 99 ORDER BY id LIMIT 2`;
      return `DELETE FROM plain WHERE id = ${id(dice)}`;
    }
    case 'composite':
      if (dice.chance(0.5))
        return `INSERT INTO composite VALUES (${dice.below(4)},${text(dice)},${number()}) ON DUPLICATE KEY UPDATE v = v + 1`;
      if (dice.chance(0.5))
        return `UPDATE composite SET b = ${text(dice)} WHERE a = ${dice.below(4)} LIMIT 1`;
      return `DELETE FROM composite WHERE a = ${dice.below(4)} AND b = ${text(dice)}`;
    case 'binary_key':
      if (dice.chance(0.6)) return `REPLACE INTO binary_key VALUES (${text(dice)},${number()})`;
      return `DELETE FROM binary_key WHERE k = ${text(dice)}`;
    case 'folding_key':
      if (dice.chance(0.4)) return `REPLACE INTO folding_key VALUES (${text(dice)},${number()})`;
      if (dice.chance(0.3)) return `INSERT INTO folding_key VALUES (${text(dice)},${number()})`;
      if (dice.chance(0.4)) return `UPDATE folding_key SET k = ${text(dice)} WHERE k = ${text(dice)}`;
      if (dice.chance(0.4)) return `UPDATE folding_key SET v = v + 1`;
      return `DELETE FROM folding_key WHERE k = ${text(dice)}`;
    case 'secondary':
      if (dice.chance(0.3))
        return `INSERT INTO secondary VALUES (${id(dice)},${number()},${dice.of([text(dice), 'NULL'])},1)`;
      if (dice.chance(0.2)) return `REPLACE INTO secondary VALUES (${id(dice)},${number()},NULL,2)`;
      if (dice.chance(0.3)) return `UPDATE secondary SET u = u + 1 ORDER BY u DESC LIMIT 3`;
      if (dice.chance(0.3)) return `UPDATE secondary SET u = ${number()} WHERE id = ${id(dice)}`;
      if (dice.chance(0.3)) return `UPDATE secondary SET v = v + 1`;
      if (dice.chance(0.3)) return `UPDATE secondary SET w = ${text(dice)} WHERE id = ${id(dice)}`;
      return `DELETE FROM secondary WHERE id = ${id(dice)}`;
    case 'unique_only':
      if (dice.chance(0.5)) return `REPLACE INTO unique_only VALUES (${id(dice)},${number()})`;
      if (dice.chance(0.5)) return `UPDATE unique_only SET k = k + 50 WHERE k = ${id(dice)}`;
      return `DELETE FROM unique_only WHERE k = ${id(dice)}`;
    case 'keyless':
      if (dice.chance(0.6))
        return `INSERT INTO keyless VALUES (${dice.below(3)},${dice.of([text(dice), 'NULL'])},${dice.of(['0.1', 'NULL', '3e-5'])})`;
      if (dice.chance(0.5))
        return `UPDATE keyless SET a = a + 1, b = ${text(dice)} WHERE a = ${dice.below(4)} LIMIT 2`;
      return `DELETE FROM keyless WHERE a = ${dice.below(6)} LIMIT 1`;
    case 'parent':
      if (dice.chance(0.5)) return `INSERT INTO parent VALUES (${id(dice)},1)`;
      if (dice.chance(0.4)) return `UPDATE parent SET v = v + 1 WHERE id < 10`;
      if (dice.chance(0.3)) return `UPDATE parent SET id = id + 40 WHERE id = ${id(dice)}`;
      return `DELETE FROM parent WHERE id = ${id(dice)}`;
    case 'child':
      if (dice.chance(0.6))
        return `INSERT INTO child VALUES (${id(dice)},${dice.of([String(id(dice)), 'NULL'])},1)`;
      if (dice.chance(0.5))
        return `UPDATE child SET parent_id = ${id(dice)}, v = v + 1 WHERE id = ${id(dice)}`;
      return `DELETE FROM child WHERE id = ${id(dice)}`;
    case 'tree':
      // No row is its own parent: MySQL 9.7 logs its removal with a before image that the logged SET NULL has just made untrue.
      if (dice.chance(0.6))
        return `INSERT INTO tree VALUES (${id(dice)},${dice.of([String(24 + id(dice)), 'NULL'])})`;
      if (dice.chance(0.5)) return `UPDATE tree SET up = ${id(dice)} WHERE id = ${24 + id(dice)}`;
      if (dice.chance(0.3)) return `INSERT INTO tree VALUES (${24 + id(dice)},${id(dice)})`;
      return `DELETE FROM tree WHERE id = ${id(dice)}`;
    default:
      if (dice.chance(0.4)) return `INSERT INTO stamped (id, v) VALUES (${id(dice)},0)`;
      if (dice.chance(0.6)) return `UPDATE stamped SET v = v + 1 WHERE id % 3 = ${dice.below(3)}`;
      if (dice.chance(0.5)) return `UPDATE stamped SET v = v + 1, changed = changed WHERE id = ${id(dice)}`;
      return `DELETE FROM stamped WHERE id = ${id(dice)}`;
  }
}
