/** What is seen of a source while this node leads it: where its log ended when, its clock, its files, its heartbeat. */
import type { BinlogEngine } from '../../canal/engine.ts';
import type { HeartbeatWriter } from '../../canal/heartbeat.ts';
import { type GaugeSession, LogGauge } from '../../canal/log-gauge.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { DataSourceConfig } from '../../model/config.ts';
import type { BinlogCoordinates } from '../../model/position.ts';
import type { ReadHeartbeat } from '../../stages/select/formed-batch.ts';
import type { Clocks, Party } from '../status/lag/clocks.ts';
import type { SourceView } from '../status/lag/lag-meter.ts';
import { SourceTimeline } from '../status/lag/source-timeline.ts';
import { timeSession } from './clock-keeper.ts';

export interface SourceSightOptions {
  readonly source: DataSourceConfig;
  readonly clocks: Clocks;
  readonly clock: Clock;
  readonly log: Logger;
  /** Where the pipelines read, and what they have applied. */
  readonly readingAt: () => readonly (BinlogCoordinates | null)[];
  /** After every look. */
  readonly onLook: () => void;
}

/** A row is written and committed within this, mostly: what is before it in the log may be younger than it says. */
const HEARTBEAT_COMMIT_MS = 20;
/** Which server this is, behind whatever address. */
const SERVER_SQL = 'SELECT @@hostname, @@port, @@server_id, @@datadir';

export class SourceSight {
  readonly #options: SourceSightOptions;
  readonly #party: Party;
  #timeline = new SourceTimeline();
  #sinceMs: number;
  #files: SourceView['files'] = [];
  /** Length of a heartbeat in the log; null before one was read. */
  #heartbeatBytes: number | null = null;
  #engine: BinlogEngine | null = null;
  #heartbeat: HeartbeatWriter | null = null;
  #gauge: LogGauge | null = null;
  /** The server that is looked at; null before the first. */
  #server: string | null = null;

  constructor(options: SourceSightOptions) {
    this.#options = options;
    this.#sinceMs = options.clock.monotonicMs();
    this.#party = `database ${options.source.name}`;
  }

  /** Looks begin anew: this may be another server. */
  gauge(engine: BinlogEngine, heartbeat: HeartbeatWriter): LogGauge {
    const { source, clocks, clock, log, readingAt, onLook } = this.#options;
    this.#forget();
    this.#server = null;
    this.#engine = engine;
    this.#heartbeat = heartbeat;
    const gauge = new LogGauge({
      connect: async (signal) => {
        const session = await timeSession(source, signal, 'end of the log');
        try {
          await this.#meet(session);
          return session;
        } catch (error) {
          await session.close().catch(() => {});
          throw error;
        }
      },
      statusSql: () => engine.logStatusSql,
      onLook: (place, fromMs, toMs) => {
        this.#timeline.look(place, fromMs, toMs);
        onLook();
      },
      onTime: (answer) => clocks.add(this.#party, answer),
      onFiles: (files) => {
        this.#files = files;
      },
      wantsFiles: (head) => readingAt().some((at) => at !== null && at.file !== head.file),
      logger: log,
      clock,
    });
    this.#gauge = gauge;
    return gauge;
  }

  /** Reading begins anew, at what is the source now: what is looked at must be the same. */
  renew(): void {
    this.#gauge?.renew();
  }

  /** Places in the log of another server say nothing of those in this one's. */
  async #meet(session: GaugeSession): Promise<void> {
    const [row] = await session.query(SERVER_SQL);
    const server = row?.join(' ') ?? '';
    if (this.#server !== null && this.#server !== server) this.#forget();
    this.#server = server;
  }

  #forget(): void {
    this.#timeline = new SourceTimeline();
    this.#sinceMs = this.#options.clock.monotonicMs();
    this.#files = [];
    this.#heartbeatBytes = null;
  }

  /** Nobody here reads the source any more. */
  close(): void {
    this.#gauge = null;
    this.#engine = null;
    this.#heartbeat = null;
  }

  /** A heartbeat row was read: for what was written before anybody here looked. */
  read({ atUs, end, bytes }: ReadHeartbeat): void {
    this.#heartbeatBytes = bytes !== null && bytes > 0 ? bytes : null;
    const moment = this.#options.clocks.moment(this.#party, atUs / 1000);
    if (moment === null) return;
    const { atMs, errorMs } = moment;
    this.#timeline.heartbeat(end, atMs - errorMs, atMs + errorMs + HEARTBEAT_COMMIT_MS);
  }

  get view(): SourceView {
    const { clocks } = this.#options;
    return {
      timeline: this.#timeline,
      sinceMs: this.#sinceMs,
      clock: clocks.offset(this.#party),
      files: this.#files,
      exactCommitTimes: this.#engine?.logsExactCommitTimes ?? false,
      heartbeatBytes: this.#heartbeatBytes,
      heartbeatMs: this.#heartbeat?.lastBeatMs ?? null,
    };
  }

  /** Why heartbeats cannot be written; null while they can. */
  get heartbeatTrouble(): string | null {
    return this.#heartbeat?.trouble ?? null;
  }

  get aheadMs(): number {
    return this.#options.clocks.aheadMs(this.#party);
  }
}
