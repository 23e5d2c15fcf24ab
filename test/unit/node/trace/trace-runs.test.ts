import { afterEach, describe, expect, test } from 'vitest';
import { untilAborted, waitFor } from '../../../../lib/abort.ts';
import { systemClock } from '../../../../lib/clock.ts';
import { HoltError } from '../../../../lib/errors.ts';
import { silentLogger } from '../../../../lib/logger.ts';
import type { PeerQuestion } from '../../../../node/api/peers.ts';
import { TRACE_GET, TRACE_START, TRACE_STOP, TraceRuns } from '../../../../node/trace/trace-runs.ts';
import type { TraceAnswer } from '../../../../node/trace/tracer.ts';

const REQUEST = { table: 'shop.items', key: ['1'], lastMs: 1_000, maxBytes: 1_000 };
const ANSWER: TraceAnswer = {
  target: 'shop.items',
  state: 'not-found',
  change: null,
  outcome: null,
  steps: [],
  rowAt: { source: false, target: false },
  searchedBackToMs: 1,
  notes: [],
};

const opened: TraceRuns[] = [];
afterEach(() => Promise.all(opened.splice(0).map((one) => one.stop())));

function node(
  self: string,
  trace: (signal: AbortSignal) => Promise<TraceAnswer>,
  options: { readonly nodeFor?: string; readonly others?: ReadonlyMap<string, TraceRuns> } = {},
): TraceRuns {
  const runs = new TraceRuns({
    peers: {
      self,
      ask: async <Q, A>(
        other: string,
        { name, question, answer }: PeerQuestion<Q, A>,
        asked: Q,
      ): Promise<A> => {
        const there = options.others?.get(other);
        if (there === undefined) throw new HoltError('HOLT_NODE_UNKNOWN', 'no such node');
        // As they cross processes.
        const given = question.parse(JSON.parse(JSON.stringify(asked))) as never;
        const said =
          name === TRACE_START.name
            ? there.ownStart(given)
            : name === TRACE_GET.name
              ? there.ownGet(given)
              : name === TRACE_STOP.name
                ? there.ownStop(given)
                : null;
        return answer.parse(JSON.parse(JSON.stringify(said)));
      },
    },
    tracer: { trace: (_name, _request, _onProgress, signal) => trace(signal) },
    nodeFor: () => options.nodeFor ?? self,
    clock: systemClock,
    log: silentLogger,
  });
  opened.push(runs);
  return runs;
}

const forever = async (signal: AbortSignal): Promise<TraceAnswer> => {
  await untilAborted(signal);
  throw signal.reason;
};
const ended = (runs: TraceRuns, id: string) =>
  waitFor(
    async () => {
      const view = await runs.get('p', id);
      return view.state === 'running' ? null : view;
    },
    { timeoutMs: 20_000, pollMs: 5, what: 'the trace to end' },
  );

describe('TraceRuns', () => {
  test('a trace runs at the node of the source, and is asked about through any other', async () => {
    const east = node('east-1', () => Promise.resolve(ANSWER));
    const west = node('west-1', () => Promise.reject(new Error('not here')), {
      nodeFor: 'east-1',
      others: new Map([['east-1', east]]),
    });
    const { id, state } = await west.start('p', REQUEST);
    expect(state).toBe('running');
    expect(id).toMatch(/^east-1~/);
    expect(await ended(west, id)).toMatchObject({ state: 'not-found', target: 'shop.items' });
  });

  test("another pipeline's trace, one of no node and one that is none are not known", async () => {
    const runs = node('east-1', () => Promise.resolve(ANSWER));
    const { id } = await runs.start('p', REQUEST);
    for (const [pipeline, asked] of [
      ['q', id],
      ['p', 'gone~1'],
      ['p', 'east-1~1'],
      ['p', ''],
    ] as const)
      await expect(runs.get(pipeline, asked)).rejects.toMatchObject({ code: 'HOLT_TRACE_UNKNOWN' });
  });

  test('an error is the answer, with its code and what to do', async () => {
    const runs = node('east-1', () =>
      Promise.reject(new HoltError('HOLT_TRACE_TABLE', 'no table', { disposition: 'fatal' })),
    );
    const { id } = await runs.start('p', REQUEST);
    expect(await ended(runs, id)).toMatchObject({
      state: 'failed',
      error: {
        code: 'HOLT_TRACE_TABLE',
        message: 'no table',
        remedy: expect.stringContaining('schema.table'),
      },
    });
  });

  test('whoever asked for it ends it, and the search with it', async () => {
    let isOver = false;
    const runs = node('east-1', (signal) =>
      forever(signal).finally(() => {
        isOver = true;
      }),
    );
    const { id } = await runs.start('p', REQUEST);
    expect(await runs.cancel('p', id)).toMatchObject({
      state: 'failed',
      error: { code: 'HOLT_TRACE_CANCELLED' },
    });
    await waitFor(() => isOver, { timeoutMs: 20_000, what: 'the search to end' });
    expect((await runs.get('p', id)).error?.message).toMatch(/cancelled/);
  });

  test('no more than a few run at once on a node', async () => {
    const runs = node('east-1', forever);
    for (let count = 0; count < 3; count++) await runs.start('p', REQUEST);
    await expect(runs.start('p', REQUEST)).rejects.toMatchObject({ code: 'HOLT_RATE_LIMIT' });
  });
});
