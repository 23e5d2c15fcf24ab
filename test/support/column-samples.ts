import type { DatabaseFlavour } from './database.ts';
import { Random } from './random.ts';

/**
 * Column types with values of each, the awkward ones first and then chance's: what decoders and literals are tried
 * with on every server. The values are SQL expressions for a session with a lenient sql_mode and UTC.
 */
export interface ColumnSample {
  /** For a table's name. */
  readonly name: string;
  readonly ddl: string;
  readonly values: readonly string[];
  /** Servers that have the type; all by default. */
  readonly on: readonly DatabaseFlavour[];
}

const ALL: readonly DatabaseFlavour[] = ['mariadb', 'mysql', 'mysql56'];
const SIGNED_BITS = { tinyint: 8, smallint: 16, mediumint: 24, int: 32, bigint: 64 };
/** Characters whose second byte is a backslash, a quote or an at sign in an East Asian set, and others of all lengths. */
const TEXTS = [
  '',
  ' ',
  'a',
  "'",
  '"',
  '\\',
  "\\'",
  "''",
  '\0',
  '\0\0',
  '\n\r\t\b\u001a',
  '%_',
  'trailing ',
  'é',
  'ß',
  'ÿ',
  'ソ表予十能',
  '表\\',
  "ソ'",
  '誠',
  '許功蓋',
  '中文',
  '한국어',
  'ﾃｽﾄ',
  '€',
  '😀',
  '\u0080',
  'Ω',
];

export interface SampleOptions {
  readonly flavour: DatabaseFlavour;
  /** At least so many values of each type. */
  readonly rows: number;
  readonly seed?: number;
}

export function columnSamples(options: SampleOptions): readonly ColumnSample[] {
  const random = new Random(options.seed ?? 20_260_101);
  const samples: ColumnSample[] = [];
  const add = (
    name: string,
    ddl: string,
    fixed: readonly string[],
    chance: () => string,
    on: readonly DatabaseFlavour[] = ALL,
  ): void => {
    if (!on.includes(options.flavour)) return;
    const values = [...fixed];
    while (values.length < options.rows) values.push(chance());
    samples.push({ name, ddl, values, on });
  };

  for (const [type, bits] of Object.entries(SIGNED_BITS)) {
    const top = 1n << BigInt(bits - 1);
    const signed = [0n, 1n, -1n, 9n, 10n, top - 1n, -top, -top + 1n];
    add(type, type, signed.map(String), () => String(random.bits(bits) - top));
    const unsigned = [0n, 1n, top - 1n, top, 2n * top - 1n, 2n * top - 2n];
    add(`${type}_u`, `${type} unsigned`, unsigned.map(String), () =>
      String(random.bits(random.int(1, bits))),
    );
  }
  add('bigint_wide', 'bigint unsigned', POWERS_OF_TEN, () => String(random.bits(64)));

  for (const [precision, scale] of DECIMALS) {
    if (scale > 30 && options.flavour !== 'mariadb') continue;
    const whole = precision - scale;
    const number = (before: string, after: string) =>
      `${before === '' ? '0' : before}${after === '' ? '' : `.${after}`}`;
    const largest = number('9'.repeat(whole), '9'.repeat(scale));
    const least = number(whole > 0 && scale === 0 ? '1' : '0', scale > 0 ? `${'0'.repeat(scale - 1)}1` : '');
    const one = whole > 0 ? '1' : '0';
    const fixed = ['0', one, `-${one}`, largest, `-${largest}`, least, `-${least}`];
    add(`decimal_${precision}_${scale}`, `decimal(${precision},${scale})`, fixed, () => {
      const before = random.digits(random.int(0, whole));
      return `${random.pick(['', '-'])}${number(before, random.digits(random.int(0, scale)))}`;
    });
  }

  add('float', 'float', FLOATS, () => `${randomFloat(random)}`);
  add('float_7_3', 'float(7,3)', ['0', '-0.001', '9999.999', '1.1'], () => (random.next() * 9999).toFixed(3));
  add('double', 'double', DOUBLES, () => `${randomDouble(random)}`);
  add('double_12_4', 'double(12,4)', ['0', '-0.0001', '99999999.9999', '0.1'], () =>
    (random.next() * 99_999_999).toFixed(4),
  );

  for (const bits of [1, 8, 13, 32, 33, 64])
    add(`bit_${bits}`, `bit(${bits})`, ['0', '1', String((1n << BigInt(bits)) - 1n)], () =>
      String(random.bits(bits)),
    );

  add('year', 'year', ['0', '1901', '2155', '1970', '2000'], () => String(random.int(1901, 2155)));
  add(
    'date',
    'date',
    ["'0000-00-00'", "'2024-00-00'", "'2024-02-00'", "'0001-01-01'", "'9999-12-31'", "'2024-02-30'"],
    () => `'${randomDate(random)}'`,
  );
  for (const digits of [0, 1, 2, 3, 4, 5, 6]) {
    const type = (name: string) => (digits === 0 ? name : `${name}(${digits})`);
    const fraction = (text: string) => (digits === 0 ? '' : `.${text.slice(0, digits).padEnd(digits, '0')}`);
    const some = () => fraction(random.digits(6));
    add(
      `time_${digits}`,
      type('time'),
      [
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
      () => `'${random.pick(['', '-'])}${random.int(0, 838)}:${clock(random)}${some()}'`,
    );
    add(
      `datetime_${digits}`,
      type('datetime'),
      [
        "'0000-00-00 00:00:00'",
        "'2024-00-00 12:00:00'",
        "'0001-01-01 00:00:00'",
        `'9999-12-31 23:59:59${fraction('999999')}'`,
        `'2024-02-30 00:00:00${fraction('000001')}'`,
      ],
      () => `'${randomDate(random)} ${String(random.int(0, 23)).padStart(2, '0')}:${clock(random)}${some()}'`,
    );
    add(
      `timestamp_${digits}`,
      `${type('timestamp')} null`,
      [
        "'0000-00-00 00:00:00'",
        "'1970-01-01 00:00:01'",
        "'2038-01-19 03:14:07'",
        `'2000-02-29 23:59:59${fraction('999999')}'`,
        "'2024-12-31 23:59:59'",
        "'1999-12-31 00:00:00'",
      ],
      () =>
        `'${random.int(1971, 2037)}-${pad2(random.int(1, 12))}-${pad2(random.int(1, 28))} ${pad2(random.int(0, 23))}:${clock(random)}${some()}'`,
    );
  }

  const textOf = () => {
    let text = '';
    for (let i = random.int(0, 6); i > 0; i--) text += random.pick(TEXTS);
    return [...text].slice(0, 30).join('');
  };
  for (const charset of CHARSETS) {
    const on = charset === 'gb18030' ? (['mysql'] as const) : ALL;
    const utf8 = (text: string) => `_utf8mb4 X'${Buffer.from(text).toString('hex')}'`;
    const inSet = (text: string) => (text === '' ? "''" : `CONVERT(${utf8(text)} USING ${charset})`);
    const fixed = TEXTS.map(inSet);
    const random7 = () => inSet(textOf());
    add(`char_${charset}`, `char(30) character set ${charset}`, fixed, random7, on);
    add(`varchar_${charset}`, `varchar(30) character set ${charset}`, fixed, random7, on);
    add(`text_${charset}`, `text character set ${charset}`, fixed, random7, on);
  }
  const hex = (bytes: Buffer) => (bytes.length === 0 ? "''" : `X'${bytes.toString('hex')}'`);
  const binary = ["''", "X'00'", "X'0000'", "X'6100'", "X'2027275C5C00'", "X'20'", "X'FF'", "X'5C'", "X'1A'"];
  add(
    'char_long',
    'char(255) character set utf8mb4',
    [`REPEAT('é',255)`, `'x'`],
    () => `REPEAT('${random.pick(['a', 'é', '表'])}',${random.int(0, 255)})`,
  );
  add(
    'varchar_long',
    'varchar(2000) character set latin1',
    [`REPEAT('\\'',2000)`, `REPEAT('\\\\',300)`],
    () => `REPEAT('${random.pick(['a', "\\'", '\\\\'])}',${random.int(0, 2000)})`,
  );
  add('binary_9', 'binary(9)', binary, () => hex(random.bytes(random.int(0, 9))));
  add('varbinary_40', 'varbinary(40)', binary, () => hex(random.bytes(random.int(0, 40))));
  add('varbinary_400', 'varbinary(400)', binary, () => hex(random.bytes(random.int(0, 400))));
  for (const size of ['tiny', '', 'medium', 'long']) {
    add(`${size}blob`, `${size}blob`, binary, () => hex(random.bytes(random.int(0, 250))));
    add(
      `${size}text`,
      `${size}text character set utf8mb4`,
      TEXTS.map((t) => hex(Buffer.from(t))),
      () => hex(Buffer.from(textOf())),
    );
  }
  add(
    'blob_large',
    'mediumblob',
    [`REPEAT(X'275C00',50000)`, `REPEAT(X'41',300000)`, `X'${random.bytes(70_000).toString('hex')}'`],
    () => hex(random.bytes(random.int(900, 1100))),
  );

  const many = Array.from({ length: 300 }, (_, i) => `'m${i}'`).join(',');
  add('enum_3', "enum('a','b','ü')", ['1', '2', '3'], () => String(random.int(1, 3)));
  add('enum_300', `enum(${many})`, ['1', '255', '256', '300'], () => String(random.int(1, 300)));
  for (const count of [3, 8, 9, 20, 33, 64]) {
    const labels = Array.from({ length: count }, (_, i) => `'s${i}'`).join(',');
    add(`set_${count}`, `set(${labels})`, ['0', '1', String((1n << BigInt(count)) - 1n)], () =>
      String(random.bits(count)),
    );
  }

  const spatial = options.flavour === 'mysql56' ? 'GeomFromText' : 'ST_GeomFromText';
  const point = () => `${random.int(-180, 180)} ${random.int(-90, 90)}`;
  const shapes = [
    'POINT(1 2)',
    'POINT(-0.5 1e300)',
    'LINESTRING(0 0,1 1,2 2)',
    'POLYGON((0 0,10 0,10 10,0 10,0 0),(2 2,3 2,3 3,2 3,2 2))',
    'MULTIPOINT(0 0,20 20,60 60)',
    'MULTILINESTRING((10 10,20 20),(15 15,30 15))',
    'MULTIPOLYGON(((0 0,1 0,1 1,0 1,0 0)),((5 5,7 5,7 7,5 7,5 5)))',
    'GEOMETRYCOLLECTION(POINT(10 10),LINESTRING(15 15,20 20))',
  ];
  add(
    'geometry',
    'geometry',
    shapes.map((s) => `${spatial}('${s}')`),
    () => `${spatial}('POINT(${point()})')`,
  );
  add(
    'geometry_srid',
    'geometry',
    [`${spatial}('POINT(1 2)', 4326)`],
    () => `${spatial}('POINT(${random.int(-80, 80)} ${random.int(-80, 80)})', 4326)`,
  );
  add('point', 'point', [`${spatial}('POINT(1 2)')`], () => `${spatial}('POINT(${point()})')`);
  add('json', 'json', JSONS.map(quoted), () => quoted(JSON.stringify(randomJson(random, 3))), [
    'mysql',
    'mariadb',
  ]);
  add(
    'json_peculiar',
    'json',
    PECULIAR_JSONS,
    () =>
      `JSON_ARRAY(CAST(${random.int(-99, 99)}.${random.digits(3)} AS DECIMAL(10,3)), ${random.int(0, 9)})`,
    ['mysql'],
  );
  add(
    'vector',
    'vector(3)',
    ["STRING_TO_VECTOR('[1,2,3]')"],
    () => `STRING_TO_VECTOR('[${randomFloat(random)},${random.next()},${-random.next()}]')`,
    ['mysql'],
  );

  add(
    'uuid',
    'uuid',
    [
      "'00000000-0000-0000-0000-000000000000'",
      "'6ccd780c-baba-1026-9564-5b8c656024db'",
      "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
      "'0188d6e1-0000-7000-8000-000000000000'",
    ],
    () => {
      const h = random.bytes(16).toString('hex');
      return `'${h.slice(0, 8)}-${h.slice(8, 12)}-${random.pick(['1', '4', '7'])}${h.slice(13, 16)}-a${h.slice(17, 20)}-${h.slice(20)}'`;
    },
    ['mariadb'],
  );
  add(
    'inet4',
    'inet4',
    ["'0.0.0.0'", "'255.255.255.255'", "'1.2.3.0'", "'10.0.0.1'"],
    () => `'${[...random.bytes(4)].join('.')}'`,
    ['mariadb'],
  );
  add(
    'inet6',
    'inet6',
    [
      "'::'",
      "'::1'",
      "'::1.2.3.4'",
      "'::ffff:1.2.3.4'",
      "'2001:db8::1'",
      "'1:0:0:2:0:0:0:3'",
      "'1:0:2:0:3:0:4:0'",
      "'fe80::'",
      "'::1:0'",
      "'1::'",
      "'0:1::'",
    ],
    () =>
      `'${Array.from({ length: 8 }, () => random.pick([0, 0, random.int(0, 65_535)]).toString(16)).join(':')}'`,
    ['mariadb'],
  );
  for (const type of [
    'varchar(2000) compressed',
    'text compressed',
    'blob compressed',
    'varbinary(90) compressed',
  ])
    add(
      type.replace(/[( ].*/, '_compressed'),
      type,
      ["''", "'a'", "REPEAT('a',90)", "REPEAT('\\'',90)"],
      () => `REPEAT('${random.pick(['ab', 'xyz', '\\\\'])}',${random.int(0, 30)})`,
      ['mariadb'],
    );
  return samples;
}

const POWERS_OF_TEN = Array.from({ length: 20 }, (_, i) => [10n ** BigInt(i), 10n ** BigInt(i) - 1n])
  .flat()
  .map(String);
const DECIMALS = [
  [1, 0],
  [1, 1],
  [5, 2],
  [9, 0],
  [9, 9],
  [10, 0],
  [18, 9],
  [20, 10],
  [30, 30],
  [38, 38],
  [65, 0],
  [65, 30],
] as const satisfies readonly (readonly [number, number])[];
const CHARSETS = [
  'latin1',
  'ascii',
  'utf8',
  'utf8mb4',
  'gbk',
  'gb2312',
  'gb18030',
  'sjis',
  'cp932',
  'big5',
  'ujis',
  'euckr',
  'ucs2',
  'utf16',
  'utf16le',
  'utf32',
  'koi8r',
];
const FLOATS = [
  '0',
  '-0e0',
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
  '-0e0',
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

const JSONS = [
  'null',
  'true',
  'false',
  '0',
  '-1',
  '1',
  '32767',
  '-32768',
  '32768',
  '65535',
  '65536',
  '2147483647',
  '-2147483648',
  '4294967295',
  '4294967296',
  '9223372036854775807',
  '-9223372036854775808',
  '9223372036854775808',
  '18446744073709551615',
  '18446744073709551616',
  '1.0',
  '0.1',
  '-0.0',
  '1e100',
  '1e-7',
  '1e15',
  '123456789.125',
  '5e-324',
  '""',
  '"a"',
  '"ü😀"',
  '"\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f"',
  '[]',
  '{}',
  '[[]]',
  '[{}]',
  '{"a":{}}',
  '{"":1}',
  '{"b":1,"a":2,"aa":3,"c":[1,"x",null,true,1.5]}',
  `"${'x'.repeat(127)}"`,
  `"${'x'.repeat(128)}"`,
  `"${'y'.repeat(20_000)}"`,
  `[${Array.from({ length: 300 }, (_, i) => i * 1000).join(',')}]`,
  `{${Array.from({ length: 200 }, (_, i) => `"key${i}":"${'v'.repeat(400)}"`).join(',')}}`,
  `[${Array.from({ length: 40 }, (_, i) => `${i * 1_000_000}`).join(',')},"${'z'.repeat(70_000)}"]`,
  `${'['.repeat(30)}1${']'.repeat(30)}`,
];
const PECULIAR_JSONS = [
  "JSON_ARRAY(CAST('1.50' AS DECIMAL(10,2)))",
  "JSON_ARRAY(CAST('-99999999999999999999.123456789' AS DECIMAL(65,30)))",
  'CAST(CAST(1.25 AS DECIMAL(5,3)) AS JSON)',
  "JSON_OBJECT('d', CAST('2020-01-02' AS DATE), 't', CAST('-03:04:05.5' AS TIME(6)), 'dt', CAST('2020-01-02 03:04:05.678901' AS DATETIME(6)), 'z', CAST('838:59:59' AS TIME))",
  "CAST(CAST('2020-01-02 03:04:05' AS DATETIME) AS JSON)",
  'CAST(CAST(1 AS UNSIGNED) AS JSON)',
  'JSON_ARRAY(CAST(65535 AS UNSIGNED), CAST(70000 AS UNSIGNED), CAST(5000000000 AS UNSIGNED), CAST(18446744073709551615 AS UNSIGNED))',
  "JSON_ARRAY(_binary 'a\\'b\\\\c', X'00ff', JSON_OBJECT('k\\'ey', CAST(X'00' AS BINARY)))",
  "JSON_ARRAY(REPEAT('x',10), CAST(REPEAT('y',200) AS BINARY))",
  "JSON_OBJECT('plain', CAST('{\"a\": [1, 2.5, null]}' AS JSON), 'odd', CAST(7 AS UNSIGNED))",
  "JSON_ARRAY('ü\\'\\\\', TRUE, NULL, 1e0, CAST(3.0 AS DECIMAL(2,1)))",
];

function quoted(json: string): string {
  return `'${json.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

function randomJson(random: Random, depth: number): unknown {
  const kind = random.int(0, depth > 0 ? 8 : 6);
  switch (kind) {
    case 0:
      return null;
    case 1:
      return random.int(0, 1) === 1;
    case 2:
      return random.int(-70_000, 70_000);
    case 3:
      return random.int(-(2 ** 40), 2 ** 40);
    case 4:
      return randomDouble(random);
    case 5:
    case 6:
      return random.pick(TEXTS) + random.digits(random.int(0, 5));
    case 7:
      return Array.from({ length: random.int(0, 5) }, () => randomJson(random, depth - 1));
    default:
      return Object.fromEntries(
        Array.from({ length: random.int(0, 5) }, () => [
          random.pick(TEXTS) + random.digits(2),
          randomJson(random, depth - 1),
        ]),
      );
  }
}

function randomFloat(random: Random): number {
  for (;;) {
    const value = random.bytes(4).readFloatLE();
    // Values below the least normal one: servers differ in whether they keep them.
    if (Number.isFinite(value) && Math.abs(value) >= 1.17549435e-38) return value;
  }
}

function randomDouble(random: Random): number {
  for (;;) {
    const value = random.bytes(8).readDoubleLE();
    if (Number.isFinite(value) && Math.abs(value) >= 2.2250738585072014e-308) return value;
  }
}

function randomDate(random: Random): string {
  return `${String(random.int(1, 9999)).padStart(4, '0')}-${pad2(random.int(1, 12))}-${pad2(random.int(1, 28))}`;
}

function clock(random: Random): string {
  return `${pad2(random.int(0, 59))}:${pad2(random.int(0, 59))}`;
}

function pad2(number: number): string {
  return String(number).padStart(2, '0');
}
