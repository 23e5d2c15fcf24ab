/**
 * The HTTP server of a node: health, metrics, and the routes of the table. What holds for every request is here: where it comes
 * from, who sends it, whether that one may, how often, and what the audit log says of it.
 */
import { readFileSync } from 'node:fs';
import cookie from '@fastify/cookie';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { z } from 'zod';
import { AbortError } from '../../lib/abort.ts';
import { HoltError, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { isLoopback } from '../../lib/loopback.ts';
import type { AuditEntry } from '../access/audit-log.ts';
import { atLeast, mayTouch, type Principal } from '../access/role.ts';
import { sameText } from '../access/secret-token.ts';
import { type ConsoleFiles, sendConsole } from './console-files.ts';
import { sendEvents } from './event-stream.ts';
import type { KnownAnswer, RepeatedRequests } from './idempotency.ts';
import { maskedJson } from './masking.ts';
import { openApiDocument } from './openapi.ts';
import { problemDetails } from './problem-details.ts';
import type { ApiServices, Call, OpenStream, Route } from './route.ts';
import { ROUTES } from './routes/all.ts';
import { csrfOf } from './routes/session.ts';

export const API_BASE = '/api/v1';
const COOKIE = 'holt_session';
/** In windows of ten seconds. A page that follows the event stream needs a few requests a minute. */
const WINDOW_MS = 10_000;
const MAX_READS = 3_000;
const MAX_WRITES = 300;
/** Of requests that show no account, from one address. */
const MAX_STRANGE = 300;

export interface HttpServerOptions extends ApiServices {
  readonly host: string;
  readonly port: number;
  readonly tls: { readonly cert: string; readonly key: string } | null;
  readonly trustedProxies: readonly string[];
  /** /metrics is read without account. */
  readonly openMetrics: boolean;
  /** Why the node is not ready, null when it is. */
  readonly notReady: () => string | null;
  /** Told of every answer but those that stay open: the route as it is declared, and how long it took. */
  readonly onAnswer?: (route: string, method: string, status: number, ms: number) => void;
  readonly repeats: RepeatedRequests;
  /** The page at `/` and below. */
  readonly console: ConsoleFiles;
  readonly log: Logger;
}

export interface HttpServer {
  /** Base URL, with the port that was taken. */
  readonly url: string;
  close(): Promise<void>;
}

/** Throws HOLT_API_NOT_LOOPBACK for an address others could reach while the login is off. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  if (options.accounts.open !== null && !isLoopback(options.host))
    throw new HoltError(
      'HOLT_API_NOT_LOOPBACK',
      `api.auth is off, and the API is not served on ${options.host} without a login`,
      { disposition: 'fatal' },
    );
  const server = fastify({
    logger: false,
    bodyLimit: 2 * 1024 * 1024,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 512 },
    ...(options.trustedProxies.length === 0 ? {} : { trustProxy: [...options.trustedProxies] }),
    ...(options.tls === null ? {} : { https: tlsFiles(options.tls) }),
  }) as unknown as FastifyInstance;
  await server.register(cookie);
  await server.register(helmet, headersFor(options));
  await server.register(rateLimit, { global: false });
  server.setErrorHandler((error: Error & { statusCode?: number }, request, reply) =>
    sendProblem(reply, request, asProblem(error)),
  );
  // What no route takes is the console's: its files, and deep links into it.
  server.setNotFoundHandler((request, reply) =>
    sendConsole(options.console, request, reply)
      ? reply
      : sendProblem(
          reply,
          request,
          new HoltError('HOLT_REQUEST_INVALID', `there is no ${request.method} ${request.url}`),
          404,
        ),
  );
  server.addHook('onRequest', async (request) => comesFromHere(request, options));
  const { onAnswer } = options;
  if (onAnswer !== undefined)
    server.addHook('onResponse', async (request, reply) => {
      const route = request.routeOptions.url;
      if (route === undefined || route.endsWith('/events')) return;
      onAnswer(route, request.method, reply.statusCode, reply.elapsedTime);
    });
  health(server, options);
  const gate = new Gate(server, options);
  for (const route of ROUTES) serve(server, route, gate, options);
  const document = openApiDocument(ROUTES, options.release);
  server.get(`${API_BASE}/openapi.json`, async (request) => {
    await gate.limit(request, null, 'GET');
    return document;
  });
  const url = await listen(server, options);
  return { url, close: () => server.close() };
}

function tlsFiles({ cert, key }: { readonly cert: string; readonly key: string }) {
  try {
    return { cert: readFileSync(cert), key: readFileSync(key), minVersion: 'TLSv1.2' as const };
  } catch (error) {
    throw new HoltError('HOLT_FILE_UNREADABLE', `tls: ${messageOf(error)}`, {
      disposition: 'fatal',
      cause: error,
    });
  }
}

async function listen(server: FastifyInstance, { host, port }: HttpServerOptions): Promise<string> {
  try {
    return await server.listen({ host, port });
  } catch (error) {
    throw new HoltError('HOLT_API_LISTEN', `the API cannot listen on ${host}:${port}: ${messageOf(error)}`, {
      disposition: 'fatal',
      cause: error,
    });
  }
}

/** Nothing but the page's own files: no script in the page, no frame around it, nothing from elsewhere. */
function headersFor({ tls }: HttpServerOptions) {
  return {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'", 'data:'],
        fontSrc: ["'self'"],
        connectSrc: ["'self'"],
        manifestSrc: ["'self'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
    },
    frameguard: { action: 'deny' as const },
    strictTransportSecurity: tls === null ? (false as const) : { maxAge: 31_536_000 },
  };
}

/**
 * A page of another origin must not act here through a browser: neither by a request of its own, nor by a name of its own that leads to
 * this machine's loopback address.
 */
async function comesFromHere(request: FastifyRequest, options: HttpServerOptions): Promise<void> {
  const { host } = request;
  const { origin } = request.headers;
  const name = host.replace(/:\d+$/, '');
  const isLocal = isLoopback(options.host) && options.trustedProxies.length === 0;
  if (isLocal && !isLoopback(name))
    throw new HoltError('HOLT_REQUEST_INVALID', 'requests come from this machine only');
  if (origin !== undefined && !(URL.canParse(origin) && new URL(origin).host === host))
    throw new HoltError('HOLT_REQUEST_INVALID', `requests do not come from pages of ${origin}`);
}

function health(server: FastifyInstance, options: HttpServerOptions): void {
  server.get('/livez', () => ({ ok: true }));
  server.get('/readyz', (_request, reply) => {
    const reason = options.notReady();
    return reply.status(reason === null ? 200 : 503).send({ ok: reason === null, reason });
  });
  server.get('/metrics', async (request, reply) => {
    if (!options.openMetrics && (await identify(request, options)).principal === null)
      throw unauthenticated(request);
    return reply.type('text/plain; version=0.0.4').send(await options.metrics());
  });
}

interface Identity {
  readonly principal: Principal | null;
  /** The cookie's text where it was what counted. */
  readonly session: string | null;
}

async function identify(request: FastifyRequest, { accounts }: ApiServices): Promise<Identity> {
  const { authorization } = request.headers;
  if (authorization !== undefined) {
    const [, token] = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(authorization) ?? [];
    return {
      principal: token === undefined ? null : await accounts.byToken(token, request.ip),
      session: null,
    };
  }
  const cookie = request.cookies[COOKIE];
  const login = cookie === undefined ? null : await accounts.bySession(cookie);
  if (login !== null && cookie !== undefined) return { principal: login.principal, session: cookie };
  return { principal: accounts.open, session: null };
}

function unauthenticated(request: FastifyRequest): HoltError {
  const what =
    request.headers.authorization === undefined ? 'no account or token is shown' : 'the token is not valid';
  return new HoltError('HOLT_UNAUTHENTICATED', what, { disposition: 'fatal' });
}

/** Lets pass, or says why not. */
class Gate {
  readonly #options: HttpServerOptions;
  readonly #reads: ReturnType<FastifyInstance['createRateLimit']>;
  readonly #writes: ReturnType<FastifyInstance['createRateLimit']>;
  readonly #strange: ReturnType<FastifyInstance['createRateLimit']>;

  constructor(server: FastifyInstance, options: HttpServerOptions) {
    this.#options = options;
    const limit = (max: number) =>
      server.createRateLimit({
        max,
        timeWindow: WINDOW_MS,
        keyGenerator: (request) => limitKeys.get(request) ?? request.ip,
      });
    this.#reads = limit(MAX_READS);
    this.#writes = limit(MAX_WRITES);
    this.#strange = limit(MAX_STRANGE);
  }

  async identify(request: FastifyRequest): Promise<Identity> {
    return identify(request, this.#options);
  }

  check(request: FastifyRequest, route: Route, { principal, session }: Identity): void {
    if (route.access !== 'public') {
      if (principal === null) throw unauthenticated(request);
      if (route.access !== 'account' && !atLeast(principal.role, route.access))
        throw new HoltError(
          'HOLT_FORBIDDEN',
          `${principal.name} is ${principal.role}; this needs ${route.access}`,
          {
            disposition: 'fatal',
          },
        );
      if (session !== null && route.method !== 'GET') {
        const shown = request.headers['holt-csrf'];
        if (typeof shown !== 'string' || !sameText(shown, csrfOf(session)))
          throw new HoltError('HOLT_CSRF', 'the header holt-csrf is missing or not that of this login', {
            disposition: 'fatal',
          });
      }
      const { name } = request.params as { readonly name?: string };
      if (route.path.startsWith('/pipelines/:name') && name !== undefined && !mayTouch(principal, name))
        throw new HoltError(
          'HOLT_FORBIDDEN',
          `${principal.name} has nothing to do with pipeline ${JSON.stringify(name)}`,
          {
            disposition: 'fatal',
          },
        );
    }
  }

  async limit(request: FastifyRequest, principal: Principal | null, method: string): Promise<void> {
    if (principal !== null) limitKeys.set(request, `${principal.kind} ${principal.name}`);
    const limiter = principal === null ? this.#strange : method === 'GET' ? this.#reads : this.#writes;
    const verdict = await limiter(request);
    if (verdict.isAllowed || !verdict.isExceeded) return;
    throw new HoltError('HOLT_RATE_LIMIT', `more than ${verdict.max} requests in ${WINDOW_MS / 1000} s`, {
      disposition: 'retry',
      facts: { retryAfterSeconds: verdict.ttlInSeconds },
    });
  }
}

const limitKeys = new WeakMap<FastifyRequest, string>();

/** What a stream shows is decided when it is opened: any change of its account ends it. */
function sameAccess(a: Principal | null, b: Principal | null): boolean {
  return (
    a !== null &&
    b !== null &&
    JSON.stringify([a.name, a.role, a.scopes]) === JSON.stringify([b.name, b.role, b.scopes])
  );
}

interface Noted {
  who: string | null;
  object: string | null;
  detail: unknown;
}

function serve(server: FastifyInstance, route: Route, gate: Gate, options: HttpServerOptions): void {
  // Who may not come must not be able to make us read a body either.
  const identities = new WeakMap<FastifyRequest, Identity>();
  server.route({
    method: route.method,
    url: `${API_BASE}${route.path}`,
    onRequest: async (request) => {
      const identity = await gate.identify(request);
      identities.set(request, identity);
      try {
        await gate.limit(request, identity.principal, route.method);
        gate.check(request, route, identity);
      } catch (error) {
        if (route.audited && identity.principal !== null)
          await options.audit.add(
            entryOf(route, request, identity, { who: null, object: null, detail: null }, error),
          );
        throw error;
      }
    },
    handler: async (request, reply) => {
      const identity = identities.get(request) ?? { principal: null, session: null };
      if (route.answer.kind === 'events') {
        const noted: Noted = { who: null, object: null, detail: null };
        const open = (await route.handle(callOf(request, reply, identity, noted, options))) as OpenStream;
        const mayStay = async () => {
          const now = await gate.identify(request).catch(() => identity);
          return sameAccess(now.principal, identity.principal);
        };
        return sendEvents(request, reply, open, { mayStay, log: options.log });
      }
      const noted: Noted = { who: null, object: null, detail: null };
      try {
        const work = async () => {
          const value = await route.handle(callOf(request, reply, identity, noted, options));
          // The entry first: what cannot be answered for is not said to be done.
          if (route.audited) await options.audit.add(entryOf(route, request, identity, noted, null));
          return answerOf(route, value);
        };
        const key = request.headers['idempotency-key'];
        const { principal } = identity;
        const given =
          route.method !== 'POST' || route.rowsInBody || typeof key !== 'string' || principal === null
            ? await work()
            : await options.repeats.once(
                {
                  key,
                  principal: `${principal.kind} ${principal.name}`,
                  method: route.method,
                  url: request.url,
                  body: request.body,
                  keeps: route.repeatable,
                },
                work,
              );
        reply.header('cache-control', 'no-store').status(given.status);
        if ('isRepeat' in given && given.isRepeat) reply.header('idempotency-replayed', 'true');
        return given.status === 204 ? reply.send() : reply.send(given.body);
      } catch (error) {
        if (route.audited) await options.audit.add(entryOf(route, request, identity, noted, error));
        throw error;
      }
    },
  });
}

function callOf(
  request: FastifyRequest,
  reply: FastifyReply,
  { principal, session }: Identity,
  noted: Noted,
  options: HttpServerOptions,
): Call<unknown, unknown, unknown> {
  return {
    params: request.params,
    query: request.query,
    body: request.body ?? undefined,
    principal,
    from: request.ip,
    signal: hungUp(reply),
    services: options,
    header: (name) => {
      const value = request.headers[name];
      return typeof value === 'string' ? value : undefined;
    },
    setHeader: (name, value) => {
      reply.header(name, value);
    },
    session,
    setSession(given) {
      const common = {
        path: '/',
        httpOnly: true,
        sameSite: 'strict' as const,
        secure: request.protocol === 'https',
      };
      if (given === null) reply.clearCookie(COOKIE, common);
      else reply.setCookie(COOKIE, given.text, { ...common, expires: new Date(given.expiresMs) });
    },
    audit(facts) {
      noted.who = facts.who ?? noted.who;
      noted.object = facts.object ?? noted.object;
      noted.detail = facts.detail ?? noted.detail;
    },
  };
}

/** Aborts when the client ends the connection before it has its answer. */
function hungUp(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort(new AbortError('the client has hung up'));
  });
  return gone.signal;
}

/** Cut to its schema. */
function answerOf(route: Route, value: unknown): KnownAnswer {
  if (route.answer.kind !== 'json') return { status: 204, body: null };
  return { status: route.answer.status, body: route.answer.schema.parse(value) };
}

function entryOf(
  route: Route,
  request: FastifyRequest,
  { principal }: Identity,
  noted: Noted,
  error: unknown,
): AuditEntry {
  const problem = error === null ? null : problemDetails(asProblem(error));
  const params = Object.values((request.params ?? {}) as Record<string, string>);
  const body = (request.body ?? {}) as { readonly why?: unknown };
  const { why } = request.query as { readonly why?: unknown };
  return {
    who: principal?.name ?? noted.who ?? '-',
    how: principal?.kind ?? 'nobody',
    from: request.ip,
    action: route.id,
    object: noted.object ?? params.join(' '),
    detail: maskedJson(noted.detail ?? (route.rowsInBody ? null : request.body) ?? null),
    reason: typeof body.why === 'string' ? body.why : typeof why === 'string' ? why : '',
    result: problem === null ? 'done' : problem.status < 500 ? 'refused' : 'failed',
    code: problem?.code ?? null,
  };
}

/** What was thrown, as an error of ours: what a client did wrong is no defect. */
function asProblem(error: unknown): unknown {
  if (error instanceof z.ZodError)
    return new HoltError(
      'HOLT_REQUEST_INVALID',
      error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '),
    );
  const { statusCode } = error as { readonly statusCode?: unknown };
  if (!(error instanceof HoltError) && typeof statusCode === 'number' && statusCode < 500)
    return new HoltError('HOLT_REQUEST_INVALID', messageOf(error));
  return error;
}

function sendProblem(
  reply: FastifyReply,
  request: FastifyRequest,
  error: unknown,
  status?: number,
): FastifyReply {
  const problem = problemDetails(error);
  const seconds = error instanceof HoltError ? error.facts.retryAfterSeconds : undefined;
  if (typeof seconds === 'number') reply.header('retry-after', String(seconds));
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer realm="holt"');
  return reply
    .status(status ?? problem.status)
    .header('cache-control', 'no-store')
    .type('application/problem+json')
    .send({ ...problem, status: status ?? problem.status, instance: `urn:holt:request:${request.id}` });
}
