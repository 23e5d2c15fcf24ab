import { describe, expect, it } from 'vitest';
import type { Clock } from '../../../../../lib/clock.ts';
import { foreignKeyGraph, TargetSchema } from '../../../../../stages/load/apply/target-schema.ts';

type Answer = readonly (readonly (string | null)[])[];

/** INFORMATION_SCHEMA on paper: what each view gives, and how often it was asked. */
class Server {
  asked: string[] = [];
  failing = false;
  tables: Answer = [['dst', 't', 'BASE TABLE', 'InnoDB', '7']];
  columns: Answer = [
    ['dst', 't', 'id', 'int', 'int(11)', 'NO', null, 'auto_increment', null, null, '0', null],
    ['dst', 't', 'v', 'VARCHAR', 'varchar(20)', 'YES', 'NULL', '', 'utf8mb4', 'utf8mb4_bin', null, null],
    ['dst', 't', 'g', 'int', 'int(11)', 'YES', null, 'STORED GENERATED', null, null, '0', null],
    ['dst', 't', 'm', 'int', 'int', 'YES', null, 'VIRTUAL GENERATED', null, null, '0', null],
    [
      'dst',
      't',
      'ts',
      'timestamp',
      'timestamp(3)',
      'NO',
      'current_timestamp(3)',
      'DEFAULT_GENERATED on update CURRENT_TIMESTAMP(3)',
      null,
      null,
      null,
      '3',
    ],
    ['dst', 't', 'must', 'enum', "enum('A')", 'NO', null, '', 'utf8mb4', 'utf8mb4_bin', null, null],
    ['dst', 'T', 'other', 'int', 'int', 'NO', null, '', null, null, '0', null],
  ];
  indexes: Answer = [
    ['dst', 't', 'u', 'v', '10', 'YES'],
    ['dst', 't', 'f', null, null, ''],
    ['dst', 't', 'PRIMARY', 'id', null, ''],
  ];
  triggers: Answer = [];
  foreignKeys: Answer = [['dst', 'child', 'DST', 'T']];

  readonly query = async (sql: string) => {
    if (this.failing) throw new Error('no answer');
    const view = /information_schema\.(\w+)/.exec(sql)?.[1] ?? 'VERSION';
    this.asked.push(view);
    const answers: Record<string, Answer> = {
      VERSION: [['10.11.19-MariaDB-log', '1048576']],
      TABLES: this.tables,
      COLUMNS: this.columns,
      STATISTICS: this.indexes,
      TRIGGERS: this.triggers,
      KEY_COLUMN_USAGE: this.foreignKeys,
    };
    return (answers[view] ?? []).map((row) =>
      row.map((value) => (value === null ? null : Buffer.from(value))),
    );
  };
}

class Hands implements Clock {
  now = 0;
  nowMs = () => this.now;
  monotonicMs = () => this.now;
  sleep = async () => {};
}

describe('a table of the target', () => {
  it('is read with its columns, keys and foreign keys', async () => {
    const server = new Server();
    const table = await new TargetSchema(server).table('dst', 't');
    expect(table).toMatchObject({
      schema: 'dst',
      name: 't',
      engine: 'InnoDB',
      rowEstimate: 7,
      foreignKeyGroup: 0,
      referenced: true,
      selfReferencing: false,
    });
    expect(table.columns.map(({ name }) => name)).toEqual(['id', 'v', 'g', 'm', 'ts', 'must']);
    expect(table.columns.filter(({ generated }) => generated).map(({ name }) => name)).toEqual(['g', 'm']);
    expect(table.columns.filter(({ hasDefault }) => !hasDefault).map(({ name }) => name)).toEqual(['must']);
    expect(table.columns.find(({ name }) => name === 'ts')).toMatchObject({ autoUpdate: true, scale: 3 });
    expect(table.columns.find(({ name }) => name === 'must')?.columnType).toBe("enum('A')");
    expect(table.uniqueKeys).toEqual([
      { name: 'PRIMARY', primary: true, columns: ['id'], prefix: false, nullable: false },
      { name: 'f', primary: false, columns: [null], prefix: false, nullable: false },
      { name: 'u', primary: false, columns: ['v'], prefix: true, nullable: true },
    ]);
  });

  it('that is not there is refused by a code, and asked for again', async () => {
    const server = new Server();
    const schema = new TargetSchema(server);
    const { tables } = server;
    server.tables = [];
    await expect(schema.table('dst', 't')).rejects.toMatchObject({ code: 'HOLT_TARGET_TABLE_MISSING' });
    server.tables = tables;
    expect((await schema.table('dst', 't')).name).toBe('t');
  });

  it('is found under the only name that differs in case', async () => {
    const server = new Server();
    server.tables = [['dst', 'T', 'BASE TABLE', 'InnoDB', '7']];
    expect((await new TargetSchema(server).table('dst', 't')).columns.map(({ name }) => name)).toEqual([
      'other',
    ]);
    server.tables = [
      ['dst', 'T', 'BASE TABLE', 'InnoDB', '7'],
      ['DST', 'T', 'BASE TABLE', 'InnoDB', '7'],
    ];
    await expect(new TargetSchema(server).table('dst', 't')).rejects.toThrow();
  });

  it('is kept, until it is old, forgotten, or everything is', async () => {
    const server = new Server();
    const clock = new Hands();
    const schema = new TargetSchema({ query: server.query, clock, maxAgeMs: 100 });
    const reads = () => server.asked.filter((view) => view === 'TABLES').length;
    await schema.table('dst', 't');
    await schema.table('dst', 't');
    expect(reads()).toBe(1);
    clock.now = 100;
    await schema.table('dst', 't');
    expect(reads()).toBe(2);
    schema.forget('dst', 't');
    await schema.table('dst', 't');
    expect(reads()).toBe(3);
    expect(server.asked.filter((view) => view === 'KEY_COLUMN_USAGE')).toHaveLength(1);
    schema.invalidate();
    await schema.table('dst', 't');
    expect(reads()).toBe(4);
    expect(server.asked.filter((view) => view === 'KEY_COLUMN_USAGE')).toHaveLength(2);
  });

  it('is known with foreign keys that were made by other hands since they were last looked at', async () => {
    const server = new Server();
    const clock = new Hands();
    const schema = new TargetSchema({ query: server.query, clock, maxAgeMs: 100 });
    const graphs = () => server.asked.filter((view) => view === 'KEY_COLUMN_USAGE').length;
    server.foreignKeys = [];
    server.tables = [['dst', 't', 'BASE TABLE', 'InnoDB', '7', '400', '1000']];
    expect((await schema.table('dst', 't')).referenced).toBe(false);
    // A table that was there before is no reason to look again.
    server.tables = [['dst', 'old', 'BASE TABLE', 'InnoDB', '7', '998', '1005']];
    await schema.table('dst', 'old');
    expect(graphs()).toBe(1);
    server.tables = [['dst', 'child', 'BASE TABLE', 'InnoDB', '7', '1007', '1010']];
    server.foreignKeys = [['dst', 'child', 'dst', 't', 'id']];
    expect((await schema.table('dst', 'child')).foreignKeyGroup).not.toBeNull();
    expect(graphs()).toBe(2);
    // What was known of the others is not any more.
    server.tables = [['dst', 't', 'BASE TABLE', 'InnoDB', '7', '400', '1011']];
    expect((await schema.table('dst', 't')).referenced).toBe(true);
    expect(graphs()).toBe(2);
  });

  it('looks now and then how much the server takes at a time', async () => {
    const server = new Server();
    const clock = new Hands();
    let asked = 0;
    const query = (sql: string) => {
      if (sql.includes('@@GLOBAL.max_allowed_packet')) asked += 1;
      return server.query(sql);
    };
    const schema = new TargetSchema({ query, clock });
    await schema.traits();
    clock.now += 9_000;
    await schema.traits();
    expect(asked).toBe(1);
    clock.now += 2_000;
    await schema.traits();
    expect(asked).toBe(2);
  });

  it('does not keep a failure', async () => {
    const server = new Server();
    const schema = new TargetSchema(server);
    server.failing = true;
    await expect(schema.table('dst', 't')).rejects.toThrow('no answer');
    await expect(schema.traits()).rejects.toThrow('no answer');
    server.failing = false;
    expect((await schema.table('dst', 't')).name).toBe('t');
    expect(await schema.traits()).toEqual({
      flavour: 'mariadb',
      versionNumber: 101_119,
      serverId: 0,
      maxAllowedPacket: 1_048_576,
    });
  });
});

it('foreign keys join tables through tables between them', () => {
  const graph = foreignKeyGraph([
    { child: 'a', parent: 'b', column: 'Id' },
    { child: 'C', parent: 'B', column: 'Id' },
    { child: 'x', parent: 'y', column: 'Id' },
    { child: 's', parent: 's', column: 'Id' },
    { child: 'd', parent: 'c', column: 'Id' },
  ]);
  const of = (name: string) => graph.groups.get(name);
  expect(new Set(['a', 'b', 'c', 'd'].map(of)).size).toBe(1);
  expect(of('x')).toBe(of('y'));
  expect(new Set(['a', 'x', 's'].map(of)).size).toBe(3);
  expect(of('nobody')).toBeUndefined();
  expect([...graph.selfReferencing]).toEqual(['s']);
  expect([...graph.referenced].map(([name, columns]) => [name, ...columns].join()).sort()).toEqual([
    'b,id',
    'c,id',
    's,id',
    'y,id',
  ]);
});
