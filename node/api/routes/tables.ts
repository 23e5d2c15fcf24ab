/** Parked tables, the ledger, schema changes and comparisons of a pipeline. */
import { z } from 'zod';
import { LEDGER_KINDS, LEDGER_STATES } from '../../../stages/load/ledger-contract.ts';
import {
  ddlDetailView,
  ddlView,
  ledgerDetailView,
  ledgerEntryView,
  parkedTableView,
  verifyView,
} from '../../operations.ts';
import { actorOf, byField, whyField } from '../actor.ts';
import { keyOf, pageByKey, pageByNumber, pageOf, pageQuery } from '../paging.ts';
import { type Route, route } from '../route.ts';

const named = z.object({ name: z.string().max(64).describe('Pipeline.') });
const withId = named.extend({ id: z.string().max(128) });
const withTable = named.extend({ table: z.string().max(256).describe('schema.table at the source.') });
const NUMBER = /^[0-9]{1,20}$/;
const before = (cursor: string | undefined) => keyOf(cursor, NUMBER);

export const TABLE_ROUTES: readonly Route[] = [
  route({
    id: 'listParkedTables',
    method: 'GET',
    path: '/pipelines/:name/tables',
    tag: 'tables',
    summary: 'Tables whose changes are held at the target, from the target itself.',
    access: 'viewer',
    params: named,
    query: pageQuery,
    answer: pageOf(parkedTableView),
    problems: ['HOLT_PIPELINE_UNKNOWN'],
    async handle({ services, params, query }) {
      return pageByKey(await services.operations.tables(params.name), (one) => one.table, query);
    },
  }),
  route({
    id: 'parkTable',
    method: 'POST',
    path: '/pipelines/:name/tables/:table/park',
    tag: 'tables',
    summary: 'Hold the changes of a table at the target, and let the others go on.',
    access: 'operator',
    params: withTable,
    body: z.strictObject({ by: byField, why: z.string().max(4096) }),
    answer: parkedTableView,
    problems: ['HOLT_PIPELINE_UNKNOWN'],
    handle: ({ services, params: { name, table }, body, principal }) =>
      services.operations.parkTable(name, table, { by: actorOf(principal, body.by), why: body.why }),
  }),
  route({
    id: 'resumeTable',
    method: 'POST',
    path: '/pipelines/:name/tables/:table/resume',
    tag: 'tables',
    summary: 'Apply what is held of a table and of those that wait with it, and let them go on.',
    access: 'operator',
    params: withTable,
    body: z.strictObject({
      by: byField,
      like: z
        .array(z.string().max(256))
        .max(16)
        .default([])
        .describe(
          'Tables at the source that have the columns of rows that could not be decoded; none: the table itself.',
        ),
    }),
    status: 202,
    answer: z.array(parkedTableView).readonly(),
    problems: ['HOLT_PIPELINE_UNKNOWN', 'HOLT_TABLE_NOT_PARKED'],
    handle: ({ services, params: { name, table }, body, principal }) =>
      services.operations.resumeTable(name, table, { by: actorOf(principal, body.by), like: body.like }),
  }),
  route({
    id: 'listErrors',
    method: 'GET',
    path: '/pipelines/:name/errors',
    tag: 'ledger',
    summary: 'Changes that were not applied as they came, newest first.',
    access: 'viewer',
    params: named,
    query: pageQuery.extend({
      state: z.enum(LEDGER_STATES).optional().describe('Only those in this state.'),
      kind: z.enum(LEDGER_KINDS).optional().describe('Only of this kind.'),
      table: z.string().max(256).optional().describe('Only of this table: schema.table at the target.'),
    }),
    answer: pageOf(ledgerEntryView),
    problems: ['HOLT_PIPELINE_UNKNOWN'],
    async handle({ services, params, query: { limit, cursor, state, kind, table } }) {
      const filter = {
        ...(state === undefined ? {} : { state }),
        ...(kind === undefined ? {} : { kind }),
        ...(table === undefined ? {} : { table }),
      };
      const { operations } = services;
      return pageByNumber(await operations.errors(params.name, limit + 1, before(cursor), filter), limit);
    },
  }),
  route({
    id: 'getError',
    method: 'GET',
    path: '/pipelines/:name/errors/:id',
    tag: 'ledger',
    summary: 'One of them with both images and the row that was found. Shows row values.',
    access: 'operator',
    params: withId,
    answer: ledgerDetailView,
    problems: ['HOLT_PIPELINE_UNKNOWN', 'HOLT_LEDGER_MISSING'],
    audited: true,
    handle: ({ services, params: { name, id } }) => services.operations.error(name, id),
  }),
  route({
    id: 'replayError',
    method: 'POST',
    path: '/pipelines/:name/errors/:id/replay',
    tag: 'ledger',
    summary: 'Apply the kept change now, once.',
    access: 'operator',
    params: withId,
    answer: ledgerEntryView,
    repeatable: false,
    problems: ['HOLT_PIPELINE_UNKNOWN', 'HOLT_LEDGER_MISSING', 'HOLT_LEDGER_REPLAYED', 'HOLT_REPLAY_REFUSED'],
    handle: ({ services, params: { name, id }, principal }) =>
      services.operations.replay(name, id, actorOf(principal, undefined)),
  }),
  route({
    id: 'closeError',
    method: 'POST',
    path: '/pipelines/:name/errors/:id/close',
    tag: 'ledger',
    summary:
      'Let stand what stands at the target. The entry stays with its images, and may still be replayed.',
    access: 'operator',
    params: withId,
    body: z.strictObject({ by: byField, why: whyField }),
    answer: ledgerEntryView,
    repeatable: false,
    problems: ['HOLT_PIPELINE_UNKNOWN', 'HOLT_LEDGER_MISSING', 'HOLT_LEDGER_REPLAYED'],
    handle: ({ services, params: { name, id }, body, principal }) =>
      services.operations.closeError(name, id, actorOf(principal, body.by)),
  }),
  route({
    id: 'listDdl',
    method: 'GET',
    path: '/pipelines/:name/ddl',
    tag: 'ddl',
    summary: 'The journal of schema changes at the target, newest first.',
    access: 'viewer',
    params: named,
    query: pageQuery,
    answer: pageOf(ddlView),
    problems: ['HOLT_PIPELINE_UNKNOWN'],
    async handle({ services, params, query: { limit, cursor } }) {
      return pageByNumber(await services.operations.ddl(params.name, limit + 1, before(cursor)), limit);
    },
  }),
  route({
    id: 'getDdl',
    method: 'GET',
    path: '/pipelines/:name/ddl/:id',
    tag: 'ddl',
    summary: 'One with its texts at both ends.',
    access: 'viewer',
    params: withId,
    answer: ddlDetailView,
    problems: ['HOLT_PIPELINE_UNKNOWN', 'HOLT_DDL_MISSING'],
    handle: ({ services, params: { name, id } }) => services.operations.ddlRow(name, id),
  }),
  route({
    id: 'settleDdl',
    method: 'POST',
    path: '/pipelines/:name/ddl/:id/settle',
    tag: 'ddl',
    summary: 'Say of a statement that was begun whether it ran; then resume the pipeline.',
    access: 'operator',
    params: withId,
    body: z.strictObject({ ran: z.boolean(), by: byField }),
    answer: ddlDetailView,
    repeatable: false,
    problems: ['HOLT_PIPELINE_UNKNOWN', 'HOLT_DDL_MISSING', 'HOLT_DDL_SETTLED'],
    handle: ({ services, params: { name, id }, body, principal }) =>
      services.operations.settleDdl(name, id, { ran: body.ran, by: actorOf(principal, body.by) }),
  }),
  route({
    id: 'startCheck',
    method: 'POST',
    path: '/pipelines/:name/checks',
    tag: 'checks',
    summary: 'Compare source and target row by row.',
    access: 'operator',
    params: named,
    status: 202,
    answer: verifyView,
    problems: ['HOLT_PIPELINE_UNKNOWN'],
    handle: ({ services, params }) => services.operations.startVerify(params.name),
  }),
  route({
    id: 'listChecks',
    method: 'GET',
    path: '/pipelines/:name/checks',
    tag: 'checks',
    summary: 'Comparisons of the last day that nodes remember.',
    access: 'viewer',
    params: named,
    query: pageQuery,
    answer: pageOf(verifyView),
    problems: ['HOLT_PIPELINE_UNKNOWN'],
    async handle({ services, params, query }) {
      return pageByKey(await services.operations.checks(params.name), (one) => one.id, query);
    },
  }),
  route({
    id: 'getCheck',
    method: 'GET',
    path: '/pipelines/:name/checks/:id',
    tag: 'checks',
    summary: 'How far a comparison is, and what differs (keys and columns, no values).',
    access: 'viewer',
    params: withId,
    answer: verifyView,
    problems: ['HOLT_PIPELINE_UNKNOWN', 'HOLT_VERIFY_UNKNOWN'],
    handle: ({ services, params: { name, id } }) => services.operations.verify(name, id),
  }),
];
