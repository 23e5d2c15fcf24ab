/**
 * The pipe carries a batch's payload between stages and nodes. It only carries: losing all of it costs a rewind, never a row (G7).
 *
 * A payload is keyed by tenure, sequence, part and hash; whoever has the header can ask for it and notices any other
 * bytes. It is kept where it was put until its batch is received, or its reign is over.
 */
import type { BatchHeader, PayloadPlace } from '../../model/batch.ts';
import type { PipelineId, Tenure } from '../../model/ids.ts';

/** Identity of a payload: `header.payload` has its hash and place. */
export interface PayloadKey {
  readonly pipeline: PipelineId;
  readonly tenure: Tenure;
  readonly seq: bigint;
  readonly part: number;
  /** SHA-256 of the uncompressed payload, hex. */
  readonly sha256: string;
}

/** A key whose hash may not be known yet: the pipe then makes it. */
export type UnhashedKey = Omit<PayloadKey, 'sha256'> & { readonly sha256?: string };

export interface Pipe {
  /**
   * Keeps a payload at this node (or this site's Redis) and says where. Never refuses the lowest sequence of a
   * pipeline for want of memory; ahead of it waits for room (bounded in bytes, G6).
   */
  put(key: UnhashedKey, payload: Buffer, signal: AbortSignal): Promise<PayloadPlace>;
  /**
   * The payload of a header, from here or from its place, its hash verified.
   * @throws HoltError HOLT_PAYLOAD_GONE (rewind) when nobody has it any more; HOLT_PAYLOAD_CORRUPT (rewind) for other
   * bytes; HOLT_PIPE_UNREACHABLE (retry) while its node does not answer; HOLT_PIPE_REFUSED (pause) for a wrong key.
   */
  get(header: BatchHeader, signal: AbortSignal): Promise<Buffer>;
  /**
   * Sends the payload of a batch that is about to be handed over to the node that its header announces, before anybody asks. Only a
   * hint: what does not arrive is fetched. Returns what is to be called once the next task stands, so that the node hears of it.
   */
  sendAhead(header: BatchHeader): () => void;
  /** Calls `listener` with headers of tasks for this node that stand by now, by word of the node that put them there. */
  onAnnounced(listener: (header: BatchHeader) => void): () => void;
  /** Batches up to `seq` are received: their payloads may go. */
  received(pipeline: PipelineId, tenure: Tenure, seq: bigint): void;
  /** Parts up to `part` of `seq` are executed in the open target transaction: their bytes may go. */
  partReceived(pipeline: PipelineId, tenure: Tenure, seq: bigint, part: number): void;
  /** A new tenure rules (null: the pipeline is gone): what belongs to others may go. */
  ruling(pipeline: PipelineId, tenure: Tenure | null): void;
  readonly heldBytes: number;
  close(): Promise<void>;
}

/** Decides who may fetch a payload: its claim's holder, or the node its header announces. The node wires it to ZooKeeper. */
export interface PipeGuard {
  /** True when `node` holds a claim on the batch at some stage now, or is the announced next holder. */
  mayFetch(node: string, key: PayloadKey): Promise<boolean>;
}
