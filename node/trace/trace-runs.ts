/**
 * Traces under way and those just ended, each in the memory of the node that runs it: one at the source's site, whichever node was
 * asked. A trace that nobody asks about any more ends by itself: its client is gone.
 */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../../lib/clock.ts';
import { HoltError, isAbort, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { TaskGroup } from '../../lib/task-group.ts';
import { remedyOf } from '../../model/error-codes.ts';
import type { PeerQuestion, Peers } from '../api/peers.ts';
import { type TraceRequest, type TraceView, traceRequest, traceView } from './trace.ts';
import type { Tracer } from './tracer.ts';

export const TRACE_START: PeerQuestion<{ pipeline: string; request: TraceRequest }, { trace: TraceView }> = {
  name: 'trace-start',
  question: z.strictObject({ pipeline: z.string(), request: traceRequest }) as z.ZodType<{
    pipeline: string;
    request: TraceRequest;
  }>,
  answer: z.strictObject({ trace: traceView }),
};

const about = z.strictObject({ id: z.string() });
export const TRACE_GET: PeerQuestion<{ id: string }, { trace: TraceView | null }> = {
  name: 'trace-get',
  question: about,
  answer: z.strictObject({ trace: traceView.nullable() }),
};
export const TRACE_STOP: PeerQuestion<{ id: string }, { trace: TraceView | null }> = {
  ...TRACE_GET,
  name: 'trace-stop',
};

export interface TraceRunsOptions {
  readonly peers: Pick<Peers, 'ask' | 'self'>;
  readonly tracer: Pick<Tracer, 'trace'>;
  /** Node at the source's site that is to run it. */
  readonly nodeFor: (pipeline: string) => string;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Run {
  view: TraceView;
  readonly stop: AbortController;
  /** When somebody last asked about it, monotonic. */
  askedMs: number;
}

/** At once on one node: each reads a log from end to end. */
const MAX_RUNNING = 3;
const MAX_KEPT = 200;
const KEPT_MS = 10 * 60_000;
/** Whoever follows a trace asks more often. */
const FORGOTTEN_MS = 30_000;
const LOOK_MS = 5_000;
/** Between the node's name and the rest: no name has it. */
const SEPARATOR = '~';

export class TraceRuns {
  readonly #options: TraceRunsOptions;
  readonly #runs = new Map<string, Run>();
  readonly #group: TaskGroup;
  readonly #stop = new AbortController();

  constructor(options: TraceRunsOptions) {
    this.#options = options;
    this.#group = new TaskGroup((error) => {
      if (!isAbort(error))
        options.log.error(
          { event: 'trace:failed', err: error },
          'a defect of ours: a trace ended unexpectedly',
        );
    });
  }

  async start(pipeline: string, request: TraceRequest): Promise<TraceView> {
    const { peers, nodeFor } = this.#options;
    const node = nodeFor(pipeline);
    if (node === peers.self) return this.ownStart({ pipeline, request }).trace;
    return (await peers.ask(node, TRACE_START, { pipeline, request })).trace;
  }

  /** @throws HoltError HOLT_TRACE_UNKNOWN */
  get(pipeline: string, id: string): Promise<TraceView> {
    return this.#ask(pipeline, id, TRACE_GET, () => this.ownGet({ id }));
  }

  /** Ends it; one that is over stays as it is. @throws HoltError HOLT_TRACE_UNKNOWN */
  cancel(pipeline: string, id: string): Promise<TraceView> {
    return this.#ask(pipeline, id, TRACE_STOP, () => this.ownStop({ id }));
  }

  async #ask(
    pipeline: string,
    id: string,
    question: typeof TRACE_GET,
    own: () => { readonly trace: TraceView | null },
  ): Promise<TraceView> {
    const { peers } = this.#options;
    const node = id.slice(0, Math.max(0, id.lastIndexOf(SEPARATOR)));
    const { trace } =
      node === peers.self ? own() : node === '' ? { trace: null } : await this.#remote(node, question, id);
    if (trace?.pipeline === pipeline) return trace;
    throw new HoltError('HOLT_TRACE_UNKNOWN', `there is no trace ${JSON.stringify(id.slice(0, 100))}`, {
      disposition: 'fatal',
    });
  }

  async #remote(
    node: string,
    question: typeof TRACE_GET,
    id: string,
  ): Promise<{ readonly trace: TraceView | null }> {
    try {
      return await this.#options.peers.ask(node, question, { id });
    } catch (error) {
      if (error instanceof HoltError && error.code === 'HOLT_NODE_UNKNOWN') return { trace: null };
      throw error;
    }
  }

  // ── what this node says to the questions ─────────────────────────────────────────────────────────────────────────

  ownStart({ pipeline, request }: { readonly pipeline: string; readonly request: TraceRequest }): {
    trace: TraceView;
  } {
    const { peers, clock } = this.#options;
    this.#forgetOld();
    const running = [...this.#runs.values()].filter(({ view }) => view.state === 'running').length;
    if (running >= MAX_RUNNING)
      throw new HoltError('HOLT_RATE_LIMIT', `${running} traces run on ${peers.self} already`, {
        disposition: 'retry',
      });
    const id = `${peers.self}${SEPARATOR}${randomBytes(9).toString('hex')}`;
    const run: Run = {
      view: {
        ...{ id, pipeline, table: request.table, target: null, state: 'running' },
        progress: { file: null, filesDone: 0, bytesRead: 0, bytesToRead: 0 },
        ...{ change: null, outcome: null, steps: [], searchedBackToMs: null, notes: [], error: null },
        rowAt: { source: null, target: null },
      },
      stop: new AbortController(),
      askedMs: clock.monotonicMs(),
    };
    this.#runs.set(id, run);
    this.#group.spawn(() => this.#run(run, request));
    this.#group.spawn(() => this.#watch(run));
    return { trace: run.view };
  }

  ownGet({ id }: { readonly id: string }): { trace: TraceView | null } {
    const run = this.#runs.get(id);
    if (run === undefined) return { trace: null };
    run.askedMs = this.#options.clock.monotonicMs();
    return { trace: run.view };
  }

  ownStop({ id }: { readonly id: string }): { trace: TraceView | null } {
    const run = this.#runs.get(id);
    if (run?.view.state === 'running') {
      run.stop.abort();
      run.view = { ...run.view, state: 'failed', error: cancelled('it was cancelled') };
    }
    return { trace: run?.view ?? null };
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    for (const { stop } of this.#runs.values()) stop.abort();
    await this.#group.idle();
  }

  async #run(run: Run, request: TraceRequest): Promise<void> {
    const { tracer, log } = this.#options;
    const { pipeline } = run.view;
    try {
      const answer = await tracer.trace(
        pipeline,
        request,
        (progress) => {
          if (run.view.state === 'running') run.view = { ...run.view, progress };
        },
        run.stop.signal,
      );
      if (run.view.state === 'running') run.view = { ...run.view, ...answer };
    } catch (error) {
      if (run.view.state !== 'running') return;
      const holt = error instanceof HoltError ? error : null;
      if (holt === null && !isAbort(error))
        log.error({ event: 'trace:failed', pipeline, err: error }, 'a defect of ours: a trace failed');
      run.view = {
        ...run.view,
        state: 'failed',
        error: isAbort(error)
          ? cancelled('it took too long')
          : {
              code: holt?.code ?? 'HOLT_INTERNAL',
              message: messageOf(error),
              remedy: holt === null ? null : remedyOf(holt),
            },
      };
    } finally {
      // Ends the watch, too.
      run.stop.abort();
    }
  }

  /** Until the trace is over. */
  async #watch(run: Run): Promise<void> {
    const { clock } = this.#options;
    const signal = AbortSignal.any([this.#stop.signal, run.stop.signal]);
    while (!signal.aborted) {
      await clock.sleep(LOOK_MS, signal).catch(() => {});
      if (signal.aborted || clock.monotonicMs() - run.askedMs < FORGOTTEN_MS) continue;
      run.view = { ...run.view, state: 'failed', error: cancelled('nobody asked about it any more') };
      run.stop.abort();
    }
  }

  #forgetOld(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const [id, { view, askedMs }] of this.#runs)
      if (view.state !== 'running' && (nowMs - askedMs > KEPT_MS || this.#runs.size > MAX_KEPT))
        this.#runs.delete(id);
  }
}

function cancelled(why: string): NonNullable<TraceView['error']> {
  return {
    code: 'HOLT_TRACE_CANCELLED',
    message: `the trace has ended before it was done: ${why}`,
    remedy: null,
  };
}
