import { zookeeperTree } from '../../../scheduler/tree/zookeeper/zookeeper-tree.ts';
import { describeZookeeper } from '../../support/shared-servers.ts';
import { ProxiedSession } from './proxied-session.ts';
import { type TreeHarness, treeSuite } from './tree-suite.ts';

/** What the servers here grant at least; a server given by the environment may grant more. */
const wishedTimeoutMs = 1_200;

describeZookeeper('ZooKeeper tree', (context) => {
  treeSuite(async (): Promise<TreeHarness> => {
    let open: { stop(): Promise<void> }[] = [];
    let paths = 0;
    let sessionTimeoutMs = wishedTimeoutMs;
    const harness: TreeHarness = {
      get sessionTimeoutMs() {
        return sessionTimeoutMs;
      },
      freshPath: () => {
        paths += 1;
        return `/contract/case-${paths}`;
      },
      async open(options = {}) {
        const session = await ProxiedSession.start(context.connectString);
        const tree = zookeeperTree({
          connectString: `${session.connectString}${context.root}`,
          sessionTimeoutMs: wishedTimeoutMs,
          ...options,
        });
        const run = tree.run();
        open.push({
          stop: async () => {
            await tree.stop();
            await run;
            await session[Symbol.asyncDispose]();
          },
        });
        await tree.whenConnected();
        sessionTimeoutMs = tree.sessionTimeoutMs;
        return {
          tree,
          expire: () => session.expire(),
          cutOff: () => session.cutOff(),
          resume: () => session.resume(),
          silence: () => session.silence(),
          loseNextReply: () => session.loseNextReply(),
        };
      },
      async closeAll() {
        await Promise.all(open.map((tree) => tree.stop()));
        open = [];
      },
    };
    return harness;
  });
});
