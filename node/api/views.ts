/** What the API answers about its own use; schemas, since they cross processes. */
import { z } from 'zod';
import { pipelineScope } from '../access/records.ts';
import { ROLES } from '../access/role.ts';
import { historyPoint } from '../history/samples.ts';

const role = z.enum(ROLES);
const scope = pipelineScope.describe('Patterns of the pipelines it is confined to; null for all.');

export const sessionView = z
  .object({
    name: z.string(),
    kind: z.enum(['user', 'token', 'config', 'anyone']),
    role: z.enum(ROLES),
    pipelines: z
      .array(z.array(z.string()).readonly())
      .readonly()
      .describe('Lists of patterns; a pipeline must fit one of each.'),
    csrf: z
      .string()
      .nullable()
      .describe('Value of the header holt-csrf under a login by cookie; null otherwise.'),
    expiresMs: z.number().nullable(),
  })
  .meta({ id: 'Session' });
export type SessionView = z.infer<typeof sessionView>;

export const userView = z
  .object({
    name: z.string(),
    role,
    pipelines: scope,
    disabled: z.boolean(),
    createdMs: z.number(),
    createdBy: z.string(),
    changedMs: z.number(),
  })
  .meta({ id: 'User' });
export type UserView = z.infer<typeof userView>;

export const tokenView = z
  .object({
    id: z.string(),
    name: z.string(),
    role,
    pipelines: scope,
    user: z.string().nullable().describe('The account it belongs to and dies with.'),
    createdMs: z.number(),
    createdBy: z.string(),
    expiresMs: z.number().nullable(),
    lastUsedMs: z.number().nullable().describe('To ten minutes.'),
    lastUsedFrom: z.string().nullable(),
  })
  .meta({ id: 'Token' });
export type TokenView = z.infer<typeof tokenView>;

export const newToken = z
  .object({ ...tokenView.shape, token: z.string().describe('Shown this once.') })
  .meta({ id: 'NewToken' });

export type NewTokenView = z.infer<typeof newToken>;

export const auditView = z
  .object({
    id: z.string(),
    atMs: z.number(),
    who: z.string(),
    how: z.enum(['user', 'token', 'config', 'anyone', 'nobody']),
    from: z.string(),
    node: z.string(),
    action: z.string().describe("The operation's id in this document."),
    object: z.string(),
    detail: z.string().describe('JSON of what was asked for, secrets masked.'),
    reason: z.string(),
    result: z.enum(['done', 'refused', 'failed']),
    code: z.string().nullable(),
    previous: z.string().nullable().describe('The entry that the same process wrote before.'),
  })
  .meta({ id: 'AuditEntry' });
export type AuditEntryView = z.infer<typeof auditView>;

export const appliedBatchView = z
  .object({
    id: z.string().describe('Epoch and sequence number: the name of its task.'),
    epoch: z.number(),
    seq: z.string(),
    transactions: z.number(),
    rows: z.number(),
    bytes: z.number(),
    firstCommitMs: z.number().describe("By the source's clock."),
    lastCommitMs: z.number(),
    selectedMs: z
      .number()
      .describe('When Select was done with it, by the clock of its node; likewise below.'),
    extractedMs: z.number().nullable(),
    transformedMs: z.number().nullable(),
    loadBeganMs: z.number().describe('When the work of Load on it began.'),
    appliedMs: z.number().describe("When the target's COMMIT was answered."),
    node: z.string().describe('Node whose Load applied it.'),
    endFile: z.string(),
    endOffset: z.number(),
  })
  .meta({ id: 'AppliedBatch' });
export type AppliedBatchView = z.infer<typeof appliedBatchView>;

export const appliedBatchesView = z
  .object({
    items: z.array(appliedBatchView).readonly(),
    silent: z
      .array(z.string())
      .readonly()
      .describe('Nodes that did not answer; what they applied is missing.'),
  })
  .meta({ id: 'AppliedBatches' });
export type AppliedBatchesView = z.infer<typeof appliedBatchesView>;

export const historyView = z
  .object({
    pipeline: z.string(),
    fromMs: z.number(),
    toMs: z.number(),
    stepMs: z.number(),
    points: z.array(historyPoint).readonly(),
    silent: z.array(z.string()).readonly().describe('Nodes that did not answer; what they saw is missing.'),
  })
  .meta({ id: 'History' });
export type HistoryView = z.infer<typeof historyView>;
