/** What an installation is made of, and what stands in its coordination tree. */
import type { Command } from 'commander';
import { systemClock } from '../../lib/clock.ts';
import type { BatchView, ClaimView, SiteView } from '../cluster-views.ts';
import type { HistoryPoint } from '../history/samples.ts';
import { LOG_LEVELS } from '../log-levels.ts';
import type { QueueView } from '../operations.ts';
import { type Column, EXIT, formatBytes, formatMs, formatRate, formatTable, formatValue } from './output.ts';
import {
  clientOf,
  NODE_COLUMNS,
  type RemoteOptions,
  remote,
  span,
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

const counted = (count: number | null) => (count === null ? '?' : String(count));

const QUEUE_COLUMNS: readonly Column<QueueView>[] = [
  { title: 'node', value: (row) => row.node },
  { title: 'queue', value: (row) => row.queue },
  { title: 'kept in', value: (row) => row.kept },
  { title: 'waiting', value: (row) => counted(row.waiting), align: 'right' },
  { title: 'at work', value: (row) => counted(row.active), align: 'right' },
  { title: 'delayed', value: (row) => counted(row.delayed), align: 'right' },
  { title: 'failed', value: (row) => counted(row.failed), align: 'right' },
  { title: 'done', value: (row) => counted(row.completed), align: 'right' },
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
  for (const [verb, description] of [
    ['drain', 'have a node let go of all claims and take no part, until it is undrained or starts anew'],
    ['undrain', 'have it take part again'],
  ] as const) {
    const command = nodes
      .command(verb)
      .argument('<node>')
      .description(description)
      .option('--reason <text>', 'why, for the audit log', '')
      .option('--wait <time>', 'until it is so, at most so long, such as 30s', span);
    if (verb === 'drain') command.option('--force', 'also where pipelines then stand still', false);
    remote(command).action(
      async (
        node: string,
        options: RemoteOptions & {
          readonly reason: string;
          readonly wait?: number;
          readonly force?: boolean;
        },
      ) => {
        const client = clientOf(options);
        const { reason: why, force = false, wait } = options;
        let value =
          verb === 'drain' ? await client.drain(node, { force, why }) : await client.undrain(node, why);
        const wanted = verb === 'drain' ? 'drained' : 'working';
        const end = systemClock.monotonicMs() + (wait ?? 0);
        while (wait !== undefined && value.state !== wanted && systemClock.monotonicMs() < end) {
          await systemClock.sleep(200, terminal.signal);
          value = await client.drainState(node);
        }
        print(options, value, () => `${node}: ${value.state}`);
        if (wait !== undefined && value.state !== wanted) terminal.exit(EXIT.timeout);
      },
    );
  }
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
    batch
      .command('retry')
      .argument('<pipeline>')
      .argument('<batch>')
      .description('read it again from the source, and with it what is in flight beside it')
      .option('--reason <text>', 'why, for the audit log', ''),
  ).action(async (name: string, id: string, options: RemoteOptions & { readonly reason: string }) => {
    await clientOf(options).retryBatch(name, id, options.reason);
    print(options, { pipeline: name, batch: id }, () => `${name}: it reads on from the checkpoint`);
  });
  const queues = program.command('queues').description('job queues: comparisons, alarms');
  remote(queues.command('list').description('jobs by state, of all nodes')).action(
    async (options: RemoteOptions) => {
      const value = await clientOf(options).queues();
      print(options, value, () =>
        [
          formatTable(value.items, QUEUE_COLUMNS, terminal.width()),
          ...(value.silent.length === 0 ? [] : [`no answer from ${value.silent.join(', ')}`]),
        ].join('\n'),
      );
    },
  );
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
