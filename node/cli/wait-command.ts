/** `holt wait`: for applications and scripts that must read at the other site what they wrote here. */
import type { Command } from 'commander';
import { HoltError } from '../../lib/errors.ts';
import { formatMs, formatValue } from './output.ts';
import { clientOf, type RemoteOptions, remote, type Terminal } from './remote-commands.ts';

interface WaitOptions extends RemoteOptions {
  readonly gtid?: string;
  readonly now?: true;
}

export function addWaitCommand(program: Command, terminal: Terminal): void {
  remote(
    program
      .command('wait')
      .argument('<pipeline>')
      .description(
        'until the target has what was committed at the source; exit code 1 when it has not within --timeout',
      )
      .option(
        '--gtid <position>',
        'as the source gave it to the session that wrote: a GTID or set, or <file>:<offset>',
      )
      .option('--now', 'all that is committed at the source when the command begins'),
  )
    .addHelpText(
      'after',
      `
Examples:
  holt wait orders --now --timeout 5s
  holt wait orders --gtid 0-1-4711                                   MariaDB: SELECT @@last_gtid
  holt wait orders --gtid 3e11fa47-71ca-11e1-9e33-c80aa9429562:23    MySQL: session_track_gtids=OWN_GTID
  holt wait orders --gtid binlog.000042:1337                         a source without GTIDs

What a rule filters out, what lost a conflict and what is held of a parked table counts as passed: the position
says how far the target is, not that a row is there. holt trace follows one row.`,
    )
    .action(async (name: string, options: WaitOptions) => {
      if ((options.gtid === undefined) === (options.now === undefined))
        throw new HoltError('HOLT_REQUEST_INVALID', 'either --gtid <position> or --now is expected', {
          disposition: 'fatal',
        });
      const request = { gtid: options.gtid ?? null, timeoutMs: Math.round(options.timeout * 1000) };
      const value = await clientOf(options).wait(name, request, terminal.signal);
      terminal.out(
        formatValue(options.output, value, () => {
          const line = `${name}: the target has it after ${formatMs(value.waitedMs)}`;
          return options.output === 'wide'
            ? `${line}\nwaited for  ${value.waitedFor}\ncheckpoint  ${value.checkpoint ?? '-'}\nknown by    ${value.by}`
            : line;
        }),
      );
    });
}
