/** Load's parts for one pipeline at its target: applier, ledger, runs. */

import type { TableFacts } from '../../canal/schema/table-facts.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { Reopening } from '../../lib/reopening.ts';
import type { DataSourceConfig, PipelineConfig } from '../../model/config.ts';
import type { NodeId } from '../../model/ids.ts';
import { Extractor } from '../../stages/extract/extract.ts';
import { SqlBatchApplier } from '../../stages/load/apply/batch-applier.ts';
import { type SchemaQuery, TargetSchema } from '../../stages/load/apply/target-schema.ts';
import { LanePreparer } from '../../stages/load/lanes/lane-preparer.ts';
import { LanedLoadRun } from '../../stages/load/lanes/laned-load-run.ts';
import { UnparkedApplier } from '../../stages/load/lanes/unparked-applier.ts';
import { TargetLedger } from '../../stages/load/ledger.ts';
import type { LoadState } from '../../stages/load/load-session.ts';
import type { HeldBatch } from '../../stages/load/parked/drain.ts';
import type { TableName } from '../../stages/load/parked/parked.ts';
import { readParked } from '../../stages/load/parked/parked-rows.ts';
import { ParkingApplier } from '../../stages/load/parked/parking-applier.ts';
import { TargetRelations } from '../../stages/load/parked/relations.ts';
import { repairPayload } from '../../stages/load/parked/repair.ts';
import { targetError } from '../../stages/load/target/error-classes.ts';
import { connectTarget } from '../../stages/load/target/mysql2-connection.ts';
import { XaApplier } from '../../stages/load/xa/xa-applier.ts';
import { TableMapping } from '../../stages/transform/table-mapping.ts';
import { Transformer } from '../../stages/transform/transform.ts';
import type { LoadKit } from './load-worker.ts';

export interface LoadKitOptions {
  readonly config: PipelineConfig;
  readonly target: DataSourceConfig;
  readonly node: NodeId;
  /** Whether a task before `seq` stands somewhere: Load then waits for it. */
  readonly beforeInFlight: (seq: bigint) => boolean;
  readonly onState: (state: LoadState) => void;
  /** A lane has committed rows. */
  readonly onLane?: (lane: number, rows: number) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Parallel lanes of a pipeline: 0 in mode `prefix`. */
export function lanesOf({ apply }: Pick<PipelineConfig, 'apply'>): {
  readonly lanes: number;
  readonly minRows: number;
} {
  return apply?.mode === 'parallel' ? apply : { lanes: 0, minRows: 0 };
}

/** Opens nothing yet: the schema's session is opened when a table is first asked for, a run's when it is taken. */
export function loadKit(options: LoadKitOptions): LoadKit {
  const { config, target, node, clock, log } = options;
  const side = sideQuery(target);
  const relations = new TargetRelations({ query: side.query, clock });
  const schema = new TargetSchema({ query: side.query, definitions: true, clock });
  let tablesAsOf: string | null = null;
  const rows = new ParkingApplier({
    pipeline: config.name,
    inner: sqlApplier(config, schema),
    relations: () => relations.all(),
    parked: () => readParked({ rows: side.query }, config.name),
    onError: config.onTableError,
    clock,
    log,
  });
  const mapping = new TableMapping(config.rules);
  const applier = new XaApplier({ inner: rows, route: (shape, table) => mapping.route(shape, table) });
  const { lanes, minRows } = lanesOf(config);
  const own = sqlApplier(config, schema);
  const shareApplier = new UnparkedApplier({ pipeline: config.name, inner: own });
  const preparer = new LanePreparer({
    lanes,
    minRows,
    serial: applier,
    share: shareApplier,
    plan: (shape, route) => own.plan(shape, route),
    isProcessed: ({ schema, table }) => mapping.ruleFor(schema, table)?.processor != null,
  });
  return {
    prepare: (batch, signal) => preparer.prepare(batch, signal),
    tablesAsOf: (name) => {
      if (tablesAsOf !== name && tablesAsOf !== null) {
        schema.invalidate();
        relations.invalidate();
      }
      tablesAsOf = name;
    },
    server: async () => {
      const { flavour, versionNumber } = await schema.traits();
      return { flavour, version: versionNumber };
    },
    newRun: () =>
      new LanedLoadRun({
        lanes,
        shareApplier,
        ...(options.onLane === undefined ? {} : { onLane: options.onLane }),
        onTableError: config.onTableError,
        pipeline: config.name,
        node,
        target,
        applier,
        beforeInFlight: options.beforeInFlight,
        onState: options.onState,
        clock,
        log,
      }),
    close: () => side.close(),
  };
}

/** What draining parked tables of a pipeline needs: its rules as they are now, and an applier that holds nothing back. */
export async function drainKit(options: {
  readonly config: PipelineConfig;
  readonly target: DataSourceConfig;
  /** What an operator said the columns of a table were. */
  readonly definitionsOf: (name: TableName) => readonly TableFacts[];
  readonly clock: Clock;
}) {
  const { config, target, clock, definitionsOf } = options;
  const side = sideQuery(target);
  const extractor = await Extractor.open(config);
  const transformer = new Transformer({ pipeline: config });
  return {
    applier: sqlApplier(config, new TargetSchema({ query: side.query, clock })),
    transform: async ({ header, payload }: HeldBatch, signal: AbortSignal) => {
      const repaired = await repairPayload(payload, definitionsOf, signal);
      const extracted = await extractor.processRepaired({ header, payload: repaired }, signal);
      return transformer.transform(extracted, clock.nowMs());
    },
    close: () => side.close(),
  };
}

function sqlApplier(config: PipelineConfig, schema: TargetSchema): SqlBatchApplier {
  return new SqlBatchApplier({
    schema,
    ledger: new TargetLedger(),
    conflict: config.conflict,
    sourceSite: config.sourceSite,
  });
}

/** A session for questions about the target's tables, opened when the first is asked. */
function sideQuery(target: DataSourceConfig): { readonly query: SchemaQuery; close(): Promise<void> } {
  const session = new Reopening({
    open: () => connectTarget(target, { session: { writes: false } }),
    close: (one) => one.close(),
    isGood: (one) => one.usable,
  });
  return {
    query: (sql) =>
      session
        .use((one) => one.rows(sql))
        .catch((error: unknown) => {
          throw targetError(error);
        }),
    close: () => session.close(),
  };
}
