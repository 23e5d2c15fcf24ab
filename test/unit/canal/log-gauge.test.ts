import { expect, it } from 'vitest';
import { type GaugeSession, LogGauge, TIME_PROBES, TIME_SQL } from '../../../canal/log-gauge.ts';
import { waitFor } from '../../../lib/abort.ts';

it('measures the clock between looks: over a long way nobody is left without one for several answers', async () => {
  const asked: string[] = [];
  const session: GaugeSession = {
    query: async (sql) => {
      asked.push(sql);
      if (sql === 'STATUS') return [['bin.000001', '900']];
      return sql === TIME_SQL ? [['1700000000.5']] : [];
    },
    close: () => Promise.resolve(),
  };
  const answers: number[] = [];
  let looks = 0;
  const gauge = new LogGauge({
    connect: () => Promise.resolve(session),
    statusSql: () => 'STATUS',
    onLook: () => {
      looks += 1;
    },
    onTime: ({ theirsMs }) => answers.push(theirsMs),
    onFiles: () => {},
    wantsFiles: () => false,
    lookEveryMs: 1,
  });
  const over = gauge.run();
  await waitFor(() => looks > 2 * TIME_PROBES, { timeoutMs: 10_000, what: 'looks' });
  await gauge.stop();
  await over;
  const told = asked.slice(1).map((sql) => (sql === 'STATUS' ? 'look' : 'time'));
  expect(told.slice(0, 2 * TIME_PROBES)).toEqual(
    Array.from({ length: TIME_PROBES }, () => ['look', 'time']).flat(),
  );
  expect(told.slice(2 * TIME_PROBES)).not.toContain('time');
  expect(answers).toEqual(Array.from({ length: TIME_PROBES }, () => 1_700_000_000_500));
});

it('goes on over a new connection when told to, without a pause', async () => {
  let connections = 0;
  const open = new Set<number>();
  const gauge = new LogGauge({
    connect: () => {
      const number = ++connections;
      open.add(number);
      return Promise.resolve({
        query: async (sql) => (sql === 'STATUS' ? [['bin.000001', String(number)]] : []),
        close: async () => {
          open.delete(number);
        },
      });
    },
    statusSql: () => 'STATUS',
    onLook: ({ offset }) => seen.push(offset),
    onTime: () => {},
    onFiles: () => {},
    wantsFiles: () => false,
    lookEveryMs: 1,
  });
  const seen: number[] = [];
  const over = gauge.run();
  await waitFor(() => seen.includes(1), { timeoutMs: 10_000, what: 'a look' });
  gauge.renew();
  await waitFor(() => seen.includes(2), { timeoutMs: 10_000, what: 'a look over the next' });
  expect([...open]).toEqual([2]);
  expect(gauge.trouble).toBeNull();
  await gauge.stop();
  await over;
  expect(open.size).toBe(0);
});
