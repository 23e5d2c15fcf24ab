/** What the runtime's parts share: made once per process by `node/compose.ts`, never changed after. */
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { DataSourceConfig, HoltConfig, NodeConfig } from '../../model/config.ts';
import type { DataSourceId, PipelineId } from '../../model/ids.ts';
import type { NodeRegistry, PipelineStore } from '../../scheduler/contract.ts';
import type { CoordinationTree } from '../../scheduler/tree/tree.ts';
import type { Pipe } from '../../stages/pipe/pipe.ts';

export interface Plumbing {
  readonly config: HoltConfig;
  readonly node: NodeConfig;
  readonly tree: CoordinationTree;
  readonly registry: NodeRegistry;
  readonly pipe: Pipe;
  readonly log: Logger;
  readonly clock: Clock;
  store(pipeline: PipelineId): PipelineStore;
  dataSource(name: DataSourceId): DataSourceConfig;
}
