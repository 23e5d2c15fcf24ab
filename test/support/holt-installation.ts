/**
 * Whole Holt nodes as processes, as a user would run them: a configuration in a folder, `holt node` per node. Used by the
 * end-to-end tests, the benchmarks and the demo; it knows Holt only by its command line and its HTTP API.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { waitFor } from '../../lib/abort.ts';
import { ApiClient } from '../../node/api/client.ts';
import type { PipelineStatusView } from '../../node/operations.ts';
import type { DatabaseEndpoint } from './database.ts';
import { freePort } from './free-port.ts';
import { KeptProcess, type ProcessEnd, temporaryFolder } from './kept-process.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const HOLT = join(ROOT, 'bin/holt.mjs');

export interface InstallationOptions {
  /** Site → database. The first is east. */
  readonly databases: Readonly<Record<string, DatabaseEndpoint>>;
  /** host:port of ZooKeeper. */
  readonly zookeeper: string;
  readonly sessionTimeout?: string;
  /** Nodes by name, each at its site. */
  readonly nodes: Readonly<Record<string, string>>;
  /** Pipeline → its spec, as in the configuration; `source` and `target` are `<site>-db`. Null: only those of `channels`. */
  readonly pipelines: Readonly<Record<string, object>> | null;
  /** Further channels, as in the configuration. */
  readonly channels?: Readonly<Record<string, object>>;
  /** Winner of the channel, for two-way. */
  readonly winner?: string;
  /** Redis URL by site. */
  readonly redis?: Readonly<Record<string, string>>;
  readonly logLevel?: string;
  /** Added to every node's spec. */
  readonly nodeSpec?: object;
  /** Added to the spec of a node, by its name. */
  readonly nodeSpecs?: Readonly<Record<string, object>>;
  /** Where the world looks different from one node; each such node gets a configuration file of its own. */
  readonly seenFrom?: Readonly<Record<string, NodeSight>>;
}

/** How one node reaches what others reach elsewhere, such as through a link between sites. */
export interface NodeSight {
  /** Site → port of its database. */
  readonly databasePorts?: Readonly<Record<string, number>>;
  /** host:port of ZooKeeper. */
  readonly zookeeper?: string;
  /** Added to the node's spec. */
  readonly spec?: object;
}

export interface NodeStart {
  /** HOLT_FAILPOINTS of this process. */
  readonly failpoints?: string;
  readonly nodeOptions?: string;
}

/** One node: its name, its process while it runs, its API. */
export class HoltNode {
  readonly name: string;
  readonly site: string;
  readonly api: ApiClient;
  readonly apiUrl: string;
  readonly logFile: string;
  /** The installation's own API token. */
  readonly token: string;
  readonly #start: (failpoints: NodeStart) => Promise<KeptProcess>;
  #process: KeptProcess | null = null;

  constructor(options: {
    readonly name: string;
    readonly site: string;
    readonly apiUrl: string;
    readonly logFile: string;
    /** The installation's own API token. */
    readonly token: string;
    readonly start: (options: NodeStart) => Promise<KeptProcess>;
  }) {
    this.name = options.name;
    this.site = options.site;
    this.apiUrl = options.apiUrl;
    this.logFile = options.logFile;
    this.token = options.token;
    this.api = new ApiClient({ server: options.apiUrl, timeoutMs: 5_000, token: options.token });
    this.#start = options.start;
  }

  get isRunning(): boolean {
    return this.#process?.isRunning ?? false;
  }

  get process(): KeptProcess {
    if (this.#process === null) throw new Error(`node ${this.name} was not started`);
    return this.#process;
  }

  /** Starts the process; `ready` waits for it. */
  async start(options: NodeStart = {}): Promise<void> {
    if (this.isRunning) throw new Error(`node ${this.name} runs already`);
    this.#process = await this.#start(options);
  }

  /** Until it says that it is ready. */
  async ready(timeoutMs = 120_000): Promise<void> {
    await waitFor(
      async () => {
        if (!this.isRunning) throw new Error(`node ${this.name} has ended:\n${this.log(30)}`);
        const answer = await fetch(`${this.apiUrl}/readyz`, { signal: AbortSignal.timeout(2_000) }).catch(
          () => null,
        );
        return answer?.ok === true;
      },
      { timeoutMs, pollMs: 50, what: `node ${this.name} to be ready` },
    );
  }

  /** Prometheus text. */
  async metrics(): Promise<string> {
    const answer = await fetch(`${this.apiUrl}/metrics`, {
      headers: { authorization: `Bearer ${this.token}` },
      signal: AbortSignal.timeout(10_000),
    });
    if (!answer.ok) throw new Error(`metrics of ${this.name}: status ${answer.status}`);
    return answer.text();
  }

  async kill(): Promise<void> {
    await this.process.kill();
  }

  async freeze(): Promise<void> {
    await this.process.freeze();
  }

  thaw(): void {
    this.process.thaw();
  }

  stop(graceMs = 30_000): Promise<ProcessEnd> {
    return this.process.stop(graceMs);
  }

  /** The last lines of its log. */
  log(lines = 50): string {
    return this.process.logTail(lines);
  }

  /** Everything it has logged. */
  logText(): string {
    return readFileSync(this.logFile, 'utf8');
  }
}

export class HoltInstallation implements AsyncDisposable {
  readonly folder: string;
  readonly configFile: string;
  readonly nodes: ReadonlyMap<string, HoltNode>;
  readonly env: Readonly<Record<string, string>>;
  /** An API token with the role admin, that every node takes. */
  readonly token: string;

  private constructor(
    folder: string,
    configFile: string,
    nodes: ReadonlyMap<string, HoltNode>,
    env: Readonly<Record<string, string>>,
    token: string,
  ) {
    this.folder = folder;
    this.configFile = configFile;
    this.nodes = nodes;
    this.env = env;
    this.token = token;
  }

  /** Writes the configuration; starts nothing. */
  static async create(options: InstallationOptions): Promise<HoltInstallation> {
    const folder = await temporaryFolder('installation');
    const token = randomBytes(24).toString('hex');
    const env: Record<string, string> = {
      HOLT_CLUSTER_KEY: randomBytes(24).toString('hex'),
      HOLT_API_TOKEN: token,
    };
    const sites: Record<string, object> = {};
    const dataSources: Record<string, object> = {};
    for (const [site, db] of Object.entries(options.databases)) {
      const variable = `HOLT_${site.toUpperCase()}_PASSWORD`;
      env[variable] = db.password;
      dataSources[`${site}-db`] = {
        site,
        host: db.host,
        port: db.port,
        user: db.user,
        password: `\${env:${variable}}`,
      };
      sites[site] = {};
    }
    for (const [site, url] of Object.entries(options.redis ?? {})) {
      const variable = `HOLT_${site.toUpperCase()}_REDIS`;
      env[variable] = url;
      sites[site] = { redis: `\${env:${variable}}` };
    }
    const nodes: Record<string, object> = {};
    const apis = new Map<string, string>();
    for (const [name, site] of Object.entries(options.nodes)) {
      const listen = `127.0.0.1:${await freePort()}`;
      apis.set(name, `http://${listen}`);
      nodes[name] = {
        site,
        listen,
        pipe: { listen: '127.0.0.1:0' },
        clusterKey: '${env:HOLT_CLUSTER_KEY}',
        log: { level: options.logLevel ?? 'info' },
        ...options.nodeSpec,
        ...options.nodeSpecs?.[name],
        ...options.seenFrom?.[name]?.spec,
      };
    }
    const document = {
      apiVersion: 'holt/v1',
      kind: 'Holt',
      metadata: { name: 'installation' },
      spec: {
        cluster: 'test',
        api: { token: '${env:HOLT_API_TOKEN}' },
        coordination: {
          kind: 'zookeeper',
          servers: options.zookeeper,
          sessionTimeout: options.sessionTimeout ?? '4s',
        },
        sites,
        dataSources,
        channels: {
          ...(options.pipelines === null
            ? {}
            : {
                main: {
                  pipelines: options.pipelines,
                  ...(options.winner === undefined ? {} : { winner: options.winner }),
                },
              }),
          ...options.channels,
        },
        nodes,
      },
    };
    // JSON is YAML, too.
    const write = (file: string, content: object) => {
      const path = join(folder, file);
      writeFileSync(path, `${JSON.stringify(content, null, 2)}\n`);
      return path;
    };
    const configFile = write('holt.yaml', document);
    const made = new Map<string, HoltNode>();
    for (const [name, site] of Object.entries(options.nodes)) {
      const sight = options.seenFrom?.[name];
      const ownFile =
        sight === undefined ? configFile : write(`holt-${name}.yaml`, documentSeen(document, sight));
      const logFile = join(folder, `${name}.log`);
      made.set(
        name,
        new HoltNode({
          name,
          site,
          apiUrl: apis.get(name) ?? '',
          logFile,
          token,
          start: ({ failpoints = '', nodeOptions = '' }) =>
            KeptProcess.start({
              command: [process.execPath, HOLT, 'node', '--config', ownFile, '--name', name],
              cwd: folder,
              env: { ...env, HOLT_FAILPOINTS: failpoints, NODE_OPTIONS: nodeOptions },
              logFile,
            }),
        }),
      );
    }
    return new HoltInstallation(folder, configFile, made, env, token);
  }

  node(name: string): HoltNode {
    const node = this.nodes.get(name);
    if (node === undefined) throw new Error(`there is no node ${name}`);
    return node;
  }

  /** Starts all nodes (or those named) and waits until they are ready. */
  async start(names: readonly string[] = [...this.nodes.keys()], options: NodeStart = {}): Promise<void> {
    await Promise.all(names.map((name) => this.node(name).start(options)));
    await Promise.all(names.map((name) => this.node(name).ready()));
  }

  /** What any running node says of a pipeline; null while none answers. */
  async status(pipeline: string): Promise<PipelineStatusView | null> {
    for (const node of this.nodes.values()) {
      if (!node.isRunning) continue;
      const status = await node.api.pipeline(pipeline).catch(() => null);
      if (status !== null) return status;
    }
    return null;
  }

  /** The name of the node that holds a stage's lowest task, or the mainstem for `select`. */
  async holderOf(pipeline: string, stage: string): Promise<string | null> {
    const status = await this.status(pipeline);
    return status?.stages.find((one) => one.stage === stage)?.holder ?? null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.nodes.values()].filter((node) => node.isRunning).map((node) => node.kill()));
  }
}

interface ConfigDocument {
  readonly spec: {
    readonly coordination: object;
    readonly dataSources: Readonly<Record<string, object>>;
  };
}

function documentSeen<T extends ConfigDocument>(document: T, sight: NodeSight): object {
  const { spec } = document;
  const dataSources = Object.entries(spec.dataSources).map(([name, dataSource]) => {
    const port = sight.databasePorts?.[name.replace(/-db$/, '')];
    return [name, port === undefined ? dataSource : { ...dataSource, port }] as const;
  });
  const coordination =
    sight.zookeeper === undefined ? spec.coordination : { ...spec.coordination, servers: sight.zookeeper };
  return { ...document, spec: { ...spec, coordination, dataSources: Object.fromEntries(dataSources) } };
}
