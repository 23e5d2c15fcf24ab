/** Where is my row? */
import { z } from 'zod';
import { traceRequest, traceView } from '../../trace/trace.ts';
import { type Route, route } from '../route.ts';

const named = z.object({ name: z.string().max(64).describe('Pipeline.') });
const withId = named.extend({ id: z.string().max(128).describe('Trace.') });

export const TRACE_ROUTES: readonly Route[] = [
  route({
    id: 'startTrace',
    method: 'POST',
    path: '/pipelines/:name/traces',
    tag: 'traces',
    summary:
      "Search the source's log back for the latest change of a key, and tell what has become of it. Shows values of key columns; the audit log names table and columns only. A trace that is not asked about for 30 s ends.",
    access: 'operator',
    params: named,
    body: traceRequest,
    status: 202,
    answer: traceView,
    problems: ['HOLT_PIPELINE_UNKNOWN'],
    repeatable: false,
    rowsInBody: true,
    handle: ({ services, params, body, audit }) => {
      const { table, key, where } = body;
      audit({ detail: { table, keyColumns: key?.length ?? null, columns: Object.keys(where ?? {}) } });
      return services.operations.startTrace(params.name, body);
    },
  }),
  route({
    id: 'getTrace',
    method: 'GET',
    path: '/pipelines/:name/traces/:id',
    tag: 'traces',
    summary: 'How far a trace is, and what it has found. Kept for ten minutes.',
    access: 'operator',
    params: withId,
    answer: traceView,
    problems: ['HOLT_PIPELINE_UNKNOWN', 'HOLT_TRACE_UNKNOWN'],
    handle: ({ services, params: { name, id } }) => services.operations.trace(name, id),
  }),
  route({
    id: 'cancelTrace',
    method: 'DELETE',
    path: '/pipelines/:name/traces/:id',
    tag: 'traces',
    summary: 'End a trace that runs.',
    access: 'operator',
    params: withId,
    answer: traceView,
    problems: ['HOLT_PIPELINE_UNKNOWN', 'HOLT_TRACE_UNKNOWN'],
    handle: ({ services, params: { name, id } }) => services.operations.cancelTrace(name, id),
  }),
];
