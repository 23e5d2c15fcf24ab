/**
 * What the owner of a source does: one canal engine and one heartbeat for it, and the mainstems of all pipelines that read it.
 */
import type { BinlogEngine } from '../../canal/engine.ts';
import { Backoff } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import { isAbort } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Service } from '../../lib/service.ts';
import { TaskGroup } from '../../lib/task-group.ts';
import type { DataSourceId } from '../../model/ids.ts';
import type { OwnedSource } from '../../scheduler/contract.ts';
import type { PipelineLead } from './pipeline-lead.ts';

export interface SourceLeadOptions {
  readonly source: DataSourceId;
  /** Opens the engine: connects, and checks that the source can be followed. */
  readonly openEngine: (signal: AbortSignal) => Promise<BinlogEngine>;
  /** Makes sure of the source's `holt` schema before anything is written there. */
  readonly prepareSource: (signal: AbortSignal) => Promise<void>;
  /** What writes heartbeats, and looks how far the log is. */
  readonly instruments: (engine: BinlogEngine) => readonly Service[];
  readonly pipelines: (owned: OwnedSource, engine: BinlogEngine) => readonly PipelineLead[];
  /** What keeps the source from being followed; null when nothing does. */
  readonly onTrouble: (error: unknown) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Until `signal` aborts: everything it started has ended then. */
export async function leadSource(
  options: SourceLeadOptions,
  owned: OwnedSource,
  signal: AbortSignal,
): Promise<void> {
  const { log, clock, source } = options;
  const engine = await untilOpen(options, signal);
  if (engine === null) return;
  log.info(
    { event: 'source:lead:begin', source, server: engine.source.version },
    'this node follows the source',
  );
  const background = new TaskGroup((error) => {
    if (!isAbort(error))
      log.error({ event: 'source:lead:failed', source, err: error }, 'following the source failed');
  });
  const instruments = options.instruments(engine);
  try {
    background.spawn(() => engine.run());
    for (const one of instruments) background.spawn(() => one.run());
    await Promise.all(options.pipelines(owned, engine).map((one) => one.run(signal)));
  } finally {
    const startedMs = clock.monotonicMs();
    await Promise.allSettled([...instruments.map((one) => one.stop()), engine.stop()]);
    await background.idle();
    log.info(
      { event: 'source:lead:end', source, duration_ms: Math.round(clock.monotonicMs() - startedMs) },
      'this node follows the source no more',
    );
  }
}

/** Tries until the source can be followed: what is wrong there heals by itself when its cause is gone. */
async function untilOpen(options: SourceLeadOptions, signal: AbortSignal): Promise<BinlogEngine | null> {
  const backoff = new Backoff({ initialMs: 200, maxMs: 10_000 });
  while (!signal.aborted) {
    try {
      const engine = await options.openEngine(signal);
      await options.prepareSource(signal);
      options.onTrouble(null);
      return engine;
    } catch (error) {
      if (signal.aborted) return null;
      options.onTrouble(error);
      const facts = {
        event: 'source:open:failed',
        source: options.source,
        attempt: backoff.attempt,
        err: error,
      };
      if (backoff.attempt > 3) options.log.error(facts, 'the source cannot be followed; trying again');
      else options.log.warn(facts, 'the source cannot be followed; trying again');
      await options.clock.sleep(backoff.nextMs(), signal).catch(() => {});
    }
  }
  return null;
}
