import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadConfig } from '../../../conf/load.ts';
import { ConfigError } from '../../../conf/problem.ts';
import { configJsonSchema } from '../../../conf/schema.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holt-conf-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function problemsOf(text: string): string[] {
  const path = write('holt.yaml', text);
  try {
    loadConfig(path);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(
      (one) =>
        `${one.line}:${one.column} ${one.path}: ${one.message}${one.suggestion === null ? '' : ` (${one.suggestion}?)`}`,
    );
  }
  return [];
}

const SOURCES = `
  dataSources:
    east-db: { site: east, host: 127.0.0.1, user: holt, password: "\${env:P}" }
    west-db: { site: west, host: db.example, user: holt, password: "\${file:p.txt}" }`;

describe('the examples', () => {
  test.each(['quick', 'one-way', 'two-way'])('%s.yaml loads', (name) => {
    const loaded = loadConfig(join(import.meta.dirname, `../../../conf/examples/${name}.yaml`));
    expect(loaded.config.pipelines.length).toBeGreaterThan(0);
  });

  test('one-way.yaml means what it says', () => {
    const { config, nodes } = loadConfig(join(import.meta.dirname, '../../../conf/examples/one-way.yaml'));
    expect(nodes.map((one) => one.name)).toEqual(['east-1', 'east-2', 'west-1', 'west-2']);
    expect(config.dataSources[0]).toMatchObject({
      serverId: 9001,
      tls: { mode: 'verify-identity' },
      password: { kind: 'env', from: 'EAST_DB_PASSWORD' },
    });
    expect(config.pipelines[0]).toMatchObject({
      sourceSite: 'east',
      targetSite: 'west',
      origins: ['east'],
      start: { kind: 'now' },
      tables: { include: ['shop.*'], exclude: ['shop.tmp_*'] },
      conflict: { detect: false, winner: 'east' },
      batch: { maxRows: 20_000 },
    });
  });

  test('schema changes are replicated unless told otherwise, the loss of a whole schema only when it is named', () => {
    const policyOf = (ddl: object | string | undefined) => {
      const server = { host: '127.0.0.1', user: 'holt' };
      const spec = {
        dataSources: { 'east-db': { site: 'east', ...server }, 'west-db': { site: 'west', ...server } },
        channels: {
          c: { pipelines: { p: { source: 'east-db', target: 'west-db', tables: ['shop.*'], ddl } } },
        },
      };
      const document = { apiVersion: 'holt/v1', kind: 'Holt', metadata: { name: 'x' }, spec };
      return loadConfig(write('holt.yaml', JSON.stringify(document))).config.pipelines[0]?.ddl;
    };
    expect(policyOf(undefined)).toEqual({ default: 'replicate', kinds: { 'drop-database': 'stop' } });
    expect(policyOf('ignore')).toEqual({ default: 'ignore', kinds: {} });
    expect(policyOf({ 'drop-table': 'stop', 'drop-database': 'replicate' })).toEqual({
      default: 'replicate',
      kinds: { 'drop-table': 'stop', 'drop-database': 'replicate' },
    });
    expect(() => policyOf({ 'drop-tables': 'stop' })).toThrow(ConfigError);
  });

  test('two-way.yaml compares before images, with one winner for both directions', () => {
    const { config } = loadConfig(join(import.meta.dirname, '../../../conf/examples/two-way.yaml'));
    expect(config.pipelines.map((one) => one.conflict)).toEqual([
      { detect: true, winner: 'east' },
      { detect: true, winner: 'east' },
    ]);
  });
});

describe('problems', () => {
  test('are all told at once, each with line, column, path and the nearest known word', () => {
    expect(
      problemsOf(`apiVersion: holt/v1
kind: Holt
metadata: { name: x }
spec:${SOURCES}
  channels:
    shop:
      pipelines:
        a: { source: east-bd, target: west-db, start: now, tables: ["shop.*"] }
        b: { source: west-db, target: east-db, start: later, tabels: ["shop.*"] }
`),
    ).toEqual([
      '12:55 spec.channels.shop.pipelines.b.start: none of the allowed forms fits: expected one of "now"|"earliest"; or expected object, received string',
      '12:12 spec.channels.shop.pipelines.b.tables: missing',
      '12:62 spec.channels.shop.pipelines.b.tabels: unknown key "tabels" (tables?)',
    ]);
  });

  test('of references come once the form is right', () => {
    expect(
      problemsOf(`apiVersion: holt/v1
kind: Holt
metadata: { name: x }
spec:${SOURCES}
  channels:
    shop:
      winner: eest
      pipelines:
        a: { source: east-bd, target: west-db, start: now, tables: ["shop.*"] }
        b: { source: west-db, target: east-db, start: now, tables: ["shop.*"], rules: [{ match: shop.o, where: "a = " }] }
`),
    ).toEqual([
      "10:15 spec.channels.shop.winner: site eest is at neither end of this channel's pipelines (west?)",
      '12:22 spec.channels.shop.pipelines.a.source: data source east-bd is not defined (east-db?)',
      expect.stringContaining('13:112 spec.channels.shop.pipelines.b.rules.0.where: row filter: a number'),
    ]);
  });

  test('a secret in clear text is refused without being repeated', () => {
    const path = write(
      'holt.yaml',
      `apiVersion: holt/v1
kind: DataSource
metadata: { name: x }
spec: { site: a, host: b, user: c, password: hunter2 }
`,
    );
    expect(() => loadConfig(path)).toThrow(/4:46: spec.password: a reference such as (?![\s\S]*hunter2)/);
  });

  test('a YAML error has its place', () => {
    expect(problemsOf('apiVersion: holt/v1\nkind: [\n')[0]).toMatch(/^\d+:\d+ /);
  });

  test('a wrong kind is named with the nearest', () => {
    expect(problemsOf('apiVersion: holt/v1\nkind: Chanel\nmetadata: { name: x }\nspec: {}\n')).toEqual([
      '2:7 kind: kind is one of Holt, Installation, DataSource, Channel, Node (Channel?)',
    ]);
  });

  test('two-way without a winner, or with two paths to a site, is refused', () => {
    const problems = problemsOf(`apiVersion: holt/v1
kind: Holt
metadata: { name: x }
spec:${SOURCES}
  channels:
    shop:
      pipelines:
        a: { source: east-db, target: west-db, start: now, tables: ["shop.*"] }
        b: { source: west-db, target: east-db, start: now, tables: ["shop.*"], origins: [west, east] }
`);
    expect(problems).toEqual([
      expect.stringContaining('has 2 pipelines and no winner'),
      expect.stringContaining('changes made at east would come back to east'),
    ]);
  });

  test('a missing environment variable outside of secrets is named; $$ is a dollar', () => {
    const text = (host: string) => `apiVersion: holt/v1
kind: DataSource
metadata: { name: x }
spec: { site: a, host: "${host}", user: "a$$b" }
`;
    expect(problemsOf(text('${env:HOLT_NOT_SET}'))).toEqual([
      expect.stringContaining('environment variable HOLT_NOT_SET is not set'),
    ]);
    const path = write('one.yaml', text('${env:HOLT_NOT_SET:-db.example}'));
    expect(loadConfig(path).config.dataSources[0]).toMatchObject({ host: 'db.example', user: 'a$b' });
  });
});

test('a folder is read whole, and a name given twice is a problem of the second', () => {
  const source = (name: string) =>
    `apiVersion: holt/v1\nkind: DataSource\nmetadata: { name: ${name} }\nspec: { site: a, host: h, user: u }\n`;
  write('a.yaml', source('one'));
  write('b.yml', source('two'));
  expect(loadConfig(folder).config.dataSources.map((one) => one.name)).toEqual(['one', 'two']);
  write('c.yaml', source('one'));
  expect(() => loadConfig(folder)).toThrow('data source one is already defined');
});

test('the effective configuration is frozen', () => {
  const { config } = loadConfig(join(import.meta.dirname, '../../../conf/examples/quick.yaml'));
  expect(Object.isFrozen(config.pipelines[0]?.tables.include)).toBe(true);
});

test('configJsonSchema() describes every key', () => {
  expect(JSON.stringify(configJsonSchema())).toContain('Names, columns and rows changed on the way.');
});
