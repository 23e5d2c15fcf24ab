import { type ColumnCase, EVERYWHERE } from './column-type-case.ts';

const BITS = { tinyint: 8, smallint: 16, mediumint: 24, int: 32, bigint: 64 } as const;

const signed = Object.entries(BITS).map(([type, bits]): ColumnCase => {
  const top = 1n << BigInt(bits - 1);
  return {
    kind: 'column',
    id: type,
    title: `${type.toUpperCase()}`,
    family: 'Integers',
    on: EVERYWHERE,
    ddl: type,
    values: [0n, 1n, -1n, 9n, 10n, top - 1n, -top, -top + 1n].map(String),
    random: (chance) => String(chance.bits(bits) - top),
  };
});

const unsigned = Object.entries(BITS).map(([type, bits]): ColumnCase => {
  const top = 1n << BigInt(bits - 1);
  return {
    kind: 'column',
    id: `${type}_u`,
    title: `${type.toUpperCase()} UNSIGNED`,
    family: 'Integers',
    on: EVERYWHERE,
    ddl: `${type} unsigned`,
    values: [0n, 1n, top - 1n, top, 2n * top - 1n, 2n * top - 2n].map(String),
    random: (chance) => String(chance.bits(chance.int(1, bits))),
  };
});

export const INTEGER_CASES: readonly ColumnCase[] = [
  ...signed,
  ...unsigned,
  {
    kind: 'column',
    id: 'bigint_wide',
    title: 'BIGINT UNSIGNED',
    family: 'Integers',
    on: EVERYWHERE,
    ddl: 'bigint unsigned',
    values: Array.from({ length: 20 }, (_, i) => [10n ** BigInt(i), 10n ** BigInt(i) - 1n])
      .flat()
      .map(String),
    random: (chance) => String(chance.bits(64)),
  },
  {
    kind: 'column',
    id: 'int_zerofill',
    title: 'ZEROFILL',
    family: 'Integers',
    on: EVERYWHERE,
    ddl: 'int(5) zerofill',
    values: ['0', '7', '99999', '4294967295'],
    random: (chance) => String(chance.bits(32)),
  },
  {
    kind: 'column',
    id: 'boolean',
    title: 'BOOLEAN',
    family: 'Integers',
    on: EVERYWHERE,
    ddl: 'boolean',
    values: ['TRUE', 'FALSE', '-1', '127'],
    random: (chance) => String(chance.int(0, 1)),
  },
];
