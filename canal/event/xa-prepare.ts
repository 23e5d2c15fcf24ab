/**
 * XA_PREPARE: ends the first phase of an XA transaction; its rows take effect at a later XA COMMIT, if at all.
 *
 *     u8 one phase · i32 format id · u32 gtrid length · u32 bqual length · gtrid · bqual
 *
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/classbinary__log_1_1XA__prepare__event.html,
 * https://mariadb.com/kb/en/xa_prepare_log_event/.
 */
import type { ByteReader } from './byte-reader.ts';
import type { BinlogEvent, EventHeader } from './event.ts';

/** MAXGTRIDSIZE and MAXBQUALSIZE of the X/Open XA specification. */
const MAX_PART_BYTES = 64;

export function decodeXaPrepare(reader: ByteReader, header: EventHeader): BinlogEvent {
  const onePhase = reader.u8() !== 0;
  const formatId = reader.u32() | 0;
  const gtridLength = reader.u32();
  const bqualLength = reader.u32();
  if (gtridLength > MAX_PART_BYTES || bqualLength > MAX_PART_BYTES)
    reader.fail(`an XA id of ${gtridLength} and ${bqualLength} bytes`);
  const gtrid = reader.bytes(gtridLength);
  return { kind: 'xa-prepare', header, onePhase, formatId, gtrid, bqual: reader.bytes(bqualLength) };
}
