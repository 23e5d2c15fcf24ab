/**
 * Column types with their values, by what a pair of servers both have; and the columns that make good keys, with values
 * that are equal, nearly equal, or at the ends.
 */
import { outcomeOf } from '../test/cases/column-types/column-type-case.ts';
import { columnCasesOn } from '../test/cases/column-types/column-type-cases.ts';
import { columnSamples } from '../test/support/column-samples.ts';
import type { DatabaseFlavour } from '../test/support/database.ts';
import { PAIRS, type PairName } from './case.ts';

export interface TypeChoice {
  readonly family: string;
  readonly ddl: string;
  /** SQL expressions. */
  readonly values: readonly string[];
}

export interface KeyChoice extends TypeChoice {
  /** Length in a prefix index; none for what has no prefixes. */
  readonly prefix?: number;
}

/** Values of each type to choose from: the awkward ones of the samples, and some of chance. */
const VALUES = 32;

const FAMILIES: readonly (readonly [RegExp, string])[] = [
  [/^bigint_wide$/, 'bigint_u'],
  [/^int_zerofill$/, 'int'],
  [/^boolean$/, 'tinyint'],
  [/^collation_.*$/, 'varchar'],
  [/^decimal_/, 'decimal'],
  [/^(float|double)/, '$1'],
  [/^bit_/, 'bit'],
  [/^(time|datetime|timestamp)_/, '$1'],
  [/^char_(long|latin1|ascii|utf8|utf8mb4)$/, 'char'],
  [/^varchar_(long|latin1|ascii|utf8|utf8mb4)$/, 'varchar'],
  [/^text_(latin1|ascii|utf8|utf8mb4)$/, 'text'],
  [/^(char|varchar|text)_/, '$1 of other sets'],
  [/^(varbinary|binary)_\d+$/, '$1'],
  [/^.*_compressed$/, 'compressed'],
  [/^blob_large$/, 'blob_large'],
  [/^.*blob$/, 'blob'],
  [/^.*text$/, 'text'],
  [/^(enum|set)_/, '$1'],
  [/^(geometry|point|linestring|polygon|multi).*$/, 'geometry'],
  [/^json.*/, 'json'],
];

function familyOf(name: string): string {
  for (const [pattern, family] of FAMILIES) {
    const match = pattern.exec(name);
    if (match !== null) return family.replace('$1', match[1] ?? '');
  }
  return name;
}

const known = new Map<string, readonly TypeChoice[]>();

/** Types that both servers of a pair have, under the same declaration. */
export function typesOf(pair: PairName): readonly TypeChoice[] {
  const found = known.get(pair);
  if (found !== undefined) return found;
  const [source, target] = PAIRS[pair];
  const there = new Set(columnSamples({ flavour: target, rows: 0 }).map(({ ddl }) => ddl));
  // What only comes over in a form of its own is for the table of cases to try.
  const exact = new Set(
    columnCasesOn(source)
      .filter((one) => outcomeOf(one, source, target)?.kind === 'exact')
      .map(({ id }) => id),
  );
  const types = columnSamples({ flavour: source, rows: VALUES })
    .filter(({ name, ddl }) => there.has(ddl) && exact.has(name))
    .map(({ name, ddl, values }): TypeChoice => ({ family: familyOf(name), ddl, values }));
  types.push(...moreTypes(source, target));
  known.set(pair, types);
  return types;
}

export function familiesOf(pair: PairName): readonly string[] {
  return [...new Set(typesOf(pair).map(({ family }) => family))].sort();
}

function moreTypes(source: DatabaseFlavour, target: DatabaseFlavour): readonly TypeChoice[] {
  const plain = source === target;
  return [
    {
      family: 'timestamp',
      ddl: 'TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)',
      values: ["'2020-01-01 00:00:00.001'", "'2037-12-31 23:59:59.999'", 'DEFAULT'],
    },
    {
      family: 'datetime',
      ddl: 'DATETIME(6) NULL DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP(6)',
      values: ["'2020-01-01 00:00:00.000001'", 'NULL', 'DEFAULT'],
    },
    {
      family: 'enum',
      ddl: `ENUM('','a','A ','ü','it''s')${plain ? ' CHARACTER SET utf8mb4 COLLATE utf8mb4_bin' : ' CHARACTER SET utf8mb4 COLLATE utf8mb4_bin'}`,
      values: ["''", "'a'", '1', '5', '3'],
    },
    {
      family: 'int',
      ddl: 'INT(10) UNSIGNED ZEROFILL NOT NULL DEFAULT 7',
      values: ['0', '4294967295', '2147483648', 'DEFAULT', '1'],
    },
  ];
}

interface Collated {
  readonly charset: string;
  readonly collation: string;
  readonly on: readonly DatabaseFlavour[];
}

const ALL: readonly DatabaseFlavour[] = ['mariadb', 'mysql', 'mysql56'];
/** One of each family: with and without padding, with and without accents and case, by bytes. */
const COLLATIONS: readonly Collated[] = [
  { charset: 'utf8mb4', collation: 'utf8mb4_general_ci', on: ALL },
  { charset: 'utf8mb4', collation: 'utf8mb4_unicode_ci', on: ALL },
  { charset: 'utf8mb4', collation: 'utf8mb4_unicode_520_ci', on: ALL },
  { charset: 'utf8mb4', collation: 'utf8mb4_bin', on: ALL },
  { charset: 'utf8', collation: 'utf8_general_ci', on: ALL },
  { charset: 'latin1', collation: 'latin1_swedish_ci', on: ALL },
  { charset: 'latin1', collation: 'latin1_german2_ci', on: ALL },
  { charset: 'latin1', collation: 'latin1_general_cs', on: ALL },
  { charset: 'utf8mb4', collation: 'utf8mb4_0900_ai_ci', on: ['mysql'] },
  { charset: 'utf8mb4', collation: 'utf8mb4_0900_as_cs', on: ['mysql'] },
  { charset: 'utf8mb4', collation: 'utf8mb4_0900_bin', on: ['mysql'] },
  { charset: 'utf8mb4', collation: 'utf8mb4_nopad_bin', on: ['mariadb'] },
  { charset: 'utf8mb4', collation: 'utf8mb4_general_nopad_ci', on: ['mariadb'] },
  { charset: 'utf8mb4', collation: 'utf8mb4_unicode_nopad_ci', on: ['mariadb'] },
];
const WORDS = ['', ' ', 'a', 'A', 'a ', 'ä', 'Ä', 'ae', 'b', 'ß', 'ss', 'SS', 'é', "o'b\\", 'x y', 'z'];

/** Columns for keys of strings. */
export function textKeysOf(pair: PairName): readonly KeyChoice[] {
  const sides = PAIRS[pair];
  return COLLATIONS.filter(({ on }) => sides.every((flavour) => on.includes(flavour))).flatMap(
    ({ charset, collation }) =>
      ['VARCHAR(12)', 'CHAR(9)'].map(
        (type): KeyChoice => ({
          family: type.startsWith('C') ? 'char' : 'varchar',
          ddl: `${type} CHARACTER SET ${charset} COLLATE ${collation}`,
          // Introduced, not converted: such a literal gives way to the column's collation.
          values: WORDS.map((word) => {
            const bytes = Buffer.from(word, charset === 'latin1' ? 'latin1' : 'utf8');
            return word === '' ? "''" : `_${charset} X'${bytes.toString('hex')}'`;
          }),
          prefix: 2,
        }),
      ),
  );
}

export const BINARY_KEYS: readonly KeyChoice[] = [
  {
    family: 'varbinary',
    ddl: 'VARBINARY(12)',
    values: ["''", "X'00'", "X'0000'", "X'61'", "X'41'", "X'6120'", "X'ff27'", "X'5c'", "X'275c'"],
    prefix: 2,
  },
  {
    family: 'binary',
    ddl: 'BINARY(4)',
    values: ["''", "X'00'", "X'00000001'", "X'61'", "X'41'", "X'20'", "X'ffffffff'", "X'2700'"],
    prefix: 2,
  },
];

export const FLOAT_KEYS: readonly KeyChoice[] = [
  {
    family: 'double',
    ddl: 'DOUBLE',
    values: ['0', '-0e0', '0.1', '1e-300', '1.7976931348623157e308', '-1e15', '0.30000000000000004', '3'],
  },
  {
    family: 'float',
    ddl: 'FLOAT',
    values: ['0', '-0e0', '0.1', '16777216', '-3.4028234e38', '1e-30', '1.5'],
  },
];

const INT_KEY: KeyChoice = {
  family: 'int',
  ddl: 'INT',
  values: Array.from({ length: 14 }, (_, i) => String(i + 1)),
};

/** Columns for keys of everything else. */
export function otherKeysOf(pair: PairName): readonly KeyChoice[] {
  const sides = PAIRS[pair];
  const keys: KeyChoice[] = [
    INT_KEY,
    {
      family: 'bigint_u',
      ddl: 'BIGINT UNSIGNED',
      values: [
        '0',
        '1',
        '18446744073709551615',
        '9223372036854775808',
        '9007199254740993',
        '9007199254740992',
        '7',
      ],
    },
    {
      family: 'bigint',
      ddl: 'BIGINT',
      values: ['-9223372036854775808', '9223372036854775807', '-1', '0', '9007199254740993', '5'],
    },
    { family: 'mediumint', ddl: 'MEDIUMINT', values: ['-8388608', '8388607', '-1', '0', '1', '77'] },
    { family: 'tinyint', ddl: 'TINYINT', values: ['-128', '127', '-1', '0', '1', '77'] },
    {
      family: 'decimal',
      ddl: 'DECIMAL(20,6)',
      values: ['0', '-0.000001', '0.000001', '99999999999999.999999', '-1', '12.5', '10'],
    },
    {
      family: 'date',
      ddl: 'DATE',
      values: ["'0000-00-00'", "'2024-02-29'", "'2024-02-00'", "'9999-12-31'", "'1000-01-01'"],
    },
    {
      family: 'datetime',
      ddl: 'DATETIME(6)',
      values: [
        "'0000-00-00'",
        "'2024-02-29 12:00:00.000001'",
        "'2024-02-29 12:00:00'",
        "'9999-12-31 23:59:59'",
      ],
    },
    {
      family: 'timestamp',
      ddl: 'TIMESTAMP(3) NULL',
      values: [
        "'1970-01-01 00:00:01'",
        "'2024-10-27 01:30:00'",
        "'2024-10-27 01:30:00.001'",
        "'2038-01-19 03:14:07'",
      ],
    },
    {
      family: 'time',
      ddl: 'TIME(3)',
      values: ["'-838:59:59'", "'838:59:59'", "'00:00:00'", "'-00:00:00.001'", "'12:00:00.5'"],
    },
    { family: 'bit', ddl: 'BIT(10)', values: ['0', '1', '1023', '512', '255', '256'] },
    { family: 'enum', ddl: "ENUM('a','b','c','d','e')", values: ["'a'", "'b'", "'c'", "'d'", "'e'"] },
    { family: 'set', ddl: "SET('a','b','c')", values: ["''", "'a'", "'a,b'", "'c'", "'a,b,c'"] },
    { family: 'year', ddl: 'YEAR', values: ['0', '1901', '2155', '2000', '1970'] },
  ];
  if (sides.every((one) => one === 'mariadb'))
    keys.push(
      {
        family: 'uuid',
        ddl: 'UUID',
        values: [
          "'00000000-0000-0000-0000-000000000001'",
          "'123e4567-e89b-12d3-a456-426655440000'",
          "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
        ],
      },
      {
        family: 'inet6',
        ddl: 'INET6',
        values: ["'::'", "'::1'", "'2001:db8::ff00:42:8329'", "'::ffff:1.2.3.4'"],
      },
    );
  return keys;
}

export { INT_KEY };
