import type { Clock } from '../../lib/clock.ts';
import { HoltError, messageOf } from '../../lib/errors.ts';
import type { StageName } from '../../model/stage.ts';
import type { Claim, PipelineTasks } from '../../scheduler/contract.ts';

/** How long a claim is kept after asking for a rewind: whoever claims it sooner would only ask again. */
const HOLD_MS = 10_000;

export interface Termination {
  readonly tasks: PipelineTasks;
  readonly claim: Claim;
  readonly stage: StageName;
  readonly error: unknown;
  readonly clock: Clock;
}

/** Asks the mainstem for what the error's disposition says, and waits until it has ended the reign. */
export async function terminateWith({ tasks, claim, stage, error, clock }: Termination): Promise<void> {
  const rewind = error instanceof HoltError && error.disposition === 'rewind';
  await tasks.terminate({
    kind: rewind ? 'rewind' : 'pause',
    code: error instanceof HoltError ? error.code : 'HOLT_INTERNAL',
    why: `${messageOf(error)}${error instanceof HoltError && error.remedy !== undefined ? `. ${error.remedy}` : ''}`.slice(
      0,
      4000,
    ),
    stage,
    epoch: claim.header.epoch,
    tenure: claim.header.tenure,
    seq: claim.header.seq,
  });
  await clock.sleep(HOLD_MS, claim.lost).catch(() => {});
}
