/**
 * What a source can put into its log besides plain rows, and what becomes of it: the target equal to the source, or the pipeline
 * paused with a code. Nothing is passed over in silence.
 *
 * Tables: `t` and `m` are replicated (`m` is MyISAM at the source), `elsewhere.x` is not. `work` runs in one session in the replicated
 * schema at a real server; `log` is what servers make of it, for the tests without one:
 *
 *     'GTID', 'BEGIN', 'COMMIT', 'XID', any other text: a statement    '+t 1': row 1 inserted into t    '-t 1': deleted
 */
import type { CaseServer } from '../column-types/column-type-case.ts';

export type StatementCode =
  | 'HOLT_STATEMENT_FORMAT'
  | 'HOLT_LOAD_DATA_STATEMENT'
  | 'HOLT_SOURCE_INCIDENT'
  | 'HOLT_DDL_ON_REPLICATED_TABLE';

export interface StatementCase {
  readonly title: string;
  /** Servers it is tried on; all if absent. */
  readonly on?: readonly CaseServer[];
  /** With privileges, before; undone afterwards by `after`. */
  readonly before?: readonly string[];
  readonly after?: readonly string[];
  readonly work: readonly string[];
  /** A statement of `work` that fails, as it should, by its number in `work`. */
  readonly fails?: number;
  readonly outcome: 'equal' | StatementCode;
  readonly log: readonly string[];
}

/** With GTIDs, MySQL 9.7 refuses transactions over tables of both kinds. */
const MIXING: readonly CaseServer[] = ['mariadb', 'mysql56'];
const STATEMENT = "SET SESSION binlog_format = 'STATEMENT'";
const MIXED = "SET SESSION binlog_format = 'MIXED'";

export const STATEMENT_CASES: readonly StatementCase[] = [
  {
    title: 'rows, alone and in transactions',
    work: [
      'INSERT INTO t VALUES (1, 1), (2, 2)',
      'BEGIN',
      'UPDATE t SET v = 3 WHERE id = 1',
      'DELETE FROM t WHERE id = 2',
      'COMMIT',
    ],
    outcome: 'equal',
    log: ['GTID', 'BEGIN', '+t 1', '+t 2', 'XID', 'GTID', 'BEGIN', '-t 2', 'XID'],
  },
  {
    title: 'a rolled back transaction leaves nothing',
    work: ['BEGIN', 'INSERT INTO t VALUES (1, 1)', 'ROLLBACK', 'INSERT INTO t VALUES (2, 2)'],
    outcome: 'equal',
    log: ['GTID', 'BEGIN', '+t 2', 'XID'],
  },
  {
    title: 'ROLLBACK TO SAVEPOINT takes back what came behind it',
    work: [
      'BEGIN',
      'INSERT INTO t VALUES (1, 1)',
      'SAVEPOINT a',
      'INSERT INTO t VALUES (2, 2)',
      'SAVEPOINT b',
      'INSERT INTO t VALUES (3, 3)',
      'ROLLBACK TO SAVEPOINT a',
      'INSERT INTO t VALUES (4, 4)',
      'RELEASE SAVEPOINT a',
      'COMMIT',
    ],
    outcome: 'equal',
    log: ['GTID', 'BEGIN', '+t 1', 'SAVEPOINT `a`', '+t 4', 'XID'],
  },
  {
    title: 'ROLLBACK TO SAVEPOINT that the log keeps, because a temporary table was made behind it',
    work: [
      'BEGIN',
      'INSERT INTO t VALUES (1, 1)',
      'SAVEPOINT `a b`',
      'INSERT INTO t VALUES (2, 2)',
      'CREATE TEMPORARY TABLE tmp (id INT) ENGINE=InnoDB',
      'INSERT INTO tmp VALUES (1)',
      'ROLLBACK TO SAVEPOINT `a b`',
      'INSERT INTO t VALUES (3, 3)',
      'COMMIT',
    ],
    on: MIXING,
    outcome: 'equal',
    log: [
      ...['GTID', 'BEGIN', '+t 1', 'SAVEPOINT `a b`', '+t 2', 'CREATE TEMPORARY TABLE tmp (id INT)'],
      ...['ROLLBACK TO `a b`', '+t 3', 'XID'],
    ],
  },
  {
    title: 'rows of a table that cannot roll back stay after ROLLBACK',
    work: ['BEGIN', 'INSERT INTO t VALUES (1, 1)', 'INSERT INTO m VALUES (1, 1)', 'ROLLBACK'],
    on: MIXING,
    outcome: 'equal',
    log: ['GTID', 'BEGIN', '+m 1', 'COMMIT'],
  },
  {
    title: 'both kinds of tables, savepoints and rollbacks mixed',
    work: [
      'BEGIN',
      'INSERT INTO m VALUES (1, 1)',
      'INSERT INTO t VALUES (1, 1)',
      'SAVEPOINT a',
      'INSERT INTO m VALUES (2, 2)',
      'INSERT INTO t VALUES (2, 2)',
      'ROLLBACK TO SAVEPOINT a',
      'UPDATE m SET v = 7',
      'COMMIT',
      'BEGIN',
      'DELETE FROM m WHERE id = 1',
      'DELETE FROM t',
      'ROLLBACK',
    ],
    on: MIXING,
    outcome: 'equal',
    log: [
      ...['GTID', 'BEGIN', '+m 1', 'COMMIT', 'GTID', 'BEGIN', '+m 2', 'COMMIT'],
      ...['GTID', 'BEGIN', '+t 1', 'SAVEPOINT `a`', '+t 2', 'ROLLBACK TO `a`', 'XID'],
    ],
  },
  {
    title: 'a table that cannot roll back alone: its transactions end with COMMIT instead of XID',
    work: [
      'INSERT INTO m VALUES (1, 1), (2, 2)',
      'UPDATE m SET v = 5 WHERE id = 1',
      'DELETE FROM m WHERE id = 2',
    ],
    outcome: 'equal',
    log: ['GTID', 'BEGIN', '+m 1', '+m 2', 'COMMIT'],
  },
  {
    title: 'a change in statement form',
    work: ['INSERT INTO t VALUES (1, 1)', STATEMENT, 'INSERT INTO t VALUES (424242, 2)'],
    outcome: 'HOLT_STATEMENT_FORMAT',
    log: ['GTID', 'BEGIN', '+t 1', 'XID', 'GTID', 'BEGIN', 'INSERT INTO t VALUES (424242, 2)', 'XID'],
  },
  {
    title: 'a change in statement form behind rows of the same transaction: none of it',
    work: ['BEGIN', 'INSERT INTO t VALUES (1, 1)', STATEMENT, 'UPDATE t SET v = 424242', 'COMMIT'],
    // Elsewhere the format cannot be changed within a transaction.
    on: [],
    outcome: 'HOLT_STATEMENT_FORMAT',
    log: ['GTID', 'BEGIN', '+t 1', 'UPDATE t SET v = 424242', 'XID'],
  },
  {
    title: 'a change in statement form with a comment in front, over several tables',
    work: [
      STATEMENT,
      'INSERT INTO t VALUES (1, 1)',
      '/* from the shop */ UPDATE t, m SET t.v = 424242, m.v = 1',
    ],
    on: MIXING,
    outcome: 'HOLT_STATEMENT_FORMAT',
    log: ['GTID', 'BEGIN', '/* from the shop */ UPDATE t, m SET t.v = 424242, m.v = 1', 'XID'],
  },
  {
    title: 'MIXED: what is safe as a statement is logged as one',
    work: [MIXED, 'INSERT INTO t VALUES (424242, 1)'],
    outcome: 'HOLT_STATEMENT_FORMAT',
    log: ['GTID', 'BEGIN', 'INSERT INTO t VALUES (424242, 1)', 'XID'],
  },
  {
    title: 'MIXED: what is not safe as a statement is logged as rows',
    work: [
      MIXED,
      'INSERT INTO t VALUES (1, CRC32(UUID()))',
      'INSERT INTO t VALUES (2, CONNECTION_ID() + CRC32(UUID()))',
    ],
    outcome: 'equal',
    log: ['GTID', 'BEGIN', '+t 1', 'XID'],
  },
  {
    title: 'a change in statement form on tables that are not replicated',
    work: [
      STATEMENT,
      'INSERT INTO elsewhere.x VALUES (1)',
      'UPDATE elsewhere.x SET id = 2',
      'DELETE FROM elsewhere.x',
    ],
    outcome: 'equal',
    log: ['GTID', 'BEGIN', 'INSERT INTO elsewhere.x VALUES (1)', 'XID'],
  },
  {
    title: 'a stored function called in statement form may change anything',
    before: [
      'SET GLOBAL log_bin_trust_function_creators = 1',
      'CREATE FUNCTION f(a INT) RETURNS INT BEGIN INSERT INTO t VALUES (a, 424242); RETURN a; END',
    ],
    work: [STATEMENT, 'INSERT INTO elsewhere.x VALUES (f(3))', 'DELETE FROM elsewhere.x'],
    outcome: 'HOLT_STATEMENT_FORMAT',
    log: ['GTID', 'BEGIN', 'INSERT INTO elsewhere.x VALUES (f(3))', 'XID'],
  },
  {
    title: 'rows of procedures and triggers are rows as any other',
    before: [
      'SET GLOBAL log_bin_trust_function_creators = 1',
      'CREATE TRIGGER tr AFTER INSERT ON t FOR EACH ROW INSERT INTO m VALUES (NEW.id, 9)',
      'CREATE PROCEDURE p() BEGIN INSERT INTO m VALUES (7, 7); UPDATE m SET v = v + 1; END',
    ],
    work: ['INSERT INTO m VALUES (100, 1)', 'CALL p()', 'INSERT INTO t VALUES (1, 1)'],
    on: MIXING,
    outcome: 'equal',
    log: [
      ...['GTID', 'CREATE TRIGGER tr AFTER INSERT ON t FOR EACH ROW INSERT INTO m VALUES (NEW.id, 9)'],
      ...['GTID', 'CREATE PROCEDURE p() BEGIN INSERT INTO m VALUES (7, 7); END'],
      ...['GTID', 'BEGIN', '+m 100', 'COMMIT', 'GTID', 'BEGIN', '+m 7', 'COMMIT'],
    ],
  },
  {
    title: 'LOAD DATA as rows',
    work: [
      'INSERT INTO t VALUES (50, 1)',
      "SELECT 1, 2 UNION SELECT 3, 4 INTO OUTFILE '{file}'",
      "LOAD DATA INFILE '{file}' INTO TABLE t",
    ],
    outcome: 'equal',
    log: ['GTID', 'BEGIN', '+t 1', '+t 3', 'XID'],
  },
  {
    title: 'LOAD DATA as a statement',
    work: [
      "SELECT 424242, 2 INTO OUTFILE '{file}'",
      STATEMENT,
      "LOAD DATA INFILE '{file}' INTO TABLE t (id, @v) SET v = @v + 424242",
    ],
    outcome: 'HOLT_LOAD_DATA_STATEMENT',
    log: ['GTID', 'BEGIN', "LOAD DATA INFILE '/tmp/f' INTO TABLE t (id, @v) SET v = @v + 424242", 'XID'],
  },
  {
    title: 'LOAD DATA as a statement into a table that is not replicated',
    work: ["SELECT 1 INTO OUTFILE '{file}'", STATEMENT, "LOAD DATA INFILE '{file}' INTO TABLE elsewhere.x"],
    outcome: 'equal',
    log: ['GTID', 'BEGIN', "LOAD DATA INFILE '/tmp/f' INTO TABLE `elsewhere`.`x`", 'XID'],
  },
  {
    title: 'CREATE TABLE … SELECT of a replicated table',
    work: ['INSERT INTO t VALUES (1, 1)', 'CREATE TABLE copy (PRIMARY KEY (id)) SELECT * FROM t'],
    outcome: 'HOLT_DDL_ON_REPLICATED_TABLE',
    log: [
      ...['GTID', 'BEGIN', '+t 1', 'XID', 'GTID', 'BEGIN'],
      ...['CREATE TABLE `copy` (`id` int, PRIMARY KEY (`id`)) START TRANSACTION', '+t 2', 'XID'],
    ],
  },
  {
    title: 'CREATE TABLE … SELECT of a replicated table, in two transactions as MySQL 5.6 and MariaDB log it',
    work: [],
    on: [],
    outcome: 'HOLT_DDL_ON_REPLICATED_TABLE',
    log: ['GTID', 'BEGIN', 'CREATE TABLE `copy` (`id` int, PRIMARY KEY (`id`))', '+t 2', 'XID'],
  },
  {
    title: 'CREATE TABLE … SELECT elsewhere',
    work: [
      'INSERT INTO t VALUES (1, 1)',
      'CREATE TABLE elsewhere.copy SELECT * FROM t',
      'DROP TABLE elsewhere.copy',
      'INSERT INTO t VALUES (2, 2)',
    ],
    outcome: 'equal',
    log: [
      ...['GTID', 'BEGIN', 'CREATE TABLE `elsewhere`.`copy` (`id` int) START TRANSACTION', 'XID'],
      ...['GTID', 'DROP TABLE `elsewhere`.`copy` /* generated by server */', 'GTID', 'BEGIN', '+t 2', 'XID'],
    ],
  },
  {
    title: 'temporary tables',
    work: [
      'CREATE TEMPORARY TABLE tmp (id INT PRIMARY KEY, v INT)',
      'INSERT INTO tmp VALUES (1, 1)',
      'INSERT INTO t SELECT * FROM tmp',
      'CREATE TEMPORARY TABLE t2 LIKE t',
      'ALTER TABLE tmp ADD COLUMN w INT',
      'TRUNCATE TABLE tmp',
      'DROP TABLE tmp',
      'DROP TEMPORARY TABLE t2',
      'INSERT INTO t VALUES (2, 2)',
    ],
    outcome: 'equal',
    log: [
      ...['GTID', 'CREATE TEMPORARY TABLE tmp (id INT PRIMARY KEY, v INT)', 'GTID', 'BEGIN', '+t 1', 'XID'],
      ...['GTID', 'DROP TEMPORARY TABLE IF EXISTS `tmp` /* generated by server */'],
    ],
  },
  {
    title: 'temporary tables in statement form',
    work: [STATEMENT, 'CREATE TEMPORARY TABLE tmp (id INT)', 'INSERT INTO tmp VALUES (424242)'],
    on: MIXING,
    outcome: 'HOLT_STATEMENT_FORMAT',
    log: [
      ...['GTID', 'CREATE TEMPORARY TABLE tmp (id INT)'],
      ...['GTID', 'BEGIN', 'INSERT INTO tmp VALUES (424242)', 'XID'],
    ],
  },
  {
    title: 'empty transactions',
    work: [
      "SET SESSION gtid_next = 'aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa:5'",
      'BEGIN',
      'COMMIT',
      "SET SESSION gtid_next = 'AUTOMATIC'",
      'INSERT INTO t VALUES (1, 1)',
    ],
    on: ['mysql'],
    outcome: 'equal',
    log: ['GTID', 'BEGIN', 'COMMIT', 'GTID', 'BEGIN', '+t 1', 'XID'],
  },
  {
    title: 'statements that change no rows',
    before: ["CREATE USER IF NOT EXISTS 'nobody'@'localhost'"],
    after: ["DROP USER 'nobody'@'localhost'"],
    on: ['mariadb', 'mysql'],
    work: [
      'FLUSH TABLES',
      'FLUSH PRIVILEGES',
      'ANALYZE TABLE t',
      'OPTIMIZE TABLE t',
      "GRANT SELECT ON elsewhere.* TO 'nobody'@'localhost'",
      "REVOKE SELECT ON elsewhere.* FROM 'nobody'@'localhost'",
      'CREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM t',
      'DROP EVENT e',
      'INSERT INTO t VALUES (1, 1)',
    ],
    outcome: 'equal',
    log: [
      ...[
        'GTID',
        'FLUSH TABLES',
        'GTID',
        'FLUSH PRIVILEGES',
        'GTID',
        'ANALYZE TABLE t',
        'GTID',
        'OPTIMIZE TABLE t',
      ],
      ...['GTID', "GRANT SELECT ON elsewhere.* TO 'nobody'@'localhost'"],
      ...['GTID', 'CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM t', 'GTID', 'BEGIN', '+t 1', 'XID'],
    ],
  },
  {
    title: 'annotated rows',
    on: ['mariadb'],
    work: [
      'SET SESSION binlog_annotate_row_events = ON',
      'INSERT INTO t VALUES (1, 1)',
      '/* annotated */ UPDATE t SET v = 2',
    ],
    outcome: 'equal',
    log: ['GTID', 'BEGIN', '+t 1', 'XID'],
  },
  {
    title: 'rows with their statement logged beside them',
    on: ['mysql', 'mysql56'],
    work: [
      'SET SESSION binlog_rows_query_log_events = ON',
      'INSERT INTO t VALUES (1, 1)',
      'UPDATE t SET v = 2',
    ],
    outcome: 'equal',
    log: ['GTID', 'BEGIN', '+t 1', 'XID'],
  },
  {
    title: 'BINLOG statements, whose rows are logged as rows',
    // MySQL with GTIDs takes them only from mysqlbinlog, each under the GTID of its transaction.
    on: MIXING,
    work: ['INSERT INTO t VALUES (5, 6)', 'DELETE FROM t', '{binlog}', 'INSERT INTO t VALUES (6, 7)'],
    outcome: 'equal',
    log: ['GTID', 'BEGIN', '+t 5', 'XID'],
  },
  {
    title: 'TRUNCATE',
    work: ['INSERT INTO t VALUES (1, 1)', 'TRUNCATE TABLE t'],
    outcome: 'HOLT_DDL_ON_REPLICATED_TABLE',
    log: ['GTID', 'BEGIN', '+t 1', 'XID', 'GTID', 'TRUNCATE TABLE t'],
  },
  {
    title: 'an incident: the source itself says that changes are missing from its log',
    before: ['SET GLOBAL max_binlog_stmt_cache_size = 4096', 'SET GLOBAL binlog_stmt_cache_size = 4096'],
    after: [
      'SET GLOBAL max_binlog_stmt_cache_size = 18446744073709547520',
      'SET GLOBAL binlog_stmt_cache_size = 32768',
    ],
    work: ['INSERT INTO t VALUES (1, 1)', '{many into m}'],
    fails: 1,
    outcome: 'HOLT_SOURCE_INCIDENT',
    log: ['GTID', 'BEGIN', '+t 1', 'XID', 'GTID', '{incident}'],
  },
];
