/** `Operations` by a node: what it can tell from the tree, the targets and the other nodes, and what it asks of them. */

import { z } from 'zod';
import { definitionText } from '../canal/schema/definition.ts';
import { SchemaReader } from '../canal/schema/schema-reader.ts';
import { SourceSession } from '../canal/schema/source-session.ts';
import { mustBeReadableFrom } from '../canal/source/readable-from.ts';
import type { VerifyRuns } from '../jobs/verify/verify-runs.ts';
import type { Clock } from '../lib/clock.ts';
import { HoltError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { parseTaskName } from '../model/batch.ts';
import type { DataSourceConfig, HoltConfig, NodeConfig, PipelineConfig } from '../model/config.ts';
import type { DataSourceId, NodeId, PipelineId } from '../model/ids.ts';
import type { ClockReading } from '../model/lag.ts';
import { PayloadReader } from '../model/payload.ts';
import { formOf, type Position, type PositionText } from '../model/position.ts';
import { positionFromInput } from '../model/position-input.ts';
import { TASK_STAGES } from '../model/stage.ts';
import { configIdOf } from '../scheduler/config-history.ts';
import type { KeptConfig, PipelineStore } from '../scheduler/contract.ts';
import { stagePath } from '../scheduler/paths.ts';
import type { CoordinationTree } from '../scheduler/tree/tree.ts';
import { isTreeError } from '../scheduler/tree/tree-error.ts';
import { SqlBatchApplier } from '../stages/load/apply/batch-applier.ts';
import { TargetSchema } from '../stages/load/apply/target-schema.ts';
import { deleteCheckpoint, readCheckpoint } from '../stages/load/checkpoint.ts';
import type { DdlRow } from '../stages/load/ddl/ddl.ts';
import { ddlRow, settleByHand } from '../stages/load/ddl/ddl-commands.ts';
import { readDdlRows } from '../stages/load/ddl/journal.ts';
import {
  type LedgerSummary,
  listLedger,
  readLedgerEntry,
  type StoredLedgerEntry,
} from '../stages/load/ledger.ts';
import { closeLedgerEntry } from '../stages/load/ledger-close.ts';
import { isSameTable, type TableName, tableText } from '../stages/load/parked/parked.ts';
import { addDefinitions } from '../stages/load/parked/parked-rows.ts';
import { parkedGroups, parkTable, resumeTable } from '../stages/load/parked/table-commands.ts';
import { ReplayLedger, replayLedgerEntry } from '../stages/load/replay.ts';
import { TargetRaiser } from '../stages/load/target/raise.ts';
import { forgetRun, hasRun, markHasRun } from '../stages/load/target/schema/run-row.ts';
import { TableMapping } from '../stages/transform/table-mapping.ts';
import type { PeerQuestion, Peers } from './api/peers.ts';
import { configDiff } from './config-diff.ts';
import { hideSecrets } from './hidden-secrets.ts';
import type {
  ConfigCheckView,
  ConfigDiffView,
  ConfigView,
  DdlDetailView,
  DdlView,
  DesiredChange,
  KeptConfigDetailView,
  KeptConfigView,
  LedgerDetailView,
  LedgerEntryView,
  LedgerFilter,
  NodeConfigView,
  NodeView,
  Operations,
  ParkedTableView,
  ParkRequest,
  PipelineStatusView,
  PositionView,
  QueuesView,
  RestartRequest,
  ResumeRequest,
  SettleRequest,
  VerifyView,
  WaitRequest,
  WaitView,
} from './operations.ts';
import { nodeConfigView, verifyView } from './operations.ts';
import { parkedViews } from './parked-view.ts';
import type { Queues } from './queues.ts';
import { readableRow } from './readable-row.ts';
import {
  canonicalJson,
  checkConfig,
  parseStored,
  replacingConfig,
  storedForm,
} from './runtime/pipeline-configs.ts';
import { ensureSchema, withSession } from './runtime/target-half.ts';
import type { StatusCollector } from './status/collect.ts';
import type { TraceRequest, TraceView } from './trace/trace.ts';
import type { TraceRuns } from './trace/trace-runs.ts';
import { verifyInput } from './verify-input.ts';
import type { Arrivals } from './wait/arrivals.ts';
import { sourceHead } from './wait/source-head.ts';
import { wantedPosition } from './wait/wanted-position.ts';

export interface InstallationOptions {
  readonly config: HoltConfig;
  readonly node: NodeId;
  readonly tree: CoordinationTree;
  readonly store: (pipeline: PipelineId) => PipelineStore;
  readonly collector: StatusCollector;
  readonly verifyRuns: VerifyRuns;
  readonly peers: Pick<Peers, 'ask' | 'askAll' | 'self'>;
  readonly queues: Queues;
  /** This node's own part of the configuration. */
  readonly nodeConfig: NodeConfig;
  readonly arrivals: Pick<Arrivals, 'wait'>;
  readonly traces: Pick<TraceRuns, 'start' | 'get' | 'cancel'>;
  readonly dataSource: (name: DataSourceId) => DataSourceConfig;
  readonly clock: Clock;
  readonly log: Logger;
}

interface ChecksQuestion {
  readonly pipeline: string;
  /** Null for all of the pipeline. */
  readonly id: string | null;
}

export const CHECKS_QUESTION: PeerQuestion<ChecksQuestion, { checks: VerifyView[] }> = {
  name: 'checks',
  question: z.strictObject({ pipeline: z.string(), id: z.string().nullable() }),
  answer: z.object({ checks: z.array(verifyView) }),
};

export const NODE_CONFIG_QUESTION: PeerQuestion<Record<string, never>, NodeConfigView> = {
  name: 'config',
  question: z.strictObject({}),
  answer: nodeConfigView,
};

/** Longest that an operation at a database may take. */
const OPERATION_MS = 60_000;
/** Of a position that is shown. */
const MAX_POSITION = 500;

export class Installation implements Operations {
  readonly #options: InstallationOptions;
  /** By pipeline: some position of it. */
  readonly #likes = new Map<PipelineId, PositionText>();

  constructor(options: InstallationOptions) {
    this.#options = options;
  }

  nodes(): Promise<readonly NodeView[]> {
    return this.#options.collector.nodes();
  }

  clocks(): Promise<readonly ClockReading[]> {
    return this.#options.collector.clocks();
  }

  pipelines(): Promise<readonly PipelineStatusView[]> {
    return this.#options.collector.pipelines(this.#options.config.pipelines.map((one) => one.name));
  }

  async pipeline(name: string): Promise<PipelineStatusView> {
    const [status] = await this.#options.collector.pipelines([this.#named(name).name]);
    if (status === undefined) throw unknown(name);
    return status;
  }

  async setDesired(name: string, { desired, by, why }: DesiredChange): Promise<void> {
    const { name: pipeline } = this.#named(name);
    await this.#options
      .store(pipeline)
      .desired.set(
        { version: 1, desired, by, why, code: null, sinceMs: Math.round(this.#options.clock.nowMs()) },
        'any',
      );
    this.#options.log.info(
      { event: 'pipeline:desired:set', pipeline, desired, user: by, reason: why },
      'what is wanted of a pipeline was changed',
    );
  }

  async restart(name: string, { by, why, onlyFailed }: RestartRequest): Promise<boolean> {
    const { name: pipeline } = this.#named(name);
    const { desired } = this.#options.store(pipeline);
    const wanted = await desired.get();
    if (wanted !== null && wanted.value.desired !== 'running') {
      // What a person has paused is for a person to resume: a restart says nothing of his reason.
      if (wanted.value.by !== 'holt' || wanted.value.code === null)
        throw new HoltError(
          'HOLT_PIPELINE_STATE',
          `${name} is ${wanted.value.desired} by ${wanted.value.by}`,
          {
            disposition: 'fatal',
            remedy: `Resume it: holt pipeline resume ${name}`,
          },
        );
      await this.setDesired(name, { desired: 'running', by, why });
      return true;
    }
    if (onlyFailed) return false;
    await this.#rewind(pipeline, by, why);
    return true;
  }

  async retryBatch(
    name: string,
    batch: string,
    { by, why }: Omit<RestartRequest, 'onlyFailed'>,
  ): Promise<void> {
    const { name: pipeline } = this.#named(name);
    const { tree } = this.#options;
    const stands =
      parseTaskName(batch) !== null &&
      (
        await Promise.all(TASK_STAGES.map((stage) => tree.exists(`${stagePath(pipeline, stage)}/${batch}`)))
      ).some((one) => one !== null);
    if (!stands)
      throw new HoltError('HOLT_BATCH_UNKNOWN', `${name} has no batch ${JSON.stringify(batch)} in flight`, {
        disposition: 'fatal',
      });
    await this.#rewind(pipeline, by, `batch ${batch}${why === '' ? '' : `: ${why}`}`);
  }

  /** The reign that rules now ends, and the next one reads on from the target's row: nothing is lost or applied twice. */
  async #rewind(pipeline: PipelineId, by: string, why: string): Promise<void> {
    const { store, node, clock, log } = this.#options;
    const { epoch, termination } = store(pipeline);
    const ruling = await epoch.get();
    if (ruling === null)
      throw new HoltError('HOLT_PIPELINE_STATE', `no node has begun with ${pipeline} yet`, {
        disposition: 'retry',
      });
    await termination.set(
      {
        version: 1,
        kind: 'rewind',
        code: 'HOLT_RESTART_ASKED',
        why: `${by}${why === '' ? '' : `: ${why}`}`.slice(0, 4000),
        stage: 'select',
        node,
        epoch: ruling.value.epoch,
        tenure: ruling.value.tenure,
        seq: ruling.value.seq,
        requestedMs: Math.round(clock.nowMs()),
      },
      'any',
    );
    log.warn(
      { event: 'pipeline:restart:asked', pipeline, user: by, reason: why },
      'a pipeline was asked to begin anew from its checkpoint',
    );
  }

  async deletePipeline(name: string): Promise<void> {
    const pipeline = this.#named(name);
    await this.#mustBe(pipeline, ['stopped'], 'deleted');
    const signal = AbortSignal.timeout(OPERATION_MS);
    await deleteCheckpoint({
      pipeline: pipeline.name,
      node: this.#options.node,
      target: this.#target(pipeline),
      signal,
      withLedger: false,
    });
    await withSession(this.#options.dataSource(pipeline.source), signal, (session) =>
      forgetRun(session, { cluster: this.#options.config.cluster, pipeline: pipeline.name }),
    );
    await this.#options.store(pipeline.name).destroy(signal);
    this.#options.log.warn({ event: 'pipeline:deleted', pipeline: pipeline.name }, 'a pipeline was deleted');
  }

  async config(name: string): Promise<ConfigView> {
    const own = this.#named(name);
    const pipeline = own.name;
    const stored = await this.#options.store(pipeline).config.get();
    if (stored === null)
      throw new HoltError('HOLT_PIPELINE_STATE', `no node has begun with ${pipeline} yet`, {
        disposition: 'retry',
      });
    const { text, by, writtenMs, replaces } = stored.value;
    return {
      ...{ pipeline, version: stored.version, by, writtenMs, overridesFiles: replaces !== undefined },
      isOfFiles: stored.value.digest === storedForm(own, by, writtenMs).digest,
      config: JSON.parse(text) as Record<string, unknown>,
    };
  }

  async setConfig(name: string, version: number, config: unknown, by: string): Promise<ConfigView> {
    const { store, clock, log } = this.#options;
    const own = this.#named(name);
    const node = store(own.name).config;
    const stored = await node.get();
    if (stored === null || stored.version !== version) throw changedSince(name, stored?.version ?? null);
    const nowMs = clock.nowMs();
    const next = replacingConfig(config, parseStored(stored.value, node.path));
    const file = storedForm(own, by, nowMs).digest;
    const wanted = storedForm(next, by, nowMs);
    // What rules already is not written again: that would end a reign for nothing.
    if (wanted.digest === stored.value.digest) return this.config(name);
    const written = { ...wanted, ...(wanted.digest === file ? {} : { replaces: file }) };
    try {
      await node.set(written, version);
    } catch (error) {
      if (isTreeError(error, 'bad-version', 'no-node')) throw changedSince(name, null);
      throw error;
    }
    // For whoever looks at the history next; every node that takes the configuration sees to it, too.
    await store(own.name)
      .configHistory.keep(written)
      .catch((error: unknown) =>
        log.debug({ event: 'config:history:failed', err: error }, 'a configuration could not be kept'),
      );
    log.warn(
      { event: 'config:replaced', pipeline: name, user: by, digest: wanted.digest.slice(0, 12) },
      'the configuration of a pipeline was changed through the API',
    );
    return this.config(name);
  }

  async checkConfig(name: string, config: unknown): Promise<ConfigCheckView> {
    const ruling = await this.ruling(name);
    const { config: checked, problems } = checkConfig(config, ruling);
    return {
      valid: checked !== null,
      problems,
      differences: checked === null ? [] : configDiff(ruling, checked),
    };
  }

  async configHistory(name: string): Promise<readonly KeptConfigView[]> {
    const { config, configHistory } = this.#options.store(this.#named(name).name);
    const [ruling, kept] = await Promise.all([config.get(), configHistory.list()]);
    const current = ruling === null ? null : configIdOf(ruling.value);
    return kept.map((one) => keptView(one, current));
  }

  async keptConfig(name: string, id: string): Promise<KeptConfigDetailView> {
    const { config, configHistory } = this.#options.store(this.#named(name).name);
    const [ruling, kept] = await Promise.all([config.get(), configHistory.get(id)]);
    if (kept === null) throw configUnknown(name, id);
    return {
      ...keptView(kept, ruling === null ? null : configIdOf(ruling.value)),
      config: JSON.parse(kept.config.text) as Record<string, unknown>,
    };
  }

  async configDiff(name: string, from: string, to: string): Promise<ConfigDiffView> {
    const read = async (which: string): Promise<unknown> => {
      switch (which) {
        case 'current':
          return (await this.config(name)).config;
        case 'files':
          return JSON.parse(canonicalJson(this.#named(name)));
        default:
          return (await this.keptConfig(name, which)).config;
      }
    };
    const [before, after] = await Promise.all([read(from), read(to)]);
    return { from, to, differences: configDiff(before, after) };
  }

  async nodeConfig(node: string): Promise<NodeConfigView> {
    const { peers } = this.#options;
    return node === peers.self ? this.ownConfig() : peers.ask(node, NODE_CONFIG_QUESTION, {});
  }

  /** What this node says to `NODE_CONFIG_QUESTION`. */
  ownConfig(): NodeConfigView {
    const { config, nodeConfig, node } = this.#options;
    const { pipelines, ...rest } = config;
    const text = JSON.stringify({ ...rest, node: nodeConfig }, hideSecrets);
    return {
      node,
      pipelines: pipelines.map((one) => one.name),
      config: JSON.parse(text) as Record<string, unknown>,
    };
  }

  queues(): Promise<QueuesView> {
    return this.#options.queues.all(this.#options.peers);
  }

  async position(name: string): Promise<PositionView> {
    const pipeline = this.#named(name);
    const row = await withSession(this.#target(pipeline), AbortSignal.timeout(OPERATION_MS), (session) =>
      readCheckpoint(session, pipeline.name),
    );
    return {
      pipeline: pipeline.name,
      position: row?.position.text ?? null,
      file: row?.position.at?.file ?? null,
      offset: row?.position.at?.offset ?? null,
      epoch: row?.epoch ?? null,
      seq: row === null ? null : String(row.seq),
      appliedAt: row?.appliedAt ?? null,
    };
  }

  /**
   * A raise with the position given: whatever still loads for the pipeline is fenced off first. One that the source cannot be read from is
   * refused, before anything is changed.
   */
  async setPosition(name: string, text: string, why: string): Promise<PositionView> {
    const pipeline = this.#named(name);
    const position: Position = { text: positionFromInput(text), at: null, lastEvent: null };
    await this.#mustBe(pipeline, ['paused', 'stopped'], 'moved');
    const signal = AbortSignal.timeout(OPERATION_MS);
    const target = this.#target(pipeline);
    const source = this.#options.dataSource(pipeline.source);
    await mustBeReadableFrom(source, position.text, signal);
    await ensureSchema(target, this.#options.node, signal);
    await ensureSchema(source, this.#options.node, signal);
    const run = { cluster: this.#options.config.cluster, pipeline: pipeline.name };
    const epoch = await this.#options.store(pipeline.name).epoch.get(signal);
    const raiser = new TargetRaiser({
      cluster: this.#options.config.cluster,
      pipeline: pipeline.name,
      node: this.#options.node,
      target,
      origin: pipeline.sourceSite,
      sourceIdentity: async () =>
        await withSession(source, signal, (session) => Promise.resolve(session.server.identity)),
      startPosition: () => Promise.resolve(position),
      hasRunAtSource: (given) => withSession(source, given, (session) => hasRun(session, run)),
      markRunAtSource: (given) => withSession(source, given, (session) => markHasRun(session, run)),
      clock: this.#options.clock,
      log: this.#options.log,
    });
    const result = await raiser.raise(
      {
        takeOver: true,
        seenEpoch: await raiser.readEpoch(signal),
        ownTenure: null,
        treeEpoch: epoch?.value.epoch ?? 0,
        hasRun: epoch !== null,
        position,
      },
      signal,
    );
    if (result.kind === 'stop') throw result.error;
    if (result.kind === 'let-go')
      throw new HoltError(
        'HOLT_PIPELINE_STATE',
        `${pipeline.name} was raised by somebody else meanwhile: ${result.why}`,
        { disposition: 'retry' },
      );
    this.#options.log.warn(
      {
        event: 'position:set',
        pipeline: pipeline.name,
        position: position.text.slice(0, 500),
        reason: why,
        epoch: result.epoch,
      },
      'the position of a pipeline was set',
    );
    return this.position(name);
  }

  async wait(name: string, { gtid, timeoutMs }: WaitRequest, signal: AbortSignal): Promise<WaitView> {
    const pipeline = this.#named(name);
    const { clock, arrivals } = this.#options;
    const startedMs = clock.monotonicMs();
    const timely = AbortSignal.any([signal, AbortSignal.timeout(OPERATION_MS)]);
    const like = await this.#likePosition(pipeline, timely);
    const wanted =
      gtid === null
        ? await sourceHead(this.#options.dataSource(pipeline.source), like, timely)
        : wantedPosition(gtid, like);
    const leftMs = Math.max(0, timeoutMs - (clock.monotonicMs() - startedMs));
    const arrival = await arrivals.wait(name, wanted, leftMs, signal);
    const waitedMs = Math.round(clock.monotonicMs() - startedMs);
    const checkpoint = (arrival.checkpoint ?? like).slice(0, MAX_POSITION);
    const waitedFor = wanted.slice(0, MAX_POSITION);
    if (arrival.by !== null) return { pipeline: name, waitedFor, waitedMs, by: arrival.by, checkpoint };
    const status = await this.pipeline(name).catch(() => null);
    throw notArrived(name, { waitedFor, checkpoint, waitedMs, problem: arrival.problem, status });
  }

  async startTrace(name: string, request: TraceRequest): Promise<TraceView> {
    return this.#options.traces.start(this.#named(name).name, request);
  }

  async trace(name: string, id: string): Promise<TraceView> {
    return this.#options.traces.get(this.#named(name).name, id);
  }

  async cancelTrace(name: string, id: string): Promise<TraceView> {
    return this.#options.traces.cancel(this.#named(name).name, id);
  }

  /** A position of the pipeline: of what form they are, and of which server where they are places in its log. */
  async #likePosition(pipeline: PipelineConfig, signal: AbortSignal): Promise<PositionText> {
    const known = this.#likes.get(pipeline.name);
    if (known !== undefined) return known;
    const row = await withSession(this.#target(pipeline), signal, (session) =>
      readCheckpoint(session, pipeline.name),
    );
    if (row === null)
      throw new HoltError('HOLT_PIPELINE_STATE', `${pipeline.name} has no checkpoint yet`, {
        disposition: 'fatal',
        remedy: 'Wait until it has begun: `holt pipeline status` says what it does.',
      });
    const { text } = row.position;
    // Places are those of one server; sets are those of all that take its place.
    if (formOf(text) !== 'file') this.#likes.set(pipeline.name, text);
    return text;
  }

  async errors(
    name: string,
    limit: number,
    before: string | null,
    { state, kind, table }: LedgerFilter = {},
  ): Promise<readonly LedgerEntryView[]> {
    const pipeline = this.#named(name);
    const entries = await withSession(this.#target(pipeline), AbortSignal.timeout(OPERATION_MS), (session) =>
      listLedger(session, {
        pipeline: pipeline.name,
        limit,
        ...(before === null ? {} : { before: ledgerId(before) }),
        ...(state === undefined ? {} : { state }),
        ...(kind === undefined ? {} : { kind }),
        ...(table === undefined ? {} : { table: tableName(table) }),
      }),
    );
    return entries.map(entryView);
  }

  async error(name: string, id: string): Promise<LedgerDetailView> {
    const pipeline = this.#named(name);
    const entry = await withSession(this.#target(pipeline), AbortSignal.timeout(OPERATION_MS), (session) =>
      readLedgerEntry(session, { pipeline: pipeline.name, id: ledgerId(id) }),
    );
    return { ...entryView(entry), ...images(entry), why: entry.why };
  }

  async replay(name: string, id: string, by: string): Promise<LedgerEntryView> {
    const pipeline = this.#named(name);
    const target = this.#target(pipeline);
    const ledger = new ReplayLedger();
    const entry = await withSession(target, AbortSignal.timeout(OPERATION_MS), async (session) =>
      replayLedgerEntry({
        pipeline: pipeline.name,
        id: ledgerId(id),
        by,
        node: this.#options.node,
        target,
        applier: new SqlBatchApplier({
          schema: new TargetSchema({ query: (sql) => session.rows(sql) }),
          ledger,
          conflict: { detect: true, winner: pipeline.sourceSite },
          sourceSite: pipeline.sourceSite,
        }),
        ledger,
        signal: AbortSignal.timeout(OPERATION_MS),
      }),
    );
    return entryView(entry);
  }

  async closeError(name: string, id: string, by: string): Promise<LedgerEntryView> {
    const pipeline = this.#named(name);
    const entry = await withSession(this.#target(pipeline), AbortSignal.timeout(OPERATION_MS), (session) =>
      closeLedgerEntry(session, { pipeline: pipeline.name, id: ledgerId(id), by }),
    );
    this.#options.log.warn(
      { event: 'ledger:closed', pipeline: pipeline.name, id, user: by },
      'a ledger entry was closed by hand',
    );
    return entryView(entry);
  }

  async ddl(name: string, limit: number, before: string | null): Promise<readonly DdlView[]> {
    const pipeline = this.#named(name);
    const rows = await withSession(this.#target(pipeline), AbortSignal.timeout(OPERATION_MS), (session) =>
      readDdlRows(session, pipeline.name, limit, before === null ? null : ddlId(pipeline.name, before)),
    );
    return rows.map(ddlViewOf);
  }

  async ddlRow(name: string, id: string): Promise<DdlDetailView> {
    const pipeline = this.#named(name);
    const row = await withSession(this.#target(pipeline), AbortSignal.timeout(OPERATION_MS), (session) =>
      ddlRow(session, pipeline.name, ddlId(pipeline.name, id)),
    );
    return ddlDetailOf(row);
  }

  async settleDdl(name: string, id: string, { ran, by }: SettleRequest): Promise<DdlDetailView> {
    const pipeline = this.#named(name);
    const row = await withSession(this.#target(pipeline), AbortSignal.timeout(OPERATION_MS), (session) =>
      settleByHand(session, pipeline.name, { id: ddlId(pipeline.name, id), ran, by }),
    );
    this.#options.log.warn(
      { event: 'ddl:settled:by-hand', pipeline: pipeline.name, id, ran, user: by },
      'a person said whether a schema change ran',
    );
    return ddlDetailOf(row);
  }

  async tables(name: string): Promise<readonly ParkedTableView[]> {
    const pipeline = this.#named(name);
    return withSession(this.#target(pipeline), AbortSignal.timeout(OPERATION_MS), async (session) =>
      parkedViews(await parkedGroups(session, pipeline.name)),
    );
  }

  async parkTable(name: string, table: string, { by, why }: ParkRequest): Promise<ParkedTableView> {
    const pipeline = await this.ruling(name);
    const source = tableName(table);
    const target = new TableMapping(pipeline.rules).target(source.schema, source.table);
    const signal = AbortSignal.timeout(OPERATION_MS);
    await withSession(this.#target(pipeline), signal, (session) =>
      parkTable(session, pipeline.name, { name: source, target, why, by }),
    );
    this.#options.log.warn(
      { event: 'table:park:asked', pipeline: pipeline.name, table, user: by, reason: why },
      'a table is parked by hand',
    );
    const parked = (await this.tables(name)).find((one) => one.table === tableText(source));
    if (parked === undefined) throw notParked(name, table);
    return parked;
  }

  async resumeTable(
    name: string,
    table: string,
    { by, like }: ResumeRequest,
  ): Promise<readonly ParkedTableView[]> {
    const pipeline = this.#named(name);
    const asked = tableName(table);
    const signal = AbortSignal.timeout(OPERATION_MS);
    const groups = await withSession(this.#target(pipeline), signal, async (session) => {
      const group = (await parkedGroups(session, pipeline.name)).find(({ tables }) =>
        tables.some((one) => isSameTable(one.name, asked)),
      );
      if (group === undefined) throw notParked(name, table);
      const definitions = await this.#definitions(pipeline, asked, like, signal);
      if (definitions.length > 0) await addDefinitions(session, pipeline.name, asked, definitions);
      await resumeTable(session, pipeline.name, asked);
      return parkedGroups(session, pipeline.name);
    });
    this.#options.log.warn(
      { event: 'table:resume:asked', pipeline: pipeline.name, table, user: by, like },
      'the held changes of a table are to be applied',
    );
    return parkedViews(groups.filter(({ tables }) => tables.some((one) => isSameTable(one.name, asked))));
  }

  /** What tables at the source are like now, for rows that could not be decoded. */
  async #definitions(
    pipeline: PipelineConfig,
    asked: TableName,
    like: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const session = new SourceSession({ endpoint: this.#options.dataSource(pipeline.source) });
    try {
      const reader = new SchemaReader({ query: (sql) => session.query(sql, signal) });
      const texts: string[] = [];
      for (const name of like.length > 0 ? like.map(tableName) : [asked]) {
        const facts = await reader.read(name.schema, name.table);
        if (facts !== null) texts.push(definitionText(facts));
        else if (like.length > 0)
          throw new HoltError('HOLT_REQUEST_INVALID', `the source shows no table ${tableText(name)}`, {
            disposition: 'fatal',
          });
      }
      return texts;
    } catch (error) {
      // Without the source only rows that can be decoded are applied; nobody asked for more.
      if (like.length === 0 && error instanceof HoltError && error.disposition === 'retry') return [];
      throw error;
    } finally {
      await session.close();
    }
  }

  async startVerify(name: string): Promise<VerifyView> {
    const pipeline = await this.ruling(name);
    const source = this.#options.dataSource(pipeline.source);
    return this.#options.verifyRuns.start(await verifyInput(pipeline, source, this.#target(pipeline)));
  }

  async verify(name: string, id: string): Promise<VerifyView> {
    const { verifyRuns, peers } = this.#options;
    const pipeline = this.#named(name).name;
    const own = verifyRuns.find(id);
    if (own !== null) return own;
    const { answers } = await peers.askAll(CHECKS_QUESTION, { pipeline, id }, () => ({ checks: [] }));
    const [found] = [...answers.values()].flatMap((one) => one.checks);
    return found ?? verifyRuns.report(id);
  }

  async checks(name: string): Promise<readonly VerifyView[]> {
    const { peers } = this.#options;
    const pipeline = this.#named(name).name;
    const { answers } = await peers.askAll(CHECKS_QUESTION, { pipeline, id: null }, () =>
      this.ownChecks({ pipeline, id: null }),
    );
    return [...answers.values()].flatMap((one) => one.checks);
  }

  /** What this node says to `CHECKS_QUESTION`. */
  ownChecks({ pipeline, id }: ChecksQuestion): { checks: VerifyView[] } {
    const { verifyRuns } = this.#options;
    const one = id === null ? null : verifyRuns.find(id);
    if (id !== null) return { checks: one === null ? [] : [one] };
    return { checks: verifyRuns.list().filter((each) => each.pipeline === pipeline) };
  }

  async known(name: string): Promise<void> {
    this.#named(name);
  }

  /** As it rules now; the files' one before any node has begun. */
  async ruling(name: string): Promise<PipelineConfig> {
    const own = this.#named(name);
    const node = this.#options.store(own.name).config;
    const stored = await node.get();
    return stored === null ? own : parseStored(stored.value, node.path);
  }

  #named(name: string): PipelineConfig {
    const pipeline = this.#options.config.pipelines.find((one) => one.name === name);
    if (pipeline === undefined) throw unknown(name);
    return pipeline;
  }

  #target(pipeline: PipelineConfig): DataSourceConfig {
    return this.#options.dataSource(pipeline.target);
  }

  async #mustBe(pipeline: PipelineConfig, states: readonly string[], what: string): Promise<void> {
    const desired = await this.#options.store(pipeline.name).desired.get();
    const state = desired?.value.desired ?? 'running';
    if (!states.includes(state))
      throw new HoltError('HOLT_PIPELINE_STATE', `${pipeline.name} is ${state} and cannot be ${what}`, {
        disposition: 'pause',
        remedy: `First: holt pipeline ${states.includes('paused') ? 'pause' : 'stop'} ${pipeline.name}`,
      });
  }
}

function unknown(name: string): HoltError {
  return new HoltError('HOLT_PIPELINE_UNKNOWN', `there is no pipeline ${JSON.stringify(name)}`, {
    disposition: 'fatal',
    remedy: '`holt pipeline list` shows the names.',
  });
}

function notArrived(
  name: string,
  facts: {
    readonly waitedFor: string;
    readonly checkpoint: string;
    readonly waitedMs: number;
    readonly problem: string | null;
    readonly status: PipelineStatusView | null;
  },
): HoltError {
  const { waitedFor, checkpoint, waitedMs, problem, status } = facts;
  const stage = status?.lagStage ?? null;
  const holder = status?.stages.find((one) => one.stage === stage)?.holder ?? null;
  const why = [
    `the target stands at ${checkpoint}`,
    ...(status === null
      ? []
      : [`${name} is ${status.state}${status.reason === null ? '' : ` (${status.reason})`}`]),
    ...(stage === null ? [] : [`${stage}${holder === null ? '' : ` on ${holder}`} holds the oldest change`]),
    ...(problem === null ? [] : [`the target could not be asked: ${problem}`]),
  ];
  return new HoltError(
    'HOLT_WAIT_TIMEOUT',
    `${name} has not reached ${waitedFor} within ${(waitedMs / 1000).toFixed(1)} s: ${why.join('; ')}`,
    {
      disposition: 'fatal',
      facts: {
        waitedFor,
        checkpoint,
        state: status?.state ?? null,
        stage,
        holder,
        lagMs: status?.lagMs ?? null,
      },
    },
  );
}

function changedSince(name: string, version: number | null): HoltError {
  return new HoltError(
    'HOLT_CONFIG_VERSION',
    `the configuration of ${name} was changed since${version === null ? '' : `; it has version ${version} now`}`,
    { disposition: 'fatal' },
  );
}

function keptView({ id, config }: KeptConfig, current: string | null): KeptConfigView {
  const { by, writtenMs, replaces } = config;
  return { id, by, writtenMs, overridesFiles: replaces !== undefined, isCurrent: id === current };
}

function configUnknown(name: string, id: string): HoltError {
  return new HoltError('HOLT_CONFIG_UNKNOWN', `the history of ${name} has no ${JSON.stringify(id)}`, {
    disposition: 'fatal',
  });
}

function notParked(pipeline: string, table: string): HoltError {
  return new HoltError('HOLT_TABLE_NOT_PARKED', `${table} is not parked in ${pipeline}`, {
    disposition: 'fatal',
    facts: { pipeline, table },
  });
}

/** `schema.table`; the first dot divides. */
function tableName(text: string): TableName {
  const at = text.indexOf('.');
  if (at < 1 || at === text.length - 1)
    throw new HoltError(
      'HOLT_REQUEST_INVALID',
      `${JSON.stringify(text)} is no table: schema.table is expected`,
      {
        disposition: 'fatal',
      },
    );
  return { schema: text.slice(0, at), table: text.slice(at + 1) };
}

function ledgerId(text: string): bigint {
  if (!/^[0-9]{1,20}$/.test(text))
    throw new HoltError(
      'HOLT_REQUEST_INVALID',
      `${JSON.stringify(text)} is no ledger id: a number is expected`,
    );
  return BigInt(text);
}

function entryView(entry: LedgerSummary): LedgerEntryView {
  return {
    id: String(entry.id),
    at: entry.writtenAt,
    code: entry.kind,
    op: entry.op,
    table: `${entry.target.schema}.${entry.target.table}`,
    key: entry.rowKey,
    state:
      entry.state === 'open'
        ? `open, the ${entry.decision}'s version stands`
        : `${entry.state} by ${entry.replayedBy}`,
    status: entry.state,
    decision: entry.decision,
    origin: entry.origin,
    gtid: entry.gtid,
    position: entry.batchEnd,
  };
}

function images(entry: StoredLedgerEntry): Pick<LedgerDetailView, 'before' | 'after' | 'found'> {
  const reader = new PayloadReader(entry.change);
  for (let record = reader.next(); record !== null && record !== 'rows'; record = reader.next());
  const { before, after } = readableRow(reader);
  return { before, after, found: entry.found === null ? null : foundRow(entry.found) };
}

/** The row as the ledger keeps it: text, null, or `{"hex": …}`. */
function foundRow(json: string): Record<string, string | null> {
  const parsed = JSON.parse(json) as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(parsed).map(([name, value]) => {
      if (value === null || typeof value === 'string') return [name, value];
      const hex = typeof value === 'object' && 'hex' in value ? String(value.hex) : '';
      return [name, `0x${hex}`];
    }),
  );
}

/** @throws HoltError HOLT_DDL_MISSING for what is no key of a row. */
function ddlId(pipeline: string, text: string): bigint {
  if (/^[0-9]{1,19}$/.test(text)) return BigInt(text);
  throw new HoltError('HOLT_DDL_MISSING', `the journal of ${pipeline} has no row ${JSON.stringify(text)}`, {
    disposition: 'fatal',
  });
}

const MAX_LISTED = 200;

function ddlViewOf(row: DdlRow): DdlView {
  const text = row.statement.toString('utf8').replace(/\s+/g, ' ').trim();
  const { id, openedAt: at, state, kind, why } = row;
  const statement = text.length > MAX_LISTED ? `${text.slice(0, MAX_LISTED)}…` : text;
  return { id: String(id), at, state, kind, statement, why };
}

function ddlDetailOf(row: DdlRow): DdlDetailView {
  const { origin, sourceRef, defaultSchema, sessionTime, ownGtid, connectionId, log } = row;
  const { settledAt, settledBy } = row;
  return {
    ...ddlViewOf(row),
    statement: row.statement.toString('utf8'),
    sent: row.mapped.toString('utf8'),
    seq: String(row.seq),
    log: log === null ? null : `${log.file}:${log.offset}`,
    ...{ origin, sourceRef, defaultSchema, sessionTime, ownGtid, connectionId, settledAt, settledBy },
  };
}
