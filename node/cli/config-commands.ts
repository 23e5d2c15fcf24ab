/** Commands about configuration files; they need no server. */
import type { Command } from 'commander';
import type { HoltConfig } from '../../model/config.ts';
import { hideSecrets } from '../hidden-secrets.ts';
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
  ).action(async (options: { readonly config: string }) => {
    const loaded = await load(options.config);
    const { pipelines, dataSources } = loaded.config;
    terminal.out(
      `${loaded.files.join(', ')}: ${count(dataSources.length, 'data source')}, ${count(pipelines.length, 'pipeline')}, ${count(loaded.nodes.length, 'node')}; no problems`,
    );
  });
  config
    .command('schema')
    .description('JSON Schema of a configuration document')
    .action(async () => {
      const { configJsonSchema } = await import('../../conf/schema.ts');
      terminal.out(JSON.stringify(configJsonSchema(), null, 2));
    });
  withConfig(
    config
      .command('show')
      .description('the effective configuration, defaults filled in, secrets as references'),
  ).action(async (options: { readonly config: string }) => {
    const loaded = await load(options.config);
    terminal.out(JSON.stringify({ ...loaded.config, nodes: loaded.nodes }, hideSecrets, 2));
  });
  const grants = program.command('grants').description('what the accounts need');
  withConfig(
    grants.command('print').description('GRANT statements for every data source of the configuration'),
  ).action(async (options: { readonly config: string }) =>
    terminal.out(printGrants((await load(options.config)).config)),
  );
}

/** Parsing and validation: not loaded for the commands that only ask a node. */
async function load(path: string) {
  const { loadConfig } = await import('../../conf/load.ts');
  return loadConfig(path);
}

function printGrants(config: HoltConfig): string {
  return config.dataSources.map((source) => grantStatements(config, source).join('\n')).join('\n\n');
}
