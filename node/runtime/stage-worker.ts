/**
 * The shell around Extract and Transform: claims tasks, fetches payloads, runs the pure core, hands over.
 *
 * Several batches at once, since fetching waits for the other site. What goes wrong is decided here by the error's disposition:
 * `retry` tries the same claim again, `rewind` and `pause` are asked of the mainstem, and a lost claim is dropped.
 */
import { abortable } from '../../lib/abort.ts';
import { Backoff } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import { type Deferred, deferred } from '../../lib/deferred.ts';
import { HoltError, isAbort, messageOf } from '../../lib/errors.ts';
import { failpoint } from '../../lib/failpoint.ts';
import type { Logger } from '../../lib/logger.ts';
import { RunningState, type Service } from '../../lib/service.ts';
import { TaskGroup } from '../../lib/task-group.ts';
import type { BatchHeader } from '../../model/batch.ts';
import type { PipelineConfig } from '../../model/config.ts';
import type { Claim, PipelineTasks, TaskBoard } from '../../scheduler/contract.ts';
import type { Pipe } from '../../stages/pipe/pipe.ts';
import type { SelectedBatch } from '../../stages/stage.ts';
import type { PipelineConfigs } from './pipeline-configs.ts';
import { terminateWith } from './terminate.ts';

/** The pure core of a stage under one configuration. */
export interface StageCore {
  /** The same payload object when nothing changed: it then stays where it is. */
  process(batch: SelectedBatch, signal: AbortSignal): Promise<SelectedBatch>;
}

export interface StageWorkerOptions {
  readonly stage: 'extract' | 'transform';
  readonly tasks: PipelineTasks;
  readonly configs: PipelineConfigs;
  readonly pipe: Pipe;
  readonly clock: Clock;
  readonly log: Logger;
  /** Batches worked on at once. */
  readonly concurrency: number;
  readonly core: (config: PipelineConfig) => Promise<StageCore>;
  /** Takes a claim on the next stage that came with the hand-over. */
  readonly passOn: (claim: Claim) => void;
  readonly onDone?: (facts: StageDone) => void;
  /** Work on a batch begins, which stood at the stage for so long; what it returns is called when that is over, however it ends. */
  readonly onWork?: (header: BatchHeader, queueMs: number) => () => void;
  /** Told of an error that is being tried again, and with null when it is not any more. */
  readonly onTrouble?: (error: unknown) => void;
}

export interface StageDone {
  readonly header: BatchHeader;
  readonly durationMs: number;
}

export class StageWorker implements Service {
  readonly #options: StageWorkerOptions;
  readonly #board: TaskBoard;
  readonly #state: RunningState;
  readonly #group: TaskGroup;
  #core: { readonly version: number; readonly core: Promise<StageCore> } | null = null;
  /** Batches at work. Counted here: the group forgets a task some turns after it has ended, too late for who waits for a place. */
  #atWork = 0;
  /** Claims at work whose hand-over was not sent yet. */
  readonly #unsent = new Map<Claim, Deferred<void>>();
  #slotFree: (() => void) | null = null;
  #over: Promise<void> = Promise.resolve();

  constructor(options: StageWorkerOptions) {
    this.#options = options;
    this.#board = options.tasks.board(options.stage);
    this.#state = new RunningState({ clock: options.clock });
    this.#group = new TaskGroup((error) =>
      options.log.error(
        { event: 'stage:work:failed', err: error },
        'a defect of ours: work on a batch ended unexpectedly',
      ),
    );
  }

  /** Batches being worked on here. */
  get active(): number {
    return this.#atWork;
  }

  run(): Promise<void> {
    this.#over = this.#loop();
    return this.#over;
  }

  /** Claims nothing more; what is claimed is finished, or given up when `signal`s of the claims abort. */
  async stop(): Promise<void> {
    this.#state.requestStop();
    await this.#over;
    await this.#group.idle();
  }

  /** A claim that came with a hand-over. */
  adopt(claim: Claim): void {
    this.#spawn(claim);
  }

  async #loop(): Promise<void> {
    while (this.#state.shouldRun()) {
      if (this.#atWork >= this.#options.concurrency) {
        await new Promise<void>((resolve) => {
          this.#slotFree = resolve;
          this.#state.signal.addEventListener('abort', () => resolve(), { once: true });
        });
        continue;
      }
      try {
        // What Transform does has no effect on anybody before its hand-over.
        const unlocked = this.#options.stage === 'transform';
        this.#spawn(await this.#board.next({ signal: this.#state.signal, unlocked }));
        this.#state.resetBackoff();
      } catch (error) {
        if (isAbort(error) || !this.#state.shouldRun()) return;
        this.#options.log.warn({ event: 'stage:claim:failed', err: error }, 'no claim; trying again');
        await this.#state.backoff();
      }
    }
  }

  #spawn(claim: Claim): void {
    this.#atWork += 1;
    this.#unsent.set(claim, deferred());
    this.#group.spawn(async () => {
      const { header, seq } = claim;
      const nowMs = this.#options.clock.monotonicMs();
      const seenMs = this.#board.seenMs({ epoch: header.epoch, seq, part: header.part });
      const over = this.#options.onWork?.(header, nowMs - (seenMs ?? nowMs));
      try {
        await this.#work(claim);
      } finally {
        over?.();
        this.#sent(claim);
        this.#options.onTrouble?.(null);
        this.#atWork -= 1;
        this.#slotFree?.();
        this.#slotFree = null;
      }
    });
  }

  /** Hand-overs go out in the order of the batches: the claim on Load comes along only behind that on the batch before. */
  async #turn(claim: Claim): Promise<void> {
    for (;;) {
      const before = [...this.#unsent].find(([other]) => isBefore(other, claim));
      if (before === undefined) return;
      await abortable(before[1].promise, claim.lost);
    }
  }

  #sent(claim: Claim): void {
    this.#unsent.get(claim)?.resolve();
    this.#unsent.delete(claim);
  }

  async #work(claim: Claim): Promise<void> {
    const { stage, log, clock, tasks } = this.#options;
    const backoff = new Backoff({ initialMs: 50, maxMs: 5_000 });
    const startedMs = clock.monotonicMs();
    while (claim.isHeld()) {
      try {
        const next = await this.#process(claim);
        if (next === null) {
          await claim.release();
          return;
        }
        const tell = stage === 'extract' ? this.#options.pipe.sendAhead(next) : null;
        await this.#turn(claim);
        const handingOver = claim.handOver(next, { claimNext: true });
        this.#sent(claim);
        const nextClaim = await handingOver;
        tell?.();
        this.#options.onDone?.({ header: next, durationMs: clock.monotonicMs() - startedMs });
        if (nextClaim !== null) this.#options.passOn(nextClaim);
        return;
      } catch (error) {
        if (claim.lost.aborted) return;
        if (isAbort(error)) {
          await claim.release();
          return;
        }
        const disposition = error instanceof HoltError ? error.disposition : 'pause';
        const facts = {
          event: 'stage:batch:failed',
          stage,
          batch: String(claim.seq),
          attempt: backoff.attempt,
          err: error,
        };
        if (disposition === 'retry') {
          this.#options.onTrouble?.(error);
          log.warn(facts, 'a batch failed at this stage; trying again');
          await clock.sleep(backoff.nextMs(), claim.lost).catch(() => {});
          continue;
        }
        log.error(
          { ...facts, message: messageOf(error) },
          'a batch failed at this stage; asking the mainstem',
        );
        await terminateWith({ tasks, claim, stage, error, clock });
        await claim.release();
        return;
      }
    }
  }

  /** Null when the batch belongs to a reign that is over. */
  async #process(claim: Claim): Promise<BatchHeader | null> {
    const { stage, configs, pipe, clock } = this.#options;
    const { header } = claim;
    const config = await configs.at(header.configVersion, claim.lost);
    if (config === null) return null;
    const core = await this.#coreFor(header.configVersion, config);
    const payload = await pipe.get(header, claim.lost);
    await failpoint(`${stage}:before`);
    const result = await core.process({ header, payload }, claim.lost);
    await failpoint(`${stage}:after`);
    const key = {
      pipeline: header.pipeline,
      tenure: header.tenure,
      seq: BigInt(header.seq),
      part: header.part,
    };
    // Extract leaves an unchanged payload where it is; Transform brings it to this site, where Load finds it.
    const isSame = result.payload === payload;
    const place =
      isSame && stage === 'extract'
        ? header.payload
        : await pipe.put(
            isSame ? { ...key, sha256: header.payload.sha256 } : key,
            result.payload,
            claim.lost,
          );
    const nowMs = Math.round(clock.nowMs());
    return {
      ...result.header,
      payload: place,
      extractedMs: stage === 'extract' ? nowMs : result.header.extractedMs,
      transformedMs: stage === 'transform' ? nowMs : result.header.transformedMs,
    };
  }

  #coreFor(version: number, config: PipelineConfig): Promise<StageCore> {
    if (this.#core?.version !== version) {
      const core = this.#options.core(config);
      this.#core = { version, core };
      core.catch(() => {
        this.#core = null;
      });
    }
    return this.#core.core;
  }
}

function isBefore({ header, seq }: Claim, other: Claim): boolean {
  if (header.tenure !== other.header.tenure) return false;
  return seq < other.seq || (seq === other.seq && header.part < other.header.part);
}
