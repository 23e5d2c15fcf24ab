/** What any node answers about alarms, and what people order: read from the tree, whoever evaluates. */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import { HoltError, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { AlarmChannel, AlarmsConfig } from '../../model/alarm.ts';
import type { AlarmStore, Told } from './alarm-store.ts';
import type {
  AlarmChannelView,
  AlarmRuleView,
  AlarmView,
  ChannelTestView,
  NoticeView,
  SilenceView,
} from './alarm-views.ts';
import type { Alarm, Orders } from './alarms.ts';
import { channelUnknown, type Deliverer } from './delivery/deliverer.ts';
import { alarmText, messageOfNotice, type Where } from './delivery/message.ts';
import { type AlarmState, evaluate, isSilenced, NO_ALARMS } from './evaluate.ts';
import type { Readings } from './readings.ts';

export interface AlarmDeskOptions {
  readonly alarms: AlarmsConfig;
  readonly where: Where;
  readonly store: AlarmStore;
  readonly deliverer: Pick<Deliverer, 'test'>;
  /** For while the evaluator does not answer; absent: what stands in the tree is all that is shown. */
  readonly standIn?: {
    /** Nodes that do not answer just now. */
    readonly silent: () => Promise<ReadonlySet<string>>;
    readonly look: () => Promise<Readings>;
  };
  readonly clock: Clock;
  readonly log: Logger;
}

export interface SilenceRequest {
  readonly by: string;
  readonly why: string;
  readonly forMs: number;
  readonly rules: readonly string[];
  readonly subjects: readonly string[];
}

/** As many as a record of orders holds. */
const MAX_SILENCES = 100;
const MAX_ACKS = 200;

export class AlarmDesk {
  readonly #options: AlarmDeskOptions;
  /** What this node has evaluated for itself since the evaluator fell silent; null while it answers. */
  #standIn: AlarmState | null = null;

  constructor(options: AlarmDeskOptions) {
    this.#options = options;
  }

  /** Firing ones first, the worst first. */
  async list(): Promise<readonly AlarmView[]> {
    const { store, clock } = this.#options;
    const [stored, orders, isMissing] = await Promise.all([
      store.alarms(),
      store.orders(),
      this.#isEvaluatorMissing(),
    ]);
    const alarms = isMissing ? await this.#evaluated(stored, orders) : stored;
    if (!isMissing) this.#standIn = null;
    const nowMs = clock.nowMs();
    return alarms.map((one) => viewOf(one, orders, nowMs)).sort(byUrgency);
  }

  /** The node that evaluates may be the one that stands still, and its session lives on for seconds. */
  async #isEvaluatorMissing(): Promise<boolean> {
    const { standIn, store, alarms } = this.#options;
    if (standIn === undefined || !alarms.enabled) return false;
    const evaluator = await store.evaluator();
    return evaluator === null || (await standIn.silent()).has(evaluator);
  }

  /** Looks in its place: what is found is shown as pending, and told by whoever evaluates next. */
  async #evaluated(stored: readonly Alarm[], orders: Orders): Promise<readonly Alarm[]> {
    const { standIn, alarms } = this.#options;
    if (standIn === undefined) return stored;
    const firing = new Map(stored.map((one) => [one.id, one]));
    const before = this.#standIn ?? { ...NO_ALARMS, alarms: firing };
    const readings = await standIn.look();
    const rules = alarms.rules.map((one) => ({ ...one, forMs: Number.POSITIVE_INFINITY }));
    const { state } = evaluate(before, readings, { ...alarms, rules }, orders);
    this.#standIn = state;
    return [...state.alarms.values()];
  }

  rules(): readonly AlarmRuleView[] {
    const { alarms } = this.#options;
    return alarms.enabled ? alarms.rules : [];
  }

  channels(): readonly AlarmChannelView[] {
    return this.#options.alarms.channels.map(channelView);
  }

  /** Newest first. */
  async history(limit: number, before: string | null): Promise<readonly NoticeView[]> {
    const { store, where } = this.#options;
    return (await store.told(limit, before)).map((one) => noticeViewOf(one, where));
  }

  async silences(): Promise<readonly SilenceView[]> {
    const nowMs = this.#options.clock.nowMs();
    return (await this.#options.store.orders()).silences.filter((one) => one.untilMs > nowMs);
  }

  /** The alarm as `list` has it. @throws HoltError HOLT_ALARM_UNKNOWN. */
  async alarm(id: string): Promise<AlarmView> {
    const found = (await this.list()).find((one) => one.id === id);
    if (found !== undefined) return found;
    throw new HoltError('HOLT_ALARM_UNKNOWN', `there is no alarm ${JSON.stringify(id)}`, {
      disposition: 'fatal',
    });
  }

  /** Of its whole group: nothing of it is told again unless it gets worse. */
  async acknowledge(id: string, by: string, why: string): Promise<AlarmView> {
    const { store, clock, log } = this.#options;
    const { group } = await this.alarm(id);
    const order = { group, by: by.slice(0, 256), why: why.slice(0, 500), atMs: Math.round(clock.nowMs()) };
    await store.changeOrders((orders) => {
      const others = orders.acks.filter((one) => one.group !== group);
      return { ...orders, acks: [...others, order].slice(-MAX_ACKS) };
    });
    log.info({ event: 'alarm:acknowledged', group, user: by }, 'an alarm was acknowledged');
    return this.alarm(id);
  }

  async silence({ by, why, forMs, rules, subjects }: SilenceRequest): Promise<SilenceView> {
    const { store, clock, log } = this.#options;
    const fromMs = Math.round(clock.nowMs());
    const made: SilenceView = {
      id: randomBytes(6).toString('hex'),
      by: by.slice(0, 256),
      why: why.slice(0, 500),
      fromMs,
      untilMs: fromMs + forMs,
      rules,
      subjects,
    };
    await store.changeOrders((orders) => {
      const silences = orders.silences.filter((one) => one.untilMs > fromMs);
      if (silences.length >= MAX_SILENCES)
        throw new HoltError('HOLT_ALARM_SILENCES_FULL', `there are ${MAX_SILENCES} silences already`, {
          disposition: 'fatal',
        });
      return { ...orders, silences: [...silences, made] };
    });
    log.warn(
      { event: 'alarm:silenced', silence: made.id, rules, subjects, untilMs: made.untilMs, user: by },
      'alarms are silenced',
    );
    return made;
  }

  /** @throws HoltError HOLT_ALARM_SILENCE_UNKNOWN. */
  async endSilence(id: string, by: string): Promise<void> {
    const { store, log } = this.#options;
    let found = false;
    await store.changeOrders((orders) => {
      const silences = orders.silences.filter((one) => one.id !== id);
      found = silences.length < orders.silences.length;
      return { ...orders, silences };
    });
    if (!found)
      throw new HoltError('HOLT_ALARM_SILENCE_UNKNOWN', `there is no silence ${JSON.stringify(id)}`, {
        disposition: 'fatal',
      });
    log.info({ event: 'alarm:silence:ended', silence: id, user: by }, 'a silence was ended');
  }

  /** Sends at once. What goes wrong is the answer. @throws HoltError HOLT_ALARM_CHANNEL_UNKNOWN. */
  async test(channel: string, by: string): Promise<ChannelTestView> {
    const { alarms, deliverer, clock } = this.#options;
    if (!alarms.channels.some((one) => one.name === channel)) throw channelUnknown(channel);
    const began = clock.monotonicMs();
    const tookMs = () => Math.round(clock.monotonicMs() - began);
    try {
      await deliverer.test(channel, by);
      return { channel, ok: true, tookMs: tookMs(), error: null };
    } catch (error) {
      return { channel, ok: false, tookMs: tookMs(), error: messageOf(error).slice(0, 300) };
    }
  }
}

function viewOf(one: Alarm, { acks, silences }: Orders, nowMs: number): AlarmView {
  const { told, fires: _fires, ...rest } = one;
  const ack = acks.find(({ group }) => group === one.group);
  return {
    ...rest,
    text: alarmText(one, nowMs, false),
    toldMs: told?.atMs ?? null,
    ack: ack === undefined ? null : { by: ack.by, why: ack.why, atMs: ack.atMs },
    silence: silences.find((silence) => isSilenced(one, silence, nowMs))?.id ?? null,
  };
}

const RANK = { critical: 0, warning: 1, info: 2 } as const;

function byUrgency(a: AlarmView, b: AlarmView): number {
  if (a.state !== b.state) return a.state === 'firing' ? -1 : 1;
  return RANK[a.severity] - RANK[b.severity] || a.sinceMs - b.sinceMs || (a.id < b.id ? -1 : 1);
}

function channelView(one: AlarmChannel): AlarmChannelView {
  const { name, kind, severity } = one;
  const reference = one.kind === 'mail' ? null : one.url;
  return {
    name,
    kind,
    severity,
    to:
      one.kind === 'mail'
        ? one.to.join(', ')
        : `address from ${reference?.kind === 'env' ? `environment variable ${reference.from}` : 'a file'}`,
    signed: one.kind === 'webhook' && one.secret !== null,
  };
}

function noticeViewOf({ notice, deliveries }: Told, where: Where): NoticeView {
  const { title, lines } = messageOfNotice(notice, where);
  const { id, kind, atMs, group, severity, count, alarms } = notice;
  return {
    ...{ id, kind, atMs, group, severity, title, lines, count },
    pipelines: [...new Set(alarms.flatMap(({ pipeline }) => pipeline ?? []))],
    deliveries: Object.entries(deliveries).map(([channel, one]) => ({ channel, ...one })),
  };
}
