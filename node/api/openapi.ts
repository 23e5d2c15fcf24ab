/** The OpenAPI 3.1 document, made of the table of routes: schemas are the ones that requests and answers are checked by. */
import { z } from 'zod';
import { waitStanding } from '../operations.ts';
import { statusOf } from './problem-details.ts';
import type { Access, Route } from './route.ts';

interface JsonObject {
  [key: string]: unknown;
}

const ACCESS_TEXT: Readonly<Record<Access, string>> = {
  public: 'Needs no account.',
  account: 'Needs any account or token.',
  viewer: 'Needs the role viewer.',
  operator: 'Needs the role operator.',
  admin: 'Needs the role admin.',
};

const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number(),
    code: z.string().describe('Stable; docs/reference/errors.md lists all.'),
    detail: z.string(),
    remedy: z.string().optional(),
    standing: waitStanding.optional().describe('Of HOLT_WAIT_TIMEOUT: where it stands.'),
    instance: z.string().optional().describe("The request's id in the node's log."),
  })
  .meta({ id: 'Problem' });

export function openApiDocument(routes: readonly Route[], release: string): JsonObject {
  const schemas: JsonObject = {};
  const schema = (given: z.ZodType, io: 'input' | 'output') => hoisted(given, io, schemas);
  const problemRef = schema(problem, 'output');
  const problemAnswer = (description: string) => ({
    description,
    content: { 'application/problem+json': { schema: problemRef } },
  });
  const paths: Record<string, JsonObject> = {};
  for (const one of routes) {
    const path = one.path.replace(/:([a-z]+)/gi, '{$1}');
    const parameters = [...fieldsOf(one.params, 'path', schema), ...fieldsOf(one.query, 'query', schema)];
    if (one.method === 'POST' && one.access !== 'public' && !one.rowsInBody)
      parameters.push({
        name: 'Idempotency-Key',
        in: 'header',
        required: false,
        description: 'The same key and request within a day is carried out once; its answer is given again.',
        schema: { type: 'string', minLength: 1, maxLength: 255 },
      });
    if (one.problems.includes('HOLT_IF_MATCH_MISSING'))
      parameters.push({
        name: 'If-Match',
        in: 'header',
        required: true,
        description: 'The ETag that was read: nothing is changed that somebody else has changed since.',
        schema: { type: 'string' },
      });
    if (one.answer.kind === 'events')
      parameters.push({
        name: 'Last-Event-ID',
        in: 'header',
        required: false,
        description: 'The last event that was received; sent by browsers by themselves.',
        schema: { type: 'string' },
      });
    const responses: Record<string, unknown> = {};
    if (one.answer.kind === 'none') responses['204'] = { description: 'Done.' };
    else if (one.answer.kind === 'events')
      responses['200'] = {
        description: 'Server-sent events, with a comment every 15 s.',
        content: { 'text/event-stream': { schema: { type: 'string' } } },
      };
    else
      responses[String(one.answer.status)] = {
        description: one.answer.status === 202 ? 'Accepted; it is being done.' : 'The answer.',
        content: { 'application/json': { schema: schema(one.answer.schema, 'output') } },
      };
    const problems = [
      ...(one.access === 'public' ? [] : ['HOLT_UNAUTHENTICATED', 'HOLT_FORBIDDEN']),
      ...(one.method === 'GET' ? [] : ['HOLT_REQUEST_INVALID']),
      'HOLT_RATE_LIMIT',
      ...one.problems,
    ];
    for (const status of new Set(problems.map(statusOf)))
      responses[String(status)] = problemAnswer(
        problems.filter((code) => statusOf(code) === status).join(', '),
      );
    responses.default = problemAnswer('Any other problem.');
    const operation = {
      operationId: one.id,
      tags: [one.tag],
      summary: one.summary,
      description: `${ACCESS_TEXT[one.access]}${one.audited ? ' Audited.' : ''}${one.secret ? ' The answer holds a secret.' : ''}`,
      'x-holt-access': one.access,
      'x-holt-audited': one.audited,
      security: one.access === 'public' ? [] : [{ token: [] }, { session: [] }],
      ...(parameters.length === 0 ? {} : { parameters }),
      ...(one.body === null
        ? {}
        : {
            requestBody: {
              required: true,
              content: { 'application/json': { schema: schema(one.body, 'input') } },
            },
          }),
      responses,
    };
    paths[path] = { ...paths[path], [one.method.toLowerCase()]: operation };
  }
  return {
    openapi: '3.1.0',
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    info: {
      title: 'Holt',
      version: release,
      description:
        'Everything that the command line and the console do. Any node answers for the whole installation. Errors are RFC 9457 problem details with a stable `code`. Lists go in pages: give `next` as `cursor`.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/api/v1' }],
    tags: [...new Set(routes.map((one) => one.tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1))),
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'An API token.' },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: 'holt_session',
          description: 'A login. Requests that change something need the header holt-csrf, too.',
        },
      },
    },
  };
}

/** JSON Schema of a zod schema; those with an id go to `components` and are referred to. */
function hoisted(given: z.ZodType, io: 'input' | 'output', schemas: JsonObject): JsonObject {
  const made = z.toJSONSchema(given, { io, unrepresentable: 'any' }) as JsonObject;
  const { $schema: _dialect, $defs, ...own } = made;
  for (const [name, definition] of Object.entries(($defs ?? {}) as Record<string, JsonObject>))
    schemas[name] = referring(definition);
  if (typeof own.id === 'string') {
    schemas[own.id] = referring(own);
    return { $ref: `#/components/schemas/${own.id}` };
  }
  return referring(own) as JsonObject;
}

function referring(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(referring);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, inner]) => !(key === 'id' && typeof inner === 'string'))
      .map(([key, inner]) => [
        key,
        key === '$ref' && typeof inner === 'string'
          ? inner.replace('#/$defs/', '#/components/schemas/')
          : referring(inner),
      ]),
  );
}

function fieldsOf(
  given: z.ZodType,
  where: 'path' | 'query',
  schema: (given: z.ZodType, io: 'input') => JsonObject,
): JsonObject[] {
  const { properties = {}, required = [] } = schema(given, 'input') as {
    properties?: Record<string, JsonObject>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema: rest,
  }));
}
