import type { PipelineConfig } from '../../model/config.ts';
import { PayloadReader } from '../../model/payload.ts';
import type { TableRoute } from '../../model/table-route.ts';
import type { ExtractedBatch, TransformedBatch } from '../stage.ts';
import { TableMapping } from './table-mapping.ts';

/** Transform: finds the place of every table of the batch. Its work grows with tables and records, not with rows. */
export class Transformer {
  readonly #mapping: TableMapping;

  constructor(options: { readonly pipeline: PipelineConfig }) {
    this.#mapping = new TableMapping(options.pipeline.rules);
  }

  transform(batch: ExtractedBatch, nowMs: number): TransformedBatch {
    const reader = new PayloadReader(batch.payload);
    const routes: TableRoute[] = [];
    for (let record = reader.next(); record !== null; record = reader.next()) {
      if (record !== 'table') continue;
      const shape = reader.shapes[reader.table];
      if (shape !== undefined) routes.push(this.#mapping.route(shape, reader.table));
    }
    return { header: { ...batch.header, transformedMs: nowMs }, payload: batch.payload, routes };
  }
}
