/**
 * Brings notices to channels, by a queue. A job has only ids: what is sent is read from the tree when it is sent. It is at least
 * once; whoever finds it delivered does nothing.
 */
import type { JobQueue, JobQueueOptions } from '../../../jobs/job-queue.ts';
import type { Clock } from '../../../lib/clock.ts';
import { HoltError, messageOf } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/logger.ts';
import type { AlarmChannel } from '../../../model/alarm.ts';
import type { AlarmStore } from '../alarm-store.ts';
import type { Notice } from '../alarms.ts';
import { sendMail } from './mail.ts';
import { type Message, messageOfNotice, testMessage, type Where } from './message.ts';
import { post } from './post.ts';
import { postBody } from './post-body.ts';

export interface DeliveryJob {
  readonly notice: string;
  readonly channel: string;
}

/** Some twenty minutes: 5 s, doubling. */
const ATTEMPTS = 9;
const BACKOFF_MS = 5_000;
const CONCURRENCY = 4;

export interface DelivererOptions {
  readonly store: AlarmStore;
  readonly channels: readonly AlarmChannel[];
  readonly where: Where;
  readonly queue: (options: JobQueueOptions<DeliveryJob>) => JobQueue<DeliveryJob>;
  /** Told of each end of a delivery, for metrics. */
  readonly onEnd: (channel: string, result: 'delivered' | 'failed') => void;
  readonly clock: Clock;
  readonly log: Logger;
  /** Default as above; tests do not wait. */
  readonly backoffMs?: number;
  readonly attempts?: number;
}

export class Deliverer {
  readonly #options: DelivererOptions;
  readonly #queue: JobQueue<DeliveryJob>;

  constructor(options: DelivererOptions) {
    this.#options = options;
    this.#queue = options.queue({
      name: 'alarms',
      concurrency: CONCURRENCY,
      attempts: options.attempts ?? ATTEMPTS,
      backoffMs: options.backoffMs ?? BACKOFF_MS,
      process: async ({ data, attempt }, signal) => this.#deliver(data, attempt, signal),
      onFailed: ({ data, attempt }, error) => {
        void this.#gaveUp(data, attempt, error);
      },
    });
  }

  /** Asking twice for the same is asking once. @throws HoltError HOLT_JOBS_UNREACHABLE. */
  async add(notice: Notice, channels: readonly string[]): Promise<void> {
    if (channels.length === 0) return;
    await this.#queue.add(
      channels.map((channel) => ({
        id: `${notice.id}-${channel}`,
        data: { notice: notice.id, channel },
      })),
    );
  }

  /** At once, and without the queue. @throws HoltError HOLT_ALARM_CHANNEL_UNKNOWN, HOLT_ALARM_CHANNEL, HOLT_ALARM_REFUSED, HOLT_SECRET_MISSING. */
  async test(name: string, by: string): Promise<void> {
    const channel = this.#options.channels.find((one) => one.name === name);
    if (channel === undefined) throw channelUnknown(name);
    const { clock, where } = this.#options;
    const message = testMessage(`test-${Math.round(clock.nowMs())}`, by, where);
    await this.#send(channel, message, null, AbortSignal.timeout(20_000));
  }

  close(): Promise<void> {
    return this.#queue.close();
  }

  async #deliver(
    { notice: id, channel: name }: DeliveryJob,
    attempt: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { store, channels, where, clock, log, onEnd } = this.#options;
    const told = await store.notice(id);
    // Forgotten meanwhile, or sent by another node's queue.
    if (told === null || told.deliveries[name]?.state === 'delivered') return;
    const channel = channels.find((one) => one.name === name);
    if (channel === undefined) throw channelUnknown(name);
    try {
      await this.#send(channel, messageOfNotice(told.notice, where), told.notice, signal);
    } catch (error) {
      signal.throwIfAborted();
      log.warn(
        { event: 'alarms:delivery:failed', notice: id, channel: name, attempt, reason: messageOf(error) },
        'an alarm was not delivered; trying again',
      );
      const state = { state: 'waiting', atMs: Math.round(clock.nowMs()), attempts: attempt } as const;
      await store
        .writeDelivery(id, name, { ...state, error: messageOf(error).slice(0, 300) })
        .catch(() => {});
      throw error;
    }
    onEnd(name, 'delivered');
    log.info({ event: 'alarms:delivered', notice: id, channel: name, attempt }, 'an alarm was delivered');
    await store
      .writeDelivery(id, name, {
        state: 'delivered',
        atMs: Math.round(clock.nowMs()),
        attempts: attempt,
        error: null,
      })
      // A job that fails for this would send it again.
      .catch((error: unknown) => this.#unwritten(id, name, error));
  }

  #unwritten(notice: string, channel: string, error: unknown): void {
    this.#options.log.warn(
      { event: 'alarms:delivery:unwritten', notice, channel, reason: messageOf(error) },
      'what became of an alarm on its channel could not be written down',
    );
  }

  async #gaveUp({ notice, channel }: DeliveryJob, attempts: number, error: unknown): Promise<void> {
    const { store, clock, log, onEnd } = this.#options;
    onEnd(channel, 'failed');
    log.error(
      { event: 'alarms:delivery:gave-up', notice, channel, attempts, reason: messageOf(error) },
      'an alarm could not be delivered',
    );
    await store
      .writeDelivery(notice, channel, {
        state: 'failed',
        atMs: Math.round(clock.nowMs()),
        attempts,
        error: messageOf(error).slice(0, 300),
      })
      .catch((failure: unknown) => this.#unwritten(notice, channel, failure));
  }

  async #send(
    channel: AlarmChannel,
    message: Message,
    notice: Notice | null,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, where } = this.#options;
    if (channel.kind === 'mail') return sendMail(channel, message, where.cluster);
    await post({
      url: channel.url.resolve(),
      body: postBody(channel.kind, message, notice),
      secret: channel.kind === 'webhook' ? (channel.secret?.resolve() ?? null) : null,
      id: message.id,
      nowMs: clock.nowMs(),
      signal,
    });
  }
}

export function channelUnknown(name: string): HoltError {
  return new HoltError('HOLT_ALARM_CHANNEL_UNKNOWN', `there is no channel ${JSON.stringify(name)}`, {
    disposition: 'fatal',
  });
}
