/**
 * The replies that are no rows.
 *
 *     OK    := 00 · lenenc affected rows · lenenc insert id · u16 status · u16 warnings · info
 *     ERR   := ff · u16 number · [ "#" · 5 characters SQL state ] · message
 *     EOF   := fe · u16 warnings · u16 status                      shorter than 9 bytes
 *
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_response_packets.html.
 */
import { type Disposition, HoltError } from '../../lib/errors.ts';
import type { ErrorCodeName } from '../../model/error-codes.ts';
import { ByteReader } from './byte-reader.ts';

const OK = 0x00;
const ERR = 0xff;
const EOF = 0xfe;

export function isOk(payload: Buffer): boolean {
  return payload[0] === OK;
}

export function isErr(payload: Buffer): boolean {
  return payload[0] === ERR;
}

export function isEof(payload: Buffer): boolean {
  return payload[0] === EOF && payload.length < 9;
}

export interface ServerError {
  readonly errno: number;
  /** Empty before login. */
  readonly sqlState: string;
  readonly message: string;
}

export function decodeErr(payload: Buffer): ServerError {
  const reader = new ByteReader(payload, 'error reply', 1);
  const errno = reader.uint16();
  const hasState = payload[3] === 0x23;
  if (hasState) reader.skip(1);
  const sqlState = hasState ? reader.bytes(5).toString('latin1') : '';
  return { errno, sqlState, message: reader.rest().toString('utf8') };
}

/**
 * Errors that are not just the failure of the statement at hand, by number. Accounts, grants and TLS are mended at the server or in
 * a file, without a word to us: they are tried again, and lose nothing meanwhile.
 */
const MEANING: ReadonlyMap<number, readonly [ErrorCodeName, Disposition]> = new Map([
  // Too many connections (of all, of this user), host blocked, server shutting down, connection killed, timeouts.
  [1040, ['HOLT_SOURCE_UNREACHABLE', 'retry']],
  [1203, ['HOLT_SOURCE_UNREACHABLE', 'retry']],
  [1226, ['HOLT_SOURCE_UNREACHABLE', 'retry']],
  [1129, ['HOLT_SOURCE_UNREACHABLE', 'retry']],
  [1053, ['HOLT_SOURCE_LINK_LOST', 'retry']],
  [1317, ['HOLT_SOURCE_LINK_LOST', 'retry']],
  [1927, ['HOLT_SOURCE_LINK_LOST', 'retry']],
  [4031, ['HOLT_SOURCE_LINK_LOST', 'retry']],
  // Host not allowed, database or user refused, wrong password, expired password, locked account.
  [1130, ['HOLT_SOURCE_ACCESS_DENIED', 'retry']],
  [1044, ['HOLT_SOURCE_ACCESS_DENIED', 'retry']],
  [1045, ['HOLT_SOURCE_ACCESS_DENIED', 'retry']],
  [1698, ['HOLT_SOURCE_ACCESS_DENIED', 'retry']],
  [1820, ['HOLT_SOURCE_ACCESS_DENIED', 'retry']],
  [1862, ['HOLT_SOURCE_ACCESS_DENIED', 'retry']],
  [3118, ['HOLT_SOURCE_ACCESS_DENIED', 'retry']],
  [4151, ['HOLT_SOURCE_ACCESS_DENIED', 'retry']],
  // Client too old, plugin not loaded or not known, insecure transport.
  [1251, ['HOLT_SOURCE_AUTH_METHOD', 'retry']],
  [1275, ['HOLT_SOURCE_AUTH_METHOD', 'retry']],
  [1524, ['HOLT_SOURCE_AUTH_METHOD', 'retry']],
  [2059, ['HOLT_SOURCE_AUTH_METHOD', 'retry']],
  [3159, ['HOLT_SOURCE_TLS', 'retry']],
  [4178, ['HOLT_SOURCE_TLS', 'retry']],
  // Table, column or global privilege missing.
  [1142, ['HOLT_SOURCE_GRANT', 'retry']],
  [1143, ['HOLT_SOURCE_GRANT', 'retry']],
  [1227, ['HOLT_SOURCE_GRANT', 'retry']],
]);

/** The server's refusal as an error of ours: number and state are among its facts. */
export function serverError(error: ServerError, doing: string): HoltError {
  const [code, disposition] = MEANING.get(error.errno) ?? (['HOLT_SOURCE_SQL', 'pause'] as const);
  return new HoltError(code, `${doing}: ${error.message} (error ${error.errno})`, {
    disposition,
    facts: { errno: error.errno, sqlState: error.sqlState },
  });
}

/** The server's error number, if the server said no. */
export function errnoOf(error: unknown): number | null {
  const errno = error instanceof HoltError ? error.facts.errno : null;
  return typeof errno === 'number' ? errno : null;
}
