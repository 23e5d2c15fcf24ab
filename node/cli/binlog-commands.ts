/** `holt binlog dump`: looks into a binlog file, without any server. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { DumpedEvent, DumpedRow } from '../binlog/binlog-dump.ts';
import type { ReadableImage } from '../readable-row.ts';
import { type OutputFormat, oneLine } from './output.ts';
import type { Terminal } from './remote-commands.ts';

interface BinlogOptions {
  readonly output: OutputFormat;
  readonly limit?: number;
  readonly start?: number;
  readonly rows?: true;
}

function count(text: string): number {
  const value = Number(text);
  if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(value))
    throw new InvalidArgumentError('a whole number is expected');
  return value;
}

export function addBinlogCommands(program: Command, terminal: Terminal): void {
  const binlog = program.command('binlog').description('look into binlog files');
  binlog
    .command('dump')
    .argument('<file>', 'a binlog file of MySQL or MariaDB')
    .description('one line an event; values of rows only with --rows')
    .addOption(
      new Option('-o, --output <format>', 'table for people, json (an object a line) for programs')
        .choices(['table', 'json'])
        .default('table'),
    )
    .option('--limit <n>', 'stop after so many events', count)
    .option('--start <offset>', 'begin at the event that stands there', count)
    .option('--rows', 'show the values of rows, too')
    .action(async (file: string, options: BinlogOptions) => {
      const write = options.output === 'json' ? json : table;
      let shown = 0;
      const head = () => {
        if (options.output === 'table' && shown === 0) terminal.out(HEAD);
      };
      if (options.limit === 0) {
        head();
        return;
      }
      const { dumpBinlog } = await import('../binlog/binlog-dump.ts');
      for await (const event of dumpBinlog(file, {
        signal: terminal.signal,
        ...(options.start === undefined ? {} : { start: options.start }),
      })) {
        head();
        write(event, options.rows === true, terminal.out);
        shown += 1;
        if (shown === options.limit) return;
      }
    });
}

const WIDTHS = { offset: 10, at: 20, server: 10, kind: 20 };
const HEAD = `${'OFFSET'.padStart(WIDTHS.offset)}  ${'TIME'.padEnd(WIDTHS.at)}  ${'SERVER'.padStart(WIDTHS.server)}  ${'KIND'.padEnd(WIDTHS.kind)}  FACTS`;

function table(event: DumpedEvent, withRows: boolean, out: Terminal['out']): void {
  const facts = Object.entries(event.facts).map(
    ([name, value]) => `${name}=${typeof value === 'object' ? value.join(',') : oneLine(String(value))}`,
  );
  const indent = event.inner ? '  ' : '';
  const line = [
    String(event.offset).padStart(WIDTHS.offset),
    (event.at ?? '-').padEnd(WIDTHS.at),
    String(event.serverId).padStart(WIDTHS.server),
    `${indent}${event.kind}`.padEnd(WIDTHS.kind),
    [...facts, ...(event.sql === null ? [] : [oneLine(event.sql)])].join(' '),
  ];
  out(line.join('  ').trimEnd());
  if (!withRows) return;
  for (const row of event.rows) out(rowText(row, `${indent}    `));
}

function rowText({ before, after }: DumpedRow, indent: string): string {
  if (before === null) return `${indent}+ ${imageText(after)}`;
  if (after === null) return `${indent}- ${imageText(before)}`;
  return `${indent}- ${imageText(before)}\n${indent}+ ${imageText(after)}`;
}

function imageText(image: ReadableImage | null): string {
  return Object.entries(image ?? {})
    .map(([name, value]) => `${oneLine(name)}=${value === null ? 'NULL' : oneLine(JSON.stringify(value))}`)
    .join(' ');
}

function json(event: DumpedEvent, withRows: boolean, out: Terminal['out']): void {
  const { offset, at, serverId, kind, inner, facts, sql, rows } = event;
  out(
    JSON.stringify({
      offset,
      at,
      serverId,
      kind,
      inner,
      facts,
      sql,
      ...(withRows ? { rows: [...rows] } : {}),
    }),
  );
}
