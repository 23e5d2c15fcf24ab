import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { comparePlaces, SourceTimeline } from '../../../../../node/status/lag/source-timeline.ts';

const at = (offset: number, file = 'bin.000001') => ({ file, offset });

describe('SourceTimeline', () => {
  test('a transaction was committed between the look that did not see it and the one that did', () => {
    const timeline = new SourceTimeline();
    timeline.look(at(100), 1_000, 1_002);
    timeline.look(at(100), 1_100, 1_102);
    timeline.look(at(300), 1_200, 1_204);
    expect(timeline.committed(at(200))).toEqual({ fromMs: 1_100, toMs: 1_204 });
    expect(timeline.committed(at(300))).toEqual({ fromMs: 1_100, toMs: 1_204 });
    expect(timeline.committed(at(50))).toEqual({ fromMs: null, toMs: 1_002 });
    expect(timeline.committed(at(400))).toEqual({ fromMs: 1_200, toMs: null });
  });

  test('says what is behind a place, and nothing when nothing is', () => {
    const timeline = new SourceTimeline();
    expect(timeline.behind(at(1))).toBeNull();
    timeline.look(at(100), 1_000, 1_002);
    timeline.look(at(300), 1_200, 1_204);
    expect(timeline.behind(at(300))).toBeNull();
    expect(timeline.behind(at(999))).toBeNull();
    expect(timeline.behind(at(100))).toEqual({ fromMs: 1_000, toMs: 1_204 });
    expect(timeline.behind(at(20))).toEqual({ fromMs: null, toMs: 1_002 });
  });

  test('heartbeats stand in for what was written before anybody looked, and only there', () => {
    const timeline = new SourceTimeline();
    timeline.look(at(1_000), 9_000, 9_001);
    timeline.heartbeat(at(500), 5_000, 5_020);
    timeline.heartbeat(at(300), 3_000, 3_020);
    timeline.heartbeat(at(1_000), 1, 2);
    timeline.heartbeat(at(2_000), 1, 2);
    expect(timeline.committed(at(400))).toEqual({ fromMs: 3_000, toMs: 5_020 });
    expect(timeline.committed(at(700))).toEqual({ fromMs: 5_000, toMs: 9_001 });
    expect(timeline.head).toEqual(at(1_000));
  });

  test('a log that was reset is another one', () => {
    const timeline = new SourceTimeline();
    timeline.look(at(900, 'bin.000007'), 1_000, 1_001);
    timeline.look(at(4, 'bin.000001'), 1_100, 1_101);
    expect(timeline.committed(at(500, 'bin.000007'))).toEqual({ fromMs: 1_100, toMs: null });
    expect(timeline.head).toEqual(at(4, 'bin.000001'));
  });

  test('names of files count up, past their six digits too', () => {
    expect(comparePlaces(at(4, 'bin.1000000'), at(900, 'bin.999999'))).toBeGreaterThan(0);
    expect(comparePlaces(at(900, 'bin.000001'), at(4, 'bin.000002'))).toBeLessThan(0);
    expect(comparePlaces(at(5), at(5))).toBe(0);
  });

  test('many looks are thinned out: what is old is bounded less narrowly, and as rightly', () => {
    const timeline = new SourceTimeline();
    for (let i = 1; i <= 30_000; i++) timeline.look(at(i * 10), i * 100, i * 100 + 1);
    const { fromMs, toMs } = timeline.committed(at(15));
    expect(fromMs).toBeLessThanOrEqual(150);
    expect(toMs).toBeGreaterThanOrEqual(150);
    expect(timeline.committed(at(299_995))).toEqual({ fromMs: 2_999_900, toMs: 3_000_001 });
  });

  test('whatever is written and looked at, the bracket holds the commit, whatever the looks', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ gap: fc.integer({ min: 1, max: 50 }), looks: fc.boolean() }), {
          minLength: 1,
          maxLength: 400,
        }),
        fc.integer({ min: 1, max: 40 }),
        (steps, repeat) => {
          const timeline = new SourceTimeline();
          const commits: { readonly offset: number; readonly ms: number }[] = [];
          let ms = 0;
          let offset = 0;
          for (let round = 0; round < repeat; round++)
            for (const { gap, looks } of steps) {
              ms += gap;
              offset += 10;
              commits.push({ offset, ms });
              ms += 1;
              if (looks) timeline.look(at(offset), ms - 0.5, ms + 0.5);
            }
          for (const commit of commits) {
            const { fromMs, toMs } = timeline.committed(at(commit.offset));
            expect(fromMs ?? -1).toBeLessThanOrEqual(commit.ms);
            expect(toMs ?? Number.POSITIVE_INFINITY).toBeGreaterThanOrEqual(commit.ms);
          }
        },
      ),
      { numRuns: 30 },
    );
  });
});
