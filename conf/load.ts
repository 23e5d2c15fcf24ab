/**
 * From files to the effective configuration: every problem of every file at once, or a frozen `LoadedConfig`.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { z } from 'zod';
import { HoltError, messageOf } from '../lib/errors.ts';
import { isLoopback } from '../lib/loopback.ts';
import type {
  ApiConfig,
  CoordinationConfig,
  DataSourceConfig,
  HoltConfig,
  NodeConfig,
  PipelineConfig,
  SiteConfig,
  StartConfig,
  TableRuleConfig,
  TlsConfig,
} from '../model/config.ts';
import { DDL_POLICY_KINDS, type DdlAction, type DdlPolicy, type DdlPolicyKind } from '../model/ddl.ts';
import {
  channelId,
  type DataSourceId,
  dataSourceId,
  nodeId,
  pipelineId,
  type SiteId,
  siteId,
} from '../model/ids.ts';
import { parseRowExpression } from '../model/row-expression.ts';
import { alarmsConfig } from './alarms.ts';
import { ConfigError, type ConfigProblem } from './problem.ts';
import { originProblems } from './routing.ts';
import {
  type ChannelSpec,
  type DataSourceSpec,
  DOCUMENT_KINDS,
  document,
  type InstallationSpec,
  installationSpec,
  type NodeSpec,
  type PipelineSpec,
} from './schema.ts';
import { literalSecret, secretRef } from './secret.ts';
import { suggest } from './suggest.ts';
import { parseYamlFile, type YamlDocument } from './yaml-file.ts';

export interface LoadedConfig {
  readonly config: HoltConfig;
  readonly nodes: readonly NodeConfig[];
  /** Files that were read. */
  readonly files: readonly string[];
  /** Where the configuration stands, absolute: relative paths start here. */
  readonly folder: string;
}

interface Placed<T> {
  readonly spec: T;
  readonly doc: YamlDocument;
  readonly path: readonly PropertyKey[];
}

/** Reads a file, or every `.yaml` and `.yml` below a folder. Throws ConfigError. */
export function loadConfig(path: string): LoadedConfig {
  const files = configFiles(path);
  const problems: ConfigProblem[] = [];
  const documents: YamlDocument[] = [];
  for (const file of files) {
    const result = parseYamlFile(file);
    problems.push(...result.problems);
    documents.push(...result.documents);
  }
  if (documents.length === 0 && problems.length === 0)
    throw new HoltError('HOLT_CONFIG_MISSING', `configuration ${path} is empty`, { disposition: 'fatal' });
  const parts = gather(documents, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  const loaded = normalize(parts, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  const folder = resolve(statSync(path).isDirectory() ? path : dirname(path));
  return deepFreeze({ ...loaded, files, folder });
}

function configFiles(path: string): string[] {
  if (!existsSync(path))
    throw new HoltError('HOLT_CONFIG_MISSING', `configuration ${path} does not exist`, {
      disposition: 'fatal',
      remedy: 'Name a YAML file or a folder of them with --config; conf/examples has some to begin with.',
    });
  if (!statSync(path).isDirectory()) return [path];
  const files = readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.ya?ml$/.test(name))
    .sort()
    .map((name) => join(path, name));
  if (files.length === 0)
    throw new HoltError('HOLT_CONFIG_MISSING', `folder ${path} has no .yaml file`, { disposition: 'fatal' });
  return files;
}

interface Parts {
  installation: Placed<InstallationSpec> | null;
  readonly dataSources: Map<string, Placed<DataSourceSpec>>;
  readonly channels: Map<string, Placed<ChannelSpec>>;
  readonly nodes: Map<string, Placed<NodeSpec>>;
}

function gather(documents: readonly YamlDocument[], problems: ConfigProblem[]): Parts {
  const parts: Parts = { installation: null, dataSources: new Map(), channels: new Map(), nodes: new Map() };
  const put = <T>(map: Map<string, Placed<T>>, kind: string, name: string, placed: Placed<T>) => {
    const other = map.get(name);
    if (other === undefined) map.set(name, placed);
    else
      problems.push(
        placed.doc.problem(placed.path, `${kind} ${name} is already defined in ${other.doc.file}`),
      );
  };
  const setInstallation = (placed: Placed<InstallationSpec>) => {
    if (parts.installation === null) parts.installation = placed;
    else
      problems.push(
        placed.doc.problem(
          ['kind'],
          `cluster, coordination, api, alarms, tracing and sites are already defined in ${parts.installation.doc.file}`,
        ),
      );
  };
  for (const doc of documents) {
    const result = document.safeParse(doc.value);
    if (!result.success) {
      problems.push(...result.error.issues.flatMap((issue) => issueProblems(doc, issue)));
      continue;
    }
    const { kind, metadata, spec } = result.data;
    switch (kind) {
      case 'Installation':
        setInstallation({ spec: spec, doc, path: ['spec'] });
        break;
      case 'DataSource':
        put(parts.dataSources, 'data source', metadata.name, { spec, doc, path: ['spec'] });
        break;
      case 'Channel':
        put(parts.channels, 'channel', metadata.name, { spec, doc, path: ['spec'] });
        break;
      case 'Node':
        put(parts.nodes, 'node', metadata.name, { spec, doc, path: ['spec'] });
        break;
      case 'Holt': {
        const { dataSources, channels, nodes, ...installation } = spec;
        if (
          ['cluster', 'coordination', 'api', 'alarms', 'tracing', 'sites'].some((key) =>
            hasKey(doc.value, ['spec', key]),
          )
        )
          setInstallation({ spec: installation, doc, path: ['spec'] });
        for (const [name, value] of Object.entries(dataSources))
          put(parts.dataSources, 'data source', name, {
            spec: value,
            doc,
            path: ['spec', 'dataSources', name],
          });
        for (const [name, value] of Object.entries(channels))
          put(parts.channels, 'channel', name, { spec: value, doc, path: ['spec', 'channels', name] });
        for (const [name, value] of Object.entries(nodes))
          put(parts.nodes, 'node', name, { spec: value, doc, path: ['spec', 'nodes', name] });
        break;
      }
      default:
        kind satisfies never;
    }
  }
  return parts;
}

function hasKey(value: unknown, path: readonly string[]): boolean {
  let at: unknown = value;
  for (const key of path) {
    if (typeof at !== 'object' || at === null || !(key in at)) return false;
    at = (at as Record<string, unknown>)[key];
  }
  return true;
}

/** A zod issue as problems with places; unknown keys each get their own, with the nearest known key. */
function issueProblems(doc: YamlDocument, issue: z.core.$ZodIssue): ConfigProblem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) =>
      doc.problem([...issue.path, key], `unknown key ${JSON.stringify(key)}`, {
        suggestion: suggest(key, knownKeys(doc.value, issue.path)),
        onKey: true,
      }),
    );
  }
  if (issue.code === 'invalid_union' && issue.path.join('.') === 'kind')
    return [
      doc.problem(['kind'], `kind is one of ${Object.keys(DOCUMENT_KINDS).join(', ')}`, {
        suggestion: suggest(String(valueAt(doc.value, ['kind'])), Object.keys(DOCUMENT_KINDS)),
      }),
    ];
  if (issue.code === 'invalid_union') {
    if (valueAt(doc.value, issue.path) === undefined) return [doc.problem(issue.path, 'missing')];
    const inner = issue.errors.flat();
    const deepest = inner.filter((one) => one.path.length > 0);
    const texts = [...new Set(inner.map((one) => one.message.replace(/^Invalid (input|option): /, '')))];
    const first = deepest[0];
    if (first !== undefined) return issueProblems(doc, { ...first, path: [...issue.path, ...first.path] });
    return [doc.problem(issue.path, `none of the allowed forms fits: ${texts.join('; or ')}`)];
  }
  if (issue.code === 'invalid_value') {
    const values = issue.values.map(String);
    const found = valueAt(doc.value, issue.path);
    return [
      doc.problem(
        issue.path,
        `expected ${values.map((value) => JSON.stringify(value)).join(' or ')}, found ${JSON.stringify(found) ?? 'nothing'}`,
        {
          suggestion: typeof found === 'string' ? suggest(found, values) : null,
        },
      ),
    ];
  }
  if (issue.code === 'invalid_key' || issue.code === 'invalid_element') {
    const inner = issue.issues[0];
    return [doc.problem(issue.path, inner?.message ?? issue.message, { onKey: true })];
  }
  const missing = issue.code === 'invalid_type' && valueAt(doc.value, issue.path) === undefined;
  return [
    doc.problem(
      issue.path,
      missing
        ? `missing; ${issue.message.replace(/^Invalid input: /, '').replace(/, received undefined$/, '')}`
        : issue.message.replace(/^Invalid (input|string): /, ''),
    ),
  ];
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at: unknown = value;
  for (const key of path) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = (at as Record<PropertyKey, unknown>)[key];
  }
  return at;
}

/** The keys the schema knows at a path of a document. */
function knownKeys(value: unknown, path: readonly PropertyKey[]): string[] {
  if (path.length === 0) return ['apiVersion', 'kind', 'metadata', 'spec'];
  if (path[0] !== 'spec') return ['name'];
  const kind = valueAt(value, ['kind']);
  let schema: unknown = DOCUMENT_KINDS[String(kind) as keyof typeof DOCUMENT_KINDS];
  for (const key of path.slice(1)) schema = descend(schema, key);
  const shape = unwrap(schema) as { readonly shape?: object } | undefined;
  return Object.keys(shape?.shape ?? {});
}

function descend(schema: unknown, key: PropertyKey): unknown {
  const inner = unwrap(schema) as
    | {
        readonly shape?: Readonly<Record<PropertyKey, unknown>>;
        readonly valueType?: unknown;
        readonly element?: unknown;
        readonly options?: readonly unknown[];
      }
    | undefined;
  if (inner === undefined) return undefined;
  if (inner.shape !== undefined) return inner.shape[key];
  if (inner.valueType !== undefined) return inner.valueType;
  if (inner.element !== undefined) return inner.element;
  return inner.options?.map((option) => descend(option, key)).find((found) => found !== undefined);
}

function unwrap(schema: unknown): unknown {
  let at = schema as
    | {
        readonly unwrap?: () => unknown;
        readonly shape?: unknown;
        readonly def?: { readonly innerType?: unknown; readonly in?: unknown };
      }
    | undefined;
  while (at !== undefined && at.shape === undefined && at.def?.innerType !== undefined)
    at = at.def.innerType as typeof at;
  return at;
}

function normalize(parts: Parts, problems: ConfigProblem[]): Omit<LoadedConfig, 'files' | 'folder'> {
  const installation = parts.installation?.spec ?? installationSpec.parse({});
  const folder = parts.installation?.doc.folder ?? '.';
  const cluster = installation.cluster;

  const sites = new Map<string, SiteConfig>();
  const site = (name: string): SiteId => {
    if (!sites.has(name)) sites.set(name, { name: siteId(name), redis: null });
    return siteId(name);
  };
  for (const [name, spec] of Object.entries(installation.sites))
    sites.set(name, {
      name: siteId(name),
      redis: spec.redis === undefined ? null : { url: secretRef(spec.redis, folder) },
    });

  const dataSources: DataSourceConfig[] = [];
  for (const [name, { spec, doc }] of parts.dataSources) {
    dataSources.push({
      name: dataSourceId(name),
      site: site(spec.site),
      host: spec.host,
      port: spec.port,
      user: spec.user,
      password: spec.password === undefined ? literalSecret('') : secretRef(spec.password, doc.folder),
      tls: tlsConfig(spec.tls, doc.folder, spec.host),
      serverId: spec.serverId ?? derivedServerId(cluster, name),
      connectTimeoutMs: spec.connectTimeout,
    });
  }

  const pipelines: PipelineConfig[] = [];
  const pipelinePlaces = new Map<string, Placed<PipelineSpec>>();
  for (const [channel, { spec, doc, path }] of parts.channels) {
    const names = Object.keys(spec.pipelines);
    if (names.length > 1 && spec.winner === undefined)
      problems.push(
        doc.problem(
          path,
          `channel ${channel} has ${names.length} pipelines and no winner: name the site whose version stays when rows differ`,
        ),
      );
    const channelSites = new Set(
      Object.values(spec.pipelines)
        .flatMap((one) => [one.source, one.target])
        .map((one) => parts.dataSources.get(one)?.spec.site),
    );
    if (spec.winner !== undefined && !channelSites.has(spec.winner))
      problems.push(
        doc.problem(
          [...path, 'winner'],
          `site ${spec.winner} is at neither end of this channel's pipelines`,
          {
            suggestion: suggest(
              spec.winner,
              [...channelSites].filter((one) => one !== undefined),
            ),
          },
        ),
      );
    for (const [name, pipeline] of Object.entries(spec.pipelines)) {
      const placed = { spec: pipeline, doc, path: [...path, 'pipelines', name] };
      const other = pipelinePlaces.get(name);
      if (other !== undefined) {
        problems.push(
          doc.problem(placed.path, `pipeline ${name} is already defined in ${other.doc.file}`, {
            onKey: true,
          }),
        );
        continue;
      }
      pipelinePlaces.set(name, placed);
      const normal = pipelineConfig(channel, spec, name, placed, parts, problems);
      if (normal !== null) pipelines.push(normal);
    }
  }
  for (const { pipeline, message } of originProblems(pipelines)) {
    const placed = pipelinePlaces.get(pipeline);
    if (placed !== undefined) problems.push(placed.doc.problem(placed.path, message, { onKey: true }));
  }

  const nodes: NodeConfig[] = [];
  for (const [name, { spec, doc, path }] of parts.nodes) {
    if (spec.clusterKey === undefined && parts.nodes.size > 1)
      problems.push(
        doc.problem(path, 'clusterKey is missing: with more than one node every call between them is signed'),
      );
    if (
      spec.site in installation.sites ||
      dataSources.some((one) => one.site === spec.site) ||
      parts.nodes.size === 0
    )
      site(spec.site);
    else
      problems.push(
        doc.problem([...path, 'site'], `no data source stands at site ${spec.site}`, {
          suggestion: suggest(spec.site, sites.keys()),
        }),
      );
    nodes.push(nodeConfig(name, spec, doc.folder));
  }

  const servers = dataSources.map((one) => one.serverId);
  for (const [index, one] of dataSources.entries()) {
    const first = servers.indexOf(one.serverId);
    const placed = parts.dataSources.get(one.name);
    if (first !== index && placed !== undefined)
      problems.push(
        placed.doc.problem(
          [...placed.path, 'serverId'],
          `server id ${one.serverId} is also that of ${dataSources[first]?.name}`,
        ),
      );
  }

  return {
    config: {
      cluster,
      coordination: coordinationConfig(installation, folder),
      api: apiConfig(installation, folder),
      tracing:
        installation.tracing === undefined
          ? null
          : {
              endpoint: installation.tracing.endpoint,
              authorization:
                installation.tracing.authorization === undefined
                  ? null
                  : secretRef(installation.tracing.authorization, folder),
              ratio: installation.tracing.ratio,
            },
      alarms: alarmsConfig(installation, folder, (path, message, suggestion) =>
        problems.push(
          ...(parts.installation === null
            ? []
            : [
                parts.installation.doc.problem([...parts.installation.path, 'alarms', ...path], message, {
                  suggestion,
                }),
              ]),
        ),
      ),
      sites: [...sites.values()],
      dataSources,
      pipelines,
    },
    nodes,
  };
}

function pipelineConfig(
  channel: string,
  channelSpec: ChannelSpec,
  name: string,
  { spec, doc, path }: Placed<PipelineSpec>,
  parts: Parts,
  problems: ConfigProblem[],
): PipelineConfig | null {
  const known = [...parts.dataSources.keys()];
  const end = (key: 'source' | 'target') => {
    const found = parts.dataSources.get(spec[key]);
    if (found === undefined)
      problems.push(
        doc.problem([...path, key], `data source ${spec[key]} is not defined`, {
          suggestion: suggest(spec[key], known),
        }),
      );
    return found?.spec;
  };
  const source = end('source');
  const target = end('target');
  if (spec.source === spec.target)
    problems.push(doc.problem([...path, 'target'], 'source and target are the same data source'));
  const include = Array.isArray(spec.tables) ? spec.tables : spec.tables.include;
  const exclude = Array.isArray(spec.tables) ? [] : spec.tables.exclude;
  const rules = spec.rules.map((rule, index) =>
    tableRuleConfig(rule, doc, [...path, 'rules', index], problems),
  );
  if (source === undefined || target === undefined) return null;
  if (
    source.site === target.site &&
    spec.source !== spec.target &&
    channelSpec.winner !== undefined &&
    Object.keys(channelSpec.pipelines).length > 1
  )
    problems.push(doc.problem(path, 'a two-way channel needs its ends at different sites', { onKey: true }));
  const sourceSite = siteId(source.site);
  const twoWay = Object.keys(channelSpec.pipelines).length > 1;
  return {
    name: pipelineId(name),
    channel: channelId(channel),
    source: spec.source as DataSourceId,
    target: spec.target as DataSourceId,
    sourceSite,
    targetSite: siteId(target.site),
    origins: (spec.origins ?? [source.site]).map(siteId),
    start: startConfig(spec.start),
    tables: { include, exclude },
    onTableError: Array.isArray(spec.tables) ? 'stop' : spec.tables.onError,
    rules,
    batch: spec.batch,
    apply: spec.apply,
    largeTransactions: spec.large_transactions,
    conflict: {
      detect: twoWay,
      winner: channelSpec.winner === undefined ? sourceSite : siteId(channelSpec.winner),
    },
    pipe: { kind: spec.pipe },
    ddl: ddlPolicyOf(spec.ddl),
  };
}

/** Whoever asks for schema changes does not ask for the loss of a whole schema, which may hold what is not replicated. */
function ddlPolicyOf(spec: PipelineSpec['ddl']): DdlPolicy {
  if (typeof spec === 'string')
    return { default: spec, kinds: spec === 'replicate' ? { 'drop-database': 'stop' } : {} };
  const kinds: Partial<Record<DdlPolicyKind, DdlAction>> = {};
  for (const kind of DDL_POLICY_KINDS) {
    const action = spec[kind];
    if (action !== undefined) kinds[kind] = action;
    else if (kind === 'drop-database' && spec.default === 'replicate') kinds[kind] = 'stop';
  }
  return { default: spec.default, kinds };
}

function startConfig(start: PipelineSpec['start']): StartConfig | null {
  if (start === undefined) return null;
  if (start === 'now' || start === 'earliest') return { kind: start };
  if ('gtid' in start) return { kind: 'gtid', set: start.gtid };
  if ('file' in start) return { kind: 'file', file: start.file, offset: start.pos };
  return { kind: 'time', iso: start.time };
}

function tableRuleConfig(
  rule: PipelineSpec['rules'][number],
  doc: YamlDocument,
  path: readonly PropertyKey[],
  problems: ConfigProblem[],
): TableRuleConfig {
  if (rule.where !== undefined) {
    try {
      parseRowExpression(rule.where);
    } catch (error) {
      problems.push(doc.problem([...path, 'where'], messageOf(error)));
    }
  }
  const processor = rule.processor === undefined ? null : resolve(doc.folder, rule.processor);
  if (processor !== null && !existsSync(processor))
    problems.push(doc.problem([...path, 'processor'], `processor ${processor} does not exist`));
  if (processor !== null && !/\.(js|mjs|ts|mts)$/.test(processor))
    problems.push(doc.problem([...path, 'processor'], 'a processor is a .js, .mjs, .ts or .mts module'));
  const targets = Object.values(rule.columns.rename).concat(Object.keys(rule.columns.constant));
  const twice = targets.find((one, index) => targets.indexOf(one) !== index);
  if (twice !== undefined)
    problems.push(doc.problem([...path, 'columns'], `target column ${twice} is given twice`));
  for (const dropped of rule.columns.drop)
    if (dropped in rule.columns.rename)
      problems.push(
        doc.problem([...path, 'columns', 'drop'], `column ${dropped} is both renamed and dropped`),
      );
  return {
    match: rule.match,
    to: { schema: rule.to.schema ?? null, table: rule.to.table ?? null },
    columns: {
      rename: rule.columns.rename,
      drop: rule.columns.drop,
      order: rule.columns.order ?? null,
      constant: rule.columns.constant,
    },
    where: rule.where ?? null,
    processor,
    ...(rule.triggers === 'allow' ? { triggers: 'allow' as const } : {}),
  };
}

function coordinationConfig(spec: InstallationSpec, folder: string): CoordinationConfig {
  const { kind, servers, sessionTimeout, tls, auth } = spec.coordination;
  return {
    kind,
    servers,
    sessionTimeoutMs: sessionTimeout,
    tls: tls === undefined ? NO_TLS : tlsConfig(tls, folder, servers),
    auth: auth === undefined ? null : secretRef(auth, folder),
  };
}

const NO_TLS: TlsConfig = { mode: 'disabled', ca: null, cert: null, key: null };

function tlsConfig(spec: DataSourceSpec['tls'], folder: string, host: string): TlsConfig {
  if (spec === undefined) return isLoopback(host) ? NO_TLS : { ...NO_TLS, mode: 'verify-identity' };
  const path = (file: string | undefined) => (file === undefined ? null : resolve(folder, file));
  return { mode: spec.mode, ca: path(spec.ca), cert: path(spec.cert), key: path(spec.key) };
}

/** Two data sources of one installation must not look like the same replica; derived ids stay clear of small hand-given ones. */
function derivedServerId(cluster: string, name: string): number {
  const hash = createHash('sha256').update(`${cluster}\0${name}`).digest().readUInt32BE(0);
  return 0x4000_0000 + (hash % 0x3fff_ffff);
}

function nodeConfig(name: string, spec: NodeSpec, folder: string): NodeConfig {
  const path = (file: string) => resolve(folder, file);
  return {
    name: nodeId(name),
    site: siteId(spec.site),
    serves: (spec.serves ?? [spec.site]).map(siteId),
    listen: hostPort(spec.listen),
    tls: spec.tls === undefined ? null : { cert: path(spec.tls.cert), key: path(spec.tls.key) },
    trustedProxies: spec.trustedProxies,
    dataDir: path(spec.dataDir ?? defaultDataDir(name)),
    pipe: {
      ...hostPort(spec.pipe.listen),
      advertise: spec.pipe.advertise ?? null,
      tls:
        spec.pipe.tls === undefined
          ? null
          : { cert: path(spec.pipe.tls.cert), key: path(spec.pipe.tls.key), ca: path(spec.pipe.tls.ca) },
      maxPayloadBytes: spec.pipe.maxPayload,
    },
    clusterKey: spec.clusterKey === undefined ? literalSecret('') : secretRef(spec.clusterKey, folder),
    stages: spec.stages,
    memoryBytes: spec.memory,
    log: spec.log,
    drainTimeoutMs: spec.drainTimeout,
  };
}

/** Beside the configuration; `holt run` without nodes has one, too. */
export function defaultDataDir(node: string): string {
  return join('holt-data', node);
}

function apiConfig({ api }: InstallationSpec, folder: string): ApiConfig {
  return {
    auth: api.auth === 'on',
    token: api.token === undefined ? null : secretRef(api.token, folder),
    openMetrics: api.metrics === 'open',
    sessionMs: api.session,
    auditDays: api.auditDays,
    historyDays: api.historyDays,
    historyBytes: api.historySize,
  };
}

function hostPort(text: string): { readonly host: string; readonly port: number } {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
