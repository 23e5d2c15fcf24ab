import { assert } from '../../../lib/assert.ts';
import { type Deferred, deferred } from '../../../lib/deferred.ts';
import type {
  Answer,
  Link,
  LinkEnd,
  LinkHandlers,
  LinkOp,
  Replies,
  Requests,
  SessionTicket,
  WatchList,
} from '../client/link.ts';
import { type ChangeEvent, RefusedError, type WatchTables } from './node-store.ts';

/** What a connection needs of its server; bound to one session. */
export interface ConnectionHost {
  execute<K extends LinkOp>(op: K, args: Requests[K], tables: WatchTables): Replies[K];
  rearm(list: WatchList, since: bigint, tables: WatchTables): readonly ChangeEvent[];
  zxid(): bigint;
  endSession(): void;
  /** The connection is over; the session is not. */
  gone(connection: EmbeddedConnection): void;
}

export interface EmbeddedConnectionOptions {
  readonly ticket: SessionTicket;
  readonly grantedAtMs: number;
  /** Zxid up to which the client knew of changes when its last connection ended. */
  readonly seenZxid: bigint;
  readonly host: ConnectionHost;
  readonly handlers: LinkHandlers;
  readonly schedule: (deliver: () => void) => void;
}

/**
 * A session's connection to the tree in this process. Requests are executed when they are sent; what the client is told
 * (answers, watch events, the end) is delivered in one order, each batch in a turn of its own.
 */
export class EmbeddedConnection implements Link {
  readonly server = 'embedded';
  readonly ticket: SessionTicket;
  readonly grantedAtMs: number;
  readonly #host: ConnectionHost;
  readonly #handlers: LinkHandlers;
  readonly #schedule: (deliver: () => void) => void;
  readonly #watches: WatchTables = { data: new Set(), children: new Set() };
  readonly #closed: Deferred<void> = deferred();
  #deliveries: (() => void)[] = [];
  #isScheduled = false;
  #isClosed = false;
  /** The owner knows that the connection is over. */
  #isTold = false;
  #isLosingReply = false;
  /** While frozen: what the server has not read yet. */
  #frozen: (() => void)[] | undefined;
  /** Zxid of the newest thing that was delivered: where watches go on after a reconnect. */
  #seenZxid: bigint;

  constructor(options: EmbeddedConnectionOptions) {
    this.ticket = options.ticket;
    this.grantedAtMs = options.grantedAtMs;
    this.#host = options.host;
    this.#handlers = options.handlers;
    this.#schedule = options.schedule;
    this.#seenZxid = options.seenZxid;
  }

  get seenZxid(): bigint {
    return this.#seenZxid;
  }

  send<K extends LinkOp>(op: K, args: Requests[K], answer: Answer<Replies[K]>): void {
    this.#receive(() => {
      let deliver: () => void;
      try {
        const reply = this.#host.execute(op, args, this.#watches);
        deliver = () => answer.ok(reply);
      } catch (error) {
        assert(error instanceof RefusedError, `embedded ${op}: ${error}`);
        const { refusal } = error;
        deliver = () => answer.no(refusal);
      }
      const zxid = this.#host.zxid();
      if (this.#isLosingReply && (op === 'create' || op === 'set' || op === 'remove' || op === 'multi')) {
        this.shut('connection cut before the answer');
        return;
      }
      this.#deliver(() => {
        this.#seenZxid = zxid;
        deliver();
      });
    });
  }

  rearm(list: WatchList): void {
    const since = this.#seenZxid;
    this.#receive(() => this.#deliverEvents(this.#host.rearm(list, since, this.#watches)));
  }

  endSession(): Promise<void> {
    this.#receive(() => this.#host.endSession());
    return this.#closed.promise;
  }

  destroy(reason: string): void {
    this.#finish(reason, 'connection');
    this.#host.gone(this);
  }

  /** The server's side: a transaction was done. */
  fire(events: readonly ChangeEvent[]): void {
    if (this.#isClosed) return;
    const fired = events.filter(({ type, path }) => {
      const isData = type !== 'children-changed' && this.#watches.data.delete(path);
      const isChildren =
        (type === 'children-changed' || type === 'deleted') && this.#watches.children.delete(path);
      return isData || isChildren;
    });
    this.#deliverEvents(fired);
  }

  /** The server's side: the connection breaks, what was not delivered is lost. */
  shut(reason: string): void {
    if (this.#isClosed) return;
    this.#deliveries = [];
    this.#isClosed = true;
    this.#host.gone(this);
    this.#schedule(() => this.#tellClosed(reason, 'connection'));
  }

  /** The server's side: the session is over. */
  ended(end: LinkEnd): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#deliveries.push(() =>
      this.#tellClosed(end === 'connection' ? 'session ended' : 'session expired', end),
    );
    this.#wake();
  }

  freeze(): void {
    this.#frozen ??= [];
  }

  thaw(): void {
    const waiting = this.#frozen ?? [];
    this.#frozen = undefined;
    for (const request of waiting) this.#receive(request);
    this.#wake();
  }

  loseNextReply(): void {
    this.#isLosingReply = true;
  }

  #receive(request: () => void): void {
    if (this.#frozen !== undefined) this.#frozen.push(request);
    else if (!this.#isClosed) request();
  }

  #deliverEvents(events: readonly ChangeEvent[]): void {
    for (const { type, path } of events) this.#deliver(() => this.#handlers.watchFired(type, path));
  }

  #deliver(delivery: () => void): void {
    this.#deliveries.push(() => {
      this.#handlers.heard();
      delivery();
    });
    this.#wake();
  }

  #wake(): void {
    if (this.#isScheduled || this.#deliveries.length === 0 || this.#frozen !== undefined) return;
    this.#isScheduled = true;
    this.#schedule(() => {
      this.#isScheduled = false;
      if (this.#frozen !== undefined) return;
      const due = this.#deliveries;
      this.#deliveries = [];
      for (const delivery of due) {
        // A delivery may have ended the connection: what comes after it is lost.
        if (this.#isTold) return;
        delivery();
      }
      this.#wake();
    });
  }

  #finish(reason: string, end: LinkEnd): void {
    this.#isClosed = true;
    this.#deliveries = [];
    this.#tellClosed(reason, end);
  }

  #tellClosed(reason: string, end: LinkEnd): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.#closed.resolve();
    this.#handlers.closed(reason, end);
  }
}
