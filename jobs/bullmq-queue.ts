import { Queue, Worker } from 'bullmq';
import { AbortError, withDeadline } from '../lib/abort.ts';
import { HoltError, messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { JobCounts, JobQueue, JobQueueOptions } from './job-queue.ts';

const DEADLINE_MS = 5_000;
/** Finished jobs go after this: BullMQ's default keeps them for ever. */
const KEEP_SECONDS = 24 * 3600;

export interface BullmqOptions {
  readonly url: string;
  /** Begins every key in Redis. */
  readonly prefix: string;
  readonly log: Logger;
}

/** Jobs in the site's Redis. Losing it stops jobs, never replication. */
export class BullmqQueue<Data> implements JobQueue<Data> {
  readonly #queue: Queue<Data>;
  readonly #worker: Worker<Data>;
  readonly #stop = new AbortController();
  readonly #options: JobQueueOptions<Data>;

  constructor(options: JobQueueOptions<Data>, { url, prefix, log }: BullmqOptions) {
    this.#options = options;
    // Adding fails fast, working waits for Redis to come back.
    this.#queue = new Queue<Data>(options.name, {
      prefix,
      connection: { url, maxRetriesPerRequest: 1, enableOfflineQueue: false, connectTimeout: DEADLINE_MS },
      defaultJobOptions: {
        attempts: options.attempts,
        backoff: { type: 'exponential', delay: options.backoffMs },
        removeOnComplete: { age: KEEP_SECONDS },
        removeOnFail: { age: KEEP_SECONDS },
      },
    });
    this.#worker = new Worker<Data>(
      options.name,
      async (job) => {
        await options.process(
          { id: job.id ?? '', data: job.data, attempt: job.attemptsMade + 1 },
          this.#stop.signal,
        );
      },
      { prefix, connection: { url, maxRetriesPerRequest: null }, concurrency: options.concurrency },
    );
    this.#worker.on('failed', (job, error) => {
      if (job !== undefined && job.attemptsMade >= options.attempts)
        options.onFailed({ id: job.id ?? '', data: job.data, attempt: job.attemptsMade }, error);
    });
    let failing = false;
    const failed = (error: Error) => {
      if (!failing && !this.#stop.signal.aborted)
        log.warn(
          { event: 'jobs:redis:failed', queue: options.name, reason: messageOf(error) },
          'Redis does not answer: jobs wait',
        );
      failing = true;
    };
    this.#queue.on('error', failed);
    this.#worker.on('error', failed);
    this.#worker.on('ready', () => {
      failing = false;
    });
  }

  async add(jobs: readonly { readonly id: string; readonly data: Data }[]): Promise<void> {
    try {
      await withDeadline(this.#queue.waitUntilReady(), DEADLINE_MS, 'Redis');
      await withDeadline(
        // BullMQ's own types tie name and data together in a way that a generic Data cannot show.
        (this.#queue as Queue).addBulk(
          jobs.map(({ id, data }) => ({ name: this.#options.name, data, opts: { jobId: id } })),
        ),
        DEADLINE_MS,
        'adding jobs',
      );
    } catch (error) {
      throw new HoltError('HOLT_JOBS_UNREACHABLE', `jobs cannot be queued: ${messageOf(error)}`, {
        disposition: 'retry',
        remedy: "Check the site's Redis and its URL; replication goes on without it.",
        cause: error,
      });
    }
  }

  async counts(): Promise<JobCounts> {
    try {
      await withDeadline(this.#queue.waitUntilReady(), DEADLINE_MS, 'Redis');
      const counts = await withDeadline(
        this.#queue.getJobCounts('waiting', 'active', 'delayed', 'failed', 'completed'),
        DEADLINE_MS,
        'counting jobs',
      );
      const { waiting = 0, active = 0, delayed = 0, failed = 0, completed = 0 } = counts;
      return { waiting, active, delayed, failed, completed };
    } catch (error) {
      throw new HoltError('HOLT_JOBS_UNREACHABLE', `jobs cannot be counted: ${messageOf(error)}`, {
        disposition: 'retry',
        cause: error,
      });
    }
  }

  async close(): Promise<void> {
    this.#stop.abort(new AbortError('queue closed'));
    await withDeadline(this.#worker.close(), DEADLINE_MS, 'closing the worker').catch(() =>
      this.#worker.close(true),
    );
    await this.#queue.close();
  }
}
