/**
 * What is neither ordered nor on the row path: chunks to compare, alarms, scheduled checks. At least once, never needed
 * for replication. `bullmq-queue.ts` keeps jobs in the site's Redis, `in-process-queue.ts` in memory; both pass one suite.
 *
 * A job's data are ids only, never rows or secrets.
 */
export interface Job<Data> {
  /** Adding an id a second time while the job is kept does nothing. */
  readonly id: string;
  readonly data: Data;
  /** Counts from 1. */
  readonly attempt: number;
}

export interface JobQueueOptions<Data> {
  readonly name: string;
  readonly concurrency: number;
  /** Times a job is tried before it counts as failed. */
  readonly attempts: number;
  /** Pause before the second try, doubling. */
  readonly backoffMs: number;
  readonly process: (job: Job<Data>, signal: AbortSignal) => Promise<void>;
  /** Called once for a job whose last attempt failed. */
  readonly onFailed: (job: Job<Data>, error: unknown) => void;
}

/** Jobs by what they wait for. Finished and failed ones count as long as they are kept. */
export interface JobCounts {
  readonly waiting: number;
  readonly active: number;
  /** Failed, and waiting for the next try. */
  readonly delayed: number;
  readonly failed: number;
  readonly completed: number;
}

export interface JobQueue<Data> {
  /** @throws HoltError HOLT_JOBS_UNREACHABLE (retry) while Redis does not answer. */
  counts(): Promise<JobCounts>;
  /** @throws HoltError HOLT_JOBS_UNREACHABLE (retry) while Redis does not answer. */
  add(jobs: readonly { readonly id: string; readonly data: Data }[]): Promise<void>;
  /** Takes nothing more and waits for what is being worked on; its signal aborts. */
  close(): Promise<void>;
}
