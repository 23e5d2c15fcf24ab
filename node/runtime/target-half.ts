/** What of a raise happens in the target and at the source's `holt` schema: the stages' fence under the scheduler's contract. */
import type { CanalEngine } from '../../canal/canal.ts';
import type { Clock } from '../../lib/clock.ts';
import { HoltError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { DataSourceConfig, PipelineConfig } from '../../model/config.ts';
import type { Position } from '../../model/position.ts';
import type { TargetHalf } from '../../scheduler/contract.ts';
import { targetError } from '../../stages/load/target/error-classes.ts';
import { connectTarget } from '../../stages/load/target/mysql2-connection.ts';
import { type RaiseState, TargetRaiser } from '../../stages/load/target/raise.ts';
import { migrate } from '../../stages/load/target/schema/migrate.ts';
import { hasRun, markHasRun } from '../../stages/load/target/schema/run-row.ts';
import type { TargetSession } from '../../stages/load/target/target-connection.ts';
import { lanesOf } from './load-kit.ts';

export interface TargetHalfOptions {
  readonly cluster: string;
  readonly node: string;
  readonly pipeline: () => PipelineConfig;
  readonly source: DataSourceConfig;
  readonly target: DataSourceConfig;
  readonly engine: CanalEngine;
  readonly onState: (state: RaiseState) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

export function targetHalf(options: TargetHalfOptions): TargetHalf {
  const { cluster, node, source, target, engine, log, clock } = options;
  const { name } = options.pipeline();
  const run = { cluster, pipeline: name };
  let migrated = false;
  const raiser = new TargetRaiser({
    cluster,
    pipeline: name,
    node,
    target,
    origin: options.pipeline().sourceSite,
    sourceIdentity: () => Promise.resolve(engine.source.identity),
    startPosition: () => startOf(options.pipeline(), engine),
    hasRunAtSource: (signal) => withSession(source, signal, (session) => hasRun(session, run)),
    markRunAtSource: (signal) => withSession(source, signal, (session) => markHasRun(session, run)),
    sourceHas: (text) => engine.mustHave(text),
    lanes: () => lanesOf(options.pipeline()).lanes,
    onState: options.onState,
    clock,
    log,
  });
  return {
    async readEpoch(signal) {
      if (!migrated) {
        await ensureSchema(target, node, signal);
        migrated = true;
      }
      return raiser.readEpoch(signal);
    },
    raise: (request, signal) => raiser.raise(request, signal),
  };
}

/** Brings a server's `holt` schema to the version this program knows. */
export function ensureSchema(server: DataSourceConfig, by: string, signal: AbortSignal): Promise<void> {
  return withSession(server, signal, async (connection) => {
    await migrate({ connection, by, signal });
  });
}

/** A session for one piece of work. @throws HoltError for everything the server or the link answers. */
export async function withSession<T>(
  server: DataSourceConfig,
  signal: AbortSignal,
  work: (session: TargetSession) => Promise<T>,
): Promise<T> {
  try {
    const session = await connectTarget(server, { signal });
    try {
      return await work(session);
    } finally {
      await session.close();
    }
  } catch (error) {
    signal.throwIfAborted();
    throw targetError(error);
  }
}

function startOf(pipeline: PipelineConfig, engine: CanalEngine): Promise<Position> {
  if (pipeline.start !== null) return engine.resolveStart(pipeline.start);
  throw new HoltError(
    'HOLT_START_MISSING',
    `pipeline ${pipeline.name} has no checkpoint, and its configuration does not say where to start`,
    {
      disposition: 'pause',
      remedy:
        'Set start: now, earliest, {gtid}, {file, pos} or {time}, restart a node with it, and resume; or `holt position set`.',
      facts: { pipeline: pipeline.name },
    },
  );
}
