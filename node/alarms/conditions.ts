/** From readings to conditions: what each rule finds about each of its subjects, and whose fault that is. Pure. */
import { wildcard } from '../../lib/wildcard.ts';
import type { AlarmKind, AlarmRule } from '../../model/alarm.ts';
import { STAGES, type StageName } from '../../model/stage.ts';
import type { PipelineStatusView } from '../operations.ts';
import type { NodeReading, PipelineEnds, Readings } from './readings.ts';

/**
 * `bad`: beyond the threshold. `near`: not beyond it, and not far enough from it to be over. `unknown`: nobody can say, which neither
 * raises an alarm nor ends one.
 */
export type Level = 'bad' | 'near' | 'good' | 'unknown';

export interface Condition {
  readonly rule: AlarmRule;
  readonly subject: string;
  readonly pipeline: string | null;
  readonly level: Level;
  readonly value: number | null;
  readonly stage: StageName | null;
  readonly node: string | null;
  readonly code: string | null;
  /** Root cause. */
  readonly group: string;
}

/** What must be remembered from look to look. */
export interface Memory {
  /** Pipeline → where reading stands, and since when it stands there. */
  readonly positions: ReadonlyMap<string, { readonly text: string; readonly sinceMs: number }>;
  /** Pipeline → since when nobody is known to lead it. */
  readonly headless: ReadonlyMap<string, number>;
  /** Pipeline → entries of the ledger, oldest first. */
  readonly ledger: ReadonlyMap<
    string,
    readonly { readonly atMs: number; readonly conflicts: number; readonly deadLetters: number }[]
  >;
}

export const NO_MEMORY: Memory = { positions: new Map(), headless: new Map(), ledger: new Map() };

/** Below this share of a threshold it is over. */
const OVER = 0.8;
/** Entries of the ledger are counted together for so long. */
const BUCKET_MS = 5_000;
/** Longest that a rule may count over. */
const COUNTED_MS = 24 * 3_600_000;
/** At most this much of what the source keeps may be asked for as left. */
const RETENTION_SHARE = 0.5;

export function remember(before: Memory, { nowMs, pipelines, ledger }: Readings): Memory {
  const positions = new Map<string, { readonly text: string; readonly sinceMs: number }>();
  const headless = new Map<string, number>();
  for (const { status } of pipelines) {
    const { pipeline, position } = status;
    const known = before.positions.get(pipeline);
    if (isWanted(status) && position !== null)
      positions.set(pipeline, known?.text === position ? known : { text: position, sinceMs: nowMs });
    if (isHeadless(status)) headless.set(pipeline, before.headless.get(pipeline) ?? nowMs);
  }
  const counts = new Map(
    [...before.ledger].flatMap(([pipeline, entries]) => {
      const kept = entries.filter(({ atMs }) => atMs > nowMs - COUNTED_MS);
      return kept.length === 0 ? [] : [[pipeline, kept] as const];
    }),
  );
  for (const { pipeline, conflicts, deadLetters } of ledger) {
    if (conflicts === 0 && deadLetters === 0) continue;
    const entries = counts.get(pipeline) ?? [];
    const last = entries.at(-1);
    const joined =
      last !== undefined && nowMs - last.atMs < BUCKET_MS
        ? [
            ...entries.slice(0, -1),
            {
              atMs: last.atMs,
              conflicts: last.conflicts + conflicts,
              deadLetters: last.deadLetters + deadLetters,
            },
          ]
        : [...entries, { atMs: nowMs, conflicts, deadLetters }];
    counts.set(pipeline, joined);
  }
  return { positions, headless, ledger: counts };
}

/** Somebody wants it to run, and it can. */
function isWanted({ state }: PipelineStatusView): boolean {
  return state !== 'paused' && state !== 'stopped' && state !== 'failed';
}

function isHeadless(status: PipelineStatusView): boolean {
  if (!isWanted(status)) return false;
  return status.state === 'unknown' || status.stages.find((one) => one.stage === 'select')?.holder === null;
}

export function conditionsOf(rule: AlarmRule, readings: Readings, memory: Memory): Condition[] {
  const fits = subjectFilter(rule);
  const { when } = rule;
  switch (when) {
    case 'node':
      return readings.nodes.flatMap((one) => (fits(one.node) ? [nodeCondition(rule, one)] : []));
    case 'clock':
      return clockConditions(rule, readings, fits);
    default:
      return readings.pipelines.flatMap((one) =>
        fits(one.status.pipeline) ? [pipelineCondition(rule, when, one, readings, memory)] : [],
      );
  }
}

function subjectFilter({ subjects, except }: AlarmRule): (name: string) => boolean {
  const yes = subjects.map(wildcard);
  const no = except.map(wildcard);
  return (name) => yes.some((one) => one(name)) && !no.some((one) => one(name));
}

/** Beyond the threshold, near it, or far from it. */
function above(value: number | null, threshold: number): Level {
  if (value === null) return 'unknown';
  if (value >= threshold) return 'bad';
  return value > threshold * OVER ? 'near' : 'good';
}

function nodeCondition(rule: AlarmRule, { node, silentMs }: NodeReading): Condition {
  return {
    rule,
    subject: node,
    pipeline: null,
    // An answer is an answer: there is nothing near it.
    level: silentMs >= rule.threshold ? 'bad' : silentMs > 0 ? 'near' : 'good',
    value: silentMs,
    stage: null,
    node,
    code: null,
    group: `node ${node}`,
  };
}

/** One for each party: the least that any node says, since it is the party that is suspected, not those who look at it. */
function clockConditions(
  rule: AlarmRule,
  { clocks }: Readings,
  fits: (name: string) => boolean,
): Condition[] {
  const parties = new Map<string, { readonly ms: number; readonly by: string }>();
  for (const { party, aheadMs, errorMs, by } of clocks) {
    if (!fits(party)) continue;
    const ms = Math.max(0, Math.abs(aheadMs) - errorMs);
    const known = parties.get(party);
    if (known === undefined || ms < known.ms) parties.set(party, { ms, by });
  }
  return [...parties].map(([party, { ms }]) => ({
    rule,
    subject: party,
    pipeline: null,
    level: above(ms, rule.threshold),
    value: ms,
    stage: null,
    node: null,
    code: null,
    // One clock that is wrong is apart from all others.
    group: 'clocks',
  }));
}

function pipelineCondition(
  rule: AlarmRule,
  kind: Exclude<AlarmKind, 'node' | 'clock'>,
  { status, ends }: Readings['pipelines'][number],
  readings: Readings,
  memory: Memory,
): Condition {
  const { pipeline, lag, stages } = status;
  const found = measure(rule, kind, status, readings, memory);
  const stage = kind === 'lag' || kind === 'stuck' || kind === 'error' ? stageOf(status) : null;
  const at = stages.find((one) => one.stage === stage);
  const isFlow = !['conflicts', 'dead-letters', 'binlog', 'paused'].includes(kind);
  return {
    rule,
    subject: pipeline,
    pipeline,
    ...found,
    stage,
    node: at?.holder ?? null,
    code: status.code,
    group: isFlow
      ? (rootCause(status, lag.stage, ends, readings.nodes) ?? `pipeline ${pipeline}`)
      : `${kind} ${pipeline}`,
  };
}

/** The stage with the problem that is the state's code, else the one that holds the lag. */
function stageOf({ code, lagStage, stages }: PipelineStatusView): StageName | null {
  const troubled = code === null ? undefined : stages.find((one) => one.problem?.code === code);
  return troubled?.stage ?? lagStage;
}

function measure(
  rule: AlarmRule,
  kind: Exclude<AlarmKind, 'node' | 'clock'>,
  status: PipelineStatusView,
  { nowMs, retention }: Readings,
  memory: Memory,
): { readonly level: Level; readonly value: number | null } {
  const { pipeline, lag } = status;
  const { threshold } = rule;
  const over = { level: 'good', value: 0 } as const;
  const judged = (value: number | null) => ({ level: above(value, threshold), value });
  switch (kind) {
    case 'lag':
      return isWanted(status) ? judged(lag.endToEnd?.ms ?? null) : over;
    case 'stuck':
      return isWanted(status) ? judged(standstillMs(status, nowMs, memory)) : over;
    case 'error':
      if (status.code !== null) return { level: 'bad', value: null };
      return { level: status.state === 'unknown' ? 'unknown' : 'good', value: null };
    case 'position': {
      if (!isWanted(status)) return over;
      const since = memory.positions.get(pipeline)?.sinceMs;
      return judged(since === undefined ? null : Math.max(0, nowMs - since));
    }
    case 'heartbeat':
      return isWanted(status) ? judged(lag.heartbeatAgoMs) : over;
    case 'conflicts':
    case 'dead-letters': {
      const from = nowMs - rule.withinMs;
      const counted = (memory.ledger.get(pipeline) ?? []).filter(({ atMs }) => atMs > from);
      const count = counted.reduce(
        (sum, one) => sum + (kind === 'conflicts' ? one.conflicts : one.deadLetters),
        0,
      );
      return judged(count);
    }
    case 'binlog': {
      const found = retention.find((one) => one.pipeline === pipeline);
      if (found === undefined) return { level: 'unknown', value: null };
      if (found.leftMs === null) return { level: 'good', value: null };
      const least = Math.min(threshold, (found.keepsMs ?? Number.POSITIVE_INFINITY) * RETENTION_SHARE);
      const level = found.leftMs <= least ? 'bad' : found.leftMs < least / OVER ? 'near' : 'good';
      return { level, value: found.leftMs };
    }
    case 'paused':
      if (status.state !== 'paused' && status.state !== 'stopped') return over;
      return judged(status.sinceMs === null ? null : Math.max(0, nowMs - status.sinceMs));
    default:
      return kind satisfies never;
  }
}

/** How long nothing has moved, as far as anybody can see; also while nobody says anything, since its node is frozen or gone. */
function standstillMs(status: PipelineStatusView, nowMs: number, memory: Memory): number {
  const since = memory.headless.get(status.pipeline);
  const silent = status.stages.find((one) => one.stage === 'select')?.silentMs ?? 0;
  return Math.max(status.lag.stalledMs, since === undefined ? 0 : Math.max(nowMs - since, silent));
}

/** Codes that say that a database cannot be used at all, whoever asks. */
const SERVER_CODES =
  /^HOLT_(SOURCE|TARGET)_(?:UNREACHABLE|LINK_LOST|SILENT|TLS|ACCESS_DENIED|READ_ONLY|DISK|CONNECTIONS|BINLOG_OFF)$/;

/** What many pipelines may share: a node that does not answer, a database. Null for the pipeline's own trouble. */
function rootCause(
  status: PipelineStatusView,
  lagStage: StageName | null,
  ends: PipelineEnds,
  nodes: readonly NodeReading[],
): string | null {
  const silent = status.stages.find((one) => one.silentMs !== null && one.holder !== null);
  if (silent !== undefined) return `node ${silent.holder}`;
  const stage = lagStage ?? (isHeadless(status) ? 'select' : null);
  if (stage !== null && status.stages.find((one) => one.stage === stage)?.holder === null) {
    const site = STAGES.indexOf(stage) < STAGES.indexOf('transform') ? ends.sourceSite : ends.targetSite;
    const lost = nodes.find((one) => one.silentMs > 0 && one.site === site && one.stages.includes(stage));
    if (lost !== undefined) return `node ${lost.node}`;
  }
  const [, end] = SERVER_CODES.exec(status.code ?? '') ?? [];
  if (end === 'SOURCE') return `source ${ends.source}`;
  if (end === 'TARGET') return `target ${ends.target}`;
  // What Select waits for is its source.
  if (status.stages.find((one) => one.stage === 'select')?.waiting) return `source ${ends.source}`;
  return null;
}
