import { AbortError } from '../lib/abort.ts';
import { Backoff } from '../lib/backoff.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { TaskGroup } from '../lib/task-group.ts';
import type { Job, JobCounts, JobQueue, JobQueueOptions } from './job-queue.ts';

/** How many ids of finished jobs are remembered, so that they are not done twice. */
const REMEMBERED = 10_000;

/** Jobs in this process's memory: what `holt run` uses. */
export class InProcessQueue<Data> implements JobQueue<Data> {
  readonly #options: JobQueueOptions<Data>;
  readonly #clock: Clock;
  readonly #waiting: { readonly id: string; readonly data: Data }[] = [];
  readonly #known = new Set<string>();
  readonly #stop = new AbortController();
  readonly #group: TaskGroup;
  #working = 0;
  #delayed = 0;
  #failed = 0;
  #completed = 0;

  constructor(options: JobQueueOptions<Data>, clock: Clock = systemClock) {
    this.#options = options;
    this.#clock = clock;
    this.#group = new TaskGroup(() => {});
  }

  add(jobs: readonly { readonly id: string; readonly data: Data }[]): Promise<void> {
    for (const job of jobs) {
      if (this.#known.has(job.id)) continue;
      this.#known.add(job.id);
      this.#waiting.push(job);
    }
    for (const oldest of this.#known) {
      if (this.#known.size <= REMEMBERED + this.#waiting.length) break;
      this.#known.delete(oldest);
    }
    this.#fill();
    return Promise.resolve();
  }

  counts(): Promise<JobCounts> {
    return Promise.resolve({
      waiting: this.#waiting.length,
      active: this.#working - this.#delayed,
      delayed: this.#delayed,
      failed: this.#failed,
      completed: this.#completed,
    });
  }

  async close(): Promise<void> {
    this.#waiting.length = 0;
    this.#stop.abort(new AbortError('queue closed'));
    await this.#group.idle();
  }

  #fill(): void {
    while (this.#group.size < this.#options.concurrency && !this.#stop.signal.aborted) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#group.spawn(async () => {
        this.#working++;
        await this.#work(next).finally(() => {
          this.#working--;
        });
        // The task itself still counts: the next one starts when it has gone.
        setImmediate(() => this.#fill());
      });
    }
  }

  async #work(entry: { readonly id: string; readonly data: Data }): Promise<void> {
    const { signal } = this.#stop;
    const backoff = new Backoff({ initialMs: this.#options.backoffMs, jitter: 0 });
    for (let attempt = 1; ; attempt++) {
      const job: Job<Data> = { ...entry, attempt };
      try {
        await this.#options.process(job, signal);
        this.#completed++;
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (attempt >= this.#options.attempts) {
          this.#failed++;
          this.#options.onFailed(job, error);
          return;
        }
        this.#delayed++;
        await this.#clock.sleep(backoff.nextMs(), signal).catch(() => {});
        this.#delayed--;
        if (signal.aborted) return;
      }
    }
  }
}
