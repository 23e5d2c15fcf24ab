/**
 * Measures the clocks of all parties from this node every 30 s: of the other nodes over their channel, of the databases at the sites that the
 * node serves with a short session each. What is not there is left out, and tried again.
 */
import { type GaugeSession, TIME_PROBES, TIME_SESSION_SQL, TIME_SQL } from '../../canal/log-gauge.ts';
import { ServerConnection } from '../../canal/protocol/server-connection.ts';
import { withDeadline } from '../../lib/abort.ts';
import type { Clock } from '../../lib/clock.ts';
import { isAbort } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { RunningState, type Service } from '../../lib/service.ts';
import type { DataSourceConfig } from '../../model/config.ts';
import type { ClockProbe } from '../status/lag/clock-estimate.ts';
import type { Clocks, Party } from '../status/lag/clocks.ts';

export interface ClockKeeperOptions {
  readonly clocks: Clocks;
  /** Other nodes present now. */
  readonly nodes: () => readonly { readonly node: string; readonly address: string }[];
  readonly databases: readonly DataSourceConfig[];
  /** A node's time, ms since 1970. */
  readonly askNode: (address: string, signal: AbortSignal) => Promise<number>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Default 30 000. */
  readonly everyMs?: number;
}

/** Until everyone has been found for the first time. */
const EARLY_MS = 2_000;
const EARLY_ROUNDS = 5;
const ANSWER_MS = 3_000;

export class ClockKeeper implements Service {
  readonly #options: ClockKeeperOptions;
  readonly #state: RunningState;
  #done: Promise<void> | null = null;

  constructor(options: ClockKeeperOptions) {
    this.#options = options;
    this.#state = new RunningState({ clock: options.clock });
  }

  run(): Promise<void> {
    this.#done ??= this.#loop();
    return this.#done;
  }

  async stop(): Promise<void> {
    this.#state.requestStop();
    await this.#done;
  }

  async #loop(): Promise<void> {
    const { nodes, databases, everyMs = 30_000 } = this.#options;
    for (let round = 0; this.#state.shouldRun(); round++) {
      await Promise.all([
        ...nodes().map((one) => this.#measure(`node ${one.node}`, () => this.#node(one))),
        ...databases.map((one) => this.#measure(`database ${one.name}`, () => this.#database(one))),
      ]);
      await this.#state.sleep(round < EARLY_ROUNDS ? Math.min(EARLY_MS, everyMs) : everyMs);
    }
  }

  async #measure(party: Party, work: () => Promise<void>): Promise<void> {
    try {
      await withDeadline(work(), 2 * ANSWER_MS, `the clock of ${party}`);
    } catch (error) {
      if (this.#state.shouldRun() && !isAbort(error))
        this.#options.log.debug({ event: 'clock:silent', party, err: error }, 'a clock could not be read');
    }
  }

  async #node({ node, address }: { readonly node: string; readonly address: string }): Promise<void> {
    const { askNode, clocks } = this.#options;
    for (let probe = 0; probe < TIME_PROBES && this.#state.shouldRun(); probe++)
      clocks.add(`node ${node}`, await this.#probe(() => askNode(address, this.#state.signal)));
  }

  async #database(source: DataSourceConfig): Promise<void> {
    const { clocks } = this.#options;
    const session = await timeSession(source, this.#state.signal);
    try {
      await session.query(TIME_SESSION_SQL);
      for (let probe = 0; probe < TIME_PROBES && this.#state.shouldRun(); probe++) {
        const answer = await this.#probe(async () => Number((await session.query(TIME_SQL))[0]?.[0]) * 1000);
        if (answer.theirsMs > 0) clocks.add(`database ${source.name}`, answer);
      }
    } finally {
      await session.close();
    }
  }

  async #probe(ask: () => Promise<number>): Promise<ClockProbe> {
    const { clock } = this.#options;
    const askedMs = clock.monotonicMs();
    const theirsMs = await withDeadline(ask(), ANSWER_MS, 'what time it is');
    return { theirsMs, askedMs, answeredMs: clock.monotonicMs() };
  }
}

/** A session that answers as text; closes when `signal` aborts. */
export async function timeSession(
  endpoint: DataSourceConfig,
  signal: AbortSignal,
  purpose = 'clock',
): Promise<GaugeSession> {
  const connection = await ServerConnection.connect({ endpoint, purpose, replyTimeoutMs: 10_000 }, signal);
  return {
    async query(sql) {
      const { rows } = await connection.query(sql);
      return rows.map((row) => row.map((value) => value?.toString('latin1') ?? null));
    },
    close: () => connection.close(),
  };
}
