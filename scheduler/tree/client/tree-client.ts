import { randomBytes } from 'node:crypto';
import { AbortError } from '../../../lib/abort.ts';
import { assert } from '../../../lib/assert.ts';
import { Backoff } from '../../../lib/backoff.ts';
import { type Clock, systemClock } from '../../../lib/clock.ts';
import { type Deferred, deferred } from '../../../lib/deferred.ts';
import { isAbort, messageOf } from '../../../lib/errors.ts';
import { checkPath, lineageOf } from '../path.ts';
import type {
  CallOptions,
  Children,
  CoordinationTree,
  CreateOptions,
  MultiOp,
  MultiResult,
  NodeValue,
  SessionEvent,
  SessionState,
  Stat,
  TreeCounters,
  TreeObserver,
  Version,
  Watch,
  WatchListener,
} from '../tree.ts';
import { isTreeError, TreeError } from '../tree-error.ts';
import { LeaseClock } from './lease.ts';
import {
  type Link,
  type LinkEnd,
  LinkError,
  type LinkHandlers,
  type LinkOp,
  type Refusal,
  type Replies,
  type Requests,
  type SessionTicket,
  type Transport,
} from './link.ts';
import { OpTallies } from './op-tallies.ts';
import { isWrite, Outbox } from './outbox.ts';
import { type SessionSignal, sessionTransitions } from './session-machine.ts';
import { WatchService } from './watch-service.ts';

export interface TreeClientOptions {
  readonly transport: Transport;
  /** Session timeout to ask for; the server grants 2…20 of its ticks. Default 10 000. */
  readonly sessionTimeoutMs?: number;
  /** Deadline of calls that give none. Default 15 000. */
  readonly defaultDeadlineMs?: number;
  /** Every watched node is read again this often, ± 20 %. Default 60 000. */
  readonly rereadMs?: number;
  /** Pause after refused credentials. Default 30 000. */
  readonly authRetryMs?: number;
  /** Parent of the barrier's private nodes. Default `/seda/barrier`. */
  readonly barrierParent?: string;
  readonly observer?: TreeObserver;
  readonly clock?: Clock;
  readonly random?: () => number;
}

const emptyData = Buffer.alloc(0);
/** Parts of the session timeout T. Probe every T/3, its answer within T/3, so a dead server is left at 2T/3 at the latest. */
const probeShare = 1 / 3;
/** A ping between two probes if nothing else was sent: the servers hear from us every T/6. */
const beatShare = 1 / 6;
const minAttemptMs = 250;

/**
 * The session layer: everything of the contract that does not depend on what carries requests. One loop connects,
 * resumes, and starts sessions; timers watch the server (probes) and the lease.
 *
 * Invariants:
 * - `#state` changes only in `#signal`, by the table in `session-machine.ts`.
 * - `#ticket` is that of the present epoch, and null outside `connected` and `suspended`.
 * - a link is attached to the outbox only in `connected`.
 * - once `leaseRemainingMs()` was ≤ 0 in an epoch, it stays so, and no `connected` of that epoch follows.
 */
export class TreeClient implements CoordinationTree {
  readonly #transport: Transport;
  readonly #wishedTimeoutMs: number;
  readonly #defaultDeadlineMs: number;
  readonly #authRetryMs: number;
  readonly #barrierParent: string;
  readonly #barrierPath: string;
  readonly #observer: TreeObserver;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #outbox: Outbox;
  readonly #watches: WatchService;
  readonly #lease = new LeaseClock();
  readonly #tallies = new OpTallies();
  readonly #stateListeners = new Set<(event: SessionEvent) => void>();
  readonly #stopping = new AbortController();
  readonly #over: Deferred<void> = deferred();

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
  #running = false;
  #leaseTimer: NodeJS.Timeout | undefined;
  #beatTimer: NodeJS.Timeout | undefined;
  #lastSentAtMs = 0;
  #lastHeardAtMs = Number.NEGATIVE_INFINITY;
  #provenLink = false;
  #lastProblem = 'not started';
  #connects = 0;
  #disconnects = 0;
  #sessionsLost = 0;

  constructor(options: TreeClientOptions) {
    this.#transport = options.transport;
    this.#wishedTimeoutMs = options.sessionTimeoutMs ?? 10_000;
    this.#timeoutMs = this.#wishedTimeoutMs;
    this.#defaultDeadlineMs = options.defaultDeadlineMs ?? 15_000;
    this.#authRetryMs = options.authRetryMs ?? 30_000;
    this.#barrierParent = options.barrierParent ?? '/seda/barrier';
    this.#barrierPath = `${this.#barrierParent}/${randomBytes(12).toString('hex')}`;
    this.#observer = guarded(options.observer);
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#outbox = new Outbox({
      clock: this.#clock,
      onDone: (op, outcome, latencyMs, wasSent) => {
        this.#tallies.done(op, outcome === 'ok', latencyMs, wasSent);
        this.#observer('tree:request:done', { op, outcome, latencyMs });
      },
      onAnswered: (op, sentAtMs) => {
        if (isWrite(op) || op === 'sync') this.#confirmLease(sentAtMs);
      },
      onFatalRefusal: () => this.#sessionOver('session expired, says the server', 'gone'),
    });
    this.#watches = new WatchService({
      rereadMs: options.rereadMs ?? 60_000,
      port: {
        readData: (path) => this.#readArmed('get', path),
        readChildren: (path) => this.#readArmed('children', path),
        forget: (kind, path) => {
          if (this.#state !== 'connected') return;
          this.#outbox.submit('unwatch', { path, kind }, { deadlineMs: this.#timeoutMs }).catch(() => {});
        },
        epoch: () => this.#epoch,
        nowMs: () => this.#clock.monotonicMs(),
        random: this.#random,
        fired: (kind, path) => this.#observer('tree:watch:fired', { kind, path }),
        listenerFailed: (path, error) => this.#observer('tree:listener:failed', { path, error }),
      },
    });
  }

  get sessionState(): SessionState {
    return this.#state;
  }

  get sessionEpoch(): number {
    return this.#epoch;
  }

  get sessionId(): string {
    return this.#sessionId;
  }

  get sessionTimeoutMs(): number {
    return this.#timeoutMs;
  }

  get counters(): TreeCounters {
    return {
      ops: this.#tallies.snapshot(),
      inFlight: this.#outbox.inFlight,
      queued: this.#outbox.queued,
      connects: this.#connects,
      disconnects: this.#disconnects,
      sessionsLost: this.#sessionsLost,
      watches: this.#watches.count,
      watchFires: this.#watches.fires,
      watchesMissed: this.#watches.missed,
      lastReplyAgeMs: this.#clock.monotonicMs() - this.#lastHeardAtMs,
    };
  }

  leaseRemainingMs(): number {
    return this.#lease.remainingMs(this.#clock.monotonicMs());
  }

  onState(listener: (event: SessionEvent) => void): () => void {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  }

  async whenConnected(options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    if (this.#state === 'connected') return;
    if (this.#state === 'closed') throw new TreeError('closed', { op: 'connect', path: '/' });
    const deadlineMs = options.deadlineMs ?? this.#defaultDeadlineMs;
    const done = deferred<void>();
    const unlisten = this.onState((event) => {
      if (event.state === 'connected') done.resolve();
      if (event.state === 'closed') done.reject(new TreeError('closed', { op: 'connect', path: '/' }));
    });
    const timer = setTimeout(() => {
      const detail = `${deadlineMs} ms, state ${this.#state}, last: ${this.#lastProblem}`;
      done.reject(new TreeError('deadline', { op: 'connect', path: '/', detail }));
    }, deadlineMs);
    const onAbort = () => done.reject(options.signal?.reason);
    options.signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await done.promise;
    } finally {
      unlisten();
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', onAbort);
    }
  }

  async get(path: string, options: CallOptions = {}): Promise<NodeValue | null> {
    return await orNull(this.#submit('get', { path: checkPath(path), watch: false }, options));
  }

  async exists(path: string, options: CallOptions = {}): Promise<Stat | null> {
    return await orNull(this.#submit('exists', { path: checkPath(path), watch: false }, options));
  }

  async children(path: string, options: CallOptions = {}): Promise<Children | null> {
    return await orNull(this.#submit('children', { path: checkPath(path), watch: false }, options));
  }

  async create(path: string, data: Buffer, options: CreateOptions = {}): Promise<Stat> {
    const ephemeral = options.ephemeral ?? false;
    return await this.#submit('create', { path: checkPath(path), data, ephemeral }, options);
  }

  async set(path: string, data: Buffer, version: Version, options: CallOptions = {}): Promise<Stat> {
    return await this.#submit(
      'set',
      { path: checkPath(path), data, version: checkVersion(version) },
      options,
    );
  }

  async remove(path: string, version: Version, options: CallOptions = {}): Promise<void> {
    await this.#submit('remove', { path: checkPath(path), version: checkVersion(version) }, options);
  }

  async multi(ops: readonly MultiOp[], options: CallOptions = {}): Promise<readonly MultiResult[]> {
    for (const op of ops) {
      checkPath(op.path);
      if (op.op !== 'create') checkVersion(op.version);
    }
    const first = ops[0];
    if (first === undefined) return [];
    return await this.#submit('multi', { path: first.path, ops: [...ops] }, options);
  }

  async ensurePath(path: string, options: CallOptions = {}): Promise<void> {
    const timed = this.#timed(options);
    const lineage = lineageOf(checkPath(path));
    // From below: usually all of it is there, and one read says so.
    let known = lineage.length;
    while (known > 0) {
      const at = lineage[known - 1];
      if (at === undefined || (await this.exists(at, timed())) !== null) break;
      known -= 1;
    }
    for (const at of lineage.slice(known)) {
      for (;;) {
        try {
          await this.create(at, emptyData, timed());
          break;
        } catch (error) {
          if (isTreeError(error, 'node-exists')) break;
          // Whether or not it happened: making an empty persistent node again is harmless.
          if (!isTreeError(error, 'connection-loss')) throw error;
        }
      }
    }
  }

  async barrier(options: CallOptions = {}): Promise<void> {
    const timed = this.#timed(options);
    for (;;) {
      try {
        await this.set(this.#barrierPath, emptyData, 'any', timed());
        return;
      } catch (error) {
        if (isTreeError(error, 'connection-loss')) continue;
        if (!isTreeError(error, 'no-node')) throw error;
      }
      try {
        await this.ensurePath(this.#barrierParent, timed());
        await this.create(this.#barrierPath, emptyData, { ...timed(), ephemeral: true });
        return;
      } catch (error) {
        if (!isTreeError(error, 'connection-loss', 'node-exists', 'no-node')) throw error;
      }
    }
  }

  watchData(path: string, listener: WatchListener<NodeValue>): Watch {
    return this.#watches.watchData(checkPath(path), listener);
  }

  watchChildren(path: string, listener: WatchListener<Children>): Watch {
    return this.#watches.watchChildren(checkPath(path), listener);
  }

  async run(): Promise<void> {
    assert(!this.#running, 'a tree runs once');
    this.#running = true;
    try {
      if (this.#state !== 'closed') await this.#sessions();
    } catch (error) {
      if (!this.#stopping.signal.aborted) {
        this.#close(`failed: ${messageOf(error)}`);
        this.#over.resolve();
        throw error;
      }
    }
    this.#close('stopped');
    this.#over.resolve();
  }

  async stop(): Promise<void> {
    if (!this.#stopping.signal.aborted) {
      const link = this.#link;
      const wasConnected = this.#state === 'connected';
      this.#close('stopped');
      // Ending the session gives our ephemerals away at once instead of after its timeout. A server that does not
      // answer gets a third of the timeout for it, then its socket is destroyed all the same.
      if (link !== undefined && wasConnected) await this.#endSession(link);
      this.#stopping.abort(new AbortError());
      this.#attempt?.abort(new AbortError());
      link?.destroy('stopped');
    }
    if (this.#running) await this.#over.promise;
  }

  /** One attempt after another, one link at a time, until the stop. */
  async #sessions(): Promise<void> {
    const backoff = new Backoff({
      initialMs: 50,
      maxMs: Math.min(5_000, Math.max(200, this.#wishedTimeoutMs / 8)),
      jitter: 0.5,
      random: this.#random,
    });
    let failures = 0;
    while (!this.#stopping.signal.aborted) {
      if (this.#state === 'lost') this.#signal('retry', 'looking for the next session');
      const outcome = await this.#connect();
      if (outcome === 'linked') {
        await this.#linkOver.promise;
        if (this.#provenLink) {
          failures = 0;
          backoff.reset();
        }
      }
      if (outcome === 'ended-abandoned' || outcome === 'expired') continue;
      if (outcome === 'auth-failed') {
        await this.#pause(this.#authRetryMs);
        if (!this.#stopping.signal.aborted) this.#signal('retry', 'trying the credentials again');
        continue;
      }
      failures += 1;
      // The other servers first, without a pause; then slower and slower, so that an outage does not become a storm.
      if (failures >= this.#transport.serverCount) await this.#pause(backoff.nextMs());
    }
  }

  async #connect(): Promise<'linked' | 'failed' | 'expired' | 'ended-abandoned' | 'auth-failed'> {
    if (this.#abandoned !== null && this.#clock.monotonicMs() >= this.#abandoned.untilMs)
      this.#abandoned = null;
    const own = this.#ticket;
    const ticket = own ?? this.#abandoned?.ticket ?? null;
    const attempt = new AbortController();
    this.#attempt = attempt;
    const allowedMs = Math.max(minAttemptMs, this.#timeoutMs * probeShare);
    const timer = setTimeout(
      () =>
        attempt.abort(
          new LinkError('connection', undefined, `no session within ${Math.round(allowedMs)} ms`),
        ),
      allowedMs,
    );
    const handlers = new LinkPort(this.#linkHandlers());
    try {
      const link = await this.#transport.connect(ticket, {
        timeoutMs: this.#wishedTimeoutMs,
        resume: own !== null,
        handlers,
        signal: attempt.signal,
      });
      if (this.#stopping.signal.aborted) {
        link.destroy('stopped');
        return 'failed';
      }
      if (own === null && ticket !== null) {
        await this.#endSession(link);
        link.destroy('ended a session that was over');
        this.#abandoned = null;
        return 'ended-abandoned';
      }
      // Our clock may have given the session up while this attempt was under way, or be about to.
      if (own !== this.#ticket) {
        link.destroy('the session was over already');
        return 'failed';
      }
      if (own !== null && this.leaseRemainingMs() <= 0) {
        link.destroy('the lease was over already');
        this.#sessionOver('lease ran out by our own clock', 'may-live');
        return 'failed';
      }
      if (!handlers.open(link)) return 'failed';
      this.#adopt(link, own !== null);
      return 'linked';
    } catch (error) {
      const end: LinkEnd = error instanceof LinkError ? error.end : 'connection';
      if (!isAbort(error))
        this.#noteTrouble(error instanceof LinkError ? error.server : undefined, messageOf(error));
      switch (end) {
        case 'session-expired':
          if (own !== null && own === this.#ticket)
            this.#sessionOver('session expired, says the server', 'gone');
          this.#abandoned = null;
          return 'expired';
        case 'auth-failed':
          this.#authRefused(messageOf(error));
          return 'auth-failed';
        case 'connection':
          return 'failed';
        default:
          return end satisfies never;
      }
    } finally {
      clearTimeout(timer);
      this.#attempt = undefined;
    }
  }

  #adopt(link: Link, isResumed: boolean): void {
    this.#link = link;
    this.#linkOver = deferred();
    this.#provenLink = false;
    this.#connects += 1;
    this.#ticket = link.ticket;
    this.#timeoutMs = link.ticket.timeoutMs;
    if (!isResumed) {
      this.#lease.begin();
      this.#epoch += 1;
      this.#sessionId = link.ticket.sessionId;
    }
    this.#lease.grant(link.ticket.timeoutMs, link.grantedAtMs, this.#clock.monotonicMs());
    this.#lastSentAtMs = link.grantedAtMs;
    this.#lastHeardAtMs = this.#clock.monotonicMs();
    this.#signal(
      isResumed ? 'resumed' : 'granted',
      isResumed ? 'session resumed' : 'session granted',
      link.server,
    );
    this.#armLeaseTimer();
    this.#startBeat(link);
    // Watches first: what changed while we were away is told before the answers to what waits.
    if (isResumed) link.rearm(this.#watches.armed());
    else this.#watches.sessionBegan();
    this.#outbox.attach(link, this.#epoch);
  }

  #linkHandlers(): (link: Link) => LinkHandlers {
    return (link) => ({
      watchFired: (type, path) => this.#watches.fired(type, path),
      heard: () => {
        this.#lastHeardAtMs = this.#clock.monotonicMs();
      },
      closed: (reason, end) => this.#linkClosed(link, reason, end),
    });
  }

  #linkClosed(link: Link, reason: string, end: LinkEnd): void {
    if (this.#link !== link) return;
    this.#link = undefined;
    clearInterval(this.#beatTimer);
    if (this.#state !== 'closed') this.#noteTrouble(link.server, reason);
    switch (end) {
      case 'connection':
        this.#outbox.detach(reason);
        if (this.#state === 'connected') this.#signal('link-down', reason, link.server);
        break;
      case 'session-expired':
        this.#sessionOver(reason, 'gone');
        break;
      case 'auth-failed':
        this.#authRefused(reason);
        break;
      default:
        end satisfies never;
    }
    this.#linkOver.resolve();
  }

  /** The epoch is over, whoever said so; `atServers`: whether there is anything left of it to be ended there. */
  #sessionOver(reason: string, atServers: 'gone' | 'may-live'): void {
    if (this.#state !== 'connected' && this.#state !== 'suspended') return;
    const ticket = this.#ticket;
    this.#ticket = null;
    this.#lease.revoke();
    clearTimeout(this.#leaseTimer);
    this.#sessionsLost += 1;
    // Longer than any server keeps it: after that there is nothing to end.
    if (ticket !== null && atServers === 'may-live')
      this.#abandoned = { ticket, untilMs: this.#clock.monotonicMs() + 2 * ticket.timeoutMs };
    this.#signal('over', reason, this.#link?.server);
    this.#outbox.rejectAll('session-lost', reason);
    this.#attempt?.abort(new LinkError('connection', undefined, reason));
    this.#link?.destroy(reason);
  }

  #authRefused(reason: string): void {
    if (this.#state === 'closed') return;
    this.#sessionOver(reason, 'may-live');
    if (this.#state === 'lost') this.#signal('retry', 'session over');
    this.#signal('auth-refused', reason);
    this.#outbox.rejectAll('auth-failed', reason);
  }

  #close(reason: string): void {
    if (this.#state === 'closed') return;
    clearTimeout(this.#leaseTimer);
    clearInterval(this.#beatTimer);
    this.#lease.revoke();
    this.#signal('stop', reason, this.#link?.server);
    this.#watches.close();
    this.#outbox.rejectAll('closed', reason);
  }

  async #endSession(link: Link): Promise<void> {
    const ended = link.endSession();
    const deadline = this.#clock.sleep(Math.max(minAttemptMs, this.#timeoutMs * probeShare));
    await Promise.race([ended, deadline]);
  }

  #confirmLease(sentAtMs: number): void {
    if (this.#state !== 'connected') return;
    if (!this.#lease.confirm(sentAtMs, this.#clock.monotonicMs()))
      this.#sessionOver('lease ran out by our own clock', 'may-live');
  }

  #armLeaseTimer(): void {
    clearTimeout(this.#leaseTimer);
    const remainingMs = this.leaseRemainingMs();
    this.#leaseTimer = setTimeout(
      () => {
        if (this.leaseRemainingMs() <= 0) this.#sessionOver('lease ran out by our own clock', 'may-live');
        else this.#armLeaseTimer();
      },
      Math.max(1, Math.ceil(remainingMs)),
    );
  }

  /**
   * Pings and probes of one link. The probe is `sync`: a request that the leader answers, so it shows that the server
   * is alive, that it is still part of the ensemble, and renews the lease. It writes nothing.
   */
  #startBeat(link: Link): void {
    const beatMs = this.#timeoutMs * beatShare;
    const probeMs = this.#timeoutMs * probeShare;
    let probeSentAtMs = Number.NEGATIVE_INFINITY;
    let isProbing = false;
    const probe = (nowMs: number) => {
      probeSentAtMs = nowMs;
      isProbing = true;
      const overdue = setTimeout(() => {
        // One more turn for the socket: after a stall of this process timers run before the data that waits.
        setImmediate(() => {
          if (isProbing && this.#link === link)
            link.destroy(`no answer to a probe within ${Math.round(probeMs)} ms`);
        });
      }, probeMs);
      const answered = (refusal?: Refusal) => {
        clearTimeout(overdue);
        isProbing = false;
        this.#tallies.done('sync', refusal === undefined, this.#clock.monotonicMs() - nowMs, true);
        if (refusal?.kind === 'session-lost') this.#sessionOver('session expired, says the server', 'gone');
        if (refusal !== undefined) return;
        this.#provenLink = true;
        this.#confirmLease(nowMs);
      };
      this.#lastSentAtMs = nowMs;
      link.send('sync', { path: '/' }, { ok: () => answered(), no: answered });
    };
    const beat = () => {
      if (this.#link !== link) return;
      const nowMs = this.#clock.monotonicMs();
      if (!isProbing && nowMs - probeSentAtMs >= probeMs - beatMs / 2) probe(nowMs);
      else if (nowMs - this.#lastSentAtMs >= beatMs / 2) {
        this.#lastSentAtMs = nowMs;
        link.send(
          'ping',
          { path: '/' },
          { ok: () => this.#tallies.done('ping', true, 0, true), no: () => {} },
        );
      }
    };
    clearInterval(this.#beatTimer);
    this.#beatTimer = setInterval(beat, beatMs);
    beat();
  }

  /** Reads and arms; for a missing node it is `exists` that can be armed. A node that comes in between is read again. */
  async #readArmed(op: 'get', path: string): Promise<NodeValue | null>;
  async #readArmed(op: 'children', path: string): Promise<Children | null>;
  async #readArmed(op: 'get' | 'children', path: string): Promise<NodeValue | Children | null> {
    const options = { deadlineMs: Number.POSITIVE_INFINITY };
    for (;;) {
      const found = await orNull<NodeValue | Children>(this.#submit(op, { path, watch: true }, options));
      if (found !== null) return found;
      const stat = await orNull(this.#submit('exists', { path, watch: true }, options));
      if (stat === null) return null;
    }
  }

  #submit<K extends LinkOp>(op: K, args: Requests[K], options: CallOptions): Promise<Replies[K]> {
    const { path } = args;
    if (this.#state === 'closed') return Promise.reject(new TreeError('closed', { op, path }));
    if (this.#state === 'auth-failed')
      return Promise.reject(new TreeError('auth-failed', { op, path, detail: this.#lastProblem }));
    const isBetween = this.#state === 'lost' || this.#state === 'connecting';
    if (
      options.epoch !== undefined &&
      (isBetween ? options.epoch <= this.#epoch : options.epoch !== this.#epoch)
    ) {
      const detail = `wanted in epoch ${options.epoch}, now ${this.#epoch} and ${this.#state}`;
      return Promise.reject(new TreeError('session-lost', { op, path, detail }));
    }
    this.#lastSentAtMs = this.#clock.monotonicMs();
    return this.#outbox.submit(op, args, {
      ...options,
      deadlineMs: options.deadlineMs ?? this.#defaultDeadlineMs,
    });
  }

  /** Options whose deadline shrinks with time, for calls that take several requests. */
  #timed(options: CallOptions): () => CallOptions {
    const totalMs = options.deadlineMs ?? this.#defaultDeadlineMs;
    const endMs = this.#clock.monotonicMs() + totalMs;
    return () => ({ ...options, deadlineMs: Math.max(0, endMs - this.#clock.monotonicMs()) });
  }

  async #pause(ms: number): Promise<void> {
    try {
      await this.#clock.sleep(ms, this.#stopping.signal);
    } catch (error) {
      if (!isAbort(error)) throw error;
    }
  }

  #noteTrouble(server: string | undefined, reason: string): void {
    this.#disconnects += 1;
    this.#lastProblem = server === undefined ? reason : `${server}: ${reason}`;
    this.#observer('tree:connection:lost', { server, reason });
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
    queueMicrotask(() => {
      for (const listener of [...this.#stateListeners]) {
        try {
          listener(event);
        } catch (error) {
          this.#observer('tree:listener:failed', { path: '/', error });
        }
      }
    });
  }
}

/** Joins a link with its handlers, which need the link; what happens before both are there is kept. */
class LinkPort implements LinkHandlers {
  readonly #make: (link: Link) => LinkHandlers;
  #handlers: LinkHandlers | undefined;
  #isClosed = false;

  constructor(make: (link: Link) => LinkHandlers) {
    this.#make = make;
  }

  /** False if the link closed already. */
  open(link: Link): boolean {
    if (this.#isClosed) return false;
    this.#handlers = this.#make(link);
    return true;
  }

  watchFired: LinkHandlers['watchFired'] = (type, path) => this.#handlers?.watchFired(type, path);
  heard: LinkHandlers['heard'] = () => this.#handlers?.heard();
  closed: LinkHandlers['closed'] = (reason, end) => {
    this.#isClosed = true;
    this.#handlers?.closed(reason, end);
  };
}

async function orNull<T>(reading: Promise<T>): Promise<T | null> {
  try {
    return await reading;
  } catch (error) {
    if (isTreeError(error, 'no-node')) return null;
    throw error;
  }
}

/** An observer's failure is its own: it must not disturb the connection in whose turn it is called. */
function guarded(observer: TreeObserver | undefined): TreeObserver {
  if (observer === undefined) return () => {};
  return (event, facts) => {
    try {
      observer(event, facts);
    } catch {
      // Nobody to tell: this is the one that would be told.
    }
  };
}

/** Zero is a version like any other (defect Z1); what is no version is a defect of the caller. */
function checkVersion(version: Version): Version {
  if (version !== 'any' && (!Number.isInteger(version) || version < 0 || version > 0x7fffffff))
    throw new RangeError(`version ${version} is none`);
  return version;
}
