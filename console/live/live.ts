/**
 * What happens, as it happens: follows the event stream, and comes again by itself when it breaks. Between two events nothing is made
 * up: how old what is shown may be is said by `asOfMs`, and whoever draws it says so once that is too long ago.
 */
import type { NodeView, PipelineStatusView } from '../../node/operations.ts';
import { problemIn, urlOf } from '../api/client.ts';
import { type Problem, problemOf } from '../api/problem.ts';
import { EventParser, type StreamEvent } from './sse.ts';
import { Store } from './store.ts';

export interface Throughput {
  readonly atMs: number;
  readonly rowsPerSecond: number;
}

export interface Live {
  /** `unreachable`: the node answers, and cannot look at the installation. */
  readonly state: 'connecting' | 'live' | 'lost' | 'unreachable';
  /** Why not, where it is known. */
  readonly trouble: string | null;
  /** When what is shown was last said to be so, by this browser's clock. */
  readonly asOfMs: number | null;
  /** By name. Null until the first snapshot is there. */
  readonly pipelines: readonly PipelineStatusView[] | null;
  readonly nodes: readonly NodeView[];
  /** Of all pipelines together, since the page was opened. */
  readonly throughput: readonly Throughput[];
}

const NOTHING: Live = {
  state: 'connecting',
  trouble: null,
  asOfMs: null,
  pipelines: null,
  nodes: [],
  throughput: [],
};

/** The node sends a comment every 15 s at least: silence for longer is a connection that is gone. */
const SILENT_MS = 25_000;
const RETRY_MS = [500, 1_000, 2_000, 4_000, 8_000] as const;
/** Changes are drawn together, no more often than this. */
const DRAW_MS = 100;
const KEPT_MS = 15 * 60_000;
const KEPT_STEP_MS = 2_000;

export const live = new Store<Live>(NOTHING);

let following: AbortController | null = null;

/** From the login on; a second call begins anew. */
export function startLive(): void {
  stopLive();
  following = new AbortController();
  void follow(following.signal);
}

export function stopLive(): void {
  following?.abort();
  following = null;
  live.set(NOTHING);
}

async function follow(signal: AbortSignal): Promise<void> {
  const view = new Collected();
  let lastId: string | null = null;
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    try {
      await readStream(signal, lastId, (event) => {
        if (event.id !== null && event.id !== '') lastId = event.id;
        attempt = 0;
        view.take(event);
      });
    } catch (error) {
      if (signal.aborted) return;
      const problem: Problem = problemOf(error);
      // The login page takes over.
      if (problem.isLogin) return;
      view.lost(problem.message);
    }
    if (signal.aborted) return;
    view.lost(null);
    await pause(RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)] ?? 8_000, signal);
  }
}

/** Resolves when the stream ends; rejects when it breaks, or is silent for too long. */
async function readStream(
  signal: AbortSignal,
  lastId: string | null,
  take: (event: StreamEvent) => void,
): Promise<void> {
  const silent = new AbortController();
  let timer = setTimeout(() => silent.abort(), SILENT_MS);
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silent.abort(), SILENT_MS);
  };
  try {
    const answer = await fetch(urlOf('/events', { topics: 'pipelines,nodes,looks' }), {
      credentials: 'same-origin',
      cache: 'no-store',
      headers: { accept: 'text/event-stream', ...(lastId === null ? {} : { 'last-event-id': lastId }) },
      signal: AbortSignal.any([signal, silent.signal]),
    });
    if (!answer.ok || answer.body === null) throw await problemIn(answer);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    const parser = new EventParser();
    while (true) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      for (const event of parser.feed(value)) take(event);
    }
  } catch (error) {
    if (silent.signal.aborted && !signal.aborted) throw new Error('the node has said nothing for a while');
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Puts events together, and draws them a few at a time. */
class Collected {
  #pipelines: Map<string, PipelineStatusView> | null = null;
  #next: Live = NOTHING;
  #timer: ReturnType<typeof setTimeout> | null = null;

  take({ event, data }: StreamEvent): void {
    if (event === 'comment') return;
    const parsed: unknown = JSON.parse(data);
    const now = Date.now();
    switch (event) {
      case 'snapshot': {
        const { pipelines, nodes, unreachable } = parsed as {
          readonly pipelines: readonly PipelineStatusView[];
          readonly nodes: readonly NodeView[];
          readonly unreachable: string | null;
        };
        this.#pipelines = new Map(pipelines.map((one) => [one.pipeline, one]));
        this.#next = {
          ...this.#next,
          nodes,
          state: unreachable === null ? 'live' : 'unreachable',
          trouble: unreachable,
          asOfMs: unreachable === null ? now : this.#next.asOfMs,
        };
        this.#draw();
        return;
      }
      case 'pipeline': {
        const one = parsed as PipelineStatusView;
        this.#pipelines?.set(one.pipeline, one);
        break;
      }
      case 'pipeline-gone':
        this.#pipelines?.delete((parsed as { readonly pipeline: string }).pipeline);
        break;
      case 'nodes':
        this.#next = { ...this.#next, nodes: (parsed as { readonly nodes: readonly NodeView[] }).nodes };
        break;
      case 'unreachable':
        this.#next = {
          ...this.#next,
          state: 'unreachable',
          trouble: (parsed as { readonly message: string }).message,
        };
        this.#drawSoon();
        return;
      case 'reachable':
      case 'look':
        break;
      default:
        return;
    }
    this.#next = { ...this.#next, state: 'live', trouble: null, asOfMs: now };
    this.#drawSoon();
  }

  lost(why: string | null): void {
    if (this.#next.state === 'lost' && why === null) return;
    this.#next = { ...this.#next, state: 'lost', trouble: why };
    this.#draw();
  }

  #drawSoon(): void {
    this.#timer ??= setTimeout(() => this.#draw(), DRAW_MS);
  }

  #draw(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const pipelines =
      this.#pipelines === null
        ? null
        : [...this.#pipelines.values()].sort((a, b) => (a.pipeline < b.pipeline ? -1 : 1));
    this.#next = { ...this.#next, pipelines, throughput: this.#throughput(pipelines) };
    live.set(this.#next);
  }

  #throughput(pipelines: readonly PipelineStatusView[] | null): readonly Throughput[] {
    const { throughput, asOfMs } = this.#next;
    if (pipelines === null || asOfMs === null || this.#next.state !== 'live') return throughput;
    const last = throughput.at(-1);
    if (last !== undefined && asOfMs - last.atMs < KEPT_STEP_MS) return throughput;
    const rowsPerSecond = pipelines.reduce((sum, one) => sum + one.rowsPerSecond, 0);
    return [...throughput.filter((one) => asOfMs - one.atMs < KEPT_MS), { atMs: asOfMs, rowsPerSecond }];
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
