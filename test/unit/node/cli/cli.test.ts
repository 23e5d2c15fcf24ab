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
  expect(west).toContain('GRANT SELECT, INSERT, UPDATE, DELETE ON `shop\\_eu`.*');
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
