/**
 * Words of alarms: what a rule can look for, how bad it is, and where it is told. `conf/` makes these of the configuration,
 * `node/alarms/` evaluates and delivers.
 */
import type { SecretRef } from './config.ts';

export const ALARM_KINDS = [
  /** Age of the oldest change that is not at the target. */
  'lag',
  /** Something is there to move, and nothing has moved; the alarm names the stage. */
  'stuck',
  /** The pipeline has failed, or is hindered by something with a code. */
  'error',
  /** Reading stands at one place, though heartbeats alone would move it. */
  'position',
  /** The source has not taken a heartbeat row. */
  'heartbeat',
  /** A node does not answer, or has gone without leaving. */
  'node',
  /** Two clocks are apart. */
  'clock',
  /** Changes were not applied as they came, since rows differed. */
  'conflicts',
  /** Changes went to the ledger because the target cannot hold them. */
  'dead-letters',
  /** The source will soon purge log that is not read yet. */
  'binlog',
  /** Paused or stopped, and perhaps forgotten. */
  'paused',
] as const;
export type AlarmKind = (typeof ALARM_KINDS)[number];

/** From mild to bad. */
export const ALARM_SEVERITIES = ['info', 'warning', 'critical'] as const;
export type AlarmSeverity = (typeof ALARM_SEVERITIES)[number];

export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

/** A time of day on some days, by the wall clock of the rules' time zone. `from` after `to` runs past midnight, and belongs to the day it began on. */
export interface TimeOfDay {
  readonly days: readonly Weekday[];
  /** Minutes since midnight: `from` to before `to`; equal for the whole day. */
  readonly fromMinute: number;
  readonly toMinute: number;
}

export interface AlarmRule {
  readonly name: string;
  readonly when: AlarmKind;
  /** Ms, or a number of changes within `withinMs` for conflicts and dead-letters; for `binlog` what is left is below it. */
  readonly threshold: number;
  /** Conflicts and dead-letters: counted over so long. */
  readonly withinMs: number;
  /** It must hold for so long before it is told. */
  readonly forMs: number;
  /** It must be over for so long before that is told. */
  readonly clearForMs: number;
  readonly severity: AlarmSeverity;
  /** Patterns of names of pipelines; of nodes and clocks' parties for the kinds that are about those. */
  readonly subjects: readonly string[];
  readonly except: readonly string[];
  /** Empty for always. */
  readonly during: readonly TimeOfDay[];
  readonly channels: readonly string[];
  /** Told again after so long while it stands and nobody has acknowledged it; null for once. */
  readonly repeatMs: number | null;
}

interface ChannelBase {
  readonly name: string;
  /** Least severity that is sent there. */
  readonly severity: AlarmSeverity;
}

/** Only names, kinds and references: what a channel's secrets are is read when it is used. */
export type AlarmChannel =
  | (ChannelBase & { readonly kind: 'webhook'; readonly url: SecretRef; readonly secret: SecretRef | null })
  | (ChannelBase & { readonly kind: 'slack' | 'teams' | 'mattermost' | 'discord'; readonly url: SecretRef })
  | (ChannelBase & {
      readonly kind: 'mail';
      readonly host: string;
      readonly port: number;
      readonly tls: 'tls' | 'starttls' | 'none';
      readonly user: string | null;
      readonly password: SecretRef | null;
      readonly from: string;
      readonly to: readonly string[];
    });
export type ChannelKind = AlarmChannel['kind'];
export const CHANNEL_KINDS = [
  'webhook',
  'mail',
  'slack',
  'teams',
  'mattermost',
  'discord',
] as const satisfies readonly ChannelKind[];

export interface AlarmsConfig {
  /** False: nothing is evaluated. */
  readonly enabled: boolean;
  /** Pause between two evaluations. */
  readonly everyMs: number;
  /** IANA name; times of day are meant there. */
  readonly timezone: string;
  readonly rules: readonly AlarmRule[];
  readonly channels: readonly AlarmChannel[];
  readonly historyDays: number;
  /** Base address of the console, for links in messages; null for none. */
  readonly link: string | null;
}

/** What a kind's threshold is in. */
export function thresholdUnit(kind: AlarmKind): 'duration' | 'count' | 'none' {
  switch (kind) {
    case 'conflicts':
    case 'dead-letters':
      return 'count';
    case 'error':
      return 'none';
    case 'lag':
    case 'stuck':
    case 'position':
    case 'heartbeat':
    case 'node':
    case 'clock':
    case 'binlog':
    case 'paused':
      return 'duration';
    default:
      return kind satisfies never;
  }
}

export function atLeastAsBad(a: AlarmSeverity, b: AlarmSeverity): boolean {
  return ALARM_SEVERITIES.indexOf(a) >= ALARM_SEVERITIES.indexOf(b);
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

type RuleDefault = Pick<
  AlarmRule,
  'when' | 'threshold' | 'withinMs' | 'forMs' | 'clearForMs' | 'severity' | 'repeatMs'
>;

/** What a rule of that kind has where it says nothing; and, under its kind's name, what is looked for where no rule is configured. */
export const RULE_DEFAULTS: Readonly<Record<AlarmKind, RuleDefault>> = {
  lag: rule('lag', 60_000, MINUTE, 'warning'),
  // The stage is named while the alarm is pending: from a second on.
  stuck: rule('stuck', 1_000, 20_000, 'critical'),
  error: rule('error', 0, 10_000, 'critical'),
  position: rule('position', MINUTE, 0, 'critical'),
  heartbeat: rule('heartbeat', 30_000, 0, 'warning'),
  node: rule('node', 5_000, 5_000, 'critical'),
  clock: rule('clock', 500, MINUTE, 'warning'),
  conflicts: rule('conflicts', 10, 0, 'warning'),
  'dead-letters': rule('dead-letters', 1, 0, 'warning'),
  binlog: rule('binlog', 6 * HOUR, 0, 'critical'),
  paused: rule('paused', 8 * HOUR, 0, 'info'),
};

function rule(when: AlarmKind, threshold: number, forMs: number, severity: AlarmSeverity): RuleDefault {
  return {
    when,
    threshold,
    withinMs: 10 * MINUTE,
    forMs,
    clearForMs: 30_000,
    severity,
    repeatMs: severity === 'critical' ? 4 * HOUR : 24 * HOUR,
  };
}

/** A rule for everything of its kind, with the kind's name. */
export function defaultRule(when: AlarmKind, channels: readonly string[]): AlarmRule {
  return { ...RULE_DEFAULTS[when], name: when, subjects: ['*'], except: [], during: [], channels };
}
