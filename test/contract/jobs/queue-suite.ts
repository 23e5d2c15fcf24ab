import { afterEach, describe, expect, test } from 'vitest';
import type { Job, JobQueue, JobQueueOptions } from '../../../jobs/job-queue.ts';
import { waitFor } from '../../../lib/abort.ts';

interface Data {
  readonly number: number;
}

export type MakeQueue = (options: JobQueueOptions<Data>) => JobQueue<Data>;

/** What every job queue does. */
export function queueSuite(name: string, make: MakeQueue): void {
  describe(`a job queue: ${name}`, () => {
    const queues: JobQueue<Data>[] = [];
    let count = 0;
    const failed: { readonly id: string; readonly attempt: number; readonly message: string }[] = [];

    function queue(
      process: (job: Job<Data>, signal: AbortSignal) => Promise<void>,
      options: { concurrency?: number; attempts?: number } = {},
    ): JobQueue<Data> {
      const made = make({
        name: `q${++count}-${Math.random().toString(36).slice(2)}`,
        concurrency: options.concurrency ?? 2,
        attempts: options.attempts ?? 3,
        backoffMs: 10,
        process,
        onFailed: (job, error) =>
          failed.push({
            id: job.id,
            attempt: job.attempt,
            message: error instanceof Error ? error.message : String(error),
          }),
      });
      queues.push(made);
      return made;
    }

    afterEach(async () => {
      await Promise.all(queues.splice(0).map((one) => one.close()));
      failed.length = 0;
    });

    test('does every job once, at most so many at a time', async () => {
      const done: number[] = [];
      let running = 0;
      let most = 0;
      const jobs = queue(async ({ data }) => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setTimeout(resolve, 5));
        running -= 1;
        done.push(data.number);
      });
      await jobs.add(Array.from({ length: 20 }, (_, number) => ({ id: `job-${number}`, data: { number } })));
      await waitFor(() => done.length === 20, { timeoutMs: 20_000, what: 'all jobs' });
      expect(done.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i));
      expect(most).toBe(2);
    });

    test('an id that is known is not taken a second time', async () => {
      let runs = 0;
      const jobs = queue(async () => {
        runs += 1;
      });
      await jobs.add([{ id: 'same', data: { number: 1 } }]);
      await waitFor(() => runs === 1, { timeoutMs: 20_000, what: 'the job' });
      await jobs.add([
        { id: 'same', data: { number: 1 } },
        { id: 'other', data: { number: 2 } },
      ]);
      await waitFor(() => runs === 2, { timeoutMs: 20_000, what: 'the other job' });
      expect(runs).toBe(2);
    });

    test('a job that fails is tried again, with its attempt counted, and given up at last', async () => {
      const attempts: number[] = [];
      const jobs = queue(async ({ attempt, data }) => {
        attempts.push(attempt);
        if (data.number === 1 || attempt < 2) throw new Error(`no. ${attempt}`);
      });
      await jobs.add([{ id: 'never', data: { number: 1 } }]);
      await waitFor(() => failed.length === 1, { timeoutMs: 20_000, what: 'giving up' });
      expect(attempts).toEqual([1, 2, 3]);
      expect(failed).toEqual([{ id: 'never', attempt: 3, message: 'no. 3' }]);
      expect(await jobs.counts()).toMatchObject({ waiting: 0, failed: 1, completed: 0 });
      await jobs.add([{ id: 'second', data: { number: 2 } }]);
      await waitFor(() => attempts.length === 5, { timeoutMs: 20_000, what: 'the second attempt' });
      expect(failed).toHaveLength(1);
    });

    test('closing tells the job in hand, and starts no other', async () => {
      let told = false;
      let started = 0;
      const jobs = queue(
        async (_job, signal) => {
          started += 1;
          await new Promise<void>((resolve) =>
            signal.addEventListener('abort', () => resolve(), { once: true }),
          );
          told = true;
        },
        { concurrency: 1 },
      );
      await jobs.add([
        { id: 'one', data: { number: 1 } },
        { id: 'two', data: { number: 2 } },
      ]);
      await waitFor(() => started === 1, { timeoutMs: 20_000, what: 'the first job' });
      expect(await jobs.counts()).toEqual({ waiting: 1, active: 1, delayed: 0, failed: 0, completed: 0 });
      await jobs.close();
      expect(told).toBe(true);
      expect(started).toBe(1);
    });
  });
}
