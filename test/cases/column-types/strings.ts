import { AWKWARD_TEXTS, chanceText, hexLiteral } from './chance-values.ts';
import {
  between,
  type CaseServer,
  type ColumnCase,
  type ColumnTypeFamily,
  EVERYWHERE,
  type ForeignBytes,
} from './column-type-case.ts';

const FAMILY: ColumnTypeFamily = 'Character strings';

/** Character sets with what is no text in them. */
const CHARSETS: Readonly<Record<string, readonly ForeignBytes[]>> = {
  latin1: [foreign('bytes without a character', '81 8d 8f 90 9d', EVERYWHERE)],
  ascii: [foreign('a byte beyond 7f', '61 80', ['mysql56', 'mariadb'])],
  utf8: [
    foreign('ff', '61 ff 62'),
    foreign('four bytes of utf8mb4', 'f0 9f 98 80'),
    foreign('a character cut off', '61 e2 82'),
    foreign('a lone surrogate', 'ed a0 80', ['mysql56', 'mariadb']),
  ],
  utf8mb4: [
    foreign('ff', '61 ff 62'),
    foreign('a character cut off', '61 f0 9f 98'),
    foreign('an overlong form', 'c0 80'),
    foreign('beyond 10FFFF', 'f4 90 80 80'),
    foreign('a lone surrogate', 'ed a0 80', ['mysql56', 'mariadb']),
  ],
  gbk: [
    foreign('a first byte alone', '61 81'),
    foreign('a second byte that is none', '81 20'),
    foreign('ff', 'ff'),
  ],
  gb2312: [foreign('a first byte alone', '61 b0'), foreign('a second byte that is none', 'b0 41')],
  gb18030: [foreign('a first byte alone', '61 81')],
  sjis: [
    foreign('a first byte alone', '61 81'),
    foreign('a second byte that is none', '81 20'),
    foreign('a byte that begins nothing', '80'),
  ],
  cp932: [foreign('a first byte alone', '61 81'), foreign('a second byte that is none', '81 20')],
  big5: [foreign('a first byte alone', '61 a4'), foreign('a second byte that is none', 'a4 20')],
  ujis: [foreign('a first byte alone', '61 b0'), foreign('a second byte that is none', 'b0 41')],
  euckr: [foreign('a first byte alone', '61 b0'), foreign('a second byte that is none', 'b0 20')],
  ucs2: [foreign('an odd number of bytes', '61'), foreign('a lone surrogate', 'd800', EVERYWHERE)],
  utf16: [foreign('an odd number of bytes', '0061 62'), foreign('a lone surrogate', 'd800')],
  utf16le: [foreign('an odd number of bytes', '6100 62'), foreign('a lone surrogate', '00d8')],
  utf32: [foreign('three bytes', '000061'), foreign('beyond 10FFFF', '00110000')],
  koi8r: [],
  cp1251: [],
};

function foreign(what: string, hex: string, storedBy: readonly CaseServer[] = []): ForeignBytes {
  return { what, bytes: Buffer.from(hex.replaceAll(' ', ''), 'hex'), storedBy };
}

const byCharset = Object.entries(CHARSETS).flatMap(([charset, foreignBytes]): readonly ColumnCase[] => {
  const inSet = (text: string) =>
    text === '' ? "''" : `CONVERT(_utf8mb4 X'${Buffer.from(text).toString('hex')}' USING ${charset})`;
  const onlyMysql = charset === 'gb18030';
  const on: readonly CaseServer[] = onlyMysql ? ['mysql'] : EVERYWHERE;
  const shown = charset === 'utf8' ? 'utf8mb3' : charset;
  return (
    [
      ['char', `char(30)`],
      ['varchar', `varchar(30)`],
      ['text', 'text'],
    ] as const
  ).map(
    ([name, type]): ColumnCase => ({
      kind: 'column',
      id: `${name}_${charset}`,
      title: `CHAR, VARCHAR, TEXT in ${shown}`,
      family: FAMILY,
      on,
      ddl: `${type} character set ${charset}`,
      values: AWKWARD_TEXTS.map(inSet),
      random: (chance) => inSet(chanceText(chance)),
      ...(name === 'varchar' && foreignBytes.length > 0 ? { foreign: foreignBytes } : {}),
      ...(onlyMysql
        ? {
            pairs: between(['mysql'], ['mysql56', 'mariadb'], {
              kind: 'refused',
              code: 'HOLT_TARGET_COLUMN_TYPE',
              ddl: `${type} character set utf8mb4`,
              why: 'the target server does not know gb18030 and cannot convert from it; a VARBINARY column takes the bytes',
            }),
          }
        : {}),
    }),
  );
});

/** The same bytes under another collation: what a server lacks is replaced at the target. */
function collated(
  id: string,
  title: string,
  ddl: string,
  on: readonly CaseServer[],
  instead: string | null,
): ColumnCase {
  const values = AWKWARD_TEXTS.filter((text) => /^[^\p{So}]*$/u.test(text) && text.length > 0);
  const others = EVERYWHERE.filter((server) => !on.includes(server));
  return {
    kind: 'column',
    id,
    title,
    family: FAMILY,
    on,
    ddl,
    values: values.map((text) => hexLiteral(Buffer.from(text))),
    random: (chance) => hexLiteral(Buffer.from(chanceText(chance).replaceAll('😀', ''))),
    ...(instead === null
      ? {}
      : {
          pairs: between(on, others, {
            kind: 'exact',
            ddl: instead,
            why: `the target lacks the collation: the column is ${instead} there, with the same bytes`,
          }),
        }),
  };
}

export const STRING_CASES: readonly ColumnCase[] = [
  ...byCharset,
  collated(
    'collation_0900',
    'utf8mb4_0900_… collations',
    'varchar(60) character set utf8mb4 collate utf8mb4_0900_as_cs',
    ['mysql'],
    'varchar(60) character set utf8mb4 collate utf8mb4_bin',
  ),
  collated(
    'collation_uca1400',
    'utf8mb4_uca1400_… collations',
    'varchar(60) character set utf8mb4 collate utf8mb4_uca1400_ai_ci',
    ['mariadb'],
    'varchar(60) character set utf8mb4 collate utf8mb4_unicode_520_ci',
  ),
  collated(
    'collation_nopad',
    'NO PAD collations of MariaDB',
    'varchar(60) character set utf8mb4 collate utf8mb4_nopad_bin',
    ['mariadb'],
    'varchar(60) character set utf8mb4 collate utf8mb4_bin',
  ),
  {
    kind: 'column',
    id: 'char_long',
    title: 'CHAR, VARCHAR, TEXT in utf8mb4',
    family: FAMILY,
    on: EVERYWHERE,
    ddl: 'char(255) character set utf8mb4',
    values: [`REPEAT('é',255)`, `'x'`, `REPEAT('表',255)`],
    random: (chance) => `REPEAT('${chance.pick(['a', 'é', '表'])}',${chance.int(0, 255)})`,
  },
  {
    kind: 'column',
    id: 'varchar_long',
    title: 'CHAR, VARCHAR, TEXT in latin1',
    family: FAMILY,
    on: EVERYWHERE,
    ddl: 'varchar(2000) character set latin1',
    values: [`REPEAT('\\'',2000)`, `REPEAT('\\\\',300)`],
    random: (chance) => `REPEAT('${chance.pick(['a', "\\'", '\\\\'])}',${chance.int(0, 2000)})`,
  },
  ...['tiny', '', 'medium', 'long'].map(
    (size): ColumnCase => ({
      kind: 'column',
      id: `${size}text`,
      title: 'TINYTEXT, TEXT, MEDIUMTEXT, LONGTEXT',
      family: FAMILY,
      on: EVERYWHERE,
      ddl: `${size}text character set utf8mb4`,
      values: AWKWARD_TEXTS.map((text) => hexLiteral(Buffer.from(text))),
      random: (chance) => hexLiteral(Buffer.from(chanceText(chance))),
    }),
  ),
];
