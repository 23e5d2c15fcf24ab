/**
 * What the scheduler's znodes hold: schemas first, types second, each with its version. `model/batch.ts` has the
 * task's header and the receipt.
 */
import { z } from 'zod';
import type { NodeId, PipelineId, SiteId, Tenure } from '../model/ids.ts';
import { parseTenure } from '../model/ids.ts';
import { STAGES } from '../model/stage.ts';
import { DESIRED_STATES } from '../model/status.ts';

const name = z.string().min(1).max(64);
const node = name.transform((text) => text as NodeId);
const tenure = z.string().transform((text): Tenure => parseTenure(text));
const epoch = z.number().int().positive();
const wallMs = z.number().nonnegative();
/** Decimal digits of an unsigned 64-bit number. */
const uint64 = z.string().regex(/^[0-9]{1,20}$/);
const stage = z.enum(STAGES);

/** `/seda/node/{node}` */
export const nodePresence = z.strictObject({
  version: z.literal(1),
  node,
  site: name.transform((text) => text as SiteId),
  /** Base URL of its pipe and node-to-node calls. */
  address: z.string().max(512),
  /** Holt's own version. */
  release: z.string().max(64),
  stages: z.array(stage).readonly(),
  startedMs: wallMs,
  /** Random for each process: tells a second process under the same name from an older session of ours. */
  instance: z.string().min(1).max(64),
});
export type NodePresence = z.infer<typeof nodePresence>;

/** `/seda/pipeline/{p}/config`: what every node works by; the znode's version is the config version of batches. */
export const storedConfig = z.strictObject({
  version: z.literal(1),
  /** SHA-256 of `text`, hex: nodes whose own file says otherwise notice. */
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  /** The effective configuration of the pipeline as canonical JSON, without secrets. */
  text: z.string().max(256 * 1024),
  /** Who wrote it. */
  by: z.string().max(256),
  writtenMs: wallMs,
  /** Written through the API: digest of the files' text that it stands in place of, until those change. */
  replaces: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
});
export type StoredConfig = z.infer<typeof storedConfig>;

/** `/seda/pipeline/{p}/state`: what is wanted. */
export const desiredRecord = z.strictObject({
  version: z.literal(1),
  desired: z.enum(DESIRED_STATES),
  /** A person, or `holt` when Holt paused it after an error. */
  by: z.string().max(256),
  why: z.string().max(4096),
  /** Error code when Holt paused it. */
  code: z.string().max(64).nullable(),
  sinceMs: wallMs,
});
export type DesiredRecord = z.infer<typeof desiredRecord>;

/** `/seda/pipeline/{p}/epoch`: the reign that rules. */
export const epochRecord = z.strictObject({
  version: z.literal(1),
  epoch,
  tenure,
  /** The row's seq at the raise: the first batch of this reign has the next one. */
  seq: uint64,
  /** The mainstem's node. */
  node,
  raisedMs: wallMs,
});
export type EpochRecord = z.infer<typeof epochRecord>;

/** `/seda/pipeline/{p}/progress`: parts up to `part` of batch `seq` are executed in the open target transaction. */
export const partProgress = z.strictObject({
  version: z.literal(1),
  epoch,
  tenure,
  seq: uint64,
  part: z.number().int().nonnegative(),
});
export type PartProgress = z.infer<typeof partProgress>;

/** `/seda/pipeline/{p}/termination` */
export const terminationRequest = z.strictObject({
  version: z.literal(1),
  kind: z.enum(['rewind', 'pause']),
  code: z.string().max(64),
  why: z.string().max(4096),
  stage,
  node,
  epoch,
  tenure,
  seq: uint64,
  requestedMs: wallMs,
});
export type TerminationRequest = z.infer<typeof terminationRequest>;

/** Data of a lock: who holds it, for people. Decisions rest on the znode's owner. */
export const lockRecord = z.strictObject({
  version: z.literal(1),
  node,
  instance: z.string().min(1).max(64),
  sinceMs: wallMs,
});
export type LockRecord = z.infer<typeof lockRecord>;

/** `/seda/stage/{p}:select/main`: set by everyone who makes the lock, in the same multi: its version names this taking of the lock. */
export const mainstemTaking = lockRecord;
export type MainstemTaking = LockRecord;

/** `/otter/canal/destinations/{source}/running`, as in Canal; `node` and `instance` are ours. */
export const sourceRunning = z.object({
  active: z.boolean(),
  address: z.string().max(512),
  cid: z.number().int().nonnegative(),
  node: node.optional(),
  instance: z.string().max(64).optional(),
});
export type SourceRunning = z.infer<typeof sourceRunning>;

/** `/otter/canal/destinations/{source}`: set with every taking and every clean release of `running`. */
export const sourceTaking = z.strictObject({
  version: z.literal(1),
  node,
  instance: z.string().min(1).max(64),
  state: z.enum(['held', 'released']),
  sinceMs: wallMs,
});
export type SourceTaking = z.infer<typeof sourceTaking>;

/** `/otter/canal/destinations/{source}/{client}/running`, as in Canal. */
export const clientRunning = z.object({
  active: z.boolean(),
  address: z.string().max(512),
  clientId: z.string().max(64),
});
export type ClientRunning = z.infer<typeof clientRunning>;

/** `/otter/canal/destinations/{source}/{client}/cursor`, as in Canal (`postion` is spelt so there), with our canonical position beside it. */
export const clientCursor = z.object({
  '@type': z.literal('com.alibaba.otter.canal.protocol.position.LogPosition'),
  identity: z.object({
    slaveId: z.number().int(),
    sourceAddress: z.object({ address: z.string(), port: z.number().int() }),
  }),
  postion: z.object({
    included: z.boolean(),
    journalName: z.string(),
    position: z.number().int().nonnegative(),
    timestamp: z.number().nonnegative(),
  }),
  canonical: z.string().optional(),
});
export type ClientCursor = z.infer<typeof clientCursor>;

/** The pipelines' id as a client of its source. */
export const clientIdOf = (pipeline: PipelineId): string => pipeline;
