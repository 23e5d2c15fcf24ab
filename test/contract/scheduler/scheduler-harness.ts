import { randomUUID } from 'node:crypto';
import type { NodeId } from '../../../model/ids.ts';
import { nodeId } from '../../../model/ids.ts';
import { LinkError, type Transport } from '../../../scheduler/tree/client/link.ts';
import { TreeClient } from '../../../scheduler/tree/client/tree-client.ts';
import { EmbeddedServer } from '../../../scheduler/tree/embedded/embedded-server.ts';
import type { CoordinationTree } from '../../../scheduler/tree/tree.ts';
import { zookeeperTree } from '../../../scheduler/tree/zookeeper/zookeeper-tree.ts';
import { freshName } from '../../support/scheduler-fixtures.ts';
import { startZookeeper } from '../../support/servers.ts';
import { TcpProxy } from '../../support/tcp-proxy.ts';

/** A node as the scheduler sees it: one session, and what a test can do to it from outside. */
export interface NodeUnderTest {
  readonly node: NodeId;
  readonly instance: string;
  readonly tree: CoordinationTree;
  /** Nothing reaches the servers until `resume`. The servers end the session after its timeout. */
  cutOff(): void;
  resume(): void;
  /** The next write is executed, and the connection breaks before its answer. */
  loseNextReply(): void;
  /** Leaves; the session is closed. */
  leave(): Promise<void>;
}

export interface SchedulerHarness {
  readonly sessionTimeoutMs: number;
  open(name?: string): Promise<NodeUnderTest>;
  /** All data and all sessions are gone, as after the loss of the ensemble's disks. */
  wipe(): Promise<void>;
  closeAll(): Promise<void>;
  end(): Promise<void>;
}

/** The parts of `open` that both kinds share. */
function nodesOf(sessions: { stop(): Promise<void> }[]) {
  return async (
    tree: CoordinationTree,
    name: string,
    controls: Pick<NodeUnderTest, 'cutOff' | 'resume' | 'loseNextReply'>,
    release: () => Promise<void>,
  ): Promise<NodeUnderTest> => {
    const run = tree.run();
    let isOver = false;
    const stop = async () => {
      if (isOver) return;
      isOver = true;
      controls.resume();
      await tree.stop();
      await run;
      await release();
    };
    sessions.push({ stop });
    await tree.whenConnected();
    return { node: nodeId(name), instance: randomUUID(), tree, ...controls, leave: stop };
  };
}

export async function embeddedHarness(): Promise<SchedulerHarness> {
  const server = new EmbeddedServer();
  const sessionTimeoutMs = 600;
  const sessions: { stop(): Promise<void> }[] = [];
  const trees = new Set<CoordinationTree>();
  const begin = nodesOf(sessions);
  const open = (name = freshName('node')) => {
    let isCutOff = false;
    const transport: Transport = {
      serverCount: 1,
      connect: async (ticket, { timeoutMs, handlers }) => {
        if (isCutOff) throw new LinkError('connection', 'embedded', 'cut off');
        return server.connect(ticket, timeoutMs, handlers);
      },
    };
    const tree = new TreeClient({ transport, sessionTimeoutMs });
    trees.add(tree);
    const controls = {
      cutOff: () => {
        isCutOff = true;
        server.suspend(tree.sessionId);
      },
      resume: () => {
        isCutOff = false;
        server.resume(tree.sessionId);
      },
      loseNextReply: () => server.loseNextReply(tree.sessionId),
    };
    return begin(tree, name, controls, async () => void trees.delete(tree));
  };
  return {
    sessionTimeoutMs,
    open,
    async wipe() {
      const cutOff = [...trees].map((tree) => tree.sessionId);
      for (const sessionId of cutOff) server.suspend(sessionId);
      const eraser = await open();
      const byDepth = [...server.paths()].sort((a, b) => b.split('/').length - a.split('/').length);
      for (const path of byDepth) if (path !== '/') await eraser.tree.remove(path, 'any').catch(() => {});
      await eraser.leave();
      for (const sessionId of cutOff) server.expire(sessionId);
    },
    async closeAll() {
      await Promise.all(sessions.splice(0).map((session) => session.stop()));
    },
    end: async () => {},
  };
}

/** A server of its own; each node comes to it through a proxy of its own. */
export async function zookeeperHarness(): Promise<SchedulerHarness> {
  const server = await startZookeeper();
  const sessionTimeoutMs = 2_000;
  const sessions: { stop(): Promise<void> }[] = [];
  const begin = nodesOf(sessions);
  return {
    sessionTimeoutMs,
    async open(name = freshName('node')) {
      const proxy = await TcpProxy.start({ target: { host: server.host, port: server.port } });
      const tree = zookeeperTree({ connectString: `127.0.0.1:${proxy.port}`, sessionTimeoutMs });
      const controls = {
        cutOff: () => {
          proxy.refuse();
          proxy.cut();
        },
        resume: () => proxy.heal(),
        loseNextReply: () => {
          proxy.lose('down');
          setTimeout(() => {
            proxy.cut();
            proxy.heal();
          }, 100);
        },
      };
      return begin(tree, name, controls, () => proxy.dispose());
    },
    async wipe() {
      await server.wipe();
      await server.start();
    },
    async closeAll() {
      await Promise.all(sessions.splice(0).map((session) => session.stop()));
    },
    end: () => server.dispose(),
  };
}
