import { randomUUID } from 'node:crypto';
import type { BatchHeader, LoadReceipt } from '../../model/batch.ts';
import {
  type NodeId,
  newLoaderId,
  newTenure,
  nodeId,
  type PipelineId,
  siteId,
  type Tenure,
} from '../../model/ids.ts';
import type { Position, PositionText } from '../../model/position.ts';
import type { Reign, TargetHalf, TargetRaiseRequest, TargetRaiseResult } from '../../scheduler/contract.ts';
import type { NodePresence } from '../../scheduler/records.ts';

export const positionAt = (offset: number): Position => ({
  text: `file:server:binlog.000001:${offset}` as PositionText,
  at: { file: 'binlog.000001', offset },
  lastEvent: null,
});

/** A batch of one row, in its first form; `over` replaces what a test is about. */
export function batchHeaderOf(
  reign: Pick<Reign, 'pipeline' | 'epoch' | 'tenure'>,
  seq: bigint,
  over: Partial<BatchHeader> = {},
): BatchHeader {
  const place = {
    kind: 'node' as const,
    node: nodeId('east-1'),
    site: siteId('east'),
    address: 'http://127.0.0.1:1',
    sha256: '0'.repeat(64),
    bytes: 100,
  };
  return {
    version: 1,
    pipeline: reign.pipeline,
    epoch: reign.epoch,
    tenure: reign.tenure,
    seq: String(seq),
    part: 0,
    lastPart: true,
    configVersion: 0,
    origin: siteId('east'),
    start: positionAt(Number(seq) * 10 - 10).text,
    end: positionAt(Number(seq) * 10).text,
    endFile: 'binlog.000001',
    endOffset: Number(seq) * 10,
    lastEventTimestamp: 1,
    lastEventCrc32: null,
    source: 'server',
    transactions: 1,
    rows: 1,
    firstCommitUs: 1,
    lastCommitUs: 1,
    selectedMs: 1,
    extractedMs: null,
    transformedMs: null,
    payload: place,
    hint: null,
    ...over,
  };
}

export function receiptOf(header: BatchHeader, over: Partial<LoadReceipt> = {}): LoadReceipt {
  return {
    version: 1,
    epoch: header.epoch,
    tenure: header.tenure,
    loader: newLoaderId(),
    node: nodeId('west-1'),
    seq: header.seq,
    end: header.end,
    rows: header.rows,
    lastCommitUs: header.lastCommitUs,
    appliedMs: 1,
    ...over,
  };
}

export function presenceOf(node: NodeId, over: Partial<NodePresence> = {}): NodePresence {
  return {
    version: 1,
    node,
    site: siteId('east'),
    address: 'http://127.0.0.1:1',
    release: '0.1.0',
    stages: ['select', 'extract', 'transform', 'load'],
    startedMs: 1,
    instance: randomUUID(),
    ...over,
  };
}

/** A checkpoint row in memory, and a raise on it that keeps to protocol section 2 as far as one row goes. */
export class RowInMemory implements TargetHalf {
  row: { epoch: number; tenure: Tenure; seq: bigint } | null = null;
  readonly requests: TargetRaiseRequest[] = [];
  /** Called before the row is raised: the place to let other things happen. */
  beforeRaise: (request: TargetRaiseRequest) => Promise<void> = async () => {};
  /** Called after it, before the answer. */
  afterRaise: () => Promise<void> = async () => {};

  async readEpoch(): Promise<number | null> {
    return this.row?.epoch ?? null;
  }

  async raise(request: TargetRaiseRequest): Promise<TargetRaiseResult> {
    this.requests.push(request);
    await this.beforeRaise(request);
    const epoch = this.row?.epoch ?? null;
    const isOurs = this.row !== null && this.row.tenure === request.ownTenure;
    if (
      !isOurs &&
      (request.takeOver ? epoch !== request.seenEpoch : (epoch ?? 0) >= (request.seenEpoch ?? 0))
    )
      return { kind: 'let-go', why: `the row has epoch ${epoch}, seen ${request.seenEpoch}` };
    const seq = this.row?.seq ?? 0n;
    this.row = { epoch: 1 + Math.max(epoch ?? 0, request.treeEpoch), tenure: newTenure(), seq };
    const answer = { ...this.row };
    await this.afterRaise();
    return { kind: 'raised', ...answer, position: positionAt(Number(seq) * 10) };
  }
}

let names = 0;
/** A name that no other test of this run has; `run` keeps runs on one server apart. */
const run = randomUUID().slice(0, 8);
export function freshName(kind: string): string {
  names += 1;
  return `${kind}-${run}-${names}`;
}

export const freshPipeline = (): PipelineId => freshName('pipe') as PipelineId;
