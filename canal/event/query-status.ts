/**
 * The status variables of a QUERY event: the session that ran the statement.
 *
 * A run of (u8 code · value); the value's length follows from the code, so an unknown code ends the reading: what came
 * before it stands. Codes and layouts: https://dev.mysql.com/doc/dev/mysql-server/latest/classbinary__log_1_1Query__event.html
 * (table "Status variables"), MariaDB's own (128 and above): https://mariadb.com/kb/en/query_event/.
 */
import { ByteReader } from './byte-reader.ts';

export interface QueryStatus {
  /** Bits of the session's options, as `@@session` flags: 0x4000 auto_is_null, 0x80000 not autocommit, 0x4000000 no foreign key checks, 0x8000000 relaxed unique checks. */
  readonly flags?: number;
  readonly sqlMode?: bigint;
  readonly catalog?: string;
  readonly autoIncrement?: { readonly increment: number; readonly offset: number };
  /** Collation ids. */
  readonly charset?: { readonly client: number; readonly connection: number; readonly server: number };
  readonly timeZone?: string;
  readonly lcTimeNames?: number;
  readonly databaseCollation?: number;
  readonly invoker?: { readonly user: string; readonly host: string };
  /** Schemas the statement changes; null where there are too many to list. */
  readonly updatedSchemas?: readonly string[] | null;
  readonly microseconds?: number;
  readonly explicitDefaultsForTimestamp?: boolean;
  /** The transaction that committed an atomic DDL. */
  readonly ddlXid?: bigint;
  readonly defaultCollationForUtf8mb4?: number;
  readonly requirePrimaryKey?: boolean;
  readonly defaultTableEncryption?: boolean;
  /** MariaDB: two-phase ALTER, as the GTID's extra flags; the sequence number of its START. */
  readonly alter?: { readonly flags: number; readonly startSequence: bigint | null };
  /** A code this version does not know stopped the reading. */
  readonly unknownCode?: number;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

const TOO_MANY_SCHEMAS = 254;
const ALTER_ENDS = 0x04 | 0x08;

/** @throws HOLT_EVENT_CORRUPT when a value goes beyond the end. */
export function parseQueryStatus(statusVars: Buffer): QueryStatus {
  const reader = new ByteReader(statusVars, 'QUERY status variables');
  const status: Writable<QueryStatus> = {};
  while (reader.remaining > 0) {
    const code = reader.u8();
    if (!readVariable(reader, code, status)) {
      status.unknownCode = code;
      break;
    }
  }
  return status;
}

function readVariable(reader: ByteReader, code: number, status: Writable<QueryStatus>): boolean {
  switch (code) {
    case 0:
      status.flags = reader.u32();
      return true;
    case 1:
      status.sqlMode = reader.u64();
      return true;
    case 2: // with a closing NUL, as 5.0.0 to 5.0.3 wrote it
      status.catalog = reader.utf8(reader.u8());
      reader.skip(1);
      return true;
    case 3:
      status.autoIncrement = { increment: reader.u16(), offset: reader.u16() };
      return true;
    case 4:
      status.charset = { client: reader.u16(), connection: reader.u16(), server: reader.u16() };
      return true;
    case 5:
      status.timeZone = reader.utf8(reader.u8());
      return true;
    case 6:
      status.catalog = reader.utf8(reader.u8());
      return true;
    case 7:
      status.lcTimeNames = reader.u16();
      return true;
    case 8:
      status.databaseCollation = reader.u16();
      return true;
    case 9: // bit map of updated tables, for old multi-table updates
      reader.skip(8);
      return true;
    case 10: // length of the event as the original source wrote it
      reader.skip(4);
      return true;
    case 11:
      status.invoker = { user: reader.utf8(reader.u8()), host: reader.utf8(reader.u8()) };
      return true;
    case 12: {
      const count = reader.u8();
      status.updatedSchemas =
        count === TOO_MANY_SCHEMAS
          ? null
          : Array.from({ length: count }, () => reader.untilNul().toString('utf8'));
      return true;
    }
    case 13:
    case 128:
      status.microseconds = reader.u24();
      return true;
    case 16:
      status.explicitDefaultsForTimestamp = reader.u8() !== 0;
      return true;
    case 17:
    case 129:
      status.ddlXid = reader.u64();
      return true;
    case 18:
      status.defaultCollationForUtf8mb4 = reader.u16();
      return true;
    case 19:
      status.requirePrimaryKey = reader.u8() !== 0;
      return true;
    case 20:
      status.defaultTableEncryption = reader.u8() !== 0;
      return true;
    case 130: {
      const flags = reader.u8();
      status.alter = { flags, startSequence: (flags & ALTER_ENDS) !== 0 ? reader.u64() : null };
      return true;
    }
    case 131: // collation overrides per character set (MariaDB 11.5)
      reader.skip(reader.u8() * 4);
      return true;
    case 255: // padding that MariaDB leaves where it shortened an event for an old replica
      return true;
    default:
      return false;
  }
}
