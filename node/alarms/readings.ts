/** What is looked at, once a look: values only, so that what follows from them can be tested without servers. */
import type { ClockReading } from '../../model/lag.ts';
import type { PipelineStatusView } from '../operations.ts';

export interface NodeReading {
  readonly node: string;
  readonly site: string;
  readonly stages: readonly string[];
  /** For how long it has not answered; 0 while it does. A node that has left by itself is not among the readings. */
  readonly silentMs: number;
}

export interface PipelineEnds {
  readonly source: string;
  readonly target: string;
  readonly sourceSite: string;
  readonly targetSite: string;
}

/** Changes written to the ledger since the look before. */
export interface LedgerReading {
  readonly pipeline: string;
  readonly conflicts: number;
  readonly deadLetters: number;
}

/** What the source still has of what the pipeline has not read. */
export interface RetentionReading {
  readonly pipeline: string;
  /** Until the source may purge the file that is needed first; 0 when it has, null where it never does. */
  readonly leftMs: number | null;
  /** How long it keeps a file; null for ever. */
  readonly keepsMs: number | null;
}

export interface Readings {
  /** ms since 1970 by the clock of the node that evaluates. */
  readonly nowMs: number;
  readonly pipelines: readonly { readonly status: PipelineStatusView; readonly ends: PipelineEnds }[];
  readonly nodes: readonly NodeReading[];
  readonly clocks: readonly ClockReading[];
  readonly ledger: readonly LedgerReading[];
  /** Only of pipelines for which it is known. */
  readonly retention: readonly RetentionReading[];
}
