/** Nodes, sites, and what stands in the coordination tree. */
import { z } from 'zod';
import { HoltError } from '../../../lib/errors.ts';
import { clockReading } from '../../../model/lag.ts';
import { mayTouch } from '../../access/role.ts';
import { batchView, claimView, drainView, logLevelView, siteView, znodeView } from '../../cluster-views.ts';
import { LOG_LEVELS } from '../../log-levels.ts';
import { nodeConfigView, nodeView } from '../../operations.ts';
import { actorOf, byField, unconfined, whyField } from '../actor.ts';
import { pageByKey, pageOf, pageQuery } from '../paging.ts';
import { type Route, route } from '../route.ts';

const node = z.object({ node: z.string().max(64).describe('Node.') });
const batchParams = z.object({ name: z.string().max(64), id: z.string().max(64) });

export const CLUSTER_ROUTES: readonly Route[] = [
  route({
    id: 'getVersion',
    method: 'GET',
    path: '/version',
    tag: 'meta',
    summary: "Release of the node that answers, and what the API's versions are.",
    access: 'public',
    answer: z.object({ release: z.string(), api: z.literal('v1') }).meta({ id: 'Version' }),
    handle: ({ services }) => ({ release: services.release, api: 'v1' as const }),
  }),
  route({
    id: 'listSites',
    method: 'GET',
    path: '/sites',
    tag: 'nodes',
    summary: 'Sites with their nodes, data sources and pipelines.',
    access: 'viewer',
    query: pageQuery,
    answer: pageOf(siteView),
    handle: ({ services, principal, query }) => {
      const sees = (name: string) => principal !== null && mayTouch(principal, name);
      const sites = services.cluster.sites().map((one) => ({
        ...one,
        outgoing: one.outgoing.filter(sees),
        incoming: one.incoming.filter(sees),
      }));
      return pageByKey(sites, (one) => one.site, query);
    },
  }),
  route({
    id: 'listNodes',
    method: 'GET',
    path: '/nodes',
    tag: 'nodes',
    summary: 'Nodes that are registered, with what each says of itself.',
    access: 'viewer',
    query: pageQuery,
    answer: pageOf(nodeView),
    async handle({ services, query }) {
      return pageByKey(await services.operations.nodes(), (one) => one.node, query);
    },
  }),
  route({
    id: 'getNode',
    method: 'GET',
    path: '/nodes/:node',
    tag: 'nodes',
    summary: 'One of them.',
    access: 'viewer',
    params: node,
    answer: nodeView,
    problems: ['HOLT_NODE_UNKNOWN'],
    async handle({ services, params }) {
      const found = (await services.operations.nodes()).find((one) => one.node === params.node);
      if (found !== undefined) return found;
      throw new HoltError('HOLT_NODE_UNKNOWN', `there is no node ${JSON.stringify(params.node)}`, {
        disposition: 'fatal',
        remedy: '`holt nodes list` shows those that are registered.',
      });
    },
  }),
  route({
    id: 'getNodeConfig',
    method: 'GET',
    path: '/nodes/:node/config',
    tag: 'nodes',
    summary: 'What the files of a node say, defaults filled in, secrets as references.',
    access: 'admin',
    params: node,
    answer: nodeConfigView,
    problems: ['HOLT_NODE_UNKNOWN'],
    handle: ({ services, params, principal }) => {
      unconfined(principal, 'a node works for all');
      return services.operations.nodeConfig(params.node);
    },
  }),
  route({
    id: 'getLogLevel',
    method: 'GET',
    path: '/nodes/:node/log-level',
    tag: 'nodes',
    summary: 'The least level that a node writes to its log.',
    access: 'viewer',
    params: node,
    answer: logLevelView,
    problems: ['HOLT_NODE_UNKNOWN'],
    handle: ({ services, params }) => services.cluster.logLevel(params.node),
  }),
  route({
    id: 'setLogLevel',
    method: 'PUT',
    path: '/nodes/:node/log-level',
    tag: 'nodes',
    summary: 'Change it until the node starts again.',
    access: 'admin',
    params: node,
    body: z.strictObject({ level: z.enum(LOG_LEVELS) }),
    answer: logLevelView,
    problems: ['HOLT_NODE_UNKNOWN'],
    handle: ({ services, params, body, principal }) => {
      unconfined(principal, 'a node works for all');
      return services.cluster.setLogLevel(params.node, body.level);
    },
  }),
  route({
    id: 'getDrain',
    method: 'GET',
    path: '/nodes/:node/drain',
    tag: 'nodes',
    summary: 'Whether a node works, or has put its work down.',
    access: 'viewer',
    params: node,
    answer: drainView,
    problems: ['HOLT_NODE_UNKNOWN'],
    handle: ({ services, params }) => services.cluster.drainState(params.node),
  }),
  route({
    id: 'drainNode',
    method: 'PUT',
    path: '/nodes/:node/drain',
    tag: 'nodes',
    summary:
      'Have a node let go of all claims and take no part, until it is undrained or starts anew; it goes on answering.',
    access: 'operator',
    params: node,
    body: z.strictObject({
      force: z.boolean().default(false).describe('Also where pipelines would stand still without it.'),
      by: byField,
      why: whyField,
    }),
    status: 202,
    answer: drainView,
    problems: ['HOLT_NODE_UNKNOWN', 'HOLT_NODE_NEEDED'],
    handle: ({ services, params, body, principal }) => {
      unconfined(principal, 'a node works for all');
      return services.cluster.drain(params.node, body.force);
    },
  }),
  route({
    id: 'undrainNode',
    method: 'DELETE',
    path: '/nodes/:node/drain',
    tag: 'nodes',
    summary: 'Have it take part again.',
    access: 'operator',
    params: node,
    query: z.object({ why: whyField }),
    status: 202,
    answer: drainView,
    problems: ['HOLT_NODE_UNKNOWN'],
    handle: ({ services, params, principal }) => {
      unconfined(principal, 'a node works for all');
      return services.cluster.undrain(params.node);
    },
  }),
  route({
    id: 'listClocks',
    method: 'GET',
    path: '/clocks',
    tag: 'nodes',
    summary:
      'Differences between the clocks of nodes and databases, as measured, with what they may be wrong by.',
    access: 'viewer',
    query: pageQuery,
    answer: pageOf(clockReading),
    async handle({ services, query }) {
      return pageByKey(await services.operations.clocks(), (one) => `${one.by} ${one.party}`, query);
    },
  }),
  route({
    id: 'listBatches',
    method: 'GET',
    path: '/pipelines/:name/batches',
    tag: 'pipelines',
    summary: 'Batches that are in flight: where each stands, and who works on it.',
    access: 'viewer',
    params: z.object({ name: z.string().max(64) }),
    query: pageQuery,
    answer: pageOf(batchView),
    problems: ['HOLT_PIPELINE_UNKNOWN'],
    async handle({ services, params, query }) {
      return pageByKey(await services.cluster.batches(params.name), (one) => `${one.id} ${one.stage}`, query);
    },
  }),
  route({
    id: 'getBatch',
    method: 'GET',
    path: '/pipelines/:name/batches/:id',
    tag: 'pipelines',
    summary: 'One that is in flight, at the furthest stage where it stands.',
    access: 'viewer',
    params: batchParams,
    answer: batchView,
    problems: ['HOLT_PIPELINE_UNKNOWN', 'HOLT_BATCH_UNKNOWN'],
    async handle({ services, params: { name, id } }) {
      const found = (await services.cluster.batches(name)).find((one) => one.id === id);
      if (found !== undefined) return found;
      throw new HoltError('HOLT_BATCH_UNKNOWN', `${name} has no batch ${JSON.stringify(id)} in flight`, {
        disposition: 'fatal',
      });
    },
  }),
  route({
    id: 'retryBatch',
    method: 'POST',
    path: '/pipelines/:name/batches/:id/retry',
    tag: 'pipelines',
    summary:
      'Read it again from the source, and with it what is in flight beside it: a rewind to the checkpoint. What has been applied is not applied again.',
    access: 'operator',
    params: batchParams,
    body: z.strictObject({ by: byField, why: whyField }),
    status: 202,
    answer: z.object({ pipeline: z.string(), batch: z.string() }).meta({ id: 'BatchRetry' }),
    problems: ['HOLT_PIPELINE_UNKNOWN', 'HOLT_BATCH_UNKNOWN', 'HOLT_PIPELINE_STATE'],
    async handle({ services, params: { name, id }, body, principal }) {
      await services.operations.retryBatch(name, id, { by: actorOf(principal, body.by), why: body.why });
      return { pipeline: name, batch: id };
    },
  }),
  route({
    id: 'listClaims',
    method: 'GET',
    path: '/claims',
    tag: 'coordination',
    summary: 'Locks that stand in the coordination tree: sources, mainstems and tasks, with holder and age.',
    access: 'admin',
    query: pageQuery,
    answer: pageOf(claimView),
    async handle({ services, query, principal }) {
      unconfined(principal, 'the tree is that of all');
      return pageByKey(await services.cluster.claims(), (one) => one.path, query);
    },
  }),
  route({
    id: 'getZnode',
    method: 'GET',
    path: '/tree',
    tag: 'coordination',
    summary:
      'A node of the coordination tree with its data and the names below it. What is about accounts is hidden.',
    access: 'admin',
    query: pageQuery.extend({ path: z.string().max(1024).default('/') }),
    answer: z
      .object({ node: znodeView, items: z.array(z.string()).readonly(), next: z.string().nullable() })
      .meta({ id: 'ZnodeWithChildren' }),
    problems: ['HOLT_ZNODE_UNKNOWN'],
    async handle({ services, query, principal }) {
      unconfined(principal, 'the tree is that of all');
      const { node: found, children } = await services.cluster.znode(query.path);
      return { node: found, ...pageByKey(children, (one) => one, query) };
    },
  }),
];
