import { type ColumnCase, EVERYWHERE } from './column-type-case.ts';

const bits = [1, 2, 7, 8, 9, 13, 16, 24, 31, 32, 33, 53, 63, 64].map(
  (width): ColumnCase => ({
    kind: 'column',
    id: `bit_${width}`,
    title: 'BIT(1) to BIT(64)',
    family: 'BIT and YEAR',
    on: EVERYWHERE,
    ddl: `bit(${width})`,
    values: ['0', '1', String(1n << BigInt(width - 1)), String((1n << BigInt(width)) - 1n)],
    random: (chance) => String(chance.bits(width)),
  }),
);

export const BIT_CASES: readonly ColumnCase[] = [
  ...bits,
  {
    kind: 'column',
    id: 'year',
    title: 'YEAR',
    family: 'BIT and YEAR',
    on: EVERYWHERE,
    ddl: 'year',
    values: ['0', '1901', '2155', '1970', '2000'],
    random: (chance) => String(chance.int(1901, 2155)),
  },
];
