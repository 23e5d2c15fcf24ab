import { describe } from 'vitest';
import { EmbeddedServer } from '../../../scheduler/tree/embedded/embedded-server.ts';
import { embeddedTree } from '../../../scheduler/tree/embedded/embedded-tree.ts';
import { type TreeHarness, treeSuite } from './tree-suite.ts';

describe('embedded tree', () => {
  treeSuite(async (): Promise<TreeHarness> => {
    const server = new EmbeddedServer();
    const sessionTimeoutMs = 600;
    let open: { stop(): Promise<void> }[] = [];
    let paths = 0;
    return {
      sessionTimeoutMs,
      freshPath: () => {
        paths += 1;
        return `/contract/case-${paths}`;
      },
      async open(options = {}) {
        const tree = embeddedTree({ server, sessionTimeoutMs, ...options });
        const run = tree.run();
        open.push({
          stop: async () => {
            await tree.stop();
            await run;
          },
        });
        await tree.whenConnected();
        return {
          tree,
          expire: async () => server.expire(tree.sessionId),
          cutOff: () => server.suspend(tree.sessionId),
          resume: () => {
            server.resume(tree.sessionId);
            server.thaw(tree.sessionId);
          },
          silence: () => server.freeze(tree.sessionId),
          loseNextReply: () => server.loseNextReply(tree.sessionId),
        };
      },
      async closeAll() {
        await Promise.all(open.map((tree) => tree.stop()));
        open = [];
      },
    };
  });
});
