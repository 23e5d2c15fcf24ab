import { describe, expect, test } from 'vitest';
import { waitFor } from '../../../lib/abort.ts';
import { systemClock } from '../../../lib/clock.ts';
import { deferred } from '../../../lib/deferred.ts';
import { silentLogger } from '../../../lib/logger.ts';
import { pipelineId, siteId } from '../../../model/ids.ts';
import { neededFor } from '../../../node/cluster.ts';
import { NodeWork } from '../../../node/node-work.ts';
import type { NodeView } from '../../../node/operations.ts';

const noSignal = new AbortController().signal;
const soon = { timeoutMs: 20_000, pollMs: 1 } as const;

/** Counts what is taken up and put down; `hold` keeps a step from ending. */
function bench(hindered: (begun: number) => boolean = () => false) {
  const seen = { begun: 0, standing: 0, most: 0, states: [] as string[] };
  const hold = { stop: null as Promise<void> | null };
  const work = new NodeWork({
    begin: () => ({
      async start() {
        seen.begun++;
        seen.standing++;
        seen.most = Math.max(seen.most, seen.standing);
        if (hindered(seen.begun)) throw new Error('the tree is away');
      },
      async stop() {
        await hold.stop;
        seen.standing--;
      },
    }),
    onState: (state) => seen.states.push(state),
    clock: systemClock,
    log: silentLogger,
  });
  return { work, seen, hold };
}

describe('the work of a node', () => {
  test('is put down and taken up, one after the other, whatever is asked in between', async () => {
    const { work, seen, hold } = bench();
    await work.start(noSignal);
    expect(work.state).toBe('working');
    const gate = deferred<void>();
    hold.stop = gate.promise;
    work.want(false);
    expect(work.state).toBe('draining');
    work.want(true);
    work.want(false);
    work.want(true);
    gate.resolve();
    await waitFor(() => work.state === 'working' && seen.begun === 2, { ...soon, what: 'work again' });
    expect(seen).toMatchObject({ begun: 2, standing: 1, most: 1 });
    await work.stop();
    expect(seen.standing).toBe(0);
    work.want(true);
    expect(seen.begun).toBe(2);
  });

  test('says that it is drained only when it is', async () => {
    const { work, seen, hold } = bench();
    await work.start(noSignal);
    const gate = deferred<void>();
    hold.stop = gate.promise;
    work.want(false);
    await new Promise((resolve) => setImmediate(resolve));
    expect(work.state).toBe('draining');
    gate.resolve();
    await waitFor(() => work.state === 'drained', { ...soon, what: 'the drain' });
    expect(seen.states).toEqual(['working', 'draining', 'drained']);
    await work.stop();
  });

  test('is taken up again when what hindered it is over, and what was begun half-way is put down', async () => {
    const { work, seen } = bench((begun) => begun === 2 || begun === 3);
    await work.start(noSignal);
    work.want(false);
    await waitFor(() => work.state === 'drained', { ...soon, what: 'the drain' });
    work.want(true);
    await waitFor(() => work.state === 'working', { ...soon, what: 'work again' });
    expect(seen).toMatchObject({ begun: 4, standing: 1, most: 1 });
    await work.stop();
  });

  test('a first start that fails says why, and is put down by stop', async () => {
    const { work, seen } = bench((begun) => begun === 1);
    await expect(work.start(noSignal)).rejects.toThrow('the tree is away');
    await work.stop();
    expect(seen.standing).toBe(0);
  });
});

describe('what a node is needed for', () => {
  const node = (
    name: string,
    site: string,
    state: NodeView['state'],
    stages: readonly string[],
  ): NodeView => ({
    ...{ node: name, site, release: '1', state, ageSeconds: 0, session: null, memoryBytes: null },
    ...{ eventLoopP99Ms: null, stages },
  });
  const ALL = ['select', 'extract', 'transform', 'load'];
  const pipeline = { name: pipelineId('p'), sourceSite: siteId('east'), targetSite: siteId('west') };

  test.each<[string, readonly NodeView[], readonly string[]]>([
    [
      'nothing, with another that is ready',
      [node('a', 'east', 'ready', ALL), node('b', 'east', 'ready', ALL)],
      [],
    ],
    [
      'its stages, where the other is drained',
      [node('a', 'east', 'ready', ALL), node('b', 'east', 'drained', ALL)],
      ['p (select)', 'p (extract)'],
    ],
    [
      'its stages, where nobody knows of the other',
      [node('a', 'west', 'ready', ALL), node('b', 'west', 'unknown', ALL)],
      ['p (transform)', 'p (load)'],
    ],
    [
      'the stage that the other does not serve',
      [node('a', 'east', 'ready', ALL), node('b', 'east', 'ready', ['select'])],
      ['p (extract)'],
    ],
    [
      'its stages, where the other is at another site',
      [node('a', 'west', 'ready', ['load']), node('b', 'east', 'ready', ALL)],
      ['p (load)'],
    ],
  ])('is %s', (_what, nodes, needed) => {
    expect(neededFor('a', nodes, [pipeline])).toEqual(needed);
  });
});
