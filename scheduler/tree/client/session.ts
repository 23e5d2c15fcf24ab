import { AbortError } from '../../../lib/abort.ts';
import { assert } from '../../../lib/assert.ts';
import { Backoff } from '../../../lib/backoff.ts';
import type { Clock } from '../../../lib/clock.ts';
import { type Deferred, deferred } from '../../../lib/deferred.ts';
import { isAbort, messageOf } from '../../../lib/errors.ts';
import type { SessionEvent, SessionState } from '../tree.ts';
import { Heartbeat, probeShare } from './heartbeat.ts';
import { LeaseClock } from './lease.ts';
import {
  type Link,
  type LinkEnd,
  LinkError,
  type LinkHandlers,
  type Refusal,
  type SessionTicket,
  type Transport,
  type WatchEventType,
} from './link.ts';
import { type SessionSignal, sessionTransitions } from './session-machine.ts';

/** What hangs on a session: requests and watches. Called in the turn in which it happens. */
export interface SessionDependants {
  /** A link is up; in a new epoch, or on in the same one. */
  linked(link: Link, epoch: number, isResumed: boolean): void;
  /** The link is gone, the session may live on. */
  unlinked(reason: string): void;
  /** What waits can no longer be answered. */
  over(kind: 'session-lost' | 'auth-failed' | 'closed', reason: string): void;
  watchFired(type: WatchEventType, path: string): void;
  probed(latencyMs: number, isOk: boolean): void;
  pinged(): void;
  /** An attempt or a connection ended badly. */
  troubled(server: string | undefined, reason: string): void;
  listenerFailed(error: unknown): void;
}

export interface SessionOptions {
  readonly transport: Transport;
  readonly timeoutMs: number;
  readonly authRetryMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly dependants: SessionDependants;
}

/** An attempt on a server gets at least this long, however short the session timeout. */
const minAttemptMs = 250;

type Attempt = 'linked' | 'failed' | 'expired' | 'ended-abandoned' | 'auth-failed';

/**
 * The life of a tree's sessions, one after another: one loop connects, resumes and begins them; a heartbeat watches the
 * server, a timer the lease.
 *
 * Invariants:
 * - `#state` changes only in `#signal`, by the table in `session-machine.ts`.
 * - `#ticket` is that of the present epoch, and null outside `connected` and `suspended`.
 * - dependants have a link only in `connected`.
 * - once `leaseRemainingMs()` was ≤ 0 in an epoch, it stays so, and no `connected` of that epoch follows.
 * - at most one socket is open: an attempt starts when the link before is closed.
 */
export class Session {
  readonly #transport: Transport;
  readonly #wishedTimeoutMs: number;
  readonly #authRetryMs: number;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #dependants: SessionDependants;
  readonly #lease = new LeaseClock();
  readonly #listeners = new Set<(event: SessionEvent) => void>();
  readonly #stopping = new AbortController();

  #state: SessionState = 'connecting';
  #epoch = 0;
  #sessionId = '';
  #timeoutMs: number;
  #ticket: SessionTicket | null = null;
  /** A session that is over for us but may live at the servers: it is ended before the next one begins. */
  #abandoned: { readonly ticket: SessionTicket; readonly untilMs: number } | null = null;
  #link: Link | undefined;
  #linkOver: Deferred<void> = deferred();
  #attempt: AbortController | undefined;
  #heartbeat: Heartbeat | undefined;
  #leaseTimer: NodeJS.Timeout | undefined;
  /** The link has answered a probe: it was worth something, and the next failure is a first one. */
  #isProven = false;
  #lastHeardAtMs = Number.NEGATIVE_INFINITY;
  #lastTrouble = 'not started';
  #connects = 0;
  #troubles = 0;
  #losses = 0;

  constructor(options: SessionOptions) {
    this.#transport = options.transport;
    this.#wishedTimeoutMs = options.timeoutMs;
    this.#timeoutMs = options.timeoutMs;
    this.#authRetryMs = options.authRetryMs;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#dependants = options.dependants;
  }

  get state(): SessionState {
    return this.#state;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get sessionId(): string {
    return this.#sessionId;
  }

  get timeoutMs(): number {
    return this.#timeoutMs;
  }

  get lastTrouble(): string {
    return this.#lastTrouble;
  }

  get connects(): number {
    return this.#connects;
  }

  get troubles(): number {
    return this.#troubles;
  }

  get losses(): number {
    return this.#losses;
  }

  get lastReplyAgeMs(): number {
    return this.#clock.monotonicMs() - this.#lastHeardAtMs;
  }

  leaseRemainingMs(): number {
    return this.#lease.remainingMs(this.#clock.monotonicMs());
  }

  onState(listener: (event: SessionEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A request goes out now. */
  noteSent(): void {
    this.#heartbeat?.noteSent();
  }

  /** The leader answered a request sent at that time. */
  confirm(sentAtMs: number): void {
    if (this.#state !== 'connected') return;
    if (!this.#lease.confirm(sentAtMs, this.#clock.monotonicMs())) this.#leaseRanOut();
  }

  /**
   * Looks at the lease before a request goes out. After a freeze of the process the caller's turn may come before the
   * lease timer's: a request must not go out in a session that the lease clock has given up.
   */
  checkLease(): void {
    if (this.leaseRemainingMs() <= 0) this.#leaseRanOut();
  }

  /** A server answered a request with: the session has expired. */
  expired(): void {
    this.#over('session expired, says the server', 'gone');
  }

  /** One attempt after another, one link at a time, until the stop. */
  async run(): Promise<void> {
    const backoff = new Backoff({
      initialMs: 50,
      maxMs: Math.min(5_000, Math.max(200, this.#wishedTimeoutMs / 8)),
      jitter: 0.5,
      random: this.#random,
    });
    let failures = 0;
    while (!this.#stopping.signal.aborted) {
      if (this.#state === 'lost') this.#signal('retry', 'looking for the next session');
      const attempt = await this.#connect();
      switch (attempt) {
        case 'ended-abandoned':
        case 'expired':
          continue;
        case 'auth-failed':
          await this.#pause(this.#authRetryMs);
          if (!this.#stopping.signal.aborted) this.#signal('retry', 'trying the credentials again');
          continue;
        case 'linked':
          await this.#linkOver.promise;
          if (!this.#isProven) break;
          failures = 0;
          backoff.reset();
          break;
        case 'failed':
          break;
        default:
          attempt satisfies never;
      }
      failures += 1;
      // The other servers first, without a pause; then slower and slower, so that an outage does not become a storm.
      if (failures >= this.#transport.serverCount) await this.#pause(backoff.nextMs());
    }
  }

  /** Closed at once for everyone; resolves when the server has ended the session, or did not answer in time. */
  async close(reason: string): Promise<void> {
    const link = this.#link;
    const isConnected = this.#state === 'connected';
    clearTimeout(this.#leaseTimer);
    this.#heartbeat?.stop();
    this.#lease.revoke();
    this.#signal('stop', reason, link?.server);
    this.#dependants.over('closed', reason);
    // Ending the session gives our ephemerals away at once instead of after its timeout.
    if (link !== undefined && isConnected) await this.#endSession(link);
    this.#stopping.abort(new AbortError());
    this.#attempt?.abort(new AbortError());
    link?.destroy(reason);
  }

  async #connect(): Promise<Attempt> {
    if (this.#abandoned !== null && this.#clock.monotonicMs() >= this.#abandoned.untilMs)
      this.#abandoned = null;
    const own = this.#ticket;
    const ticket = own ?? this.#abandoned?.ticket ?? null;
    const attempt = new AbortController();
    this.#attempt = attempt;
    const allowedMs = Math.max(minAttemptMs, this.#timeoutMs * probeShare);
    // From the start of the connection to the answer with a session (defect Z3): a server that accepts and stays
    // silent must not keep us from the next one.
    const timer = setTimeout(
      () =>
        attempt.abort(
          new LinkError('connection', undefined, `no session within ${Math.round(allowedMs)} ms`),
        ),
      allowedMs,
    );
    const port = new LinkPort();
    try {
      const link = await this.#transport.connect(ticket, {
        timeoutMs: this.#wishedTimeoutMs,
        resume: own !== null,
        handlers: port,
        signal: attempt.signal,
      });
      return await this.#taken(link, port, own, ticket !== null);
    } catch (error) {
      return this.#refused(error, own);
    } finally {
      clearTimeout(timer);
      this.#attempt = undefined;
    }
  }

  /** A link is there; whether it is still wanted, and for what. */
  async #taken(link: Link, port: LinkPort, own: SessionTicket | null, hadTicket: boolean): Promise<Attempt> {
    if (this.#stopping.signal.aborted) {
      link.destroy('stopped');
      return 'failed';
    }
    if (own === null && hadTicket) {
      await this.#endSession(link);
      link.destroy('ended a session that was over');
      this.#abandoned = null;
      return 'ended-abandoned';
    }
    // Our clock may have given the session up while this attempt was under way, or be about to.
    if (own !== null && own === this.#ticket && this.leaseRemainingMs() <= 0) this.#leaseRanOut();
    if (own !== this.#ticket) {
      link.destroy('the session was over already');
      return 'failed';
    }
    if (!port.open(this.#handlersOf(link))) return 'failed';
    this.#adopt(link, own !== null);
    return 'linked';
  }

  #refused(error: unknown, own: SessionTicket | null): Attempt {
    const end: LinkEnd = error instanceof LinkError ? error.end : 'connection';
    const reason = messageOf(error);
    if (!isAbort(error)) this.#trouble(error instanceof LinkError ? error.server : undefined, reason);
    switch (end) {
      case 'session-expired':
        if (own !== null && own === this.#ticket) this.expired();
        this.#abandoned = null;
        return 'expired';
      case 'auth-failed':
        this.#authRefused(reason);
        return 'auth-failed';
      case 'connection':
        return 'failed';
      default:
        return end satisfies never;
    }
  }

  #adopt(link: Link, isResumed: boolean): void {
    const { ticket, grantedAtMs, server } = link;
    this.#link = link;
    this.#linkOver = deferred();
    this.#isProven = false;
    this.#connects += 1;
    this.#ticket = ticket;
    this.#timeoutMs = ticket.timeoutMs;
    if (!isResumed) {
      this.#lease.begin();
      this.#epoch += 1;
      this.#sessionId = ticket.sessionId;
    }
    this.#lastHeardAtMs = this.#clock.monotonicMs();
    this.#lease.grant(ticket.timeoutMs, grantedAtMs, this.#lastHeardAtMs);
    this.#signal(
      isResumed ? 'resumed' : 'granted',
      isResumed ? 'session resumed' : 'session granted',
      server,
    );
    this.#armLeaseTimer();
    this.#heartbeat = new Heartbeat({
      link,
      timeoutMs: ticket.timeoutMs,
      clock: this.#clock,
      answered: (sentAtMs, latencyMs, refusal) => this.#probed(sentAtMs, latencyMs, refusal),
      pinged: () => this.#dependants.pinged(),
      silent: (reason) => link.destroy(reason),
    });
    this.#dependants.linked(link, this.#epoch, isResumed);
  }

  #handlersOf(link: Link): LinkHandlers {
    return {
      watchFired: (type, path) => this.#dependants.watchFired(type, path),
      heard: () => {
        this.#lastHeardAtMs = this.#clock.monotonicMs();
      },
      closed: (reason, end) => this.#linkClosed(link, reason, end),
    };
  }

  #probed(sentAtMs: number, latencyMs: number, refusal: Refusal | undefined): void {
    this.#dependants.probed(latencyMs, refusal === undefined);
    if (refusal?.kind === 'session-lost') this.expired();
    if (refusal !== undefined) return;
    this.#isProven = true;
    this.confirm(sentAtMs);
  }

  #linkClosed(link: Link, reason: string, end: LinkEnd): void {
    if (this.#link !== link) return;
    this.#link = undefined;
    this.#heartbeat?.stop();
    if (this.#state !== 'closed') this.#trouble(link.server, reason);
    switch (end) {
      case 'connection':
        this.#dependants.unlinked(reason);
        if (this.#state === 'connected') this.#signal('link-down', reason, link.server);
        break;
      case 'session-expired':
        this.#over(reason, 'gone');
        break;
      case 'auth-failed':
        this.#authRefused(reason);
        break;
      default:
        end satisfies never;
    }
    this.#linkOver.resolve();
  }

  #leaseRanOut(): void {
    this.#over('lease ran out by our own clock', 'may-live');
  }

  /** The epoch is over, whoever said so; `atServers`: whether there is anything left of it to be ended there. */
  #over(reason: string, atServers: 'gone' | 'may-live'): void {
    if (this.#state !== 'connected' && this.#state !== 'suspended') return;
    const ticket = this.#ticket;
    this.#ticket = null;
    this.#lease.revoke();
    clearTimeout(this.#leaseTimer);
    this.#losses += 1;
    // Longer than any server keeps it: after that there is nothing to end.
    if (ticket !== null && atServers === 'may-live')
      this.#abandoned = { ticket, untilMs: this.#clock.monotonicMs() + 2 * ticket.timeoutMs };
    this.#signal('over', reason, this.#link?.server);
    this.#dependants.over('session-lost', reason);
    this.#attempt?.abort(new LinkError('connection', undefined, reason));
    this.#link?.destroy(reason);
  }

  #authRefused(reason: string): void {
    if (this.#state === 'closed') return;
    this.#over(reason, 'may-live');
    if (this.#state === 'lost') this.#signal('retry', 'session over');
    this.#signal('auth-refused', reason);
    this.#dependants.over('auth-failed', reason);
  }

  /** A server that does not answer gets as long as for a probe. */
  async #endSession(link: Link): Promise<void> {
    const ended = deferred<void>();
    const timer = setTimeout(ended.resolve, Math.max(minAttemptMs, this.#timeoutMs * probeShare));
    link.endSession().then(ended.resolve, ended.reject);
    try {
      await ended.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  #armLeaseTimer(): void {
    clearTimeout(this.#leaseTimer);
    const waitMs = Math.max(1, Math.ceil(this.leaseRemainingMs()));
    this.#leaseTimer = setTimeout(() => {
      if (this.leaseRemainingMs() <= 0) this.#leaseRanOut();
      else this.#armLeaseTimer();
    }, waitMs);
  }

  async #pause(ms: number): Promise<void> {
    try {
      await this.#clock.sleep(ms, this.#stopping.signal);
    } catch (error) {
      if (!isAbort(error)) throw error;
    }
  }

  #trouble(server: string | undefined, reason: string): void {
    this.#troubles += 1;
    this.#lastTrouble = server === undefined ? reason : `${server}: ${reason}`;
    this.#dependants.troubled(server, reason);
  }

  #signal(signal: SessionSignal, reason: string, server?: string): void {
    const previous = this.#state;
    const state = sessionTransitions[previous][signal];
    assert(state !== null, `session: ${signal} in state ${previous}`);
    if (state === previous) return;
    this.#state = state;
    const event: SessionEvent = {
      state,
      previous,
      epoch: this.#epoch,
      sessionId: this.#sessionId,
      server,
      reason,
    };
    // A microtask: listeners are not to run inside the turn of a socket (defect Z14).
    queueMicrotask(() => {
      for (const listener of [...this.#listeners]) {
        try {
          listener(event);
        } catch (error) {
          this.#dependants.listenerFailed(error);
        }
      }
    });
  }
}

/** Handlers for a link that is still being made; they are opened once it is adopted. */
class LinkPort implements LinkHandlers {
  #handlers: LinkHandlers | undefined;
  #isClosed = false;

  /** False if the link closed already. */
  open(handlers: LinkHandlers): boolean {
    if (this.#isClosed) return false;
    this.#handlers = handlers;
    return true;
  }

  watchFired(type: WatchEventType, path: string): void {
    this.#handlers?.watchFired(type, path);
  }

  heard(): void {
    this.#handlers?.heard();
  }

  closed(reason: string, end: LinkEnd): void {
    this.#isClosed = true;
    this.#handlers?.closed(reason, end);
  }
}
