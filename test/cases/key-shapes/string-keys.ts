/** String keys of every collation family: what is equal to the server and what is not, as key and as further unique key. */
import {
  type CellValue,
  column,
  EQUAL,
  expression,
  insert,
  type KeyCase,
  nullable,
  nullableInt,
  remove,
  update,
} from './key-case.ts';

interface Collation {
  readonly name: string;
  readonly title: string;
  readonly type: string;
  /** Pairs that are one value to the server and differ in bytes. */
  readonly equal: readonly (readonly [CellValue, CellValue])[];
  /** Pairs of different values that another collation takes for equal. */
  readonly distinct?: readonly (readonly [CellValue, CellValue])[];
  readonly rest?: Partial<KeyCase>;
}

/**
 * Values equal by collation follow each other under one key (renamed, deleted and inserted again), and one row takes a value
 * that another has just given up in other bytes. Different ones stand beside each other and change places.
 */
function collationCase({ name, title, type, equal, distinct, rest }: Collation): KeyCase {
  return {
    name,
    shape: 'string key',
    title,
    tables: [
      {
        name: 't',
        columns: [column('k', type), nullable('u', type), nullableInt('v')],
        primary: ['k'],
        unique: [{ name: 'u', parts: ['u'] }],
      },
      { name: 'd', columns: [column('k', type), nullableInt('v')], primary: ['k'] },
    ],
    start: equal.flatMap(([x], i) => [
      insert('t', { k: x, u: x, v: i }, { k: `other ${i}`, u: `other ${i}`, v: 0 }),
    ]),
    transactions: [...together(equal.map(oneValue)), ...together((distinct ?? []).map(twoValues))],
    // A source without utf8mb4 as client set is told what the strings are.
    session: ['SET NAMES utf8mb4'],
    expected: EQUAL,
    ...rest,
  };
}

type Transactions = KeyCase['transactions'];

/** A value in two forms of bytes. */
function oneValue([x, y]: readonly [CellValue, CellValue], i: number): Transactions {
  const other = `other ${i}`;
  return [
    // The other row is known to the batch before the first gives its value up.
    [update('t', { k: other }, { v: i }), update('t', { k: x }, { v: 10 + i })],
    [update('t', { k: x }, { u: `n${i}` }), update('t', { k: other }, { u: y })],
    [update('t', { k: other }, { u: `m${i}` }), update('t', { k: x }, { u: y })],
    [update('t', { k: x }, { k: y })],
    [update('t', { k: x }, { v: 20 + i })],
    [remove('t', { k: y }), insert('t', { k: x, u: y, v: 30 + i })],
    [remove('t', { k: x })],
    [insert('t', { k: y, u: x, v: 40 + i })],
    [update('t', { k: x }, { k: x, v: 50 + i }), remove('t', { k: y })],
    [
      insert('t', { k: y, u: null, v: 60 + i }),
      remove('t', { k: x }),
      insert('t', { k: x, u: y, v: 70 + i }),
    ],
  ];
}

/** Two values that stand beside each other. */
function twoValues([x, y]: readonly [CellValue, CellValue], i: number): Transactions {
  const free = `free ${i}`;
  return [
    [insert('d', { k: x, v: i }), insert('d', { k: y, v: 10 + i })],
    [update('d', { k: x }, { v: 20 + i })],
    [update('d', { k: x }, { k: free }), update('d', { k: y }, { k: x }), update('d', { k: free }, { k: y })],
    [remove('d', { k: x }), update('d', { k: y }, { v: 30 + i })],
    [insert('d', { k: x, v: 40 + i }), remove('d', { k: x })],
    [insert('d', { k: x, v: 50 + i })],
    [remove('d', { k: x }), remove('d', { k: y })],
  ];
}

/** The first transactions of all as one, the second ones as one, and so on. */
function together(histories: readonly Transactions[]): Transactions {
  const most = Math.max(0, ...histories.map(({ length }) => length));
  return Array.from({ length: most }, (_, step) => histories.flatMap((history) => history[step] ?? []));
}

const CASES: readonly (readonly [CellValue, CellValue])[] = [['a', 'A']];
const ACCENTS: readonly (readonly [CellValue, CellValue])[] = [
  ['e', 'é'],
  ['Ü', 'u'],
];
const PADDED: readonly (readonly [CellValue, CellValue])[] = [['pad', 'pad  ']];
const SHARP_S_AS_SS: readonly (readonly [CellValue, CellValue])[] = [['strasse', 'straße']];
const SHARP_S_AS_S: readonly (readonly [CellValue, CellValue])[] = [['maß', 'mas']];
const UTF8MB4 = 'VARCHAR(20) CHARACTER SET utf8mb4 COLLATE';
const NO_56 = { sources: ['mariadb', 'mysql'], targets: ['mariadb', 'mysql'] } as const;

export const STRING_KEYS: readonly KeyCase[] = [
  collationCase({
    name: 'utf8mb4-general-ci',
    title: 'utf8mb4_general_ci: case, accents, padding; ß is s',
    type: `${UTF8MB4} utf8mb4_general_ci`,
    equal: [...CASES, ...ACCENTS, ...PADDED, ...SHARP_S_AS_S],
    distinct: SHARP_S_AS_SS,
  }),
  collationCase({
    name: 'utf8mb4-unicode-ci',
    title: 'utf8mb4_unicode_ci: case, accents, padding; ß is ss',
    type: `${UTF8MB4} utf8mb4_unicode_ci`,
    equal: [...CASES, ...ACCENTS, ...PADDED, ...SHARP_S_AS_SS],
  }),
  collationCase({
    name: 'utf8mb4-unicode-520-ci',
    title: 'utf8mb4_unicode_520_ci: the same, and emoji differ',
    type: `${UTF8MB4} utf8mb4_unicode_520_ci`,
    equal: [...CASES, ...ACCENTS, ...PADDED, ...SHARP_S_AS_SS],
    distinct: [['🦦', '🦫']],
  }),
  collationCase({
    name: 'utf8mb4-bin',
    title: 'utf8mb4_bin: bytes, but for trailing spaces',
    type: `${UTF8MB4} utf8mb4_bin`,
    equal: PADDED,
    distinct: [...CASES, ...ACCENTS, ...SHARP_S_AS_SS],
  }),
  collationCase({
    name: 'utf8mb4-0900-ai-ci',
    title: 'utf8mb4_0900_ai_ci: case and accents; trailing spaces count',
    type: `${UTF8MB4} utf8mb4_0900_ai_ci`,
    equal: [...CASES, ...ACCENTS, ...SHARP_S_AS_SS],
    distinct: PADDED,
    rest: NO_56,
  }),
  collationCase({
    name: 'utf8mb4-0900-as-cs',
    title: 'utf8mb4_0900_as_cs: case, accents and trailing spaces count',
    type: `${UTF8MB4} utf8mb4_0900_as_cs`,
    equal: [],
    distinct: [...CASES, ...ACCENTS, ...PADDED, ...SHARP_S_AS_SS],
    rest: NO_56,
  }),
  collationCase({
    name: 'utf8mb4-0900-bin',
    title: 'utf8mb4_0900_bin: bytes, trailing spaces too',
    type: `${UTF8MB4} utf8mb4_0900_bin`,
    equal: [],
    distinct: [...CASES, ...ACCENTS, ...PADDED],
    rest: NO_56,
  }),
  collationCase({
    name: 'utf8mb4-general-nopad-ci',
    title: 'MariaDB’s utf8mb4_general_nopad_ci: trailing spaces count',
    type: `${UTF8MB4} utf8mb4_general_nopad_ci`,
    equal: [...CASES, ...ACCENTS],
    distinct: PADDED,
    rest: { sources: ['mariadb'], targets: ['mariadb', 'mysql'] },
  }),
  collationCase({
    name: 'utf8mb4-nopad-bin',
    title: 'MariaDB’s utf8mb4_nopad_bin: bytes, trailing spaces too',
    type: `${UTF8MB4} utf8mb4_nopad_bin`,
    equal: [],
    distinct: [...CASES, ...PADDED],
    rest: { sources: ['mariadb'], targets: ['mariadb', 'mysql'] },
  }),
  collationCase({
    name: 'utf8mb4-uca1400-ai-ci',
    title: 'MariaDB’s utf8mb4_uca1400_ai_ci: case, accents, padding; ß is ss',
    type: `${UTF8MB4} utf8mb4_uca1400_ai_ci`,
    equal: [...CASES, ...ACCENTS, ...PADDED, ...SHARP_S_AS_SS],
    rest: { sources: ['mariadb'], targets: ['mariadb', 'mysql'] },
  }),
  collationCase({
    name: 'utf8mb4-uca1400-as-cs',
    title: 'MariaDB’s utf8mb4_uca1400_as_cs: only padding is nothing',
    type: `${UTF8MB4} utf8mb4_uca1400_as_cs`,
    equal: PADDED,
    distinct: [...CASES, ...ACCENTS],
    rest: { sources: ['mariadb'], targets: ['mariadb', 'mysql'] },
  }),
  collationCase({
    name: 'utf8mb3-general-ci',
    title: 'utf8mb3: case, accents, padding',
    type: 'VARCHAR(20) CHARACTER SET utf8 COLLATE utf8_general_ci',
    equal: [...CASES, ...ACCENTS, ...PADDED],
  }),
  collationCase({
    name: 'latin1-swedish-ci',
    title: 'latin1_swedish_ci: case, accents, padding',
    type: 'VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_swedish_ci',
    equal: [...CASES, ['e', 'é'], ...PADDED],
    distinct: [['o', 'ö'], ...SHARP_S_AS_SS],
  }),
  collationCase({
    name: 'latin1-german2-ci',
    title: 'latin1_german2_ci: ß is ss, ä is ae',
    type: 'VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_german2_ci',
    equal: [...CASES, ...PADDED, ...SHARP_S_AS_SS, ['bär', 'baer']],
    distinct: [['bar', 'bär']],
  }),
  collationCase({
    name: 'latin1-german1-ci',
    title: 'latin1_german1_ci: ß is s, ä is a',
    type: 'VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_german1_ci',
    equal: [...CASES, ...PADDED, ...SHARP_S_AS_S, ['bar', 'bär']],
    distinct: SHARP_S_AS_SS,
  }),
  collationCase({
    name: 'latin1-general-cs',
    title: 'latin1_general_cs: case and accents count, padding does not',
    type: 'VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_general_cs',
    equal: PADDED,
    distinct: [...CASES, ['e', 'é']],
  }),
  collationCase({
    name: 'latin1-bin',
    title: 'latin1_bin: bytes, but for trailing spaces',
    type: 'VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_bin',
    equal: PADDED,
    distinct: [...CASES, ['e', 'é']],
  }),
  collationCase({
    name: 'gbk-chinese-ci',
    title: 'gbk_chinese_ci: second bytes that are backslashes, case, padding',
    type: 'VARCHAR(20) CHARACTER SET gbk COLLATE gbk_chinese_ci',
    equal: [...CASES, ...PADDED],
    distinct: [[expression("_gbk x'815c'"), expression("_gbk x'8140'")]],
  }),
  collationCase({
    name: 'sjis-japanese-ci',
    title: 'sjis_japanese_ci: second bytes that are backslashes, case, padding',
    type: 'VARCHAR(20) CHARACTER SET sjis COLLATE sjis_japanese_ci',
    equal: [...CASES, ...PADDED],
    distinct: [[expression("_sjis x'835c'"), expression("_sjis x'8340'")]],
  }),
  collationCase({
    name: 'ucs2-general-ci',
    title: 'ucs2: two bytes a character, quotes among them',
    type: 'VARCHAR(20) CHARACTER SET ucs2 COLLATE ucs2_general_ci',
    equal: [...CASES, ...PADDED],
    distinct: [[expression("_ucs2 x'0027005c'"), expression("_ucs2 x'0027'")]],
  }),
  collationCase({
    name: 'char-padded',
    title: 'CHAR: trailing spaces are never stored',
    type: 'CHAR(12) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci',
    equal: [...CASES, ...ACCENTS],
  }),
  {
    name: 'stricter-at-target',
    shape: 'string key',
    title: 'case counts at the target only',
    tables: [
      {
        name: 't',
        columns: [column('k', `${UTF8MB4} utf8mb4_general_ci`), nullableInt('v')],
        primary: ['k'],
      },
    ],
    targetTables: [
      { name: 't', columns: [column('k', `${UTF8MB4} utf8mb4_bin`), nullableInt('v')], primary: ['k'] },
    ],
    start: [insert('t', { k: 'a', v: 1 }, { k: 'b', v: 1 })],
    transactions: [
      [update('t', { k: 'A' }, { v: 2 })],
      [update('t', { k: 'a' }, { k: 'A' })],
      [remove('t', { k: 'a' }), insert('t', { k: 'a', v: 3 })],
      [remove('t', { k: 'B' }), insert('t', { k: 'B', v: 4 })],
      [update('t', { k: 'b' }, { v: 5 })],
    ],
    expected: EQUAL,
  },
  {
    name: 'looser-at-target',
    shape: 'string key',
    title:
      'case counts at the source only: two rows of the source are one at the target, and the ledger names it',
    tables: [
      { name: 't', columns: [column('k', `${UTF8MB4} utf8mb4_bin`), nullableInt('v')], primary: ['k'] },
    ],
    targetTables: [
      {
        name: 't',
        columns: [column('k', `${UTF8MB4} utf8mb4_general_ci`), nullableInt('v')],
        primary: ['k'],
      },
    ],
    start: [insert('t', { k: 'a', v: 1 })],
    transactions: [[insert('t', { k: 'A', v: 2 })]],
    expected: { kind: 'ledger', entries: ['insert-present'], equal: false },
  },
  {
    name: 'other-charset-at-target',
    shape: 'string key',
    title: 'latin1 at the source, utf8mb4 at the target: compared as the target’s collation says',
    tables: [
      {
        name: 't',
        columns: [column('k', 'VARCHAR(20) CHARACTER SET latin1'), nullableInt('v')],
        primary: ['k'],
      },
    ],
    targetTables: [
      {
        name: 't',
        columns: [column('k', `${UTF8MB4} utf8mb4_general_ci`), nullableInt('v')],
        primary: ['k'],
      },
    ],
    session: ['SET NAMES utf8mb4'],
    start: [insert('t', { k: 'é', v: 1 }, { k: 'x', v: 1 }, { k: 'c', v: 1 })],
    transactions: [
      [update('t', { k: 'é' }, { v: 2 }), update('t', { k: 'x' }, { v: 2 })],
      [update('t', { k: 'x' }, { k: 'X' })],
      [
        remove('t', { k: 'é' }),
        insert('t', { k: 'E', v: 3 }),
        remove('t', { k: 'E' }),
        insert('t', { k: 'é', v: 4 }),
      ],
      [insert('t', { k: 'ÿ', v: 5 }), update('t', { k: 'c' }, { v: 5 })],
    ],
    compare: { t: ['CONVERT(k USING utf8mb4)', 'v'] },
    expected: EQUAL,
  },
];
