import { defined } from '../../../lib/assert.ts';
import type { Clock } from '../../../lib/clock.ts';
import { systemClock } from '../../../lib/clock.ts';
import {
  LinkError,
  type LinkHandlers,
  type LinkOp,
  type Replies,
  type Requests,
  type SessionTicket,
} from '../client/link.ts';
import type { MultiOp } from '../tree.ts';
import { EmbeddedConnection } from './embedded-connection.ts';
import { type ChangeEvent, NodeStore, RefusedError, type WatchTables } from './node-store.ts';

export interface EmbeddedServerOptions {
  /** Gives answers and watch events their turn; default: the next turn of the event loop. */
  readonly schedule?: (deliver: () => void) => void;
  readonly clock?: Clock;
  /** Nodes that stand before anybody connects, parents first. */
  readonly initial?: readonly StandingNode[];
  /** Told after every change, in the middle of the request: be quick. */
  readonly onChange?: (paths: readonly string[]) => void;
}

/** A persistent node, as kept and brought back. */
export interface StandingNode {
  readonly path: string;
  readonly data: Buffer;
}

interface Session {
  readonly ticket: SessionTicket;
  connection: EmbeddedConnection | undefined;
  seenZxid: bigint;
  /** Runs while no connection answers for the session. */
  expiry: NodeJS.Timeout | undefined;
  /** Test control: connections are refused. */
  isCutOff: boolean;
}

/**
 * ZooKeeper's tree in this process, shared by any number of sessions: nodes, versions, zxids, ephemerals, one-shot
 * watches, atomic `multi`, session expiry. Requests are executed in the order of the calls; answers and watch events are
 * delivered per connection in order, events before the answers that could show their cause.
 *
 * A session expires when no connection has answered for it for its timeout. Tests decide more: `expire`, `suspend` and
 * `resume`, `freeze` and `thaw`, `loseNextReply`.
 */
export class EmbeddedServer {
  readonly #schedule: (deliver: () => void) => void;
  readonly #clock: Clock;
  readonly #store: NodeStore;
  readonly #sessions = new Map<string, Session>();
  readonly #onChange: ((paths: readonly string[]) => void) | undefined;
  #lastSession = 0n;

  constructor(options: EmbeddedServerOptions = {}) {
    this.#schedule = options.schedule ?? ((deliver) => void setImmediate(deliver));
    this.#clock = options.clock ?? systemClock;
    this.#store = new NodeStore(() => Math.floor(this.#clock.nowMs()));
    this.#onChange = options.onChange;
    for (const node of options.initial ?? []) this.#store.transact('', [{ op: 'create', ...node }]);
  }

  /** The persistent nodes from `root` on, parents first. */
  standing(root: string): readonly StandingNode[] {
    return this.#store
      .paths()
      .filter((path) => path === root || path.startsWith(`${root}/`))
      .map((path) => ({ path, ...this.#store.get(path) }))
      .flatMap(({ path, data, stat }) => (stat.ephemeralOwner === null ? [{ path, data }] : []));
  }

  /** All paths, sorted; for tests and for display. */
  paths(): readonly string[] {
    return this.#store.paths();
  }

  /** True while the session lives. */
  has(sessionId: string): boolean {
    return this.#sessions.has(sessionId);
  }

  /** The session is gone at once: its ephemerals go, and its owner is told. */
  expire(sessionId: string): void {
    const session = this.#sessions.get(sessionId);
    if (session !== undefined) this.#end(session, 'session-expired');
  }

  /** Cuts the session's connection and refuses new ones until `resume`; the session expires after its timeout. */
  suspend(sessionId: string): void {
    const session = this.#session(sessionId);
    session.isCutOff = true;
    session.connection?.shut('connection cut');
  }

  resume(sessionId: string): void {
    const session = this.#sessions.get(sessionId);
    if (session !== undefined) session.isCutOff = false;
  }

  /** The connection stays up, nothing is executed or answered, as with a stopped server; the timeout runs. */
  freeze(sessionId: string): void {
    const session = this.#session(sessionId);
    session.isCutOff = true;
    session.connection?.freeze();
    this.#startExpiry(session);
  }

  thaw(sessionId: string): void {
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return;
    session.isCutOff = false;
    if (session.connection === undefined) return;
    stopExpiry(session);
    session.connection.thaw();
  }

  /** The session's next write is executed, then its connection is cut before the answer. */
  loseNextReply(sessionId: string): void {
    this.#session(sessionId).connection?.loseNextReply();
  }

  /** @throws LinkError if the session has expired or is cut off */
  connect(ticket: SessionTicket | null, timeoutMs: number, handlers: LinkHandlers): EmbeddedConnection {
    const session = ticket === null ? this.#begin(timeoutMs) : this.#resumed(ticket);
    const connection = new EmbeddedConnection({
      ticket: session.ticket,
      grantedAtMs: this.#clock.monotonicMs(),
      seenZxid: session.seenZxid,
      handlers,
      schedule: this.#schedule,
      host: {
        execute: (op, args, tables) => this.#execute(session, op, args, tables),
        rearm: (list, since, tables) => this.#store.rearm(list, since, tables),
        zxid: () => this.#store.zxid,
        endSession: () => this.#end(session, 'connection'),
        gone: (gone) => {
          if (session.connection !== gone) return;
          session.connection = undefined;
          session.seenZxid = gone.seenZxid;
          this.#startExpiry(session);
        },
      },
    });
    session.connection = connection;
    return connection;
  }

  #begin(timeoutMs: number): Session {
    this.#lastSession += 1n;
    this.#store.tick();
    const sessionId = `0x${this.#lastSession.toString(16).padStart(16, '0')}`;
    const ticket = { sessionId, timeoutMs, password: Buffer.alloc(0) };
    const session: Session = {
      ticket,
      connection: undefined,
      seenZxid: this.#store.zxid,
      expiry: undefined,
      isCutOff: false,
    };
    this.#sessions.set(sessionId, session);
    return session;
  }

  #resumed(ticket: SessionTicket): Session {
    const session = this.#sessions.get(ticket.sessionId);
    if (session === undefined) throw new LinkError('session-expired', 'embedded', 'session expired');
    if (session.isCutOff) throw new LinkError('connection', 'embedded', 'cut off');
    session.connection?.shut('another connection took the session');
    stopExpiry(session);
    return session;
  }

  #session(sessionId: string): Session {
    return defined(this.#sessions.get(sessionId), `session ${sessionId}`);
  }

  #startExpiry(session: Session): void {
    if (session.expiry !== undefined || !this.#sessions.has(session.ticket.sessionId)) return;
    session.expiry = setTimeout(() => this.#end(session, 'session-expired'), session.ticket.timeoutMs);
    session.expiry.unref();
  }

  #end(session: Session, end: 'connection' | 'session-expired'): void {
    const { sessionId } = session.ticket;
    if (!this.#sessions.delete(sessionId)) return;
    stopExpiry(session);
    this.#fire(this.#store.removeEphemerals(sessionId));
    const { connection } = session;
    session.connection = undefined;
    connection?.ended(end);
  }

  #fire(events: readonly ChangeEvent[]): void {
    if (events.length > 0) this.#onChange?.(events.map(({ path }) => path));
    for (const session of this.#sessions.values()) session.connection?.fire(events);
  }

  #execute<K extends LinkOp>(session: Session, op: K, args: Requests[K], tables: WatchTables): Replies[K] {
    const store = this.#store;
    const one = (write: MultiOp) => {
      const { results, events } = withoutIndex(() => store.transact(session.ticket.sessionId, [write]));
      this.#fire(events);
      return defined(results[0], 'result');
    };
    const handlers: { readonly [Op in LinkOp]: (request: Requests[Op]) => Replies[Op] } = {
      get: ({ path, watch }) => {
        const found = store.get(path);
        if (watch) tables.data.add(path);
        return found;
      },
      exists: ({ path, watch }) => {
        if (watch) tables.data.add(path);
        return store.exists(path);
      },
      children: ({ path, watch }) => {
        const found = store.children(path);
        if (watch) tables.children.add(path);
        return found;
      },
      create: (request) => {
        one({ op: 'create', ...request });
        return store.exists(request.path);
      },
      set: (request) => {
        one({ op: 'set', ...request });
        return store.exists(request.path);
      },
      remove: (request) => {
        one({ op: 'remove', ...request });
        return undefined;
      },
      multi: ({ ops }) => {
        const { results, events } = store.transact(session.ticket.sessionId, ops);
        this.#fire(events);
        return results;
      },
      sync: () => undefined,
      ping: () => undefined,
      unwatch: ({ path, kind }) => {
        tables[kind].delete(path);
        return undefined;
      },
    };
    return handlers[op](args);
  }
}

function stopExpiry(session: Session): void {
  clearTimeout(session.expiry);
  session.expiry = undefined;
}

/** A single write has no index to tell. */
function withoutIndex<T>(write: () => T): T {
  try {
    return write();
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    const { failedIndex: _, ...refusal } = error.refusal;
    throw new RefusedError(refusal);
  }
}
