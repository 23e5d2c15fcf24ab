/**
 * The core: state and readings to the next state and what is to be told. Pure.
 *
 *                        held for `for`
 *     (none) ──bad──► pending ─────────► firing ──over for `clearFor`──► (none)
 *        ▲               │                 │ ▲
 *        └─near, good────┘                 └─┘ bad, near, unknown: it goes on
 *
 * An alarm that fires again soon takes twice as long to be over each time, up to a limit: what flaps is one long alarm, told once.
 * Outside a rule's times of day nothing becomes pending or fires, and what fires goes on until it is over.
 */
import { createHash } from 'node:crypto';
import { wildcard } from '../../lib/wildcard.ts';
import { ALARM_SEVERITIES, type AlarmRule, type AlarmSeverity, atLeastAsBad } from '../../model/alarm.ts';
import {
  type Alarm,
  MAX_NOTICED,
  type Notice,
  type NoticedAlarm,
  type NoticeKind,
  type Orders,
  type Silence,
  type Told,
} from './alarms.ts';
import { type Condition, conditionsOf, type Memory, NO_MEMORY, remember } from './conditions.ts';
import type { Readings } from './readings.ts';
import { isDuring } from './time-of-day.ts';

export interface AlarmState {
  readonly alarms: ReadonlyMap<string, Alarm>;
  readonly memory: Memory;
  /** Alarm → when it has fired of late, also while it does not stand. */
  readonly fires: ReadonlyMap<string, readonly number[]>;
}

export const NO_ALARMS: AlarmState = { alarms: new Map(), memory: NO_MEMORY, fires: new Map() };

export interface Evaluation {
  readonly state: AlarmState;
  readonly notices: readonly Notice[];
}

export interface RuleSet {
  readonly rules: readonly AlarmRule[];
  readonly timezone: string;
  readonly channels: readonly { readonly name: string; readonly severity: AlarmSeverity }[];
}

/** So far back it counts as coming and going. */
export const FLAP_WINDOW_MS = 30 * 60_000;
/** The longest that what flaps must be over. */
export const FLAP_LIMIT_MS = 15 * 60_000;
/** Alarms at once: beyond these something larger is wrong, and it is told already. */
export const MAX_ALARMS = 2_000;

export function evaluate(
  before: AlarmState,
  readings: Readings,
  { rules, timezone, channels }: RuleSet,
  orders: Orders,
): Evaluation {
  const { nowMs } = readings;
  const memory = remember(before.memory, readings);
  const alarms = new Map<string, Alarm>();
  const over: Alarm[] = [];
  const fires = new Map<string, readonly number[]>(
    [...before.fires].flatMap(([id, times]) => {
      const kept = times.filter((at) => at > nowMs - FLAP_WINDOW_MS);
      return kept.length === 0 ? [] : [[id, kept] as const];
    }),
  );
  const seen = new Set<string>();
  for (const rule of rules) {
    const awake = isDuring(rule.during, nowMs, timezone);
    for (const condition of conditionsOf(rule, readings, memory)) {
      const id = alarmId(rule.name, condition.subject);
      if (seen.has(id)) continue;
      seen.add(id);
      const known = before.alarms.get(id);
      const next = step(known, condition, { id, nowMs, awake, fires: fires.get(id) ?? [] });
      if (next === null) {
        if (known?.state === 'firing') over.push(known);
      } else if (known !== undefined || alarms.size < MAX_ALARMS) {
        alarms.set(id, next);
        if (next.state === 'firing') fires.set(id, next.fires);
      }
    }
  }
  for (const [id, one] of before.alarms) {
    if (seen.has(id) || one.state !== 'firing') continue;
    // Its rule is there no more, or its subject: a clock that nobody can measure just now, a node that was given up.
    const rule = rules.find(({ name }) => name === one.rule);
    const clearSinceMs = one.clearSinceMs ?? nowMs;
    if (rule === undefined || nowMs - clearSinceMs >= clearForMs(rule, one.fires, nowMs)) over.push(one);
    else alarms.set(id, { ...one, clearSinceMs });
  }
  const { told, notices } = tell(alarms, over, { rules, channels, orders, nowMs });
  return { state: { alarms: told, memory, fires }, notices };
}

/** A name in the tree and in addresses. */
export function alarmId(rule: string, subject: string): string {
  return `${rule}~${subject.replaceAll(' ', '.')}`;
}

interface Step {
  readonly id: string;
  readonly nowMs: number;
  readonly awake: boolean;
  readonly fires: readonly number[];
}

function step(
  known: Alarm | undefined,
  condition: Condition,
  { id, nowMs, awake, fires }: Step,
): Alarm | null {
  const { rule, level } = condition;
  const facts = {
    severity: rule.severity,
    value: condition.value,
    threshold: rule.threshold,
    stage: condition.stage,
    node: condition.node,
    code: condition.code,
  };
  if (known?.state === 'firing') {
    if (level !== 'good')
      // What is not known stays as it was last known.
      return {
        ...known,
        ...(level === 'unknown' ? { severity: rule.severity } : facts),
        clearSinceMs: level === 'bad' || level === 'unknown' ? null : known.clearSinceMs,
      };
    const clearSinceMs = known.clearSinceMs ?? nowMs;
    if (nowMs - clearSinceMs >= clearForMs(rule, known.fires, nowMs)) return null;
    return { ...known, severity: rule.severity, clearSinceMs };
  }
  if (!awake) return null;
  if (level === 'unknown') return known ?? null;
  if (level !== 'bad') return null;
  const sinceMs = known?.sinceMs ?? nowMs;
  const isDue = nowMs - sinceMs >= rule.forMs;
  return {
    id,
    rule: rule.name,
    kind: rule.when,
    subject: condition.subject,
    pipeline: condition.pipeline,
    state: isDue ? 'firing' : 'pending',
    sinceMs,
    firedMs: isDue ? nowMs : null,
    clearSinceMs: null,
    group: condition.group,
    told: null,
    fires: isDue ? [...fires, nowMs].slice(-20) : fires,
    ...facts,
  };
}

/** Twice as long for each time that it has fired of late. */
export function clearForMs(rule: AlarmRule, fires: readonly number[], nowMs: number): number {
  const recent = fires.filter((at) => at > nowMs - FLAP_WINDOW_MS).length;
  const factor = 2 ** Math.min(10, Math.max(0, recent - 1));
  return Math.max(rule.clearForMs, Math.min(FLAP_LIMIT_MS, rule.clearForMs * factor));
}

interface Telling {
  readonly rules: readonly AlarmRule[];
  readonly channels: RuleSet['channels'];
  readonly orders: Orders;
  readonly nowMs: number;
}

/** What is to be told of each group; alarms that are told about, or join what was told, say so from then on. */
function tell(
  alarms: ReadonlyMap<string, Alarm>,
  over: readonly Alarm[],
  telling: Telling,
): { readonly told: ReadonlyMap<string, Alarm>; readonly notices: readonly Notice[] } {
  const { orders, nowMs } = telling;
  const told = new Map(alarms);
  const notices: Notice[] = [];
  const groups = grouped([...alarms.values()].filter(isFiring));
  for (const [group, members] of groups) {
    const gone = over.filter((one) => one.group === group);
    const before = lastTold([...members, ...gone]);
    const loud = members.filter((one) => !orders.silences.some((silence) => isSilenced(one, silence, nowMs)));
    const kind = noticeKind(
      before,
      loud,
      orders.acks.some((one) => one.group === group),
      telling,
    );
    let now = before;
    if (kind !== null) {
      const made = noticeOf(kind, group, loud, telling);
      notices.push(made);
      const reached = new Set([...(before?.channels ?? []), ...made.channels]);
      now = { atMs: nowMs, severity: worstOf(loud), channels: [...reached] };
      if (before !== null && atLeastAsBad(before.severity, now.severity))
        now = { ...now, severity: before.severity };
    }
    if (now !== null)
      for (const one of members) if (!sameTold(one.told, now)) told.set(one.id, { ...one, told: now });
  }
  // Whoever was told that something is wrong is told that it is over, silence or not.
  for (const [group, gone] of grouped(over)) {
    if (groups.has(group)) continue;
    const before = lastTold(gone);
    if (before === null) continue;
    notices.push({
      ...noticeOf('resolved', group, gone, telling),
      severity: before.severity,
      channels: before.channels,
    });
  }
  return { told, notices };
}

const isFiring = (one: Alarm) => one.state === 'firing';

function grouped(alarms: readonly Alarm[]): ReadonlyMap<string, readonly Alarm[]> {
  const groups = new Map<string, Alarm[]>();
  for (const one of alarms) {
    const members = groups.get(one.group);
    if (members === undefined) groups.set(one.group, [one]);
    else members.push(one);
  }
  return groups;
}

function lastTold(alarms: readonly Alarm[]): Told | null {
  let found: Told | null = null;
  for (const { told } of alarms)
    if (told !== null && (found === null || told.atMs > found.atMs)) found = told;
  return found;
}

function sameTold(a: Told | null, b: Told): boolean {
  return a !== null && a.atMs === b.atMs && a.severity === b.severity;
}

function noticeKind(
  before: Told | null,
  loud: readonly Alarm[],
  isAcked: boolean,
  { rules, nowMs }: Telling,
): NoticeKind | null {
  if (loud.length === 0) return null;
  if (before === null) return 'firing';
  if (!atLeastAsBad(before.severity, worstOf(loud))) return 'worse';
  if (isAcked) return null;
  const repeats = loud.flatMap((one) => rules.find((rule) => rule.name === one.rule)?.repeatMs ?? []);
  return repeats.length > 0 && nowMs - before.atMs >= Math.min(...repeats) ? 'still' : null;
}

export function isSilenced(
  one: Alarm,
  { fromMs, untilMs, rules, subjects }: Silence,
  nowMs: number,
): boolean {
  return (
    nowMs >= fromMs &&
    nowMs < untilMs &&
    rules.some((pattern) => wildcard(pattern)(one.rule)) &&
    subjects.some((pattern) => wildcard(pattern)(one.subject))
  );
}

export function worstOf(alarms: readonly { readonly severity: AlarmSeverity }[]): AlarmSeverity {
  let worst: AlarmSeverity = 'info';
  for (const { severity } of alarms) if (atLeastAsBad(severity, worst)) worst = severity;
  return worst;
}

function noticeOf(
  kind: NoticeKind,
  group: string,
  alarms: readonly Alarm[],
  { rules, channels, nowMs }: Telling,
): Notice {
  const worst = worstOf(alarms);
  const wanted = new Set(
    alarms.flatMap((one) => rules.find((rule) => rule.name === one.rule)?.channels ?? []),
  );
  const digest = createHash('sha256').update(`${group}\0${kind}`).digest('hex').slice(0, 12);
  const sorted = alarms.toSorted(
    (a, b) =>
      ALARM_SEVERITIES.indexOf(b.severity) - ALARM_SEVERITIES.indexOf(a.severity) ||
      // The cause before what it brings about.
      Number(b.pipeline === null) - Number(a.pipeline === null) ||
      (a.id < b.id ? -1 : 1),
  );
  return {
    id: `${String(Math.round(nowMs)).padStart(15, '0')}-${digest}`,
    kind,
    atMs: Math.round(nowMs),
    group,
    severity: worst,
    alarms: sorted.slice(0, MAX_NOTICED).map(noticed),
    count: alarms.length,
    channels: channels
      .filter((one) => wanted.has(one.name) && atLeastAsBad(worst, one.severity))
      .map((one) => one.name),
  };
}

function noticed({
  id,
  rule,
  kind,
  severity,
  subject,
  pipeline,
  sinceMs,
  value,
  stage,
  node,
  code,
}: Alarm): NoticedAlarm {
  return { id, rule, kind, severity, subject, pipeline, sinceMs, value, stage, node, code };
}
