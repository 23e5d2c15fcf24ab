/**
 * Alarms: what is wrong with the installation, told to people once.
 *
 *     status, nodes, clocks, ledger, logs ─► readings ─► conditions ─► evaluate ─► alarms, notices ─► deliveries
 *                                                 (pure)         (pure)                        queue, channels
 *
 * - One node evaluates: the holder of a lock in the coordination tree, with a term that every write of its checks. When it goes,
 *   another takes over and goes on from what stands in the tree: alarms that fire, what is pending and since when, what was told.
 * - What is to be told is written to the tree (a *notice*) together with the alarms that it is about, and only then put into the
 *   queue, under an id made of notice and channel. A queue that is away, or lost what it had, gets it again from there: a message
 *   goes out at least once, and twice only if a channel took it and could not say so.
 * - A *condition* is what one rule finds about one subject now. An *alarm* is pending while its condition has not held for long
 *   enough, then firing until it has been over for long enough. Alarms with one root cause are a *group*: a lost node is told
 *   once, not once for each pipeline that waits for it.
 * - A *silence* keeps alarms from being told for a time; an *acknowledgement* keeps a group from being told again. Both are
 *   people's orders and stand in one record, which only the API writes.
 *
 * Texts that leave are made of names, figures and codes; messages of errors, which may hold values of rows, are not in them.
 */
import { z } from 'zod';
import { ALARM_KINDS, ALARM_SEVERITIES } from '../../model/alarm.ts';
import { STAGES } from '../../model/stage.ts';

const severity = z.enum(ALARM_SEVERITIES);
const wallMs = z.number();

export const told = z.strictObject({
  /** The last time. */
  atMs: wallMs,
  /** The worst that was told. */
  severity,
  channels: z.array(z.string()).readonly(),
});
export type Told = z.infer<typeof told>;

/** As it stands in the tree. */
export const alarm = z.strictObject({
  /** `<rule>~<subject>` */
  id: z.string().max(256),
  rule: z.string(),
  kind: z.enum(ALARM_KINDS),
  severity,
  /** A pipeline, a node, or a clock's party. */
  subject: z.string(),
  /** Null for what is about no pipeline. */
  pipeline: z.string().nullable(),
  state: z.enum(['pending', 'firing']),
  /** Since when the condition has held. */
  sinceMs: wallMs,
  /** Since when it fires; null while pending. */
  firedMs: wallMs.nullable(),
  /** Since when the condition has been over; null while it holds. */
  clearSinceMs: wallMs.nullable(),
  /** Root cause, such as `node west-2`, `source east-db` or `pipeline shop`. */
  group: z.string(),
  /** The figure: ms or a number; null where there is none. */
  value: z.number().nullable(),
  threshold: z.number(),
  stage: z.enum(STAGES).nullable(),
  node: z.string().nullable(),
  code: z.string().nullable(),
  told: told.nullable(),
  /** When it has fired of late, this time included: what comes and goes takes longer to be over. */
  fires: z.array(wallMs).readonly(),
});
export type Alarm = z.infer<typeof alarm>;

export const NOTICE_KINDS = ['firing', 'worse', 'still', 'resolved'] as const;
export type NoticeKind = (typeof NOTICE_KINDS)[number];

/** An alarm as a notice has it. */
export const noticedAlarm = alarm.pick({
  id: true,
  rule: true,
  kind: true,
  severity: true,
  subject: true,
  pipeline: true,
  sinceMs: true,
  value: true,
  stage: true,
  node: true,
  code: true,
});
export type NoticedAlarm = z.infer<typeof noticedAlarm>;

/** What is told of a group once. */
export const notice = z.strictObject({
  /** Orders by time and is the same whoever makes it of the same. */
  id: z.string().regex(/^[0-9]{15}-[0-9a-f]{12}$/),
  kind: z.enum(NOTICE_KINDS),
  atMs: wallMs,
  group: z.string(),
  severity,
  /** The worst of them, first; no more than `MAX_NOTICED`. */
  alarms: z.array(noticedAlarm).readonly(),
  /** How many there are. */
  count: z.number(),
  channels: z.array(z.string()).readonly(),
});
export type Notice = z.infer<typeof notice>;
export const MAX_NOTICED = 20;

/** What has become of a notice on one channel. */
export const delivery = z.strictObject({
  state: z.enum(['waiting', 'delivered', 'failed']),
  atMs: wallMs,
  attempts: z.number(),
  /** Why not, of the last attempt: no secret, and nothing of an answer's body. */
  error: z.string().nullable(),
});
export type Delivery = z.infer<typeof delivery>;

export const silence = z.strictObject({
  id: z.string(),
  by: z.string().max(256),
  why: z.string().max(500),
  fromMs: wallMs,
  untilMs: wallMs,
  /** Patterns; an alarm fits when its rule fits one of the first and its subject one of the second. */
  rules: z.array(z.string().max(100)).min(1).max(50).readonly(),
  subjects: z.array(z.string().max(100)).min(1).max(50).readonly(),
});
export type Silence = z.infer<typeof silence>;

export const ack = z.strictObject({
  group: z.string(),
  by: z.string().max(256),
  why: z.string().max(500),
  atMs: wallMs,
});
export type Ack = z.infer<typeof ack>;

/** What people have said. */
export const orders = z.strictObject({
  version: z.literal(1),
  silences: z.array(silence).max(100).readonly(),
  acks: z.array(ack).max(200).readonly(),
});
export type Orders = z.infer<typeof orders>;
export const NO_ORDERS: Orders = { version: 1, silences: [], acks: [] };
