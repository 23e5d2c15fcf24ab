/**
 * The effective configuration: what `conf/` yields after parsing, defaults and checks, frozen, and all that the rest accepts.
 * Durations are milliseconds, sizes bytes. Secrets are resolved only where they are used: here they are references.
 */
import type { AlarmsConfig } from './alarm.ts';
import type { DdlPolicy } from './ddl.ts';
import type { ChannelId, DataSourceId, NodeId, PipelineId, SiteId } from './ids.ts';
import type { TaskStage } from './stage.ts';

/** A secret by reference; `resolve` reads it at the moment of use and its text never reaches logs, znodes or API. */
export interface SecretRef {
  readonly kind: 'env' | 'file' | 'literal';
  /** Variable name or path; for `literal` (only `${…:-default}` and tests) the word "literal". */
  readonly from: string;
  resolve(): string;
}

export interface TlsConfig {
  readonly mode: 'disabled' | 'required' | 'verify-ca' | 'verify-identity';
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
}

export interface DataSourceConfig {
  readonly name: DataSourceId;
  readonly site: SiteId;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: SecretRef;
  readonly tls: TlsConfig;
  /** server_id under which Holt follows this source's binlog. */
  readonly serverId: number;
  readonly connectTimeoutMs: number;
}

export interface SiteConfig {
  readonly name: SiteId;
  readonly redis: { readonly url: SecretRef } | null;
}

/** Schema and table patterns: `*` and `?` wildcards, `shop.*`; matched on the source's names. */
export interface TableFilterConfig {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

export interface TableRuleConfig {
  /** Pattern on source names; the first rule that matches a table counts. */
  readonly match: string;
  readonly to: { readonly schema: string | null; readonly table: string | null };
  /** Order of target columns; null keeps the source's. */
  readonly columns: {
    readonly rename: Readonly<Record<string, string>>;
    readonly drop: readonly string[];
    readonly order: readonly string[] | null;
    /** Target column → constant value, as text, or null for NULL. */
    readonly constant: Readonly<Record<string, string | null>>;
  };
  /** Row filter expression, checked when the config is loaded; null takes every row. */
  readonly where: string | null;
  /** Path of a user processor module; null for none. */
  readonly processor: string | null;
  /** The target's triggers act on what Load writes; absent, a table with triggers is refused. */
  readonly triggers?: 'allow' | undefined;
}

/** Where a pipeline without a checkpoint begins; there is no default. */
export type StartConfig =
  | { readonly kind: 'now' }
  | { readonly kind: 'earliest' }
  | { readonly kind: 'gtid'; readonly set: string }
  | { readonly kind: 'file'; readonly file: string; readonly offset: number }
  | { readonly kind: 'time'; readonly iso: string };

export interface BatchLimits {
  readonly maxRows: number;
  readonly maxBytes: number;
  /** A transaction above this goes in parts of this size. */
  readonly partBytes: number;
  /** Batches in flight. */
  readonly window: number;
}

export interface PipelineConfig {
  readonly name: PipelineId;
  readonly channel: ChannelId;
  readonly source: DataSourceId;
  readonly target: DataSourceId;
  readonly sourceSite: SiteId;
  readonly targetSite: SiteId;
  /** Origins whose changes this pipeline carries; the source's own site unless told otherwise. */
  readonly origins: readonly SiteId[];
  readonly start: StartConfig | null;
  readonly tables: TableFilterConfig;
  /** What becomes of a table whose changes the target does not take: its changes are held, or the pipeline waits. */
  readonly onTableError: 'park' | 'stop';
  readonly rules: readonly TableRuleConfig[];
  readonly batch: BatchLimits;
  /** `whole`: one target transaction, however large; `chunked`: several, exactly once each, so that readers see parts (no G3). */
  readonly largeTransactions: 'whole' | 'chunked';
  /**
   * `prefix`: one connection, the target shows a transaction boundary of the source at every moment. `parallel`: batches of `minRows` rows
   * and more go over `lanes` connections at once, and readers of the target may see a part of a batch (no G3). Absent: `prefix`.
   */
  readonly apply?: {
    readonly mode: 'prefix' | 'parallel';
    readonly lanes: number;
    readonly minRows: number;
  };
  readonly conflict: {
    /** Compare each row with its before image under lock: on in two-way channels. */
    readonly detect: boolean;
    /** The site whose version stays when rows differ. */
    readonly winner: SiteId;
  };
  readonly pipe: { readonly kind: 'node' | 'redis' };
  /** What becomes of schema changes, by the kind of statement. */
  readonly ddl: DdlPolicy;
}

export interface NodeConfig {
  readonly name: NodeId;
  readonly site: SiteId;
  /** Sites whose stages it takes part in: its own, and others for one process that does it all. */
  readonly serves: readonly SiteId[];
  /** HTTP API; port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Certificate of the API; null for plain HTTP. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
  /** Addresses or networks of proxies whose X-Forwarded headers are believed. */
  readonly trustedProxies: readonly string[];
  /** Folder for what the node keeps itself. */
  readonly dataDir: string;
  /** Pipe and node-to-node calls. */
  readonly pipe: {
    readonly host: string;
    readonly port: number;
    /** Name or address under which other nodes reach it. */
    readonly advertise: string | null;
    readonly tls: { readonly cert: string; readonly key: string; readonly ca: string } | null;
    readonly maxPayloadBytes: number;
  };
  /** HMAC key of node-to-node calls. */
  readonly clusterKey: SecretRef;
  readonly stages: readonly ('select' | TaskStage)[];
  readonly memoryBytes: number;
  readonly log: { readonly level: string; readonly pretty: boolean };
  readonly drainTimeoutMs: number;
}

export interface CoordinationConfig {
  readonly kind: 'zookeeper' | 'embedded';
  /** host:port,host:port/chroot */
  readonly servers: string;
  readonly sessionTimeoutMs: number;
  readonly tls: TlsConfig;
  readonly auth: SecretRef | null;
}

/** Who may use the API, and what is kept of its use. */
export interface ApiConfig {
  /** False: whoever reaches the API is administrator; loopback only. */
  readonly auth: boolean;
  /** An administrator's token from outside; null for none. */
  readonly token: SecretRef | null;
  /** /metrics is read without a token. */
  readonly openMetrics: boolean;
  readonly sessionMs: number;
  readonly auditDays: number;
  readonly historyDays: number;
  readonly historyBytes: number;
}

/** OpenTelemetry: where spans of batches go. */
export interface TracingConfig {
  /** OTLP over HTTP, such as http://collector:4318/v1/traces. */
  readonly endpoint: string;
  /** Value of the Authorization header. */
  readonly authorization: SecretRef | null;
  /** Share of batches, 0 to 1. */
  readonly ratio: number;
}

export interface HoltConfig {
  /** Name of the whole installation; part of checkpoints, so that two do not share a row. */
  readonly cluster: string;
  readonly coordination: CoordinationConfig;
  readonly api: ApiConfig;
  readonly alarms: AlarmsConfig;
  /** Null: no spans. */
  readonly tracing: TracingConfig | null;
  readonly sites: readonly SiteConfig[];
  readonly dataSources: readonly DataSourceConfig[];
  readonly pipelines: readonly PipelineConfig[];
}
