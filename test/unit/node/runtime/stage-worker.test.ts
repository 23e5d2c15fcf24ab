import { expect, test } from 'vitest';
import { AbortError, untilAborted, waitFor } from '../../../../lib/abort.ts';
import { systemClock } from '../../../../lib/clock.ts';
import { silentLogger } from '../../../../lib/logger.ts';
import type { BatchHeader } from '../../../../model/batch.ts';
import type { PipelineConfig } from '../../../../model/config.ts';
import type { PipelineConfigs } from '../../../../node/runtime/pipeline-configs.ts';
import { StageWorker } from '../../../../node/runtime/stage-worker.ts';
import type { Claim, NextOptions, PipelineTasks } from '../../../../scheduler/contract.ts';
import type { Pipe } from '../../../../stages/pipe/pipe.ts';

/** A claim whose payload never comes, until it is lost. */
function endlessClaim(seq: bigint, lost: AbortController): Claim {
  return {
    seq,
    header: { seq: String(seq), part: 0, epoch: 1, configVersion: 1 } as BatchHeader,
    lost: lost.signal,
    isHeld: () => !lost.signal.aborted,
    release: async () => {},
  } as unknown as Claim;
}

/** Hands out claims as long as there are any, then waits for more. */
class Board {
  readonly waiting: Claim[] = [];
  given = 0;

  async next({ signal }: NextOptions): Promise<Claim> {
    return waitFor(
      () => {
        signal.throwIfAborted();
        const claim = this.waiting.shift();
        if (claim !== undefined) this.given += 1;
        return claim;
      },
      { timeoutMs: 10_000, pollMs: 1, signal, what: 'a claim' },
    );
  }

  seenMs(): number | null {
    return null;
  }
}

test('goes on claiming when all its claims are lost in the same moment, as with their session', async () => {
  const board = new Board();
  const worker = new StageWorker({
    stage: 'transform',
    tasks: { board: () => board } as unknown as PipelineTasks,
    configs: { at: async () => ({}) as PipelineConfig } as unknown as PipelineConfigs,
    pipe: {
      get: async (_: BatchHeader, signal: AbortSignal) => {
        await untilAborted(signal);
        throw new AbortError();
      },
    } as unknown as Pipe,
    clock: systemClock,
    log: silentLogger,
    concurrency: 4,
    core: async () => ({ process: async (batch) => batch }),
    passOn: () => {},
  });
  const running = worker.run();
  const session = new AbortController();
  for (let seq = 1n; seq <= 4n; seq++) board.waiting.push(endlessClaim(seq, session));
  const later = new AbortController();
  board.waiting.push(endlessClaim(5n, later));
  await waitFor(() => worker.active === 4, { timeoutMs: 5_000, what: 'four batches to be at work' });
  expect(board.given).toBe(4);
  session.abort(new AbortError('the session is over'));
  await waitFor(() => board.given === 5, { timeoutMs: 5_000, what: 'the next claim' });
  later.abort(new AbortError());
  await worker.stop();
  await running;
});
