import {
  type ColumnCase,
  type ColumnTypeCase,
  type ColumnTypeFamily,
  EVERYWHERE,
  type TableCase,
} from './column-type-case.ts';

const FAMILY: ColumnTypeFamily = 'ENUM and SET';
const labels = (count: number, prefix: string) =>
  Array.from({ length: count }, (_, i) => `'${prefix}${i}'`).join(',');

/** Labels with everything that stands in the way of reading them out of a declaration. */
const AWKWARD_LABELS = `'it''s','a\\\\b','(x)','日本','ü','"q"','x y','A',''`;

const enums: readonly ColumnCase[] = [
  {
    kind: 'column',
    id: 'enum_3',
    title: 'ENUM, with the error value 0',
    family: FAMILY,
    on: EVERYWHERE,
    ddl: "enum('a','b','ü')",
    values: ['1', '2', '3', "'no such label'"],
    random: (chance) => String(chance.int(1, 3)),
  },
  {
    kind: 'column',
    id: 'enum_255',
    title: 'ENUM of more than 255 members',
    family: FAMILY,
    on: EVERYWHERE,
    ddl: `enum(${labels(255, 'n')})`,
    values: ['1', '254', '255'],
    random: (chance) => String(chance.int(1, 255)),
  },
  {
    kind: 'column',
    id: 'enum_300',
    title: 'ENUM of more than 255 members',
    family: FAMILY,
    on: EVERYWHERE,
    ddl: `enum(${labels(300, 'm')})`,
    values: ['1', '255', '256', '300', "'no such label'"],
    random: (chance) => String(chance.int(1, 300)),
  },
  {
    kind: 'column',
    id: 'enum_awkward',
    title: 'ENUM with quotes, backslashes and an empty label',
    family: FAMILY,
    on: EVERYWHERE,
    ddl: `enum(${AWKWARD_LABELS}) character set utf8mb4`,
    values: ['1', '2', '3', '4', '5', '6', '7', '8', '9', "'no such label'"],
    random: (chance) => String(chance.int(1, 9)),
  },
  {
    kind: 'column',
    id: 'enum_sjis',
    title: 'ENUM and SET in other character sets',
    family: FAMILY,
    on: EVERYWHERE,
    ddl: `enum('a','表','ソ') character set sjis`,
    values: ['1', '2', '3'],
    random: (chance) => String(chance.int(1, 3)),
  },
  ...[1, 3, 8, 9, 20, 33, 64].map(
    (count): ColumnCase => ({
      kind: 'column',
      id: `set_${count}`,
      title: 'SET to 64 members, empty included',
      family: FAMILY,
      on: EVERYWHERE,
      ddl: `set(${labels(count, 's')})`,
      values: ['0', '1', "''", String(1n << BigInt(count - 1)), String((1n << BigInt(count)) - 1n)],
      random: (chance) => String(chance.bits(count)),
    }),
  ),
  {
    kind: 'column',
    id: 'set_awkward',
    title: 'SET with quotes and backslashes',
    family: FAMILY,
    on: EVERYWHERE,
    ddl: `set('it''s','a\\\\b','(x)','日本') character set utf8mb4`,
    values: ['0', '1', '5', '15'],
    random: (chance) => String(chance.bits(4)),
  },
];

const reordered: readonly TableCase[] = [
  {
    kind: 'table',
    id: 'enum_reordered',
    title: 'ENUM and SET after an ALTER that reorders the labels at both ends',
    family: FAMILY,
    on: EVERYWHERE,
    columns: "id INT PRIMARY KEY, e ENUM('a','b','c'), s SET('x','y','z')",
    alter: ["ALTER TABLE {t} MODIFY e ENUM('c','a','b','d'), MODIFY s SET('z','x','y','w')"],
    writes: [
      "INSERT INTO {t} VALUES (1,'a','x'), (2,'b','y,z'), (3,'c',''), (4,'d','w')",
      "UPDATE {t} SET e = 'c', s = 'x,w' WHERE id < 3",
      'DELETE FROM {t} WHERE id = 3',
    ],
  },
  {
    kind: 'table',
    id: 'enum_reordered_here_only',
    title: 'ENUM whose labels stand in another order at the target',
    family: FAMILY,
    on: EVERYWHERE,
    columns: "id INT PRIMARY KEY, e ENUM('a','b','c')",
    writes: ["INSERT INTO {t} VALUES (1,'a')"],
    pairs: Object.fromEntries(
      EVERYWHERE.flatMap((source) =>
        EVERYWHERE.map((target) => [
          `${source}>${target}`,
          {
            kind: 'refused',
            code: 'HOLT_TARGET_COLUMN_TYPE',
            ddl: "id INT PRIMARY KEY, e ENUM('c','a','b')",
            why: 'the log holds the number of a label, which means another one at the target',
          },
        ]),
      ),
    ),
  },
];

export const ENUM_CASES: readonly ColumnTypeCase[] = [...enums, ...reordered];
