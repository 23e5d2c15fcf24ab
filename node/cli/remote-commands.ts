/** Commands that ask a running node. */
import { userInfo } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { abortable } from '../../lib/abort.ts';
import { systemClock } from '../../lib/clock.ts';
import type { ClockReading, Measured } from '../../model/lag.ts';
import { ApiClient } from '../api/client.ts';
import type {
  LedgerDetailView,
  LedgerEntryView,
  NodeView,
  ParkedTableView,
  PipelineStatusView,
  VerifyView,
} from '../operations.ts';
import { type AccessOptions, DEFAULT_SERVER, reach } from './contexts.ts';
import {
  type Column,
  EXIT,
  exitCodeOf,
  formatBytes,
  formatError,
  formatMeasured,
  formatMs,
  formatRate,
  formatTable,
  formatValue,
  OUTPUT_FORMATS,
  type OutputFormat,
  oneLine,
} from './output.ts';

export interface RemoteOptions extends AccessOptions {
  readonly output: OutputFormat;
  readonly timeout: number;
  readonly watch?: boolean | string;
}

/** Where commands print and how they end: the process's own, or a test's. */
export interface Terminal {
  readonly out: (text: string) => void;
  /** True where the screen can be redrawn. */
  readonly interactive: boolean;
  /** Characters in a line of the screen; infinity where lines go anywhere else. */
  width(): number;
  exit(code: number): void;
  readonly signal: AbortSignal;
}

function seconds(text: string): number {
  const value = Number(text.replace(/s$/, ''));
  if (!(value > 0)) throw new InvalidArgumentError('a number of seconds is expected, such as 5 or 5s');
  return value;
}

function wholeNumber(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new InvalidArgumentError('a whole number above 0 is expected');
  return Number(text);
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A time such as 6h, as ms. */
export function span(text: string): number {
  const [, amount, unit = 's'] = /^([0-9]+(?:\.[0-9]+)?)([smhd])?$/.exec(text) ?? [];
  if (amount === undefined) throw new InvalidArgumentError('a time such as 30s, 15m, 6h or 2d is expected');
  return Math.round(Number(amount) * (UNITS[unit] ?? 1));
}

/** The options every remote command takes. */
export function remote(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--server <url>',
        `any node of the installation (default: that of the context, else ${DEFAULT_SERVER})`,
      ).env('HOLT_SERVER'),
    )
    .option('--token-file <path>', 'file with an API token; else HOLT_TOKEN_FILE, HOLT_TOKEN, or the context')
    .option('--context <name>', 'a login that `holt login` kept')
    .addOption(
      new Option('-o, --output <format>', 'table and wide for people, json and yaml for programs')
        .choices(OUTPUT_FORMATS)
        .default('table'),
    )
    .option('--timeout <seconds>', 'how long to wait for an answer', seconds, 10);
}

export function watchable(command: Command): Command {
  return command.option('--watch [seconds]', 'show again every second, or as often as told');
}

const PIPELINE_COLUMNS: readonly Column<PipelineStatusView>[] = [
  { title: 'pipeline', value: (row) => row.pipeline },
  { title: 'state', value: (row) => row.state },
  { title: 'lag', value: (row) => formatMeasured(row.lag.endToEnd), align: 'right' },
  { title: 'at', value: (row) => row.lagStage ?? '-' },
  { title: 'rows/s', value: (row) => formatRate(row.rowsPerSecond), align: 'right' },
  { title: 'rows', value: (row) => row.rowsTotal.toLocaleString('en-US'), align: 'right' },
  { title: 'epoch', value: (row) => String(row.epoch ?? '-'), align: 'right' },
  { title: 'reason', value: reasonText },
];

/** What `holt lag` shows of a pipeline beside its stages. */
const LAG_COLUMNS: readonly Column<PipelineStatusView>[] = [
  { title: 'pipeline', value: (row) => row.pipeline },
  { title: 'state', value: (row) => row.state },
  { title: 'lag', value: (row) => formatMeasured(row.lag.endToEnd), align: 'right' },
  { title: 'at', value: (row) => row.lagStage ?? '-' },
  { title: 'caught up in', value: caughtUpText, align: 'right' },
  { title: 'upstream', value: (row) => formatMeasured(row.lag.upstream, '-'), align: 'right' },
  { title: 'read', value: (row) => formatMeasured(row.lag.read), align: 'right' },
  { title: 'unread', value: (row) => formatBytes(row.lag.readBytes), align: 'right' },
  { title: 'last apply', value: (row) => formatMeasured(row.lag.apply, '-'), align: 'right' },
  { title: 'checkpoint', value: (row) => formatMeasured(row.lag.checkpoint), align: 'right' },
  { title: 'reason', value: reasonText },
];

function reasonText({ code, reason, sinceMs, asOfMs }: PipelineStatusView): string {
  const since = sinceMs === null ? null : `(for ${formatMs(Math.max(0, asOfMs - sinceMs))})`;
  return [code, reason, since].filter((one) => one !== null).join(' ');
}

function caughtUpText({ lag }: PipelineStatusView): string {
  if (lag.catchUpMs === 0) return '-';
  return lag.catchUpMs === null ? '?' : `~${formatMs(lag.catchUpMs)}`;
}

const CLOCK_COLUMNS: readonly Column<ClockReading>[] = [
  { title: 'clock', value: (row) => row.party },
  { title: 'ahead', value: (row) => formatMsSigned(row.aheadMs), align: 'right' },
  { title: '±', value: (row) => formatMs(Math.ceil(row.errorMs)), align: 'right' },
  { title: 'of node', value: (row) => row.by },
  { title: 'measured', value: (row) => `${formatMs(row.agoMs)} ago` },
];

function formatMsSigned(ms: number): string {
  const rounded = Math.round(ms);
  return `${rounded < 0 ? '-' : ''}${formatMs(Math.abs(rounded))}`;
}

export function clockTable(clocks: readonly ClockReading[], width?: number): string {
  const sorted = [...clocks].sort((a, b) => (`${a.party} ${a.by}` < `${b.party} ${b.by}` ? -1 : 1));
  return formatTable(sorted, CLOCK_COLUMNS, width);
}

export function lagTable(pipelines: readonly PipelineStatusView[], width?: number): string {
  return formatTable(pipelines, LAG_COLUMNS, width);
}

interface StageRow {
  readonly pipeline: string;
  readonly stage: PipelineStatusView['stages'][number];
}

const STAGE_COLUMNS: readonly Column<StageRow>[] = [
  { title: 'pipeline', value: (row) => row.pipeline },
  { title: 'stage', value: (row) => row.stage.stage },
  { title: 'node', value: (row) => row.stage.holder ?? '-' },
  { title: 'lag', value: ({ stage }) => formatMeasured(stageLag(stage)), align: 'right' },
  { title: 'batches', value: (row) => String(row.stage.batches), align: 'right' },
  { title: 'at work', value: (row) => formatMsOr(row.stage.workMs), align: 'right' },
  { title: 'mean queue', value: (row) => formatMsOr(row.stage.meanQueueMs), align: 'right' },
  { title: 'mean work', value: (row) => formatMsOr(row.stage.meanWorkMs), align: 'right' },
  { title: 'rows/s', value: (row) => formatRate(row.stage.rowsPerSecond), align: 'right' },
  { title: 'note', value: (row) => stageNote(row.stage) },
];

function stageLag({ lagMs, lagErrorMs }: StageRow['stage']): Measured | null {
  return lagMs === null ? null : { ms: lagMs, errorMs: lagErrorMs };
}

function formatMsOr(ms: number | null): string {
  return ms === null ? '-' : formatMs(ms);
}

function stageNote({ problem, waiting, silentMs }: StageRow['stage']): string {
  if (problem !== null) return problem.message;
  return silentMs === null ? (waiting ?? '') : `no answer for ${formatMs(silentMs)}`;
}

export const NODE_COLUMNS: readonly Column<NodeView>[] = [
  { title: 'node', value: (row) => row.node },
  { title: 'site', value: (row) => row.site },
  {
    title: 'state',
    value: (row) =>
      row.state === 'unknown'
        ? `unknown (${row.ageSeconds === null ? 'never heard' : `${row.ageSeconds} s`})`
        : row.state,
  },
  { title: 'session', value: (row) => row.session ?? '-' },
  { title: 'memory', value: (row) => formatBytes(row.memoryBytes), align: 'right' },
  { title: 'loop p99', value: (row) => formatMs(row.eventLoopP99Ms), align: 'right' },
  { title: 'release', value: (row) => row.release },
];

const LEDGER_COLUMNS: readonly Column<LedgerEntryView>[] = [
  { title: 'id', value: (row) => row.id, align: 'right' },
  { title: 'at', value: (row) => row.at },
  { title: 'code', value: (row) => row.code },
  { title: 'op', value: (row) => row.op },
  { title: 'table', value: (row) => row.table },
  { title: 'key', value: (row) => row.key },
  { title: 'state', value: (row) => row.state },
];

const PARKED_COLUMNS: readonly Column<ParkedTableView>[] = [
  { title: 'table', value: (row) => row.table },
  { title: 'state', value: (row) => row.state },
  { title: 'with', value: (row) => (row.root === row.table ? '-' : row.root) },
  { title: 'since', value: (row) => row.since.slice(0, 19) },
  { title: 'held', value: (row) => row.heldChanges.toLocaleString('en-US'), align: 'right' },
  { title: 'bytes', value: (row) => formatBytes(row.heldBytes), align: 'right' },
  { title: 'by', value: (row) => row.by },
  { title: 'why', value: (row) => `${row.code} ${row.why}` },
];

/** Empty where nothing is parked. */
export function parkedTable(pipelines: readonly PipelineStatusView[], width?: number): string {
  return pipelines
    .filter(({ parked }) => parked.length > 0)
    .map(({ pipeline, parked }) => `parked in ${pipeline}:\n${formatTable(parked, PARKED_COLUMNS, width)}`)
    .join('\n\n');
}

export function stageTable(pipelines: readonly PipelineStatusView[], width?: number): string {
  return formatTable(
    pipelines.flatMap((one) => one.stages.map((stage) => ({ pipeline: one.pipeline, stage }))),
    STAGE_COLUMNS,
    width,
  );
}

export function pipelineTable(pipelines: readonly PipelineStatusView[], width?: number): string {
  return formatTable(pipelines, PIPELINE_COLUMNS, width);
}

interface Fact {
  readonly name: string;
  readonly value: string;
  readonly meaning: string;
}

/** One pipeline for people: the state first, then each figure with what it says, then its stages. */
export function pipelineText(status: PipelineStatusView, width?: number): string {
  const { lag } = status;
  const reason = reasonText(status);
  const head = `${status.pipeline}: ${status.state}${reason === '' ? '' : `, ${oneLine(reason)}`}`;
  const clock =
    lag.sourceClock === null
      ? '?'
      : `${formatMsSigned(lag.sourceClock.aheadMs)} ±${formatMs(Math.ceil(lag.sourceClock.errorMs))}`;
  const held = status.lagStage === null ? '' : `, held by ${status.lagStage}`;
  const facts: readonly Fact[] = [
    {
      name: 'lag',
      value: formatMeasured(lag.endToEnd),
      meaning: `age of the oldest change that is not at the target${held}`,
    },
    { name: 'caught up in', value: caughtUpText(status), meaning: 'if it goes on as in the last seconds' },
    {
      name: 'upstream',
      value: formatMeasured(lag.upstream, '-'),
      meaning: 'delay that the source itself had, where it is a replica',
    },
    {
      name: 'read',
      value: formatMeasured(lag.read),
      meaning: `age of the oldest change not read yet; ${formatBytes(lag.readBytes)} of the log`,
    },
    {
      name: 'last apply',
      value: formatMeasured(lag.apply, '-'),
      meaning: `commit to commit${lag.apply === null ? '' : `, ${formatMs(lag.apply.agoMs)} ago`}`,
    },
    {
      name: 'checkpoint',
      value: formatMeasured(lag.checkpoint),
      meaning: 'age of what stands in the log behind the durable position',
    },
    {
      name: 'heartbeat',
      value: lag.heartbeatAgoMs === null ? '?' : `${formatMs(lag.heartbeatAgoMs)} ago`,
      meaning: 'the source took a row',
    },
    {
      name: "source's clock",
      value: clock,
      meaning: `ahead of ${lag.sourceClock?.by ?? 'the node that reads it'}`,
    },
  ];
  const table = formatTable(
    facts,
    [
      { title: 'figure', value: (row) => row.name },
      { title: 'value', value: (row) => row.value, align: 'right' },
      { title: 'what it says', value: (row) => row.meaning },
    ],
    width,
  );
  const position = status.position === null ? '' : `position ${oneLine(status.position)}`;
  const apply =
    status.lanes === undefined
      ? ''
      : `apply mode parallel, ${status.lanes.length} lanes: readers of the target may see a part of a batch`;
  return [head, table, position, apply, stageTable([status], width), parkedTable([status], width)]
    .filter((text) => text !== '')
    .join('\n\n');
}

function ledgerDetail(entry: LedgerDetailView): string {
  const columns = [
    ...new Set([entry.before, entry.after, entry.found].flatMap((one) => Object.keys(one ?? {}))),
  ];
  const cell = (value: LedgerDetailView['before'], name: string) =>
    value === null ? '-' : (value[name] ?? (name in value ? 'NULL' : ''));
  const head = `${oneLine(`${entry.id}  ${entry.at}  ${entry.code}`)}\n${oneLine(`${entry.op} on ${entry.table}, key ${entry.key}: ${entry.why}`)}\nstate: ${oneLine(entry.state)}\n`;
  return `${head}\n${formatTable(columns, [
    { title: 'column', value: (name) => name },
    { title: 'before', value: (name) => cell(entry.before, name) },
    { title: 'after', value: (name) => cell(entry.after, name) },
    { title: 'found at target', value: (name) => cell(entry.found, name) },
  ])}`;
}

function verifyText(check: VerifyView): string {
  const head = `${check.pipeline}: ${check.state}, ${check.rowsCompared.toLocaleString('en-US')} rows compared, ${check.differencesTotal} differences`;
  if (check.differences.length === 0) return check.error === null ? head : `${head}\n${check.error}`;
  const table = formatTable(check.differences, [
    { title: 'table', value: (row) => row.table },
    { title: 'key', value: (row) => row.key },
    {
      title: 'difference',
      value: (row) =>
        row.kind === 'missing'
          ? 'missing at the target'
          : row.kind === 'unexpected'
            ? 'only at the target'
            : `differs in ${row.columns.join(', ')}`,
    },
  ]);
  return `${head}\n${table}`;
}

export function clientOf(options: RemoteOptions): ApiClient {
  return new ApiClient({ ...reach(options), timeoutMs: options.timeout * 1000 });
}

/** Prints what is read, and with --watch again and again until it is interrupted. */
export function watcher(terminal: Terminal) {
  const print = (options: RemoteOptions, value: unknown, text: () => string) =>
    terminal.out(formatValue(options.output, value, text));
  const redraw = (options: RemoteOptions, period: number | null) =>
    period !== null && (options.output === 'table' || options.output === 'wide') && terminal.interactive
      ? '\u001b[2J\u001b[H'
      : '';
  const interruptible = <T>(work: Promise<T>) => abortable(work, terminal.signal);

  const show = async <T>(options: RemoteOptions, read: () => Promise<T>, text: (value: T) => string) => {
    const period =
      options.watch === undefined ? null : options.watch === true ? 1 : seconds(String(options.watch));
    for (;;) {
      try {
        const value = await interruptible(read());
        print(options, value, () => `${redraw(options, period)}${text(value)}`);
      } catch (error) {
        // Whoever watches wants to see it come back.
        if (period === null || exitCodeOf(error) !== EXIT.unreachable) throw error;
        print(
          options,
          JSON.parse(formatError(error, 'json')),
          () => `${redraw(options, period)}${formatError(error, 'table')}`,
        );
      }
      if (period === null) return;
      await systemClock.sleep(period * 1000, terminal.signal).catch(() => {});
      if (terminal.signal.aborted) return;
    }
  };
  return show;
}

/** Adds the remote commands to `program`. */
export function addRemoteCommands(program: Command, terminal: Terminal): void {
  const client = clientOf;
  const print = (options: RemoteOptions, value: unknown, text: () => string) =>
    terminal.out(formatValue(options.output, value, text));
  const by = () => userInfo().username;

  const show = watcher(terminal);

  watchable(
    remote(
      program.command('status').argument('[pipeline]').description('pipelines, their stages, and nodes'),
    ),
  ).action(async (name: string | undefined, options: RemoteOptions) => {
    await show(
      options,
      async () => ({
        pipelines:
          name === undefined ? await client(options).pipelines() : [await client(options).pipeline(name)],
        nodes: await client(options).nodes(),
      }),
      (value) =>
        [
          pipelineTable(value.pipelines, terminal.width()),
          stageTable(value.pipelines, terminal.width()),
          parkedTable(value.pipelines, terminal.width()),
          formatTable(value.nodes, NODE_COLUMNS),
        ]
          .filter((text) => text !== '')
          .join('\n\n'),
    );
  });

  watchable(
    remote(
      program
        .command('lag')
        .argument('[pipeline]')
        .description('the lag of each stage; exit code 9 above a threshold')
        .option('--max <seconds>', 'exit with 9 when a lag is above', seconds),
    ),
  ).action(async (name: string | undefined, options: RemoteOptions & { readonly max?: number }) => {
    let worst: number | null = 0;
    await show(
      options,
      async () => {
        const pipelines =
          name === undefined ? await client(options).pipelines() : [await client(options).pipeline(name)];
        worst = pipelines.some((one) => one.lagMs === null)
          ? null
          : Math.max(0, ...pipelines.map((one) => one.lagMs ?? 0));
        return pipelines;
      },
      (value) => `${lagTable(value, terminal.width())}\n\n${stageTable(value, terminal.width())}`,
    );
    if (options.max !== undefined && (worst === null || worst > options.max * 1000))
      terminal.exit(EXIT.threshold);
  });

  watchable(
    remote(
      program
        .command('clocks')
        .description('how far the clocks of nodes and databases are apart, as measured'),
    ),
  ).action(async (options: RemoteOptions) => {
    await show(
      options,
      () => client(options).clocks(),
      (value) => clockTable(value, terminal.width()),
    );
  });

  const pipeline = program.command('pipeline').description('start, stop, pause, resume and delete pipelines');
  watchable(remote(pipeline.command('list').description('all pipelines'))).action(
    async (options: RemoteOptions) => {
      await show(
        options,
        () => client(options).pipelines(),
        (value) => pipelineTable(value, terminal.width()),
      );
    },
  );
  watchable(
    remote(
      pipeline
        .command('status')
        .argument('<pipeline>')
        .description('one pipeline with every figure of its lag'),
    ),
  ).action(async (name: string, options: RemoteOptions) => {
    await show(
      options,
      () => client(options).pipeline(name),
      (value) => pipelineText(value, terminal.width()),
    );
  });
  for (const [verb, desired, description] of [
    ['start', 'running', 'let a stopped pipeline run'],
    ['resume', 'running', 'let a paused pipeline go on where it stopped'],
    ['pause', 'paused', 'finish what is in flight and wait'],
    ['stop', 'stopped', 'finish what is in flight and let go of source and target'],
  ] as const) {
    remote(
      pipeline
        .command(verb)
        .argument('<pipeline>')
        .description(description)
        .option('--reason <text>', 'why, for status and audit', ''),
    ).action(async (name: string, options: RemoteOptions & { readonly reason: string }) => {
      await client(options).setDesired(name, { desired, by: by(), why: options.reason });
      print(options, { pipeline: name, desired }, () => `${name}: ${desired} is asked for`);
    });
  }
  remote(
    pipeline
      .command('restart')
      .argument('<pipeline>')
      .description('begin anew from the checkpoint; resumes what Holt paused for an error')
      .option('--only-failed', 'leave alone what Holt has not paused for an error', false)
      .option('--reason <text>', 'why, for status and audit', ''),
  ).action(
    async (
      name: string,
      options: RemoteOptions & { readonly onlyFailed: boolean; readonly reason: string },
    ) => {
      const { onlyFailed, reason: why } = options;
      const value = await client(options).restart(name, { by: by(), why, onlyFailed });
      print(options, value, () =>
        value.restarted ? `${name}: it begins anew` : `${name}: it has not failed, and goes on`,
      );
    },
  );
  remote(
    pipeline
      .command('delete')
      .argument('<pipeline>')
      .description(
        "take a stopped pipeline's znodes and its rows in the target's holt schema away; it must be gone from the configuration or it starts anew",
      )
      .requiredOption('--yes', 'really delete: where it stood is forgotten (required)'),
  ).action(async (name: string, options: RemoteOptions) => {
    await client(options).deletePipeline(name);
    print(options, { pipeline: name, deleted: true }, () => `${name}: deleted`);
  });

  const position = program.command('position').description('where a pipeline stands');
  remote(position.command('get').argument('<pipeline>').description('the checkpoint in the target')).action(
    async (name: string, options: RemoteOptions) => {
      const value = await client(options).position(name);
      print(options, value, () =>
        formatTable(
          [value],
          [
            { title: 'pipeline', value: (row) => row.pipeline },
            { title: 'position', value: (row) => row.position ?? '-' },
            { title: 'file', value: (row) => (row.file === null ? '-' : `${row.file}:${row.offset}`) },
            { title: 'epoch', value: (row) => String(row.epoch ?? '-'), align: 'right' },
            { title: 'seq', value: (row) => row.seq ?? '-', align: 'right' },
            { title: 'applied', value: (row) => row.appliedAt ?? '-' },
          ],
        ),
      );
    },
  );
  remote(
    position
      .command('set')
      .argument('<pipeline>')
      .argument('<position>', 'mysql:<gtid set>, mariadb:<gtid list> or file:<server>:<file>:<offset>')
      .description('move a paused or stopped pipeline; what lies between is not applied, or applied again')
      .requiredOption('--reason <text>', 'why, for the log (required)'),
  ).action(async (name: string, text: string, options: RemoteOptions & { readonly reason: string }) => {
    const value = await client(options).setPosition(name, text, options.reason);
    print(options, value, () => `${name}: stands at ${value.position}`);
  });

  const errors = program.command('errors').description('changes that were not applied as they came');
  remote(
    errors
      .command('list')
      .argument('<pipeline>')
      .description('what the ledger holds, newest first')
      .option('--limit <n>', 'newest so many', wholeNumber, 50),
  ).action(async (name: string, options: RemoteOptions & { readonly limit: number }) => {
    const value = await client(options).errors(name, options.limit);
    print(options, value, () =>
      value.length === 0 ? `${name}: the ledger is empty` : formatTable(value, LEDGER_COLUMNS),
    );
  });
  remote(
    errors
      .command('show')
      .argument('<pipeline>')
      .argument('<id>')
      .description('both images, and what was found'),
  ).action(async (name: string, id: string, options: RemoteOptions) => {
    const value = await client(options).error(name, id);
    print(options, value, () => ledgerDetail(value));
  });
  remote(
    errors
      .command('replay')
      .argument('<pipeline>')
      .argument('<id>')
      .description('apply the kept change now, once'),
  ).action(async (name: string, id: string, options: RemoteOptions) => {
    const value = await client(options).replay(name, id);
    print(options, value, () => `${id}: ${value.state}`);
  });
  remote(
    errors
      .command('close')
      .argument('<pipeline>')
      .argument('<id>')
      .description('let stand what stands at the target; the entry stays, and may still be replayed')
      .requiredOption('--reason <text>', 'why, for the audit log'),
  ).action(async (name: string, id: string, options: RemoteOptions & { readonly reason: string }) => {
    const value = await client(options).closeError(name, id, options.reason);
    print(options, value, () => `${id}: ${value.state}`);
  });

  const table = program.command('table').description('tables whose changes are held at the target');
  remote(
    table.command('list').argument('<pipeline>').description('parked tables, why, and what is held of them'),
  ).action(async (name: string, options: RemoteOptions) => {
    const value = await client(options).tables(name);
    print(options, value, () =>
      value.length === 0 ? `${name}: no table is parked` : formatTable(value, PARKED_COLUMNS),
    );
  });
  remote(
    table
      .command('park')
      .argument('<pipeline>')
      .argument('<table>', 'schema.table at the source')
      .description('hold the changes of a table at the target, and let the others go on')
      .requiredOption('--reason <text>', 'why, for status and audit'),
  ).action(async (name: string, tableName: string, options: RemoteOptions & { readonly reason: string }) => {
    const value = await client(options).parkTable(name, tableName, { by: by(), why: options.reason });
    print(options, value, () => `${name}: ${value.table} is parked (${value.code}: ${value.why})`);
  });
  remote(
    table
      .command('resume')
      .argument('<pipeline>')
      .argument('<table>', 'schema.table at the source')
      .description('apply what is held of a table, and of those that wait with it, and let them go on')
      .option(
        '--like <schema.table...>',
        'tables at the source with the columns that rows had which could not be decoded; without it the table as it is now',
      ),
  ).action(
    async (
      name: string,
      tableName: string,
      options: RemoteOptions & { readonly like?: readonly string[] },
    ) => {
      const value = await client(options).resumeTable(name, tableName, {
        by: by(),
        like: [...(options.like ?? [])],
      });
      print(
        options,
        value,
        () =>
          `${name}: what is held of ${value.map((one) => one.table).join(', ') || tableName} is being applied`,
      );
    },
  );

  remote(
    program
      .command('verify')
      .argument('<pipeline>')
      .description('compare source and target row by row; exit code 8 on a difference')
      .option('--max-seconds <seconds>', 'give up after (exit code 124)', seconds, 3600),
  ).action(async (name: string, options: RemoteOptions & { readonly maxSeconds: number }) => {
    const api = client(options);
    const end = systemClock.monotonicMs() + options.maxSeconds * 1000;
    let check = await api.startVerify(name);
    while (check.state === 'running') {
      if (systemClock.monotonicMs() > end) {
        print(options, check, () => `${verifyText(check)}\nstill running after ${options.maxSeconds} s`);
        terminal.exit(EXIT.timeout);
        return;
      }
      await systemClock.sleep(200, terminal.signal);
      check = await api.verify(name, check.id);
    }
    print(options, check, () => verifyText(check));
    if (check.state === 'different') terminal.exit(EXIT.differences);
    if (check.state === 'failed') terminal.exit(EXIT.failure);
  });
}
