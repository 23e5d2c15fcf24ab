import type { Stat } from '../../tree.ts';
import type { JuteReader } from './jute.ts';

/** Session ids and owners as the servers print them: `0x` and 16 hexadecimal digits. */
export function formatSessionId(id: bigint): string {
  return `0x${BigInt.asUintN(64, id).toString(16).padStart(16, '0')}`;
}

/**
 *     Stat { long czxid; long mzxid; long ctime; long mtime; int version; int cversion; int aversion;
 *            long ephemeralOwner; int dataLength; int numChildren; long pzxid; }
 */
export function readStat(reader: JuteReader): Stat {
  const czxid = reader.long();
  const mzxid = reader.long();
  const ctimeMs = Number(reader.long());
  const mtimeMs = Number(reader.long());
  const version = reader.int();
  const cversion = reader.int();
  const aversion = reader.int();
  const owner = reader.long();
  const dataLength = reader.int();
  const numChildren = reader.int();
  const pzxid = reader.long();
  return {
    czxid,
    mzxid,
    pzxid,
    ctimeMs,
    mtimeMs,
    version,
    cversion,
    aversion,
    ephemeralOwner: owner === 0n ? null : formatSessionId(owner),
    dataLength,
    numChildren,
  };
}
