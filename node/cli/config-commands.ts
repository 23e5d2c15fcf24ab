/** Commands about configuration files; they need no server. */
import type { Command } from 'commander';
import { loadConfig } from '../../conf/load.ts';
import { configJsonSchema } from '../../conf/schema.ts';
import type { HoltConfig } from '../../model/config.ts';
import { grantStatements } from './grants.ts';
import { count } from './output.ts';
import type { Terminal } from './remote-commands.ts';

export const DEFAULT_CONFIG = 'conf/holt.yaml';

export function withConfig(command: Command): Command {
  return command.option(
    '-c, --config <path>',
    'a YAML file, or a folder of them',
    process.env.HOLT_CONFIG ?? DEFAULT_CONFIG,
  );
}

export function addConfigCommands(program: Command, terminal: Terminal): void {
  const config = program.command('config').description('check and show configuration');
  withConfig(
    config.command('check').description('every problem at once, with file, line and column; exit code 3'),
  ).action((options: { readonly config: string }) => {
    const loaded = loadConfig(options.config);
    const { pipelines, dataSources } = loaded.config;
    terminal.out(
      `${loaded.files.join(', ')}: ${count(dataSources.length, 'data source')}, ${count(pipelines.length, 'pipeline')}, ${count(loaded.nodes.length, 'node')}; no problems`,
    );
  });
  config
    .command('schema')
    .description('JSON Schema of a configuration document')
    .action(() => terminal.out(JSON.stringify(configJsonSchema(), null, 2)));
  withConfig(
    config
      .command('show')
      .description('the effective configuration, defaults filled in, secrets as references'),
  ).action((options: { readonly config: string }) => {
    const loaded = loadConfig(options.config);
    terminal.out(JSON.stringify({ ...loaded.config, nodes: loaded.nodes }, hideSecrets, 2));
  });
  const grants = program.command('grants').description('what the accounts need');
  withConfig(
    grants.command('print').description('GRANT statements for every data source of the configuration'),
  ).action((options: { readonly config: string }) =>
    terminal.out(printGrants(loadConfig(options.config).config)),
  );
}

function hideSecrets(_key: string, value: unknown): unknown {
  if (typeof value === 'object' && value !== null && 'resolve' in value && 'from' in value && 'kind' in value)
    return value.kind === 'literal' ? '(none)' : `\${${String(value.kind)}:${String(value.from)}}`;
  return value;
}

function printGrants(config: HoltConfig): string {
  return config.dataSources.map((source) => grantStatements(config, source).join('\n')).join('\n\n');
}
