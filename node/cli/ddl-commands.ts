/** The schema changes of a pipeline at its target, and what a person says of one that nothing else can tell. */
import { userInfo } from 'node:os';
import type { Command } from 'commander';
import type { DdlDetailView, DdlView } from '../operations.ts';
import { type Column, formatTable, formatValue } from './output.ts';
import { clientOf, type RemoteOptions, remote, type Terminal } from './remote-commands.ts';

const COLUMNS: readonly Column<DdlView>[] = [
  { title: 'id', value: (row) => row.id, align: 'right' },
  { title: 'at', value: (row) => row.at },
  { title: 'state', value: (row) => row.state },
  { title: 'kind', value: (row) => row.kind },
  { title: 'statement', value: (row) => row.statement },
  { title: 'why', value: (row) => row.why ?? '' },
];

function detailText(row: DdlDetailView): string {
  return [
    `${row.id}  ${row.at}  ${row.state}  ${row.kind}, of ${row.sourceRef} (${row.origin}), batch ${row.seq}`,
    ...(row.why === null ? [] : [`why: ${row.why}`]),
    ...(row.settledAt === null ? [] : [`settled: ${row.settledAt} by ${row.settledBy ?? '-'}`]),
    ...(row.ownGtid === null ? [] : [`GTID at the target: ${row.ownGtid}`]),
    ...(row.log === null ? [] : [`behind ${row.log} in the target's log, connection ${row.connectionId}`]),
    '',
    'at the source:',
    row.statement,
    '',
    `at the target${row.defaultSchema === '' ? '' : `, in ${row.defaultSchema}`}:`,
    ...(row.sessionTime === null ? [] : [`SET SESSION timestamp = ${row.sessionTime};`]),
    row.sent,
  ].join('\n');
}

export function addDdlCommands(program: Command, terminal: Terminal): void {
  const client = clientOf;
  const print = (options: RemoteOptions, value: unknown, text: () => string) =>
    terminal.out(formatValue(options.output, value, text));

  const ddl = program.command('ddl').description('schema changes at the target: the journal');
  remote(
    ddl
      .command('list')
      .argument('<pipeline>')
      .description('schema changes and what became of them, newest first')
      .option('--limit <n>', 'newest so many', '50'),
  ).action(async (name: string, options: RemoteOptions & { readonly limit: string }) => {
    const value = await client(options).ddl(name, Number(options.limit));
    print(options, value, () =>
      value.length === 0 ? `${name}: no schema change yet` : formatTable(value, COLUMNS),
    );
  });
  remote(
    ddl
      .command('show')
      .argument('<pipeline>')
      .argument('<id>')
      .description('one with its texts at both ends, and where to look for it in the log'),
  ).action(async (name: string, id: string, options: RemoteOptions) => {
    const value = await client(options).ddlRow(name, id);
    print(options, value, () => detailText(value));
  });
  remote(
    ddl
      .command('settle')
      .argument('<pipeline>')
      .argument('<id>')
      .description(
        'say of a statement that was begun whether it ran (HOLT_DDL_UNSETTLED); then resume the pipeline',
      )
      .option('--ran', 'it ran: it is not sent again')
      .option('--did-not-run', 'it did not run: it is sent again'),
  ).action(
    async (
      name: string,
      id: string,
      options: RemoteOptions & { readonly ran?: true; readonly didNotRun?: true },
    ) => {
      if ((options.ran === true) === (options.didNotRun === true))
        return ddl.error('error: say either --ran or --did-not-run');
      const value = await client(options).settleDdl(name, id, {
        ran: options.ran === true,
        by: userInfo().username,
      });
      print(options, value, () => `${name}: statement ${id} is ${value.state}; resume the pipeline`);
    },
  );
}
