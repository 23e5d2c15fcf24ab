/** Holt as a side of a comparison: all four stages over a real ZooKeeper, by nodes that are processes of their own. */
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { waitFor } from '../lib/abort.ts';
import { ApiClient } from '../node/api/client.ts';
import type { DatabaseServer } from '../test/support/database-server.ts';
import { HoltInstallation } from '../test/support/holt-installation.ts';
import { type Backlog, SCHEMA } from './backlog.ts';
import { cpuSeconds, startBenchZookeeper } from './bench-servers.ts';
import type { Timing } from './measurement.ts';
import type { Recorder } from './recorder.ts';
import { timed } from './timed.ts';

export const LAYOUTS = {
  'node-per-site': { nodes: { 'east-1': 'east', 'west-1': 'west' }, nodeSpec: {} },
  'one-node': { nodes: { 'node-1': 'east' }, nodeSpec: { serves: ['east', 'west'] } },
} as const;
export type Layout = keyof typeof LAYOUTS;

export type ApplyMode = 'default' | 'parallel';

export interface HoltOptions {
  readonly mode: ApplyMode;
  /** Added to the pipeline's configuration. */
  readonly pipeline: object;
  /** Folder for CPU profiles of the nodes. */
  readonly profile: string | null;
  readonly logLevel: string;
  readonly keepLogs: string | null;
  /** NODE_OPTIONS of the nodes. */
  readonly nodeOptions: string;
}

/** `cold`: nodes just started, whose code is still being compiled. `warm`: the same nodes after that backlog. */
export const WARMTHS = ['cold', 'warm'] as const;
export type Warmth = (typeof WARMTHS)[number];

export const holtName = (layout: Layout, mode: ApplyMode, warmth: Warmth) =>
  `holt ${layout}${mode === 'parallel' ? ', parallel' : ''}, ${warmth}`;

/** Nodes between a source and a target, with one pipeline of the benchmark's schema. */
export class HoltRun implements AsyncDisposable {
  readonly installation: HoltInstallation;
  readonly pipeline: string;
  readonly #options: HoltOptions;
  /** host:port of ZooKeeper as the source's site reaches it. */
  readonly zookeeper: string;
  readonly #dispose: () => Promise<void>;

  private constructor(parts: {
    readonly installation: HoltInstallation;
    readonly pipeline: string;
    readonly options: HoltOptions;
    readonly zookeeper: string;
    readonly dispose: () => Promise<void>;
  }) {
    this.installation = parts.installation;
    this.pipeline = parts.pipeline;
    this.#options = parts.options;
    this.zookeeper = parts.zookeeper;
    this.#dispose = parts.dispose;
  }

  /** Starts the nodes of an installation; `dispose` is for what they stand on, and is called in any case. */
  static async of(parts: {
    readonly installation: HoltInstallation;
    readonly pipeline: string;
    readonly options: HoltOptions;
    readonly zookeeper: string;
    readonly dispose: () => Promise<void>;
  }): Promise<HoltRun> {
    const run = new HoltRun(parts);
    try {
      await parts.installation.start(undefined, { nodeOptions: nodeOptionsOf(parts.options) });
      return run;
    } catch (error) {
      await run[Symbol.asyncDispose]();
      throw error;
    }
  }

  static async start(parts: {
    readonly source: DatabaseServer;
    readonly target: DatabaseServer;
    readonly layout: Layout;
    /** Unlike every other of this source: it remembers which pipelines have run. */
    readonly pipeline: string;
    readonly options: HoltOptions;
    readonly tables?: readonly string[];
  }): Promise<HoltRun> {
    const { source, target, layout, pipeline, options } = parts;
    const zookeeper = await startBenchZookeeper();
    const installation = await HoltInstallation.create({
      databases: { east: source.db.endpoint, west: target.db.endpoint },
      zookeeper: zookeeper.connectString,
      nodes: LAYOUTS[layout].nodes,
      nodeSpec: LAYOUTS[layout].nodeSpec,
      logLevel: options.logLevel,
      pipelines: {
        [pipeline]: pipelineSpec(options, parts.tables ?? [`${SCHEMA}.*`]),
      },
    });
    return HoltRun.of({
      installation,
      pipeline,
      options,
      zookeeper: zookeeper.connectString,
      dispose: () => zookeeper.dispose(),
    });
  }

  get pids(): readonly number[] {
    return [...this.installation.nodes.values()].map((one) => one.process.pid);
  }

  readonly cpu = (): number => this.pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);

  get #api() {
    const [node] = this.installation.nodes.values();
    if (node === undefined) throw new Error('no node');
    return node.api;
  }

  async reaches(...states: readonly string[]): Promise<void> {
    await waitFor(async () => states.includes((await this.installation.status(this.pipeline))?.state ?? ''), {
      timeoutMs: 120_000,
      pollMs: 50,
      what: `the pipeline to be ${states.join(' or ')}`,
    });
  }

  async pause(): Promise<void> {
    await this.reaches('idle', 'running', 'catching-up');
    await this.#api.setDesired(this.pipeline, {
      desired: 'paused',
      by: 'bench',
      why: 'before the measurement',
    });
    await this.reaches('paused');
  }

  async resume(): Promise<void> {
    await this.#api.setDesired(this.pipeline, { desired: 'running', by: 'bench', why: 'the measurement' });
  }

  async readFrom(position: string): Promise<void> {
    const [node] = this.installation.nodes.values();
    if (node === undefined) throw new Error('no node');
    // Over a long link it takes many round trips.
    const api = new ApiClient({
      server: node.apiUrl,
      timeoutMs: 60_000,
      token: this.installation.token,
    });
    await api.setPosition(this.pipeline, position, 'the backlog begins');
  }

  /** Why the pipeline stands; null while it goes. */
  readonly trouble = async (): Promise<string | null> => {
    const status = await this.installation.status(this.pipeline);
    return status?.state === 'paused' && status.code !== null ? `${status.code}: ${status.reason}` : null;
  };

  /** What is in effect for the pipeline and its batches, secrets and addresses left out. */
  async config(): Promise<string> {
    return effectiveConfig(this.installation);
  }

  /** Stops in order, so that profiles are written. */
  async stop(): Promise<void> {
    await Promise.all([...this.installation.nodes.values()].map((one) => one.stop()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { keepLogs } = this.#options;
    if (keepLogs !== null) {
      mkdirSync(keepLogs, { recursive: true });
      for (const one of this.installation.nodes.values())
        writeFileSync(join(keepLogs, `${this.pipeline}-${one.name}.log`), one.logText());
    }
    await this.installation[Symbol.asyncDispose]();
    await this.#dispose();
  }
}

/** True while lanes are beyond what the stream's row says: of the batch in hand, or after a rewind. */
function lanesAhead(pipeline: string): string {
  const place = (of: string) => `(${of}.position_file, ${of}.position_offset)`;
  return (
    `(SELECT COUNT(*) FROM holt.checkpoint l JOIN holt.checkpoint s ON s.pipeline = l.pipeline AND s.lane = 0 ` +
    `WHERE l.pipeline = '${pipeline}' AND l.lane BETWEEN 1 AND 999 AND ${place('l')} > ${place('s')}) > 0`
  );
}

/** Catches the backlog up twice by the same nodes. Unequal tables or an entry in the ledger are errors. */
export async function holtCatchup(parts: {
  readonly backlog: Backlog;
  readonly layout: Layout;
  readonly pipeline: string;
  readonly options: HoltOptions;
  readonly recorder: Pick<Recorder, 'config' | 'timing'>;
  readonly warmths?: readonly Warmth[];
  /** Before the name of each timing. */
  readonly label?: string;
  /** Starts the nodes; default: on the same machine as everything. */
  readonly start?: (target: DatabaseServer) => Promise<HoltRun>;
  /** Runs while the backlog is caught up, until the signal aborts. */
  readonly beside?: (run: HoltRun, signal: AbortSignal) => Promise<void>;
  /** With the backlog caught up and the nodes still running. */
  readonly after?: (run: HoltRun) => Promise<void>;
}): Promise<readonly Timing[]> {
  const { backlog, layout, options, recorder } = parts;
  await using target = await backlog.target();
  await using run = await (parts.start?.(target) ??
    HoltRun.start({ ...parts, source: backlog.source, target }));
  recorder.config(await run.config());
  const seq = `(SELECT seq FROM holt.checkpoint WHERE pipeline = '${run.pipeline}' AND lane = 0)`;
  const timings: Timing[] = [];
  for (const warmth of parts.warmths ?? WARMTHS) {
    await run.pause();
    if (warmth === 'warm') await backlog.reset(target);
    await run.readFrom(`${backlog.options.flavour}:${backlog.start}`);
    const over = new AbortController();
    const beside = parts.beside?.(run, over.signal);
    const timing = await timed({
      name: [
        ...(parts.label === undefined ? [] : [parts.label]),
        holtName(layout, options.mode, warmth),
      ].join(': '),
      backlog,
      target,
      cpu: run.cpu,
      seq,
      ...(options.mode === 'parallel' ? { inPart: lanesAhead(run.pipeline) } : {}),
      go: () => run.resume(),
      trouble: run.trouble,
    });
    over.abort();
    await beside;
    await backlog.mustBeEqual(target);
    const ledger = await target.db.value('SELECT COUNT(*) FROM holt.ledger');
    if (ledger !== '0') throw new Error(`${ledger} entries in the ledger`);
    recorder.timing(timing);
    timings.push(timing);
    await parts.after?.(run);
  }
  await run.stop();
  return timings;
}

export function pipelineSpec(options: HoltOptions, tables: readonly string[]): object {
  return {
    source: 'east-db',
    target: 'west-db',
    start: 'now',
    tables,
    ...(options.mode === 'parallel' ? { apply: { mode: 'parallel' } } : {}),
    ...options.pipeline,
  };
}

export function nodeOptionsOf({ profile, nodeOptions }: HoltOptions): string {
  if (profile === null) return nodeOptions;
  mkdirSync(profile, { recursive: true });
  process.env.HOLT_BENCH_PROFILE = profile;
  return `${nodeOptions} --import=${new URL('./profile-node.mjs', import.meta.url).href}`.trim();
}

export async function effectiveConfig(installation: HoltInstallation): Promise<string> {
  const holt = new URL('../bin/holt.mjs', import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [holt, 'config', 'show', '--config', installation.configFile],
    { env: { ...process.env, ...installation.env }, maxBuffer: 16 * 1024 * 1024 },
  );
  const { coordination, pipelines } = JSON.parse(stdout) as {
    readonly coordination: { readonly kind: string; readonly sessionTimeoutMs: number };
    readonly pipelines: readonly object[];
  };
  const { kind, sessionTimeoutMs } = coordination;
  return stringify({
    coordination: { kind, sessionTimeoutMs },
    pipeline: pipelines[0],
    ...(pipelines.length > 1 ? { pipelines: pipelines.length } : {}),
  });
}
