/** Words of docs/performance.md, and the aims it is held against. */
import type { DelayResult, FigureResult, RateResult, ResultFile } from './measurement.ts';

export const INTRODUCTION = `# How fast it is

Made by \`npm run bench -- report\` from \`bench/results/\`; figures are not written by hand.

Everything of a measurement shares one machine: servers, ZooKeeper and nodes. Every run uses checkpoint, fence, signatures and CRC as shipped;
what was in effect stands below each. ZooKeeper answers a write when it is on the disk. Comparisons give every side its turn in each of
at least three rounds, and medians of the rounds. A figure counts only when all tables are then equal, compared by code that shares
nothing with Holt.
`;

export interface Section {
  readonly bench: string;
  readonly title: string;
  readonly text: string;
  /** What keeps the figure from being better: what the profile says. */
  readonly bounds: string;
}

const BACKLOG_SECTION = (bench: string, title: string, text: string): Section => ({
  bench,
  title,
  text: `${text} Conditions as for catching up; the peer is the server's own replica.\n`,
  bounds: '',
});

export const SECTIONS: readonly Section[] = [
  {
    bench: 'decode',
    title: 'Decoding',
    text: `Rows a second of the engine beside zongji's on the same binlog, through a socket. \`values\`: every value of every row is made, as zongji
does; \`raw\`: as the pipeline uses it, rows stay the bytes of the log.
`,
    bounds: `The runtime's own share does. Of the CPU time with every value made (\`perf\`, sysbench's rows: 535 bytes of log, three events and three texts
a row change), about a tenth is the kernel's, for the copy out of the socket; a twelfth makes texts, a call into the runtime each; 3 % are
checksums, one call a read; a fifth is garbage collection, most of it marking on other threads, which the memory that the socket is read into
sets off every 35 to 70 MB of log (\`--trace-gc\`; with \`--initial-old-space-size=200\` it does not, and no gain could be told from the noise); and
half is code of ours, of which a quarter makes the values, and none takes more than 4 % by itself. Reading as the pipeline does
(\`raw\`) is about a tenth of what nodes spend on a row change that is caught up: a thread of its own for it could take off no more than that.
`,
  },
  {
    bench: 'catchup',
    title: 'Catching up',
    text: `sysbench's \`oltp_write_only\` runs on a source with nobody following; then the backlog is caught up on a fresh copy of the data as it
was before. Rows are the source's row changes: four a transaction (an update of an indexed column, one of another column, a DELETE and an
INSERT).

- **Holt** goes through all four stages over a real ZooKeeper. Mode \`default\`: the target shows a transaction boundary of the source at every
  moment. Timed from \`resume\` of a paused pipeline, so the raise, the opening of the dump and everything read from it lie in the
  time. _cold_: by nodes just started, whose code is still being compiled; the other figures: by the same nodes, once more.
- **own-replica** is timed from the start of its SQL threads, with the relay log fetched already, at the better of two settings (MariaDB: 0 and 4
  threads, \`optimistic\`; MySQL: 1 and 4 workers).
- **statement-a-row** is the plain way: one statement a row change, 100 to a packet, one connection, as many rows a commit as
  Holt has a batch, with Holt's own decoder; no checkpoint, guard or coordination.
- _relaxed_ flush: \`innodb_flush_log_at_trx_commit=2\`, \`sync_binlog=0\`; _durable_: 1 and 1; the same for source, target and replica. With durable
  flush peers are timed over the first parts of the backlog only, as far as 40 s go.
- The time ends when the last row can be read at the target.
`,
    bounds: `CPU time does: with two cores and everything on them, nodes, target and source share them; the CPU seconds stand beside each
round. Coordination is not the bound: a batch costs four ZooKeeper writes, and under a backlog it holds thousands of rows.
`,
  },
  {
    bench: 'latency',
    title: 'Delay',
    text: `From commit at the source to commit at the target, of single-row transactions at a fixed rate (open loop: the next one does not wait for the
last). One process follows both servers' binlogs and notes by one clock when each transaction arrives from the source and when it
arrives from the target, so that what the two logs take is the same on both sides. A run that reached less than 98 % of its rate is void.
The stages' figures are medians of what nodes report of their last batch, hand-over included; \`zookeeper write\` is the median of a
write every 100 ms in the same run.
`,
    bounds: '',
  },
  {
    bench: 'wan',
    title: 'A long link',
    text: `A round trip of 200 ms and a limited bandwidth between the sites, for data and ZooKeeper alike: three voters at the source's site, an observer
at the target's. The link is a process that keeps every byte for its time and lets no more through than it should; round trip and bandwidth are
measured in the run. Bytes are those that crossed it, all connections together.
`,
    bounds: `Distance does. A change crosses the link once (half a round trip), and then Transform's hand-over, which is also its claim and Load's, goes to the
voters and back (a whole one): 300 ms of 200 ms round trip, before the far node may commit. The rest is the source's side (two writes to the
ensemble there), the target's commit, and the wait for a place in the window: a batch is in flight until its receipt has come back, two round
trips in all, so that the six of the window leave a sixth of that apart. Small payloads are sent ahead and do not add to it. A full batch of a
backlog is fetched, which is a round trip more, and what is in flight (six of them) over three round trips bounds the rate of catching up. Before
that, the new reign begins with a raise, whose statements go to the distant target one after another: about twenty round trips, some
seconds that a short backlog feels.
`,
  },
  BACKLOG_SECTION(
    'bulk',
    'Many small inserts',
    '10 million rows in transactions of 200, into a table with an index.',
  ),
  BACKLOG_SECTION('wide', 'Large values', 'Rows with a BLOB of 64 KiB, inserted and updated.'),
  BACKLOG_SECTION('manytables', 'Many tables', 'sysbench as above, over 1 000 tables of 100 rows.'),
  BACKLOG_SECTION('hotrow', 'One row', 'One row is updated over and over, a transaction each.'),
  BACKLOG_SECTION('tiny', 'Small transactions', 'Transactions that change a single row each.'),
  BACKLOG_SECTION(
    'ddlmix',
    'Schema changes in between',
    'Single-row transactions, and an ALTER TABLE for every thousand of them: each is a barrier.',
  ),
  {
    bench: 'memory',
    title: 'Memory',
    text: `Resident memory of the nodes while ten million row changes are caught up and after it; and of a node with 100 pipelines.
`,
    bounds: '',
  },
  {
    bench: 'idle',
    title: 'Nothing to do',
    text: `CPU time and ZooKeeper writes of a node with 100 pipelines while nothing changes; heartbeats go on. Writes are counted by ZooKeeper's own
transaction numbers.
`,
    bounds: '',
  },
];

export interface Aim {
  readonly what: string;
  readonly aim: string;
  /** Null where the file says nothing of it. */
  readonly reached: (file: ResultFile) => { readonly text: string; readonly holds: boolean } | null;
}

function rateAim(
  match: Partial<RateResult>,
  least: number,
  what: string,
  flush: string | null = 'relaxed',
): Aim {
  return {
    what,
    aim: `at least ${least} ×`,
    reached: ({ results, facts }) => {
      if (flush !== null && facts.flush !== flush) return null;
      const found = results.find(
        (one): one is RateResult =>
          'ratio' in one &&
          Object.entries(match).every(([key, value]) => one[key as keyof RateResult] === value),
      );
      return found === undefined
        ? null
        : { text: `${found.ratio.toFixed(2)} ×`, holds: found.ratio >= least };
    },
  };
}

function delayAim(bench: string, tps: number, rttMs: number, p99Ms: number): Aim {
  return {
    what: `${bench}: ${tps} transactions/s${rttMs === 0 ? '' : `, ${rttMs} ms round trip`}, p99`,
    aim: `at most ${p99Ms} ms`,
    reached: ({ results }) => {
      const found = results.filter(
        (one): one is DelayResult =>
          'p99_ms' in one && one.bench === bench && one.tps === tps && one.rtt_ms === rttMs,
      );
      if (found.length === 0) return null;
      const worst = Math.max(...found.map((one) => one.p99_ms));
      return { text: `${worst} ms`, holds: worst <= p99Ms };
    },
  };
}

function figureAim(
  bench: string,
  metric: string,
  aim: string,
  holds: (value: number) => boolean,
  what = `${bench}: ${metric}`,
): Aim {
  return {
    what,
    aim,
    reached: ({ results }) => {
      const found = results.find(
        (one): one is FigureResult => 'metric' in one && one.bench === bench && one.metric === metric,
      );
      return found === undefined ? null : { text: `${found.value} ${found.unit}`, holds: holds(found.value) };
    },
  };
}

const CATCHUP = { bench: 'catchup', layout: 'node-per-site', mode: 'default' } as const;

export const AIMS: readonly Aim[] = [
  rateAim({ bench: 'decode', mode: 'values', peer: 'zongji' }, 5, 'decode: every value, beside zongji', null),
  ...(
    [
      ['mariadb', 'skewed', 4],
      ['mariadb', 'uniform', 2.5],
      ['mysql', 'skewed', 8],
      ['mysql', 'uniform', 4],
    ] as const
  ).map(([server, workload, least]) =>
    rateAim(
      { ...CATCHUP, server, workload, peer: 'own-replica' },
      least,
      `catchup: ${server}, ${workload}, beside its own replica`,
    ),
  ),
  ...(['mariadb', 'mysql'] as const).map((server) =>
    rateAim(
      { ...CATCHUP, server, workload: 'skewed', peer: 'statement-a-row' },
      5,
      `catchup: ${server}, skewed, beside a statement a row`,
    ),
  ),
  ...(['mariadb', 'mysql'] as const).map(
    (server): Aim => ({
      what: `catchup: ${server}, uniform, mode parallel beside the default`,
      aim: 'at least 1.2 ×',
      reached: ({ results, facts }) => {
        if (facts.flush !== 'relaxed') return null;
        const rate = (mode: string) =>
          results.find(
            (one): one is RateResult =>
              'ratio' in one &&
              one.server === server &&
              one.workload === 'uniform' &&
              one.layout === 'node-per-site' &&
              one.mode === mode,
          )?.rows_per_s;
        const [parallel, plain] = [rate('parallel'), rate('default')];
        if (parallel === undefined || plain === undefined) return null;
        return { text: `${(parallel / plain).toFixed(2)} ×`, holds: parallel >= 1.2 * plain };
      },
    }),
  ),
  ...(['mariadb', 'mysql'] as const).map(
    (server): Aim => ({
      what: `latency: ${server}, 1000 transactions/s, p50`,
      aim: 'at most 12 ms + 3 × the ZooKeeper write',
      reached: ({ results }) => {
        const found = results.find(
          (one): one is DelayResult =>
            'p99_ms' in one && one.bench === 'latency' && one.tps === 1000 && one.server === server,
        );
        const write = results.find(
          (one): one is FigureResult =>
            'metric' in one && one.metric === `zookeeper write, ${server}, 1000 tps`,
        );
        if (found === undefined || write === undefined) return null;
        return {
          text: `${found.p50_ms} ms, with a write of ${write.value} ms`,
          holds: found.p50_ms <= 12 + 3 * write.value,
        };
      },
    }),
  ),
  delayAim('latency', 1_000, 0, 100),
  delayAim('latency', 5_000, 0, 300),
  ...(['mariadb', 'mysql'] as const).map((server) =>
    figureAim(
      'latency',
      `p99 of the last 30 s beside the first 30 s, ${server}, 5000 tps`,
      'at most 1.5 ×',
      (value) => value <= 1.5,
    ),
  ),
  delayAim('wan', 100, 200, 600),
  delayAim('wan', 5_000, 200, 1_500),
  ...[200, 1_000].map((mbit) =>
    figureAim(
      'wan',
      `catch-up beside the local rate, ${mbit} Mbit/s`,
      'at least 80 %',
      (value) => value >= 80,
    ),
  ),
  ...(['mariadb', 'mysql'] as const).map(
    (server): Aim => ({
      what: `bulk: ${server}`,
      aim: 'at least 100 000 rows/s',
      reached: ({ results }) => {
        const found = results.find(
          (one): one is RateResult => 'ratio' in one && one.bench === 'bulk' && one.server === server,
        );
        return found === undefined
          ? null
          : { text: `${found.rows_per_s} rows/s`, holds: found.rows_per_s >= 100_000 };
      },
    }),
  ),
  figureAim('memory', 'settled memory of a node, at most', 'below 300 MB', (value) => value < 300),
  figureAim(
    'memory',
    'growth over the second half of the backlog',
    'flat: below 10 %',
    (value) => value < 10,
  ),
  figureAim('idle', 'CPU of a node with 100 pipelines', 'below 2 % of a core', (value) => value < 2),
  figureAim('idle', 'ZooKeeper writes', 'none', (value) => value === 0),
];

export const AGAIN = `## Measure it yourself

    npm run bench -- catchup --server mariadb --workload skewed
    npm run bench -- all
    npm run bench -- report

A benchmark brings the servers and sysbench where they are missing, starts everything on free loopback ports and leaves nothing
behind. Each measurement ends with lines \`RESULT {json}\`. \`npm run bench\` without a name lists them with their questions; \`--quick\` is a
small run for trying out; \`--profile DIR\` writes a CPU profile of each node; \`--batch '{"maxRows":50000}'\` tries other sizes of batches.
\`bench/apply.ts\` and \`bench/row-decode.ts\` measure the apply side and the decoding alone.
`;

export const LIMITS = `## What this does not say

- sysbench's tables are small rows with an integer key and one secondary index. Tables with foreign keys or several unique keys are
  written in order and gain less from folding.
- A skewed backlog changes the same rows again and again, which folding turns into one change each: the ratio there is not that of an
  insert-only load.
- Source, target, ZooKeeper and nodes share one machine here: with a machine each, stages have cores of their own.
`;
