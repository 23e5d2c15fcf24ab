import { DUMP_FLAG } from './com-binlog-dump.ts';
import { COMMAND } from './protocol.ts';

export interface BinlogDumpGtidRequest {
  readonly serverId: number;
  readonly flags: number;
  /** What we have already, as `GtidSet.encode` gives it; the server sends the rest of its log. */
  readonly executed: Buffer;
}

/**
 * MySQL's auto-position: the server finds the file by itself.
 *
 *     1e · u16 flags · u32 server id · u32 name length · name · u64 offset · u32 set length · set
 *
 * Name empty and offset 4: the server looks from its first file.
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_binlog_dump_gtid.html.
 */
export function encodeBinlogDumpGtid(request: BinlogDumpGtidRequest): Buffer {
  const payload = Buffer.alloc(1 + 2 + 4 + 4 + 8 + 4 + request.executed.length);
  payload.writeUInt8(COMMAND.binlogDumpGtid, 0);
  payload.writeUInt16LE(request.flags | DUMP_FLAG.throughGtid, 1);
  payload.writeUInt32LE(request.serverId, 3);
  payload.writeUInt32LE(0, 7);
  payload.writeBigUInt64LE(4n, 11);
  payload.writeUInt32LE(request.executed.length, 19);
  request.executed.copy(payload, 23);
  return payload;
}
