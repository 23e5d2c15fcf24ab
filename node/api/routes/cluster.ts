/** Nodes, sites, and what stands in the coordination tree. */
import { z } from 'zod';
import { clockReading } from '../../../model/lag.ts';
import { mayTouch } from '../../access/role.ts';
import { batchView, claimView, logLevelView, siteView, znodeView } from '../../cluster-views.ts';
import { LOG_LEVELS } from '../../log-levels.ts';
import { nodeView } from '../../operations.ts';
import { pageByKey, pageOf, pageQuery } from '../paging.ts';
import { type Route, route } from '../route.ts';

const node = z.object({ node: z.string().max(64).describe('Node.') });

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
    handle: ({ services, params, body }) => services.cluster.setLogLevel(params.node, body.level),
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
    id: 'listClaims',
    method: 'GET',
    path: '/claims',
    tag: 'coordination',
    summary: 'Locks that stand in the coordination tree: sources, mainstems and tasks, with holder and age.',
    access: 'admin',
    query: pageQuery,
    answer: pageOf(claimView),
    async handle({ services, query }) {
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
    async handle({ services, query }) {
      const { node: found, children } = await services.cluster.znode(query.path);
      return { node: found, ...pageByKey(children, (one) => one, query) };
    },
  }),
];
