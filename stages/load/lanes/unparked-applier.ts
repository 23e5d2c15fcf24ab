/** An applier for lanes: while a table is parked, what becomes of its changes is decided on the stream's own connection. */
import type { TransformedBatch } from '../../stage.ts';
import type { ApplyResult, BatchApplier, PreparedBatch } from '../load.ts';
import { readParked } from '../parked/parked-rows.ts';
import type { TargetConnection } from '../target/target-connection.ts';

/** Not for lanes: in order, please. */
class InOrderSignal extends Error {
  override readonly name = 'InOrderSignal';
}

export class UnparkedApplier<Inner extends PreparedBatch> {
  readonly #pipeline: string;
  readonly #inner: BatchApplier<Inner>;

  constructor(options: { readonly pipeline: string; readonly inner: BatchApplier<Inner> }) {
    this.#pipeline = options.pipeline;
    this.#inner = options.inner;
  }

  prepare(batch: TransformedBatch, signal: AbortSignal): Promise<Inner> {
    return this.#inner.prepare(batch, signal);
  }

  async execute(prepared: Inner, connection: TargetConnection, signal: AbortSignal): Promise<ApplyResult> {
    if ((await readParked(connection, this.#pipeline)).length > 0)
      throw new InOrderSignal('a table is parked');
    return this.#inner.execute(prepared, connection, signal);
  }
}
