import fc from 'fast-check';
import { afterEach, expect, it } from 'vitest';
import { EmbeddedServer } from '../../../scheduler/tree/embedded/embedded-server.ts';
import { embeddedTree } from '../../../scheduler/tree/embedded/embedded-tree.ts';
import type { CoordinationTree, MultiOp, Stat, Version } from '../../../scheduler/tree/tree.ts';
import { isTreeError } from '../../../scheduler/tree/tree-error.ts';
import { zookeeperTree } from '../../../scheduler/tree/zookeeper/zookeeper-tree.ts';
import { describeZookeeper } from '../../support/shared-servers.ts';

/** One step of one of two sessions. */
interface Step {
  readonly session: 0 | 1;
  readonly act: MultiOp | { readonly op: 'get' | 'children'; readonly path: string } | readonly MultiOp[];
}

const path = fc.constantFrom('/a', '/b', '/a/x', '/a/y', '/b/x', '/a/x/deep');
const version: fc.Arbitrary<Version> = fc.constantFrom<Version>(0, 0, 1, 2, 'any');
const data = fc.constantFrom(Buffer.from(''), Buffer.from('one'), Buffer.from('two'));
const write: fc.Arbitrary<MultiOp> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ op: fc.constant('create' as const), path, data, ephemeral: fc.boolean() }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('set' as const), path, data, version }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('remove' as const), path, version }) },
);
const check: fc.Arbitrary<MultiOp> = fc.record({ op: fc.constant('check' as const), path, version });
const read = fc.record({ op: fc.constantFrom('get' as const, 'children' as const), path });
const step: fc.Arbitrary<Step> = fc.record({
  session: fc.constantFrom(0 as const, 1 as const),
  act: fc.oneof(
    { weight: 4, arbitrary: write },
    { weight: 3, arbitrary: fc.array(fc.oneof(write, check), { minLength: 1, maxLength: 5 }) },
    { weight: 2, arbitrary: read },
  ),
});

describeZookeeper('the embedded tree and ZooKeeper', (context) => {
  let closing: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    await Promise.all(closing.map((close) => close()));
    closing = [];
  });

  it('answer every sequence of steps alike', async () => {
    let runs = 0;
    const server = new EmbeddedServer();
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        runs += 1;
        const base = `/run-${runs}`;
        const embedded = await pair(() => embeddedTree({ server }));
        const real = await pair(() =>
          zookeeperTree({
            connectString: `${context.connectString}${context.root}`,
            sessionTimeoutMs: 10_000,
          }),
        );
        const told = [];
        for (const trees of [embedded, real]) {
          await trees[0].ensurePath(base);
          await trees[1].barrier();
          const answers: string[] = [];
          for (const { session, act } of steps)
            answers.push(await answerOf(trees, trees[session], act, base));
          // A session's end takes its ephemerals, whatever stands beside them.
          await trees[1].stop();
          await trees[0].barrier();
          answers.push(await shapeOf(trees[0], base, trees));
          await trees[0].stop();
          told.push(answers);
        }
        expect(told[0]).toEqual(told[1]);
      }),
      { numRuns: 60 },
    );
  });

  async function pair(make: () => CoordinationTree): Promise<readonly [CoordinationTree, CoordinationTree]> {
    const trees = [make(), make()] as const;
    for (const tree of trees) {
      const run = tree.run();
      closing.push(async () => {
        await tree.stop();
        await run;
      });
      await tree.whenConnected();
    }
    return trees;
  }
});

type Trees = readonly [CoordinationTree, CoordinationTree];

/** What an answer says, without what differs by nature: zxids, times, session ids. */
async function answerOf(
  trees: Trees,
  tree: CoordinationTree,
  act: Step['act'],
  base: string,
): Promise<string> {
  const under = <T extends { readonly path: string }>(op: T): T => ({ ...op, path: base + op.path });
  try {
    if (Array.isArray(act)) {
      const results = await tree.multi((act as readonly MultiOp[]).map(under));
      return results.map((result) => `${result.op} ${'stat' in result ? result.stat.version : ''}`).join();
    }
    const op = under(act as Exclude<Step['act'], readonly MultiOp[]>);
    switch (op.op) {
      case 'create':
        return brief(await tree.create(op.path, op.data, { ephemeral: op.ephemeral ?? false }), trees);
      case 'set':
        return brief(await tree.set(op.path, op.data, op.version), trees);
      case 'remove':
        await tree.remove(op.path, op.version);
        return 'removed';
      case 'get': {
        const value = await tree.get(op.path);
        return value === null ? 'null' : `${value.data} ${brief(value.stat, trees)}`;
      }
      case 'children': {
        const value = await tree.children(op.path);
        return value === null ? 'null' : `${value.names} ${brief(value.stat, trees)}`;
      }
      case 'check':
        throw new Error('checks stand in transactions only');
      default:
        return op satisfies never;
    }
  } catch (error) {
    if (!isTreeError(error)) throw error;
    return `${error.kind} ${error.failedIndex} ${error.path.slice(base.length)}`;
  }
}

function brief(stat: Stat, trees: Trees): string {
  const owner = trees.findIndex((tree) => tree.sessionId === stat.ephemeralOwner);
  const isFresh = stat.czxid === stat.mzxid;
  const isChildless = stat.czxid === stat.pzxid;
  return `v${stat.version} c${stat.cversion} n${stat.numChildren} l${stat.dataLength} o${owner} ${isFresh} ${isChildless}`;
}

async function shapeOf(tree: CoordinationTree, at: string, trees: Trees): Promise<string> {
  const listed = await tree.children(at);
  if (listed === null) return 'gone';
  const inner = await Promise.all(
    listed.names.map(async (name) => `${name}(${await shapeOf(tree, `${at}/${name}`, trees)})`),
  );
  return `${brief(listed.stat, trees)} ${inner}`;
}
