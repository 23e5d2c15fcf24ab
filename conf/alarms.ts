/** Rules and channels of alarms, from their keys to what is evaluated: defaults by kind, and what does not go together. */
import { isLoopback } from '../lib/loopback.ts';
import {
  ALARM_KINDS,
  type AlarmChannel,
  type AlarmRule,
  type AlarmsConfig,
  defaultRule,
  RULE_DEFAULTS,
  type TimeOfDay,
  thresholdUnit,
} from '../model/alarm.ts';
import type { AlarmChannelSpec, AlarmRuleSpec, InstallationSpec } from './schema.ts';
import { secretRef } from './secret.ts';
import { suggest } from './suggest.ts';

/** Tells of a problem at a path below `alarms`. */
export type TellProblem = (path: readonly PropertyKey[], message: string, suggestion: string | null) => void;

export function alarmsConfig({ alarms }: InstallationSpec, folder: string, tell: TellProblem): AlarmsConfig {
  const channels = Object.entries(alarms.channels).flatMap(
    ([name, spec]) =>
      channelConfig(name, spec, folder, (key, message) => tell(['channels', name, key], message, null)) ?? [],
  );
  const names = Object.keys(alarms.channels);
  const rules = Object.entries(alarms.rules).map(([name, spec]) => {
    for (const [index, one] of (spec.channels ?? []).entries())
      if (!names.includes(one))
        tell(['rules', name, 'channels', index], `channel ${one} is not defined`, suggest(one, names));
    return ruleConfig(name, spec, names, (key, message) => tell(['rules', name, key], message, null));
  });
  const configured = new Set(rules.map((one) => one.when));
  const taken = new Set(rules.map((one) => one.name));
  const defaults = alarms.defaults
    ? ALARM_KINDS.filter((kind) => !configured.has(kind) && !taken.has(kind)).map((kind) =>
        defaultRule(kind, names),
      )
    : [];
  return {
    enabled: alarms.enabled,
    everyMs: alarms.every,
    timezone: alarms.timezone,
    rules: [...rules, ...defaults],
    channels,
    historyDays: alarms.historyDays,
    link: alarms.link?.replace(/\/+$/, '') ?? null,
  };
}

type TellKey = (key: string, message: string) => void;

function ruleConfig(
  name: string,
  spec: AlarmRuleSpec,
  channels: readonly string[],
  tell: TellKey,
): AlarmRule {
  const { when, above, below } = spec;
  const defaults = RULE_DEFAULTS[when];
  const unit = thresholdUnit(when);
  if (below !== undefined && when !== 'binlog') tell('below', `${when} takes above, not below`);
  if (above !== undefined && when === 'binlog') tell('above', 'binlog takes below, not above');
  if (above !== undefined && unit === 'none') tell('above', `${when} takes no threshold`);
  else if (typeof above === 'object' && unit === 'duration')
    tell('above', 'a duration such as 30s is expected');
  else if (typeof above === 'number' && unit === 'count') tell('above', 'a number of changes is expected');
  if (spec.within !== undefined && unit !== 'count') tell('within', `${when} counts nothing`);
  return {
    name,
    when,
    threshold: below ?? (typeof above === 'object' ? above.count : above) ?? defaults.threshold,
    withinMs: spec.within ?? defaults.withinMs,
    forMs: spec.for ?? defaults.forMs,
    clearForMs: spec.clearFor ?? defaults.clearForMs,
    severity: spec.severity ?? defaults.severity,
    subjects: spec.only,
    except: spec.except,
    during: spec.during.map(
      ({ days, from, to }): TimeOfDay => ({ days, fromMinute: minuteOf(from), toMinute: minuteOf(to) }),
    ),
    channels: spec.channels ?? channels,
    repeatMs: spec.repeat === 'never' ? null : (spec.repeat ?? defaults.repeatMs),
  };
}

/** 24:00 is midnight, where a time of the next day begins. */
function minuteOf(text: string): number {
  const [hours, minutes] = text.split(':');
  return (Number(hours) * 60 + Number(minutes)) % (24 * 60);
}

const MAIL_ONLY = ['host', 'port', 'user', 'password', 'from', 'to'] as const;

function channelConfig(
  name: string,
  spec: AlarmChannelSpec,
  folder: string,
  tell: TellKey,
): AlarmChannel | null {
  const { kind, severity } = spec;
  if (kind !== 'mail') {
    for (const key of MAIL_ONLY)
      if (spec[key] !== undefined) tell(key, `${key} is for channels of kind mail`);
    if (spec.secret !== undefined && kind !== 'webhook') tell('secret', 'only webhooks are signed');
    if (spec.url === undefined) {
      tell('url', `missing; a channel of kind ${kind} has an address`);
      return null;
    }
    const url = secretRef(spec.url, folder);
    return kind === 'webhook'
      ? {
          name,
          severity,
          kind,
          url,
          secret: spec.secret === undefined ? null : secretRef(spec.secret, folder),
        }
      : { name, severity, kind, url };
  }
  for (const key of ['url', 'secret'] as const)
    if (spec[key] !== undefined) tell(key, `${key} is not for channels of kind mail`);
  const { host, from, to, tls } = spec;
  for (const [key, value] of Object.entries({ host, from, to }))
    if (value === undefined) tell(key, `missing; a channel of kind mail has a ${key}`);
  if (host === undefined || from === undefined || to === undefined) return null;
  if (tls === 'none' && !isLoopback(host))
    tell('tls', 'mail goes without encryption to loopback addresses only');
  if ((spec.user === undefined) !== (spec.password === undefined))
    tell('password', 'user and password go together');
  return {
    name,
    severity,
    kind,
    host,
    port: spec.port ?? (tls === 'tls' ? 465 : 587),
    tls,
    user: spec.user ?? null,
    password: spec.password === undefined ? null : secretRef(spec.password, folder),
    from,
    to,
  };
}
