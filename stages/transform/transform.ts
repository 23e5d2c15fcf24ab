import type { PipelineConfig } from '../../model/config.ts';
import type { DdlStatement } from '../../model/ddl.ts';
import { surveyPayload } from '../../model/payload.ts';
import type { TableRoute } from '../../model/table-route.ts';
import { statementEffects } from '../select/ddl.ts';
import type { ExtractedBatch, TargetDdl, TransformedBatch } from '../stage.ts';
import { TableMapping } from './table-mapping.ts';

/** Transform: finds the place of every table of the batch. Its work grows with tables and records, not with rows. */
export class Transformer {
  readonly #mapping: TableMapping;

  constructor(options: { readonly pipeline: PipelineConfig }) {
    this.#mapping = new TableMapping(options.pipeline.rules);
  }

  transform(batch: ExtractedBatch, nowMs: number): TransformedBatch {
    const { shapes, statement } = surveyPayload(batch.payload);
    const routes = shapes.map((shape, table): TableRoute => this.#mapping.route(shape, table));
    const header = { ...batch.header, transformedMs: nowMs };
    if (statement === null) return { header, payload: batch.payload, routes };
    return { header, payload: batch.payload, routes, ddl: { statement, mapped: unmapped(statement) } };
  }
}

function unmapped(statement: DdlStatement): TargetDdl {
  const tables = statementEffects(statement).flatMap((effect) =>
    effect.kind === 'tables' ? effect.tables : [],
  );
  const defaultSchema = statement.schema === '' ? null : statement.schema;
  return { kind: 'run', sql: statement.sql, defaultSchema, tables, database: null };
}
