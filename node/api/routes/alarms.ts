/** Alarms: what fires, what was told, by which rules and where; and what people say to it. */
import { z } from 'zod';
import { HoltError } from '../../../lib/errors.ts';
import { mayTouch, type Principal } from '../../access/role.ts';
import {
  alarmChannelView,
  alarmRuleView,
  alarmView,
  channelTestView,
  noticeView,
  silenceView,
} from '../../alarms/alarm-views.ts';
import { actorOf, byField, whyField } from '../actor.ts';
import { cursorOf, keyOf, pageByKey, pageOf, pageQuery } from '../paging.ts';
import { type Route, route } from '../route.ts';

const tag = 'alarms';
const alarm = z.object({ alarm: z.string().max(256).describe('Id of the alarm.') });
const pattern = z.string().regex(/^[A-Za-z0-9_.*? -]{1,100}$/, 'a name, or a pattern with * and ?');
const DAY_MS = 86_400_000;

/** What is about other pipelines is not for an account confined to some. */
function sees(principal: Principal | null, pipelines: readonly (string | null)[]): boolean {
  return principal !== null && pipelines.every((one) => one === null || mayTouch(principal, one));
}

function forbidden(what: string): HoltError {
  return new HoltError(
    'HOLT_FORBIDDEN',
    `this needs an account that is not confined to some pipelines: ${what}`,
    {
      disposition: 'fatal',
    },
  );
}

export const ALARM_ROUTES: readonly Route[] = [
  route({
    id: 'listAlarms',
    method: 'GET',
    path: '/alarms',
    tag,
    summary: 'Alarms that fire, the worst first, and those that are pending.',
    access: 'viewer',
    query: pageQuery,
    answer: pageOf(alarmView),
    async handle({ services, principal, query }) {
      const all = (await services.alarms.list()).filter((one) => sees(principal, [one.pipeline]));
      // In the order in which they are shown.
      const order = new Map(all.map((one, index) => [one.id, String(index).padStart(6, '0')]));
      return pageByKey(all, (one) => order.get(one.id) ?? '', query);
    },
  }),
  route({
    id: 'acknowledgeAlarm',
    method: 'POST',
    path: '/alarms/:alarm/ack',
    tag,
    summary: 'Say that somebody looks after it: its group is not told again, unless it gets worse.',
    access: 'operator',
    params: alarm,
    body: z.strictObject({ by: byField, why: whyField }),
    answer: alarmView,
    problems: ['HOLT_ALARM_UNKNOWN', 'HOLT_ALARM_BUSY'],
    async handle({ services, params, body, principal, audit }) {
      audit({ object: params.alarm });
      const all = await services.alarms.list();
      const group = all.find((one) => one.id === params.alarm)?.group;
      const members = all.filter((one) => one.group === group);
      if (
        !sees(
          principal,
          members.map((one) => one.pipeline),
        )
      )
        throw forbidden('the alarm is about others, too');
      return services.alarms.acknowledge(params.alarm, actorOf(principal, body.by), body.why);
    },
  }),
  route({
    id: 'listAlarmNotices',
    method: 'GET',
    path: '/alarms/history',
    tag,
    summary: 'What was told, newest first, and what became of it on each channel.',
    access: 'viewer',
    query: pageQuery,
    answer: pageOf(noticeView),
    async handle({ services, principal, query: { limit, cursor } }) {
      const before = keyOf(cursor, /^[0-9]{15}-[0-9a-f]{12}$/);
      const read = await services.alarms.history(limit + 1, before);
      const last = read[limit - 1];
      return {
        items: read.slice(0, limit).filter((one) => sees(principal, one.pipelines)),
        next: read.length > limit && last !== undefined ? cursorOf(last.id) : null,
      };
    },
  }),
  route({
    id: 'listAlarmRules',
    method: 'GET',
    path: '/alarms/rules',
    tag,
    summary: 'Rules in effect: those of the configuration, and those that stand where it has none.',
    access: 'viewer',
    query: pageQuery,
    answer: pageOf(alarmRuleView),
    handle: ({ services, query }) => pageByKey(services.alarms.rules(), (one) => one.name, query),
  }),
  route({
    id: 'listAlarmChannels',
    method: 'GET',
    path: '/alarms/channels',
    tag,
    summary: 'Where alarms are told; no address, no secret.',
    access: 'viewer',
    query: pageQuery,
    answer: pageOf(alarmChannelView),
    handle: ({ services, query }) => pageByKey(services.alarms.channels(), (one) => one.name, query),
  }),
  route({
    id: 'testAlarmChannel',
    method: 'POST',
    path: '/alarms/channels/:channel/test',
    tag,
    summary: 'Send a test there at once, from the node that is asked.',
    access: 'operator',
    params: z.object({ channel: z.string().max(64).describe('Channel.') }),
    body: z.strictObject({ by: byField }),
    answer: channelTestView,
    problems: ['HOLT_ALARM_CHANNEL_UNKNOWN'],
    repeatable: false,
    handle({ services, params, body, principal, audit }) {
      audit({ object: params.channel });
      return services.alarms.test(params.channel, actorOf(principal, body.by));
    },
  }),
  route({
    id: 'listAlarmSilences',
    method: 'GET',
    path: '/alarms/silences',
    tag,
    summary: 'Silences that last.',
    access: 'viewer',
    query: pageQuery,
    answer: pageOf(silenceView),
    async handle({ services, query }) {
      return pageByKey(await services.alarms.silences(), (one) => one.id, query);
    },
  }),
  route({
    id: 'createAlarmSilence',
    method: 'POST',
    path: '/alarms/silences',
    tag,
    summary:
      'Alarms that fit are shown and not told, for a time. What was told before is told when it is over.',
    access: 'operator',
    status: 201,
    body: z.strictObject({
      rules: z.array(pattern).min(1).max(50).default(['*']).describe('Patterns of rules.'),
      subjects: z
        .array(pattern)
        .min(1)
        .max(50)
        .default(['*'])
        .describe('Patterns of pipelines, nodes and clocks.'),
      forMs: z
        .number()
        .int()
        .min(60_000)
        .max(30 * DAY_MS)
        .describe('For how long.'),
      by: byField,
      why: whyField,
    }),
    answer: silenceView,
    problems: ['HOLT_ALARM_SILENCES_FULL', 'HOLT_ALARM_BUSY'],
    handle({ services, body, principal, audit }) {
      audit({ object: body.subjects.join(',') });
      const isConfined = principal !== null && principal.scopes.length > 0;
      if (isConfined && !body.subjects.every((one) => !/[*?]/.test(one) && mayTouch(principal, one)))
        throw forbidden('name your own pipelines, without patterns');
      const { rules, subjects, forMs, why } = body;
      return services.alarms.silence({ rules, subjects, forMs, why, by: actorOf(principal, body.by) });
    },
  }),
  route({
    id: 'endAlarmSilence',
    method: 'DELETE',
    path: '/alarms/silences/:silence',
    tag,
    summary: 'End a silence.',
    access: 'operator',
    params: z.object({ silence: z.string().max(64).describe('Id of the silence.') }),
    problems: ['HOLT_ALARM_SILENCE_UNKNOWN', 'HOLT_ALARM_BUSY'],
    async handle({ services, params, principal, audit }) {
      audit({ object: params.silence });
      const found = (await services.alarms.silences()).find((one) => one.id === params.silence);
      if (found !== undefined && !found.subjects.every((one) => sees(principal, [one])))
        throw forbidden('the silence is about others, too');
      await services.alarms.endSilence(params.silence, actorOf(principal, undefined));
    },
  }),
];
