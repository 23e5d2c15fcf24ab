/**
 * What a route is: one entry of the table that the server serves, the OpenAPI document shows, and the tests walk. Nothing is served
 * that is not in it.
 *
 * A handler gets what was sent already checked, and answers with a value that is cut to its schema before it leaves: what a schema
 * does not name (a hash, a secret) cannot leave by mistake.
 */
import { z } from 'zod';
import type { Clock } from '../../lib/clock.ts';
import type { Accounts } from '../access/accounts.ts';
import type { AuditLog } from '../access/audit-log.ts';
import type { Principal, Role } from '../access/role.ts';
import type { AlarmDesk } from '../alarms/alarm-desk.ts';
import type { Cluster } from '../cluster.ts';
import type { AppliedBatches } from '../history/applied-batches.ts';
import type { History } from '../history/history.ts';
import type { Operations } from '../operations.ts';
import type { EventHub } from './event-hub.ts';

/** What handlers work with. */
export interface ApiServices {
  readonly operations: Operations;
  readonly accounts: Accounts;
  readonly audit: AuditLog;
  readonly cluster: Pick<
    Cluster,
    'sites' | 'batches' | 'claims' | 'znode' | 'logLevel' | 'setLogLevel' | 'drainState' | 'drain' | 'undrain'
  >;
  readonly history: Pick<History, 'query'>;
  readonly applied: Pick<AppliedBatches, 'recent'>;
  readonly alarms: Pick<
    AlarmDesk,
    'list' | 'rules' | 'channels' | 'history' | 'silences' | 'acknowledge' | 'silence' | 'endSilence' | 'test'
  >;
  readonly events: EventHub;
  readonly clock: Clock;
  readonly release: string;
  /** Prometheus text. */
  readonly metrics: () => Promise<string>;
}

export interface Call<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** On public routes whoever shows no account is nobody. */
  readonly principal: Principal | null;
  readonly from: string;
  /** Aborts when the client has hung up. */
  readonly signal: AbortSignal;
  readonly services: ApiServices;
  /** A header as sent, lower-case name. */
  header(name: string): string | undefined;
  /** A header of the answer. */
  setHeader(name: string, value: string): void;
  /** The login's cookie: what was sent with this request, and what the answer sets (null takes it away). */
  readonly session: string | null;
  setSession(session: { readonly text: string; readonly expiresMs: number } | null): void;
  /** Adds to the audit entry of this request. */
  audit(facts: { readonly who?: string; readonly object?: string; readonly detail?: unknown }): void;
}

/** `public`: without account; `account`: any account or token. */
export type Access = 'public' | 'account' | Role;

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Route {
  /** Unique; the audit log's `action` and OpenAPI's operationId. */
  readonly id: string;
  readonly method: Method;
  /** Below /api/v1, parameters as `:name`. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly access: Access;
  readonly params: z.ZodType;
  readonly query: z.ZodType;
  /** Null where no body is read. */
  readonly body: z.ZodType | null;
  readonly answer: Answer;
  /** Codes of problems that are this route's own. */
  readonly problems: readonly string[];
  /** Reads that show row values are audited, too. All that change something are. */
  readonly audited: boolean;
  /** The answer holds a secret, which is given once. */
  readonly secret: boolean;
  /** The answer may be kept for a repeat with the same Idempotency-Key: no secret, and nothing of a row. */
  readonly repeatable: boolean;
  /** The body has values of rows: nothing of it is kept, neither in the audit log (but what the handler names) nor for repeats. */
  readonly rowsInBody: boolean;
  handle(call: Call<unknown, unknown, unknown>): Promise<unknown>;
}

export type Answer =
  | { readonly kind: 'json'; readonly status: 200 | 201 | 202; readonly schema: z.ZodType }
  | { readonly kind: 'none' }
  /** Server-sent events: `handle` answers with what opens the stream. */
  | { readonly kind: 'events' };

/** One event on its way to one follower. */
export interface SentEvent {
  readonly id: string;
  readonly event: string;
  readonly data: unknown;
}

/** Opens a stream; whatever `send` gets goes out. Resolves to the closing of it. */
export type OpenStream = (send: (event: SentEvent) => void, signal: AbortSignal) => Promise<() => void>;

const nothing = z.object({});

interface Definition<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, A extends z.ZodType> {
  readonly id: string;
  readonly method: Method;
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly access: Access;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  readonly status?: 200 | 201 | 202;
  /** Absent: 204 without a body. */
  readonly answer?: A;
  readonly problems?: readonly string[];
  readonly audited?: boolean;
  readonly secret?: boolean;
  readonly repeatable?: boolean;
  readonly rowsInBody?: boolean;
  handle(call: Call<z.output<P>, z.output<Q>, z.output<B>>): Promise<z.input<A>> | z.input<A>;
}

export function route<
  P extends z.ZodType = typeof nothing,
  Q extends z.ZodType = typeof nothing,
  B extends z.ZodType = z.ZodUndefined,
  A extends z.ZodType = z.ZodVoid,
>(given: Definition<P, Q, B, A>): Route {
  const params: z.ZodType = given.params ?? nothing;
  const query: z.ZodType = given.query ?? nothing;
  const body: z.ZodType | null = given.body ?? null;
  return {
    id: given.id,
    method: given.method,
    path: given.path,
    tag: given.tag,
    summary: given.summary,
    access: given.access,
    params,
    query,
    body,
    answer:
      given.answer === undefined
        ? { kind: 'none' }
        : { kind: 'json', status: given.status ?? 200, schema: given.answer },
    problems: given.problems ?? [],
    audited: given.audited ?? given.method !== 'GET',
    secret: given.secret ?? false,
    repeatable: given.repeatable ?? given.secret !== true,
    rowsInBody: given.rowsInBody ?? false,
    async handle(call) {
      return await given.handle({
        ...call,
        params: params.parse(call.params) as z.output<P>,
        query: query.parse(call.query) as z.output<Q>,
        body: (body === null ? undefined : body.parse(call.body)) as z.output<B>,
      });
    },
  };
}

/** A route that answers with server-sent events. */
export function streamRoute<Q extends z.ZodType>(
  given: Pick<Route, 'id' | 'path' | 'tag' | 'summary' | 'access'> & {
    readonly query: Q;
    handle(call: Call<unknown, z.output<Q>, unknown>): OpenStream;
  },
): Route {
  return {
    ...given,
    method: 'GET',
    params: nothing,
    body: null,
    answer: { kind: 'events' },
    problems: [],
    audited: false,
    secret: false,
    repeatable: false,
    rowsInBody: false,
    handle: (call) =>
      Promise.resolve(given.handle({ ...call, query: given.query.parse(call.query) as z.output<Q> })),
  };
}
