import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type TimeOfDay, WEEKDAYS } from '../../../../model/alarm.ts';
import { isDuring, wallClock } from '../../../../node/alarms/time-of-day.ts';

const at = (text: string) => Date.parse(text);
const time = (from: string, to: string, days: TimeOfDay['days'] = WEEKDAYS): TimeOfDay => {
  const minute = (text: string) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3));
  return { days, fromMinute: minute(from), toMinute: minute(to) % 1440 };
};

describe('isDuring', () => {
  test('no times are always', () => {
    expect(isDuring([], at('2026-06-10T03:00Z'), 'UTC')).toBe(true);
  });

  test('from is within, to is not', () => {
    const times = [time('08:00', '18:00')];
    const within = ['07:59', '08:00', '17:59', '18:00'].map((text) =>
      isDuring(times, at(`2026-06-10T${text}Z`), 'UTC'),
    );
    expect(within).toEqual([false, true, true, false]);
  });

  test('past midnight belongs to the day it began on', () => {
    // 2026-06-12 is a Friday.
    const night = [time('22:00', '06:00', ['fri'])];
    const moments = [
      '12T21:59',
      '12T22:00',
      '12T23:59',
      '13T00:00',
      '13T05:59',
      '13T06:00',
      '12T05:00',
      '13T23:00',
    ];
    expect(moments.map((text) => isDuring(night, at(`2026-06-${text}Z`), 'UTC'))).toEqual([
      false,
      true,
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  test('24:00 is the end of the day, and equal ends are a whole day', () => {
    const evening = [time('20:00', '24:00', ['wed'])];
    expect(isDuring(evening, at('2026-06-10T23:59:59Z'), 'UTC')).toBe(true);
    expect(isDuring(evening, at('2026-06-11T00:00Z'), 'UTC')).toBe(false);
    const day = [time('00:00', '24:00', ['wed'])];
    expect(isDuring(day, at('2026-06-10T00:00Z'), 'UTC')).toBe(true);
    expect(isDuring(day, at('2026-06-11T00:00Z'), 'UTC')).toBe(false);
  });

  test('in the night in which the clock goes forward, the hour that is left out does not come', () => {
    // Berlin, 2026-03-29: from 02:00 to 03:00 at 01:00 UTC.
    const times = [time('02:00', '03:00')];
    expect(wallClock(at('2026-03-29T00:59Z'), 'Europe/Berlin')).toEqual({ day: 'sun', minute: 119 });
    expect(wallClock(at('2026-03-29T01:00Z'), 'Europe/Berlin')).toEqual({ day: 'sun', minute: 180 });
    for (let minute = 0; minute < 1440; minute++)
      expect(isDuring(times, at('2026-03-28T23:00Z') + minute * 60_000, 'Europe/Berlin')).toBe(false);
  });

  test('in the night in which it goes back, the hour comes twice', () => {
    // Berlin, 2026-10-25: 02:00 to 03:00 summer time, and again winter time.
    const times = [time('02:00', '03:00')];
    const hours = [0, 1, 2].map((hour) => isDuring(times, at(`2026-10-25T0${hour}:30Z`), 'Europe/Berlin'));
    expect(hours).toEqual([true, true, false]);
  });

  test('across the change a night from 22:00 to 06:00 ends at 06:00 by the clock on the wall', () => {
    const night = [time('22:00', '06:00', ['sat'])];
    expect(isDuring(night, at('2026-03-29T03:59Z'), 'Europe/Berlin')).toBe(true);
    expect(isDuring(night, at('2026-03-29T04:00Z'), 'Europe/Berlin')).toBe(false);
  });

  test('within and outside are complements: from a to b and from b to a share out every day', () => {
    const minutes = fc.integer({ min: 0, max: 1439 });
    fc.assert(
      fc.property(minutes, minutes, fc.integer({ min: 0, max: 2 ** 40 }), (a, b, nowMs) => {
        fc.pre(a !== b);
        const one = isDuring([{ days: WEEKDAYS, fromMinute: a, toMinute: b }], nowMs, 'Europe/Berlin');
        const other = isDuring([{ days: WEEKDAYS, fromMinute: b, toMinute: a }], nowMs, 'Europe/Berlin');
        expect(one).toBe(!other);
      }),
    );
  });
});
