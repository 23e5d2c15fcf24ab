import { expect, test } from 'vitest';
import { waitFor } from '../../../../lib/abort.ts';
import { systemClock } from '../../../../lib/clock.ts';
import { silentLogger } from '../../../../lib/logger.ts';
import type { PositionText } from '../../../../model/position.ts';
import { Arrivals, type ReadSoFar } from '../../../../node/wait/arrivals.ts';

const at = (sequence: number) => `mariadb:0-1-${sequence}` as PositionText;
const LONG_MS = 60_000;
const never = new AbortController().signal;

function world() {
  const state = {
    checkpoint: at(1) as PositionText | null,
    read: null as ReadSoFar | null,
    opened: 0,
    closed: 0,
    asked: 0,
    failing: false,
  };
  const arrivals = new Arrivals({
    openReader: () => {
      state.opened += 1;
      return Promise.resolve({
        read: () =>
          state.failing ? Promise.reject(new Error('gone away')) : Promise.resolve(state.checkpoint),
        close: () => {
          state.closed += 1;
          return Promise.resolve();
        },
      });
    },
    readSoFar: () => {
      state.asked += 1;
      return Promise.resolve(state.read);
    },
    clock: systemClock,
    log: silentLogger,
    maxWaiting: 3,
  });
  return { state, arrivals };
}

test('a position that the checkpoint covers is there at once', async () => {
  const { arrivals } = world();
  await expect(arrivals.wait('p', at(1), LONG_MS, never)).resolves.toMatchObject({ by: 'checkpoint' });
  await arrivals.stop();
});

test('who waits is told when the checkpoint gets there, and not before', async () => {
  const { state, arrivals } = world();
  let settled = false;
  const waiting = arrivals.wait('p', at(5), LONG_MS, never).finally(() => {
    settled = true;
  });
  await waitFor(() => state.asked > 0, { timeoutMs: LONG_MS, what: 'a look' });
  state.checkpoint = at(4);
  state.checkpoint = at(4);
  expect(settled).toBe(false);
  state.checkpoint = at(6);
  await expect(waiting).resolves.toEqual({ by: 'checkpoint', checkpoint: at(6), problem: null });
  await arrivals.stop();
});

test('a log that ends in what the pipeline does not carry counts as reached when all of it is read and nothing is on its way', async () => {
  const { state, arrivals } = world();
  state.read = { position: at(9), isBusy: true };
  const waiting = arrivals.wait('p', at(9), LONG_MS, never);
  await waitFor(() => state.asked > 1, { timeoutMs: LONG_MS, what: 'two looks' });
  state.read = { position: at(8), isBusy: false };
  const asked = state.asked;
  await waitFor(() => state.asked > asked + 1, { timeoutMs: LONG_MS, what: 'two more' });
  state.read = { position: at(9), isBusy: false };
  await expect(waiting).resolves.toMatchObject({ by: 'reading', checkpoint: at(1) });
  await arrivals.stop();
});

test('when the time is up it says how far the target is', async () => {
  const { state, arrivals } = world();
  await expect(arrivals.wait('p', at(5), 30, never)).resolves.toMatchObject({ by: null, problem: null });
  await expect(arrivals.wait('p', at(5), 0, never)).resolves.toMatchObject({ by: null });
  expect(state.opened).toBe(1);
  await arrivals.stop();
  expect(state.closed).toBe(1);
});

test('one session serves all that wait for a pipeline, and no more than a bound of them', async () => {
  const { state, arrivals } = world();
  const waiting = [2, 3, 4].map((one) => arrivals.wait('p', at(one), LONG_MS, never));
  await expect(arrivals.wait('p', at(5), LONG_MS, never)).rejects.toMatchObject({ code: 'HOLT_RATE_LIMIT' });
  state.checkpoint = at(4);
  await Promise.all(waiting);
  expect(state.opened).toBe(1);
  await arrivals.stop();
});

test('a target that fails is asked again, and the failure is told when the time is up', async () => {
  const { state, arrivals } = world();
  state.failing = true;
  const first = await arrivals.wait('p', at(1), 50, never);
  expect(first).toMatchObject({ by: null, problem: 'gone away' });
  const waiting = arrivals.wait('p', at(1), LONG_MS, never);
  state.failing = false;
  await expect(waiting).resolves.toMatchObject({ by: 'checkpoint', problem: null });
  await arrivals.stop();
});

test('a client that hangs up ends its wait', async () => {
  const { arrivals } = world();
  const gone = new AbortController();
  const waiting = arrivals.wait('p', at(5), LONG_MS, gone.signal);
  gone.abort(new Error('hung up'));
  await expect(waiting).rejects.toThrow('hung up');
  await arrivals.stop();
});
