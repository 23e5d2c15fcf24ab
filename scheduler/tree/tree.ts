/**
 * The coordination tree: the contract on which all scheduling is written. Two implementations pass the same contract
 * suite (`test/contract/scheduler/`): `zookeeper/` and, inside one process, `embedded/`.
 *
 * The model is ZooKeeper's: nodes with data, versions and children; ephemeral nodes that go with the session that made
 * them; `multi`, which does all of its operations or none.
 *
 * **Sessions.** A tree object lives through many sessions, one after another. Each has a number, the *epoch* (1, 2, 3…).
 *
 *     connecting ──► connected ◄──► suspended ──► lost ──► connecting   (next epoch)
 *          │              any state ──► closed (stop)      any ──► auth-failed ──► connecting (tries again, slowly)
 *          └─ before the first session and between sessions
 *
 * - `connected`: requests flow.
 * - `suspended`: no connection, or a server that does not answer. The session may live on at the servers; ephemerals
 *   may still be ours. Requests wait for the connection, each until its deadline.
 * - `lost`: the servers said that the session expired, or our own clock says that they may have. Final for this epoch: a
 *   later `connected` always has a new epoch, even if the old session turns out to have lived (it is then closed
 *   first, so that its ephemerals do not stay in the way). Nothing held in an earlier epoch counts any more, and
 *   nothing ephemeral is made again by the tree: whoever wants it contests it again.
 * - `auth-failed`: the server refused the credentials. Requests fail at once; it tries again with long pauses.
 *
 * **Lease.** `leaseRemainingMs()` is how long the ephemerals of the present epoch are certainly ours, by our own clock:
 * counted from the sending of the last request that the ensemble (not only the server next to us) is known to have
 * seen, less a safety margin. At 0 or below: do not act as an owner. It is right even in the first instruction after
 * a freeze of the process, when no event has been delivered yet: ask it, not only the events. It cannot protect an
 * effect that is on its way already; what must not happen twice is fenced where it happens (protocol.md, section 4).
 *
 * **Requests** are sent in the order of the calls and answered in that order. Every request has a deadline. A read
 * whose connection goes is sent again until its deadline. A write is sent at most once: if its answer is missing
 * (`connection-loss` or `deadline` with `outcomeUnknown`) it may have happened; see `settle.ts` for finding out. A request
 * that was waiting when the session was lost fails with `session-lost`; it does not slip into the next session.
 */
import type { Service } from '../../lib/service.ts';

export type SessionState = 'connecting' | 'connected' | 'suspended' | 'lost' | 'closed' | 'auth-failed';

/** One change of the session's state; given to listeners in order, outside any request's turn. */
export interface SessionEvent {
  readonly state: SessionState;
  readonly previous: SessionState;
  /** Epoch the event belongs to: `lost` carries the one that ended, `connected` the one that begins or resumes. */
  readonly epoch: number;
  readonly sessionId: string;
  /** `host:port` of the server concerned, when there is one. */
  readonly server: string | undefined;
  /** Why, for people: `connect refused`, `no answer to a probe within 1333 ms`, `session expired`… */
  readonly reason: string;
}

export interface Stat {
  /** Transaction that made the node: identifies this life of the path within one ensemble's history. */
  readonly czxid: bigint;
  /** Transaction that last changed the data. */
  readonly mzxid: bigint;
  /** Transaction that last added or removed a child. */
  readonly pzxid: bigint;
  readonly ctimeMs: number;
  readonly mtimeMs: number;
  /** Number of changes of the data; 0 in a fresh node. */
  readonly version: number;
  /** Number of children added and removed. */
  readonly cversion: number;
  readonly aversion: number;
  /** `sessionId` of the owner of an ephemeral node; null in a persistent one. */
  readonly ephemeralOwner: string | null;
  readonly dataLength: number;
  readonly numChildren: number;
}

export interface NodeValue {
  readonly data: Buffer;
  readonly stat: Stat;
}

export interface Children {
  /** Names, not paths; sorted by code unit. */
  readonly names: readonly string[];
  readonly stat: Stat;
}

export interface CallOptions {
  /** Time until the call fails with `deadline`; default: the tree's `defaultDeadlineMs`. */
  readonly deadlineMs?: number;
  /** Ends the wait with the signal's reason. A write already sent may still happen. */
  readonly signal?: AbortSignal;
  /** Send only in this session epoch, else fail with `session-lost`. For writes that rest on something held in it. */
  readonly epoch?: number;
}

export interface CreateOptions extends CallOptions {
  /** The node goes with the session that makes it. Default false. */
  readonly ephemeral?: boolean;
}

/** A node's data version, exactly (0 means 0), or explicitly none. */
export type Version = number | 'any';

export type MultiOp =
  | { readonly op: 'check'; readonly path: string; readonly version: Version }
  | { readonly op: 'create'; readonly path: string; readonly data: Buffer; readonly ephemeral?: boolean }
  | { readonly op: 'set'; readonly path: string; readonly data: Buffer; readonly version: Version }
  | { readonly op: 'remove'; readonly path: string; readonly version: Version };

/** What is known of a node that a multi made. ZooKeeper sends no more; `czxid` is the transaction's own number. */
export type CreatedStat = Pick<Stat, 'czxid' | 'version' | 'ephemeralOwner'>;

/** One for each operation, in order. */
export type MultiResult =
  | { readonly op: 'check' }
  | { readonly op: 'create'; readonly stat: CreatedStat }
  | { readonly op: 'set'; readonly stat: Stat }
  | { readonly op: 'remove' };

/** What a watch gives: null when the node does not exist. */
export type WatchListener<T> = (value: T | null, context: WatchContext) => void | Promise<void>;

export interface WatchContext {
  readonly path: string;
  /** Session epoch in which the value was read. */
  readonly epoch: number;
}

/** Ends the watch; the listener is not called again. */
export interface Watch {
  readonly path: string;
  /** Reads now, and calls the listener if something changed. For those who know better than to wait. */
  refresh(): void;
  close(): void;
}

export interface OpCounters {
  readonly sent: number;
  readonly succeeded: number;
  /** Answers that say no (`node-exists`…), and missing answers. */
  readonly failed: number;
  /** Sum over answered requests of sending to answer. */
  readonly latencyMsSum: number;
}

/** Totals since the tree was made, and present values; cheap to read. */
export interface TreeCounters {
  readonly ops: { readonly [Op in TreeOp]: OpCounters };
  readonly inFlight: number;
  readonly queued: number;
  /** Connections made with a session, first ones included. */
  readonly connects: number;
  /** Connection attempts and connections that ended badly. */
  readonly disconnects: number;
  readonly sessionsLost: number;
  readonly watches: number;
  readonly watchFires: number;
  /** Changes that the periodic re-read found and no watch had announced; expected to stay 0. */
  readonly watchesMissed: number;
  /** Age of the last packet from the server; Infinity before the first. */
  readonly lastReplyAgeMs: number;
}

export const treeOps = [
  'get',
  'exists',
  'children',
  'create',
  'set',
  'remove',
  'multi',
  'sync',
  'ping',
  'unwatch',
] as const;
export type TreeOp = (typeof treeOps)[number];

/** Observability and test seam. Called in the middle of things: be quick, do not call the tree; a throw is swallowed. */
export interface TreeEvents {
  /** A request was answered or given up. `outcome` is `ok` or the error's kind. */
  readonly 'tree:request:done': { readonly op: TreeOp; readonly outcome: string; readonly latencyMs: number };
  /** A watch fired at the server. */
  readonly 'tree:watch:fired': { readonly kind: WatchKind; readonly path: string };
  /** A connection attempt or a connection ended. */
  readonly 'tree:connection:lost': { readonly server: string | undefined; readonly reason: string };
  /** A listener threw; the watch goes on. */
  readonly 'tree:listener:failed': { readonly path: string; readonly error: unknown };
}

export type WatchKind = 'data' | 'children';

/** Called for every event; one observer a tree. */
export type TreeObserver = <K extends keyof TreeEvents>(event: K, facts: TreeEvents[K]) => void;

export interface CoordinationTree extends Service {
  readonly sessionState: SessionState;
  /** 0 before the first session, then 1, 2, 3… */
  readonly sessionEpoch: number;
  /** As in `Stat.ephemeralOwner`; empty before the first session. */
  readonly sessionId: string;
  /** The timeout that the server granted, or the wish before it has. */
  readonly sessionTimeoutMs: number;
  readonly counters: TreeCounters;

  /** Milliseconds for which the present epoch's ephemerals are certainly ours; ≤ 0: do not act as an owner. */
  leaseRemainingMs(): number;

  /** Calls `listener` for each later change of state, in order; returns its removal. */
  onState(listener: (event: SessionEvent) => void): () => void;

  /** Resolves as soon as the state is `connected` (at once if it is); rejects on deadline, signal, stop. */
  whenConnected(options?: CallOptions): Promise<void>;

  /** Null when the node is not there. */
  get(path: string, options?: CallOptions): Promise<NodeValue | null>;
  exists(path: string, options?: CallOptions): Promise<Stat | null>;
  children(path: string, options?: CallOptions): Promise<Children | null>;

  /** Makes a node under an existing parent. @throws TreeError `node-exists`, `no-node`, `ephemeral-parent`, `no-auth`… */
  create(path: string, data: Buffer, options?: CreateOptions): Promise<Stat>;
  /** @throws TreeError `no-node`, `bad-version`, `no-auth`… */
  set(path: string, data: Buffer, version: Version, options?: CallOptions): Promise<Stat>;
  /** @throws TreeError `no-node`, `bad-version`, `not-empty`, `no-auth`… */
  remove(path: string, version: Version, options?: CallOptions): Promise<void>;

  /**
   * All or nothing. Operations see the effects of those before them.
   * @throws TreeError of the operation that failed, with `failedIndex` and its path.
   */
  multi(ops: readonly MultiOp[], options?: CallOptions): Promise<readonly MultiResult[]>;

  /** Makes the node and its parents, persistent and empty, where they are missing. */
  ensurePath(path: string, options?: CallOptions): Promise<void>;

  /**
   * After it, reads of this session show at least everything that was written anywhere before the call. A write of
   * our own on a private node, so it costs one quorum write: use it before decisions that rest on the absence of
   * another site's writes; never in a loop that runs while nothing happens.
   */
  barrier(options?: CallOptions): Promise<void>;

  /**
   * Keeps `listener` informed of a node's data: the value soon after the call, then the newest value after changes.
   * Values in between may be left out. The next call waits for the one before (and its promise). The first reading in
   * each epoch is always given, later ones only if something changed. Losing the connection is not told here.
   */
  watchData(path: string, listener: WatchListener<NodeValue>): Watch;
  /** The same for the names of a node's children; changes of the children's data do not show. */
  watchChildren(path: string, listener: WatchListener<Children>): Watch;
}
