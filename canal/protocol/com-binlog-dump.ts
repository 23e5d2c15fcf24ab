import { COMMAND } from './protocol.ts';

/** Bits of the dump commands' flags. */
export const DUMP_FLAG = {
  /** The server ends the dump with EOF at the end of its log, instead of waiting for more. */
  nonBlocking: 0x01,
  /** MariaDB: ANNOTATE_ROWS events too. Without it they are left out, and offsets show gaps. */
  annotateRows: 0x02,
  /** MySQL since 8.0.26: heartbeats with 64-bit offsets. The same bit, and harmless where it is not known. */
  heartbeatV2: 0x02,
  /** COM_BINLOG_DUMP_GTID: a GTID set follows. */
  throughGtid: 0x04,
} as const;

export interface BinlogDumpRequest {
  readonly serverId: number;
  readonly flags: number;
  /** Empty: the first file, or the one that `@slave_connect_state` leads to. */
  readonly file: string;
  /** Below 2^32: the command has no room for more. */
  readonly offset: number;
}

/**
 * Asks for events from a place in a file.
 *
 *     12 · u32 offset · u16 flags · u32 server id · file name
 *
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_binlog_dump.html,
 * https://mariadb.com/kb/en/com_binlog_dump/.
 */
export function encodeBinlogDump(request: BinlogDumpRequest): Buffer {
  const file = Buffer.from(request.file, 'utf8');
  const payload = Buffer.alloc(11 + file.length);
  payload.writeUInt8(COMMAND.binlogDump, 0);
  payload.writeUInt32LE(request.offset, 1);
  payload.writeUInt16LE(request.flags, 5);
  payload.writeUInt32LE(request.serverId, 7);
  file.copy(payload, 11);
  return payload;
}
