/** Commands for people who help, and for shells. */
import { writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { Argument, type Command } from 'commander';
import { HoltError, messageOf } from '../../lib/errors.ts';
import { completionScript, SHELLS, type Shell } from './completion.ts';
import { reach } from './contexts.ts';
import { formatValue } from './output.ts';
import { clientOf, type RemoteOptions, remote, type Terminal } from './remote-commands.ts';

export function addSupportCommands(program: Command, terminal: Terminal, release: string): void {
  program
    .command('completion')
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .description('a script that completes commands and options: source <(holt completion bash)')
    .action((shell: Shell) => terminal.out(completionScript(shell, program)));

  remote(
    program
      .command('support-bundle')
      .description(
        'what helps others to understand an installation, in one file; without secrets and row values',
      )
      .option('--file <path>', 'where to; holt-support-<time>.json.gz here if absent'),
  ).action(async (options: RemoteOptions & { readonly file?: string }) => {
    const { supportBundle } = await import('../support-bundle.ts');
    const { server, token } = reach(options);
    const nowMs = Date.now();
    const bundle = await supportBundle({
      client: clientOf(options),
      made: {
        server: new URL(server).origin,
        cli: { release, node: process.version, platform: `${process.platform} ${process.arch}` },
      },
      nowMs,
      metrics: async () => {
        const answer = await fetch(`${server.replace(/\/+$/, '')}/metrics`, {
          signal: AbortSignal.timeout(options.timeout * 1000),
          headers: token === null ? {} : { authorization: `Bearer ${token}` },
        });
        return answer.ok ? answer.text() : null;
      },
    });
    const name = `holt-support-${new Date(nowMs).toISOString().slice(0, 19).replaceAll(':', '')}.json.gz`;
    const path = options.file ?? name;
    const text = JSON.stringify(bundle, null, 1);
    try {
      writeFileSync(path, path.endsWith('.gz') ? gzipSync(text) : text, { mode: 0o600 });
    } catch (error) {
      throw new HoltError('HOLT_FILE_UNREADABLE', `the bundle cannot be written: ${messageOf(error)}`, {
        disposition: 'fatal',
        cause: error,
      });
    }
    terminal.out(formatValue(options.output, { path }, () => `${path}: look through it before you send it`));
  });
}
