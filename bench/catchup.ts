/**
 * How fast is a backlog caught up?
 *
 *     npm run bench -- catchup [--server mariadb|mysql] [--workload skewed|uniform] [--flush relaxed|durable] [--quick] [--repeat N]
 *                              [--layout node-per-site,one-node] [--peer own-replica,statement-a-row | none] [--mode default|parallel]
 *                              [--compare-modes] [--transactions N] [--seed N] [--no-save] [--batch JSON] [--pipeline JSON]
 *                              [--profile DIR] [--log-level L] [--keep-logs DIR] [--node-options OPTIONS]
 *
 * Holt is timed from `resume` of a paused pipeline whose nodes are up (raise, dump and all lie in the time), first by nodes just
 * started (cold) and then by the same nodes once more on a target reset (warm). Each side ends when the backlog's last row can
 * be read at the target, and counts only when all tables are equal.
 */
import { Backlog } from './backlog.ts';
import type { Bench } from './bench.ts';
import { type BenchFlavour, benchSettings } from './bench-servers.ts';
import { compare, layoutsOf, peersOf } from './comparison.ts';
import { oneOf, optionsOf } from './options.ts';
import { Recorder } from './recorder.ts';
import { sysbenchBacklog } from './sysbench.ts';

const WORKLOADS = {
  skewed: { distribution: 'special', tableRows: 20_000, quickRows: 5_000 },
  uniform: { distribution: 'uniform', tableRows: 100_000, quickRows: 20_000 },
} as const;
export type Workload = keyof typeof WORKLOADS;

const TABLES = 8;

/** The faster side takes 8 s or more. */
const TRANSACTIONS: Readonly<Record<BenchFlavour, Readonly<Record<Workload, number>>>> = {
  mariadb: { skewed: 600_000, uniform: 300_000 },
  mysql: { skewed: 400_000, uniform: 200_000 },
};

/** Peers on servers that flush at each commit take minutes for what Holt does in seconds. */
const PEER_LIMIT_MS = { relaxed: 300_000, durable: 40_000 } as const;

const question = 'How fast is a backlog of transactions caught up, beside what a user would otherwise use?';

export const catchup: Bench = {
  question,
  plan: [
    ['--server', 'mariadb', '--workload', 'skewed'],
    ['--server', 'mariadb', '--workload', 'uniform', '--compare-modes'],
    ['--server', 'mysql', '--workload', 'skewed'],
    ['--server', 'mysql', '--workload', 'uniform', '--compare-modes'],
    ...(['mariadb', 'mysql'] as const).flatMap((server) =>
      (['skewed', 'uniform'] as const).map((workload) => [
        ...['--server', server, '--workload', workload],
        ...['--flush', 'durable', '--layout', 'node-per-site'],
      ]),
    ),
  ],
  async run(args) {
    const { common, text, flag } = optionsOf(args, {
      workload: { type: 'string', default: 'skewed' },
      layout: { type: 'string' },
      peer: { type: 'string' },
      transactions: { type: 'string' },
      'compare-modes': { type: 'boolean', default: false },
    });
    const { server, flush, quick, repeat, seed, holt } = common;
    const workload = oneOf('workload', text('workload'), ['skewed', 'uniform']);
    const { distribution, tableRows, quickRows } = WORKLOADS[workload];
    const transactions = Number(text('transactions') ?? (quick ? 10_000 : TRANSACTIONS[server][workload]));
    const isWhole = text('peer') === undefined && text('layout') === undefined;
    const recorder = new Recorder({
      bench: 'catchup',
      question,
      seed,
      settings: benchSettings(server, flush),
      file:
        common.save && (isWhole || flush === 'durable')
          ? ['catchup', server, workload, ...(flush === 'durable' ? [flush] : [])].join('-')
          : null,
    });
    await using backlog = await Backlog.make(
      {
        flavour: server,
        flush,
        plan: sysbenchBacklog({
          name: `${server}, ${workload}, ${flush} flush`,
          tables: TABLES,
          tableRows: quick ? quickRows : tableRows,
          transactions,
          distribution,
          seed,
        }),
      },
      recorder.say,
    );
    recorder.version(server, backlog.source.version);
    recorder.fact('workload', workload);
    recorder.fact('flush', flush);
    recorder.fact('transactions', transactions);
    recorder.fact('row changes', backlog.rows);
    recorder.fact('binlog bytes', backlog.binlogBytes);
    recorder.fact(
      'tables',
      `${TABLES} of ${quick ? quickRows : tableRows} rows, --rand-type=${distribution}, four threads`,
    );
    await compare({
      bench: 'catchup',
      workload,
      backlog,
      recorder,
      layouts: layoutsOf(text('layout')),
      peers: peersOf(text('peer')),
      rounds: repeat,
      peerLimitMs: PEER_LIMIT_MS[flush],
      holt,
      parallelToo: flag('compare-modes'),
    });
  },
};
