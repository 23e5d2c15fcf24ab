import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../../../conf/load.ts';
import { HoltError } from '../../../../lib/errors.ts';
import { addConfigCommands } from '../../../../node/cli/config-commands.ts';
import { grantStatements } from '../../../../node/cli/grants.ts';
import { exitCodeOf, formatBytes, formatError, formatMs, formatTable } from '../../../../node/cli/output.ts';

const examples = join(import.meta.dirname, '../../../../conf/examples');

async function run(...args: string[]): Promise<string> {
  const lines: string[] = [];
  const program = new Command('holt').exitOverride();
  addConfigCommands(program, {
    out: (text) => lines.push(text),
    interactive: false,
    width: () => Number.POSITIVE_INFINITY,
    exit: () => {},
    signal: new AbortController().signal,
  });
  await program.parseAsync(['node', 'holt', ...args]);
  return lines.join('\n');
}

describe('config commands', () => {
  test('check says what there is', async () => {
    expect(await run('config', 'check', '-c', join(examples, 'two-way.yaml'))).toContain(
      '2 data sources, 2 pipelines, 2 nodes; no problems',
    );
  });

  test('show gives the effective configuration with secrets as references', async () => {
    const shown = await run('config', 'show', '-c', join(examples, 'one-way.yaml'));
    expect(shown).toContain('"${env:EAST_DB_PASSWORD}"');
    expect(JSON.parse(shown)).toMatchObject({ cluster: 'production', pipelines: [{ batch: { window: 6 } }] });
  });

  test('schema is JSON', async () => {
    expect(JSON.parse(await run('config', 'schema'))).toHaveProperty('title', 'Holt configuration');
  });
});

test('grants name what source and target need, mapped schemas included, wildcards escaped', () => {
  const { config } = loadConfig(join(examples, 'one-way.yaml'));
  const [east, west] = config.dataSources.map((source) => grantStatements(config, source).join('\n'));
  expect(east).toContain('GRANT REPLICATION SLAVE');
  expect(east).not.toContain('INSERT');
  for (const line of `${east}\n${west}`.split('\n').filter((one) => !one.startsWith('--')))
    expect(line).not.toContain('CONNECTION_ADMIN');
  expect(west).toContain('GRANT SELECT, INSERT, UPDATE, DELETE ON `shop\\_eu`.*');
  expect(west).toContain(
    'GRANT CREATE, ALTER, DROP, INDEX, REFERENCES, CREATE VIEW, SHOW VIEW ON `shop\\_eu`.*',
  );
  const stopping = {
    ...config,
    pipelines: config.pipelines.map((one) => ({ ...one, ddl: { default: 'stop', kinds: {} } as const })),
  };
  expect(config.dataSources.flatMap((source) => grantStatements(stopping, source)).join()).not.toContain(
    'ALTER',
  );
});

describe('output', () => {
  test('formatTable() aligns, and leaves no trailing blanks', () => {
    expect(
      formatTable(
        [
          { a: 'x', n: 5 },
          { a: 'long', n: 12 },
        ],
        [
          { title: 'n', value: (row) => String(row.n), align: 'right' },
          { title: 'name', value: (row) => row.a },
        ],
      ),
    ).toBe(' N  NAME\n 5  x\n12  long');
  });

  test('formatTable() breaks the last column between words where the screen is narrow', () => {
    const columns = [
      { title: 'a', value: () => 'one' },
      { title: 'finding', value: () => 'some words that do not fit in one line of it' },
    ];
    expect(formatTable([0], columns, 40)).toBe(
      'A    FINDING\none  some words that do not fit in one\n     line of it',
    );
    const wide = [{ title: 'about', value: () => 'x'.repeat(20) }, ...columns.slice(1)];
    expect(formatTable([0], wide, 40)).toBe(
      `ABOUT                 FINDING\n${'x'.repeat(20)}\n    some words that do not fit in one\n    line of it`,
    );
    expect(formatTable([0], columns)).toContain('some words that do not fit in one line of it');
  });

  test('what rows hold does not speak to the terminal', () => {
    const table = formatTable(['a\u001b[2J\u009b31m\r\nb'], [{ title: 'key', value: (row) => row }]);
    expect(table).toBe('KEY\na\\x1b[2J\\x9b31m\\x0d b');
  });

  test('durations and sizes read as people say them', () => {
    expect([0, 999, 1500, 61_000, 3_660_000, null].map(formatMs)).toEqual([
      '0 ms',
      '999 ms',
      '1.5 s',
      '1 min 1 s',
      '1 h 1 min',
      '?',
    ]);
    expect([0, 1023, 1536, 3 * 1024 ** 3].map(formatBytes)).toEqual(['0 B', '1023 B', '1.5 KiB', '3.0 GiB']);
  });

  test('errors end with their code and exit with the class of it', () => {
    const error = new HoltError('HOLT_PIPELINE_UNKNOWN', 'no pipeline x', { remedy: 'Look again.' });
    expect(formatError(error, 'table')).toBe('holt: no pipeline x [HOLT_PIPELINE_UNKNOWN]\n  Look again.');
    expect(formatError(new HoltError('HOLT_CONFIG_INVALID', 'two:\na\nb', { remedy: 'x' }), 'table')).toBe(
      'holt: two: [HOLT_CONFIG_INVALID]\na\nb\n  x',
    );
    expect(JSON.parse(formatError(error, 'json'))).toEqual({
      error: { code: 'HOLT_PIPELINE_UNKNOWN', message: 'no pipeline x', remedy: 'Look again.' },
    });
    expect(
      [
        error,
        new HoltError('HOLT_CONFIG_INVALID', ''),
        new HoltError('HOLT_SERVER_UNREACHABLE', ''),
        new Error('x'),
      ].map(exitCodeOf),
    ).toEqual([4, 3, 7, 1]);
  });
});
