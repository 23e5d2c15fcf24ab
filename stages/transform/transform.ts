import type { PipelineConfig } from '../../model/config.ts';
import { surveyPayload } from '../../model/payload.ts';
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
    const { shapes } = surveyPayload(batch.payload);
    const routes = shapes.map((shape, table): TableRoute => this.#mapping.route(shape, table));
    return { header: { ...batch.header, transformedMs: nowMs }, payload: batch.payload, routes };
  }
}
