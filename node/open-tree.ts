/** The coordination tree that a configuration names. */
import type { ConnectionOptions } from 'node:tls';
import type { Logger } from '../lib/logger.ts';
import { readNamedFile } from '../lib/named-file.ts';
import type { CoordinationConfig, TlsConfig } from '../model/config.ts';
import { EmbeddedServer } from '../scheduler/tree/embedded/embedded-server.ts';
import { embeddedTree } from '../scheduler/tree/embedded/embedded-tree.ts';
import type { CoordinationTree } from '../scheduler/tree/tree.ts';
import { zookeeperTree } from '../scheduler/tree/zookeeper/zookeeper-tree.ts';
import { keptServer } from './access/kept-server.ts';

/**
 * It connects when it is run. What one process keeps by itself stands in `dataDir`; null keeps nothing.
 * @throws HOLT_SECRET_MISSING, HOLT_FILE_UNREADABLE when credentials or certificates cannot be read */
export function openTree(
  coordination: CoordinationConfig,
  kept: { readonly dataDir: string; readonly log: Logger } | null = null,
): CoordinationTree {
  if (coordination.kind === 'embedded')
    return embeddedTree({ server: kept === null ? new EmbeddedServer() : keptServer(kept) });
  const auth = coordination.auth?.resolve();
  return zookeeperTree({
    connectString: coordination.servers,
    sessionTimeoutMs: coordination.sessionTimeoutMs,
    ...(auth === undefined ? {} : { credentials: [{ scheme: 'digest', auth }] }),
    ...(coordination.tls.mode === 'disabled' ? {} : { tls: tlsOptions(coordination.tls) }),
  });
}

function tlsOptions(tls: TlsConfig): ConnectionOptions {
  return {
    ...(tls.ca === null ? {} : { ca: readNamedFile(tls.ca, 'coordination.tls.ca') }),
    ...(tls.cert === null ? {} : { cert: readNamedFile(tls.cert, 'coordination.tls.cert') }),
    ...(tls.key === null ? {} : { key: readNamedFile(tls.key, 'coordination.tls.key') }),
    minVersion: 'TLSv1.2',
    rejectUnauthorized: tls.mode !== 'required',
    ...(tls.mode === 'verify-ca' ? { checkServerIdentity: () => undefined } : {}),
  };
}
