/** The configuration that rules a pipeline: read, check, compare, put in place. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { HoltError, messageOf } from '../../lib/errors.ts';
import type { ConfigDifference, KeptConfigView } from '../operations.ts';
import { type Column, EXIT, formatTable, formatValue } from './output.ts';
import { clientOf, type RemoteOptions, remote, type Terminal } from './remote-commands.ts';

const KEPT_COLUMNS: readonly Column<KeptConfigView>[] = [
  { title: 'id', value: (row) => row.id },
  { title: 'written', value: (row) => new Date(row.writtenMs).toISOString().slice(0, 19).replace('T', ' ') },
  { title: 'by', value: (row) => row.by },
  { title: 'from', value: (row) => (row.overridesFiles ? 'the API' : 'files') },
  { title: '', value: (row) => (row.isCurrent ? 'rules' : '') },
];

const DIFF_COLUMNS: readonly Column<ConfigDifference>[] = [
  { title: 'place', value: (row) => row.path },
  { title: 'before', value: (row) => row.before ?? '-' },
  { title: 'after', value: (row) => row.after ?? '-' },
];

export function addPipelineConfigCommands(program: Command, terminal: Terminal): void {
  const print = (options: RemoteOptions, value: unknown, text: () => string) =>
    terminal.out(formatValue(options.output, value, text));
  const config = program
    .command('pipeline-config')
    .description('the configuration that rules a pipeline: read, check, compare, put in place');
  const differences = (found: readonly ConfigDifference[]) =>
    found.length === 0 ? 'no difference' : formatTable(found, DIFF_COLUMNS, terminal.width());

  remote(
    config
      .command('get')
      .argument('<pipeline>')
      .description('as JSON, to be edited and given back to `set`')
      .option('--id <id>', 'one of the history in place of the ruling one'),
  ).action(async (name: string, options: RemoteOptions & { readonly id?: string }) => {
    const client = clientOf(options);
    const value =
      options.id === undefined ? await client.config(name) : await client.keptConfig(name, options.id);
    print(options, value, () => JSON.stringify(value.config, null, 2));
  });
  remote(
    config
      .command('check')
      .argument('<pipeline>')
      .argument('<file>', 'JSON as `get` prints it')
      .description('every problem, and what it would change; nothing is changed; exit code 3 for problems'),
  ).action(async (name: string, file: string, options: RemoteOptions) => {
    const value = await clientOf(options).checkConfig(name, jsonFile(file));
    print(options, value, () =>
      value.valid
        ? differences(value.differences)
        : value.problems
            .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
            .join('\n'),
    );
    if (!value.valid) terminal.exit(EXIT.config);
  });
  remote(
    config
      .command('set')
      .argument('<pipeline>')
      .argument('<file>', 'JSON as `get` prints it')
      .description('put it in place for all nodes, until the files change')
      .option('--if-version <n>', 'only where this version rules; else the one that rules now')
      .requiredOption('--reason <text>', 'why, for the audit log'),
  ).action(
    async (
      name: string,
      file: string,
      options: RemoteOptions & { readonly ifVersion?: string; readonly reason: string },
    ) => {
      const client = clientOf(options);
      const before = await client.config(name);
      const version = options.ifVersion === undefined ? before.version : Number(options.ifVersion);
      const value = await client.setConfig(name, version, jsonFile(file), options.reason);
      print(options, value, () => `${name}: version ${value.version} rules`);
    },
  );
  remote(
    config.command('history').argument('<pipeline>').description('those that ruled, newest first'),
  ).action(async (name: string, options: RemoteOptions) => {
    const value = await clientOf(options).configHistory(name);
    print(options, value, () => formatTable(value, KEPT_COLUMNS, terminal.width()));
  });
  remote(
    config
      .command('diff')
      .argument('<pipeline>')
      .description('what differs between two of them; exit code 8 where something does')
      .option('--from <which>', 'current, files (of the node asked) or an id of the history', 'files')
      .option('--to <which>', 'current, files (of the node asked) or an id of the history', 'current'),
  ).action(async (name: string, options: RemoteOptions & { readonly from: string; readonly to: string }) => {
    const value = await clientOf(options).configDiff(name, options.from, options.to);
    print(options, value, () => differences(value.differences));
    if (value.differences.length > 0) terminal.exit(EXIT.differences);
  });
}

function jsonFile(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new HoltError('HOLT_FILE_UNREADABLE', `${path}: ${messageOf(error)}`, {
      disposition: 'fatal',
      cause: error,
    });
  }
}
