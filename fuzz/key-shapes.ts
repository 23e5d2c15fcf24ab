/** Key shapes: tables that folding, ordering and looking up treat differently. */
import type { Random } from '../test/support/random.ts';
import { type ColumnSpec, type KeySpec, PAIRS, type PairName, quoted, type TableSpec } from './case.ts';
import {
  BINARY_KEYS,
  FLOAT_KEYS,
  INT_KEY,
  type KeyChoice,
  otherKeysOf,
  type TypeChoice,
  textKeysOf,
  typesOf,
} from './column-types.ts';

/** A table as the generator knows it: its definition, and what its statements draw from. */
export interface TablePlan {
  spec: TableSpec;
  /** Values by column, NULL among them where it may be. */
  readonly pools: Map<string, readonly string[]>;
  /** Columns by which statements look for a row; empty where no key tells rows apart. */
  readonly identity: readonly string[];
  /** Columns of further unique keys. */
  readonly uniques: readonly string[];
  /** Columns of `identity` or `uniques` that hold integers: values can be moved along. */
  readonly integers: readonly string[];
  /** Columns that no statement names: the server fills them. */
  readonly computed: ReadonlySet<string>;
}

export interface ShapeInput {
  readonly random: Random;
  readonly pair: PairName;
  readonly name: string;
  /** Name for a second table. */
  readonly other: string;
  /** How often this shape was the first of a case before: types take turns then. Null: they are drawn. */
  readonly visit: number | null;
}

export interface KeyShape {
  /** Tags that its tables have. */
  readonly tags: readonly string[];
  readonly make: (input: ShapeInput) => readonly TablePlan[];
}

interface Parts {
  readonly shape: string;
  readonly columns: readonly (ColumnSpec & { readonly values?: readonly string[] })[];
  readonly keys: readonly KeySpec[];
  readonly identity: readonly string[];
  readonly uniques?: readonly string[];
  readonly targetOnly?: readonly ColumnSpec[];
  readonly targetReversed?: boolean;
  /** Few values in the other columns, so that whole rows repeat. */
  readonly dull?: boolean;
}

const NUMBER: ColumnSpec & { readonly values: readonly string[] } = {
  name: 'n',
  ddl: 'INT NULL',
  family: 'int',
  values: ['0', '1', '2', '3', '4', 'NULL'],
};

/** Documents that a new member makes little larger. */
const OBJECTS = [10, 60, 200].map((keys) => {
  const members = Array.from({ length: keys }, (_, i) => `"key${i}":"value ${i}"`);
  return `'{${members.join(',')}}'`;
});

/** So many further columns when types take turns: then a shape has met all of them after six visits or so. */
const TYPES_A_VISIT = 7;

function plan(input: ShapeInput, parts: Parts): TablePlan {
  const { random, pair, name } = input;
  const types = typesOf(pair);
  const columns = [...parts.columns, NUMBER];
  const families = [...new Set(types.map(({ family }) => family))];
  const count = input.visit === null ? random.int(1, parts.dull === true ? 2 : 7) : TYPES_A_VISIT;
  for (let i = count; i > 0; i--) {
    const turn = families[((input.visit ?? 0) * TYPES_A_VISIT + i) % families.length];
    const family = input.visit === null ? random.pick(families) : (turn ?? 'int');
    const type: TypeChoice = random.pick(types.filter((one) => one.family === family));
    const values = parts.dull === true ? type.values.slice(0, 3) : type.values;
    columns.push({
      name: `c${i}`,
      ddl: type.ddl,
      family,
      values: [...values, nullable(type.ddl) ? 'NULL' : 'DEFAULT'],
    });
  }
  // Documents are changed in part where the source can log that: they come more often than their turn.
  const json = types.find(({ family }) => family === 'json');
  if (pair === 'mysql-mysql' && json !== undefined && random.int(1, 4) === 1)
    columns.push({ name: 'j', ddl: json.ddl, family: json.family, values: OBJECTS });
  // Keys come first or last in the row.
  if (random.int(1, 4) === 1) columns.reverse();
  const uniques = parts.uniques ?? [];
  const integers = columns
    .filter(
      ({ name: column, family }) =>
        family === 'int' &&
        (uniques.includes(column) || (parts.identity.length === 1 && parts.identity[0] === column)),
    )
    .map(({ name: column }) => column);
  return {
    spec: {
      name,
      shape: parts.shape,
      columns: columns.map(({ values: _, ...column }) => column),
      keys: parts.keys,
      options: 'ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4',
      targetOnly: parts.targetOnly ?? [],
      targetReversed: parts.targetReversed ?? false,
    },
    pools: new Map(columns.map(({ name: column, values }) => [column, values ?? []])),
    identity: parts.identity,
    uniques,
    integers,
    computed: new Set(columns.filter(({ values }) => values === undefined).map(({ name: column }) => column)),
  };
}

function nullable(ddl: string): boolean {
  return !/not null/i.test(ddl);
}

function keyColumn(name: string, choice: KeyChoice, isNullable = false) {
  const ddl = `${choice.ddl.replace(/ NULL$/, '')} ${isNullable ? 'NULL' : 'NOT NULL'}`;
  const values = isNullable ? [...choice.values, 'NULL'] : choice.values;
  // A TIMESTAMP would otherwise change by itself on some servers.
  return {
    name,
    ddl: choice.family === 'timestamp' && !isNullable ? `${ddl} DEFAULT '2000-01-01 00:00:00'` : ddl,
    family: choice.family,
    values,
  };
}

const primary = (...columns: readonly string[]): KeySpec => ({
  sql: `PRIMARY KEY (${columns.map(quoted).join(',')})`,
  columns,
});
const unique = (name: string, ...columns: readonly string[]): KeySpec => ({
  sql: `UNIQUE KEY ${quoted(name)} (${columns.map(quoted).join(',')})`,
  columns,
});

function single(tag: string, choices: (pair: PairName) => readonly KeyChoice[]): KeyShape {
  return {
    tags: [tag],
    make: (input) => [
      plan(input, {
        shape: tag,
        columns: [keyColumn('k', input.random.pick(choices(input.pair)))],
        keys: [primary('k')],
        identity: ['k'],
      }),
    ],
  };
}

function anyKey(pair: PairName): readonly KeyChoice[] {
  return [...otherKeysOf(pair), ...textKeysOf(pair), ...BINARY_KEYS];
}

function intOrAny({ random, pair }: ShapeInput): KeyChoice {
  return random.int(1, 3) === 1 ? random.pick(anyKey(pair)) : INT_KEY;
}

function intOrText({ random, pair }: ShapeInput): KeyChoice {
  return random.int(1, 3) === 1 ? random.pick(textKeysOf(pair)) : INT_KEY;
}

const SHAPES: readonly (KeyShape & { readonly on?: (pair: PairName) => boolean })[] = [
  single('primary', otherKeysOf),
  single('primary text', textKeysOf),
  single('primary binary', () => BINARY_KEYS),
  single('primary float', () => FLOAT_KEYS),
  {
    tags: ['primary composite'],
    make: (input) => {
      const { random, pair } = input;
      const names = ['k', 'l', 'm'].slice(0, random.int(2, 3));
      // Few values of each, so that keys meet.
      const columns = names.map((name) => {
        const choice = random.pick(anyKey(pair));
        return keyColumn(name, { ...choice, values: choice.values.slice(0, 4) });
      });
      const order = random.int(1, 2) === 1 ? names : names.toReversed();
      return [
        plan(input, { shape: 'primary composite', columns, keys: [primary(...order)], identity: order }),
      ];
    },
  },
  {
    tags: ['primary prefix'],
    make: (input) => {
      const choice = input.random.pick([...textKeysOf(input.pair), ...BINARY_KEYS]);
      return [
        plan(input, {
          shape: 'primary prefix',
          columns: [keyColumn('k', choice)],
          keys: [{ sql: 'PRIMARY KEY (`k`(2))', columns: ['k'] }],
          identity: ['k'],
        }),
      ];
    },
  },
  {
    tags: ['second unique'],
    make: (input) => {
      const two = input.random.int(1, 2) === 1;
      return [
        plan(input, {
          shape: 'second unique',
          columns: [
            keyColumn('id', intOrAny(input)),
            keyColumn('u', intOrText(input)),
            ...(two ? [keyColumn('w', intOrAny(input), true)] : []),
          ],
          keys: [primary('id'), unique('u', 'u'), ...(two ? [unique('w', 'w')] : [])],
          identity: ['id'],
          uniques: two ? ['u', 'w'] : ['u'],
        }),
      ];
    },
  },
  {
    tags: ['second unique composite'],
    make: (input) => [
      plan(input, {
        shape: 'second unique composite',
        columns: [
          keyColumn('id', INT_KEY),
          keyColumn('u', { ...INT_KEY, values: ['1', '2', '3'] }, input.random.int(1, 2) === 1),
          keyColumn('w', intOrText(input), input.random.int(1, 2) === 1),
        ],
        keys: [primary('id'), unique('uw', 'u', 'w')],
        identity: ['id'],
        uniques: ['u', 'w'],
      }),
    ],
  },
  {
    tags: ['unique not null'],
    make: (input) => [
      plan(input, {
        shape: 'unique not null',
        columns: [keyColumn('k', intOrAny(input))],
        keys: [unique('k', 'k')],
        identity: ['k'],
      }),
    ],
  },
  {
    tags: ['unique nullable'],
    make: (input) => [
      plan(input, {
        shape: 'unique nullable',
        columns: [keyColumn('k', intOrAny(input), true)],
        keys: [unique('k', 'k')],
        identity: ['k'],
        dull: true,
      }),
    ],
  },
  {
    tags: ['unique prefix'],
    make: (input) => [
      plan(input, {
        shape: 'unique prefix',
        columns: [
          keyColumn('id', INT_KEY),
          keyColumn('u', input.random.pick([...textKeysOf(input.pair), ...BINARY_KEYS]), true),
        ],
        keys: [primary('id'), { sql: 'UNIQUE KEY `u` (`u`(2))', columns: ['u'] }],
        identity: ['id'],
        uniques: ['u'],
      }),
    ],
  },
  {
    tags: ['functional'],
    on: (pair) => pair === 'mysql-mysql',
    make: (input) => [
      plan(input, {
        shape: 'functional',
        columns: [keyColumn('id', INT_KEY), keyColumn('u', INT_KEY)],
        keys: [primary('id'), { sql: 'UNIQUE KEY `f` ((`u` DIV 2))', columns: ['u'] }],
        identity: ['id'],
        uniques: ['u'],
      }),
    ],
  },
  {
    tags: ['generated'],
    on: (pair) => !PAIRS[pair].includes('mysql56' as never),
    make: (input) => {
      const kind = input.random.pick(['VIRTUAL', 'STORED']);
      return [
        plan(input, {
          shape: 'generated',
          columns: [
            keyColumn('id', INT_KEY),
            keyColumn('u', INT_KEY, true),
            {
              name: 'g',
              ddl: `INT GENERATED ALWAYS AS (\`u\` DIV 2) ${kind}`,
              family: 'generated',
              needs: ['u'],
            },
            {
              name: 'h',
              ddl: 'INT GENERATED ALWAYS AS (`n` + 1) STORED',
              family: 'generated',
              needs: ['n'],
            },
          ],
          keys: [primary('id'), ...(input.random.int(1, 2) === 1 ? [unique('g', 'g')] : [])],
          identity: ['id'],
          uniques: ['u'],
        }),
      ];
    },
  },
  {
    tags: ['keyless'],
    make: (input) => [
      plan(input, {
        shape: 'keyless',
        columns: [{ ...NUMBER, name: 'a' }],
        keys: input.random.int(1, 2) === 1 ? [] : [{ sql: 'KEY (`a`)', columns: ['a'] }],
        identity: [],
        dull: true,
      }),
    ],
  },
  {
    tags: ['foreign key parent', 'foreign key child'],
    make: (input) => {
      const choice = intOrText(input);
      const actions = ['CASCADE', 'SET NULL', 'RESTRICT', 'NO ACTION'];
      const [onDelete, onUpdate] = [input.random.pick(actions), input.random.pick(actions)];
      const parent = plan(input, {
        shape: 'foreign key parent',
        columns: [keyColumn('id', choice)],
        keys: [primary('id')],
        identity: ['id'],
      });
      const child = plan(
        { ...input, name: input.other },
        {
          shape: 'foreign key child',
          columns: [keyColumn('id', INT_KEY), keyColumn('up', choice, true)],
          keys: [
            primary('id'),
            { sql: 'KEY `up` (`up`)', columns: ['up'] },
            {
              sql: `FOREIGN KEY (\`up\`) REFERENCES ${quoted(input.name)} (\`id\`) ON DELETE ${onDelete} ON UPDATE ${onUpdate}`,
              columns: ['up'],
              references: input.name,
            },
          ],
          identity: ['id'],
        },
      );
      return [parent, child];
    },
  },
  {
    tags: ['foreign key self'],
    make: (input) => {
      const onDelete = input.random.pick(['CASCADE', 'SET NULL', 'RESTRICT']);
      const up = { ...INT_KEY, values: INT_KEY.values.slice(0, 7) };
      // No row is its own parent: MySQL 9.7 logs its removal with a before image that the logged SET NULL has just made untrue.
      const id = { ...INT_KEY, values: INT_KEY.values.map((value) => String(Number(value) + 6)) };
      return [
        plan(input, {
          shape: 'foreign key self',
          columns: [keyColumn('id', id), keyColumn('up', up, true)],
          keys: [
            primary('id'),
            { sql: 'KEY `up` (`up`)', columns: ['up'] },
            {
              sql: `FOREIGN KEY (\`up\`) REFERENCES ${quoted(input.name)} (\`id\`) ON DELETE ${onDelete}`,
              columns: ['up'],
              references: input.name,
            },
          ],
          identity: ['id'],
        }),
      ];
    },
  },
  {
    tags: ['foreign key circle'],
    make: (input) => {
      const half = (name: string, to: string): TablePlan =>
        plan(
          { ...input, name },
          {
            shape: 'foreign key circle',
            columns: [keyColumn('id', INT_KEY), keyColumn('other', INT_KEY, true)],
            keys: [
              primary('id'),
              { sql: 'KEY `other` (`other`)', columns: ['other'] },
              {
                sql: `FOREIGN KEY (\`other\`) REFERENCES ${quoted(to)} (\`id\`) ON DELETE SET NULL`,
                columns: ['other'],
                references: to,
                late: true,
              },
            ],
            identity: ['id'],
          },
        );
      return [half(input.name, input.other), half(input.other, input.name)];
    },
  },
  {
    tags: ['auto increment'],
    make: (input) => [
      plan(input, {
        shape: 'auto increment',
        columns: [
          {
            name: 'id',
            ddl: 'INT NOT NULL AUTO_INCREMENT',
            family: 'int',
            values: ['0', 'NULL', 'DEFAULT', '1', '2', '3', '4', '5', '6', '7'],
          },
        ],
        keys: [primary('id')],
        identity: ['id'],
      }),
    ],
  },
  {
    tags: ['wider target'],
    make: (input) => [
      plan(input, {
        shape: 'wider target',
        columns: [keyColumn('id', intOrAny(input)), keyColumn('u', INT_KEY)],
        keys: [primary('id'), unique('u', 'u')],
        identity: ['id'],
        uniques: ['u'],
        targetOnly: [
          { name: 'extra', ddl: "VARCHAR(10) DEFAULT 'here'", family: 'varchar' },
          { name: 'noted', ddl: 'INT NOT NULL DEFAULT 3', family: 'int' },
        ],
      }),
    ],
  },
  {
    tags: ['reordered target'],
    make: (input) => [
      plan(input, {
        shape: 'reordered target',
        columns: [keyColumn('id', intOrAny(input)), keyColumn('u', INT_KEY, true)],
        keys: [primary('id'), unique('u', 'u')],
        identity: ['id'],
        uniques: ['u'],
        targetReversed: true,
      }),
    ],
  },
  {
    tags: ['changes by itself'],
    make: (input) => [
      plan(input, {
        shape: 'changes by itself',
        columns: [
          keyColumn('id', intOrAny(input)),
          {
            name: 's',
            ddl: 'TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)',
            family: 'timestamp',
            values: ["'2020-01-01 00:00:00.001'", "'2037-12-31 23:59:59.999'", 'DEFAULT', '`s`'],
          },
        ],
        keys: [primary('id')],
        identity: ['id'],
      }),
    ],
  },
  {
    tags: ['invisible column'],
    on: (pair) => !PAIRS[pair].includes('mysql56' as never),
    make: (input) => [
      plan(input, {
        shape: 'invisible column',
        columns: [
          keyColumn('id', INT_KEY),
          {
            name: 'v',
            ddl: 'INT INVISIBLE DEFAULT 5',
            family: 'invisible',
            values: ['1', 'NULL', 'DEFAULT'],
          },
        ],
        keys: [primary('id')],
        identity: ['id'],
      }),
    ],
  },
];

export function shapesOf(pair: PairName): readonly KeyShape[] {
  return SHAPES.filter(({ on }) => on === undefined || on(pair));
}
