/** Tables for people, JSON for programs; errors as one line, a hint and a code. */
import { createRequire } from 'node:module';
import { HoltError, messageOf } from '../../lib/errors.ts';
import { ERROR_CODES, type ErrorCodeName, remedyOf } from '../../model/error-codes.ts';

export const OUTPUT_FORMATS = ['table', 'wide', 'json', 'yaml'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** `text` for people, the value itself for programs. */
export function formatValue(format: OutputFormat, value: unknown, text: () => string): string {
  switch (format) {
    case 'table':
    case 'wide':
      return text();
    case 'json':
      return JSON.stringify(value);
    case 'yaml': {
      // Loaded by those only who want it.
      const { stringify } = createRequire(import.meta.url)('yaml') as typeof import('yaml');
      return stringify(value).trimEnd();
    }
    default:
      return format satisfies never;
  }
}

export interface Column<T> {
  readonly title: string;
  readonly value: (row: T) => string;
  readonly align?: 'left' | 'right';
}

/** Below this the last column goes to a line of its own. */
const NARROW = 30;

/**
 * Columns separated by two spaces, titles in capitals, no trailing blanks. On a screen of `screenWidth` characters the last
 * column is broken between words, its further lines beneath its first one.
 */
export function formatTable<T>(
  rows: readonly T[],
  columns: readonly Column<T>[],
  screenWidth = Number.POSITIVE_INFINITY,
): string {
  const cells = rows.map((row) => columns.map((column) => oneLine(column.value(row))));
  const widths = columns.map((column, i) =>
    Math.max(width(column.title), ...cells.map((line) => width(line[i] ?? ''))),
  );
  const line = (texts: readonly string[]) =>
    texts
      .map((text, i) => {
        const pad = ' '.repeat(Math.max(0, (widths[i] ?? 0) - width(text)));
        return columns[i]?.align === 'right' ? pad + text : text + pad;
      })
      .join('  ')
      .trimEnd();
  const head = line(columns.map((column) => column.title.toUpperCase()));
  const before = widths.slice(0, -1).reduce((sum, one) => sum + one + 2, 0);
  const fits = before + (widths.at(-1) ?? 0) <= screenWidth;
  if (fits) return [head, ...cells.map(line)].join('\n');
  const isNarrow = screenWidth - before < NARROW;
  const indent = isNarrow ? 4 : before;
  const broken = cells.map((texts) => {
    const [first = '', ...rest] = wrap(texts.at(-1) ?? '', Math.max(NARROW, screenWidth - indent));
    const further = (isNarrow && first !== '' ? [first, ...rest] : rest).map(
      (text) => ' '.repeat(indent) + text,
    );
    return [line([...texts.slice(0, -1), isNarrow ? '' : first]), ...further].join('\n');
  });
  return [head, ...broken].join('\n');
}

/** Lines of at most `columns` characters, broken at spaces; a longer word has a line of its own. */
function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && width(last) + 1 + width(word) <= columns)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** Control characters would break the line, or speak to the terminal. */
export function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, (found) =>
    found === '\n' ? ' ' : `\\x${found.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/** `1 error`, `2 errors`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function width(text: string): number {
  return [...text].length;
}

export { formatBytes, formatMeasured, formatMs, formatRate } from '../../model/figures.ts';

/** Exit codes of the CLI. */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  config: 3,
  notFound: 4,
  conflict: 5,
  forbidden: 6,
  unreachable: 7,
  differences: 8,
  threshold: 9,
  partial: 10,
  timeout: 124,
} as const;

const EXIT_BY_CODE: Readonly<Partial<Record<ErrorCodeName, number>>> = {
  HOLT_API_NOT_LOOPBACK: EXIT.config,
  HOLT_CLUSTER_KEY_WEAK: EXIT.config,
  HOLT_FILE_UNREADABLE: EXIT.config,
  HOLT_CONFIG_INVALID: EXIT.config,
  HOLT_CONFIG_MISSING: EXIT.config,
  HOLT_SECRET_MISSING: EXIT.config,
  HOLT_PIPELINE_UNKNOWN: EXIT.notFound,
  HOLT_NODE_UNKNOWN: EXIT.notFound,
  HOLT_LEDGER_MISSING: EXIT.notFound,
  HOLT_BATCH_UNKNOWN: EXIT.notFound,
  HOLT_CONFIG_UNKNOWN: EXIT.notFound,
  HOLT_CONFIG_VERSION: EXIT.conflict,
  HOLT_NODE_NEEDED: EXIT.conflict,
  HOLT_DDL_MISSING: EXIT.notFound,
  HOLT_VERIFY_UNKNOWN: EXIT.notFound,
  HOLT_WAIT_TIMEOUT: EXIT.failure,
  HOLT_TRACE_TABLE: EXIT.notFound,
  HOLT_TRACE_UNKNOWN: EXIT.notFound,
  HOLT_TRACE_KEY: EXIT.usage,
  HOLT_PIPELINE_STATE: EXIT.conflict,
  HOLT_LEDGER_REPLAYED: EXIT.conflict,
  HOLT_REPLAY_REFUSED: EXIT.conflict,
  HOLT_API_TOKEN_WEAK: EXIT.config,
  HOLT_TABLE_NOT_PARKED: EXIT.notFound,
  HOLT_ACCOUNT_UNKNOWN: EXIT.notFound,
  HOLT_TOKEN_UNKNOWN: EXIT.notFound,
  HOLT_ALARM_UNKNOWN: EXIT.notFound,
  HOLT_ALARM_CHANNEL_UNKNOWN: EXIT.notFound,
  HOLT_ALARM_SILENCE_UNKNOWN: EXIT.notFound,
  HOLT_ALARM_SILENCES_FULL: EXIT.conflict,
  HOLT_ALARM_BUSY: EXIT.conflict,
  HOLT_ACCOUNT_EXISTS: EXIT.conflict,
  HOLT_LAST_ADMIN: EXIT.conflict,
  HOLT_UNAUTHENTICATED: EXIT.forbidden,
  HOLT_FORBIDDEN: EXIT.forbidden,
  HOLT_LOGIN_FAILED: EXIT.forbidden,
  HOLT_LOGIN_LOCKED: EXIT.forbidden,
  HOLT_SETUP_REFUSED: EXIT.forbidden,
  HOLT_SERVER_UNREACHABLE: EXIT.unreachable,
  HOLT_REQUEST_INVALID: EXIT.usage,
  HOLT_POSITION_INVALID: EXIT.usage,
  HOLT_NAME_INVALID: EXIT.usage,
};

export function exitCodeOf(error: unknown): number {
  if (error instanceof HoltError)
    return (
      (EXIT_BY_CODE as Readonly<Record<string, number | undefined>>)[error.code] ??
      (error.disposition === 'retry' ? EXIT.unreachable : EXIT.failure)
    );
  return EXIT.failure;
}

export function formatError(error: unknown, format: OutputFormat): string {
  const holt = error instanceof HoltError ? error : null;
  const remedy = holt === null ? ERROR_CODES.HOLT_INTERNAL.remedy : remedyOf(holt);
  if (format === 'json')
    return JSON.stringify({
      error: {
        code: holt?.code ?? 'HOLT_INTERNAL',
        message: messageOf(error),
        remedy: holt === null ? null : remedyOf(holt),
      },
    });
  const [first = '', ...rest] = messageOf(error).split('\n');
  const lines = [`holt: ${first} [${holt?.code ?? 'HOLT_INTERNAL'}]`, ...rest];
  if (remedy !== null) lines.push(`  ${remedy}`);
  return lines.join('\n');
}
