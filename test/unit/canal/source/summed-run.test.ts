import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endOfSummedRun } from '../../../../canal/source/summed-run.ts';
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

function endOf({ memory, events }: Run, arrived = memory.length): number {
  const [first] = events;
  return endOfSummedRun(memory, first?.start ?? 0, first?.end ?? 0, arrived);
}

describe('the checksums of a run', () => {
  it('are right together when each is right', () => {
    fc.assert(
      fc.property(bodies, fc.nat(50), (list, before) => {
        const run = runOf(list, before);
        expect(endOf(run)).toBe(run.memory.length);
      }),
    );
  });

  it('are not, whichever bit of whichever event or checksum is damaged', () => {
    fc.assert(
      fc.property(bodies, fc.nat(), fc.nat(), fc.nat(7), (list, which, where, bit) => {
        const run = runOf(list);
        const { start = 0, end = 0 } = run.events[which % run.events.length] ?? {};
        const at = start + (where % (end - start));
        run.memory.writeUInt8(run.memory.readUInt8(at) ^ (1 << bit), at);
        const said = endOf(run);
        // What looks like a FORMAT_DESCRIPTION now ends the run before it.
        expect(said === run.events[0]?.end || said < start).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('are of what has arrived whole, and of nothing behind that', () => {
    fc.assert(
      fc.property(bodies, fc.nat(), (list, cut) => {
        const run = runOf(list);
        const [first] = run.events;
        const least = first?.end ?? 0;
        const arrived = least + (cut % (run.memory.length - least + 1));
        const whole = run.events.findLast(({ end }) => end <= arrived);
        expect(endOf(run, arrived)).toBe(whole?.end);
      }),
    );
  });

  it('end before a FORMAT_DESCRIPTION, which may end checksums', () => {
    const run = runOf([Buffer.alloc(8), Buffer.alloc(8), Buffer.alloc(60)], 0, 'formatDescription');
    expect(endOf(run)).toBe(run.events[1]?.end);
  });

  it('are not summed together where an event has no room for one', () => {
    const memory = Buffer.alloc(64);
    expect(endOfSummedRun(memory, 5, 25, 64)).toBe(25);
  });
});
