/**
 * How long the sources still keep what pipelines have not read. Looked at by the evaluator, now and then: a session with each source
 * and each target, whoever leads them and whether a pipeline runs or not; one that was paused is what this is about.
 */
import type { Clock } from '../../lib/clock.ts';
import { isAbort, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { DataSourceConfig, HoltConfig } from '../../model/config.ts';
import { type CheckpointRow, readCheckpoint } from '../../stages/load/checkpoint.ts';
import type { TargetSession } from '../../stages/load/target/target-connection.ts';
import { withSession } from '../runtime/target-half.ts';
import type { RetentionReading } from './readings.ts';

export interface SourceLogs {
  readonly identity: string;
  /** Oldest first; the last is being written. */
  readonly files: readonly string[];
  /** Null for ever. */
  readonly keepsMs: number | null;
}

export interface ReadTo {
  readonly pipeline: string;
  readonly file: string | null;
  readonly sourceIdentity: string;
  /** When the row of the target was last moved. */
  readonly movedMs: number;
}

/** Null where it cannot be told. Pure. */
export function retentionOf(
  logs: SourceLogs,
  { pipeline, file, sourceIdentity, movedMs }: ReadTo,
  nowMs: number,
): RetentionReading | null {
  const { files, keepsMs, identity } = logs;
  // Another server has other files, under the same names perhaps.
  if (file === null || files.length === 0 || identity !== sourceIdentity) return null;
  const index = files.indexOf(file);
  if (index < 0) return { pipeline, leftMs: 0, keepsMs };
  // The file that is being written stays.
  if (keepsMs === null || index === files.length - 1) return { pipeline, leftMs: null, keepsMs };
  // A file goes when its last change is so old, and that is no older than the place in it where reading stands.
  return { pipeline, leftMs: Math.max(0, keepsMs - (nowMs - movedMs)), keepsMs };
}

export interface RetentionWatchOptions {
  readonly config: HoltConfig;
  readonly clock: Clock;
  readonly log: Logger;
}

const EVERY_MS = 60_000;
const DEADLINE_MS = 15_000;

export class RetentionWatch {
  readonly #options: RetentionWatchOptions;
  #found: readonly RetentionReading[] = [];
  #dueMs = 0;
  #looking: Promise<void> | null = null;

  constructor(options: RetentionWatchOptions) {
    this.#options = options;
  }

  /** What was found last; begins a new look when that is a minute old. */
  readings(signal: AbortSignal): readonly RetentionReading[] {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#looking === null && nowMs >= this.#dueMs) {
      this.#dueMs = nowMs + EVERY_MS;
      this.#looking = this.#look(signal).finally(() => {
        this.#looking = null;
      });
    }
    return this.#found;
  }

  /** Until a look that has begun is over. */
  async idle(): Promise<void> {
    await this.#looking;
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { config, clock } = this.#options;
    const named = (name: string) => config.dataSources.find((one) => one.name === name);
    const rows = new Map<string, CheckpointRow>();
    const logs = new Map<string, SourceLogs>();
    const targets = new Set(config.pipelines.map((one) => one.target));
    const sources = new Set(config.pipelines.map((one) => one.source));
    for (const target of targets)
      await this.#with(named(target), signal, async (session) => {
        for (const { name } of config.pipelines.filter((one) => one.target === target)) {
          const row = await readCheckpoint(session, name);
          if (row !== null) rows.set(name, row);
        }
      });
    for (const source of sources)
      await this.#with(named(source), signal, async (session) => {
        logs.set(source, await logsOf(session));
      });
    this.#found = config.pipelines.flatMap(({ name, source }) => {
      const [row, own] = [rows.get(name), logs.get(source)];
      if (row === undefined || own === undefined) return [];
      const to = {
        pipeline: name,
        file: row.position.at?.file ?? null,
        sourceIdentity: row.sourceIdentity,
        movedMs: Date.parse(`${row.appliedAt.replace(' ', 'T').slice(0, 23)}Z`),
      };
      return retentionOf(own, to, clock.nowMs()) ?? [];
    });
  }

  async #with(
    source: DataSourceConfig | undefined,
    signal: AbortSignal,
    work: (session: TargetSession) => Promise<void>,
  ): Promise<void> {
    if (source === undefined || signal.aborted) return;
    try {
      await withSession(source, AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)]), work);
    } catch (error) {
      // Whether it can be reached is another rule's business.
      if (!isAbort(error))
        this.#options.log.debug(
          { event: 'alarms:retention:unknown', source: source.name, reason: messageOf(error) },
          'how long a source keeps its log cannot be looked at',
        );
    }
  }
}

const DAY_SECONDS = 86_400;

async function logsOf(session: TargetSession): Promise<SourceLogs> {
  const files = await session.rows('SHOW BINARY LOGS');
  const variables = await session.rows(
    "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('binlog_expire_logs_seconds', 'expire_logs_days', 'binlog_expire_logs_auto_purge')",
  );
  const values = new Map(
    variables.map(([name, value]) => [name?.toString('latin1').toLowerCase(), value?.toString('latin1')]),
  );
  // MariaDB from 10.6 and MySQL from 8.0 have both; whichever is set counts, and the two are kept equal.
  const seconds =
    Number(values.get('binlog_expire_logs_seconds') ?? 0) ||
    Number(values.get('expire_logs_days') ?? 0) * DAY_SECONDS;
  const isPurged = seconds > 0 && values.get('binlog_expire_logs_auto_purge') !== 'OFF';
  return {
    identity: session.server.identity,
    files: files.map(([file]) => file?.toString('utf8') ?? ''),
    keepsMs: isPurged ? seconds * 1000 : null,
  };
}
