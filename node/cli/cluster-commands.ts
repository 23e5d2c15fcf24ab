/** What an installation is made of, and what stands in its coordination tree. */
import { type Command, InvalidArgumentError } from 'commander';
import type { BatchView, ClaimView, SiteView } from '../cluster-views.ts';
import type { HistoryPoint } from '../history/samples.ts';
import { LOG_LEVELS } from '../log-levels.ts';
import { type Column, formatBytes, formatMs, formatRate, formatTable, formatValue } from './output.ts';
import {
  clientOf,
  NODE_COLUMNS,
  type RemoteOptions,
  remote,
  type Terminal,
  watchable,
  watcher,
} from './remote-commands.ts';

const SITE_COLUMNS: readonly Column<SiteView>[] = [
  { title: 'site', value: (row) => row.site },
  { title: 'nodes', value: (row) => row.nodes.join(', ') || '-' },
  {
    title: 'databases',
    value: (row) => row.dataSources.map((one) => `${one.name} ${one.host}:${one.port}`).join(', '),
  },
  { title: 'reads for', value: (row) => row.outgoing.join(', ') || '-' },
  { title: 'writes for', value: (row) => row.incoming.join(', ') || '-' },
];

const BATCH_COLUMNS: readonly Column<BatchView>[] = [
  { title: 'batch', value: (row) => row.id },
  { title: 'stage', value: (row) => row.stage },
  { title: 'node', value: (row) => row.holder ?? '-' },
  { title: 'transactions', value: (row) => String(row.transactions), align: 'right' },
  { title: 'rows', value: (row) => row.rows.toLocaleString('en-US'), align: 'right' },
  { title: 'bytes', value: (row) => formatBytes(row.bytes), align: 'right' },
  { title: 'origin', value: (row) => row.origin },
];

const CLAIM_COLUMNS: readonly Column<ClaimView>[] = [
  { title: 'kind', value: (row) => row.kind },
  { title: 'of', value: (row) => row.pipeline ?? row.source ?? '-' },
  { title: 'stage', value: (row) => row.stage ?? '-' },
  { title: 'node', value: (row) => row.node },
  { title: 'age', value: (row) => formatMs(row.ageMs), align: 'right' },
  { title: 'path', value: (row) => row.path },
];

const HISTORY_COLUMNS: readonly Column<HistoryPoint>[] = [
  { title: 'from', value: (row) => new Date(row.fromMs).toISOString().slice(0, 19).replace('T', ' ') },
  { title: 'state', value: (row) => row.state },
  { title: 'lag, most', value: (row) => formatMs(row.lagMaxMs), align: 'right' },
  { title: 'mean', value: (row) => formatMs(row.lagMeanMs), align: 'right' },
  { title: 'at', value: (row) => row.stage ?? '-' },
  { title: 'rows/s', value: (row) => formatRate(row.rowsPerSecond), align: 'right' },
  { title: 'code', value: (row) => row.code ?? '' },
];

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function span(text: string): number {
  const [, amount, unit = 's'] = /^([0-9]+(?:\.[0-9]+)?)([smhd])?$/.exec(text) ?? [];
  if (amount === undefined) throw new InvalidArgumentError('a time such as 30s, 15m, 6h or 2d is expected');
  return Math.round(Number(amount) * (UNITS[unit] ?? 1));
}

export function addClusterCommands(program: Command, terminal: Terminal): void {
  const print = (options: RemoteOptions, value: unknown, text: () => string) =>
    terminal.out(formatValue(options.output, value, text));
  const show = watcher(terminal);

  const nodes = program.command('nodes').description('nodes of the installation');
  watchable(remote(nodes.command('list').description('nodes that are registered'))).action(
    async (options: RemoteOptions) => {
      await show(
        options,
        () => clientOf(options).nodes(),
        (value) => formatTable(value, NODE_COLUMNS),
      );
    },
  );
  const sites = program.command('sites').description('data centres');
  remote(sites.command('list').description('sites with nodes, databases and pipelines')).action(
    async (options: RemoteOptions) => {
      const value = await clientOf(options).sites();
      print(options, value, () => formatTable(value, SITE_COLUMNS, terminal.width()));
    },
  );
  const batch = program.command('batch').description('batches in flight');
  watchable(
    remote(
      batch.command('list').argument('<pipeline>').description('where each stands, and who works on it'),
    ),
  ).action(async (name: string, options: RemoteOptions) => {
    await show(
      options,
      () => clientOf(options).batches(name),
      (value) => (value.length === 0 ? `${name}: nothing is in flight` : formatTable(value, BATCH_COLUMNS)),
    );
  });
  remote(
    program
      .command('history')
      .argument('<pipeline>')
      .description('lag, throughput and state over time, as the nodes kept them')
      .option('--last <time>', 'how far back, such as 30m, 6h or 2d', span, 3_600_000)
      .option('--step <time>', 'one line for so long, such as 10s or 5m', span),
  ).action(
    async (name: string, options: RemoteOptions & { readonly last: number; readonly step?: number }) => {
      const toMs = Date.now();
      const stepMs = options.step ?? Math.max(5_000, Math.ceil(options.last / 60 / 5_000) * 5_000);
      const value = await clientOf(options).history(name, { fromMs: toMs - options.last, toMs, stepMs });
      print(options, value, () => {
        const silent =
          value.silent.length === 0
            ? ''
            : `\nno answer from ${value.silent.join(', ')}: what they saw is missing`;
        return value.points.length === 0
          ? `${name}: nothing was kept of that time${silent}`
          : `${formatTable(value.points, HISTORY_COLUMNS)}${silent}`;
      });
    },
  );

  const zk = program.command('zk').description('the coordination tree');
  remote(
    zk.command('claims').description('locks that stand: sources, mainstems and tasks, with holder and age'),
  ).action(async (options: RemoteOptions) => {
    const value = await clientOf(options).claims();
    print(options, value, () =>
      value.length === 0 ? 'nothing is claimed' : formatTable(value, CLAIM_COLUMNS),
    );
  });
  remote(
    zk
      .command('tree')
      .argument('[path]', 'such as /seda/pipeline', '/')
      .description('a node of it, and the names below'),
  ).action(async (where: string, options: RemoteOptions) => {
    const value = await clientOf(options).znode(where);
    print(options, value, () =>
      [
        `${value.path}  version ${value.version}${value.ephemeralOwner === null ? '' : `, of session ${value.ephemeralOwner}`}`,
        ...(value.hidden
          ? ['(about accounts: hidden)']
          : value.data === null || value.data === ''
            ? []
            : [value.data]),
        ...value.names.map((name) => `  ${name}`),
      ].join('\n'),
    );
  });

  const level = program.command('loglevel').description("what a running node's log holds");
  remote(level.command('get').argument('<node>').description('the least level that is written')).action(
    async (node: string, options: RemoteOptions) => {
      const value = await clientOf(options).logLevel(node);
      print(options, value, () => value.level);
    },
  );
  remote(
    level
      .command('set')
      .argument('<node>')
      .argument('<level>', LOG_LEVELS.join(', '))
      .description('until the node starts again'),
  ).action(async (node: string, wanted: string, options: RemoteOptions) => {
    const value = await clientOf(options).setLogLevel(node, wanted);
    print(options, value, () => `${value.node}: ${value.level}`);
  });
}
