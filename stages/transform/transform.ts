import type { PipelineConfig } from '../../model/config.ts';
import type { DdlStatement } from '../../model/ddl.ts';
import type { SqlServer } from '../../model/ddl-kind.ts';
import { surveyPayload } from '../../model/payload.ts';
import type { TableRoute } from '../../model/table-route.ts';
import { statementEffects } from '../select/ddl.ts';
import { TableFilter } from '../select/table-filter.ts';
import type { ConcernedTable, ExtractedBatch, TargetDdl, TransformedBatch } from '../stage.ts';
import { mapDdl } from './ddl/map-ddl.ts';
import { readDdl } from './ddl/read-ddl.ts';
import { TableMapping } from './table-mapping.ts';

export interface TransformerOptions {
  readonly pipeline: PipelineConfig;
  /** The target's words, for schema changes; null where they are not known, or nobody looks at those. */
  readonly target?: SqlServer | null;
}

/** Transform: finds the place of every table of the batch, and the text of a schema change. Its work grows with tables and records, not with rows. */
export class Transformer {
  readonly #options: TransformerOptions;
  readonly #mapping: TableMapping;

  constructor(options: TransformerOptions) {
    this.#options = options;
    this.#mapping = new TableMapping(options.pipeline.rules);
  }

  transform(batch: ExtractedBatch, nowMs: number): TransformedBatch {
    const { shapes, statement } = surveyPayload(batch.payload);
    const routes = shapes.map((shape, table): TableRoute => this.#mapping.route(shape, table));
    const header = { ...batch.header, transformedMs: nowMs };
    if (statement === null) return { header, payload: batch.payload, routes };
    return { header, payload: batch.payload, routes, ddl: { statement, mapped: this.#map(statement) } };
  }

  #map(statement: DdlStatement): TargetDdl {
    const { pipeline, target = null } = this.#options;
    const { caseSensitive, server } = statement;
    const tables = new TableFilter(pipeline.tables, { caseSensitive });
    const read = readDdl(statement, server);
    if (!read.readable)
      return {
        kind: 'refused',
        code: read.code,
        why: read.why,
        concerns: this.#mentioned(statement, tables),
      };
    if (read.kind === 'none') return { kind: 'nothing', why: read.what };
    const mapped = mapDdl(read, { tables, mapping: this.#mapping, caseSensitive, source: server, target });
    switch (mapped.kind) {
      case 'nothing':
        return mapped;
      case 'refused': {
        const carried = read.changes.filter(({ schema, table }) => tables.matches(schema, table));
        return { ...mapped, concerns: carried.map((source) => this.#concern(source)) };
      }
      case 'sql': {
        const { sql, defaultSchema, database } = mapped;
        const concerns = onceEach(mapped.tables.filter(({ use }) => CHANGES.has(use)));
        return { kind: 'run', sql, defaultSchema, database, concerns };
      }
      default:
        return mapped satisfies never;
    }
  }

  /** Carried tables that a statement nobody can read names. */
  #mentioned(statement: DdlStatement, tables: TableFilter): readonly ConcernedTable[] {
    const names = statementEffects(statement).flatMap((effect) =>
      effect.kind === 'tables' || effect.kind === 'mentions' ? effect.tables : [],
    );
    const carried = names.filter(
      ({ schema, table }, index) =>
        tables.matches(schema, table) &&
        names.findIndex((one) => one.schema === schema && one.table === table) === index,
    );
    return carried.map((source) => this.#concern(source));
  }

  #concern(source: { readonly schema: string; readonly table: string }): ConcernedTable {
    const to = this.#mapping.ruleFor(source.schema, source.table)?.to;
    return { source, target: { schema: to?.schema ?? source.schema, table: to?.table ?? source.table } };
  }
}

/** A table can be changed and renamed in one statement, or have two names go over it. */
function onceEach(concerns: readonly ConcernedTable[]): readonly ConcernedTable[] {
  const key = ({ source }: ConcernedTable) => `${source.schema}\0${source.table}`;
  return [...new Map(concerns.map((one) => [key(one), { source: one.source, target: one.target }])).values()];
}

const CHANGES: ReadonlySet<string> = new Set(['changed', 'created', 'dropped', 'renamed', 'renamed-to']);
