import { ServerConnection, type ServerEndpoint } from '../../../canal/protocol/server-connection.ts';
import type { DumpStream, EventFeed, RawEvent } from '../../../canal/source/dump-stream.ts';
import { openDump } from '../../../canal/source/open-dump.ts';
import { readSourceFacts, type SourceFacts } from '../../../canal/source/source-facts.ts';
import { type TransactionEnd, TransactionEnds } from '../../../canal/source/transaction-ends.ts';
import type { TlsConfig } from '../../../model/config.ts';
import type { PositionText } from '../../../model/position.ts';

export const NO_TLS: TlsConfig = { mode: 'disabled', ca: null, cert: null, key: null };
/** Nothing here takes longer, however busy the machine. */
export const PATIENCE_MS = 30_000;

export interface Account {
  readonly user?: string;
  readonly password?: string;
  readonly tls?: TlsConfig;
  readonly host?: string;
}

/** How Holt would be configured for a server, or for a proxy before it. */
export function endpointFor(server: { readonly port: number }, account: Account = {}): ServerEndpoint {
  return {
    host: account.host ?? '127.0.0.1',
    port: server.port,
    user: account.user ?? 'root',
    password: { kind: 'literal', from: 'literal', resolve: () => account.password ?? 'holt' },
    tls: account.tls ?? NO_TLS,
    connectTimeoutMs: 10_000,
  };
}

export function connectTo(endpoint: ServerEndpoint): Promise<ServerConnection> {
  return ServerConnection.connect({ endpoint, purpose: 'test' });
}

export async function factsOf(endpoint: ServerEndpoint): Promise<SourceFacts> {
  await using connection = await connectTo(endpoint);
  return await readSourceFacts(connection);
}

let lastReplicaId = 50_000;

/** A dump with quick heartbeats, under an id of its own unless one is given. */
export function dumpFrom(
  endpoint: ServerEndpoint,
  start: PositionText,
  options: { readonly serverId?: number; readonly heartbeatMs?: number } = {},
): Promise<DumpStream> {
  return openDump(
    {
      endpoint,
      start,
      serverId: options.serverId ?? ++lastReplicaId,
      heartbeatMs: options.heartbeatMs ?? 200,
    },
    AbortSignal.timeout(PATIENCE_MS),
  );
}

/** Pulls until `isEnough` says so of an event, which is the last one given. */
export async function pullUntil(
  feed: EventFeed<RawEvent>,
  isEnough: (event: RawEvent) => boolean,
  patienceMs = PATIENCE_MS,
): Promise<RawEvent[]> {
  const events: RawEvent[] = [];
  const signal = AbortSignal.timeout(patienceMs);
  for (;;) {
    for (let event = feed.next(); event !== null; event = feed.next()) {
      events.push(event);
      if (isEnough(event)) return events;
    }
    await feed.fill(signal);
  }
}

const HEARTBEATS = new Set([27, 41]);
export const isHeartbeat = (event: RawEvent): boolean => HEARTBEATS.has(event.header.typeCode);

/**
 * Everything up to the end of the log: two heartbeats after each other. One alone may also say that the source has passed over
 * transactions that we have.
 */
export function pullAll(feed: EventFeed<RawEvent>): Promise<RawEvent[]> {
  let beats = 0;
  return pullUntil(feed, (event) => {
    beats = isHeartbeat(event) ? beats + 1 : 0;
    return beats === 2;
  });
}

export function transactionsOf(events: readonly RawEvent[]): TransactionEnd[] {
  const ends = new TransactionEnds();
  return events.map((event) => ends.push(event)).filter((end) => end !== null);
}
