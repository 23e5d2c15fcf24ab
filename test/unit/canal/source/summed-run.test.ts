import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PacketRun } from '../../../../canal/protocol/packet-run.ts';
import { endOfSummed } from '../../../../canal/source/summed-run.ts';
import { eventBytes } from '../../../support/raw-events.ts';

interface Run {
  readonly memory: Buffer;
  /** Where each event begins and ends. */
  readonly events: readonly { readonly start: number; readonly end: number }[];
}

/** Packets as a dump has them, behind `before` bytes that are none of ours. */
function runOf(bodies: readonly Uint8Array[], before = 0, type: 'xid' | 'formatDescription' = 'xid'): Run {
  const parts: Buffer[] = [Buffer.alloc(before, 0x7f)];
  const events: { start: number; end: number }[] = [];
  let at = before;
  for (const [index, body] of bodies.entries()) {
    const isLast = index === bodies.length - 1;
    const event = eventBytes({ type: isLast ? type : 'xid', body: Buffer.from(body) });
    const head = Buffer.from([0, 0, 0, index & 0xff, 0]);
    head.writeUIntLE(event.length + 1, 0, 3);
    parts.push(head, event);
    events.push({ start: at + 5, end: at + 5 + event.length });
    at += 5 + event.length;
  }
  return { memory: Buffer.concat(parts), events };
}

const bodies = fc.array(fc.uint8Array({ maxLength: 400 }), { minLength: 2, maxLength: 20 });

function summed({ memory, events }: Run, from = 0): number {
  const run = new PacketRun();
  run.begin(memory);
  run.count = events.length;
  for (const [index, { start, end }] of events.entries()) {
    run.starts[index] = start - 1;
    run.ends[index] = end;
  }
  return endOfSummed(run, from);
}

describe('the checksums of a run', () => {
  it('are right together when each is right, and the events stay as they are', () => {
    fc.assert(
      fc.property(bodies, fc.nat(50), (list, before) => {
        const run = runOf(list, before);
        const was = run.events.map(({ start, end }) => Buffer.from(run.memory.subarray(start, end)));
        expect(summed(run)).toBe(list.length);
        expect(summed(run, 1)).toBe(list.length);
        expect(run.events.map(({ start, end }) => run.memory.subarray(start, end))).toEqual(was);
      }),
    );
  });

  it('are not, whichever bit of whichever event or checksum is damaged', () => {
    fc.assert(
      fc.property(bodies, fc.nat(), fc.nat(), fc.nat(7), (list, which, where, bit) => {
        const run = runOf(list);
        const damaged = which % list.length;
        const { start = 0, end = 0 } = run.events[damaged] ?? {};
        const at = start + (where % (end - start));
        run.memory.writeUInt8(run.memory.readUInt8(at) ^ (1 << bit), at);
        // What looks like a FORMAT_DESCRIPTION now ends the run before it.
        const said = summed(run);
        expect(said === 0 || (said <= damaged && run.memory[start + 4] === 15)).toBe(true);
        for (let from = damaged + 1; from < list.length; from++) expect(summed(run, from)).toBe(list.length);
      }),
      { numRuns: 500 },
    );
  });

  it('end before a FORMAT_DESCRIPTION, which may end checksums, and it is not summed with others', () => {
    const run = runOf([Buffer.alloc(8), Buffer.alloc(8), Buffer.alloc(60)], 0, 'formatDescription');
    expect(summed(run)).toBe(2);
    expect(summed(run, 2)).toBe(2);
  });

  it('end before an event that has no room for one', () => {
    const { memory, events } = runOf([Buffer.alloc(8), Buffer.alloc(8), Buffer.alloc(8)]);
    const [first = { start: 0, end: 0 }, second = first, third = first] = events;
    const short = { start: second.start, end: second.start + 22 };
    expect(summed({ memory, events: [first, short, third] })).toBe(1);
    expect(summed({ memory, events: [short, first] })).toBe(0);
  });
});
