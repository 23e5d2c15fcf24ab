/** Nodes, and what the installation is. */
import { z } from 'zod';
import { clockReading } from '../../../model/lag.ts';
import { nodeView } from '../../operations.ts';
import { pageByKey, pageOf, pageQuery } from '../paging.ts';
import { type Route, route } from '../route.ts';

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
];
