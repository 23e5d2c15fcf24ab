/**
 * Times of day by the wall clock of a time zone. What counts is what a clock on the wall there shows: in the night in which an hour is
 * left out, times within it do not come; in the one that has an hour twice, they come twice.
 */
import { type TimeOfDay, WEEKDAYS, type Weekday } from '../../model/alarm.ts';

const formats = new Map<string, Intl.DateTimeFormat>();

function formatFor(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    hourCycle: 'h23',
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
  });
  formats.set(zone, made);
  return made;
}

/** Minute of the day and day of the week at that moment. */
export function wallClock(nowMs: number, zone: string): { readonly day: Weekday; readonly minute: number } {
  let day: Weekday = 'mon';
  let minute = 0;
  for (const { type, value } of formatFor(zone).formatToParts(nowMs)) {
    if (type === 'weekday') day = WEEKDAYS.find((one) => one === value.toLowerCase()) ?? day;
    else if (type === 'hour') minute += Number(value) * 60;
    else if (type === 'minute') minute += Number(value);
  }
  return { day, minute };
}

function dayBefore(day: Weekday): Weekday {
  return WEEKDAYS[(WEEKDAYS.indexOf(day) + WEEKDAYS.length - 1) % WEEKDAYS.length] ?? day;
}

/** Whether it is one of those times; no times at all are always. */
export function isDuring(times: readonly TimeOfDay[], nowMs: number, zone: string): boolean {
  if (times.length === 0) return true;
  const { day, minute } = wallClock(nowMs, zone);
  return times.some(({ days, fromMinute, toMinute }) => {
    if (fromMinute < toMinute) return days.includes(day) && minute >= fromMinute && minute < toMinute;
    // Past midnight: what is left of the day it begins on, and of the next one until the end.
    return (
      (days.includes(day) && minute >= fromMinute) || (days.includes(dayBefore(day)) && minute < toMinute)
    );
  });
}
