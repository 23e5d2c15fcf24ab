/** Alarms of the installation that is not there: what is asked of them is noted, and shows. */
import { ALARM_KINDS, defaultRule } from '../../model/alarm.ts';
import type { AlarmView, NoticeView, SilenceView } from '../../node/alarms/alarm-views.ts';
import { channelUnknown } from '../../node/alarms/delivery/deliverer.ts';
import type { ApiServices } from '../../node/api/route.ts';

const MINUTE = 60_000;

export class MadeUpAlarms {
  readonly asked: { readonly what: string; readonly with: readonly unknown[] }[] = [];
  alarms: readonly AlarmView[];
  silences: readonly SilenceView[] = [];
  readonly notices: readonly NoticeView[];
  readonly #nowMs: () => number;

  constructor(nowMs: () => number = Date.now) {
    this.#nowMs = nowMs;
    const now = nowMs();
    const common = {
      clearSinceMs: null,
      code: null,
      ack: null,
      silence: null,
      node: null,
      stage: null,
    } as const;
    this.alarms = [
      {
        ...common,
        id: 'node~sin-2',
        rule: 'node',
        kind: 'node',
        severity: 'critical',
        subject: 'sin-2',
        pipeline: null,
        state: 'firing',
        sinceMs: now - 4 * MINUTE,
        firedMs: now - 4 * MINUTE,
        group: 'node sin-2',
        value: 4 * MINUTE,
        threshold: 5_000,
        node: 'sin-2',
        text: 'node sin-2 does not answer (silent for 4 min, for 4 min) [node]',
        toldMs: now - 4 * MINUTE,
      },
      {
        ...common,
        id: 'stuck~billing-oregon-frankfurt',
        rule: 'stuck',
        kind: 'stuck',
        severity: 'critical',
        subject: 'billing-oregon-frankfurt',
        pipeline: 'billing-oregon-frankfurt',
        state: 'firing',
        sinceMs: now - MINUTE,
        firedMs: now - MINUTE,
        group: 'target fra-db',
        value: MINUTE,
        threshold: 1_000,
        stage: 'load',
        node: 'fra-1',
        code: 'HOLT_TARGET_UNREACHABLE',
        text: 'billing-oregon-frankfurt is stuck at load on node fra-1 (nothing moved for 60 s, for 60 s) [stuck]',
        toldMs: now - MINUTE,
      },
      {
        ...common,
        id: 'lag~orders-frankfurt-oregon',
        rule: 'lag',
        kind: 'lag',
        severity: 'warning',
        subject: 'orders-frankfurt-oregon',
        pipeline: 'orders-frankfurt-oregon',
        state: 'pending',
        sinceMs: now - 20_000,
        firedMs: null,
        group: 'pipeline orders-frankfurt-oregon',
        value: 61_000,
        threshold: 60_000,
        stage: 'transform',
        node: 'pdx-1',
        text: 'orders-frankfurt-oregon lags at transform on node pdx-1 (lag 61 s, for 20 s) [lag]',
        toldMs: null,
      },
    ];
    const told = (minutes: number, kind: NoticeView['kind'], title: string): NoticeView => ({
      id: `${String(now - minutes * MINUTE).padStart(15, '0')}-0123456789ab`,
      kind,
      atMs: now - minutes * MINUTE,
      group: 'node sin-2',
      severity: 'critical',
      title,
      lines: [title],
      count: 1,
      pipelines: [],
      deliveries: [
        { channel: 'on-call', state: 'delivered', atMs: now, attempts: 1, error: null },
        { channel: 'team', state: 'failed', atMs: now, attempts: 9, error: 'the answer is 503' },
      ],
    });
    this.notices = [
      told(1, 'firing', '[critical] shop: billing-oregon-frankfurt is stuck at load on node fra-1'),
      told(4, 'firing', '[critical] shop: node sin-2 does not answer'),
      told(90, 'resolved', '[over] shop: 2 clocks are apart'),
    ];
  }

  get services(): ApiServices['alarms'] {
    const note = (what: string, ...given: readonly unknown[]) => this.asked.push({ what, with: given });
    return {
      list: () => Promise.resolve(this.alarms),
      rules: () => ALARM_KINDS.map((kind) => defaultRule(kind, ['on-call', 'team'])),
      channels: () => [
        {
          name: 'on-call',
          kind: 'webhook',
          severity: 'critical',
          to: 'address from environment variable ON_CALL_URL',
          signed: true,
        },
        { name: 'team', kind: 'slack', severity: 'info', to: 'address from a file', signed: false },
      ],
      history: (limit, before) =>
        Promise.resolve(this.notices.filter((one) => before === null || one.id < before).slice(0, limit)),
      silences: () => Promise.resolve(this.silences),
      acknowledge: async (id, by, why) => {
        note('acknowledge', id, by, why);
        this.alarms = this.alarms.map((one) =>
          one.id === id ? { ...one, ack: { by, why, atMs: this.#nowMs() } } : one,
        );
        return this.alarms.find((one) => one.id === id) ?? Promise.reject(new Error('no such alarm'));
      },
      silence: async ({ by, why, forMs, rules, subjects }) => {
        note('silence', rules, subjects, forMs, why);
        const fromMs = this.#nowMs();
        const made = {
          id: `s${this.silences.length}`,
          by,
          why,
          fromMs,
          untilMs: fromMs + forMs,
          rules,
          subjects,
        };
        this.silences = [...this.silences, made];
        return made;
      },
      endSilence: async (id) => {
        note('end', id);
        this.silences = this.silences.filter((one) => one.id !== id);
      },
      test: async (channel) => {
        note('test', channel);
        if (channel === 'team') return { channel, ok: false, tookMs: 120, error: 'the answer is 503' };
        if (channel === 'on-call') return { channel, ok: true, tookMs: 80, error: null };
        throw channelUnknown(channel);
      },
    };
  }
}
