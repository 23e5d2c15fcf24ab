/**
 * Looks at the checkpoint row while nothing is in flight. A target that failed over to a lagging replica shows itself at
 * the next guard; but when the source is idle there is none, and the last transactions would be missing until somebody
 * changes something. So the mainstem compares the row with the receipts now and then: a plain read, no write.
 *
 * It looks also while batches are in flight and nothing arrives. A Load that finds a higher epoch in the row waits for the raise that
 * set it to be proclaimed; one that was made over another tree (a second ensemble, one that was restored) never is, and without
 * this look nothing would get on.
 */
import type { Clock } from '../../lib/clock.ts';
import { type ErrorFacts, HoltError, isAbort, messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import { RunningState, type Service } from '../../lib/service.ts';
import type { Reign } from '../../scheduler/contract.ts';
import type { CheckpointRow } from '../../stages/load/checkpoint.ts';
import { decideTake } from '../../stages/load/target/decide-mismatch.ts';

/** The row as a server has it now. */
export interface SeenRow {
  readonly row: CheckpointRow | null;
  /** Identity of the server that answered. */
  readonly server: string;
}

export interface RowWatchOptions {
  readonly reign: Pick<Reign, 'pipeline' | 'epoch' | 'tenure'>;
  readonly window: { readonly isEmpty: boolean; readonly receivedSeq: bigint };
  readonly read: (signal: AbortSignal) => Promise<SeenRow>;
  readonly clock: Clock;
  readonly log: Logger;
  /** Between two looks; default 10 s. */
  readonly everyMs?: number;
}

export class RowWatch implements Service {
  readonly #options: RowWatchOptions;
  readonly #state: RunningState;
  #over: Promise<void> = Promise.resolve();

  constructor(options: RowWatchOptions) {
    this.#options = options;
    this.#state = new RunningState({ clock: options.clock });
  }

  /** Rejects with what the row makes necessary: a rewind, or a stop with a code. */
  run(): Promise<void> {
    const watching = this.#watch();
    this.#over = watching.catch(() => {});
    return watching;
  }

  async stop(): Promise<void> {
    this.#state.requestStop();
    await this.#over;
  }

  async #watch(): Promise<void> {
    const { window, reign, read, log, everyMs = 10_000 } = this.#options;
    let seenSeq: bigint | null = null;
    while (this.#state.shouldRun()) {
      await this.#state.sleep(everyMs);
      const seq = window.receivedSeq;
      const { isEmpty } = window;
      const standsStill = seq === seenSeq;
      seenSeq = seq;
      if (!this.#state.shouldRun() || !(isEmpty || standsStill)) continue;
      let seen: SeenRow;
      try {
        seen = await read(this.#state.signal);
      } catch (error) {
        // A target that does not answer is told by those who need it.
        if (!isAbort(error))
          log.debug({ event: 'row:look:failed', reason: messageOf(error) }, 'the row could not be read');
        continue;
      }
      if (window.isEmpty !== isEmpty || window.receivedSeq !== seq) continue;
      const error = isEmpty ? judgeIdleRow(seen, reign, seq) : judgeBusyRow(seen, reign);
      if (error !== null) throw error;
    }
  }
}

/** With batches in flight Load finds out about everything but one: what it waits for may never come. */
export function judgeBusyRow(
  { row }: SeenRow,
  { pipeline, epoch }: Pick<Reign, 'pipeline' | 'epoch'>,
): HoltError | null {
  return row !== null && row.epoch > epoch ? superseded({ pipeline, epoch }) : null;
}

function superseded(facts: ErrorFacts): HoltError {
  return new HoltError('HOLT_EPOCH_SUPERSEDED', 'a higher epoch rules in the target', {
    disposition: 'rewind',
    facts,
  });
}

/** What a row means that was read while nothing was in flight and everything up to `seq` was received; null when it is as it should be. */
export function judgeIdleRow(
  { row, server }: SeenRow,
  reign: Pick<Reign, 'pipeline' | 'epoch' | 'tenure'>,
  seq: bigint,
): HoltError | null {
  const { pipeline, epoch, tenure } = reign;
  const refusal = decideTake(row, { epoch, tenure, targetIdentity: server });
  const facts = { pipeline, epoch, seq };
  if (refusal === null) {
    if (row === null || row.seq >= seq) return null;
    return new HoltError(
      'HOLT_LOAD_REWIND',
      `the row is at seq ${row.seq}, and ${seq} was received: the target lost what it had committed`,
      { disposition: 'rewind', facts },
    );
  }
  switch (refusal.kind) {
    case 'rewind':
      return new HoltError('HOLT_LOAD_REWIND', refusal.why, { disposition: 'rewind', facts });
    case 'superseded':
      return superseded(facts);
    case 'stop':
      return new HoltError('HOLT_CHECKPOINT_MISSING', 'the checkpoint row is gone', {
        disposition: 'pause',
        facts,
      });
    default:
      return refusal satisfies never;
  }
}
