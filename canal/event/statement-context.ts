/**
 * Context of the next statement in statement format: named so that it is refused, and read so that damage shows.
 *
 *     INTVAR    u8 kind (1 last insert id, 2 insert id) · u64 value
 *     RAND      u64 seed 1 · u64 seed 2
 *     USER_VAR  u32 name length · name · u8 is null · [u8 type · u32 collation · u32 length · value · [u8 flags]]
 *
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/namespacebinary__log.html
 */
import type { ByteReader } from './byte-reader.ts';
import type { BinlogEvent, EventHeader } from './event.ts';

export function decodeIntvar(reader: ByteReader, header: EventHeader): BinlogEvent {
  const kind = reader.u8();
  if (kind > 2) reader.fail(`${kind} is no kind of INTVAR`);
  reader.skip(8);
  return { kind: 'statement-context', header, name: 'intvar' };
}

export function decodeRand(reader: ByteReader, header: EventHeader): BinlogEvent {
  reader.skip(16);
  return { kind: 'statement-context', header, name: 'rand' };
}

export function decodeUserVar(reader: ByteReader, header: EventHeader): BinlogEvent {
  reader.skip(reader.u32());
  const isNull = reader.u8() !== 0;
  if (!isNull) {
    reader.skip(1 + 4);
    reader.skip(reader.u32());
  }
  return { kind: 'statement-context', header, name: 'user-var' };
}
