/**
 * MariaDB's GTID_LIST: the last GTIDs per domain and server before this file.
 *
 *     u32 count in the low 28 bits, flags above · (u32 domain · u32 server · u64 sequence)*
 *
 * Source: https://mariadb.com/kb/en/gtid_list_event/.
 */
import type { ByteReader } from './byte-reader.ts';
import type { BinlogEvent, EventHeader } from './event.ts';

export function decodeMariadbGtidList(reader: ByteReader, header: EventHeader): BinlogEvent {
  const count = reader.u32() & 0x0fff_ffff;
  if (count * 16 > reader.remaining) reader.fail(`${count} GTIDs`);
  const gtids = Array.from(
    { length: count },
    () =>
      ({
        flavour: 'mariadb',
        domain: reader.u32(),
        server: reader.u32(),
        sequence: reader.u64(),
      }) as const,
  );
  return { kind: 'mariadb-gtid-list', header, gtids };
}
