/**
 * The pipeline's configuration as all nodes work by: kept in one znode, whose version every batch carries.
 *
 * A node that starts with another text in its own file writes it there, and the mainstem begins a new reign with it.
 * Nodes that are running take what stands there; the last one started wins, and says so in its log. What was put through the API stands until the files change.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { HoltError, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { PipelineConfig } from '../../model/config.ts';
import { DDL_ACTIONS, DDL_POLICY_KINDS } from '../../model/ddl.ts';
import { channelId, dataSourceId, type NodeId, pipelineId, siteId } from '../../model/ids.ts';
import { parseRowExpression } from '../../model/row-expression.ts';
import type { PipelineStore, Unwatch } from '../../scheduler/contract.ts';
import type { StoredConfig } from '../../scheduler/records.ts';

const site = z.string().transform(siteId);

/** The stored form is the effective form, so that a node without the file can work by it. */
const pipelineSchema = z.strictObject({
  name: z.string().transform(pipelineId),
  channel: z.string().transform(channelId),
  source: z.string().transform(dataSourceId),
  target: z.string().transform(dataSourceId),
  sourceSite: site,
  targetSite: site,
  origins: z.array(site),
  start: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('now') }),
      z.strictObject({ kind: z.literal('earliest') }),
      z.strictObject({ kind: z.literal('gtid'), set: z.string() }),
      z.strictObject({ kind: z.literal('file'), file: z.string(), offset: z.number() }),
      z.strictObject({ kind: z.literal('time'), iso: z.string() }),
    ])
    .nullable(),
  tables: z.strictObject({ include: z.array(z.string()), exclude: z.array(z.string()) }),
  rules: z.array(
    z.strictObject({
      match: z.string(),
      to: z.strictObject({ schema: z.string().nullable(), table: z.string().nullable() }),
      columns: z.strictObject({
        rename: z.record(z.string(), z.string()),
        drop: z.array(z.string()),
        order: z.array(z.string()).nullable(),
        constant: z.record(z.string(), z.string().nullable()),
      }),
      where: z.string().nullable(),
      processor: z.string().nullable(),
      triggers: z.literal('allow').optional(),
    }),
  ),
  batch: z.strictObject({
    maxRows: z.number(),
    maxBytes: z.number(),
    partBytes: z.number(),
    window: z.number(),
  }),
  conflict: z.strictObject({ detect: z.boolean(), winner: site }),
  onTableError: z.enum(['park', 'stop']).default('stop'),
  pipe: z.strictObject({ kind: z.enum(['node', 'redis']) }),
  // What was written before there was a choice meant this.
  largeTransactions: z.enum(['whole', 'chunked']).default('whole'),
  apply: z
    .strictObject({ mode: z.enum(['prefix', 'parallel']), lanes: z.number(), minRows: z.number() })
    .exactOptional(),
  ddl: z
    .strictObject({
      default: z.enum(DDL_ACTIONS),
      kinds: z.partialRecord(z.enum(DDL_POLICY_KINDS), z.enum(DDL_ACTIONS)),
    })
    .default({ default: 'stop', kinds: {} }),
});

export interface VersionedPipelineConfig {
  readonly config: PipelineConfig;
  /** Version of the znode: what `BatchHeader.configVersion` names. */
  readonly version: number;
}

/** The same configuration gives the same text: keys sorted at every level. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

export function storedForm(config: PipelineConfig, by: string, nowMs: number): StoredConfig {
  const text = canonicalJson(config);
  return {
    version: 1,
    digest: createHash('sha256').update(text).digest('hex'),
    text,
    by,
    writtenMs: Math.round(nowMs),
  };
}

export interface ConfigCheck {
  /** Null where there are problems. */
  readonly config: PipelineConfig | null;
  readonly problems: readonly { readonly path: string; readonly message: string }[];
}

/**
 * What a person put through the API in place of the ruling configuration. What makes the pipeline another one stays: its ends, its channel and
 * origins, where it starts, and which processors run.
 * @throws HoltError HOLT_REQUEST_INVALID naming the field.
 */
export function replacingConfig(given: unknown, ruling: PipelineConfig): PipelineConfig {
  const { config, problems } = checkConfig(given, ruling);
  if (config !== null) return config;
  const text = problems
    .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
    .join('; ');
  throw new HoltError('HOLT_REQUEST_INVALID', `config: ${text}`, { disposition: 'fatal' });
}

/** Every problem that it has in place of `ruling`. */
export function checkConfig(given: unknown, ruling: PipelineConfig): ConfigCheck {
  const problems: { path: string; message: string }[] = [];
  const refuse = (path: string, message: string) => problems.push({ path, message });
  const end = (config: PipelineConfig | null) => ({
    config: problems.length === 0 ? config : null,
    problems,
  });
  let result: ReturnType<typeof pipelineSchema.safeParse>;
  try {
    result = pipelineSchema.safeParse(given);
  } catch (error) {
    // A name that is none.
    refuse('', messageOf(error));
    return end(null);
  }
  if (!result.success) {
    for (const issue of result.error.issues.slice(0, 50)) refuse(issue.path.join('.'), issue.message);
    return end(null);
  }
  const { data } = result;
  for (const key of [
    'name',
    'channel',
    'source',
    'target',
    'sourceSite',
    'targetSite',
    'origins',
    'start',
    'conflict',
  ] as const)
    if (canonicalJson(data[key]) !== canonicalJson(ruling[key]))
      refuse(key, 'it cannot be changed in a running installation');
  const processors = new Set(ruling.rules.map((one) => one.processor));
  for (const [index, rule] of data.rules.entries()) {
    if (rule.processor !== null && !processors.has(rule.processor))
      refuse(`rules.${index}.processor`, 'programs are named in the configuration files only');
    if (rule.where !== null)
      try {
        parseRowExpression(rule.where);
      } catch (error) {
        refuse(`rules.${index}.where`, messageOf(error));
      }
  }
  const patterns = [
    ...data.tables.include.map((text, index) => [`tables.include.${index}`, text] as const),
    ...data.tables.exclude.map((text, index) => [`tables.exclude.${index}`, text] as const),
    ...data.rules.map((one, index) => [`rules.${index}.match`, one.match] as const),
  ];
  for (const [path, pattern] of patterns)
    if (!/^[^.\s]+\.[^\s]+$/.test(pattern))
      refuse(path, `${JSON.stringify(pattern)} is no pattern such as shop.*`);
  if (data.tables.include.length === 0) refuse('tables.include', 'at least one pattern is expected');
  const { maxRows, maxBytes, partBytes, window } = data.batch;
  const isWhole = [maxRows, maxBytes, partBytes, window].every((one) => Number.isSafeInteger(one) && one > 0);
  if (!isWhole || maxRows > 1_000_000 || window > 64) refuse('batch', 'a size is out of its bounds');
  return end(data);
}

/** Throws HOLT_ZNODE_FOREIGN when the text is not a pipeline's. */
export function parseStored(stored: StoredConfig, path: string): PipelineConfig {
  let json: unknown;
  try {
    json = JSON.parse(stored.text);
  } catch (error) {
    throw foreign(path, 'its text is no JSON', error);
  }
  const result = pipelineSchema.safeParse(json);
  if (!result.success)
    throw foreign(path, result.error.issues[0]?.message ?? 'it has another form', result.error);
  return result.data;
}

function foreign(path: string, why: string, cause: unknown): HoltError {
  return new HoltError('HOLT_ZNODE_FOREIGN', `${path} does not hold a pipeline configuration: ${why}`, {
    disposition: 'retry',
    remedy: 'Find out who wrote there; then start a node with the right configuration.',
    facts: { path },
    cause,
  });
}

/** The configuration of one pipeline as it stands in the tree, watched. */
export class PipelineConfigs {
  readonly #store: PipelineStore;
  readonly #log: Logger;
  readonly #listeners = new Set<() => void>();
  #current: VersionedPipelineConfig | null = null;
  #problem: HoltError | null = null;
  #unwatch: Unwatch | null = null;
  #stored: StoredConfig | null = null;

  constructor(options: { readonly store: PipelineStore; readonly log: Logger }) {
    this.#store = options.store;
    this.#log = options.log;
  }

  get current(): VersionedPipelineConfig | null {
    return this.#current;
  }

  /** Why the znode cannot be read, null when it can. */
  get problem(): HoltError | null {
    return this.#problem;
  }

  /** Makes the file's configuration the ruling one if another stands there, then watches. */
  async start(own: PipelineConfig, by: NodeId, nowMs: number, signal: AbortSignal): Promise<void> {
    const wanted = storedForm(own, by, nowMs);
    const reading = await this.#store.config.read(signal);
    if (reading.kind === 'absent') {
      // Another node may be as quick: then both hold the same, or the watch brings the other's.
      await this.#store.config.set(wanted, 'new', signal).catch((error: unknown) => {
        this.#log.debug(
          { event: 'config:write:raced', err: error },
          'another node wrote the configuration first',
        );
      });
    } else if (
      reading.kind === 'value' &&
      reading.value.digest !== wanted.digest &&
      reading.value.replaces !== wanted.digest
    ) {
      await this.#store.config.set(wanted, reading.version, signal);
      this.#log.warn(
        { event: 'config:changed', by: reading.value.by, digest: wanted.digest.slice(0, 12) },
        'configuration differs from the ruling one and replaces it',
      );
    }
    await this.#take(await this.#store.config.read(signal));
    this.#unwatch = this.#store.config.watch((next) => this.#take(next));
  }

  stop(): void {
    this.#unwatch?.();
    this.#unwatch = null;
    this.#listeners.clear();
  }

  onChange(listener: () => void): Unwatch {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The configuration a batch was formed under. Waits while ours is older; null when ours is newer: that reign is over. */
  at(version: number, signal: AbortSignal): Promise<PipelineConfig | null> {
    const known = this.#answer(version);
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve, reject) => {
      const done = () => {
        off();
        signal.removeEventListener('abort', onAbort);
      };
      const onAbort = () => {
        done();
        reject(signal.reason);
      };
      const off = this.onChange(() => {
        const answer = this.#answer(version);
        if (answer === undefined) return;
        done();
        resolve(answer);
      });
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  #answer(version: number): PipelineConfig | null | undefined {
    if (this.#current === null || this.#current.version < version) return undefined;
    return this.#current.version === version ? this.#current.config : null;
  }

  async #take(reading: Awaited<ReturnType<PipelineStore['config']['read']>>): Promise<void> {
    switch (reading.kind) {
      case 'absent':
        await this.#restore();
        return;
      case 'foreign':
        this.#problem = reading.error;
        break;
      case 'value':
        try {
          this.#current = {
            config: parseStored(reading.value, this.#store.config.path),
            version: reading.version,
          };
          this.#stored = reading.value;
          this.#problem = null;
          this.#keep(reading.value);
        } catch (error) {
          if (!(error instanceof HoltError)) throw error;
          this.#problem = error;
        }
        break;
      default:
        reading satisfies never;
    }
    for (const listener of [...this.#listeners]) listener();
  }

  /** Nothing waits for it, and nothing is decided by it. */
  #keep(stored: StoredConfig): void {
    this.#store.configHistory.keep(stored).catch((error: unknown) => {
      this.#log.debug(
        { event: 'config:history:failed', err: error },
        'a configuration could not be kept in the history',
      );
    });
  }

  /** ZooKeeper has lost its data, or somebody deleted the znode: what ruled rules on. */
  async #restore(): Promise<void> {
    if (this.#stored === null) return;
    this.#log.warn({ event: 'config:restored' }, 'the configuration is gone from the tree; writing it again');
    await this.#store.config.set(this.#stored, 'new').catch((error: unknown) => {
      this.#log.debug(
        { event: 'config:write:raced', err: error },
        'another node wrote the configuration first',
      );
    });
  }
}
