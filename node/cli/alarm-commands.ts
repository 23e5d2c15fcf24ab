/** Alarms at the command line: what fires, and what a person says to it. */
import { userInfo } from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import { thresholdUnit } from '../../model/alarm.ts';
import type {
  AlarmChannelView,
  AlarmRuleView,
  AlarmView,
  NoticeView,
  SilenceView,
} from '../alarms/alarm-views.ts';
import { type Column, EXIT, formatMs, formatTable, formatValue } from './output.ts';
import {
  clientOf,
  type RemoteOptions,
  remote,
  type Terminal,
  watchable,
  watcher,
} from './remote-commands.ts';

const at = (ms: number) => new Date(ms).toISOString().slice(0, 19).replace('T', ' ');

const ALARM_COLUMNS: readonly Column<AlarmView>[] = [
  { title: 'alarm', value: (row) => row.id },
  { title: 'state', value: (row) => (row.clearSinceMs === null ? row.state : 'clearing') },
  { title: 'severity', value: (row) => row.severity },
  { title: 'at', value: (row) => row.stage ?? '-' },
  { title: 'since', value: (row) => at(row.sinceMs) },
  { title: 'cause', value: (row) => row.group },
  { title: 'note', value: noteOf },
];

function noteOf({ text, ack, silence, code }: AlarmView): string {
  return [
    text,
    ...(code === null || text.includes(code) ? [] : [code]),
    ...(ack === null ? [] : [`acknowledged by ${ack.by}${ack.why === '' ? '' : `: ${ack.why}`}`]),
    ...(silence === null ? [] : [`silenced (${silence})`]),
  ].join('; ');
}

const NOTICE_COLUMNS: readonly Column<NoticeView>[] = [
  { title: 'at', value: (row) => at(row.atMs) },
  { title: 'what', value: (row) => row.kind },
  { title: 'cause', value: (row) => row.group },
  { title: 'told', value: deliveriesOf },
  { title: 'text', value: (row) => row.title },
];

function deliveriesOf({ deliveries }: NoticeView): string {
  return (
    deliveries
      .map(({ channel, state, error }) => `${channel} ${state}${error === null ? '' : ` (${error})`}`)
      .join(', ') || '-'
  );
}

const RULE_COLUMNS: readonly Column<AlarmRuleView>[] = [
  { title: 'rule', value: (row) => row.name },
  { title: 'when', value: (row) => row.when },
  { title: 'threshold', value: thresholdText, align: 'right' },
  { title: 'for', value: (row) => formatMs(row.forMs), align: 'right' },
  { title: 'severity', value: (row) => row.severity },
  { title: 'only', value: (row) => [...row.subjects, ...row.except.map((one) => `not ${one}`)].join(', ') },
  { title: 'during', value: (row) => row.during.map(duringText).join(', ') || 'always' },
  { title: 'channels', value: (row) => row.channels.join(', ') || '-' },
];

function thresholdText({ when, threshold, withinMs }: AlarmRuleView): string {
  switch (thresholdUnit(when)) {
    case 'none':
      return '-';
    case 'count':
      return `${threshold} in ${formatMs(withinMs)}`;
    case 'duration':
      return `${when === 'binlog' ? '< ' : ''}${formatMs(threshold)}`;
  }
}

function duringText({ days, fromMinute, toMinute }: AlarmRuleView['during'][number]): string {
  const time = (minute: number) =>
    `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
  return `${days.length === 7 ? '' : `${days.join(' ')} `}${time(fromMinute)}-${time(toMinute)}`;
}

const CHANNEL_COLUMNS: readonly Column<AlarmChannelView>[] = [
  { title: 'channel', value: (row) => row.name },
  { title: 'kind', value: (row) => row.kind },
  { title: 'from severity', value: (row) => row.severity },
  { title: 'signed', value: (row) => (row.signed ? 'yes' : '-') },
  { title: 'to', value: (row) => row.to },
];

const SILENCE_COLUMNS: readonly Column<SilenceView>[] = [
  { title: 'id', value: (row) => row.id },
  { title: 'until', value: (row) => at(row.untilMs) },
  { title: 'rules', value: (row) => row.rules.join(', ') },
  { title: 'about', value: (row) => row.subjects.join(', ') },
  { title: 'by', value: (row) => row.by },
  { title: 'why', value: (row) => row.why },
];

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

function span(text: string): number {
  const [, amount, unit] = /^([0-9]+(?:\.[0-9]+)?)([mhd])$/.exec(text) ?? [];
  if (amount === undefined) throw new InvalidArgumentError('a time such as 30m, 2h or 1d is expected');
  return Math.round(Number(amount) * (UNITS[unit ?? ''] ?? 1));
}

const collect = (value: string, before: readonly string[] | undefined) => [...(before ?? []), value];

export function addAlarmCommands(program: Command, terminal: Terminal): void {
  const print = (options: RemoteOptions, value: unknown, text: () => string) =>
    terminal.out(formatValue(options.output, value, text));
  const show = watcher(terminal);
  const by = () => userInfo().username;

  const alarm = program.command('alarm').description('what is wrong, and who was told');
  watchable(remote(alarm.command('list').description('alarms that fire, and those that are pending'))).action(
    async (options: RemoteOptions) => {
      await show(
        options,
        () => clientOf(options).alarms(),
        (value) => (value.length === 0 ? 'no alarm' : formatTable(value, ALARM_COLUMNS, terminal.width())),
      );
    },
  );
  remote(
    alarm
      .command('history')
      .description('what was told, newest first, and what became of it')
      .option('--limit <n>', 'newest so many', '50'),
  ).action(async (options: RemoteOptions & { readonly limit: string }) => {
    const value = await clientOf(options).alarmHistory(Number(options.limit));
    print(options, value, () =>
      value.length === 0 ? 'nothing was told yet' : formatTable(value, NOTICE_COLUMNS, terminal.width()),
    );
  });
  remote(
    alarm
      .command('ack')
      .argument('<alarm>', 'its id, as `holt alarm list` shows it')
      .description('say that you look after it: its cause is not told again unless it gets worse')
      .option('--reason <text>', 'shown beside it', ''),
  ).action(async (id: string, options: RemoteOptions & { readonly reason: string }) => {
    const value = await clientOf(options).acknowledgeAlarm(id, { by: by(), why: options.reason });
    print(options, value, () => `${value.group}: acknowledged`);
  });
  remote(
    alarm
      .command('silence')
      .description('alarms that fit are shown and not told, for a time')
      .requiredOption('--for <time>', 'for how long, such as 30m, 2h or 1d', span)
      .option('--rule <pattern>', 'only of these rules; may be given again', collect)
      .option('--only <pattern>', 'only of these pipelines, nodes and clocks; may be given again', collect)
      .option('--reason <text>', 'shown beside it', ''),
  ).action(
    async (
      options: RemoteOptions & {
        readonly for: number;
        readonly rule?: readonly string[];
        readonly only?: readonly string[];
        readonly reason: string;
      },
    ) => {
      const value = await clientOf(options).silenceAlarms({
        rules: options.rule ?? ['*'],
        subjects: options.only ?? ['*'],
        forMs: options.for,
        by: by(),
        why: options.reason,
      });
      print(options, value, () => `silence ${value.id} until ${at(value.untilMs)} UTC`);
    },
  );
  remote(alarm.command('silences').description('silences that last')).action(
    async (options: RemoteOptions) => {
      const value = await clientOf(options).alarmSilences();
      print(options, value, () =>
        value.length === 0 ? 'nothing is silenced' : formatTable(value, SILENCE_COLUMNS, terminal.width()),
      );
    },
  );
  remote(
    alarm
      .command('unsilence')
      .argument('<silence>', 'its id, as `holt alarm silences` shows it')
      .description('end a silence'),
  ).action(async (id: string, options: RemoteOptions) => {
    await clientOf(options).endAlarmSilence(id);
    print(options, { ended: id }, () => `silence ${id} ended`);
  });
  remote(alarm.command('rules').description('what is looked for, and where it is told')).action(
    async (options: RemoteOptions) => {
      const value = await clientOf(options).alarmRules();
      print(options, value, () =>
        value.length === 0 ? 'alarms are off' : formatTable(value, RULE_COLUMNS, terminal.width()),
      );
    },
  );
  remote(alarm.command('channels').description('where alarms are told')).action(
    async (options: RemoteOptions) => {
      const value = await clientOf(options).alarmChannels();
      print(options, value, () =>
        value.length === 0
          ? 'no channel is configured: alarms are shown and not sent'
          : formatTable(value, CHANNEL_COLUMNS, terminal.width()),
      );
    },
  );
  remote(
    alarm
      .command('test')
      .argument('<channel>')
      .description('send a test there at once, from the node that is asked'),
  ).action(async (channel: string, options: RemoteOptions) => {
    const value = await clientOf(options).testAlarmChannel(channel, by());
    print(options, value, () =>
      value.ok
        ? `${channel}: delivered in ${formatMs(value.tookMs)}`
        : `${channel}: not delivered: ${value.error}`,
    );
    if (!value.ok) terminal.exit(EXIT.failure);
  });
}
