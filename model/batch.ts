/**
 * The header of a batch: what a task's znode holds. Everything that decides; the rows themselves travel by the pipe.
 */
import { z } from 'zod';
import { DDL_POLICY_KINDS } from './ddl.ts';
import type { LoaderId, NodeId, PipelineId, SiteId, Tenure } from './ids.ts';
import { parseLoaderId, parseTenure } from './ids.ts';
import type { BinlogCoordinates, PositionText } from './position.ts';

const tenure = z.string().transform((text): Tenure => parseTenure(text));
const position = z
  .string()
  .regex(/^(mysql|mariadb|file):/)
  .transform((text) => text as PositionText);
const name = z.string().min(1).max(64);
const count = z.number().int().nonnegative();
/** Decimal digits of an unsigned 64-bit number. */
const uint64 = z.string().regex(/^[0-9]{1,20}$/);

/** Where a payload is. */
export const payloadPlace = z.strictObject({
  /** `node`: in the memory of `node`, fetched by HTTP; `redis`: in the Redis of `site`, under the key. */
  kind: z.enum(['node', 'redis']),
  node: name.transform((text) => text as NodeId),
  site: name.transform((text) => text as SiteId),
  /** Base URL of the node's pipe; empty for redis. */
  address: z.string(),
  /** SHA-256 of the payload (uncompressed), hex. With tenure, sequence and part it is the payload's key. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: count,
});
export type PayloadPlace = z.infer<typeof payloadPlace>;

export const batchHeader = z.strictObject({
  version: z.literal(1),
  pipeline: name.transform((text) => text as PipelineId),
  epoch: z.number().int().positive(),
  tenure,
  /** Sequence number within the pipeline, never restarting. */
  seq: uint64,
  /** Parts of one large transaction share a seq; a batch that is not in parts has part 0 and lastPart true. */
  part: count,
  lastPart: z.boolean(),
  configVersion: z.number().int(),
  /** Site where all its changes were first made. */
  origin: name.transform((text) => text as SiteId),
  /** Byte for byte the end of the batch before. */
  start: position,
  end: position,
  endFile: z.string(),
  endOffset: count,
  /** Header timestamp and CRC32 of the last event before `end`. */
  lastEventTimestamp: z.number(),
  lastEventCrc32: z.number().nullable(),
  /** Its length in bytes, where known: with it the check on resume finds the event without reading its file. */
  lastEventLength: z.number().optional(),
  /** Identity of the source server. */
  source: z.string(),
  transactions: count,
  rows: count,
  /** Kind of the schema change that the batch is: alone in it, and nothing else of the pipeline is in flight. */
  ddl: z.enum(DDL_POLICY_KINDS).optional(),
  /** Seq of the last schema change of this reign before this batch: what was known of the target's tables before it counts no more. */
  afterDdl: uint64.optional(),
  /** Online schema changes under way at `end`, where that has changed; null for none any more. */
  onlineChanges: z.string().nullable().optional(),
  /** Commit times of the first and last source transaction, µs since 1970. */
  firstCommitUs: count,
  lastCommitUs: count,
  /** When each stage was done with it, ms since 1970 by that node's clock. */
  selectedMs: z.number(),
  extractedMs: z.number().nullable(),
  transformedMs: z.number().nullable(),
  payload: payloadPlace,
  /** Node that placement predicts for the target side; it claims at once, others a little later. */
  hint: name.transform((text) => text as NodeId).nullable(),
});
export type BatchHeader = z.infer<typeof batchHeader>;

/** The transaction with which a batch begins: what its age is told from. Stays on the node that formed the batch. */
export interface BatchBeginning {
  /** Behind the transaction, or behind its part. */
  readonly end: BinlogCoordinates;
  /** As the log says it; µs since 1970 by the source's clock. */
  readonly commitUs: number;
  /** False where the log says the second only. */
  readonly commitIsExact: boolean;
  /** When Select took it, ms on the node's monotonic clock. */
  readonly takenMs: number;
}

/** What Load answers: kept in one znode per pipeline, the newest overwrites. All batches up to `seq` are done. */
export const loadReceipt = z.strictObject({
  version: z.literal(1),
  epoch: z.number().int().positive(),
  tenure,
  loader: z.string().transform((text): LoaderId => parseLoaderId(text)),
  node: name.transform((text) => text as NodeId),
  seq: uint64,
  end: position,
  rows: count,
  /** Commit time of the last source transaction, µs since 1970. */
  lastCommitUs: count,
  /** When the target's COMMIT was answered, ms since 1970 by the loader's clock. */
  appliedMs: z.number(),
});
export type LoadReceipt = z.infer<typeof loadReceipt>;

/** The name of a task's znode: orders as text as its numbers do. */
export function taskName(epoch: number, seq: bigint, part: number): string {
  const base = `${String(epoch).padStart(10, '0')}-${String(seq).padStart(20, '0')}`;
  return part === 0 ? base : `${base}.${String(part).padStart(8, '0')}`;
}

/** Null for a name that is none of ours. */
export function parseTaskName(
  text: string,
): { readonly epoch: number; readonly seq: bigint; readonly part: number } | null {
  const match = /^([0-9]{10})-([0-9]{20})(?:\.([0-9]{8}))?$/.exec(text);
  const [, epoch, seq, part] = match ?? [];
  if (epoch === undefined || seq === undefined) return null;
  return { epoch: Number(epoch), seq: BigInt(seq), part: part === undefined ? 0 : Number(part) };
}
