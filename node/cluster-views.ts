/** What is shown of an installation's parts; schemas, since they cross processes. */
import { z } from 'zod';
import { STAGES } from '../model/stage.ts';
import { LOG_LEVELS } from './log-levels.ts';

export const siteView = z
  .object({
    site: z.string(),
    nodes: z.array(z.string()).readonly().describe('Nodes that are registered.'),
    dataSources: z.array(z.object({ name: z.string(), host: z.string(), port: z.number() })).readonly(),
    /** Pipelines that read here, and that write here. */
    outgoing: z.array(z.string()).readonly(),
    incoming: z.array(z.string()).readonly(),
  })
  .meta({ id: 'Site' });
export type SiteView = z.infer<typeof siteView>;

export const batchView = z
  .object({
    id: z.string().describe('Epoch, sequence number and part: the name of its task.'),
    stage: z.enum(STAGES),
    epoch: z.number(),
    seq: z.string(),
    part: z.number(),
    lastPart: z.boolean(),
    origin: z.string(),
    transactions: z.number(),
    rows: z.number(),
    bytes: z.number().describe('Of the payload, as it goes between nodes.'),
    firstCommitMs: z.number().describe("By the source's clock."),
    lastCommitMs: z.number(),
    selectedMs: z.number(),
    extractedMs: z.number().nullable(),
    transformedMs: z.number().nullable(),
    endPosition: z.string().describe('Cut where it is long.'),
    holder: z.string().nullable().describe('Node that has claimed it; null while it waits.'),
    heldSinceMs: z.number().nullable(),
  })
  .meta({ id: 'Batch' });
export type BatchView = z.infer<typeof batchView>;

export const claimView = z
  .object({
    path: z.string(),
    kind: z.enum(['source', 'mainstem', 'task']),
    /** Of a mainstem or task. */
    pipeline: z.string().nullable(),
    stage: z.enum(STAGES).nullable(),
    /** Of a source: its data source. */
    source: z.string().nullable(),
    node: z.string(),
    sinceMs: z.number().nullable(),
    ageMs: z.number().nullable().describe("By the asked node's clock."),
  })
  .meta({ id: 'Claim' });
export type ClaimView = z.infer<typeof claimView>;

export const znodeView = z
  .object({
    path: z.string(),
    data: z.string().nullable().describe('Text as it stands there; null where it is hidden or no text.'),
    hidden: z.boolean().describe('It is about who may use the API.'),
    version: z.number(),
    createdMs: z.number(),
    changedMs: z.number(),
    ephemeralOwner: z.string().nullable(),
    children: z.number(),
  })
  .meta({ id: 'Znode' });
export type ZnodeView = z.infer<typeof znodeView>;

/** `draining`: it lets go of what it holds; `drained`: it takes no part, and may be stopped without anybody noticing. */
export const WORK_STATES = ['working', 'draining', 'drained'] as const;
export type WorkState = (typeof WORK_STATES)[number];

export const drainView = z.object({ node: z.string(), state: z.enum(WORK_STATES) }).meta({ id: 'Drain' });
export type DrainView = z.infer<typeof drainView>;

export const logLevelView = z
  .object({ node: z.string(), level: z.enum(LOG_LEVELS) })
  .meta({ id: 'LogLevel' });
export type LogLevelView = z.infer<typeof logLevelView>;
