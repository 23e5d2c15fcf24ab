/** Pipelines: what they do, what is wanted of them, and where they stand. */
import { z } from 'zod';
import { HoltError } from '../../../lib/errors.ts';
import { mayTouch } from '../../access/role.ts';
import {
  configCheckView,
  configDiffView,
  configView,
  keptConfigDetailView,
  keptConfigView,
  pipelineStatusView,
  positionView,
  waitView,
} from '../../operations.ts';
import { actorOf, byField, whyField } from '../actor.ts';
import { pageByKey, pageOf, pageQuery } from '../paging.ts';
import { type Route, route } from '../route.ts';

const tag = 'pipelines';
const MAX_WAIT_MS = 600_000;
const named = z.object({ name: z.string().max(64).describe('Pipeline.') });
const wish = z.strictObject({ by: byField, why: whyField });
const configEnd = z
  .string()
  .max(64)
  .describe('`current`, `files` (of the node that answers), or an id of the history.');
const accepted = z
  .object({ pipeline: z.string(), desired: z.enum(['running', 'paused', 'stopped']) })
  .meta({ id: 'Accepted' });

const desiredRoutes = (
  [
    ['startPipeline', 'start', 'running', 'Let a stopped pipeline run.'],
    ['resumePipeline', 'resume', 'running', 'Let a paused pipeline go on where it stopped.'],
    ['pausePipeline', 'pause', 'paused', 'Finish what is in flight and wait.'],
    ['stopPipeline', 'stop', 'stopped', 'Finish what is in flight and let go of source and target.'],
  ] as const
).map(([id, verb, desired, summary]) =>
  route({
    id,
    method: 'PUT',
    path: `/pipelines/:name/${verb}`,
    tag,
    summary,
    access: 'operator',
    params: named,
    body: wish,
    status: 202,
    answer: accepted,
    problems: ['HOLT_PIPELINE_UNKNOWN'],
    async handle({ services, params, body, principal }) {
      const by = actorOf(principal, body.by);
      await services.operations.setDesired(params.name, { desired, by, why: body.why });
      return { pipeline: params.name, desired };
    },
  }),
);

export const PIPELINE_ROUTES: readonly Route[] = [
  route({
    id: 'listPipelines',
    method: 'GET',
    path: '/pipelines',
    tag,
    summary: 'Pipelines with state, lag and stages, by name.',
    access: 'viewer',
    query: pageQuery,
    answer: pageOf(pipelineStatusView),
    async handle({ services, principal, query }) {
      const all = await services.operations.pipelines();
      const own = principal === null ? [] : all.filter((one) => mayTouch(principal, one.pipeline));
      return pageByKey(own, (one) => one.pipeline, query);
    },
  }),
  route({
    id: 'getPipelineStatus',
    method: 'GET',
    path: '/pipelines/:name/status',
    tag,
    summary: 'State, reason, lag, and the holder of each stage.',
    access: 'viewer',
    params: named,
    answer: pipelineStatusView,
    problems: ['HOLT_PIPELINE_UNKNOWN'],
    handle: ({ services, params }) => services.operations.pipeline(params.name),
  }),
  ...desiredRoutes,
  route({
    id: 'restartPipeline',
    method: 'POST',
    path: '/pipelines/:name/restart',
    tag,
    summary:
      'Begin anew from the checkpoint: every stage lets go of what it holds and reads on from there; nothing is lost or applied twice. Resumes what Holt paused for an error.',
    access: 'operator',
    params: named,
    query: z.object({
      onlyFailed: z
        .enum(['true', 'false'])
        .default('false')
        .describe('Leaves alone what Holt has not paused for an error.'),
    }),
    body: wish,
    status: 202,
    answer: z.object({ pipeline: z.string(), restarted: z.boolean() }).meta({ id: 'Restarted' }),
    problems: ['HOLT_PIPELINE_UNKNOWN', 'HOLT_PIPELINE_STATE'],
    async handle({ services, params, query, body, principal }) {
      const by = actorOf(principal, body.by);
      const onlyFailed = query.onlyFailed === 'true';
      const restarted = await services.operations.restart(params.name, { by, why: body.why, onlyFailed });
      return { pipeline: params.name, restarted };
    },
  }),
  route({
    id: 'deletePipeline',
    method: 'DELETE',
    path: '/pipelines/:name',
    tag,
    summary: "Take a stopped pipeline's znodes and its rows in the target's holt schema away.",
    access: 'admin',
    params: named,
    query: z.object({ why: whyField }),
    problems: ['HOLT_PIPELINE_UNKNOWN', 'HOLT_PIPELINE_STATE'],
    handle: ({ services, params }) => services.operations.deletePipeline(params.name),
  }),
  route({
    id: 'getConfig',
    method: 'GET',
    path: '/pipelines/:name/config',
    tag: 'pipelines',
    summary: 'The effective configuration that all nodes work by; its version is in the ETag.',
    access: 'viewer',
    params: named,
    answer: configView,
    problems: ['HOLT_PIPELINE_UNKNOWN'],
    async handle({ services, params, setHeader }) {
      const found = await services.operations.config(params.name);
      setHeader('etag', `"${found.version}"`);
      return found;
    },
  }),
  route({
    id: 'setConfig',
    method: 'PUT',
    path: '/pipelines/:name/config',
    tag: 'pipelines',
    summary:
      'Put another in its place: tables, rules, batch sizes, pipe and what becomes of schema changes. If-Match names the version that was read. It holds until the configuration files change.',
    access: 'admin',
    params: named,
    body: z.strictObject({ config: z.record(z.string(), z.unknown()), by: byField, why: whyField }),
    answer: configView,
    problems: ['HOLT_PIPELINE_UNKNOWN', 'HOLT_CONFIG_VERSION', 'HOLT_IF_MATCH_MISSING'],
    async handle({ services, params, body, principal, header, setHeader, audit }) {
      const [, version] = /^\s*"([0-9]{1,9})"\s*$/.exec(header('if-match') ?? '') ?? [];
      if (version === undefined)
        throw new HoltError(
          'HOLT_IF_MATCH_MISSING',
          'If-Match with the ETag of the configuration is expected',
          {
            disposition: 'fatal',
          },
        );
      const before = await services.operations.config(params.name);
      const changed = Object.keys({ ...before.config, ...body.config }).filter(
        (key) => JSON.stringify(before.config[key]) !== JSON.stringify(body.config[key]),
      );
      const pick = (from: Readonly<Record<string, unknown>>) =>
        JSON.stringify(Object.fromEntries(changed.map((key) => [key, from[key]]))).slice(0, 1500);
      audit({ detail: { before: pick(before.config), after: pick(body.config) } });
      const by = actorOf(principal, body.by);
      const next = await services.operations.setConfig(params.name, Number(version), body.config, by);
      setHeader('etag', `"${next.version}"`);
      return next;
    },
  }),
  route({
    id: 'checkConfig',
    method: 'POST',
    path: '/pipelines/:name/config/check',
    tag,
    summary: 'What putting this in its place would say, and what it would change; nothing is changed.',
    access: 'operator',
    params: named,
    body: z.strictObject({ config: z.record(z.string(), z.unknown()) }),
    answer: configCheckView,
    problems: ['HOLT_PIPELINE_UNKNOWN'],
    handle: ({ services, params, body, audit }) => {
      audit({ detail: {} });
      return services.operations.checkConfig(params.name, body.config);
    },
  }),
  route({
    id: 'listConfigs',
    method: 'GET',
    path: '/pipelines/:name/config/history',
    tag,
    summary: 'Configurations that ruled, newest first; the newest fifty are kept.',
    access: 'viewer',
    params: named,
    answer: z.object({ items: z.array(keptConfigView).readonly() }).meta({ id: 'KeptConfigs' }),
    problems: ['HOLT_PIPELINE_UNKNOWN'],
    async handle({ services, params }) {
      return { items: await services.operations.configHistory(params.name) };
    },
  }),
  route({
    id: 'getKeptConfig',
    method: 'GET',
    path: '/pipelines/:name/config/history/:id',
    tag,
    summary: 'One of them. Putting it back is a PUT of its `config` with the ETag of the ruling one.',
    access: 'viewer',
    params: named.extend({ id: z.string().max(64) }),
    answer: keptConfigDetailView,
    problems: ['HOLT_PIPELINE_UNKNOWN', 'HOLT_CONFIG_UNKNOWN'],
    handle: ({ services, params: { name, id } }) => services.operations.keptConfig(name, id),
  }),
  route({
    id: 'diffConfigs',
    method: 'GET',
    path: '/pipelines/:name/config/diff',
    tag,
    summary: 'What differs between two configurations, place by place.',
    access: 'viewer',
    params: named,
    query: z.object({
      from: configEnd.default('files'),
      to: configEnd.default('current'),
    }),
    answer: configDiffView,
    problems: ['HOLT_PIPELINE_UNKNOWN', 'HOLT_CONFIG_UNKNOWN'],
    handle: ({ services, params, query }) =>
      services.operations.configDiff(params.name, query.from, query.to),
  }),
  route({
    id: 'getPosition',
    method: 'GET',
    path: '/pipelines/:name/position',
    tag,
    summary: 'The checkpoint, read from the target.',
    access: 'viewer',
    params: named,
    answer: positionView,
    problems: ['HOLT_PIPELINE_UNKNOWN'],
    handle: ({ services, params }) => services.operations.position(params.name),
  }),
  route({
    id: 'waitForPosition',
    method: 'GET',
    path: '/pipelines/:name/wait',
    tag,
    summary:
      'Answers when the target has what was committed at the source up to a position (504 when it has not in time): for applications that must read their own writes at the other site.',
    access: 'viewer',
    params: named,
    query: z.object({
      gtid: z
        .string()
        .min(1)
        .max(8000)
        .optional()
        .describe(
          "As the source's server gives it to the session that wrote: a GTID or set, or <file>:<offset>. Absent: all that is committed at the source now.",
        ),
      timeoutMs: z.coerce.number().int().min(0).max(MAX_WAIT_MS).default(5_000),
    }),
    answer: waitView,
    problems: ['HOLT_PIPELINE_UNKNOWN', 'HOLT_PIPELINE_STATE', 'HOLT_POSITION_INVALID', 'HOLT_WAIT_TIMEOUT'],
    handle: ({ services, params, query: { gtid, timeoutMs }, signal }) =>
      services.operations.wait(params.name, { gtid: gtid ?? null, timeoutMs }, signal),
  }),
  route({
    id: 'setPosition',
    method: 'PATCH',
    path: '/pipelines/:name/position',
    tag,
    summary: 'Move a paused or stopped pipeline; what lies between is not applied, or applied again.',
    access: 'admin',
    params: named,
    body: z.strictObject({
      position: z
        .string()
        .min(1)
        .max(1024 * 1024),
      why: z.string().max(4096),
    }),
    answer: positionView,
    problems: ['HOLT_PIPELINE_UNKNOWN', 'HOLT_PIPELINE_STATE', 'HOLT_POSITION_INVALID'],
    async handle({ services, params, body, audit }) {
      const before = await services.operations.position(params.name).catch(() => null);
      audit({
        detail: { before: before?.position?.slice(0, 1500) ?? null, after: body.position.slice(0, 1500) },
      });
      return services.operations.setPosition(params.name, body.position, body.why);
    },
  }),
];
