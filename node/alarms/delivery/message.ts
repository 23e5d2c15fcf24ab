/** A notice in words: made of names, figures and codes only. Pure. */
import type { AlarmSeverity } from '../../../model/alarm.ts';
import { ERROR_CODES, type ErrorCode } from '../../../model/error-codes.ts';
import type { Notice, NoticedAlarm } from '../alarms.ts';

export interface Message {
  readonly id: string;
  readonly group: string;
  readonly kind: Notice['kind'] | 'test';
  readonly severity: AlarmSeverity;
  /** One line. */
  readonly title: string;
  /** One line each. */
  readonly lines: readonly string[];
  /** What to do, one line each. */
  readonly remedies: readonly string[];
  readonly link: string | null;
}

export interface Where {
  /** Name of the installation. */
  readonly cluster: string;
  readonly link: string | null;
}

export function messageOfNotice(notice: Notice, { cluster, link }: Where): Message {
  const { alarms, count, group, kind, severity } = notice;
  const [first] = alarms;
  const more = count - alarms.length;
  const lines = alarms.map((one) => alarmText(one, notice.atMs, kind === 'resolved'));
  return {
    id: notice.id,
    group,
    kind,
    severity,
    title: `${headOf(kind, severity)} ${cluster}: ${first === undefined ? group : titleOf(group, first, count)}`,
    lines: more > 0 ? [...lines, `and ${more} more`] : lines,
    remedies: kind === 'resolved' ? [] : remediesOf(alarms),
    link: link === null ? null : `${link}/alarms`,
  };
}

export function testMessage(id: string, by: string, { cluster, link }: Where): Message {
  return {
    id,
    group: 'test',
    kind: 'test',
    severity: 'info',
    title: `[test] ${cluster}: this channel works`,
    lines: [`A test, asked for by ${by}. Nothing is wrong.`],
    remedies: [],
    link: link === null ? null : `${link}/alarms`,
  };
}

function headOf(kind: Notice['kind'], severity: AlarmSeverity): string {
  switch (kind) {
    case 'resolved':
      return '[over]';
    case 'still':
      return `[${severity}, still]`;
    case 'worse':
      return `[${severity}, worse]`;
    case 'firing':
      return `[${severity}]`;
    default:
      return kind satisfies never;
  }
}

/** What it is about, and how much: the cause where several alarms have one. */
function titleOf(group: string, first: NoticedAlarm, count: number): string {
  if (count === 1) return alarmHead(first);
  if (group === 'clocks') return `${count} clocks are apart`;
  return `${group}: ${count} alarms, the first: ${alarmHead(first)}`;
}

function alarmHead({ kind, subject, stage, node, code }: NoticedAlarm): string {
  const at = stage === null ? '' : ` at ${stage}${node === null ? '' : ` on node ${node}`}`;
  switch (kind) {
    case 'lag':
      return `${subject} lags${at}`;
    case 'stuck':
      return `${subject} is stuck${at}`;
    case 'error':
      return `${subject}: ${code ?? 'an error'}${at}`;
    case 'position':
      return `${subject}: reading stands still`;
    case 'heartbeat':
      return `${subject}: no heartbeat from the source`;
    case 'node':
      return `node ${subject} does not answer`;
    case 'clock':
      return `clock of ${subject} is apart`;
    case 'conflicts':
      return `${subject}: rows differ at the target`;
    case 'dead-letters':
      return `${subject}: changes that the target cannot hold`;
    case 'binlog':
      return `${subject}: the source will purge log that is not read`;
    case 'paused':
      return `${subject} is paused or stopped`;
    default:
      return kind satisfies never;
  }
}

/** One line: what, how much, and for how long. */
export function alarmText(one: NoticedAlarm, nowMs: number, isOver: boolean): string {
  const lasted = `${isOver ? 'lasted' : 'for'} ${span(Math.max(0, nowMs - one.sinceMs))}`;
  const figure = isOver ? null : figureText(one);
  return `${alarmHead(one)} (${[figure, lasted].filter((text) => text !== null).join(', ')}) [${one.rule}]`;
}

export function figureText({ kind, value }: Pick<NoticedAlarm, 'kind' | 'value'>): string | null {
  if (value === null) return null;
  switch (kind) {
    case 'lag':
      return `lag ${span(value)}`;
    case 'stuck':
      return `nothing moved for ${span(value)}`;
    case 'position':
      return `at one place for ${span(value)}`;
    case 'heartbeat':
      return `the last ${span(value)} ago`;
    case 'node':
      return `silent for ${span(value)}`;
    case 'clock':
      return `by ${span(value)}`;
    case 'conflicts':
    case 'dead-letters':
      return `${value} changes in the ledger`;
    case 'binlog':
      return value === 0 ? 'purged already' : `${span(value)} left`;
    case 'paused':
    case 'error':
      return null;
    default:
      return kind satisfies never;
  }
}

function remediesOf(alarms: readonly NoticedAlarm[]): readonly string[] {
  const listed: Readonly<Partial<Record<string, ErrorCode>>> = ERROR_CODES;
  const codes = [...new Set(alarms.flatMap(({ code }) => (code === null ? [] : [code])))];
  return codes.slice(0, 3).flatMap((code) => {
    const known = listed[code];
    return known === undefined ? [] : [`${code}: ${known.what} ${known.remedy}`];
  });
}

export function span(ms: number): string {
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`;
  if (ms < 2 * 3_600_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 48 * 3_600_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000)} days`;
}
