/** `holt trace`: where is my row? */
import { type Command, InvalidArgumentError } from 'commander';
import { abortable } from '../../lib/abort.ts';
import { systemClock } from '../../lib/clock.ts';
import { HoltError } from '../../lib/errors.ts';
import type { ApiClient } from '../api/client.ts';
import type { TraceRequest, TraceView } from '../trace/trace.ts';
import {
  EXIT,
  formatBytes,
  formatMs,
  formatTable,
  formatValue,
  type OutputFormat,
  oneLine,
} from './output.ts';
import { clientOf, type RemoteOptions, remote, span, type Terminal } from './remote-commands.ts';

interface TraceOptions extends RemoteOptions {
  readonly where?: readonly string[];
  readonly last: number;
  readonly maxBytes: number;
}

const POLL_MS = { first: 50, most: 500 } as const;
/** A trace that takes no longer than this shows no progress. */
const QUIET_MS = 700;

const SIZES: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

function size(text: string): number {
  const [, amount, unit = ''] = /^([0-9]+(?:\.[0-9]+)?)([kmgt])?(?:i?b)?$/i.exec(text) ?? [];
  const bytes = Math.round(Number(amount) * (SIZES[unit.toLowerCase()] ?? 1));
  if (amount === undefined || bytes < 1)
    throw new InvalidArgumentError('a size such as 512m or 20g is expected');
  return bytes;
}

export function addTraceCommand(program: Command, terminal: Terminal): void {
  remote(
    program
      .command('trace')
      .argument('<pipeline>')
      .argument('<table>', 'schema.table at the source')
      .argument('[key...]', 'value of the key, one for each of its columns')
      .description(
        "where is my row? The latest change of a key in the source's log, and what has become of it; exit code 4 when there is none",
      )
      .option(
        '--where <column=value...>',
        'columns in place of the key, for tables without one; <column> alone is NULL',
      )
      .option('--last <time>', 'how far back the log is searched, such as 30m, 6h or 2d', span, 3_600_000)
      .option('--max-bytes <size>', 'no file of the log is begun beyond it', size, 8 * 1024 ** 3),
  )
    .addHelpText(
      'after',
      `
Examples:
  holt trace orders shop.orders 4711
  holt trace orders shop.order_items 4711 3              a key of two columns
  holt trace orders shop.customers 'Zoë' --last 1d       equal by the column's collation
  holt trace orders shop.devices 0x00a1f3 -o json        a binary key
  holt trace orders shop.journal --where what=paid --where note

Dates and times are written as SQL writes them, TIMESTAMP in UTC. The log is read over a connection of its own, which is no replica,
by a node at the source's site; Ctrl-C ends it. Needs the role operator, since it shows values of key columns.`,
    )
    .action(async (name: string, table: string, key: readonly string[], options: TraceOptions) => {
      const api = clientOf(options);
      const trace = await follow(api, name, requestOf(table, key, options), options.output, terminal);
      if (trace.error !== null)
        throw new HoltError(trace.error.code, trace.error.message, {
          disposition: 'fatal',
          ...(trace.error.remedy === null ? {} : { remedy: trace.error.remedy }),
        });
      terminal.out(
        formatValue(options.output, trace, () =>
          traceText(trace, options.output === 'wide', terminal.width()),
        ),
      );
      if (trace.state === 'not-found') terminal.exit(EXIT.notFound);
    });
}

function requestOf(table: string, key: readonly string[], options: TraceOptions): TraceRequest {
  const where = Object.fromEntries(
    (options.where ?? []).map((one) => {
      const at = one.indexOf('=');
      return at < 0 ? [one, null] : [one.slice(0, at), one.slice(at + 1)];
    }),
  );
  if ((key.length === 0) === (Object.keys(where).length === 0))
    throw new HoltError('HOLT_REQUEST_INVALID', 'either a key or --where <column>=<value> is expected', {
      disposition: 'fatal',
    });
  return {
    table,
    ...(key.length === 0 ? { where } : { key: [...key] }),
    lastMs: options.last,
    maxBytes: options.maxBytes,
  };
}

/** Until it is over; an interrupt ends it at the node, too. */
async function follow(
  api: ApiClient,
  pipeline: string,
  request: TraceRequest,
  output: OutputFormat,
  terminal: Terminal,
): Promise<TraceView> {
  let trace = await api.startTrace(pipeline, request);
  const startedMs = systemClock.monotonicMs();
  const shows = terminal.interactive && output !== 'json' && output !== 'yaml';
  let shown = false;
  let pauseMs: number = POLL_MS.first;
  const { id } = trace;
  try {
    while (trace.state === 'running') {
      await systemClock.sleep(pauseMs, terminal.signal);
      pauseMs = Math.min(POLL_MS.most, pauseMs * 1.5);
      trace = await abortable(api.trace(pipeline, id), terminal.signal);
      if (!shows || systemClock.monotonicMs() - startedMs < QUIET_MS) continue;
      shown = true;
      process.stderr.write(`\r\u001b[K${progressText(trace)}`);
    }
  } catch (error) {
    if (terminal.signal.aborted) await api.cancelTrace(pipeline, id).catch(() => {});
    throw error;
  } finally {
    if (shown) process.stderr.write('\r\u001b[K');
  }
  return trace;
}

function progressText({ progress }: TraceView): string {
  const { file, bytesRead, bytesToRead } = progress;
  return `searching ${file ?? 'the log'}: ${formatBytes(bytesRead)} of at most ${formatBytes(bytesToRead)}`;
}

/** Lines for people. */
export function traceText(trace: TraceView, isWide: boolean, width: number): string {
  const { change, outcome } = trace;
  const back =
    trace.searchedBackToMs === null ? '' : `; the log was searched back to ${time(trace.searchedBackToMs)}`;
  const notes = trace.notes.map((note) => `note: ${oneLine(note)}`);
  const there = rowText(trace);
  if (change === null || outcome === null)
    return [`${trace.table}: no change of this key was found${back}`, ...there, ...notes].join('\n');
  const exact = change.commitIsExact ? '' : ' (the log says the second only)';
  const facts: [string, string][] = [
    ['change', `${change.op}${change.columns.length === 0 ? '' : ` of ${change.columns.join(', ')}`}`],
    [
      'committed',
      `${time(change.commitMs)}${exact}${change.origin === null ? '' : `, by Holt from ${change.origin}`}`,
    ],
    ['at', `${change.file}:${change.offset}${change.gtid === null ? '' : `, GTID ${change.gtid}`}`],
    ['now', `${outcome.kind}: ${outcome.text}`],
    ...(outcome.appliedMs === null ? [] : [['applied', time(outcome.appliedMs)] as [string, string]]),
    ...(outcome.ledgerId === null
      ? []
      : [
          ['ledger', `${outcome.code ?? ''}, holt errors show ${trace.pipeline} ${outcome.ledgerId}`] as [
            string,
            string,
          ],
        ]),
    ...(isWide
      ? ([
          ['target', trace.target ?? '-'],
          ['before', imageText(change.keyBefore)],
          ['after', imageText(change.keyAfter)],
          ['batch', outcome.batch ?? '-'],
          ['XA', change.xid ?? '-'],
        ] as [string, string][])
      : []),
  ];
  const label = Math.max(...facts.map(([name]) => name.length));
  const head = facts.map(([name, value]) => `${name.padEnd(label)}  ${oneLine(value)}`);
  const steps =
    trace.steps.length === 0
      ? []
      : [
          '',
          formatTable(
            trace.steps,
            [
              { title: 'stage', value: (row) => row.stage },
              {
                title: 'took',
                value: (row) => (row.tookMs === null ? '?' : formatMs(row.tookMs)),
                align: 'right',
              },
              { title: 'done', value: (row) => (row.doneMs === null ? 'not yet' : time(row.doneMs)) },
              { title: 'node', value: (row) => row.node ?? '-' },
            ],
            width,
          ),
        ];
  return [...head, ...steps, ...(there.length + notes.length === 0 ? [] : ['']), ...there, ...notes].join(
    '\n',
  );
}

function rowText({ rowAt }: TraceView): string[] {
  const say = (is: boolean | null) => (is === null ? 'not looked' : is ? 'there' : 'not there');
  if (rowAt.source === null && rowAt.target === null) return [];
  return [`a row with this key now: at the source ${say(rowAt.source)}, at the target ${say(rowAt.target)}`];
}

function imageText(image: Readonly<Record<string, string | null>> | null): string {
  if (image === null) return '-';
  return Object.entries(image)
    .map(([name, value]) => `${name}=${value ?? 'NULL'}`)
    .join(' ');
}

const time = (ms: number) => new Date(ms).toISOString().replace('T', ' ').replace('Z', ' UTC');
