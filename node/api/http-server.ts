/**
 * The HTTP API of a node: health, metrics, and everything of `Operations`. Loopback only until there is a login.
 */
import fastify, { type FastifyInstance } from 'fastify';
import { z } from 'zod';
import { HoltError, messageOf } from '../../lib/errors.ts';
import { isLoopback } from '../../lib/loopback.ts';
import { desiredChange, type Operations, parkRequest, resumeRequest, settleRequest } from '../operations.ts';
import { problemDetails } from './problem-details.ts';

export interface HttpServerOptions {
  readonly host: string;
  readonly port: number;
  readonly operations: Operations;
  readonly release: string;
  /** Why the node is not ready, null when it is. */
  readonly notReady: () => string | null;
  /** Prometheus text. */
  readonly metrics: () => Promise<string>;
}

export interface HttpServer {
  /** Base URL, with the port that was taken. */
  readonly url: string;
  close(): Promise<void>;
}

/** Throws HOLT_API_NOT_LOOPBACK for an address others could reach. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  if (!isLoopback(options.host))
    throw new HoltError(
      'HOLT_API_NOT_LOOPBACK',
      `the API has no login yet and is not served on ${options.host}`,
      {
        disposition: 'fatal',
        remedy: 'Set listen to 127.0.0.1 or [::1]; reach it from elsewhere through ssh.',
      },
    );
  const server = fastify({ logger: false, bodyLimit: 2 * 1024 * 1024, forceCloseConnections: true });
  server.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    const problem =
      error instanceof z.ZodError || (error.statusCode !== undefined && error.statusCode < 500)
        ? problemDetails(new HoltError('HOLT_REQUEST_INVALID', messageOfRequest(error)))
        : problemDetails(error);
    return reply.status(problem.status).type('application/problem+json').send(problem);
  });
  server.setNotFoundHandler((request, reply) => {
    const problem = {
      ...problemDetails(
        new HoltError('HOLT_REQUEST_INVALID', `there is no ${request.method} ${request.url}`),
      ),
      status: 404,
    };
    return reply.status(404).type('application/problem+json').send(problem);
  });
  // A page of another origin must not be able to act here through a browser on this machine.
  server.addHook('onRequest', async (request) => {
    const { host, origin } = request.headers;
    const name = (host ?? '').replace(/:\d+$/, '');
    if (
      !isLoopback(name) ||
      (origin !== undefined && !(URL.canParse(origin) && new URL(origin).host === host))
    )
      throw new HoltError('HOLT_REQUEST_INVALID', 'requests come from this machine only');
  });
  health(server, options);
  routes(server, options.operations);
  const url = await listen(server, options);
  return { url, close: () => server.close() };
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

function messageOfRequest(error: Error): string {
  if (error instanceof z.ZodError)
    return error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
  return error.message;
}

function health(server: FastifyInstance, options: HttpServerOptions): void {
  server.get('/livez', () => ({ ok: true }));
  server.get('/readyz', (_request, reply) => {
    const reason = options.notReady();
    return reply.status(reason === null ? 200 : 503).send({ ok: reason === null, reason });
  });
  server.get('/metrics', async (_request, reply) =>
    reply.type('text/plain; version=0.0.4').send(await options.metrics()),
  );
  server.get('/api/v1/version', () => ({ release: options.release }));
}

const named = z.object({ name: z.string().max(64) });
const withId = named.extend({ id: z.string().max(128) });
const withTable = named.extend({ table: z.string().max(256) });
const limited = z.object({ limit: z.coerce.number().int().min(1).max(1000).default(50) });
const positionChange = z.strictObject({
  position: z
    .string()
    .min(1)
    .max(1024 * 1024),
  why: z.string().max(4096),
});

function routes(server: FastifyInstance, operations: Operations): void {
  const base = '/api/v1';
  server.get(`${base}/nodes`, () => operations.nodes());
  server.get(`${base}/clocks`, () => operations.clocks());
  server.get(`${base}/pipelines`, () => operations.pipelines());
  server.get(`${base}/pipelines/:name/status`, (request) =>
    operations.pipeline(named.parse(request.params).name),
  );
  server.put(`${base}/pipelines/:name/desired`, async (request, reply) => {
    await operations.setDesired(named.parse(request.params).name, desiredChange.parse(request.body));
    return reply.status(202).send({ accepted: true });
  });
  server.delete(`${base}/pipelines/:name`, async (request, reply) => {
    await operations.deletePipeline(named.parse(request.params).name);
    return reply.status(204).send();
  });
  server.get(`${base}/pipelines/:name/position`, (request) =>
    operations.position(named.parse(request.params).name),
  );
  server.patch(`${base}/pipelines/:name/position`, (request) => {
    const { position, why } = positionChange.parse(request.body);
    return operations.setPosition(named.parse(request.params).name, position, why);
  });
  server.get(`${base}/pipelines/:name/errors`, (request) =>
    operations.errors(named.parse(request.params).name, limited.parse(request.query).limit),
  );
  server.get(`${base}/pipelines/:name/errors/:id`, (request) => {
    const { name, id } = withId.parse(request.params);
    return operations.error(name, id);
  });
  server.post(`${base}/pipelines/:name/errors/:id/replay`, (request) => {
    const { name, id } = withId.parse(request.params);
    return operations.replay(name, id);
  });
  server.get(`${base}/pipelines/:name/tables`, (request) =>
    operations.tables(named.parse(request.params).name),
  );
  server.post(`${base}/pipelines/:name/tables/:table/park`, (request) => {
    const { name, table } = withTable.parse(request.params);
    return operations.parkTable(name, table, parkRequest.parse(request.body));
  });
  server.post(`${base}/pipelines/:name/tables/:table/resume`, async (request, reply) => {
    const { name, table } = withTable.parse(request.params);
    return reply
      .status(202)
      .send(await operations.resumeTable(name, table, resumeRequest.parse(request.body)));
  });
  server.get(`${base}/pipelines/:name/ddl`, (request) =>
    operations.ddl(named.parse(request.params).name, limited.parse(request.query).limit),
  );
  server.get(`${base}/pipelines/:name/ddl/:id`, (request) => {
    const { name, id } = withId.parse(request.params);
    return operations.ddlRow(name, id);
  });
  server.post(`${base}/pipelines/:name/ddl/:id/settle`, (request) => {
    const { name, id } = withId.parse(request.params);
    return operations.settleDdl(name, id, settleRequest.parse(request.body));
  });
  server.post(`${base}/pipelines/:name/checks`, async (request, reply) =>
    reply.status(202).send(await operations.startVerify(named.parse(request.params).name)),
  );
  server.get(`${base}/pipelines/:name/checks/:id`, (request) => {
    const { name, id } = withId.parse(request.params);
    return operations.verify(name, id);
  });
}
