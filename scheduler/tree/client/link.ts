/**
 * Between the session layer (`tree-client.ts`, the same for every implementation) and what carries requests:
 * a `Transport` makes `Link`s, one connection each, to a ZooKeeper server or to the tree in this process.
 */
import type { Children, MultiOp, MultiResult, NodeValue, Stat, TreeOp, Version, WatchKind } from '../tree.ts';
import type { TreeErrorKind } from '../tree-error.ts';

/** Arguments of each request that can be sent on a link. `watch` arms a one-shot watch with the reading. */
export interface Requests {
  readonly get: { readonly path: string; readonly watch: boolean };
  readonly exists: { readonly path: string; readonly watch: boolean };
  readonly children: { readonly path: string; readonly watch: boolean };
  readonly create: { readonly path: string; readonly data: Buffer; readonly ephemeral: boolean };
  readonly set: { readonly path: string; readonly data: Buffer; readonly version: Version };
  readonly remove: { readonly path: string; readonly version: Version };
  readonly multi: { readonly path: string; readonly ops: readonly MultiOp[] };
  readonly sync: { readonly path: string };
  readonly ping: { readonly path: string };
  /** Forgets a watch that was armed and is no longer wanted; the server may answer that there is none. */
  readonly unwatch: { readonly path: string; readonly kind: WatchKind };
}

export interface Replies {
  readonly get: NodeValue;
  readonly exists: Stat;
  readonly children: Children;
  readonly create: Stat;
  readonly set: Stat;
  readonly remove: undefined;
  readonly multi: readonly MultiResult[];
  readonly sync: undefined;
  readonly ping: undefined;
  readonly unwatch: undefined;
}

export type LinkOp = keyof Requests & TreeOp;

/** The server's no. Missing answers are not given here: the link closes, and its owner knows what was on it. */
export interface Refusal {
  readonly kind: TreeErrorKind;
  readonly serverCode?: number;
  readonly failedIndex?: number;
  readonly detail?: string;
}

/** What the sender of a request is told: exactly one of these once, unless the link closes first. */
export interface Answer<R> {
  ok(reply: R): void;
  no(refusal: Refusal): void;
}

export type WatchEventType = 'created' | 'deleted' | 'data-changed' | 'children-changed';

/** Watches to arm again on a new connection of the same session, as seen up to `sinceZxid`. */
export interface WatchList {
  /** Nodes read and found: tell when data changes or the node goes. */
  readonly data: readonly string[];
  /** Nodes found missing: tell when they come. */
  readonly missing: readonly string[];
  /** Nodes whose children were read: tell when these change or the node goes. */
  readonly children: readonly string[];
}

export interface LinkHandlers {
  /** A one-shot watch fired; comes before the answer of any request that sees the change. */
  watchFired(type: WatchEventType, path: string): void;
  /** Anything came from the server. */
  heard(): void;
  /** Once, when the link is over, for whatever reason. Requests without an answer get none. */
  closed(reason: string, cause: LinkEnd): void;
}

/** `session-expired`: the server said so. `auth-failed`: the credentials were refused. `connection`: all else. */
export type LinkEnd = 'connection' | 'session-expired' | 'auth-failed';

/** One connection that has a session. Nothing here waits; requests are answered in order. */
export interface Link {
  readonly server: string;
  readonly ticket: SessionTicket;
  /** When the request that the server answered with this session was sent: the lease starts there. */
  readonly grantedAtMs: number;
  send<K extends LinkOp>(op: K, args: Requests[K], answer: Answer<Replies[K]>): void;
  rearm(list: WatchList): void;
  /** Asks the server to end the session; resolves when it has, or when the link closes. Never rejects. */
  endSession(): Promise<void>;
  /** Closes the connection; the session lives on at the server until it expires. */
  destroy(reason: string): void;
}

/** What is needed to come back to a session. */
export interface SessionTicket {
  readonly sessionId: string;
  readonly password: Buffer;
  readonly timeoutMs: number;
}

/** A connection attempt failed; `expired` and `auth-failed` are the server's words about ticket and credentials. */
export class LinkError extends Error {
  override readonly name = 'LinkError';
  readonly end: LinkEnd;
  readonly server: string | undefined;

  constructor(end: LinkEnd, server: string | undefined, message: string, options?: ErrorOptions) {
    super(message, options);
    this.end = end;
    this.server = server;
  }
}

export interface Transport {
  /** How many servers there are: attempts that fail in a row before it makes sense to pause. */
  readonly serverCount: number;
  /**
   * One attempt on the next server: with a ticket it resumes that session, without one it starts a new one.
   * Gives up when the signal aborts. @throws LinkError
   */
  connect(
    ticket: SessionTicket | null,
    options: {
      readonly timeoutMs: number;
      /** Knowledge that the server must not be behind of; false when history does not count (a new session). */
      readonly resume: boolean;
      readonly handlers: LinkHandlers;
      readonly signal: AbortSignal;
    },
  ): Promise<Link>;
}
