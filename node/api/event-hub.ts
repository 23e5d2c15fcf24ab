/**
 * What happens, as it happens: looks at the installation while somebody follows, and tells what has changed since the look before.
 * The last events are kept, so that who lost the connection goes on where he was; who was away for longer gets everything anew.
 */
import { randomBytes } from 'node:crypto';
import { abortable } from '../../lib/abort.ts';
import type { Clock } from '../../lib/clock.ts';
import { isAbort, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { AlarmView } from '../alarms/alarm-views.ts';
import type { NodeView, PipelineStatusView } from '../operations.ts';

export const TOPICS = ['pipelines', 'nodes', 'alarms', 'looks'] as const;
/** Sent where nobody says which. */
export const USUAL_TOPICS: readonly Topic[] = ['pipelines', 'nodes', 'alarms'];
export type Topic = (typeof TOPICS)[number];

export interface HubEvent {
  /** `<process>-<number>`; empty where there is nothing to go on from. */
  readonly id: string;
  readonly topic: Topic | 'all';
  /** SSE's event field. */
  readonly kind:
    | 'snapshot'
    | 'pipeline'
    | 'pipeline-gone'
    | 'nodes'
    | 'alarms'
    | 'unreachable'
    | 'reachable'
    | 'look';
  readonly pipeline: string | null;
  readonly data: unknown;
}

/** The next look comes after this, or after five times what the last one took: watching must not become the load. */
const LOOK_MS = 1_000;
const SHARE = 5;
const NODES_MS = 10_000;
const MAX_KEPT = 4_000;
const MAX_KEPT_BYTES = 8 * 1024 * 1024;
export const MAX_FOLLOWERS = 200;

export interface EventHubOptions {
  readonly pipelines: () => Promise<readonly PipelineStatusView[]>;
  readonly nodes: () => Promise<readonly NodeView[]>;
  readonly alarms: () => Promise<readonly AlarmView[]>;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Followed {
  /** What to send first: what was missed, or everything. */
  readonly first: readonly HubEvent[];
  close(): void;
}

export class EventHub {
  readonly #options: EventHubOptions;
  readonly #process = randomBytes(4).toString('hex');
  readonly #followers = new Set<(event: HubEvent) => void>();
  readonly #kept: { readonly number: number; readonly event: HubEvent; readonly bytes: number }[] = [];
  readonly #pipelines = new Map<string, { readonly text: string; readonly view: PipelineStatusView }>();
  readonly #stop = new AbortController();
  #nodes: { readonly text: string; readonly view: readonly NodeView[]; readonly atMs: number } | null = null;
  #alarms: { readonly text: string; readonly view: readonly AlarmView[] } = { text: '[]', view: [] };
  #number = 0;
  #keptBytes = 0;
  #trouble: string | null = null;
  #looking: Promise<void> | null = null;
  #looked: Promise<void> = Promise.resolve();

  constructor(options: EventHubOptions) {
    this.#options = options;
  }

  get isFull(): boolean {
    return this.#followers.size >= MAX_FOLLOWERS;
  }

  /** After a first look, if there was none lately. `lastId` is the last event that the follower has. */
  async follow(
    lastId: string | null,
    listener: (event: HubEvent) => void,
    signal: AbortSignal,
  ): Promise<Followed> {
    // What is told before `first` is made is in it.
    let deliver = (_event: HubEvent) => {};
    const receive = (event: HubEvent) => deliver(event);
    this.#followers.add(receive);
    const close = () => {
      this.#followers.delete(receive);
    };
    try {
      this.#begin();
      // Whoever comes while the first look goes on waits for it, too: else his snapshot would be empty.
      await abortable(this.#looked, signal);
    } catch (error) {
      close();
      throw error;
    }
    const first = this.#since(lastId) ?? [this.#snapshot()];
    deliver = listener;
    return { first, close };
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#looking;
  }

  #since(lastId: string | null): readonly HubEvent[] | null {
    const [, process, number] = /^([0-9a-f]{8})-([0-9]{1,15})$/.exec(lastId ?? '') ?? [];
    if (process !== this.#process || number === undefined) return null;
    const from = Number(number);
    const oldest = this.#kept[0]?.number ?? this.#number + 1;
    if (from > this.#number || from < oldest - 1) return null;
    return this.#kept.filter((one) => one.number > from).map((one) => one.event);
  }

  #snapshot(): HubEvent {
    return {
      id: this.#id(),
      topic: 'all',
      kind: 'snapshot',
      pipeline: null,
      data: {
        pipelines: [...this.#pipelines.values()].map((one) => one.view),
        nodes: this.#nodes?.view ?? [],
        alarms: this.#alarms.view,
        unreachable: this.#trouble,
      },
    };
  }

  #begin(): void {
    if (this.#looking !== null) return;
    let first: () => void = () => {};
    this.#looked = new Promise((resolve) => {
      first = resolve;
    });
    this.#looking = this.#run(first).finally(() => {
      this.#looking = null;
      // Somebody came while the last look ended.
      if (this.#followers.size > 0 && !this.#stop.signal.aborted) this.#begin();
    });
  }

  async #run(first: () => void): Promise<void> {
    const { clock, log } = this.#options;
    while (this.#followers.size > 0 && !this.#stop.signal.aborted) {
      const began = clock.monotonicMs();
      try {
        await this.#look();
        if (this.#trouble !== null) this.#tell({ topic: 'all', kind: 'reachable', pipeline: null, data: {} });
        this.#trouble = null;
        this.#pass({
          id: '',
          topic: 'looks',
          kind: 'look',
          pipeline: null,
          data: { atMs: Math.round(clock.nowMs()) },
        });
      } catch (error) {
        if (this.#stop.signal.aborted) break;
        if (!isAbort(error))
          log.debug({ event: 'events:look:failed', err: error }, 'a look for the event stream failed');
        const message = messageOf(error);
        if (this.#trouble !== message)
          this.#tell({ topic: 'all', kind: 'unreachable', pipeline: null, data: { message } });
        this.#trouble = message;
      }
      first();
      const took = clock.monotonicMs() - began;
      await clock.sleep(Math.max(LOOK_MS, SHARE * took), this.#stop.signal).catch(() => {});
    }
    first();
  }

  async #look(): Promise<void> {
    const { pipelines: lookAtPipelines, nodes: lookAtNodes, alarms: lookAtAlarms } = this.#options;
    const [pipelines, nodes, alarms] = await Promise.all([lookAtPipelines(), lookAtNodes(), lookAtAlarms()]);
    // Figures and texts grow by the second: those who want them look at the pipelines.
    const alarmsText = JSON.stringify(alarms.map(({ value: _value, text: _text, ...rest }) => rest));
    if (alarmsText !== this.#alarms.text) {
      this.#alarms = { text: alarmsText, view: alarms };
      this.#tell({ topic: 'alarms', kind: 'alarms', pipeline: null, data: { alarms } });
    }
    for (const view of pipelines) {
      const text = essence(view);
      if (this.#pipelines.get(view.pipeline)?.text === text) continue;
      this.#pipelines.set(view.pipeline, { text, view });
      this.#tell({ topic: 'pipelines', kind: 'pipeline', pipeline: view.pipeline, data: view });
    }
    for (const name of this.#pipelines.keys()) {
      if (pipelines.some((one) => one.pipeline === name)) continue;
      this.#pipelines.delete(name);
      this.#tell({ topic: 'pipelines', kind: 'pipeline-gone', pipeline: name, data: { pipeline: name } });
    }
    const text = JSON.stringify(
      nodes.map(({ memoryBytes: _memory, eventLoopP99Ms: _loop, ageSeconds: _age, ...rest }) => rest),
    );
    // Their memory never stands still, and is no event.
    const now = this.#options.clock.monotonicMs();
    if (this.#nodes?.text === text && now - this.#nodes.atMs < NODES_MS) return;
    this.#nodes = { text, view: nodes, atMs: now };
    this.#tell({ topic: 'nodes', kind: 'nodes', pipeline: null, data: { nodes } });
  }

  #tell(given: Omit<HubEvent, 'id'>): void {
    this.#number += 1;
    const event: HubEvent = { id: this.#id(), ...given };
    const bytes = JSON.stringify(event.data).length;
    this.#kept.push({ number: this.#number, event, bytes });
    this.#keptBytes += bytes;
    while (this.#kept.length > MAX_KEPT || this.#keptBytes > MAX_KEPT_BYTES)
      this.#keptBytes -= this.#kept.shift()?.bytes ?? 0;
    this.#pass(event);
  }

  #pass(event: HubEvent): void {
    for (const follower of this.#followers) follower(event);
  }

  #id(): string {
    return `${this.#process}-${this.#number}`;
  }
}

/** Without what changes by the mere passing of time. */
function essence({ asOfMs: _asOf, lag, ...rest }: PipelineStatusView): string {
  const { apply, heartbeatAgoMs: _heartbeat, sourceClock: _clock, ...lags } = lag;
  return JSON.stringify([rest, lags, apply?.seq ?? null]);
}
