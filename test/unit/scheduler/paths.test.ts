import { expect, it } from 'vitest';
import { dataSourceId, nodeId, pipelineId } from '../../../model/ids.ts';
import * as paths from '../../../scheduler/paths.ts';

it('paths are those of protocol.md and of Canal', () => {
  const pipeline = pipelineId('shop');
  const source = dataSourceId('east-db');
  expect([
    paths.nodePath(nodeId('east-1')),
    ...paths.PIPELINE_RECORDS.map((record) => paths.recordPath(pipeline, record)),
    paths.mainLockPath(pipeline),
    paths.taskPath(pipeline, 'load', { epoch: 3, seq: 42n, part: 0 }),
    paths.lockOf(paths.taskPath(pipeline, 'extract', { epoch: 3, seq: 42n, part: 7 })),
    paths.runningPath(source),
    paths.clientRunningPath(source, pipeline),
    paths.clientCursorPath(source, pipeline),
  ]).toEqual([
    '/seda/node/east-1',
    '/seda/pipeline/shop/config',
    '/seda/pipeline/shop/state',
    '/seda/pipeline/shop/epoch',
    '/seda/pipeline/shop/receipt',
    '/seda/pipeline/shop/progress',
    '/seda/pipeline/shop/termination',
    '/seda/stage/shop:select/main/lock',
    '/seda/stage/shop:load/0000000003-00000000000000000042',
    '/seda/stage/shop:extract/0000000003-00000000000000000042.00000007/lock',
    '/otter/canal/destinations/east-db/running',
    '/otter/canal/destinations/east-db/shop/running',
    '/otter/canal/destinations/east-db/shop/cursor',
  ]);
});
