/**
 * What a failed statement means for the batch it belongs to. By the server's error number; the transaction is rolled back whole in
 * every case (1205 rolls back a statement only, so we do the rest).
 */
import { HoltError } from '../../../lib/errors.ts';
import { DivergenceSignal, StaleSignal } from '../load.ts';
import { TargetLinkError, TargetServerError } from './target-connection.ts';

export type ErrorClass =
  /** A lock wait or deadlock: the same batch again, soon. */
  | 'conflict'
  /** The rows at the target are not what the images promise, or a value does not fit: row by row under lock. */
  | 'careful'
  /** The connection is gone or about to go: another one, then the same batch. */
  | 'lost'
  /** The statement does not fit the tables as they are now: prepare again, after a pause. */
  | 'stale'
  /** The target cannot take it now, or not from this account: the same again after a pause, shown by its code until it heals. */
  | 'blocked'
  /** No answer of the target at all: a defect, or a stop. Passed on. */
  | 'other';

/* Numbers up to 1999 are common to both families unless noted; 3000 and up are MySQL's, 1900–1999 and 4000 and up MariaDB's (4031: MySQL's). */
const CONFLICT = [
  1020, // ER_CHECKREAD: changed since last read (MariaDB, snapshot isolation)
  1205, // ER_LOCK_WAIT_TIMEOUT
  1206, // ER_LOCK_TABLE_FULL
  1213, // ER_LOCK_DEADLOCK
  1412, // ER_TABLE_DEF_CHANGED: a DDL since the snapshot
  1614, // ER_XA_RBDEADLOCK
  1637, // ER_TOO_MANY_CONCURRENT_TRXS
  3058, // ER_USER_LOCK_DEADLOCK
  3101, // ER_TRANSACTION_ROLLBACK_DURING_COMMIT (group replication)
  3572, // ER_LOCK_NOWAIT
];

const CAREFUL = [
  1022, // ER_DUP_KEY
  1048, // ER_BAD_NULL_ERROR
  1062, // ER_DUP_ENTRY
  1169, // ER_DUP_UNIQUE
  1216,
  1217,
  1451,
  1452, // foreign keys
  1264, // ER_WARN_DATA_OUT_OF_RANGE
  1265, // WARN_DATA_TRUNCATED
  1292, // ER_TRUNCATED_WRONG_VALUE
  1300, // ER_INVALID_CHARACTER_STRING
  1364, // ER_NO_DEFAULT_FOR_FIELD
  1366, // ER_TRUNCATED_WRONG_VALUE_FOR_FIELD
  1367, // ER_ILLEGAL_VALUE_FOR_TYPE
  1406, // ER_DATA_TOO_LONG
  1411, // ER_WRONG_VALUE_FOR_TYPE
  1416, // ER_CANT_CREATE_GEOMETRY_OBJECT
  1526, // ER_NO_PARTITION_FOR_GIVEN_VALUE
  1557, // ER_FOREIGN_DUPLICATE_KEY
  1586, // ER_DUP_ENTRY_WITH_KEY_NAME
  1644, // ER_SIGNAL_EXCEPTION: a trigger refuses
  1690, // ER_DATA_OUT_OF_RANGE
  1748, // ER_ROW_DOES_NOT_MATCH_GIVEN_PARTITION_SET
  1859, // ER_DUP_UNKNOWN_IN_INDEX
  3140,
  3141,
  3143, // JSON text or path
  3750, // ER_WARN_… generated invisible key
  3819, // ER_CHECK_CONSTRAINT_VIOLATED
  3854, // ER_CANNOT_CONVERT_STRING
  4025, // ER_CONSTRAINT_FAILED (MariaDB)
  4078, // ER_ILLEGAL_PARAMETER_DATA_TYPE… (MariaDB)
];

const LOST = [
  1053, // ER_SERVER_SHUTDOWN
  1077,
  1079,
  1080, // normal shutdown, forced close
  1152,
  1153,
  1156,
  1157,
  1158,
  1159,
  1160,
  1161, // aborted connection, packets, network
  1184, // ER_NEW_ABORTING_CONNECTION
  1317, // ER_QUERY_INTERRUPTED
  1927, // ER_CONNECTION_KILLED (MariaDB)
  1969, // ER_STATEMENT_TIMEOUT (MariaDB)
  3024, // ER_QUERY_TIMEOUT
  3168,
  3169, // server isn't available, session was killed
  4031, // ER_CLIENT_INTERACTION_TIMEOUT (MySQL)
];

const STALE = [
  1049, // ER_BAD_DB_ERROR
  1054, // ER_BAD_FIELD_ERROR
  1109, // ER_UNKNOWN_TABLE
  1136, // ER_WRONG_VALUE_COUNT_ON_ROW
  1146, // ER_NO_SUCH_TABLE
  1176, // ER_KEY_DOES_NOT_EXITS
  1288, // ER_NON_UPDATABLE_TABLE
  1347, // ER_WRONG_OBJECT
  1393,
  1394,
  1471, // views
  1906, // ER_GENERATED_COLUMN_NON_DEFAULT (MariaDB)
  3105, // ER_NON_DEFAULT_VALUE_FOR_GENERATED_COLUMN
];

/** The code shown while it lasts, by number; what is not here is HOLT_TARGET_STATEMENT. */
const BLOCKED: ReadonlyMap<number, BlockedCode> = new Map<number, BlockedCode>([
  ...numbered('HOLT_TARGET_READ_ONLY', [
    1290, // ER_OPTION_PREVENTS_STATEMENT
    1792, // ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
    1836, // ER_READ_ONLY_MODE
    3100, // ER_RUN_HOOK_ERROR: group replication refuses a write
  ]),
  ...numbered('HOLT_TARGET_DISK', [
    1021, // ER_DISK_FULL
    1026, // ER_ERROR_ON_WRITE
    1030, // ER_GET_ERRNO: the storage engine failed
    1041, // ER_OUT_OF_RESOURCES
    1114, // ER_RECORD_FILE_FULL
    1197, // ER_TRANS_CACHE_FULL: max_binlog_cache_size
    1598, // ER_BINLOG_LOGGING_IMPOSSIBLE
    3019,
    1594, // ER_INNODB_READ_ONLY…, relay log
  ]),
  ...numbered('HOLT_TARGET_CONNECTIONS', [
    1040, // ER_CON_COUNT_ERROR
    1129, // ER_HOST_IS_BLOCKED
    1135, // ER_CANT_CREATE_THREAD
    1203, // ER_TOO_MANY_USER_CONNECTIONS
    1226, // ER_USER_LIMIT_REACHED
  ]),
  ...numbered('HOLT_TARGET_ACCESS_DENIED', [
    1044,
    1045,
    1095,
    1130,
    1142,
    1143,
    1227,
    1251,
    1370,
    1410,
    1524,
    1698,
    1820,
    1862,
    3118,
    3159,
    3879,
    3955,
    4151, // accounts, hosts, plug-ins, grants
  ]),
]);

type BlockedCode =
  | 'HOLT_TARGET_READ_ONLY'
  | 'HOLT_TARGET_DISK'
  | 'HOLT_TARGET_CONNECTIONS'
  | 'HOLT_TARGET_ACCESS_DENIED';

function numbered(code: BlockedCode, numbers: readonly number[]): (readonly [number, BlockedCode])[] {
  return numbers.map((number) => [number, code] as const);
}

const BY_NUMBER: ReadonlyMap<number, ErrorClass> = new Map<number, ErrorClass>([
  ...CONFLICT.map((number) => [number, 'conflict'] as const),
  ...CAREFUL.map((number) => [number, 'careful'] as const),
  ...LOST.map((number) => [number, 'lost'] as const),
  ...STALE.map((number) => [number, 'stale'] as const),
]);

export function classify(error: unknown): ErrorClass {
  if (error instanceof DivergenceSignal) return 'careful';
  if (error instanceof StaleSignal) return 'stale';
  if (error instanceof TargetLinkError) return 'lost';
  if (error instanceof TargetServerError) return BY_NUMBER.get(error.errno) ?? 'blocked';
  if (error instanceof HoltError && error.disposition === 'retry') return 'blocked';
  return 'other';
}

/** Errors whose text names objects and settings only: it may be shown and logged. Others may hold row values. */
const NAMES_ONLY = new Set([...STALE, ...BLOCKED.keys(), 1064, 1072, 1364, 1148]);

/** The server's text where it cannot hold a row's values, else only the symbol and number. */
export function publicText(error: TargetServerError): string {
  return NAMES_ONLY.has(error.errno) ? `${error.message}: ${error.serverText}` : error.message;
}

/** What is shown and logged of an error of the target; a HoltError stays as it is. */
export function targetError(error: unknown): HoltError {
  if (error instanceof HoltError) return error;
  if (error instanceof StaleSignal)
    return new HoltError('HOLT_TARGET_TABLE', error.message, { disposition: 'retry', cause: error });
  if (error instanceof TargetServerError) {
    const code =
      BLOCKED.get(error.errno) ??
      (STALE.includes(error.errno) ? 'HOLT_TARGET_TABLE' : 'HOLT_TARGET_STATEMENT');
    return new HoltError(code, `${error.server} answers ${publicText(error)}`, {
      disposition: 'retry',
      facts: { dataSource: error.server, errno: error.errno, sqlState: error.sqlState },
      cause: error,
    });
  }
  if (error instanceof TargetLinkError)
    return new HoltError('HOLT_TARGET_UNREACHABLE', `no connection to ${error.server}: ${error.message}`, {
      disposition: 'retry',
      facts: { dataSource: error.server },
      cause: error,
    });
  return new HoltError(
    'HOLT_LOAD_DEFECT',
    `Load failed: ${error instanceof Error ? error.message : String(error)}`,
    {
      disposition: 'pause',
      cause: error,
    },
  );
}
