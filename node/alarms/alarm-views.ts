/** What API and CLI show of alarms. Schemas, since they cross processes; a channel's address and secrets are not in them. */
import { z } from 'zod';
import { ALARM_KINDS, ALARM_SEVERITIES, CHANNEL_KINDS, WEEKDAYS } from '../../model/alarm.ts';
import { STAGES } from '../../model/stage.ts';
import { NOTICE_KINDS } from './alarms.ts';

const severity = z.enum(ALARM_SEVERITIES);

export const alarmView = z
  .object({
    id: z.string(),
    rule: z.string(),
    kind: z.enum(ALARM_KINDS),
    severity,
    subject: z.string().describe('Pipeline, node, or clock.'),
    pipeline: z.string().nullable(),
    state: z
      .enum(['pending', 'firing'])
      .describe('pending: it does not hold for long enough yet, and was not told.'),
    sinceMs: z.number(),
    firedMs: z.number().nullable(),
    clearSinceMs: z
      .number()
      .nullable()
      .describe('Since when it has been over, though not for long enough to say so.'),
    group: z.string().describe('Root cause: alarms of one group are told as one.'),
    value: z.number().nullable().describe('ms, or a number of changes.'),
    threshold: z.number(),
    stage: z.enum(STAGES).nullable().describe('Stage that holds the lag or has the error.'),
    node: z.string().nullable(),
    code: z.string().nullable(),
    text: z.string().describe('What it says, on one line.'),
    toldMs: z.number().nullable(),
    ack: z.object({ by: z.string(), why: z.string(), atMs: z.number() }).nullable(),
    silence: z.string().nullable().describe('Id of the silence that keeps it from being told.'),
  })
  .meta({ id: 'Alarm' });
export type AlarmView = z.infer<typeof alarmView>;

export const alarmRuleView = z
  .object({
    name: z.string(),
    when: z.enum(ALARM_KINDS),
    threshold: z.number().describe('ms, or a number of changes.'),
    withinMs: z.number(),
    forMs: z.number(),
    clearForMs: z.number(),
    severity,
    subjects: z.array(z.string()).readonly(),
    except: z.array(z.string()).readonly(),
    during: z
      .array(
        z.object({
          days: z.array(z.enum(WEEKDAYS)).readonly(),
          fromMinute: z.number(),
          toMinute: z.number(),
        }),
      )
      .readonly(),
    channels: z.array(z.string()).readonly(),
    repeatMs: z.number().nullable(),
  })
  .meta({ id: 'AlarmRule' });
export type AlarmRuleView = z.infer<typeof alarmRuleView>;

export const alarmChannelView = z
  .object({
    name: z.string(),
    kind: z.enum(CHANNEL_KINDS),
    severity,
    to: z.string().describe('Receivers of mail, or from where the address comes; never the address itself.'),
    signed: z.boolean(),
  })
  .meta({ id: 'AlarmChannel' });
export type AlarmChannelView = z.infer<typeof alarmChannelView>;

export const noticeView = z
  .object({
    id: z.string(),
    kind: z.enum(NOTICE_KINDS),
    atMs: z.number(),
    group: z.string(),
    severity,
    title: z.string(),
    lines: z.array(z.string()).readonly(),
    count: z.number(),
    pipelines: z.array(z.string()).readonly(),
    deliveries: z
      .array(
        z.object({
          channel: z.string(),
          state: z.enum(['waiting', 'delivered', 'failed']),
          atMs: z.number(),
          attempts: z.number(),
          error: z.string().nullable(),
        }),
      )
      .readonly(),
  })
  .meta({ id: 'AlarmNotice' });
export type NoticeView = z.infer<typeof noticeView>;

export const silenceView = z
  .object({
    id: z.string(),
    by: z.string(),
    why: z.string(),
    fromMs: z.number(),
    untilMs: z.number(),
    rules: z.array(z.string()).readonly(),
    subjects: z.array(z.string()).readonly(),
  })
  .meta({ id: 'AlarmSilence' });
export type SilenceView = z.infer<typeof silenceView>;

export const channelTestView = z
  .object({ channel: z.string(), ok: z.boolean(), tookMs: z.number(), error: z.string().nullable() })
  .meta({ id: 'AlarmChannelTest' });
export type ChannelTestView = z.infer<typeof channelTestView>;
