import type { Transport } from '../client/link.ts';
import { TreeClient, type TreeClientOptions } from '../client/tree-client.ts';
import type { EmbeddedServer } from './embedded-server.ts';

export interface EmbeddedTreeOptions extends Omit<TreeClientOptions, 'transport'> {
  /** The tree that all sessions of this process share. */
  readonly server: EmbeddedServer;
}

/** A session on the tree in this process. Timeout 30 s unless told otherwise: only a stalled process could lose it. */
export function embeddedTree(options: EmbeddedTreeOptions): TreeClient {
  const { server, ...rest } = options;
  const transport: Transport = {
    serverCount: 1,
    connect: async (ticket, { timeoutMs, handlers }) => server.connect(ticket, timeoutMs, handlers),
  };
  return new TreeClient({ sessionTimeoutMs: 30_000, ...rest, transport });
}
