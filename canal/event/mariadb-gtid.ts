/**
 * MariaDB's GTID: the head of a transaction (in place of BEGIN), or of a single statement.
 *
 *     u64 sequence · u32 domain · u8 flags
 *     flags & 2 (group commit):            u64 commit id
 *     flags & 0x40, 0x80 (XA):             u32 format id · u8 gtrid length · u8 bqual length · gtrid · bqual
 *     where bytes are left (10.8):         u8 extra flags
 *         extra & 1 (several engines):     u8 engines
 *         extra & 4, 8 (ALTER ends):       u64 sequence of its START ALTER
 *         extra & 0x10 (12.x):             u32 thread id
 *     padded with zeros to 19 bytes
 *
 * The server id of the GTID is the header's. Source: https://mariadb.com/kb/en/gtid_event/; extra flags: MariaDB
 * MDEV-11675 (two-phase ALTER), https://jira.mariadb.org/browse/MDEV-11675.
 */
import type { ByteReader } from './byte-reader.ts';
import type { BinlogEvent, EventHeader, XaId } from './event.ts';

const FLAG = {
  standalone: 1,
  groupCommit: 2,
  transactional: 4,
  ddl: 0x20,
  preparedXa: 0x40,
  completedXa: 0x80,
};
const EXTRA = { engines: 1, startAlter: 2, commitAlter: 4, rollbackAlter: 8 };

export function decodeMariadbGtid(reader: ByteReader, header: EventHeader): BinlogEvent {
  const sequence = reader.u64();
  const domain = reader.u32();
  const flags = reader.u8();
  if ((flags & FLAG.groupCommit) !== 0) reader.skip(8);
  const xa = (flags & (FLAG.preparedXa | FLAG.completedXa)) === 0 ? null : xaId(reader);
  const extra = reader.remaining > 0 ? reader.u8() : 0;
  if ((extra & EXTRA.engines) !== 0) reader.skip(1);
  const ends = (extra & (EXTRA.commitAlter | EXTRA.rollbackAlter)) !== 0;
  const alterStartSequence = ends ? reader.u64() : null;
  return {
    kind: 'mariadb-gtid',
    header,
    gtid: { flavour: 'mariadb', domain, server: header.serverId, sequence },
    standalone: (flags & FLAG.standalone) !== 0,
    ddl: (flags & FLAG.ddl) !== 0,
    preparedXa: (flags & FLAG.preparedXa) !== 0,
    completedXa: (flags & FLAG.completedXa) !== 0,
    xa,
    transactional: (flags & FLAG.transactional) !== 0,
    alter: alterPhase(extra),
    alterStartSequence,
  };
}

function xaId(reader: ByteReader): XaId {
  const formatId = reader.u32() | 0;
  const gtridLength = reader.u8();
  const bqualLength = reader.u8();
  const gtrid = reader.bytes(gtridLength);
  return { formatId, gtrid, bqual: reader.bytes(bqualLength) };
}

function alterPhase(extra: number): 'none' | 'start' | 'commit' | 'rollback' {
  if ((extra & EXTRA.startAlter) !== 0) return 'start';
  if ((extra & EXTRA.commitAlter) !== 0) return 'commit';
  if ((extra & EXTRA.rollbackAlter) !== 0) return 'rollback';
  return 'none';
}
