/**
 * How fast is a source's log read and decoded, beside @vlasky/zongji?
 *
 *     npm run bench -- decode [--server mysql|mariadb] [--workload skewed|uniform] [--quick] [--repeat N] [--transactions N] [--seed N] [--no-save]
 *
 * Both sides read the same log of sysbench's `oltp_write_only` over a dump connection of their own, each a process of its own, and turn by
 * turn. `values`: every value of every image of every row is made into a JavaScript value, in objects with a property per column, as zongji
 * does; a digest over all of them, outside the time, has to be the same on both sides. `raw`: what the pipeline takes, whole transactions
 * out of the engine's ring, their rows as they stand in the log. Holt verifies every checksum and follows positions and tables as always;
 * zongji verifies none, and is asked for rows only.
 *
 * A process reads the log again and again: its first pass is `cold`, those after it, 8 s of them and more, are `warm`. The time of a pass
 * goes from its first row to its last. CPU time stands beside it, which says more on a machine that others use as well.
 */
import { execFile } from 'node:child_process';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Backlog, END_TABLE, PARTS, SCHEMA } from './backlog.ts';
import type { Bench } from './bench.ts';
import { type BenchFlavour, benchSettings, cpuSeconds } from './bench-servers.ts';
import type { DecodePass, DecodeReport, DecodeTask } from './decode-side.ts';
import { type FigureResult, median, type RateResult, rounded } from './measurement.ts';
import { oneOf, optionsOf } from './options.ts';
import { Recorder } from './recorder.ts';
import { sysbenchBacklog } from './sysbench.ts';

const DISTRIBUTION = { skewed: 'special', uniform: 'uniform' } as const;
const TABLES = 8;
const WARM_SECONDS = 8;
const SIDE_TIMEOUT_MS = 900_000;

const SIDES = [
  { name: 'holt values', side: 'holt', mode: 'values' },
  { name: 'zongji', side: 'zongji', mode: 'values' },
  { name: 'holt raw', side: 'holt', mode: 'raw' },
] as const;

/** Of a side in all its rounds, a figure a round. */
interface Rates {
  readonly cold: number[];
  readonly warm: number[];
  /** CPU µs a row, warm. */
  readonly cpu: number[];
}

const question =
  'How many row changes a second does the engine read and decode from a log, beside zongji on the same log?';

export const decode: Bench = {
  question,
  plan: [
    ['--server', 'mysql', '--workload', 'uniform'],
    ['--server', 'mariadb', '--workload', 'uniform'],
  ],
  async run(args) {
    const { common, text } = optionsOf(args, {
      workload: { type: 'string', default: 'uniform' },
      transactions: { type: 'string' },
    });
    const { server, flush, quick, repeat, seed } = common;
    const workload = oneOf('workload', text('workload'), ['skewed', 'uniform']);
    const transactions = Number(text('transactions') ?? (quick ? 10_000 : 100_000));
    const recorder = new Recorder({
      bench: 'decode',
      question,
      seed,
      settings: benchSettings(server, flush),
      file: common.save ? `decode-${server}-${workload}` : null,
    });
    await using backlog = await Backlog.make(
      {
        flavour: server,
        flush,
        plan: sysbenchBacklog({
          name: `${server}, ${workload}`,
          tables: TABLES,
          tableRows: 20_000,
          transactions,
          distribution: DISTRIBUTION[workload],
          seed,
        }),
      },
      recorder.say,
    );
    const { source } = backlog;
    recorder.version(server, source.version);
    recorder.version('zongji', '0.9.0');
    recorder.config('engine: defaults (ring, checksums and certainty of tables as in a node)\n');
    recorder.fact('workload', workload);
    recorder.fact('transactions', transactions);
    recorder.fact('row changes', backlog.rows);
    recorder.fact('binlog bytes', backlog.binlogBytes);
    const reading = await readingOf(backlog, server);
    const warmSeconds = quick ? 1 : WARM_SECONDS;

    const rates = new Map<string, Rates>(SIDES.map(({ name }) => [name, { cold: [], warm: [], cpu: [] }]));
    const seen = new Map<string, { readonly digest: string | null; readonly sum: number }>();
    for (let round = 1; round <= repeat; round++) {
      recorder.say(`round ${round} of ${repeat}`);
      for (const side of SIDES) {
        const isFirst = round === 1 && side.mode === 'values';
        const before = cpuSeconds(source.pid);
        const report = await runSide({
          ...reading,
          side: side.side,
          mode: side.mode,
          warmSeconds,
          warmPasses: 1,
          digest: isFirst,
        });
        const serverCpu = cpuSeconds(source.pid) - before;
        const [first, ...rest] = report.passes;
        if (first === undefined) throw new Error(`${side.name} has read nothing`);
        for (const { rows } of report.passes)
          if (rows !== backlog.rows)
            throw new Error(`${side.name} gave ${rows} of ${backlog.rows} row changes`);
        if (isFirst) seen.set(side.name, { digest: report.digest, sum: first.sum });
        const warm = added(rest);
        const mine = rates.get(side.name);
        mine?.cold.push(first.rows / first.seconds);
        mine?.warm.push(warm.rows / warm.seconds);
        mine?.cpu.push((warm.cpuSeconds * 1e6) / warm.rows);
        for (const [when, pass] of [
          ['cold', first],
          ['warm', warm],
        ] as const)
          recorder.timing({
            name: `${side.name}, ${when}`,
            seconds: rounded(pass.seconds, 3),
            rows: pass.rows,
            rows_per_s: Math.round(pass.rows / pass.seconds),
            firstCommitSeconds: null,
            batches: null,
            targetCpuSeconds: 0,
            sourceCpuSeconds: rounded((serverCpu * pass.rows) / (first.rows + warm.rows), 2),
            nodesCpuSeconds: rounded(pass.cpuSeconds, 2),
            load: rounded(loadavg()[0] ?? 0, 1),
          });
      }
      if (round === 1) {
        const [ours, theirs] = [seen.get('holt values'), seen.get('zongji')];
        if (ours?.digest !== theirs?.digest || ours?.sum !== theirs?.sum)
          throw new Error(`the values differ: ${JSON.stringify(ours)} and ${JSON.stringify(theirs)}`);
        recorder.fact('SHA-256 of all values on both sides', String(ours?.digest));
      }
    }

    const of = (name: string, what: keyof Rates) => median(rates.get(name)?.[what] ?? []);
    const peer = of('zongji', 'warm');
    const figures = SIDES.flatMap(({ name }): FigureResult[] => [
      {
        bench: 'decode',
        metric: `rows_per_s cold, ${server} ${name}`,
        value: Math.round(of(name, 'cold')),
        unit: 'rows/s',
      },
      {
        bench: 'decode',
        metric: `CPU a row, ${server} ${name}`,
        value: rounded(of(name, 'cpu'), 3),
        unit: 'µs',
      },
    ]);
    const results = SIDES.filter(({ side }) => side === 'holt').map(
      ({ name, mode }): RateResult => ({
        bench: 'decode',
        workload,
        server,
        layout: 'one-node',
        mode,
        rows_per_s: Math.round(of(name, 'warm')),
        peer: 'zongji',
        peer_rows_per_s: Math.round(peer),
        ratio: rounded(of(name, 'warm') / peer, 2),
      }),
    );
    recorder.measured([...figures, ...results]);
  },
};

function added(passes: readonly DecodePass[]): DecodePass {
  return passes.reduce(
    (all, one) => ({
      rows: all.rows + one.rows,
      seconds: all.seconds + one.seconds,
      cpuSeconds: all.cpuSeconds + one.cpuSeconds,
      sum: one.sum,
    }),
    { rows: 0, seconds: 0, cpuSeconds: 0, sum: 0 },
  );
}

/** What a side has to know of a backlog, which is the last file of its source's log. */
export async function readingOf(
  { source, start }: Backlog,
  flavour: BenchFlavour,
): Promise<Omit<DecodeTask, 'side' | 'mode' | 'warmSeconds' | 'warmPasses' | 'digest'>> {
  return {
    port: source.port,
    user: source.db.user,
    password: source.db.password,
    schema: SCHEMA,
    endTable: END_TABLE,
    ends: PARTS,
    start: `${flavour}:${start}`,
    file: String((await source.db.query('SHOW BINARY LOGS')).at(-1)?.Log_name),
  };
}

/** One side in a process just started. */
export async function runSide(task: DecodeTask): Promise<DecodeReport> {
  const program = fileURLToPath(new URL('./decode-side.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', program, JSON.stringify(task)],
    { timeout: SIDE_TIMEOUT_MS, maxBuffer: 16 * 1024 * 1024 },
  );
  return JSON.parse(stdout) as DecodeReport;
}
