/** Changes that Load kept and applies later, by themselves: as if they came in a batch of their own. */
import { HoltError } from '../../lib/errors.ts';
import type { BatchHeader } from '../../model/batch.ts';
import { type NodeId, pipelineId, type SiteId } from '../../model/ids.ts';
import type { PositionText } from '../../model/position.ts';
import type { CheckpointRow } from './target/checkpoint-row.ts';

export interface KeptBatch {
  readonly pipeline: string;
  readonly node: NodeId;
  /** Of the batch that they came in, as their rows say. */
  readonly seq: bigint | number | string;
  readonly origin: string;
  readonly end: PositionText;
  /** Commit time at the source, µs since 1970. */
  readonly commitUs: number;
  readonly rows: number;
  /** Of the payload. */
  readonly bytes: number;
  /** The lane's row at the target; null for none yet. */
  readonly row: CheckpointRow | null;
}

const NO_TENURE = '0'.repeat(32) as BatchHeader['tenure'];
const NO_DIGEST = '0'.repeat(64);

/** What the applier wants to know of a batch: it moves no position, and nobody fetches it. */
export function keptHeader(kept: KeptBatch): BatchHeader {
  const { pipeline, node, seq, end, commitUs, rows, bytes, row } = kept;
  const origin = kept.origin as SiteId;
  return {
    version: 1,
    pipeline: pipelineId(pipeline),
    epoch: row?.epoch ?? 1,
    tenure: row?.tenure ?? NO_TENURE,
    seq: String(seq),
    part: 0,
    lastPart: true,
    configVersion: 0,
    origin,
    start: end,
    end,
    endFile: '',
    endOffset: 0,
    lastEventTimestamp: 0,
    lastEventCrc32: null,
    source: '',
    transactions: 1,
    rows,
    firstCommitUs: commitUs,
    lastCommitUs: commitUs,
    selectedMs: 0,
    extractedMs: null,
    transformedMs: null,
    payload: { kind: 'node', node, site: origin, address: '', sha256: NO_DIGEST, bytes },
    hint: null,
  };
}

export function noCheckpoint(pipeline: string): HoltError {
  return new HoltError('HOLT_CHECKPOINT_MISSING', `${pipeline} has no checkpoint row at the target`, {
    disposition: 'pause',
    facts: { pipeline },
  });
}
