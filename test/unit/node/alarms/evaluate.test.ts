import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Orders } from '../../../../node/alarms/alarms.ts';
import { clearForMs, FLAP_LIMIT_MS } from '../../../../node/alarms/evaluate.ts';
import { Course, kinds, NOON, node, readings, rule, status } from './alarm-cases.ts';

const lagging = (ms: number | null) =>
  status('shop', { lag: { endToEnd: ms === null ? null : { ms, errorMs: 1 }, stage: 'load' } });

/** One look a second, each with that lag of `shop`. */
function follow(course: Course, lags: readonly (number | null)[], fromMs = NOON): readonly string[] {
  return lags.flatMap((ms, second) =>
    kinds(course.look(readings(fromMs + second * 1000, { pipelines: [lagging(ms)] }))).map(
      (text) => `${second}s ${text}`,
    ),
  );
}

const many = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

describe('from bad to told to over', () => {
  const lag = rule('lag', { threshold: 1_000, forMs: 3_000, clearForMs: 5_000 });

  test('it is pending at once, told after `for`, and over after `clearFor`, once each', () => {
    const course = new Course([lag]);
    const told = follow(course, [0, 2_000]);
    expect(course.alarms).toEqual(['lag~shop pending']);
    expect(course.state.alarms.get('lag~shop')).toMatchObject({
      stage: 'load',
      node: 'load-node',
      value: 2_000,
    });
    expect([...told, ...follow(course, [...many(10, 2_000), ...many(10, 0)], NOON + 2_000)]).toEqual([
      '2s firing pipeline shop 1',
      '15s resolved pipeline shop 1',
    ]);
    expect(course.alarms).toEqual([]);
  });

  test('what is over before `for` is told to nobody', () => {
    expect(follow(new Course([lag]), [2_000, 2_000, 0, 2_000, 2_000, 500, 2_000])).toEqual([]);
  });

  test('between four fifths of the threshold and the threshold it neither begins nor ends', () => {
    const course = new Course([lag]);
    expect(follow(course, many(20, 900))).toEqual([]);
    expect(course.alarms).toEqual([]);
    const told = follow(course, [...many(5, 1_000), ...many(30, 900)], NOON + 20_000);
    expect(told).toEqual(['3s firing pipeline shop 1']);
    expect(course.alarms).toEqual(['lag~shop firing']);
  });

  test('what nobody knows neither begins an alarm nor ends one', () => {
    const course = new Course([lag]);
    expect(follow(course, many(20, null))).toEqual([]);
    follow(course, many(5, 2_000), NOON + 20_000);
    expect(follow(course, many(60, null), NOON + 25_000)).toEqual([]);
    expect(course.alarms).toEqual(['lag~shop firing']);
    // It keeps what was known.
    expect(course.state.alarms.get('lag~shop')?.value).toBe(2_000);
  });

  test('what comes and goes is one alarm that lasts, told once', () => {
    const course = new Course([rule('lag', { threshold: 1_000, forMs: 0, clearForMs: 5_000 })]);
    const wave = Array.from({ length: 600 }, (_, second) => (second % 7 === 0 ? 2_000 : 0));
    const told = follow(course, wave);
    // Over for six seconds of seven: the first times it is told that it is over, then it takes longer than it stays away.
    expect(told.filter((text) => text.includes('firing')).length).toBeLessThanOrEqual(2);
    expect(course.alarms).toEqual(['lag~shop firing']);
  });

  test('how long it must be over doubles with every time it fires, up to a quarter of an hour', () => {
    expect([1, 2, 3, 4].map((n) => clearForMs(lag, many(n, NOON), NOON))).toEqual([
      5_000, 10_000, 20_000, 40_000,
    ]);
    expect(clearForMs(lag, many(20, NOON), NOON)).toBe(FLAP_LIMIT_MS);
    expect(clearForMs(lag, many(20, NOON - 3_600_000), NOON)).toBe(5_000);
    expect(clearForMs(rule('lag', { clearForMs: FLAP_LIMIT_MS * 2 }), [NOON], NOON)).toBe(FLAP_LIMIT_MS * 2);
  });

  test('an alarm whose rule is gone is over at once; one whose pipeline is gone after its time', () => {
    const course = new Course([lag]);
    follow(course, many(5, 2_000));
    expect(kinds(course.look(readings(NOON + 6_000)))).toEqual([]);
    expect(kinds(course.look(readings(NOON + 11_000)))).toEqual(['resolved pipeline shop 1']);
    const other = new Course([lag]);
    follow(other, many(5, 2_000));
    const after = new Course([]);
    after.state = other.state;
    expect(kinds(after.look(readings(NOON + 6_000, { pipelines: [lagging(2_000)] })))).toEqual([
      'resolved pipeline shop 1',
    ]);
  });

  test('a rule is about what its patterns say', () => {
    const course = new Course([
      rule('lag', { threshold: 1, forMs: 0, subjects: ['shop*'], except: ['shop-test'] }),
    ]);
    const bad = { lag: { endToEnd: { ms: 10, errorMs: 0 } } };
    course.look(
      readings(NOON, { pipelines: ['shop', 'shop-2', 'shop-test', 'bank'].map((one) => status(one, bad)) }),
    );
    expect(course.alarms).toEqual(['lag~shop firing', 'lag~shop-2 firing']);
  });
});

describe('groups', () => {
  const stuck = rule('stuck', { threshold: 1_000, forMs: 0, clearForMs: 0 });
  const lost = rule('node', { threshold: 1_000, forMs: 0, clearForMs: 0 });
  const waiting = (pipeline: string) =>
    status(pipeline, {
      state: 'degraded',
      lag: { stalledMs: 5_000, stage: 'load' },
      stages: { load: { holder: 'west-2', silentMs: 5_000 } },
    });

  test('a lost node with fifty pipelines is told once, and once that it is over', () => {
    const course = new Course([stuck, lost]);
    const pipelines = Array.from({ length: 50 }, (_, index) => waiting(`p${index}`));
    const told = course.look(readings(NOON, { pipelines, nodes: [node('west-2', 5_000)] }));
    expect(kinds(told)).toEqual(['firing node west-2 51']);
    // The cause comes first, and the list is cut.
    expect(told[0]?.alarms[0]).toMatchObject({ kind: 'node', subject: 'west-2' });
    expect(told[0]?.alarms).toHaveLength(20);
    expect(kinds(course.look(readings(NOON + 500, { pipelines, nodes: [node('west-2', 5_500)] })))).toEqual(
      [],
    );
    const well = pipelines.map((one) => status(one.pipeline));
    const half = [...pipelines.slice(0, 20), ...well.slice(20)];
    expect(
      kinds(course.look(readings(NOON + 1_000, { pipelines: half, nodes: [node('west-2', 6_000)] }))),
    ).toEqual([]);
    expect(kinds(course.look(readings(NOON + 1_500, { pipelines: well, nodes: [node('west-2')] })))).toEqual([
      'resolved node west-2 21',
    ]);
  });

  test('those whose alarm comes later join in without a word, whichever comes first', () => {
    const course = new Course([stuck, lost]);
    expect(
      kinds(course.look(readings(NOON, { pipelines: [waiting('a')], nodes: [node('west-2', 500)] }))),
    ).toEqual(['firing node west-2 1']);
    const both = [waiting('a'), waiting('b')];
    expect(
      kinds(course.look(readings(NOON + 1_000, { pipelines: both, nodes: [node('west-2', 1_500)] }))),
    ).toEqual([]);
    expect(course.alarms).toHaveLength(3);
  });

  test('a stage that nobody takes is the fault of the missing node that served it', () => {
    const course = new Course([stuck]);
    const nobody = status('a', {
      lag: { stalledMs: 5_000, stage: 'load' },
      stages: { load: { holder: null } },
    });
    const nodes = [node('east-1', 9_000, 'east'), node('west-1', 9_000)];
    expect(kinds(course.look(readings(NOON, { pipelines: [nobody], nodes })))).toEqual([
      'firing node west-1 1',
    ]);
  });

  test('pipelines of one source that does not answer are one group', () => {
    const course = new Course([rule('error', { forMs: 0 })]);
    const down = { state: 'degraded', code: 'HOLT_SOURCE_UNREACHABLE' } as const;
    const told = course.look(readings(NOON, { pipelines: [status('a', down), status('b', down)] }));
    expect(kinds(told)).toEqual(['firing source east-db 2']);
  });

  test('an error of its own is the pipeline’s', () => {
    const course = new Course([rule('error', { forMs: 0 })]);
    const failed = {
      state: 'degraded',
      code: 'HOLT_TARGET_TABLE_MISSING',
      stages: { load: { problem: { code: 'HOLT_TARGET_TABLE_MISSING', message: 'no' } } },
    } as const;
    const told = course.look(readings(NOON, { pipelines: [status('a', failed), status('b', failed)] }));
    expect(kinds(told)).toEqual(['firing pipeline a 1', 'firing pipeline b 1']);
    expect(told[0]?.alarms[0]).toMatchObject({ stage: 'load', code: 'HOLT_TARGET_TABLE_MISSING' });
  });

  test('it is told again when it gets worse, and then not for the milder alarm', () => {
    const course = new Course([
      rule('lag', { name: 'slow', threshold: 1_000, forMs: 0, severity: 'warning' }),
      rule('lag', { name: 'slower', threshold: 10_000, forMs: 0, severity: 'critical' }),
    ]);
    expect(follow(course, [2_000, 20_000, 2_000, 20_000])).toEqual([
      '0s firing pipeline shop 1',
      '1s worse pipeline shop 2',
    ]);
  });

  test('it is told again after a time, unless somebody has acknowledged it', () => {
    const lag = rule('lag', { threshold: 1_000, forMs: 0, repeatMs: 10_000 });
    const course = new Course([lag]);
    expect(follow(course, many(25, 2_000))).toEqual([
      '0s firing pipeline shop 1',
      '10s still pipeline shop 1',
      '20s still pipeline shop 1',
    ]);
    course.orders = { ...course.orders, acks: [{ group: 'pipeline shop', by: 'ann', why: '', atMs: NOON }] };
    expect(follow(course, many(40, 2_000), NOON + 25_000)).toEqual([]);
    expect(follow(new Course([{ ...lag, repeatMs: null }]), many(60, 2_000))).toEqual([
      '0s firing pipeline shop 1',
    ]);
  });
});

describe('silences', () => {
  const lag = rule('lag', { threshold: 1_000, forMs: 0, clearForMs: 0 });
  const silent = (fromMs: number, untilMs: number): Orders => ({
    version: 1,
    acks: [],
    silences: [{ id: 's', by: 'ann', why: '', fromMs, untilMs, rules: ['*'], subjects: ['sh*'] }],
  });

  test('what begins and ends within one is shown and not told', () => {
    const course = new Course([lag]);
    course.orders = silent(NOON, NOON + 60_000);
    expect(follow(course, [2_000, 2_000])).toEqual([]);
    expect(course.alarms).toEqual(['lag~shop firing']);
    expect(follow(course, [0, 0], NOON + 2_000)).toEqual([]);
  });

  test('what still stands when it ends is told then', () => {
    const course = new Course([lag]);
    course.orders = silent(NOON, NOON + 3_000);
    expect(follow(course, many(6, 2_000))).toEqual(['3s firing pipeline shop 1']);
  });

  test('what was told before is told when it is over, silence or not', () => {
    const course = new Course([lag]);
    follow(course, [2_000]);
    course.orders = silent(NOON, NOON + 60_000);
    expect(follow(course, [2_000, 0], NOON + 1_000)).toEqual(['1s resolved pipeline shop 1']);
  });

  test('it is for what fits only', () => {
    const course = new Course([lag]);
    course.orders = { ...silent(NOON, NOON + 60_000) };
    const bad = { lag: { endToEnd: { ms: 5_000, errorMs: 0 } } };
    const told = course.look(readings(NOON, { pipelines: [status('shop', bad), status('bank', bad)] }));
    expect(kinds(told)).toEqual(['firing pipeline bank 1']);
  });
});

describe('times of day', () => {
  const office = [{ days: ['wed'] as const, fromMinute: 12 * 60, toMinute: 13 * 60 }];
  const lag = rule('lag', { threshold: 1_000, forMs: 2_000, clearForMs: 0, during: office });

  test('outside them nothing begins; what holds when they come is told after `for`', () => {
    const course = new Course([lag]);
    expect(follow(course, many(15, 2_000), NOON - 10_000)).toEqual(['12s firing pipeline shop 1']);
  });

  test('what fires when they end goes on until it is over', () => {
    const course = new Course([lag]);
    const end = NOON + 3_600_000;
    follow(course, many(5, 2_000), end - 10_000);
    expect(follow(course, [2_000, 2_000], end)).toEqual([]);
    expect(course.alarms).toEqual(['lag~shop firing']);
    expect(follow(course, [0], end + 2_000)).toEqual(['0s resolved pipeline shop 1']);
  });
});

describe('whatever comes', () => {
  const step = fc.record({
    lag: fc.oneof(fc.integer({ min: 0, max: 4_000 }), fc.constant(null)),
    silentMs: fc.constantFrom(0, 500, 5_000),
    afterMs: fc.integer({ min: 100, max: 5_000 }),
    silenced: fc.boolean(),
  });
  const rules = [
    rule('lag', { threshold: 1_000, forMs: 1_000, clearForMs: 2_000, severity: 'warning', repeatMs: null }),
    rule('lag', {
      name: 'worse',
      threshold: 3_000,
      forMs: 0,
      clearForMs: 500,
      severity: 'critical',
      repeatMs: null,
    }),
    rule('node', { threshold: 1_000, forMs: 0, clearForMs: 500 }),
  ];

  test('every group is told as begun before it is told as over, in turn, and nothing is left untold at the end', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const course = new Course(rules);
        let nowMs = NOON;
        const open = new Set<string>();
        const check = (told: Course['notices']) => {
          for (const { kind, group } of told) {
            if (kind === 'firing') expect(open.has(group)).toBe(false);
            else expect(open.has(group)).toBe(true);
            if (kind === 'resolved') open.delete(group);
            else open.add(group);
          }
        };
        for (const { lag, silentMs, afterMs, silenced } of steps) {
          nowMs += afterMs;
          const silence = {
            id: 's',
            by: '',
            why: '',
            fromMs: 0,
            untilMs: nowMs + 1,
            rules: ['*'],
            subjects: ['*'],
          };
          course.orders = { version: 1, acks: [], silences: silenced ? [silence] : [] };
          check([
            ...course.look(readings(nowMs, { pipelines: [lagging(lag)], nodes: [node('n', silentMs)] })),
          ]);
          // Whatever fires and is not told is silenced, or was all along.
          for (const one of course.state.alarms.values())
            if (one.state === 'firing' && !silenced) expect(one.told).not.toBeNull();
        }
        course.orders = { version: 1, acks: [], silences: [] };
        for (let i = 0; i < 3; i++) {
          nowMs += FLAP_LIMIT_MS;
          check([...course.look(readings(nowMs, { pipelines: [lagging(0)], nodes: [node('n')] }))]);
        }
        expect([...open]).toEqual([]);
        expect(course.alarms).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  test('an id of a notice is never used twice', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const course = new Course(rules);
        let nowMs = NOON;
        for (const { lag, silentMs, afterMs } of steps) {
          nowMs += afterMs;
          course.look(readings(nowMs, { pipelines: [lagging(lag)], nodes: [node('n', silentMs)] }));
        }
        const ids = course.notices.map((one) => one.id);
        expect(new Set(ids).size).toBe(ids.length);
      }),
      { numRuns: 100 },
    );
  });

  test('a successor that knows only what stands in the tree tells nothing a second time', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
        const course = new Course(rules);
        let nowMs = NOON;
        let last = readings(nowMs);
        for (const { lag, silentMs, afterMs } of steps) {
          nowMs += afterMs;
          last = readings(nowMs, { pipelines: [lagging(lag)], nodes: [node('n', silentMs)] });
          course.look(last);
        }
        const heir = new Course(rules);
        heir.state = { ...heir.state, alarms: course.state.alarms };
        expect(heir.look({ ...last, nowMs: nowMs + 1 }).filter((one) => one.kind === 'firing')).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });
});
