import { chanceClock, chanceDate, pad2 } from './chance-values.ts';
import { type ColumnCase, type ColumnTypeFamily, EVERYWHERE } from './column-type-case.ts';

const FAMILY: ColumnTypeFamily = 'Dates and times';

const byDigits = [0, 1, 2, 3, 4, 5, 6].flatMap((digits): readonly ColumnCase[] => {
  const type = (name: string) => (digits === 0 ? name : `${name}(${digits})`);
  const fraction = (text: string) => (digits === 0 ? '' : `.${text.slice(0, digits).padEnd(digits, '0')}`);
  return [
    {
      kind: 'column',
      id: `time_${digits}`,
      title: 'TIME, TIME(1) to TIME(6)',
      family: FAMILY,
      on: EVERYWHERE,
      ddl: type('time'),
      values: [
        "'00:00:00'",
        "'-595:50:00'",
        `'-00:00:00${fraction('000001')}'`,
        `'-00:00:00${fraction('500000')}'`,
        `'-00:00:01${fraction('999999')}'`,
        "'838:59:59'",
        "'-838:59:59'",
        `'838:59:58${fraction('999999')}'`,
        `'-838:59:58${fraction('999999')}'`,
        `'100:00:00${fraction('1')}'`,
      ],
      random: (chance) =>
        `'${chance.pick(['', '-'])}${chance.int(0, 838)}:${chanceClock(chance)}${fraction(chance.digits(6))}'`,
    },
    {
      kind: 'column',
      id: `datetime_${digits}`,
      title: 'DATETIME, DATETIME(1) to DATETIME(6), with zero and partial dates',
      family: FAMILY,
      on: EVERYWHERE,
      ddl: type('datetime'),
      values: [
        "'0000-00-00 00:00:00'",
        "'2024-00-00 12:00:00'",
        "'0000-05-00 01:02:03'",
        "'0001-01-01 00:00:00'",
        `'9999-12-31 23:59:59${fraction('999999')}'`,
        `'2024-02-30 00:00:00${fraction('000001')}'`,
        "'2024-03-31 02:30:00'",
      ],
      random: (chance) =>
        `'${chanceDate(chance)} ${pad2(chance.int(0, 23))}:${chanceClock(chance)}${fraction(chance.digits(6))}'`,
    },
    {
      kind: 'column',
      id: `timestamp_${digits}`,
      title: 'TIMESTAMP, TIMESTAMP(1) to TIMESTAMP(6), across time zones and daylight saving',
      family: FAMILY,
      on: EVERYWHERE,
      ddl: `${type('timestamp')} null`,
      values: [
        "'0000-00-00 00:00:00'",
        "'1970-01-01 00:00:01'",
        "'2038-01-19 03:14:07'",
        `'2000-02-29 23:59:59${fraction('999999')}'`,
        "'2024-12-31 23:59:59'",
        "'1999-12-31 00:00:00'",
        "'2024-03-31 01:30:00'",
        "'2024-10-27 00:30:00'",
        "'2024-10-27 01:30:00'",
      ],
      random: (chance) =>
        `'${chance.int(1971, 2037)}-${pad2(chance.int(1, 12))}-${pad2(chance.int(1, 28))} ${pad2(chance.int(0, 23))}:${chanceClock(chance)}${fraction(chance.digits(6))}'`,
    },
  ];
});

export const TEMPORAL_CASES: readonly ColumnCase[] = [
  {
    kind: 'column',
    id: 'date',
    title: 'DATE, with zero and partial dates',
    family: FAMILY,
    on: EVERYWHERE,
    ddl: 'date',
    values: [
      "'0000-00-00'",
      "'2024-00-00'",
      "'2024-02-00'",
      "'0000-12-31'",
      "'0001-01-01'",
      "'9999-12-31'",
      "'2024-02-30'",
    ],
    random: (chance) => `'${chanceDate(chance)}'`,
  },
  ...byDigits,
];

/** A zone with daylight saving, and what a session in it writes: the clock's text, and the moment it means in UTC. */
export const DAYLIGHT_ZONE = {
  name: 'Holt/Daylight',
  /** Seconds east of UTC by transition time (Unix seconds): central Europe in 2024. */
  transitions: [
    { at: 0, offsetS: 3600, daylight: false, abbreviation: 'CET' },
    { at: 1_711_846_800, offsetS: 7200, daylight: true, abbreviation: 'CEST' },
    { at: 1_729_990_800, offsetS: 3600, daylight: false, abbreviation: 'CET' },
  ],
} as const;

/** Sessions' time zones, and a local time that falls into the day of a change. */
export const ZONED_WRITES: readonly {
  readonly zone: string;
  readonly local: string;
  readonly utc: string;
}[] = [
  { zone: '+00:00', local: '2024-03-31 01:30:00', utc: '2024-03-31 01:30:00' },
  { zone: '+05:45', local: '2024-03-31 01:30:00', utc: '2024-03-30 19:45:00' },
  { zone: '-11:30', local: '2024-10-27 02:30:00', utc: '2024-10-27 14:00:00' },
  { zone: DAYLIGHT_ZONE.name, local: '2024-03-31 01:59:59', utc: '2024-03-31 00:59:59' },
  { zone: DAYLIGHT_ZONE.name, local: '2024-03-31 03:00:00', utc: '2024-03-31 01:00:00' },
  { zone: DAYLIGHT_ZONE.name, local: '2024-07-01 12:00:00', utc: '2024-07-01 10:00:00' },
  { zone: DAYLIGHT_ZONE.name, local: '2024-10-27 03:30:00', utc: '2024-10-27 02:30:00' },
  { zone: DAYLIGHT_ZONE.name, local: '2024-12-24 18:00:00', utc: '2024-12-24 17:00:00' },
];
