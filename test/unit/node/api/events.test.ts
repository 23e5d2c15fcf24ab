import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { waitFor } from '../../../../lib/abort.ts';
import { HoltError } from '../../../../lib/errors.ts';
import { UNKNOWN_LAG } from '../../../../model/lag.ts';
import type { PipelineStatusView } from '../../../../node/operations.ts';
import { ApiBench, ROOT_TOKEN } from '../../../support/api-bench.ts';

interface Received {
  readonly id: string;
  readonly event: string;
  readonly data: unknown;
}

/** A follower as a browser is one. */
class Follower {
  readonly events: Received[] = [];
  readonly comments: string[] = [];
  status = 0;
  isOver = false;
  #end: () => void = () => {};

  constructor(bench: ApiBench, query: string, headers: Record<string, string> = {}) {
    const { hostname, port } = new URL(bench.url);
    const call = request(
      {
        hostname,
        port,
        path: `/api/v1/events${query}`,
        headers: { authorization: `Bearer ${ROOT_TOKEN}`, ...headers },
      },
      (response) => {
        this.status = response.statusCode ?? 0;
        let rest = '';
        response.on('data', (data) => {
          const blocks = (rest + String(data)).split('\n\n');
          rest = blocks.pop() ?? '';
          for (const block of blocks) this.#take(block);
        });
        response.on('close', () => {
          this.isOver = true;
        });
      },
    );
    call.on('error', () => {
      this.isOver = true;
    });
    call.end();
    this.#end = () => call.destroy();
  }

  #take(block: string): void {
    if (block.startsWith(':')) this.comments.push(block);
    const fields = new Map(
      block.split('\n').map((line): [string, string] => {
        const at = line.indexOf(': ');
        return [line.slice(0, at), line.slice(at + 2)];
      }),
    );
    const event = fields.get('event');
    if (event !== undefined)
      this.events.push({ id: fields.get('id') ?? '', event, data: JSON.parse(fields.get('data') ?? 'null') });
  }

  has(count: number): Promise<unknown> {
    return waitFor(() => this.events.length >= count, { timeoutMs: 30_000, what: `${count} events` });
  }

  close(): void {
    this.#end();
  }
}

function status(pipeline: string, rowsTotal: number): PipelineStatusView {
  return {
    pipeline,
    state: 'running',
    reason: null,
    code: null,
    sinceMs: null,
    asOfMs: Math.random(),
    epoch: 1,
    lagMs: 0,
    lagStage: null,
    lag: UNKNOWN_LAG,
    rowsPerSecond: 0,
    rowsTotal,
    stages: [],
    position: null,
    appliedSeq: null,
    rewinds: 0,
    parked: [],
  };
}

let bench: ApiBench;
let pipelines: PipelineStatusView[] = [];
let looks = 0;
let trouble: Error | null = null;
beforeEach(async () => {
  pipelines = [status('a', 1), status('b', 1)];
  looks = 0;
  trouble = null;
  bench = await ApiBench.start({
    operations: {
      pipelines: () => {
        looks += 1;
        return trouble === null ? Promise.resolve(pipelines) : Promise.reject(trouble);
      },
      nodes: () => Promise.resolve([]),
    },
  });
});
afterEach(() => bench[Symbol.asyncDispose]());

const names = ({ data }: Received) =>
  (data as { readonly pipelines: readonly { readonly pipeline: string }[] }).pipelines.map(
    (one) => one.pipeline,
  );

describe('the event stream', () => {
  test('begins with everything, goes on with what changes, and is silent while only time passes', async () => {
    const follower = new Follower(bench, '');
    await follower.has(1);
    expect(follower.status).toBe(200);
    expect(follower.events[0]?.event).toBe('snapshot');
    expect(names(follower.events[0] as Received)).toEqual(['a', 'b']);
    pipelines = [status('a', 1), status('b', 2)];
    await follower.has(2);
    expect(follower.events[1]).toMatchObject({ event: 'pipeline', data: { pipeline: 'b', rowsTotal: 2 } });
    const before = looks;
    pipelines = [status('a', 1), status('b', 2)];
    await waitFor(() => looks > before + 1, { timeoutMs: 30_000, what: 'more looks' });
    pipelines = [status('a', 1)];
    await follower.has(3);
    expect(follower.events[2]).toMatchObject({ event: 'pipeline-gone', data: { pipeline: 'b' } });
    follower.close();
  });

  test('with Last-Event-ID gives what was missed, once; with one it does not know, everything', async () => {
    const first = new Follower(bench, '');
    await first.has(1);
    pipelines = [status('a', 2), status('b', 1)];
    await first.has(2);
    first.close();
    const last = first.events.at(-1)?.id ?? '';
    pipelines = [status('a', 2), status('b', 7)];
    const second = new Follower(bench, '', { 'last-event-id': last });
    await second.has(1);
    expect(second.events).toMatchObject([{ event: 'pipeline', data: { pipeline: 'b', rowsTotal: 7 } }]);
    second.close();
    for (const id of ['0badcafe-1', 'nonsense', `${last}99`]) {
      const stranger = new Follower(bench, '', { 'last-event-id': id });
      await stranger.has(1);
      expect(stranger.events[0]?.event).toBe('snapshot');
      stranger.close();
    }
  });

  test('gives each only what it may see and asked for', async () => {
    const made = await bench.send('POST', '/api/v1/tokens', {
      token: ROOT_TOKEN,
      body: JSON.stringify({ name: 't', role: 'viewer', pipelines: ['b'] }),
    });
    const { token } = made.json() as { readonly token: string };
    const confined = new Follower(bench, '', { authorization: `Bearer ${token}` });
    const choosy = new Follower(bench, '?pipelines=a');
    const nodes = new Follower(bench, '?topics=nodes');
    await Promise.all([confined.has(1), choosy.has(1), nodes.has(1)]);
    expect(names(confined.events[0] as Received)).toEqual(['b']);
    expect(names(choosy.events[0] as Received)).toEqual(['a']);
    expect(names(nodes.events[0] as Received)).toEqual([]);
    pipelines = [status('a', 5), status('b', 1)];
    await choosy.has(2);
    pipelines = [status('a', 5), status('b', 6)];
    await confined.has(2);
    expect(confined.events[1]).toMatchObject({ data: { pipeline: 'b', rowsTotal: 6 } });
    expect(choosy.events).toHaveLength(2);
    expect(nodes.events).toHaveLength(1);
    for (const one of [confined, choosy, nodes]) one.close();
  });

  test('says when nothing can be known, and when it can again', async () => {
    const follower = new Follower(bench, '');
    await follower.has(1);
    trouble = new HoltError('HOLT_TREE_DEADLINE', 'the tree is away');
    await follower.has(2);
    expect(follower.events[1]).toMatchObject({ event: 'unreachable', data: { message: 'the tree is away' } });
    trouble = null;
    await follower.has(3);
    expect(follower.events[2]?.event).toBe('reachable');
    follower.close();
  });

  test('looks at nothing while nobody follows', async () => {
    const follower = new Follower(bench, '');
    await follower.has(1);
    follower.close();
    let before = -1;
    await waitFor(
      () => {
        const isSame = looks === before;
        before = looks;
        return isSame;
      },
      { timeoutMs: 30_000, pollMs: 2_500, what: 'the looks to end' },
    );
  });

  test('a topic that is none is refused before the stream begins', async () => {
    const answer = await bench.send('GET', '/api/v1/events?topics=nonsense', { token: ROOT_TOKEN });
    expect(answer.json()).toMatchObject({ code: 'HOLT_REQUEST_INVALID', status: 400 });
  });
});
