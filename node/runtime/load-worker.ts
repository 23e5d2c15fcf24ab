/**
 * The shell around Load: fetches and prepares ahead, applies strictly in order. What it does next is decided by the state machine
 * `scheduler/machine/load-run.ts`, the one that the explorer walks through; here its actions are done.
 *
 * While the target executes batch n, batch n+1 is folded and written as SQL and n+2 is fetched. Finishing the task
 * (a quorum write) overlaps with the next batch too: the checkpoint in the target has decided already.
 */

import { AbortError } from '../../lib/abort.ts';
import { Backoff } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import { type Deferred, deferred } from '../../lib/deferred.ts';
import { HoltError, isAbort, messageOf } from '../../lib/errors.ts';
import { failpoint } from '../../lib/failpoint.ts';
import type { Logger } from '../../lib/logger.ts';
import { RunningState, type Service } from '../../lib/service.ts';
import { TaskGroup } from '../../lib/task-group.ts';
import type { BatchHeader, LoadReceipt } from '../../model/batch.ts';
import type { PipelineConfig } from '../../model/config.ts';
import type { SqlServer } from '../../model/ddl-kind.ts';
import type { Claim, PipelineTasks, TaskBoard } from '../../scheduler/contract.ts';
import {
  initialLoadRun,
  type LoadItem,
  type LoadRunAction,
  type LoadRunEvent,
  type LoadRunState,
  loadRunTransition,
  type RunReign,
} from '../../scheduler/machine/load-run.ts';
import type { LoadRun, PreparedBatch } from '../../stages/load/load.ts';
import type { Pipe } from '../../stages/pipe/pipe.ts';
import type { LoadOutcome, LoadStats, TransformedBatch } from '../../stages/stage.ts';
import { Transformer } from '../../stages/transform/transform.ts';
import type { PipelineConfigs } from './pipeline-configs.ts';
import { terminateWith } from './terminate.ts';

/** The target half of one configuration: an applier, and a run that begins when the first batch comes. */
export interface LoadKit {
  /** Folds and builds; touches no row. */
  prepare(batch: TransformedBatch, signal: AbortSignal): Promise<PreparedBatch>;
  /** Names a state of the target's tables: what was known under another name is forgotten. */
  tablesAsOf(name: string): void;
  /** The target, as far as its language of definitions goes. */
  server(): Promise<SqlServer>;
  newRun(): LoadRun;
  close(): Promise<void>;
}

export interface LoadWorkerOptions {
  readonly tasks: PipelineTasks;
  readonly configs: PipelineConfigs;
  readonly pipe: Pipe;
  readonly clock: Clock;
  readonly log: Logger;
  /** Batches fetched and prepared ahead of the one that is being applied. */
  readonly ahead: number;
  /** Bytes of payloads claimed at once; the lowest always passes. */
  readonly maxBytes: number;
  readonly kit: (config: PipelineConfig) => Promise<LoadKit>;
  readonly onLoaded?: (facts: LoadDone) => void;
  /** A batch stands at the target: applied now, or before and found so (a repeat). */
  readonly onApplied?: (facts: Omit<LoadDone, 'stats'>) => void;
  /** A batch, or a part, is being applied, which stood at the stage for so long; what it returns is called when that is over. */
  readonly onWork?: (header: BatchHeader, queueMs: number) => () => void;
  /** A part of a large transaction is executed in the open target transaction. */
  readonly onPart?: (header: BatchHeader) => void;
  /** Told of an error that is being tried again, and with null when it is not any more. */
  readonly onTrouble?: (error: unknown) => void;
}

export interface LoadDone {
  readonly header: BatchHeader;
  readonly stats: LoadStats;
  readonly durationMs: number;
  readonly appliedMs: number;
}

/** How long nothing is taken up again after an error that may pass. */
const RETRY_MS = 500;

/** A claimed batch, until it is finished, given back or lost. */
interface Entry {
  readonly claim: Claim;
  /** Null once it is executed in the open transaction: its bytes are free. */
  prepared: Promise<PreparedBatch | null> | null;
  receipt: LoadReceipt | null;
  readonly forget: () => void;
}

export class LoadWorker implements Service {
  readonly #options: LoadWorkerOptions;
  readonly #board: TaskBoard;
  readonly #state: RunningState;
  readonly #group: TaskGroup;
  readonly #entries = new Map<string, Entry>();
  readonly #todo: LoadRunAction[] = [];
  #life: LoadRunState = initialLoadRun;
  #arrival: Deferred<void> = deferred();
  /** Ends what is being done for the run at hand. */
  #interrupt = new AbortController();
  /** Why a rewind or a pause is asked for. */
  #reason: unknown = null;
  #kit: { readonly version: number; readonly kit: Promise<LoadKit> } | null = null;
  #run: LoadRun | null = null;
  #notBeforeMs = 0;
  /** Tells the progress of parts, one after another. */
  #telling: Promise<void> = Promise.resolve();
  #over: Promise<void> = Promise.resolve();

  constructor(options: LoadWorkerOptions) {
    this.#options = options;
    this.#board = options.tasks.board('load');
    this.#state = new RunningState({ clock: options.clock });
    this.#group = new TaskGroup((error) =>
      options.log.error(
        { event: 'load:work:failed', err: error },
        'a defect of ours: Load ended unexpectedly',
      ),
    );
  }

  get held(): number {
    return this.#entries.size;
  }

  async run(): Promise<void> {
    this.#over = Promise.all([this.#claimLoop(), this.#actLoop()]).then(() => {});
    await this.#over;
  }

  /** Finishes the batch that is being applied; what is only prepared is released. */
  async stop(): Promise<void> {
    this.#state.requestStop();
    this.#arrival.resolve();
    await this.#over;
    await this.#telling;
    await this.#group.idle();
    await this.#closeRun();
    await this.#closeKit();
  }

  adopt(claim: Claim): void {
    this.#add(claim);
  }

  async #claimLoop(): Promise<void> {
    while (this.#state.shouldRun()) {
      try {
        const claim = await this.#board.next({
          signal: this.#state.signal,
          admits: (header, lowest) => lowest || this.#admits(header),
        });
        this.#add(claim);
        this.#state.resetBackoff();
      } catch (error) {
        if (isAbort(error) || !this.#state.shouldRun()) return;
        this.#options.log.warn({ event: 'load:claim:failed', err: error }, 'no claim; trying again');
        await this.#state.backoff();
      }
    }
  }

  #admits(header: BatchHeader): boolean {
    const waiting = [...this.#entries.values()].filter(({ prepared }) => prepared !== null);
    if (waiting.length > this.#options.ahead) return false;
    const held = waiting.reduce((sum, one) => sum + one.claim.header.payload.bytes, 0);
    return held + header.payload.bytes <= this.#options.maxBytes;
  }

  #add(claim: Claim): void {
    if (claim.lost.aborted) return;
    const item = itemOf(claim);
    const key = keyOf(item);
    this.#entries.get(key)?.forget();
    const prepared = this.#prepare(claim);
    prepared.catch(() => {});
    const onLost = () => {
      this.#remove(key);
      this.#tell({ type: 'claim-lost', seq: item.seq, part: item.part });
    };
    claim.lost.addEventListener('abort', onLost, { once: true });
    const forget = () => claim.lost.removeEventListener('abort', onLost);
    this.#entries.set(key, { claim, prepared, receipt: null, forget });
    this.#tell({ type: 'claimed', item });
  }

  #remove(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    entry?.forget();
    this.#entries.delete(key);
    return entry;
  }

  /** Null when the batch belongs to a reign that is over. */
  async #prepare(claim: Claim): Promise<PreparedBatch | null> {
    const { configs, pipe, clock } = this.#options;
    const { header } = claim;
    const backoff = new Backoff({ initialMs: 50, maxMs: 5_000 });
    for (;;) {
      try {
        const config = await configs.at(header.configVersion, claim.lost);
        if (config === null) return null;
        const kit = await this.#kitFor(header.configVersion, config);
        const payload = await pipe.get(header, claim.lost);
        const target = header.ddl === undefined ? null : await kit.server();
        const batch = new Transformer({ pipeline: config, target }).transform(
          { header, payload },
          header.transformedMs ?? clock.nowMs(),
        );
        kit.tablesAsOf(`${header.tenure}/${header.afterDdl ?? ''}`);
        // What a schema change brings with it fits no table before it has run.
        const prepared =
          batch.ddl === undefined ? await kit.prepare(batch, claim.lost) : { batch, bytes: payload.length };
        if (backoff.attempt > 0) this.#options.onTrouble?.(null);
        return prepared;
      } catch (error) {
        if (claim.lost.aborted || !(error instanceof HoltError) || error.disposition !== 'retry') throw error;
        this.#options.log.warn(
          { event: 'load:prepare:failed', batch: header.seq, err: error },
          'a batch cannot be prepared; trying again',
        );
        this.#options.onTrouble?.(error);
        await clock.sleep(backoff.nextMs(), claim.lost);
      }
    }
  }

  // ── the machine, and what it asks for ────────────────────────────────────────────────────────────────────────────

  /** One event. What it asks for is done in order by `#actLoop`; only a `close` does not wait for what is under way. */
  #tell(event: LoadRunEvent): void {
    const { state, actions } = loadRunTransition(this.#life, event);
    this.#life = state;
    if (actions.some(({ type }) => type === 'close')) {
      this.#interrupt.abort(new AbortError('the run of Load has ended'));
      this.#interrupt = new AbortController();
      const kept = this.#todo.filter(({ type }) => type !== 'take' && type !== 'load');
      this.#todo.splice(0, this.#todo.length, ...kept);
    }
    this.#todo.push(...actions);
    this.#arrival.resolve();
  }

  /** Ends when the worker stops and everything is given back. */
  async #actLoop(): Promise<void> {
    for (;;) {
      const action = this.#todo.shift();
      if (action !== undefined) await this.#act(action);
      else if (this.#state.shouldRun()) {
        this.#arrival = deferred();
        if (this.#todo.length === 0 && this.#state.shouldRun()) await this.#arrival.promise;
      } else if (this.#life.name === 'idle') return;
      else this.#tell({ type: 'leave' });
    }
  }

  async #act(action: LoadRunAction): Promise<void> {
    switch (action.type) {
      case 'take':
        return this.#job(() => this.#take(action.reign));
      case 'load':
        return this.#job(() => this.#load(action.item));
      case 'close':
        return this.#closeRun();
      case 'finish':
        return this.#finish(action.item);
      case 'part-progress':
        return this.#tellPart(action.item);
      case 'let-go':
        await Promise.all(action.items.map((item) => this.#remove(keyOf(item))?.claim.release()));
        return this.#board.poke();
      case 'request-rewind':
        return this.#ask(
          action.item,
          this.#reason ?? new HoltError('HOLT_LOAD_REWIND', action.why, { disposition: 'rewind' }),
        );
      case 'request-pause':
        return this.#ask(action.item, this.#reason);
      default:
        return action satisfies never;
    }
  }

  /** Something that takes its time; a `close` interrupts it, and then nobody waits for its answer. */
  async #job(work: () => Promise<LoadRunEvent>): Promise<void> {
    if (!this.#state.shouldRun()) return this.#tell({ type: 'leave' });
    const { signal } = this.#interrupt;
    try {
      const pauseMs = this.#notBeforeMs - this.#options.clock.monotonicMs();
      if (pauseMs > 0)
        await this.#options.clock.sleep(pauseMs, AbortSignal.any([signal, this.#state.signal]));
      const event = await work();
      if (signal.aborted) return;
      this.#tell(event);
      this.#options.onTrouble?.(null);
    } catch (error) {
      if (!signal.aborted) this.#tell(this.#eventOf(error));
    }
    this.#board.poke();
  }

  #eventOf(error: unknown): LoadRunEvent {
    if (isAbort(error)) return { type: 'lost-run' };
    const { log, clock } = this.#options;
    log.error({ event: 'load:batch:failed', err: error }, 'a batch failed at Load');
    const disposition = error instanceof HoltError ? error.disposition : 'pause';
    if (disposition === 'retry') {
      this.#options.onTrouble?.(error);
      this.#notBeforeMs = clock.monotonicMs() + RETRY_MS;
      return { type: 'lost-run' };
    }
    this.#reason = error;
    if (disposition === 'rewind') return { type: 'rewind', why: messageOf(error) };
    const code = error instanceof HoltError ? error.code : 'HOLT_INTERNAL';
    return { type: 'stop', code, why: messageOf(error) };
  }

  async #take(reign: RunReign): Promise<LoadRunEvent> {
    const { signal } = this.#interrupt;
    const entry = [...this.#entries.values()].find(({ claim }) => claim.header.tenure === reign.tenure);
    if (entry === undefined) return { type: 'lost-run' };
    const { configVersion } = entry.claim.header;
    const config = await this.#options.configs.at(configVersion, signal);
    if (config === null) return { type: 'superseded' };
    const run = (await this.#kitFor(configVersion, config)).newRun();
    this.#run = run;
    const outcome = await run.take(reign.tenure, reign.epoch, signal);
    return outcome === null ? { type: 'took' } : this.#answer(entry, outcome, 0);
  }

  async #load(item: LoadItem): Promise<LoadRunEvent> {
    const { signal } = this.#interrupt;
    const { clock, log } = this.#options;
    const entry = this.#entries.get(keyOf(item));
    const run = this.#run;
    if (entry?.prepared == null || run === null) return { type: 'lost-run' };
    const { header } = entry.claim;
    const prepared = await entry.prepared;
    if (prepared === null) return { type: 'superseded' };
    if (item.seq > run.nextSeq) {
      // An empty advance may have moved the row; if it did not, the guard decides.
      const outcome = await run.take(header.tenure, header.epoch, signal);
      if (outcome !== null) return this.#answer(entry, outcome, 0);
    }
    const startedMs = clock.monotonicMs();
    const seenMs = this.#board.seenMs({ epoch: header.epoch, seq: item.seq, part: item.part });
    const over = this.#options.onWork?.(header, startedMs - (seenMs ?? startedMs));
    let outcome: LoadOutcome | null;
    try {
      await failpoint('load:before');
      const isWhole = header.part === 0 && header.lastPart;
      outcome = isWhole ? await run.load(prepared, signal) : await run.loadPart(prepared, signal);
    } finally {
      over?.();
    }
    if (outcome === null) {
      log.debug(
        { event: 'load:part:done', batch: header.seq, part: header.part },
        'a part is in the open transaction',
      );
      entry.prepared = null;
      this.#options.onPart?.(header);
      return { type: 'part-done' };
    }
    log.debug(
      {
        event: 'load:batch:done',
        batch: header.seq,
        outcome: outcome.kind,
        rows: header.rows,
        duration_ms: Math.round(clock.monotonicMs() - startedMs),
        ...(outcome.kind === 'applied' ? { stats: outcome.stats } : {}),
      },
      'Load answered',
    );
    return this.#answer(entry, outcome, clock.monotonicMs() - startedMs);
  }

  async #answer(entry: Entry, outcome: LoadOutcome, durationMs: number): Promise<LoadRunEvent> {
    const { header } = entry.claim;
    switch (outcome.kind) {
      case 'applied':
      case 'repeat': {
        await failpoint('load:before-receipt');
        const { receipt } = outcome;
        entry.receipt = receipt;
        this.#options.onApplied?.({ header, durationMs, appliedMs: receipt.appliedMs });
        if (outcome.kind === 'applied')
          this.#options.onLoaded?.({
            header,
            stats: outcome.stats,
            durationMs,
            appliedMs: receipt.appliedMs,
          });
        return { type: 'applied' };
      }
      case 'lost-run':
        this.#options.log.info({ event: 'load:run:lost', batch: header.seq }, 'another node has taken Load');
        return { type: 'lost-run' };
      case 'superseded':
        // The raise is under way: the claim goes when it is proclaimed, and until then trying again is of no use.
        this.#notBeforeMs = this.#options.clock.monotonicMs() + RETRY_MS;
        return { type: 'superseded' };
      case 'rewind':
        this.#reason = null;
        return { type: 'rewind', why: outcome.why };
      case 'stop':
        this.#reason = outcome.error;
        return { type: 'stop', code: outcome.error.code, why: outcome.error.message };
      default:
        return outcome satisfies never;
    }
  }

  /**
   * The quorum write overlaps with the next batches and theirs: the checkpoint in the target has decided already, and over a long way
   * to the ensemble each takes a round trip.
   */
  #finish(item: LoadItem): void {
    const { epoch, seq } = item;
    const entry = this.#remove(keyOf(item));
    // Its other parts go in the same write.
    for (const [key, { claim }] of this.#entries)
      if (claim.header.epoch === epoch && claim.seq === seq) this.#remove(key);
    const receipt = entry?.receipt ?? null;
    if (entry === undefined || receipt === null) return;
    const { claim } = entry;
    const partsTold = item.part === 0 ? null : this.#telling;
    this.#group.spawn(async () => {
      try {
        if (partsTold !== null) await partsTold;
        await claim.finish(receipt);
      } catch (error) {
        // Committed all the same: whoever claims the task next finds it a repeat, and gives the receipt.
        this.#options.log.warn(
          { event: 'load:finish:failed', batch: receipt.seq, err: error },
          'the task of a committed batch could not be taken away',
        );
      }
    });
  }

  #tellPart(item: LoadItem): void {
    const entry = this.#entries.get(keyOf(item));
    if (entry === undefined) return;
    const { header } = entry.claim;
    this.#telling = this.#telling.then(async () => {
      try {
        await entry.claim.partDone();
        this.#options.pipe.partReceived(header.pipeline, header.tenure, item.seq, item.part);
      } catch (error) {
        this.#options.log.debug(
          { event: 'load:progress:failed', batch: header.seq, part: header.part, err: error },
          'the progress of a part could not be told',
        );
      }
    });
  }

  async #ask(item: LoadItem, error: unknown): Promise<void> {
    this.#reason = null;
    const claim = this.#entries.get(keyOf(item))?.claim;
    if (claim === undefined) return;
    const { tasks, clock } = this.#options;
    await terminateWith({ tasks, claim, stage: 'load', error, clock });
  }

  #kitFor(version: number, config: PipelineConfig): Promise<LoadKit> {
    if (this.#kit?.version !== version) {
      const former = this.#kit?.kit;
      const kit = this.#options.kit(config);
      this.#kit = { version, kit };
      kit.catch(() => {
        this.#kit = null;
      });
      if (former !== undefined) this.#group.spawn(async () => (await former).close());
    }
    return this.#kit.kit;
  }

  async #closeRun(): Promise<void> {
    const run = this.#run;
    this.#run = null;
    await run?.close().catch((error: unknown) => {
      this.#options.log.debug({ event: 'load:close:failed', err: error }, 'closing the run failed');
    });
  }

  async #closeKit(): Promise<void> {
    const kit = this.#kit;
    this.#kit = null;
    if (kit === null) return;
    try {
      await (await kit.kit).close();
    } catch {
      // It never opened: nothing to close.
    }
  }
}

function itemOf({ header, seq }: Claim): LoadItem {
  const { epoch, tenure, part, lastPart } = header;
  return { epoch, tenure, seq, part, lastPart };
}

const keyOf = ({ tenure, seq, part }: LoadItem): string => `${tenure}/${seq}.${part}`;
