import { randomBytes } from 'node:crypto';
import { assert } from '../../../lib/assert.ts';
import { type Clock, systemClock } from '../../../lib/clock.ts';
import { type Deferred, deferred } from '../../../lib/deferred.ts';
import { messageOf } from '../../../lib/errors.ts';
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
import type { LinkOp, Replies, Requests, Transport } from './link.ts';
import { OpTallies } from './op-tallies.ts';
import { isWrite, Outbox } from './outbox.ts';
import { Session } from './session.ts';
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

/** The contract over any transport: a session, the requests that wait for it, and the watches that live in it. */
export class TreeClient implements CoordinationTree {
  readonly #defaultDeadlineMs: number;
  readonly #barrierParent: string;
  readonly #barrierPath: string;
  readonly #observer: TreeObserver;
  readonly #clock: Clock;
  readonly #session: Session;
  readonly #outbox: Outbox;
  readonly #watches: WatchService;
  readonly #tallies = new OpTallies();
  readonly #over: Deferred<void> = deferred();
  #isRunning = false;
  #closing: Promise<void> | undefined;

  constructor(options: TreeClientOptions) {
    this.#defaultDeadlineMs = options.defaultDeadlineMs ?? 15_000;
    this.#barrierParent = options.barrierParent ?? '/seda/barrier';
    this.#barrierPath = `${this.#barrierParent}/${randomBytes(12).toString('hex')}`;
    this.#observer = guarded(options.observer);
    this.#clock = options.clock ?? systemClock;
    const random = options.random ?? Math.random;
    this.#outbox = new Outbox({
      clock: this.#clock,
      onDone: (op, outcome, latencyMs, wasSent) => {
        this.#tallies.done(op, outcome === 'ok', latencyMs, wasSent);
        this.#observer('tree:request:done', { op, outcome, latencyMs });
      },
      onSent: () => this.#session.noteSent(),
      onAnswered: (op, sentAtMs) => {
        // What the leader took part in; see lease.ts.
        if (isWrite(op) || op === 'sync') this.#session.confirm(sentAtMs);
      },
      onSessionExpired: () => this.#session.expired(),
    });
    this.#watches = new WatchService({
      rereadMs: options.rereadMs ?? 60_000,
      port: {
        readData: (path) => this.#readArmed('get', path),
        readChildren: (path) => this.#readArmed('children', path),
        forget: (kind, path) => {
          if (this.#session.state !== 'connected') return;
          const deadlineMs = this.#session.timeoutMs;
          this.#outbox.submit('unwatch', { path, kind }, { deadlineMs }).catch(() => {});
        },
        epoch: () => this.#session.epoch,
        nowMs: () => this.#clock.monotonicMs(),
        random,
        fired: (kind, path) => this.#observer('tree:watch:fired', { kind, path }),
        listenerFailed: (path, error) => this.#observer('tree:listener:failed', { path, error }),
      },
    });
    this.#session = new Session({
      transport: options.transport,
      timeoutMs: options.sessionTimeoutMs ?? 10_000,
      authRetryMs: options.authRetryMs ?? 30_000,
      clock: this.#clock,
      random,
      dependants: {
        linked: (link, epoch, isResumed) => {
          // Watches first: what changed while we were away is told before the answers to what waits.
          if (isResumed) link.rearm(this.#watches.armed());
          else this.#watches.sessionBegan();
          this.#outbox.attach(link, epoch);
        },
        unlinked: (reason) => this.#outbox.detach(reason),
        over: (kind, reason) => {
          if (kind === 'closed') this.#watches.close();
          this.#outbox.rejectAll(kind, reason);
        },
        watchFired: (type, path) => this.#watches.fired(type, path),
        probed: (latencyMs, isOk) => {
          this.#tallies.done('sync', isOk, latencyMs, true);
          this.#observer('tree:request:done', {
            op: 'sync',
            outcome: isOk ? 'ok' : 'server-error',
            latencyMs,
          });
        },
        pinged: () => this.#tallies.done('ping', true, 0, true),
        troubled: (server, reason) => this.#observer('tree:connection:lost', { server, reason }),
        listenerFailed: (error) => this.#observer('tree:listener:failed', { path: '/', error }),
      },
    });
  }

  get sessionState(): SessionState {
    return this.#session.state;
  }

  get sessionEpoch(): number {
    return this.#session.epoch;
  }

  get sessionId(): string {
    return this.#session.sessionId;
  }

  get sessionTimeoutMs(): number {
    return this.#session.timeoutMs;
  }

  get counters(): TreeCounters {
    return {
      ops: this.#tallies.snapshot(),
      inFlight: this.#outbox.inFlight,
      queued: this.#outbox.queued,
      connects: this.#session.connects,
      disconnects: this.#session.troubles,
      sessionsLost: this.#session.losses,
      watches: this.#watches.count,
      watchFires: this.#watches.fires,
      watchesMissed: this.#watches.missed,
      lastReplyAgeMs: this.#session.lastReplyAgeMs,
    };
  }

  leaseRemainingMs(): number {
    return this.#session.leaseRemainingMs();
  }

  onState(listener: (event: SessionEvent) => void): () => void {
    return this.#session.onState(listener);
  }

  async whenConnected(options: CallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    if (this.sessionState === 'connected') return;
    if (this.sessionState === 'closed') throw new TreeError('closed', { op: 'connect', path: '/' });
    const deadlineMs = options.deadlineMs ?? this.#defaultDeadlineMs;
    const done = deferred<void>();
    const unlisten = this.onState((event) => {
      if (event.state === 'connected') done.resolve();
      if (event.state === 'closed') done.reject(new TreeError('closed', { op: 'connect', path: '/' }));
    });
    const timer = setTimeout(() => {
      const detail = `${deadlineMs} ms, state ${this.sessionState}, last: ${this.#session.lastTrouble}`;
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
      // Not there in a new session: it is ephemeral, so that nothing stays of us. Making it is a write as good as any.
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
    assert(!this.#isRunning, 'a tree runs once');
    this.#isRunning = true;
    try {
      if (this.#closing === undefined) await this.#session.run();
    } catch (error) {
      this.#closing ??= this.#session.close(`failed: ${messageOf(error)}`);
      throw error;
    } finally {
      this.#over.resolve();
    }
  }

  async stop(): Promise<void> {
    this.#closing ??= this.#session.close('stopped');
    await this.#closing;
    if (this.#isRunning) await this.#over.promise;
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
    this.#session.checkLease();
    const { state, epoch, lastTrouble } = this.#session;
    if (state === 'closed') return Promise.reject(new TreeError('closed', { op, path }));
    if (state === 'auth-failed')
      return Promise.reject(new TreeError('auth-failed', { op, path, detail: lastTrouble }));
    const isBetween = state === 'lost' || state === 'connecting';
    if (options.epoch !== undefined && (isBetween ? options.epoch <= epoch : options.epoch !== epoch)) {
      const detail = `wanted in epoch ${options.epoch}, now ${epoch} and ${state}`;
      return Promise.reject(new TreeError('session-lost', { op, path, detail }));
    }
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
