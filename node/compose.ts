/**
 * Joins the parts of a node. The only place that knows them all: acquires in order, releases in reverse.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { defaultDataDir, type LoadedConfig } from '../conf/load.ts';
import { literalSecret } from '../conf/secret.ts';
import { BullmqQueue } from '../jobs/bullmq-queue.ts';
import { InProcessQueue } from '../jobs/in-process-queue.ts';
import type { JobQueue, JobQueueOptions } from '../jobs/job-queue.ts';
import { VerifyRuns } from '../jobs/verify/verify-runs.ts';
import { abortable, withDeadline } from '../lib/abort.ts';
import { defined } from '../lib/assert.ts';
import { systemClock } from '../lib/clock.ts';
import { Disposer } from '../lib/disposer.ts';
import { HoltError, isAbort } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { isLoopback } from '../lib/loopback.ts';
import { TaskGroup } from '../lib/task-group.ts';
import type { DataSourceConfig, HoltConfig, NodeConfig, PipelineConfig } from '../model/config.ts';
import { type DataSourceId, type PipelineId, pipelineId } from '../model/ids.ts';
import type { PipelineStore } from '../scheduler/contract.ts';
import { TreeNodeRegistry } from '../scheduler/node-registry.ts';
import { TreePipelineStore } from '../scheduler/pipeline-store.ts';
import type { NodePresence } from '../scheduler/records.ts';
import type { CoordinationTree } from '../scheduler/tree/tree.ts';
import { readCheckpoint } from '../stages/load/checkpoint.ts';
import { connectTarget } from '../stages/load/target/mysql2-connection.ts';
import { ChannelClient } from '../stages/pipe/channel/channel-client.ts';
import { type ChannelRoute, ChannelServer, type LargeRoute } from '../stages/pipe/channel/channel-server.ts';
import { MIN_KEY_BYTES } from '../stages/pipe/channel/signature.ts';
import { AHEAD_ROUTE, ANNOUNCEMENT_ROUTE, NodePipe, PAYLOAD_ROUTE } from '../stages/pipe/node-pipe.ts';
import { RedisPayloads } from '../stages/pipe/redis-payloads.ts';
import { Accounts } from './access/accounts.ts';
import { AuditLog } from './access/audit-log.ts';
import { sealKey } from './access/records.ts';
import { AlarmDesk } from './alarms/alarm-desk.ts';
import { AlarmStore } from './alarms/alarm-store.ts';
import { Deliverer } from './alarms/delivery/deliverer.ts';
import { AlarmEvaluator } from './alarms/evaluator.ts';
import { AlarmEyes } from './alarms/eyes.ts';
import { RetentionWatch } from './alarms/retention.ts';
import { consoleFolder, readConsole } from './api/console-files.ts';
import { EventHub } from './api/event-hub.ts';
import { startHttpServer } from './api/http-server.ts';
import { RepeatedRequests } from './api/idempotency.ts';
import { Peers, peerRoute } from './api/peers.ts';
import { Cluster, DRAIN_QUESTION, LOG_LEVEL_QUESTION } from './cluster.ts';
import { Counted } from './counted.ts';
import { APPLIED_QUESTION, AppliedBatches, RECENT_QUESTION } from './history/applied-batches.ts';
import { HISTORY_QUESTION, History } from './history/history.ts';
import { CHECKS_QUESTION, Installation, NODE_CONFIG_QUESTION } from './installation.ts';
import { isLogLevel, LogGate } from './log-levels.ts';
import { nodeMetrics } from './metrics.ts';
import { NodeWork, type Work } from './node-work.ts';
import { openTree } from './open-tree.ts';
import { QUEUES_QUESTION, Queues } from './queues.ts';
import { claimGuard } from './runtime/claim-guard.ts';
import { ClockKeeper } from './runtime/clock-keeper.ts';
import { PipelineConfigs } from './runtime/pipeline-configs.ts';
import { PipelineRuntime, stagesServed } from './runtime/pipeline-runtime.ts';
import { SourceRuntime } from './runtime/source-runtime.ts';
import { STATUS_ROUTE, StatusCollector, TIME_ROUTE, timeAnswer } from './status/collect.ts';
import { Clocks } from './status/lag/clocks.ts';
import { LocalStatus } from './status/local-status.ts';
import type { PipelineStatus } from './status/pipeline-status.ts';
import { TRACE_GET, TRACE_START, TRACE_STOP, TraceRuns } from './trace/trace-runs.ts';
import { Tracer } from './trace/tracer.ts';
import { type BatchTracer, openTracer } from './tracing.ts';
import { Arrivals, type CheckpointReader, type ReadSoFar } from './wait/arrivals.ts';
import { READ_QUESTION, readSoFar } from './wait/read-so-far.ts';

/** Whoever waits for a position looks at the target meanwhile. */
const READ_ANSWER_MS = 1_000;

export interface NodeOptions {
  readonly config: HoltConfig;
  readonly node: NodeConfig;
  readonly release: string;
  /** Takes every level. */
  readonly log: Logger;
  /** Decides which lines are written; by default as the configuration says. */
  readonly logGate?: LogGate;
  /** Tells a person at the terminal what is not for the log; default: nobody is told. */
  readonly announce?: (text: string) => void;
}

export interface RunningNode {
  /** Base URL of the API. */
  readonly url: string;
  /** Finishes what it holds, within the drain deadline, then lets go of everything. */
  stop(): Promise<void>;
}

/** A node of the configuration by name. */
export function nodeNamed(loaded: LoadedConfig, name: string | undefined): NodeConfig {
  const [only] = loaded.nodes;
  if (name === undefined && loaded.nodes.length === 1 && only !== undefined) return only;
  const found = loaded.nodes.find((one) => one.name === name);
  if (found !== undefined) return found;
  if (loaded.nodes.length === 0)
    throw new HoltError('HOLT_NODE_UNKNOWN', 'the configuration has no nodes', {
      disposition: 'fatal',
      remedy: 'Add spec.nodes (conf/examples shows how), or let one process do everything: holt run',
    });
  throw new HoltError(
    'HOLT_NODE_UNKNOWN',
    name === undefined
      ? 'which node is this? The configuration has several'
      : `the configuration has no node ${name}`,
    {
      disposition: 'fatal',
      remedy: `Start it with --name, one of: ${loaded.nodes.map((one) => one.name).join(', ')}`,
    },
  );
}

/** The one node of `holt run`: every site, this process's memory for coordination and jobs. */
export function soleNode(loaded: LoadedConfig): { readonly config: HoltConfig; readonly node: NodeConfig } {
  if (loaded.config.pipelines.length === 0)
    throw new HoltError('HOLT_CONFIG_INVALID', 'the configuration has no pipeline: there is nothing to run', {
      disposition: 'fatal',
      remedy: 'Add a channel with a pipeline: conf/examples/quick.yaml has one.',
    });
  if (loaded.config.coordination.kind === 'zookeeper' && loaded.nodes.length > 0)
    throw new HoltError(
      'HOLT_CONFIG_INVALID',
      'this configuration is for nodes that share the work through ZooKeeper; holt run would take it from them',
      {
        disposition: 'fatal',
        remedy: `Start one of its nodes: holt node --name ${loaded.nodes[0]?.name}; or set coordination.kind to embedded.`,
      },
    );
  const config: HoltConfig = {
    ...loaded.config,
    coordination: { ...loaded.config.coordination, kind: 'embedded' },
    sites: loaded.config.sites.map((site) => ({ ...site, redis: null })),
  };
  const [first] = loaded.nodes;
  const sites = loaded.config.sites.map((site) => site.name);
  const site = defined(sites[0], 'a site');
  const node: NodeConfig = {
    name: 'local' as NodeConfig['name'],
    site,
    listen: { host: '127.0.0.1', port: 8640 },
    tls: null,
    trustedProxies: [],
    dataDir: join(loaded.folder, defaultDataDir('local')),
    pipe: { host: '127.0.0.1', port: 0, advertise: null, tls: null, maxPayloadBytes: 256 * 1024 ** 2 },
    clusterKey: literalSecret(randomBytes(24).toString('hex')),
    stages: ['select', 'extract', 'transform', 'load'],
    memoryBytes: 256 * 1024 ** 2,
    log: { level: 'info', pretty: process.stderr.isTTY === true },
    drainTimeoutMs: 20_000,
    ...first,
    serves: sites,
  };
  return {
    config,
    node: {
      ...node,
      pipe: { ...node.pipe, port: 0 },
      clusterKey: literalSecret(randomBytes(24).toString('hex')),
    },
  };
}

export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const disposer = new Disposer();
  try {
    return await compose(options, disposer);
  } catch (error) {
    await disposer
      .dispose()
      .catch((failure: unknown) =>
        options.log.warn({ event: 'node:unwind:failed', err: failure }, 'not everything could be released'),
      );
    throw error;
  }
}

async function compose(
  { config, node, release, log: everyLine, logGate: given, announce = () => {} }: NodeOptions,
  disposer: Disposer,
): Promise<RunningNode> {
  const clock = systemClock;
  const logGate = given ?? new LogGate(isLogLevel(node.log.level) ? node.log.level : 'info');
  const log = logGate.logger(everyLine);
  const instance = randomBytes(8).toString('hex');
  const stopping = new AbortController();
  const background = new TaskGroup((error) => {
    if (!isAbort(error))
      log.error({ event: 'node:part:failed', err: error }, 'a part of the node ended unexpectedly');
  });
  const key = clusterKey(node);

  const tree = openTree(config.coordination, {
    dataDir: node.dataDir,
    log: log.child({ component: 'access' }),
  });
  tree.onState((event) => {
    const facts = {
      event: `session:${event.state}`,
      zk: { session: event.sessionId, server: event.server },
      epoch: event.epoch,
      reason: event.reason,
    };
    if (event.state === 'lost' || event.state === 'auth-failed') log.error(facts, 'coordination session');
    else if (event.state === 'suspended') log.warn(facts, 'coordination session');
    else log.info(facts, 'coordination session');
  });
  background.spawn(() => tree.run());
  disposer.add(() => background.idle());
  disposer.add(() => tree.stop());

  const stores = new Map<PipelineId, PipelineStore>();
  const store = (pipeline: PipelineId): PipelineStore => {
    const known = stores.get(pipeline);
    if (known !== undefined) return known;
    const made = new TreePipelineStore(tree, pipeline);
    stores.set(pipeline, made);
    return made;
  };

  // The channel first: its address is part of our presence. It answers as soon as there is something to say.
  const routes: Record<string, ChannelRoute> = {};
  const largeRoutes: Record<string, LargeRoute> = {};
  const channel = await ChannelServer.start({
    host: node.pipe.host,
    port: node.pipe.port,
    key,
    tls: node.pipe.tls,
    nowMs: () => clock.nowMs(),
    log: log.child({ component: 'channel' }),
    routes,
    largeRoutes,
  });
  disposer.add(() => channel.close());
  const address =
    node.pipe.advertise === null
      ? channel.urlFor(node.pipe.host)
      : `${node.pipe.tls === null ? 'http' : 'https'}://${node.pipe.advertise}`;
  const client = new ChannelClient({ node: node.name, key, tls: node.pipe.tls, nowMs: () => clock.nowMs() });

  const self: NodePresence = {
    version: 1,
    node: node.name,
    site: node.site,
    address,
    release,
    stages: [...node.stages],
    startedMs: Math.round(clock.nowMs()),
    instance,
  };
  const registry = new TreeNodeRegistry({ tree, self, log: log.child({ component: 'registry' }) });
  background.spawn(() => registry.run());
  disposer.add(() => registry.stop());

  const redisUrl = config.sites.find((site) => site.name === node.site)?.redis?.url ?? null;
  const wantsRedis = config.pipelines.some((one) => one.pipe.kind === 'redis');
  const redis =
    redisUrl !== null && wantsRedis
      ? new RedisPayloads({
          url: redisUrl.resolve(),
          cluster: config.cluster,
          log: log.child({ component: 'pipe' }),
        })
      : null;
  const pipe = new NodePipe({
    node: node.name,
    site: node.site,
    address: () => address,
    client,
    guard: claimGuard(tree),
    redis,
    maxBytes: node.memoryBytes / 4,
    maxPayloadBytes: node.pipe.maxPayloadBytes,
    present: () => registry.nodes,
    log: log.child({ component: 'pipe' }),
  });
  disposer.add(() => pipe.close());

  const clocks = new Clocks({ clock, node: node.name });
  const counted = new Counted();
  const { tracing } = config;
  const tracer: BatchTracer | null =
    tracing === null
      ? null
      : await openTracer({
          tracing,
          cluster: config.cluster,
          node: node.name,
          site: node.site,
          release,
          clock,
          log: log.child({ component: 'tracing' }),
        });
  if (tracer !== null) disposer.add(() => tracer.close());
  const local = new LocalStatus({
    clock,
    self,
    tree,
    clocks,
    times: (pipeline, stage) => ({
      queued: (ms) => counted.queued(pipeline, stage, ms),
      worked: (ms, header) => {
        counted.worked(pipeline, stage, ms);
        tracer?.worked(pipeline, stage, header, ms);
      },
      failed: (code) => counted.failed(pipeline, stage, code),
    }),
    onLoaded: (pipeline, stats) => counted.loaded(pipeline, stats),
  });
  disposer.add(() => local.close());
  routes[`GET ${PAYLOAD_ROUTE}`] = pipe.route;
  routes[`POST ${ANNOUNCEMENT_ROUTE}`] = pipe.announcementRoute;
  largeRoutes[`POST ${AHEAD_ROUTE}`] = pipe.aheadRoute;
  routes[`GET ${STATUS_ROUTE}`] = () => Promise.resolve({ kind: 'json', value: local.report() });
  routes[`GET ${TIME_ROUTE}`] = () => Promise.resolve({ kind: 'json', value: { nowMs: clock.nowMs() } });

  const dataSource = (name: DataSourceId): DataSourceConfig =>
    defined(
      config.dataSources.find((one) => one.name === name),
      `data source ${name}`,
    );
  const collector = new StatusCollector({
    tree,
    registry,
    store,
    client,
    own: () => local.report(),
    clock,
    log: log.child({ component: 'status' }),
  });
  const keeper = new ClockKeeper({
    clocks,
    nodes: () => registry.nodes.filter((one) => one.node !== node.name),
    databases: config.dataSources.filter((one) => node.serves.includes(one.site)),
    askNode: async (address, signal) =>
      timeAnswer.parse(await client.json(address, TIME_ROUTE, signal)).nowMs,
    clock,
    log: log.child({ component: 'clocks' }),
  });
  disposer.add(() => keeper.stop());
  const queues = new Queues({ node: node.name, log: log.child({ component: 'jobs' }) });
  const jobs = <Data>(wanted: JobQueueOptions<Data>): JobQueue<Data> => {
    const queue =
      redisUrl === null
        ? new InProcessQueue(wanted)
        : new BullmqQueue(wanted, {
            url: redisUrl.resolve(),
            prefix: `holt:${config.cluster}:jobs`,
            log: log.child({ component: 'jobs' }),
          });
    queues.add({ name: wanted.name, kept: redisUrl === null ? 'memory' : 'redis', queue });
    return queue;
  };
  const verifyRuns = new VerifyRuns({
    node: node.name,
    log: log.child({ component: 'verify' }),
    queue: jobs,
  });
  disposer.add(() => verifyRuns.close());

  const peers = new Peers({ registry, client, log: log.child({ component: 'api' }) });
  const askHowFar = async (pipeline: string): Promise<ReadSoFar | null> => {
    const leader = await collector.leader(pipelineId(pipeline));
    if (leader === null) return null;
    if (leader === node.name) return readSoFar(local.select(pipeline));
    const asked = peers.ask(leader, READ_QUESTION, { pipeline });
    return withDeadline(asked, READ_ANSWER_MS, `node ${leader}`).then(
      ({ read }) => read,
      () => null,
    );
  };
  const arrivals = new Arrivals({
    openReader: (pipeline, signal) => checkpointReader(config, pipeline, dataSource, signal),
    readSoFar: askHowFar,
    clock,
    log: log.child({ component: 'api' }),
  });
  disposer.add(() => arrivals.stop());
  const traces = new TraceRuns({
    peers,
    tracer: new Tracer({
      pipeline: (name) => installation.ruling(name),
      dataSource,
      tasks: (name) => cluster.tasks(name),
      readSoFar: askHowFar,
      applied: { find: (asked) => applied.find(asked) },
      sourceClock: (source) => clocks.reading(`database ${source}`),
      standstill: async (name) => standstillOf((await collector.pipelines([pipelineId(name)]))[0]),
      clock,
    }),
    nodeFor: (name) => nodeAtSource(config, node, registry, name),
    clock,
    log: log.child({ component: 'api' }),
  });
  disposer.add(() => traces.stop());
  const installation = new Installation({
    config,
    node: node.name,
    tree,
    store,
    collector,
    verifyRuns,
    peers,
    arrivals,
    traces,
    queues,
    nodeConfig: node,
    dataSource,
    clock,
    log: log.child({ component: 'api' }),
  });
  const work = new NodeWork({
    begin: () =>
      new PipelineSet({
        config,
        node,
        instance,
        tree,
        registry,
        store,
        pipe,
        local,
        clocks,
        applied,
        dataSource,
        collectorLog: log,
        clock,
      }),
    onState: (state) => {
      local.draining = state === 'draining';
      local.drained = state === 'drained';
      if (local.drained) local.forgetPipelines();
    },
    clock,
    log,
  });
  const cluster = new Cluster({
    config,
    tree,
    registry,
    peers,
    logGate,
    work,
    nodes: () => collector.nodes(),
    nowMs: () => clock.nowMs(),
  });
  const alarmStore = new AlarmStore({ tree, log: log.child({ component: 'alarms' }) });
  const where = { cluster: config.cluster, link: config.alarms.link };
  const deliverer = new Deliverer({
    store: alarmStore,
    channels: config.alarms.channels,
    where,
    queue: jobs,
    onEnd: (channel, result) => counted.alarm(channel, result),
    clock,
    log: log.child({ component: 'alarms' }),
  });
  disposer.add(() => deliverer.close());
  const standInEyes = new AlarmEyes(
    { config, collector, registry, retention: { readings: () => [] }, clock },
    [],
  );
  const desk = new AlarmDesk({
    standIn: {
      silent: async () =>
        new Set((await collector.nodes()).flatMap((one) => (one.state === 'unknown' ? [one.node] : []))),
      look: () => standInEyes.look(() => false, stopping.signal),
    },
    alarms: config.alarms,
    where,
    store: alarmStore,
    deliverer,
    clock,
    log: log.child({ component: 'alarms' }),
  });
  const retention = new RetentionWatch({ config, clock, log: log.child({ component: 'alarms' }) });
  disposer.add(() => retention.idle());
  const evaluator = new AlarmEvaluator({
    alarms: config.alarms,
    node: node.name,
    instance,
    tree,
    store: alarmStore,
    eyes: (before) => new AlarmEyes({ config, collector, registry, retention, clock }, before),
    deliverer,
    clock,
    log: log.child({ component: 'alarms' }),
  });
  disposer.add(() => evaluator.stop());
  const metrics = nodeMetrics({
    report: () => local.report(),
    statuses: (names) => collector.pipelines(names.map(pipelineId)),
    counted,
    queues: async () => (await queues.own()).queues,
    tree,
    alarms: { list: () => desk.list(), evaluator: () => evaluator },
    release,
  });
  const history = new History({
    folder: join(node.dataDir, 'history'),
    retentionDays: config.api.historyDays,
    maxBytes: config.api.historyBytes,
    look: () => lookedAt(config, local, collector, registry),
    peers,
    clock,
    log: log.child({ component: 'history' }),
  });
  disposer.add(() => history.stop());
  const applied = new AppliedBatches({
    folder: join(node.dataDir, 'history', 'batches'),
    maxBytes: config.api.historyBytes / 2,
    node: node.name,
    peers,
    clock,
    log: log.child({ component: 'history' }),
  });
  disposer.add(() => applied.stop());
  const events = new EventHub({
    pipelines: () => installation.pipelines(),
    nodes: () => installation.nodes(),
    alarms: () => desk.list(),
    clock,
    log: log.child({ component: 'api' }),
  });
  disposer.add(() => events.stop());
  for (const [route, answer] of [
    peerRoute(CHECKS_QUESTION, (asked) => installation.ownChecks(asked)),
    peerRoute(APPLIED_QUESTION, (asked) => applied.own(asked)),
    peerRoute(RECENT_QUESTION, (asked) => applied.ownRecent(asked)),
    peerRoute(QUEUES_QUESTION, () => queues.own()),
    peerRoute(NODE_CONFIG_QUESTION, () => installation.ownConfig()),
    peerRoute(HISTORY_QUESTION, (asked) => history.own(asked)),
    peerRoute(TRACE_START, (asked) => traces.ownStart(asked)),
    peerRoute(TRACE_GET, (asked) => traces.ownGet(asked)),
    peerRoute(TRACE_STOP, (asked) => traces.ownStop(asked)),
    peerRoute(READ_QUESTION, ({ pipeline }) => ({ read: readSoFar(local.select(pipeline)) })),
    peerRoute(LOG_LEVEL_QUESTION, (asked) => cluster.ownLogLevel(asked)),
    peerRoute(DRAIN_QUESTION, (asked) => cluster.ownDrain(asked)),
  ])
    routes[route] = answer;
  const access = { tree, key: sealKey(recordsKey(node)), node: node.name, clock };
  const accounts = new Accounts({ ...access, api: config.api, log: log.child({ component: 'access' }) });
  const audit = new AuditLog({
    ...access,
    retentionDays: config.api.auditDays,
    log: log.child({ component: 'audit' }),
  });
  disposer.add(() => audit.close());
  let serving = false;
  const http = await startHttpServer({
    host: node.listen.host,
    port: node.listen.port,
    tls: node.tls,
    trustedProxies: node.trustedProxies,
    openMetrics: config.api.openMetrics,
    console: readConsole(consoleFolder()),
    operations: installation,
    accounts,
    audit,
    cluster,
    history,
    applied,
    alarms: desk,
    events,
    clock,
    repeats: new RepeatedRequests({ ...access, log: log.child({ component: 'api' }) }),
    log: log.child({ component: 'api' }),
    release,
    notReady: () => {
      if (local.drained || local.draining) return 'the node is drained or stopping';
      if (tree.sessionState !== 'connected') return `the coordination session is ${tree.sessionState}`;
      return serving ? (registry.conflict?.message ?? null) : 'the node is starting';
    },
    metrics: () => metrics.text(),
    onAnswer: (route, method, status, ms) => counted.answered(route, method, status, ms),
  });
  disposer.add(() => http.close());
  log.info({ event: 'node:api:listening', url: http.url, pipe: address }, 'the API answers');
  if (
    node.tls === null &&
    config.api.auth &&
    !isLoopback(node.listen.host) &&
    node.trustedProxies.length === 0
  )
    log.warn(
      { event: 'node:api:plain', listen: node.listen.host },
      'the API speaks plain HTTP on an address that others reach: passwords and tokens can be read on the way',
    );

  disposer.add(() => work.stop());
  background.spawn(async () => {
    await registry.ready(stopping.signal);
    background.spawn(() => keeper.run());
    background.spawn(() => history.run());
    if (config.alarms.enabled) background.spawn(() => evaluator.run());
    background.spawn(() => applied.run());
    await tellSetup(accounts, http.url, announce, log);
    await work.start(stopping.signal);
    serving = true;
    log.info({ event: 'node:ready', pipelines: config.pipelines.map((one) => one.name) }, 'the node works');
  });

  return {
    url: http.url,
    async stop() {
      local.draining = true;
      stopping.abort();
      await disposer.dispose();
    },
  };
}

/** Who reads a source's log for a trace: a node of its site, and this one where none is there. */
function nodeAtSource(
  config: HoltConfig,
  node: NodeConfig,
  registry: TreeNodeRegistry,
  name: string,
): string {
  const site = config.pipelines.find((one) => one.name === name)?.sourceSite;
  if (site === undefined || node.serves.includes(site)) return node.name;
  return registry.nodes.find((one) => one.site === site)?.node ?? node.name;
}

/** Why nothing moves, where that is so. */
function standstillOf(status: PipelineStatus | undefined): string | null {
  if (status === undefined || ['idle', 'running', 'catching-up'].includes(status.state)) return null;
  return `${status.pipeline} is ${status.state}${status.reason === null ? '' : ` (${status.reason})`}`;
}

/** For those who wait for a position. */
async function checkpointReader(
  config: HoltConfig,
  name: string,
  dataSource: (name: DataSourceId) => DataSourceConfig,
  signal: AbortSignal,
): Promise<CheckpointReader> {
  const pipeline = defined(
    config.pipelines.find((one) => one.name === name),
    `pipeline ${name}`,
  );
  const session = await connectTarget(dataSource(pipeline.target), { signal });
  return {
    read: async (wait) =>
      (await abortable(readCheckpoint(session, pipeline.name), wait))?.position.text ?? null,
    close: () => session.close(),
  };
}

/** What of the installation this node keeps the history of: what it leads, and as the first of those present what nobody leads. */
async function lookedAt(
  config: HoltConfig,
  local: LocalStatus,
  collector: StatusCollector,
  registry: TreeNodeRegistry,
) {
  const mine = new Set(
    local.report().pipelines.flatMap((one) => (one.select === null ? [] : [one.pipeline])),
  );
  const isFirst = registry.nodes[0]?.node === registry.self.node;
  const led = isFirst ? await collector.led() : null;
  const names = config.pipelines
    .map((one) => one.name)
    .filter((name) => mine.has(name) || (led !== null && !led.has(name)));
  return names.length === 0 ? [] : collector.pipelines(names);
}

/** Where there is no account yet, whoever started the node makes the first one. */
async function tellSetup(
  accounts: Accounts,
  url: string,
  announce: (text: string) => void,
  log: Logger,
): Promise<void> {
  const offer = await accounts.offerSetup();
  if (offer === null) return;
  // The log goes to places that must not know the token.
  log.info(
    { event: 'access:setup:open', by: offer.by },
    'there is no account yet: its setup token was printed',
  );
  if (offer.token !== null)
    announce(
      [
        '',
        `There is no account yet. Make the first one within 24 hours, at ${url} in a browser, or with`,
        '',
        `    holt setup --server ${url} --user <name>`,
        '',
        `    setup token: ${offer.token}`,
        '',
      ].join('\n'),
    );
}

interface PipelineSetOptions {
  readonly config: HoltConfig;
  readonly node: NodeConfig;
  readonly instance: string;
  readonly tree: CoordinationTree;
  readonly registry: TreeNodeRegistry;
  readonly store: (pipeline: PipelineId) => PipelineStore;
  readonly pipe: NodePipe;
  readonly local: LocalStatus;
  readonly clocks: Clocks;
  readonly applied: AppliedBatches;
  readonly dataSource: (name: DataSourceId) => DataSourceConfig;
  readonly collectorLog: Logger;
  readonly clock: typeof systemClock;
}

/** All pipelines that this node has a part in, and the sources it may follow. */
class PipelineSet implements Work {
  readonly #options: PipelineSetOptions;
  readonly #configs: PipelineConfigs[] = [];
  readonly #runtimes: PipelineRuntime[] = [];
  readonly #sources: SourceRuntime[] = [];

  constructor(options: PipelineSetOptions) {
    this.#options = options;
  }

  async start(signal: AbortSignal): Promise<void> {
    const { config, node } = this.#options;
    const concerned = config.pipelines.filter(
      (one) => stagesServed(one, node).length > 0 || node.serves.includes(one.sourceSite),
    );
    const parts = await Promise.all(concerned.map((one) => this.#pipeline(one, signal)));
    for (const source of new Set(concerned.map((one) => one.source))) {
      const own = parts.filter(
        (part) => part.config.source === source && node.serves.includes(part.config.sourceSite),
      );
      if (own.length === 0 || !node.stages.includes('select')) continue;
      const { tree, pipe, clock, instance, dataSource, collectorLog } = this.#options;
      const runtime = new SourceRuntime({
        cluster: config.cluster,
        source: dataSource(source),
        node,
        instance,
        tree,
        registry: this.#options.registry,
        pipe,
        pipelines: own.map((part) => ({ ...part, target: dataSource(part.config.target) })),
        clocks: this.#options.clocks,
        clock,
        log: collectorLog.child({ component: 'source', source }),
      });
      this.#sources.push(runtime);
      runtime.start();
    }
  }

  async stop(): Promise<void> {
    await Promise.allSettled(this.#sources.map((one) => one.stop()));
    await Promise.allSettled(this.#runtimes.map((one) => one.stop()));
    for (const configs of this.#configs) configs.stop();
  }

  async #pipeline(config: PipelineConfig, signal: AbortSignal) {
    const { node, store, clock, local, collectorLog } = this.#options;
    const log = collectorLog.child({ component: 'pipeline', pipeline: config.name });
    const configs = new PipelineConfigs({ store: store(config.name), log });
    this.#configs.push(configs);
    await configs.start(config, node.name, clock.nowMs(), signal);
    const meter = local.pipeline(config.name, new Set(stagesServed(config, node)));
    const runtime = new PipelineRuntime({
      ...this.#options,
      config,
      store: store(config.name),
      configs,
      target: this.#options.dataSource(config.target),
      meter,
      log,
    });
    this.#runtimes.push(runtime);
    runtime.start();
    return { config, configs, runtime, meter, store: store(config.name) };
  }
}

/** A node alone has a key for each start; its accounts must outlive that one. */
function recordsKey(node: NodeConfig): Buffer {
  return node.clusterKey.kind === 'literal' ? Buffer.from('one node') : clusterKey(node);
}

function clusterKey(node: NodeConfig): Buffer {
  const key = Buffer.from(node.clusterKey.resolve(), 'utf8');
  // A node alone signs its calls to itself with a key of its own.
  if (key.length === 0) return randomBytes(MIN_KEY_BYTES);
  if (key.length < MIN_KEY_BYTES)
    throw new HoltError(
      'HOLT_CLUSTER_KEY_WEAK',
      `the cluster key has ${key.length} bytes; at least ${MIN_KEY_BYTES} are needed`,
      {
        disposition: 'fatal',
        remedy: 'Make one with: openssl rand -hex 24',
      },
    );
  return key;
}
