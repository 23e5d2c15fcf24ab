/**
 * The checksums of many events at once.
 *
 * Small events come hundreds to a read, and a call into the runtime for each costs more than all else that is done with most of them.
 * So all that came is summed in one call, over everything from the first event to the last. That can be done because the sum of an event
 * and its own checksum behind it, if that is right, leaves the same state behind (`BEHIND_EVENT`) whatever the event is, and because the five
 * bytes between two events are of no use any more once the packets have been told apart: they are overwritten with the five that take that
 * state to the one a sum begins with. Then the whole leaves `BEHIND_EVENT` behind if each event does.
 *
 * Nothing is lost by it: a run with one damaged event never has the right sum (what follows maps different states to different states), and one
 * with several has it as rarely as a damaged event has the right one. Where it is wrong, each event is summed by itself, and the first that
 * is wrong is named.
 *
 *     packet := u24 length · u8 sequence · 00 · event · u32 its checksum
 */
import { crc32 } from 'node:zlib';
import { EVENT_CODE } from '../event/event-code.ts';
import { CHECKSUM_BYTES, HEADER_BYTES } from '../event/header.ts';
import type { PacketRun } from '../protocol/packet-run.ts';

const STATUS_BYTES = 1;
const LEAST_EVENT_BYTES = HEADER_BYTES + CHECKSUM_BYTES;
const TYPE_OFFSET = 4;
const POLYNOMIAL = 0xedb88320;

/** What zlib gives for anything followed by its own sum, little-endian: https://en.wikipedia.org/wiki/Cyclic_redundancy_check. */
const BEHIND_EVENT = 0x2144df1c;

/** The five bytes after which a sum that stands at `BEHIND_EVENT` stands where it began. */
const [J0, J1, J2, J3, J4] = joint();

/**
 * Sums events of `run` from the one at `from` on, up to the first FORMAT_DESCRIPTION behind it (which may say that checksums end) or event
 * without room for a checksum. Gives the index behind them if all have the checksums that they bring, else `from`, and nothing is said of any.
 * The bytes between events are overwritten.
 */
export function endOfSummed(run: PacketRun, from: number): number {
  const { memory, starts, ends, count } = run;
  if (from >= count || !fits(memory, starts, ends, from)) return from;
  let to = from + 1;
  for (; to < count && fits(memory, starts, ends, to); to++) {
    const status = starts[to] as number;
    memory[status - 4] = J0;
    memory[status - 3] = J1;
    memory[status - 2] = J2;
    memory[status - 1] = J3;
    memory[status] = J4;
  }
  const first = (starts[from] as number) + STATUS_BYTES;
  return crc32(memory.subarray(first, ends[to - 1])) === BEHIND_EVENT ? to : from;
}

function fits(memory: Buffer, starts: Int32Array, ends: Int32Array, index: number): boolean {
  const start = (starts[index] as number) + STATUS_BYTES;
  return (
    (ends[index] as number) - start >= LEAST_EVENT_BYTES &&
    memory[start + TYPE_OFFSET] !== EVENT_CODE.formatDescription
  );
}

/** zlib keeps a sum with all bits turned: a state is what it gives, turned. */
function joint(): readonly [number, number, number, number, number] {
  const table = Array.from({ length: 256 }, (_, byte) => {
    let sum = byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum & 1) === 1 ? (sum >>> 1) ^ POLYNOMIAL : sum >>> 1;
    return sum >>> 0;
  });
  // Back from the state at the beginning, all ones, over four bytes that are 0: the top byte of a table's entries is theirs alone.
  let state = 0xffff_ffff;
  for (let byte = 0; byte < 4; byte++) {
    const index = table.findIndex((sum) => sum >>> 24 === state >>> 24);
    state = (((state ^ (table[index] ?? 0)) << 8) | index) >>> 0;
  }
  // The first of the five is 0, and the other four make up the difference to what was found.
  const behind = ~BEHIND_EVENT >>> 0;
  const difference = (state ^ (table[behind & 0xff] ?? 0) ^ (behind >>> 8)) >>> 0;
  return [0, difference & 0xff, (difference >>> 8) & 0xff, (difference >>> 16) & 0xff, difference >>> 24];
}
