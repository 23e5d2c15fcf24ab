/**
 * PREVIOUS_GTIDS: all GTIDs of the files before this one.
 *
 *     u64 sources: up to MySQL 8.2, and while no tag was ever used, their count; else the top byte is 1, the lowest too,
 *                  and the count stands between
 *     per source:  byte[16] uuid · [tagged form: varint tag length · tag] · u64 intervals · (u64 first · u64 last + 1)*
 *
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/classGtid__set.html (encode, "Gtid_format").
 */
import { GtidSet } from '../../model/gtid-set.ts';
import type { ByteReader } from './byte-reader.ts';
import type { BinlogEvent, EventHeader } from './event.ts';
import { readVarint } from './gtid-tagged.ts';
import { uuidText } from './uuid.ts';

const UNTAGGED = 0n;
const TAGGED = 1n;

/** What `GtidSet.encode` writes; the set comes as its canonical text. */
export function decodePreviousGtids(reader: ByteReader, header: EventHeader): BinlogEvent {
  const field = reader.u64();
  const format = field >> 56n;
  if (format !== UNTAGGED && format !== TAGGED) reader.fail(`GTID set format ${format}`);
  const tagged = format === TAGGED;
  const count = tagged ? (field >> 8n) & 0xffff_ffff_ffffn : field;
  if (count > BigInt(reader.remaining)) reader.fail(`${count} sources`);
  const set = new GtidSet();
  for (let i = 0n; i < count; i++) {
    const uuid = uuidText(reader.bytes(16));
    const tag = tagged ? reader.latin1(Number(readVarint(reader))) : '';
    const intervalCount = reader.safeU64();
    for (let j = 0; j < intervalCount; j++) {
      const first = reader.u64();
      const end = reader.u64();
      if (first < 1n || end <= first) reader.fail('an empty interval');
      set.addInterval(uuid, tag, first, end - 1n);
    }
  }
  return { kind: 'previous-gtids', header, set: set.toString() };
}
