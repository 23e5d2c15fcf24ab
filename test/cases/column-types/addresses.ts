import { between, type ColumnCase, type ColumnTypeFamily } from './column-type-case.ts';

const FAMILY: ColumnTypeFamily = 'UUID, INET4 and INET6';

export const ADDRESS_CASES: readonly ColumnCase[] = [
  {
    kind: 'column',
    id: 'uuid',
    title: 'UUID',
    family: FAMILY,
    on: ['mariadb'],
    ddl: 'uuid',
    values: [
      "'00000000-0000-0000-0000-000000000000'",
      "'6ccd780c-baba-1026-9564-5b8c656024db'",
      "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
      "'0188d6e1-0000-7000-8000-000000000000'",
      "'123e4567-e89b-12d3-a456-426655440000'",
    ],
    random: (chance) => {
      const h = chance.bytes(16).toString('hex');
      return `'${h.slice(0, 8)}-${h.slice(8, 12)}-${chance.pick(['1', '4', '7'])}${h.slice(13, 16)}-a${h.slice(17, 20)}-${h.slice(20)}'`;
    },
    pairs: between(['mariadb'], ['mysql56', 'mysql'], {
      kind: 'canonical',
      form: 'printed',
      ddl: 'char(36) character set ascii',
      why: 'MySQL has no UUID: CHAR(36) or VARCHAR takes its text',
    }),
  },
  {
    kind: 'column',
    id: 'inet4',
    title: 'INET4',
    family: FAMILY,
    on: ['mariadb'],
    ddl: 'inet4',
    values: ["'0.0.0.0'", "'255.255.255.255'", "'1.2.3.0'", "'10.0.0.1'"],
    random: (chance) => `'${[...chance.bytes(4)].join('.')}'`,
    pairs: between(['mariadb'], ['mysql56', 'mysql'], {
      kind: 'canonical',
      form: 'printed',
      ddl: 'varchar(15)',
      why: 'MySQL has no INET4: VARCHAR takes its text',
    }),
  },
  {
    kind: 'column',
    id: 'inet6',
    title: 'INET6',
    family: FAMILY,
    on: ['mariadb'],
    ddl: 'inet6',
    values: [
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
    random: (chance) =>
      `'${Array.from({ length: 8 }, () => chance.pick([0, 0, chance.int(0, 65_535)]).toString(16)).join(':')}'`,
    pairs: between(['mariadb'], ['mysql56', 'mysql'], {
      kind: 'canonical',
      form: 'printed',
      ddl: 'varchar(45) character set utf8mb4',
      why: 'MySQL has no INET6: VARCHAR takes its text',
    }),
  },
];
