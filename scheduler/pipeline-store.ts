import { type LoadReceipt, loadReceipt } from '../model/batch.ts';
import type { PipelineId } from '../model/ids.ts';
import { STAGES } from '../model/stage.ts';
import { TreeConfigHistory } from './config-history.ts';
import type { ConfigHistory, PipelineStore, RecordNode } from './contract.ts';
import { pipelinePath, recordPath, stagePath } from './paths.ts';
import { jsonRecord } from './record.ts';
import { TreeRecordNode, withSignal } from './record-node.ts';
import {
  type DesiredRecord,
  desiredRecord,
  type EpochRecord,
  epochRecord,
  type PartProgress,
  partProgress,
  type StoredConfig,
  storedConfig,
  type TerminationRequest,
  terminationRequest,
} from './records.ts';
import type { CoordinationTree } from './tree/tree.ts';
import { isTreeError } from './tree/tree-error.ts';

export const configCodec = jsonRecord(storedConfig);
export const desiredCodec = jsonRecord(desiredRecord);
export const epochCodec = jsonRecord(epochRecord);
export const receiptCodec = jsonRecord(loadReceipt);
export const progressCodec = jsonRecord(partProgress);
export const terminationCodec = jsonRecord(terminationRequest);

/** The records of a pipeline in the coordination tree. */
export class TreePipelineStore implements PipelineStore {
  readonly pipeline: PipelineId;
  readonly config: RecordNode<StoredConfig>;
  readonly configHistory: ConfigHistory;
  readonly desired: RecordNode<DesiredRecord>;
  readonly epoch: RecordNode<EpochRecord>;
  readonly receipt: RecordNode<LoadReceipt>;
  readonly progress: RecordNode<PartProgress>;
  readonly termination: RecordNode<TerminationRequest>;
  readonly #tree: CoordinationTree;

  constructor(tree: CoordinationTree, pipeline: PipelineId) {
    this.pipeline = pipeline;
    this.#tree = tree;
    this.config = new TreeRecordNode(tree, recordPath(pipeline, 'config'), configCodec);
    this.configHistory = new TreeConfigHistory(tree, pipeline);
    this.desired = new TreeRecordNode(tree, recordPath(pipeline, 'state'), desiredCodec);
    this.epoch = new TreeRecordNode(tree, recordPath(pipeline, 'epoch'), epochCodec);
    this.receipt = new TreeRecordNode(tree, recordPath(pipeline, 'receipt'), receiptCodec);
    this.progress = new TreeRecordNode(tree, recordPath(pipeline, 'progress'), progressCodec);
    this.termination = new TreeRecordNode(tree, recordPath(pipeline, 'termination'), terminationCodec);
  }

  async destroy(signal?: AbortSignal): Promise<void> {
    for (const stage of STAGES) await removeSubtree(this.#tree, stagePath(this.pipeline, stage), signal);
    await removeSubtree(this.#tree, pipelinePath(this.pipeline), signal);
  }
}

/** Leaves first; what others add meanwhile is taken too, and what others take is no error. */
export async function removeSubtree(
  tree: CoordinationTree,
  path: string,
  signal?: AbortSignal,
): Promise<void> {
  for (;;) {
    signal?.throwIfAborted();
    const children = await tree.children(path, withSignal(signal));
    if (children === null) return;
    for (const name of children.names) await removeSubtree(tree, `${path}/${name}`, signal);
    try {
      await tree.remove(path, 'any', withSignal(signal));
      return;
    } catch (error) {
      if (isTreeError(error, 'no-node')) return;
      if (!isTreeError(error, 'not-empty')) throw error;
    }
  }
}
