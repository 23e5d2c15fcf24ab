/** The event stream, and the history. */
import { z } from 'zod';
import { HoltError } from '../../../lib/errors.ts';
import { taskName } from '../../../model/batch.ts';
import { mayTouch, type Principal } from '../../access/role.ts';
import type { AlarmView } from '../../alarms/alarm-views.ts';
import type { AppliedBatch } from '../../history/applied-batches.ts';
import { MAX_POINTS } from '../../history/history.ts';
import type { PipelineStatusView } from '../../operations.ts';
import { type HubEvent, TOPICS, USUAL_TOPICS } from '../event-hub.ts';
import { type Route, route, type SentEvent, streamRoute } from '../route.ts';
import { type AppliedBatchView, appliedBatchesView, historyView } from '../views.ts';

const list = (text: string) => text.split(',').filter((one) => one !== '');

/** What this follower may and wants to see of an event; null for nothing. */
function shownTo(
  { id, topic, kind, pipeline, data }: HubEvent,
  principal: Principal,
  wanted: { readonly topics: readonly string[]; readonly pipelines: readonly string[] | null },
): SentEvent | null {
  const sees = (name: string) =>
    mayTouch(principal, name) && (wanted.pipelines === null || wanted.pipelines.includes(name));
  if (topic !== 'all' && !wanted.topics.includes(topic)) return null;
  if (pipeline !== null && !sees(pipeline)) return null;
  const ofAlarms = (alarms: readonly AlarmView[]) =>
    alarms.filter((one) => one.pipeline === null || sees(one.pipeline));
  if (kind === 'alarms')
    return { id, event: kind, data: { alarms: ofAlarms((data as { alarms: readonly AlarmView[] }).alarms) } };
  if (kind !== 'snapshot') return { id, event: kind, data };
  const whole = data as {
    readonly pipelines: readonly PipelineStatusView[];
    readonly nodes: readonly unknown[];
    readonly alarms: readonly AlarmView[];
  };
  return {
    id,
    event: kind,
    data: {
      ...whole,
      pipelines: wanted.topics.includes('pipelines')
        ? whole.pipelines.filter((one) => sees(one.pipeline))
        : [],
      nodes: wanted.topics.includes('nodes') ? whole.nodes : [],
      alarms: wanted.topics.includes('alarms') ? ofAlarms(whole.alarms) : [],
    },
  };
}

function appliedView({ t, e, q, f, l, s, x, w, d, n, r, b, F, O, N }: AppliedBatch): AppliedBatchView {
  return {
    id: taskName(e, BigInt(q), 0),
    epoch: e,
    seq: q,
    transactions: n,
    rows: r,
    bytes: b,
    firstCommitMs: f,
    lastCommitMs: l,
    selectedMs: s,
    extractedMs: x,
    transformedMs: w,
    loadBeganMs: t - d,
    appliedMs: t,
    node: N,
    endFile: F,
    endOffset: O,
  };
}

export const EVENT_ROUTES: readonly Route[] = [
  streamRoute({
    id: 'followEvents',
    path: '/events',
    tag: 'events',
    summary:
      'What changes, as it changes: first `snapshot` with everything, or, with Last-Event-ID, what was missed; then `pipeline` (its status), `pipeline-gone`, `nodes`, `alarms` (all that stand), and `unreachable` and `reachable` when nothing can be known.',
    access: 'viewer',
    query: z.object({
      topics: z
        .string()
        .max(200)
        .default(USUAL_TOPICS.join(','))
        .describe(
          `Only these, separated by commas: ${TOPICS.join(', ')}; \`looks\` tells of each look at the installation, whether it found something new or not.`,
        ),
      pipelines: z.string().max(8192).optional().describe('Only these, separated by commas.'),
    }),
    handle({ services, principal, query, header }) {
      const topics = list(query.topics);
      for (const topic of topics)
        if (!(TOPICS as readonly string[]).includes(topic))
          throw new HoltError('HOLT_REQUEST_INVALID', `topics: there is no ${JSON.stringify(topic)}`, {
            disposition: 'fatal',
          });
      if (principal === null) throw new HoltError('HOLT_UNAUTHENTICATED', 'nobody is logged in');
      if (services.events.isFull)
        throw new HoltError('HOLT_RATE_LIMIT', 'too many follow the events of this node', {
          disposition: 'retry',
          facts: { retryAfterSeconds: 30 },
        });
      const wanted = { topics, pipelines: query.pipelines === undefined ? null : list(query.pipelines) };
      return async (send, signal) => {
        const pass = (event: HubEvent) => {
          const shown = shownTo(event, principal, wanted);
          if (shown !== null) send(shown);
        };
        const { first, close } = await services.events.follow(header('last-event-id') ?? null, pass, signal);
        for (const event of first) pass(event);
        return close;
      };
    },
  }),
  route({
    id: 'getHistory',
    method: 'GET',
    path: '/pipelines/:name/history',
    tag: 'history',
    summary:
      'Lag, throughput and state over time, as the nodes kept them; steps of which nothing is known are left out.',
    access: 'viewer',
    params: z.object({ name: z.string().max(64) }),
    query: z.object({
      from: z.coerce
        .number()
        .int()
        .min(0)
        .optional()
        .describe('ms since 1970; an hour before `to` if absent.'),
      to: z.coerce.number().int().min(0).optional().describe('ms since 1970; now if absent.'),
      step: z.coerce
        .number()
        .int()
        .min(5_000)
        .max(86_400_000)
        .optional()
        .describe('ms of a point; about 300 points if absent.'),
    }),
    answer: historyView,
    problems: ['HOLT_PIPELINE_UNKNOWN'],
    async handle({ services, params, query }) {
      await services.operations.known(params.name);
      const toMs = query.to ?? Math.round(services.clock.nowMs());
      const fromMs = query.from ?? toMs - 3_600_000;
      const stepMs = query.step ?? Math.max(5_000, Math.ceil((toMs - fromMs) / 300 / 5_000) * 5_000);
      if (toMs <= fromMs || (toMs - fromMs) / stepMs > MAX_POINTS)
        throw new HoltError(
          'HOLT_REQUEST_INVALID',
          `from, to, step: 1 to ${MAX_POINTS} points are expected, from before to`,
          { disposition: 'fatal' },
        );
      const found = await services.history.query({ pipeline: params.name, fromMs, toMs, stepMs });
      return { pipeline: params.name, ...found };
    },
  }),
  route({
    id: 'listAppliedBatches',
    method: 'GET',
    path: '/pipelines/:name/applied-batches',
    tag: 'history',
    summary:
      'Batches that were applied last, with the times of their stages, oldest first: a few hundred of each node since it started. One alone, with `epoch` and `seq`, is looked for in the history of two days around `since`.',
    access: 'viewer',
    params: z.object({ name: z.string().max(64) }),
    query: z.object({
      since: z.coerce.number().min(0).default(0).describe('ms since 1970: only those applied after it.'),
      limit: z.coerce.number().int().min(1).max(300).default(100),
      epoch: z.coerce.number().int().min(0).optional(),
      seq: z
        .string()
        .regex(/^[0-9]{1,20}$/)
        .optional(),
    }),
    answer: appliedBatchesView,
    problems: ['HOLT_PIPELINE_UNKNOWN'],
    async handle({ services, params, query: { since, limit, epoch, seq } }) {
      await services.operations.known(params.name);
      const only = epoch === undefined || seq === undefined ? null : { epoch, seq };
      const { batches, silent } = await services.applied.recent({
        pipeline: params.name,
        sinceMs: since,
        limit,
        only,
      });
      return { items: batches.map(appliedView), silent };
    },
  }),
];
