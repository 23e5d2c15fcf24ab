import { describe, expect, it } from 'vitest';
import type { Clock } from '../../../../lib/clock.ts';
import { silentLogger } from '../../../../lib/logger.ts';
import { newTenure, pipelineId } from '../../../../model/ids.ts';
import { judgeIdleRow, RowWatch, type SeenRow } from '../../../../node/runtime/row-watch.ts';
import type { CheckpointRow } from '../../../../stages/load/checkpoint.ts';
import { positionAt } from '../../../support/scheduler-fixtures.ts';

const reign = { pipeline: pipelineId('shop'), epoch: 4, tenure: newTenure() };

function seen(over: Partial<CheckpointRow> = {}): SeenRow {
  const row: CheckpointRow = {
    lane: 0,
    seq: 9n,
    origin: 'east',
    cluster: 'c',
    epoch: 4,
    tenure: reign.tenure,
    loader: null,
    position: positionAt(90),
    sourceIdentity: 's',
    targetIdentity: 't',
    sourceCommittedUs: 0,
    appliedAt: '',
    ...over,
  };
  return { row, server: 't' };
}

describe('judgeIdleRow', () => {
  it.each([
    ['all is well', seen(), null],
    ['a receipt is still on its way', seen({ seq: 10n }), null],
    ['the target lost a transaction', seen({ seq: 8n }), 'HOLT_LOAD_REWIND'],
    ['the target lost the raise', seen({ epoch: 3, tenure: newTenure() }), 'HOLT_LOAD_REWIND'],
    ['another server answers', { ...seen(), server: 'u' }, 'HOLT_LOAD_REWIND'],
    ['another reigns', seen({ epoch: 5, tenure: newTenure() }), 'HOLT_EPOCH_SUPERSEDED'],
    ['the row is gone', { row: null, server: 't' }, 'HOLT_CHECKPOINT_MISSING'],
  ])('%s', (_, row, code) => {
    expect(judgeIdleRow(row, reign, 9n)?.code ?? null).toBe(code);
  });
});

describe('RowWatch', () => {
  /** Runs until the given number of looks is over; what was seen is taken in turn, and may be an error. */
  async function watched(rows: readonly (SeenRow | Error)[], window = { isEmpty: true, receivedSeq: 9n }) {
    let looks = 0;
    const clock: Clock = { nowMs: () => 0, monotonicMs: () => 0, sleep: async () => {} };
    const watch: RowWatch = new RowWatch({
      reign,
      window,
      clock,
      log: silentLogger,
      read: async () => {
        const row = rows[looks];
        looks += 1;
        if (looks >= rows.length) void watch.stop();
        if (row instanceof Error || row === undefined) throw row ?? new Error('no row left');
        return row;
      },
    });
    const error = await watch.run().then(
      () => null,
      (reason: unknown) => reason,
    );
    return { error, looks };
  }

  it('looks again and again while all is well, and while the target does not answer', async () => {
    expect(await watched([seen(), new Error('no route'), seen()])).toEqual({ error: null, looks: 3 });
  });

  it('ends with what the row makes necessary', async () => {
    const { error, looks } = await watched([seen(), seen({ seq: 8n }), seen()]);
    expect(error).toMatchObject({ code: 'HOLT_LOAD_REWIND', disposition: 'rewind' });
    expect(looks).toBe(2);
  });

  it('with batches in flight looks when nothing arrives, and tells of a higher epoch only', async () => {
    const busy = { isEmpty: false, receivedSeq: 9n };
    const { error, looks } = await watched(
      [seen({ seq: 8n }), seen({ epoch: 3 }), seen({ epoch: 5, tenure: newTenure() }), seen()],
      busy,
    );
    expect(error).toMatchObject({ code: 'HOLT_EPOCH_SUPERSEDED', disposition: 'rewind' });
    expect(looks).toBe(3);
  });

  it('does not look while batches arrive', async () => {
    let asked = 0;
    const window = {
      isEmpty: false,
      get receivedSeq() {
        asked += 1;
        if (asked > 20) void watch.stop();
        return BigInt(asked);
      },
    };
    let looks = 0;
    const watch: RowWatch = new RowWatch({
      reign,
      window,
      clock: { nowMs: () => 0, monotonicMs: () => 0, sleep: async () => {} },
      log: silentLogger,
      read: async () => {
        looks += 1;
        return seen();
      },
    });
    await watch.run();
    expect(looks).toBe(0);
  });

  it('says nothing of a row that moved while it was read', async () => {
    const window = {
      isEmpty: true,
      asked: 0,
      get receivedSeq() {
        this.asked += 1;
        return BigInt(this.asked);
      },
    };
    expect(await watched([seen({ seq: 0n })], window)).toEqual({ error: null, looks: 1 });
  });
});
