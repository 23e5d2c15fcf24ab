/** Load's parts for one pipeline at its target: applier, ledger, runs. */
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { Reopening } from '../../lib/reopening.ts';
import type { DataSourceConfig, PipelineConfig } from '../../model/config.ts';
import type { NodeId } from '../../model/ids.ts';
import { SqlBatchApplier } from '../../stages/load/apply/batch-applier.ts';
import { TargetSchema } from '../../stages/load/apply/target-schema.ts';
import { TargetLedger } from '../../stages/load/ledger.ts';
import { type LoadState, TargetLoadRun } from '../../stages/load/load-run.ts';
import { targetError } from '../../stages/load/target/error-classes.ts';
import { connectTarget } from '../../stages/load/target/mysql2-connection.ts';
import { XaApplier } from '../../stages/load/xa/xa-applier.ts';
import { TableMapping } from '../../stages/transform/table-mapping.ts';
import type { LoadKit } from './load-worker.ts';

export interface LoadKitOptions {
  readonly config: PipelineConfig;
  readonly target: DataSourceConfig;
  readonly node: NodeId;
  /** Whether a task before `seq` stands somewhere: Load then waits for it. */
  readonly beforeInFlight: (seq: bigint) => boolean;
  readonly onState: (state: LoadState) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Opens nothing yet: the schema's session is opened when a table is first asked for, a run's when it is taken. */
export function loadKit(options: LoadKitOptions): LoadKit {
  const { config, target, node, clock, log } = options;
  const session = new Reopening({
    open: () => connectTarget(target, { session: { writes: false } }),
    close: (one) => one.close(),
    isGood: (one) => one.usable,
  });
  const rows = new SqlBatchApplier({
    schema: new TargetSchema({
      query: (sql) =>
        session
          .use((one) => one.rows(sql))
          .catch((error: unknown) => {
            throw targetError(error);
          }),
      clock,
    }),
    ledger: new TargetLedger(),
    conflict: config.conflict,
    sourceSite: config.sourceSite,
  });
  const mapping = new TableMapping(config.rules);
  const applier = new XaApplier({ inner: rows, route: (shape, table) => mapping.route(shape, table) });
  return {
    applier,
    newRun: () =>
      new TargetLoadRun({
        pipeline: config.name,
        node,
        target,
        applier,
        beforeInFlight: options.beforeInFlight,
        onState: options.onState,
        clock,
        log,
      }),
    close: () => session.close(),
  };
}
