/**
 * Heartbeats: sent while there is nothing else to send; they stand in no file.
 *
 *     HEARTBEAT       file name (rest); the offset is the header's log position, 32 bits
 *     MariaDB, beyond 4 GiB: header position 0, then u64 offset · file name (rest)
 *     HEARTBEAT_V2    (u8 field · lenenc length · value)*, 0 ends: 1 file name, 2 offset (lenenc)
 *
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/classbinary__log_1_1Heartbeat__event__v2.html,
 * https://mariadb.com/kb/en/heartbeat_log_event/.
 */
import type { ByteReader } from './byte-reader.ts';
import type { BinlogEvent, EventHeader } from './event.ts';

export function decodeHeartbeat(reader: ByteReader, header: EventHeader, mariadb: boolean): BinlogEvent {
  const offset = mariadb && header.logPos === 0 && reader.remaining > 8 ? reader.safeU64() : header.logPos;
  return { kind: 'heartbeat', header, offset, file: reader.rest().toString('utf8') };
}

export function decodeHeartbeatV2(reader: ByteReader, header: EventHeader): BinlogEvent {
  let file = '';
  let offset = 0;
  while (reader.remaining > 0) {
    const field = reader.u8();
    if (field === 0) break;
    const value = reader.inner(reader.lenenc(), 'HEARTBEAT_V2');
    if (field === 1) file = value.rest().toString('utf8');
    else if (field === 2) offset = value.lenenc();
  }
  return { kind: 'heartbeat', header, file, offset };
}
