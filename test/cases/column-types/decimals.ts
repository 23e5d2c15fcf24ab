import { chanceDouble, chanceFloat } from './chance-values.ts';
import { between, type ColumnCase, type ColumnTypeFamily, EVERYWHERE } from './column-type-case.ts';

const FAMILY: ColumnTypeFamily = 'DECIMAL, FLOAT and DOUBLE';

/** Precision and scale. */
const SIZES = [
  [1, 0],
  [1, 1],
  [5, 2],
  [9, 0],
  [9, 9],
  [10, 0],
  [18, 9],
  [20, 10],
  [30, 10],
  [30, 30],
  [38, 38],
  [65, 0],
  [65, 30],
] as const satisfies readonly (readonly [number, number])[];

const MYSQL_MOST_SCALE = 30;

const decimals = SIZES.map(([precision, scale]): ColumnCase => {
  const whole = precision - scale;
  const number = (before: string, after: string) =>
    `${before === '' ? '0' : before}${after === '' ? '' : `.${after}`}`;
  const largest = number('9'.repeat(whole), '9'.repeat(scale));
  const least = number(whole > 0 && scale === 0 ? '1' : '0', scale > 0 ? `${'0'.repeat(scale - 1)}1` : '');
  const one = whole > 0 ? '1' : '0';
  const wide = scale > MYSQL_MOST_SCALE;
  return {
    kind: 'column',
    id: `decimal_${precision}_${scale}`,
    title: wide ? 'DECIMAL with more than 30 digits after the point' : 'DECIMAL to (65,30)',
    family: FAMILY,
    on: wide ? ['mariadb'] : EVERYWHERE,
    ddl: `decimal(${precision},${scale})`,
    values: ['0', one, `-${one}`, largest, `-${largest}`, least, `-${least}`],
    random: (chance) => {
      const before = chance.digits(chance.int(0, whole));
      return `${chance.pick(['', '-'])}${number(before, chance.digits(chance.int(0, scale)))}`;
    },
    ...(wide
      ? {
          pairs: between(['mariadb'], ['mysql56', 'mysql'], {
            kind: 'refused',
            code: 'HOLT_TARGET_COLUMN_TYPE',
            ddl: 'decimal(65,30)',
            why: 'MySQL keeps at most 30 digits after the point; the rest would be rounded away',
          }),
        }
      : {}),
  };
});

const FLOATS = [
  '0',
  '1',
  '-1',
  '0.1',
  '1.1',
  '3.4028235e38',
  '-3.4028235e38',
  '1.17549435e-38',
  '1e-45',
  '16777216',
  '16777217',
  '123456.7',
  '9007199e10',
  '1e10',
  '0.000001',
  '8388608.5',
];
const DOUBLES = [
  '0',
  '1',
  '0.1',
  '1.7976931348623157e308',
  '-1.7976931348623157e308',
  '2.2250738585072014e-308',
  '5e-324',
  '1e15',
  '1e16',
  '1e21',
  '1e22',
  '1e-6',
  '1e-7',
  '9007199254740993',
  '0.30000000000000004',
  '123456789012345680000',
];

const negativeZeros = (['float', 'double'] as const).map(
  (type): ColumnCase => ({
    kind: 'column',
    id: `${type}_zero`,
    title: '−0.0 in FLOAT and DOUBLE',
    family: FAMILY,
    on: EVERYWHERE,
    ddl: type,
    values: ['0', '-0e0', '-1e-400'],
    random: (chance) => chance.pick(['0', '-0e0']),
    pairs: between(['mysql56', 'mysql'], ['mariadb'], {
      kind: 'canonical',
      form: 'number',
      why: 'MariaDB stores 0 in place of −0.0, however it is written',
    }),
  }),
);

export const DECIMAL_CASES: readonly ColumnCase[] = [
  ...decimals,
  ...negativeZeros,
  {
    kind: 'column',
    id: 'decimal_unsigned',
    title: 'DECIMAL to (65,30)',
    family: FAMILY,
    on: EVERYWHERE,
    ddl: 'decimal(12,4) unsigned',
    values: ['0', '0.0001', '99999999.9999'],
    random: (chance) => `${chance.digits(8)}.${chance.digits(4)}`,
  },
  {
    kind: 'column',
    id: 'float',
    title: 'FLOAT',
    family: FAMILY,
    on: EVERYWHERE,
    ddl: 'float',
    values: FLOATS,
    random: (chance) => `${chanceFloat(chance)}`,
  },
  {
    kind: 'column',
    id: 'float_7_3',
    title: 'FLOAT(m,d), DOUBLE(m,d)',
    family: FAMILY,
    on: EVERYWHERE,
    ddl: 'float(7,3)',
    values: ['0', '-0.001', '9999.999', '1.1'],
    random: (chance) => (chance.next() * 9999).toFixed(3),
  },
  {
    kind: 'column',
    id: 'double',
    title: 'DOUBLE',
    family: FAMILY,
    on: EVERYWHERE,
    ddl: 'double',
    values: DOUBLES,
    random: (chance) => `${chanceDouble(chance)}`,
  },
  {
    kind: 'column',
    id: 'double_12_4',
    title: 'FLOAT(m,d), DOUBLE(m,d)',
    family: FAMILY,
    on: EVERYWHERE,
    ddl: 'double(12,4)',
    values: ['0', '-0.0001', '99999999.9999', '0.1'],
    random: (chance) => (chance.next() * 99_999_999).toFixed(4),
  },
];
