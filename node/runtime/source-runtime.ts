/**
 * One source on this node: contends for it, and while it is ours reads it and holds the mainstems of its pipelines.
 */
import { BinlogEngine } from '../../canal/engine.ts';
import { HEARTBEAT_SESSION_SQL, HeartbeatWriter } from '../../canal/heartbeat.ts';
import { ServerConnection } from '../../canal/protocol/server-connection.ts';
import type { Clock } from '../../lib/clock.ts';
import { HoltError, isAbort } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { TaskGroup } from '../../lib/task-group.ts';
import type { LoadReceipt } from '../../model/batch.ts';
import type { DataSourceConfig, NodeConfig, PipelineConfig } from '../../model/config.ts';
import type { NodeId } from '../../model/ids.ts';
import type { BinlogCoordinates } from '../../model/position.ts';
import type { NodeRegistry, PipelineStore, Reign } from '../../scheduler/contract.ts';
import { TreeSourceOwnership } from '../../scheduler/source-ownership.ts';
import type { CoordinationTree } from '../../scheduler/tree/tree.ts';
import { readCheckpoint } from '../../stages/load/checkpoint.ts';
import { readExplicitDefaults, readOpenMarks } from '../../stages/load/ddl/open-marks.ts';
import { EmptyAdvance } from '../../stages/load/empty-advance.ts';
import { readSelectState } from '../../stages/load/select-state.ts';
import { readDefinitionsAt } from '../../stages/load/table-shapes.ts';
import type { Pipe } from '../../stages/pipe/pipe.ts';
import { Selector } from '../../stages/select/selector.ts';
import { tableChangesOf } from '../../stages/select/table-changes.ts';
import { TableFilter } from '../../stages/select/table-filter.ts';
import type { Clocks } from '../status/lag/clocks.ts';
import { LagMeter, type ReadFacts } from '../status/lag/lag-meter.ts';
import { type PipelineMeter, type Problem, problemOf } from '../status/local-status.ts';
import type { SelectReport } from '../status/node-report.ts';
import { RateMeter } from '../status/rate.ts';
import type { PipelineConfigs } from './pipeline-configs.ts';
import { type LeadState, PipelineLead, type SelectRun, type SelectRunOptions } from './pipeline-lead.ts';
import type { PipelineRuntime } from './pipeline-runtime.ts';
import { predictedNode } from './placement.ts';
import { RowWatch, type SeenRow } from './row-watch.ts';
import { leadSource } from './source-lead.ts';
import { SourceSight } from './source-sight.ts';
import { ensureSchema, targetHalf, withSession } from './target-half.ts';

const HEARTBEAT_MS = 1_000;

/** A pipeline that reads the source, with what this node has of it. */
export interface LedPipeline {
  readonly config: PipelineConfig;
  readonly configs: PipelineConfigs;
  readonly runtime: PipelineRuntime;
  readonly meter: PipelineMeter;
  readonly store: PipelineStore;
  readonly target: DataSourceConfig;
}

export interface SourceRuntimeOptions {
  readonly cluster: string;
  readonly source: DataSourceConfig;
  readonly node: NodeConfig;
  readonly instance: string;
  readonly tree: CoordinationTree;
  readonly pipe: Pipe;
  readonly pipelines: readonly LedPipeline[];
  readonly registry: NodeRegistry;
  readonly clocks: Clocks;
  readonly clock: Clock;
  readonly log: Logger;
}

export class SourceRuntime {
  readonly #options: SourceRuntimeOptions;
  readonly #ownership: TreeSourceOwnership;
  readonly #background: TaskGroup;
  readonly #desks: readonly PipelineDesk[];
  readonly #sight: SourceSight;

  constructor(options: SourceRuntimeOptions) {
    this.#options = options;
    const { tree, source, node, instance, log } = options;
    this.#background = new TaskGroup((error) => {
      if (!isAbort(error))
        log.error({ event: 'source:run:failed', err: error }, 'following the source ended unexpectedly');
    });
    this.#sight = new SourceSight({
      source,
      clocks: options.clocks,
      clock: options.clock,
      log,
      readingAt: () => this.#desks.flatMap((desk) => [desk.readingAt, desk.appliedAt]),
      onLook: () => {
        for (const desk of this.#desks) desk.sample();
      },
    });
    this.#desks = options.pipelines.map((one) => new PipelineDesk(options, one, this.#sight));
    this.#ownership = new TreeSourceOwnership({
      tree,
      source: source.name,
      node: node.name,
      instance,
      address: `${node.listen.host}:${node.listen.port}`,
      lead: (owned, signal) =>
        leadSource(
          {
            source: source.name,
            openEngine: (given) => this.#openEngine(given),
            prepareSource: (given) => ensureSchema(source, node.name, given),
            instruments: (engine) => {
              const heartbeat = this.#heartbeat(engine);
              return [heartbeat, this.#sight.gauge(engine, heartbeat)];
            },
            pipelines: (ours, engine) => this.#desks.map((desk) => desk.lead(ours, engine)),
            onTrouble: (error) => {
              for (const desk of this.#desks) desk.trouble(error);
            },
            clock: options.clock,
            log,
          },
          owned,
          signal,
        ).finally(() => {
          for (const desk of this.#desks) desk.leave();
          this.#sight.close();
        }),
      log,
    });
  }

  start(): void {
    this.#background.spawn(() => this.#ownership.run());
  }

  async stop(): Promise<void> {
    await this.#ownership.stop();
    await this.#background.idle();
  }

  #openEngine(signal: AbortSignal): Promise<BinlogEngine> {
    const { source, node, pipelines, log, clock } = this.#options;
    for (const desk of this.#desks) desk.enter();
    // Whether case matters is not known before the check: a table that matches either way is tried.
    const filters = pipelines.map((one) => new TableFilter(one.config.tables, { caseSensitive: false }));
    return BinlogEngine.open(
      {
        source,
        wants: (schema, table) => filters.some((filter) => filter.matches(schema, table)),
        limits: {
          ringBytes: node.memoryBytes / 8,
          // All pipelines read the same parts: none may get larger ones than it asks for.
          partBytes: Math.min(...pipelines.map((one) => one.config.batch.partBytes)),
        },
        changes: tableChangesOf,
        onTrouble: (trouble) => {
          for (const desk of this.#desks) desk.trouble(trouble);
        },
        logger: log,
        clock,
      },
      signal,
    );
  }

  #heartbeat(engine: BinlogEngine): HeartbeatWriter {
    const { cluster, source, node, log, clock } = this.#options;
    return new HeartbeatWriter({
      cluster,
      site: source.site,
      node: node.name,
      idleMs: HEARTBEAT_MS,
      isBusy: () => !engine.logsExactCommitTimes && this.#desks.some((desk) => desk.isBusy),
      connect: async (signal) => {
        const connection = await ServerConnection.connect({ endpoint: source, purpose: 'heartbeat' }, signal);
        for (const sql of HEARTBEAT_SESSION_SQL) await connection.query(sql);
        return {
          execute: async (sql) => {
            await connection.query(sql);
          },
          close: () => connection.close(),
        };
      },
      logger: log,
      clock,
    });
  }
}

/** One pipeline as its source's owner sees it: makes its lead, and keeps what status shows of Select. */
class PipelineDesk {
  readonly #source: SourceRuntimeOptions;
  readonly #pipeline: LedPipeline;
  readonly #rows: RateMeter;
  #state: LeadState = { phase: 'waiting', reign: null, window: null, problem: null };
  #trouble: Problem | null = null;
  #noHeartbeat: Problem | null = null;
  #selector: Selector | null = null;
  #rewinds = 0;
  readonly #lag = new LagMeter();
  readonly #sight: SourceSight;

  constructor(source: SourceRuntimeOptions, pipeline: LedPipeline, sight: SourceSight) {
    this.#source = source;
    this.#pipeline = pipeline;
    this.#sight = sight;
    this.#rows = new RateMeter(source.clock);
  }

  get isBusy(): boolean {
    return this.#rows.perSecond() > 0;
  }

  enter(): void {
    this.#pipeline.meter.select = () => this.#report();
  }

  leave(): void {
    this.#pipeline.meter.select = null;
    this.#selector = null;
  }

  /** Behind the last transaction read, or its last part. */
  get readingAt(): BinlogCoordinates | null {
    return this.#reading().at;
  }

  /** Behind what is applied, while something is in flight. */
  get appliedAt(): BinlogCoordinates | null {
    return this.#lag.appliedAt;
  }

  /** Notes how large the lag is: what the time to catch up is told from. */
  sample(): void {
    if (this.#selector === null) return;
    this.#lag.sample(this.#reading(), this.#sight.view, this.#source.clock.monotonicMs());
  }

  #reading(): ReadFacts {
    const reading = this.#selector?.reading ?? null;
    const last = reading?.lastRead ?? null;
    return {
      at: reading?.at ?? null,
      last: last === null ? null : { ...last, takenMs: this.#source.clock.monotonicMs() },
      pending: reading?.waiting ?? null,
      upstreamMs: reading?.upstreamMs ?? null,
    };
  }

  trouble(error: unknown): void {
    this.#trouble = error === null ? null : problemOf(error, this.#source.clock.nowMs(), this.#trouble);
  }

  lead(owned: Parameters<typeof leadSource>[1], engine: BinlogEngine): PipelineLead {
    const { cluster, node, source, pipe, clock, log } = this.#source;
    const { config, configs, runtime, store, target } = this.#pipeline;
    return new PipelineLead({
      pipeline: config.name,
      owned,
      store,
      tasks: runtime.tasks,
      configs,
      pipe,
      target: targetHalf({
        cluster,
        node: node.name,
        pipeline: () => configs.current?.config ?? config,
        source,
        target,
        engine,
        onState: (state) => log.debug({ event: `raise:${state.kind}`, pipeline: config.name }, 'raise'),
        clock,
        log,
      }),
      select: (options) => this.#select(engine, options),
      passOn: (claim) => runtime.passOn(claim),
      onState: (state) => {
        this.#state = state;
      },
      onRewind: () => {
        this.#rewinds += 1;
      },
      clock,
      log,
    });
  }

  async #select(engine: BinlogEngine, options: SelectRunOptions): Promise<SelectRun> {
    const { cluster, node, pipe, clock, log } = this.#source;
    const { target, store } = this.#pipeline;
    const { reign, config, window, publish, signal } = options;
    const advances = new EmptyAdvance({
      pipeline: config.config.name,
      node: node.name,
      target,
      epoch: reign.epoch,
      tenure: reign.tenure,
      origin: config.config.sourceSite,
      clock,
    });
    // The target may be far: one session, beside that at the source.
    const [{ openDdl, explicitDefaults }, { onlineChanges, definitions }] = await Promise.all([
      withSession(this.#source.source, signal, async (session) => ({
        openDdl: await readOpenMarks(session, session.server.identity, reign.position.at),
        explicitDefaults: await readExplicitDefaults(session),
      })),
      // As of the reign's position: the raise has ended all who could have moved it.
      withSession(target, signal, async (session) => ({
        onlineChanges: await readSelectState(session, config.config.name),
        definitions: await readDefinitionsAt(session, config.config.name),
      })),
    ]);
    let hint: NodeId | null = null;
    this.#sight.renew();
    this.#lag.begin(reign.position.at, clock.monotonicMs());
    const unwatch = store.receipt.watch((reading) => {
      if (reading.kind !== 'value') return;
      hint = reading.value.node;
      if (reading.value.tenure === reign.tenure) this.#received(reading.value);
    });
    const unwatchParts = store.progress.watch((reading) => {
      if (reading.kind !== 'value' || reading.value.tenure !== reign.tenure) return;
      this.#lag.progressed(BigInt(reading.value.seq), reading.value.part, clock.monotonicMs());
    });
    const selector = new Selector({
      pipeline: config.config,
      definitions,
      configVersion: config.version,
      cluster,
      reign,
      engine,
      window,
      openDdl,
      explicitDefaults,
      onlineChanges,
      // Completed by the pipe before the batch is published.
      place: ({ sha256, bytes }) => ({
        kind: 'node',
        node: node.name,
        site: node.site,
        address: '',
        sha256,
        bytes,
      }),
      hint: () => predictedNode(hint, config.config.targetSite, this.#source.registry.nodes),
      onHeartbeat: (beat) => this.#sight.read(beat),
      sourceAheadMs: () => this.#sight.aheadMs,
      emit: async ({ header, payload }, first) => {
        const seq = BigInt(header.seq);
        const { part, lastPart, endFile: file, endOffset: offset } = header;
        window.add(header);
        const end = { file, offset };
        this.#lag.flight({ seq, part, lastPart, first, end, sinceMs: clock.monotonicMs() });
        this.#rows.add(header.rows);
        const key = {
          pipeline: header.pipeline,
          tenure: header.tenure,
          seq,
          part,
          sha256: header.payload.sha256,
        };
        const place = await pipe.put(key, payload, signal);
        log.debug(
          { event: 'select:batch:kept', batch: header.seq, part: header.part, held: pipe.heldBytes },
          'a batch is in the pipe',
        );
        await publish({ ...header, payload: place });
        this.#lag.published(seq, part, clock.monotonicMs());
      },
      emptyAdvance: async ({ lastCommitUs, ...step }) => {
        const { seq } = step;
        const outcome = await advances.advance({ ...step, sourceCommittedUs: lastCommitUs }, signal);
        switch (outcome.kind) {
          case 'advanced':
            window.advance(seq);
            this.#lag.advanced(step.end.at, clock.monotonicMs());
            return;
          case 'rewind':
            throw new HoltError('HOLT_LOAD_REWIND', outcome.why, { disposition: 'rewind' });
          case 'superseded':
            throw new HoltError('HOLT_EPOCH_SUPERSEDED', 'a higher epoch rules in the target', {
              disposition: 'rewind',
            });
          case 'stop':
            throw outcome.error;
          default:
            outcome satisfies never;
        }
      },
      logger: log,
      clock,
    });
    this.#selector = selector;
    const rowWatch = new RowWatch({
      reign,
      window,
      read: (wait) => seenRow(target, reign, wait),
      clock,
      log,
    });
    return {
      run: () => Promise.race([selector.run(), rowWatch.run()]),
      poke: () => selector.poke(),
      stop: async () => {
        unwatch();
        unwatchParts();
        await rowWatch.stop();
        await selector.stop();
        await advances.close();
      },
    };
  }

  #report(): SelectReport {
    const { clock } = this.#source;
    const { reign, window, phase, problem } = this.#state;
    const status = this.#selector?.status ?? null;
    return {
      state: phase,
      epoch: reign?.epoch ?? null,
      position: status?.position.text ?? reign?.position.text ?? '',
      file: status?.position.at?.file ?? null,
      offset: status?.position.at?.offset ?? null,
      sourceConnected: this.#trouble === null,
      lag:
        this.#selector === null
          ? null
          : this.#lag.report(this.#reading(), this.#sight.view, clock.monotonicMs()),
      sourceClock: this.#source.clocks.reading(`database ${this.#source.source.name}`),
      inFlight: window?.inFlight ?? 0,
      inFlightBytes: window?.inFlightBytes ?? 0,
      rows: this.#rows.report(),
      skipped: {
        loop: status?.counts.foreign ?? 0,
        filtered: status?.counts.filtered ?? 0,
        ddl: status?.counts.statementsIgnored ?? 0,
      },
      chunks: status?.counts.chunks ?? 0,
      rewinds: this.#rewinds,
      problem: this.#trouble ?? problem ?? this.#heartbeatProblem(),
    };
  }

  /** Without heartbeats nobody knows how far reading is. */
  #heartbeatProblem(): Problem | null {
    const why = this.#selector === null ? null : this.#sight.heartbeatTrouble;
    this.#noHeartbeat =
      why === null
        ? null
        : problemOf(
            new HoltError('HOLT_HEARTBEAT_FAILED', `the heartbeat at the source cannot be written: ${why}`, {
              disposition: 'retry',
            }),
            this.#source.clock.nowMs(),
            this.#noHeartbeat,
          );
    return this.#noHeartbeat;
  }

  /** When Load's COMMIT was answered, as the clocks of two nodes tell; at the latest now. */
  #received({ seq, node, appliedMs }: LoadReceipt): void {
    const { clock, clocks } = this.#source;
    const nowMs = clock.monotonicMs();
    const told = clocks.moment(`node ${node}`, appliedMs);
    this.#lag.received(BigInt(seq), told ?? { atMs: nowMs, errorMs: null }, nowMs, this.#sight.view);
  }
}

/** Over a connection of its own each time: an old one might still lead to a server that is the target no more. */
function seenRow(target: DataSourceConfig, { pipeline }: Reign, signal: AbortSignal): Promise<SeenRow> {
  return withSession(target, signal, async (session) => ({
    row: await readCheckpoint(session, pipeline),
    server: session.server.identity,
  }));
}
