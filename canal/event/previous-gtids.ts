/**
 * PREVIOUS_GTIDS: all GTIDs of the files before this one.
 *
 *     u64 sources: up to MySQL 8.2, and while no tag was ever used, their count; else the top byte is 1, the lowest too,
 *                  and the count stands between
 *     per source:  byte[16] uuid · [tagged form: varint tag length · tag] · u64 intervals · (u64 first · u64 last + 1)*
 *
 * Source: https://dev.mysql.com/doc/dev/mysql-server/latest/classGtid__set.html (encode, "Gtid_format").
 */
import type { ByteReader } from './byte-reader.ts';
import type { BinlogEvent, EventHeader } from './event.ts';
import { readVarint } from './gtid-tagged.ts';
import { uuidText } from './uuid.ts';

interface Interval {
  readonly first: bigint;
  readonly last: bigint;
}

const UNTAGGED = 0n;
const TAGGED = 1n;

export function decodePreviousGtids(reader: ByteReader, header: EventHeader): BinlogEvent {
  const field = reader.u64();
  const format = field >> 56n;
  if (format !== UNTAGGED && format !== TAGGED) reader.fail(`GTID set format ${format}`);
  const tagged = format === TAGGED;
  const count = tagged ? (field >> 8n) & 0xffff_ffff_ffffn : field;
  if (count > BigInt(reader.remaining)) reader.fail(`${count} sources`);
  const sources = new Map<string, Map<string, Interval[]>>();
  for (let i = 0n; i < count; i++) {
    const uuid = uuidText(reader.bytes(16));
    const tag = tagged ? reader.latin1(Number(readVarint(reader))) : '';
    const intervals = entry(entry(sources, uuid, new Map<string, Interval[]>()), tag, []);
    const intervalCount = reader.safeU64();
    if (intervalCount * 16 > reader.remaining) reader.fail(`${intervalCount} intervals`);
    for (let j = 0; j < intervalCount; j++) {
      const first = reader.u64();
      const end = reader.u64();
      if (first < 1n || end <= first) reader.fail('an empty interval');
      intervals.push({ first, last: end - 1n });
    }
  }
  return { kind: 'previous-gtids', header, set: canonicalText(sources) };
}

/** The set's text as `model/position.ts` wants it. */
function canonicalText(sources: Map<string, Map<string, Interval[]>>): string {
  const parts: string[] = [];
  for (const [uuid, tags] of [...sources].sort(byKey)) {
    let text = uuid;
    for (const [tag, intervals] of [...tags].sort(byKey)) {
      if (intervals.length === 0) continue;
      if (tag !== '') text += `:${tag}`;
      for (const { first, last } of merge(intervals))
        text += first === last ? `:${first}` : `:${first}-${last}`;
    }
    if (text !== uuid) parts.push(text);
  }
  return parts.join(',');
}

function merge(intervals: readonly Interval[]): Interval[] {
  const sorted = [...intervals].sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  const merged: Interval[] = [];
  for (const next of sorted) {
    const last = merged.at(-1);
    if (last === undefined || next.first > last.last + 1n) merged.push(next);
    else if (next.last > last.last) merged[merged.length - 1] = { first: last.first, last: next.last };
  }
  return merged;
}

function entry<V>(map: Map<string, V>, key: string, fresh: V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  map.set(key, fresh);
  return fresh;
}

function byKey(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;
}
