/**
 * Looks after a pipeline's parked tables on a node that works on its Load: tells what is parked, for status, and drains the groups
 * whose resumption is asked for. Any number of nodes may; the drain lane's row makes them one.
 */
import { parseDefinition } from '../../canal/schema/definition.ts';
import type { TableFacts } from '../../canal/schema/table-facts.ts';
import type { Clock } from '../../lib/clock.ts';
import { isAbort, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { Reopening } from '../../lib/reopening.ts';
import { RunningState, type Service } from '../../lib/service.ts';
import type { DataSourceConfig, PipelineConfig } from '../../model/config.ts';
import type { NodeId } from '../../model/ids.ts';
import { type DrainOutcome, drainGroup } from '../../stages/load/parked/drain.ts';
import { type TableName, tableKey } from '../../stages/load/parked/parked.ts';
import { readDefinitions } from '../../stages/load/parked/parked-rows.ts';
import { type ParkedGroup, parkedGroups } from '../../stages/load/parked/table-commands.ts';
import { targetError } from '../../stages/load/target/error-classes.ts';
import { connectTarget } from '../../stages/load/target/mysql2-connection.ts';
import { TargetServerError } from '../../stages/load/target/target-connection.ts';
import { drainKit } from './load-kit.ts';

export interface ParkedKeeperOptions {
  readonly config: () => PipelineConfig | null;
  readonly target: DataSourceConfig;
  readonly node: NodeId;
  /** What is parked now; called after every look. */
  readonly onGroups: (groups: readonly ParkedGroup[]) => void;
  readonly clock: Clock;
  readonly log: Logger;
  /** Between two looks; default 3 s. */
  readonly everyMs?: number;
}

const ER_NO_SUCH_TABLE = 1146;
const ER_BAD_DB = 1049;
const ER_BAD_FIELD = 1054;

export class ParkedKeeper implements Service {
  readonly #options: ParkedKeeperOptions;
  readonly #state: RunningState;
  readonly #session: Reopening<Awaited<ReturnType<typeof connectTarget>>>;
  #over: Promise<void> = Promise.resolve();

  constructor(options: ParkedKeeperOptions) {
    this.#options = options;
    this.#state = new RunningState({ clock: options.clock });
    this.#session = new Reopening({
      open: () => connectTarget(options.target, { session: { writes: false } }),
      close: (one) => one.close(),
      isGood: (one) => one.usable,
    });
  }

  run(): Promise<void> {
    this.#over = this.#keep();
    return this.#over;
  }

  async stop(): Promise<void> {
    this.#state.requestStop();
    await this.#over;
    await this.#session.close();
  }

  async #keep(): Promise<void> {
    const { everyMs = 3_000, log } = this.#options;
    while (this.#state.shouldRun()) {
      try {
        const config = this.#options.config();
        if (config !== null) await this.#look(config);
        this.#state.resetBackoff();
      } catch (error) {
        if (isAbort(error) || !this.#state.shouldRun()) continue;
        // A target that does not answer is told by Load.
        log.debug(
          { event: 'parked:look:failed', reason: messageOf(error) },
          'parked tables cannot be looked after now',
        );
        await this.#state.backoff();
      }
      await this.#state.sleep(everyMs);
    }
  }

  async #look(config: PipelineConfig): Promise<void> {
    const groups = await this.#groups(config);
    this.#options.onGroups(groups);
    const draining = groups.filter(({ tables }) => tables[0]?.state === 'draining');
    for (const group of draining) {
      if (!this.#state.shouldRun()) return;
      await this.#drain(config, group);
    }
    if (draining.length > 0 && this.#state.shouldRun()) this.#options.onGroups(await this.#groups(config));
  }

  async #groups(config: PipelineConfig): Promise<readonly ParkedGroup[]> {
    try {
      return await this.#session.use((session) => parkedGroups(session, config.name));
    } catch (error) {
      // No holt schema yet, or one of an older version: the first raise makes it.
      const isMissing =
        error instanceof TargetServerError &&
        [ER_NO_SUCH_TABLE, ER_BAD_DB, ER_BAD_FIELD].includes(error.errno);
      if (isMissing) return [];
      throw targetError(error);
    }
  }

  async #drain(config: PipelineConfig, { root, tables }: ParkedGroup): Promise<DrainOutcome> {
    const { target, node, clock, log } = this.#options;
    const definitions = new Map<string, readonly TableFacts[]>();
    for (const { name } of tables) {
      const texts = await this.#session.use((session) => readDefinitions(session, config.name, name));
      definitions.set(
        tableKey(name),
        texts.flatMap((text) => parseDefinition(text) ?? []),
      );
    }
    const definitionsOf = (name: TableName) => definitions.get(tableKey(name)) ?? [];
    const kit = await drainKit({ config, target, clock, definitionsOf });
    try {
      return await drainGroup({
        pipeline: config.name,
        root,
        node,
        target,
        applier: kit.applier,
        transform: kit.transform,
        signal: this.#state.signal,
        clock,
        log,
      });
    } finally {
      await kit.close();
    }
  }
}
