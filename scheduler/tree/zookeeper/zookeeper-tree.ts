/**
 * The coordination tree on a ZooKeeper ensemble, on our own code for the wire protocol of ZooKeeper 3.5 and later.
 *
 * Why not node-zookeeper-client underneath: its faults sit below every place where it could be wrapped. Version 0
 * becomes "any" in transactions, there is no deadline on connecting, reading or answering, credentials queue behind
 * requests, an unknown error code throws in the socket's handler, and `sync`, TLS and IPv6 are missing. Working around
 * all of them means replacing its connection, its queue and its transactions: what remains of it is smaller than the codecs here. It
 * stays as the peer in the interoperability tests.
 */
import type { ConnectionOptions } from 'node:tls';
import { systemClock } from '../../../lib/clock.ts';
import { LinkError, type Transport } from '../client/link.ts';
import { TreeClient, type TreeClientOptions } from '../client/tree-client.ts';
import { parseConnectString, type ServerAddress } from './connect-string.ts';
import { type AclEntry, allPermissions, type CodecContext } from './wire/context.ts';
import { type Credential, openZookeeperLink } from './zookeeper-link.ts';

export interface ZookeeperTreeOptions extends Omit<TreeClientOptions, 'transport'> {
  /** `host:port,[v6]:port/chroot`; the chroot is made where it is missing. */
  readonly connectString: string;
  /** Present: connect over TLS. Names are verified unless these options say otherwise. */
  readonly tls?: ConnectionOptions;
  /** Shown on every connection before anything else. Without any, what we create is open to everyone. */
  readonly credentials?: readonly Credential[];
}

/** A client of an ensemble; it connects when it is run. @throws RangeError on a wrong connect string */
export function zookeeperTree(options: ZookeeperTreeOptions): TreeClient {
  const { connectString, tls, credentials = [], ...rest } = options;
  const { servers, chroot } = parseConnectString(connectString);
  const clock = options.clock ?? systemClock;
  const random = options.random ?? Math.random;
  const acl = credentials.length === 0 ? openAcl : creatorAcl;
  const context: CodecContext = { chroot, acl };
  const order = shuffled(servers, random);
  let attempts = 0;
  let lastZxid = 0n;
  const transport: Transport = {
    serverCount: servers.length,
    async connect(ticket, { timeoutMs, resume, handlers, signal }) {
      const server = order[attempts % order.length];
      attempts += 1;
      if (server === undefined) throw new LinkError('connection', undefined, 'no servers');
      // A new session takes any history: an ensemble that was built anew has lower zxids, and must be accepted.
      if (!resume) lastZxid = 0n;
      return await openZookeeperLink({
        server,
        tls,
        credentials,
        context,
        ticket,
        timeoutMs,
        lastZxid,
        sawZxid: (zxid) => {
          lastZxid = zxid;
        },
        handlers,
        clock,
        signal,
      });
    },
  };
  return new TreeClient({ ...rest, transport });
}

/** Everyone may do everything: for networks that are closed otherwise. */
const openAcl: readonly AclEntry[] = [{ permissions: allPermissions, scheme: 'world', id: 'anyone' }];
/** Only those who show the credentials under which it was made. */
const creatorAcl: readonly AclEntry[] = [{ permissions: allPermissions, scheme: 'auth', id: '' }];

function shuffled(servers: readonly ServerAddress[], random: () => number): readonly ServerAddress[] {
  return servers
    .map((server) => ({ server, rank: random() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ server }) => server);
}
