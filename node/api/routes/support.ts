/** For who looks after the installation as a whole: job queues, and the bundle for those who help. */
import { z } from 'zod';
import { queuesView } from '../../operations.ts';
import { type BundleSource, supportBundle } from '../../support-bundle.ts';
import { unconfined } from '../actor.ts';
import { type ApiServices, type Route, route } from '../route.ts';

/** A node asks itself what a program would ask its API. */
function sourceOf({ operations, cluster, audit, history }: ApiServices): BundleSource {
  return {
    pipelines: () => operations.pipelines(),
    nodes: () => operations.nodes(),
    sites: () => Promise.resolve(cluster.sites()),
    clocks: () => operations.clocks(),
    claims: () => cluster.claims(),
    audit: async (limit) => (await audit.list({ limit, before: null, matches: () => true })).items,
    config: (name) => operations.config(name),
    position: (name) => operations.position(name),
    batches: (name) => cluster.batches(name),
    tables: (name) => operations.tables(name),
    errors: (name, limit) => operations.errors(name, limit, null),
    ddl: (name, limit) => operations.ddl(name, limit, null),
    checks: (name) => operations.checks(name),
    history: (pipeline, range) => history.query({ pipeline, ...range }),
  };
}

export const SUPPORT_ROUTES: readonly Route[] = [
  route({
    id: 'listQueues',
    method: 'GET',
    path: '/queues',
    tag: 'support',
    summary: 'Job queues of all nodes with how many jobs are in each state.',
    access: 'viewer',
    answer: queuesView,
    handle: ({ services }) => services.operations.queues(),
  }),
  route({
    id: 'getSupportBundle',
    method: 'GET',
    path: '/support-bundle',
    tag: 'support',
    summary:
      'What helps others to understand the installation, in one document: no secrets, no row values, no literals of SQL.',
    access: 'admin',
    audited: true,
    answer: z.record(z.string(), z.unknown()).meta({ id: 'SupportBundle' }),
    async handle({ services, principal, setHeader }) {
      unconfined(principal, 'the bundle is about all');
      const nowMs = Math.round(services.clock.nowMs());
      const name = `holt-support-${new Date(nowMs).toISOString().slice(0, 19).replaceAll(':', '')}.json`;
      setHeader('content-disposition', `attachment; filename="${name}"`);
      const { version: node, platform, arch } = process;
      return (await supportBundle({
        client: sourceOf(services),
        made: { by: { release: services.release, node, platform: `${platform} ${arch}` } },
        metrics: services.metrics,
        nowMs,
      })) as Record<string, unknown>;
    },
  }),
];
