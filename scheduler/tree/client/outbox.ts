import type { Clock } from '../../../lib/clock.ts';
import { type Deferred, deferred } from '../../../lib/deferred.ts';
import type { CallOptions } from '../tree.ts';
import { TreeError, type TreeErrorKind } from '../tree-error.ts';
import type { Link, LinkOp, Refusal, Replies, Requests } from './link.ts';

/** Requests on the wire at once: a server's reply burst stays small, and 128 is where throughput stops growing. */
export const maxInFlight = 128;
/** Bytes on the wire at once. */
const maxInFlightBytes = 4 * 1024 * 1024;
/** Bytes that may wait to be sent. */
const maxQueuedBytes = 64 * 1024 * 1024;
/** What a server with its default `jute.maxbuffer` (1 MiB less a few bytes) certainly takes. */
export const maxRequestBytes = 1_000_000;

export interface OutboxOptions {
  readonly clock: Clock;
  /** A request was settled: answered, refused or given up. `latencyMs` from the last sending, or from the call if never sent. */
  readonly onDone: (
    op: LinkOp,
    outcome: 'ok' | TreeErrorKind | 'aborted',
    latencyMs: number,
    wasSent: boolean,
  ) => void;
  /** A request goes out. */
  readonly onSent: () => void;
  /** The server answered a request that was sent then. */
  readonly onAnswered: (op: LinkOp, sentAtMs: number) => void;
  /** The server answered that the session has expired. */
  readonly onSessionExpired: () => void;
}

/** One call on its way. It is in exactly one of the outbox's two sets, or settled, or (sent, then given up) in `#inFlight` and settled. */
interface Pending {
  readonly op: LinkOp;
  readonly path: string;
  readonly bytes: number;
  readonly isWrite: boolean;
  readonly epoch: number | undefined;
  readonly calledAtMs: number;
  sentAtMs: number | undefined;
  settled: boolean;
  /** Puts it on a link; the answer comes back through the outbox. */
  send(link: Link): void;
  reject(error: unknown): void;
}

/**
 * The queue between callers and the link. It flows only while a link is attached (so nothing is written into the
 * void and credentials always go first), in the order of the calls, at most `maxInFlight` at a time.
 *
 * When the link goes: reads in flight go back to the front of the queue in their order; writes in flight fail with
 * `connection-loss`, outcome unknown; what was not sent stays queued.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #queue = new Set<Pending>();
  readonly #inFlight = new Set<Pending>();
  #queuedBytes = 0;
  #inFlightBytes = 0;
  #link: Link | undefined;
  #epoch = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  get queued(): number {
    return this.#queue.size;
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** Settles with the reply, or rejects with a `TreeError`, or with the signal's reason. */
  submit<K extends LinkOp>(
    op: K,
    args: Requests[K],
    options: CallOptions & { readonly deadlineMs: number },
  ): Promise<Replies[K]> {
    const { path } = args;
    const bytes = sizeOf(op, args);
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    if (bytes > maxRequestBytes)
      return Promise.reject(new TreeError('too-large', { op, path, detail: `${bytes} bytes` }));
    if (this.#queuedBytes + bytes > maxQueuedBytes)
      return Promise.reject(new TreeError('overloaded', { op, path, detail: `${this.#queue.size} wait` }));

    const outcome: Deferred<Replies[K]> = deferred();
    const { clock } = this.#options;
    let timer: NodeJS.Timeout | undefined;
    const settle = (result: 'ok' | TreeErrorKind | 'aborted') => {
      pending.settled = true;
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', onAbort);
      const since = pending.sentAtMs ?? pending.calledAtMs;
      this.#options.onDone(op, result, clock.monotonicMs() - since, pending.sentAtMs !== undefined);
    };
    const onAbort = () => {
      if (pending.settled) return;
      this.#leaveQueue(pending);
      settle('aborted');
      outcome.reject(options.signal?.reason);
    };
    const pending: Pending = {
      op,
      path,
      bytes,
      isWrite: isWrite(op),
      epoch: options.epoch,
      calledAtMs: clock.monotonicMs(),
      sentAtMs: undefined,
      settled: false,
      send: (link) => {
        const sentAtMs = clock.monotonicMs();
        pending.sentAtMs = sentAtMs;
        this.#options.onSent();
        link.send(op, args, {
          ok: (reply) => {
            this.#landed(pending);
            this.#options.onAnswered(op, sentAtMs);
            if (!pending.settled) {
              settle('ok');
              outcome.resolve(reply);
            }
            this.#flow();
          },
          no: (refusal) => {
            this.#landed(pending);
            this.#options.onAnswered(op, sentAtMs);
            pending.reject(errorOf(op, path, args, refusal));
            if (refusal.kind === 'session-lost') this.#options.onSessionExpired();
            else this.#flow();
          },
        });
      },
      reject: (error) => {
        if (pending.settled) return;
        settle(error instanceof TreeError ? error.kind : 'server-error');
        outcome.reject(error);
      },
    };
    if (options.deadlineMs !== Number.POSITIVE_INFINITY)
      timer = setTimeout(() => {
        if (pending.settled) return;
        this.#leaveQueue(pending);
        const outcomeUnknown = pending.isWrite && pending.sentAtMs !== undefined;
        pending.reject(
          new TreeError('deadline', { op, path, outcomeUnknown, detail: `${options.deadlineMs} ms` }),
        );
      }, options.deadlineMs);
    options.signal?.addEventListener('abort', onAbort, { once: true });
    this.#queue.add(pending);
    this.#queuedBytes += bytes;
    this.#flow();
    return outcome.promise;
  }

  /** A link is up, in this epoch: what waits goes out. */
  attach(link: Link, epoch: number): void {
    this.#link = link;
    this.#epoch = epoch;
    this.#flow();
  }

  /** The link is gone; see the class. */
  detach(reason: string): void {
    this.#link = undefined;
    const landed = [...this.#inFlight];
    this.#inFlight.clear();
    this.#inFlightBytes = 0;
    const again = landed.filter((pending) => !pending.settled && !pending.isWrite);
    const waiting = [...again, ...this.#queue];
    this.#queue.clear();
    this.#queuedBytes = 0;
    for (const pending of waiting) {
      this.#queue.add(pending);
      this.#queuedBytes += pending.bytes;
    }
    for (const pending of landed)
      if (pending.isWrite)
        pending.reject(
          new TreeError('connection-loss', {
            op: pending.op,
            path: pending.path,
            outcomeUnknown: true,
            detail: reason,
          }),
        );
  }

  /** Everything that waits fails, and nothing flows until the next `attach`: the session is over, refused or closed. */
  rejectAll(kind: 'session-lost' | 'auth-failed' | 'closed', detail: string): void {
    this.#link = undefined;
    const waiting = [...this.#inFlight, ...this.#queue];
    this.#queue.clear();
    this.#queuedBytes = 0;
    this.#inFlight.clear();
    this.#inFlightBytes = 0;
    for (const pending of waiting) {
      const { op, path } = pending;
      const outcomeUnknown = pending.isWrite && pending.sentAtMs !== undefined;
      pending.reject(new TreeError(kind, { op, path, outcomeUnknown, detail }));
    }
  }

  #flow(): void {
    for (const pending of this.#queue) {
      if (this.#link === undefined) return;
      if (this.#inFlight.size >= maxInFlight) return;
      if (this.#inFlight.size > 0 && this.#inFlightBytes + pending.bytes > maxInFlightBytes) return;
      this.#leaveQueue(pending);
      if (pending.epoch !== undefined && pending.epoch !== this.#epoch) {
        const { op, path } = pending;
        pending.reject(new TreeError('session-lost', { op, path, detail: `epoch ${pending.epoch} is over` }));
        continue;
      }
      this.#inFlight.add(pending);
      this.#inFlightBytes += pending.bytes;
      pending.send(this.#link);
    }
  }

  #leaveQueue(pending: Pending): void {
    if (this.#queue.delete(pending)) this.#queuedBytes -= pending.bytes;
  }

  #landed(pending: Pending): void {
    if (this.#inFlight.delete(pending)) this.#inFlightBytes -= pending.bytes;
  }
}

/** Writes change the tree: they are sent once. All else may be repeated. */
export function isWrite(op: LinkOp): boolean {
  switch (op) {
    case 'create':
    case 'set':
    case 'remove':
    case 'multi':
      return true;
    case 'get':
    case 'exists':
    case 'children':
    case 'sync':
    case 'ping':
    case 'unwatch':
      return false;
    default:
      return op satisfies never;
  }
}

/** Bytes of a request, rounded up by what headers, lengths, versions and the default ACL take. */
function sizeOf<K extends LinkOp>(op: K, args: Requests[K]): number {
  const overhead = 128;
  let bytes = overhead + Buffer.byteLength(args.path);
  if ('data' in args) bytes += args.data.length;
  if (op === 'multi' && 'ops' in args)
    for (const part of args.ops)
      bytes += overhead + Buffer.byteLength(part.path) + ('data' in part ? part.data.length : 0);
  return bytes;
}

function errorOf<K extends LinkOp>(op: K, path: string, args: Requests[K], refusal: Refusal): TreeError {
  const { kind, ...facts } = refusal;
  const failed =
    'ops' in args && refusal.failedIndex !== undefined ? args.ops[refusal.failedIndex] : undefined;
  return new TreeError(kind, {
    op: failed === undefined ? op : `multi ${failed.op}`,
    path: failed?.path ?? path,
    ...facts,
  });
}
