/**
 * The shell around Load: holds the run of consecutive batches, fetches and prepares ahead, applies strictly in order.
 *
 * While the target executes batch n, batch n+1 is folded and written as SQL and n+2 is fetched. Finishing the task
 * (a quorum write) overlaps with the next batch too: the checkpoint in the target has decided already.
 */
import { Backoff } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import { type Deferred, deferred } from '../../lib/deferred.ts';
import { HoltError, isAbort } from '../../lib/errors.ts';
import { failpoint } from '../../lib/failpoint.ts';
import type { Logger } from '../../lib/logger.ts';
import { RunningState, type Service } from '../../lib/service.ts';
import { TaskGroup } from '../../lib/task-group.ts';
import type { BatchHeader } from '../../model/batch.ts';
import type { PipelineConfig } from '../../model/config.ts';
import type { Claim, PipelineTasks, TaskBoard } from '../../scheduler/contract.ts';
import type { BatchApplier, LoadRun, PreparedBatch } from '../../stages/load/load.ts';
import type { Pipe } from '../../stages/pipe/pipe.ts';
import type { LoadOutcome, LoadStats } from '../../stages/stage.ts';
import { Transformer } from '../../stages/transform/transform.ts';
import type { PipelineConfigs } from './pipeline-configs.ts';
import { terminateWith } from './terminate.ts';

/** The target half of one configuration: an applier, and a run that begins when the first batch comes. */
export interface LoadKit {
  readonly applier: BatchApplier;
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

/** How long a batch that is not the next waits before the row is looked at again. */
const ARRIVAL_MS = 200;

interface Entry {
  readonly claim: Claim;
  readonly prepared: Promise<PreparedBatch | null>;
}

export class LoadWorker implements Service {
  readonly #options: LoadWorkerOptions;
  readonly #board: TaskBoard;
  readonly #state: RunningState;
  readonly #group: TaskGroup;
  /** Claimed batches, lowest first. */
  readonly #entries: Entry[] = [];
  #arrival: Deferred<void> = deferred();
  #kit: { readonly version: number; readonly kit: Promise<LoadKit> } | null = null;
  #run: { readonly tenure: string; readonly run: LoadRun } | null = null;
  /** Claims whose COMMIT is done and whose task is being taken away. */
  #finishing: Promise<void> = Promise.resolve();
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
    return this.#entries.length;
  }

  async run(): Promise<void> {
    this.#over = Promise.all([this.#claimLoop(), this.#applyLoop()]).then(() => {});
    await this.#over;
  }

  /** Finishes the batch that is being applied; what is only prepared is released. */
  async stop(): Promise<void> {
    this.#state.requestStop();
    this.#arrival.resolve();
    await this.#over;
    await this.#releaseAll();
    await this.#finishing;
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
    if (this.#entries.length > this.#options.ahead) return false;
    const held = this.#entries.reduce((sum, one) => sum + one.claim.header.payload.bytes, 0);
    return held + header.payload.bytes <= this.#options.maxBytes;
  }

  #add(claim: Claim): void {
    const prepared = this.#prepare(claim);
    prepared.catch(() => {});
    const at = this.#entries.findIndex((one) => before(claim, one.claim));
    this.#entries.splice(at === -1 ? this.#entries.length : at, 0, { claim, prepared });
    this.#arrival.resolve();
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
        const batch = new Transformer({ pipeline: config }).transform(
          { header, payload },
          header.transformedMs ?? clock.nowMs(),
        );
        return await kit.applier.prepare(batch, claim.lost);
      } catch (error) {
        if (claim.lost.aborted || !(error instanceof HoltError) || error.disposition !== 'retry') throw error;
        this.#options.log.warn(
          { event: 'load:prepare:failed', batch: header.seq, err: error },
          'a batch cannot be prepared; trying again',
        );
        await clock.sleep(backoff.nextMs(), claim.lost);
      }
    }
  }

  async #applyLoop(): Promise<void> {
    while (this.#state.shouldRun()) {
      const entry = this.#entries[0];
      if (entry === undefined) {
        this.#arrival = deferred();
        await this.#arrival.promise;
        continue;
      }
      try {
        if (await this.#applyOne(entry)) this.#drop(entry);
        this.#options.onTrouble?.(null);
      } catch (error) {
        await this.#failed(entry, error);
        this.#drop(entry);
      }
      this.#board.poke();
    }
  }

  #drop(entry: Entry): void {
    const at = this.#entries.indexOf(entry);
    if (at !== -1) this.#entries.splice(at, 1);
  }

  /** False when the batch stays at the head, to be tried again. */
  async #applyOne(entry: Entry): Promise<boolean> {
    const { claim } = entry;
    const { log } = this.#options;
    const { header } = claim;
    const prepared = await entry.prepared;
    if (prepared === null) {
      await claim.release();
      return true;
    }
    const run = await this.#runFor(claim);
    if (run === null) return true;
    if (claim.seq > run.nextSeq) {
      // An empty advance may have moved the row; else the batch before is on its way to us, and comes first.
      const outcome = await run.take(header.tenure, header.epoch, claim.lost);
      if (outcome !== null) return this.#settle(entry, outcome, 0);
      if (claim.seq > run.nextSeq) {
        await this.#nextArrival(ARRIVAL_MS);
        return claim.lost.aborted;
      }
    }
    const startedMs = this.#options.clock.monotonicMs();
    await failpoint('load:before');
    const whole = header.part === 0 && header.lastPart;
    const outcome = whole ? await run.load(prepared, claim.lost) : await run.loadPart(prepared, claim.lost);
    if (outcome === null) {
      log.debug(
        { event: 'load:part:done', batch: header.seq, part: header.part },
        'a part is in the open transaction',
      );
      this.#options.onPart?.(header);
      await claim.partDone();
      this.#options.pipe.partReceived(header.pipeline, header.tenure, claim.seq, header.part);
      return true;
    }
    log.debug(
      {
        event: 'load:batch:done',
        batch: header.seq,
        outcome: outcome.kind,
        rows: header.rows,
        duration_ms: Math.round(this.#options.clock.monotonicMs() - startedMs),
        ...(outcome.kind === 'applied' ? { stats: outcome.stats } : {}),
      },
      'Load answered',
    );
    return this.#settle(entry, outcome, this.#options.clock.monotonicMs() - startedMs);
  }

  /** Until another claim comes, at most `ms`. */
  async #nextArrival(ms: number): Promise<void> {
    const arrival = deferred<void>();
    this.#arrival = arrival;
    const timer = setTimeout(() => arrival.resolve(), ms);
    await arrival.promise;
    clearTimeout(timer);
  }

  async #settle(entry: Entry, outcome: LoadOutcome, durationMs: number): Promise<boolean> {
    const { claim } = entry;
    const { log } = this.#options;
    switch (outcome.kind) {
      case 'applied':
      case 'repeat': {
        await failpoint('load:before-receipt');
        const { receipt } = outcome;
        if (outcome.kind === 'applied')
          this.#options.onLoaded?.({
            header: claim.header,
            stats: outcome.stats,
            durationMs,
            appliedMs: receipt.appliedMs,
          });
        this.#finishing = this.#finishing.then(() => this.#finish(claim, receipt));
        return true;
      }
      case 'lost-run':
        log.info({ event: 'load:run:lost', batch: claim.header.seq }, 'another node has taken Load');
        await this.#closeRun();
        await this.#releaseAll();
        return true;
      case 'superseded':
        await this.#closeRun();
        await claim.release();
        return true;
      case 'rewind':
        await this.#closeRun();
        await this.#terminate(
          claim,
          new HoltError('HOLT_LOAD_REWIND', outcome.why, { disposition: 'rewind' }),
        );
        return true;
      case 'stop':
        await this.#closeRun();
        await this.#terminate(claim, outcome.error);
        return true;
      default:
        return outcome satisfies never;
    }
  }

  async #finish(claim: Claim, receipt: Parameters<Claim['finish']>[0]): Promise<void> {
    try {
      await claim.finish(receipt);
    } catch (error) {
      // Committed all the same: whoever claims the task next finds it a repeat, and gives the receipt.
      this.#options.log.warn(
        { event: 'load:finish:failed', batch: receipt.seq, err: error },
        'the task of a committed batch could not be taken away',
      );
    }
  }

  async #failed(entry: Entry, error: unknown): Promise<void> {
    const { claim } = entry;
    const { log, clock } = this.#options;
    if (claim.lost.aborted || isAbort(error)) {
      // Whatever transaction was open goes with its connection.
      await this.#closeRun();
      await claim.release();
      return;
    }
    log.error({ event: 'load:batch:failed', batch: claim.header.seq, err: error }, 'a batch failed at Load');
    await this.#closeRun();
    if (error instanceof HoltError && error.disposition === 'retry') {
      this.#options.onTrouble?.(error);
      await claim.release();
      await clock.sleep(500, this.#state.signal).catch(() => {});
      return;
    }
    await this.#terminate(claim, error);
  }

  async #terminate(claim: Claim, error: unknown): Promise<void> {
    const { tasks, clock } = this.#options;
    await terminateWith({ tasks, claim, stage: 'load', error, clock });
    await this.#releaseAll();
  }

  /** The run of the claim's tenure, taken if need be; null when the claim was settled instead. */
  async #runFor(claim: Claim): Promise<LoadRun | null> {
    const { tenure, epoch, configVersion } = claim.header;
    if (this.#run !== null && this.#run.tenure === tenure) return this.#run.run;
    await this.#closeRun();
    const config = await this.#options.configs.at(configVersion, claim.lost);
    if (config === null) {
      await claim.release();
      return null;
    }
    const run = (await this.#kitFor(configVersion, config)).newRun();
    this.#run = { tenure, run };
    const outcome = await run.take(tenure, epoch, claim.lost);
    if (outcome === null) return run;
    const entry = this.#entries.find((one) => one.claim === claim);
    if (entry !== undefined) await this.#settle(entry, outcome, 0);
    return null;
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

  async #releaseAll(): Promise<void> {
    const entries = this.#entries.splice(0);
    await Promise.all(entries.map((entry) => entry.claim.release()));
  }

  async #closeRun(): Promise<void> {
    const run = this.#run;
    this.#run = null;
    await run?.run.close().catch((error: unknown) => {
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

function before(a: Claim, b: Claim): boolean {
  if (a.header.epoch !== b.header.epoch) return a.header.epoch < b.header.epoch;
  if (a.seq !== b.seq) return a.seq < b.seq;
  return a.header.part < b.header.part;
}
