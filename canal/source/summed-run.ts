/**
 * The checksums of many events at once.
 *
 * Small events come thousands to a piece of the network's, and summing each by itself costs more than all else that is done with
 * most of them. So the whole run of packets is summed in one call; and what that sum has to be follows from the checksums that the events
 * bring, since the sum of two things joined follows from the sums of both. If it is not that, one of the events is damaged: then each
 * is summed by itself, and the first that is wrong is named.
 *
 * Nothing is lost by it: a run with one damaged event never has the right sum (what follows shifts the difference, which undone is not
 * 0), and one with several has it as rarely as a damaged event has the right one.
 *
 *     packet := u24 length · u8 sequence · 00 · event · u32 its checksum
 */
import { crc32 } from 'node:zlib';
import { crc32Byte, crc32Join, crc32Word, MAX_JOINED_BYTES } from '../../lib/crc32.ts';
import { EVENT_CODE } from '../event/event-code.ts';
import { CHECKSUM_BYTES, HEADER_BYTES } from '../event/header.ts';

const PACKET_HEADER_BYTES = 4;
const STATUS_BYTES = 1;
const LEAST_EVENT_BYTES = HEADER_BYTES + CHECKSUM_BYTES;
const TYPE_OFFSET = 4;

/**
 * The event from `start` to `end` is in one packet, and behind it, up to `arrived`, `memory` may hold others. Where the last of those ends
 * that are whole and not too large, if all up to there have the checksums that they bring; else `end`, and nothing is said of any.
 * A FORMAT_DESCRIPTION ends the run before it: it may say that checksums end.
 */
export function endOfSummedRun(memory: Buffer, start: number, end: number, arrived: number): number {
  if (!fits(memory, start, end)) return end;
  let sum = 0;
  let at = start;
  let to = end;
  for (;;) {
    const trailer = to - CHECKSUM_BYTES;
    const claimed = wordAt(memory, trailer);
    sum = crc32Word(crc32Join(sum, claimed, trailer - at), claimed);
    const next = to + PACKET_HEADER_BYTES + STATUS_BYTES;
    if (next > arrived || memory[next - 1] !== 0) break;
    const nextEnd = next - STATUS_BYTES + lengthAt(memory, to);
    if (nextEnd > arrived || !fits(memory, next, nextEnd)) break;
    // The next packet's header, and its 00.
    sum = crc32Byte(crc32Word(sum, wordAt(memory, to)), 0);
    at = next;
    to = nextEnd;
  }
  return to > end && crc32(memory.subarray(start, to)) === sum >>> 0 ? to : end;
}

function fits(memory: Buffer, start: number, end: number): boolean {
  const length = end - start;
  return (
    length >= LEAST_EVENT_BYTES &&
    length <= MAX_JOINED_BYTES &&
    memory[start + TYPE_OFFSET] !== EVENT_CODE.formatDescription
  );
}

function lengthAt(memory: Buffer, at: number): number {
  return (memory[at] as number) | ((memory[at + 1] as number) << 8) | ((memory[at + 2] as number) << 16);
}

function wordAt(memory: Buffer, at: number): number {
  return (
    (memory[at] as number) |
    ((memory[at + 1] as number) << 8) |
    ((memory[at + 2] as number) << 16) |
    ((memory[at + 3] as number) << 24)
  );
}
