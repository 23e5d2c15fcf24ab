/**
 * How long from commit at the source to commit at the target?
 *
 *     npm run bench -- latency [--server mariadb|mysql] [--flush relaxed|durable] [--tps 100,1000,5000] [--quick] [--no-save]
 *                              [--layout node-per-site|one-node] …
 */
import { startDatabase } from '../test/support/servers.ts';
import type { Bench } from './bench.ts';
import { benchSettings } from './bench-servers.ts';
import { createDelayTable, type Delays, isVoid, measureDelay, VoidRun } from './delay.ts';
import { HoltRun, LAYOUTS, type Layout } from './holt-run.ts';
import { type Result, rounded } from './measurement.ts';
import { oneOf, optionsOf } from './options.ts';
import { Recorder } from './recorder.ts';

const question = 'How long from commit at the source to commit at the target, and does it stay so?';

const SECONDS: Readonly<Record<number, number>> = { 100: 30, 1000: 60, 5000: 120 };
const QUICK_SECONDS = 8;
const WARM_UP = { tps: 500, seconds: 10 } as const;

export const latency: Bench = {
  question,
  plan: [
    ['--server', 'mariadb'],
    ['--server', 'mysql'],
  ],
  async run(args) {
    const { common, text } = optionsOf(args, {
      tps: { type: 'string', default: '100,1000,5000' },
      layout: { type: 'string', default: 'node-per-site' },
      seconds: { type: 'string' },
    });
    const { server, flush, quick } = common;
    const layout = oneOf('layout', text('layout'), Object.keys(LAYOUTS) as Layout[]);
    const settings = benchSettings(server, flush);
    const recorder = new Recorder({
      bench: 'latency',
      question,
      seed: common.seed,
      settings,
      file: common.save ? `latency-${server}${flush === 'durable' ? '-durable' : ''}` : null,
    });
    await using source = await startDatabase(server, { settings });
    await using target = await startDatabase(server, { settings });
    await createDelayTable(source);
    await createDelayTable(target);
    recorder.version(server, source.version);
    recorder.fact('name', server);
    recorder.fact('flush', flush);
    recorder.fact('layout', layout);
    await using run = await HoltRun.start({
      source,
      target,
      layout,
      pipeline: 'delay',
      options: common.holt,
    });
    await run.reaches('idle', 'running');
    recorder.config(await run.config());
    const parts = {
      source,
      target,
      installation: run.installation,
      zookeeper: run.zookeeper,
      say: recorder.say,
    };
    await measureDelay({ ...parts, ...WARM_UP }).catch(isVoid);
    for (const tps of (text('tps') ?? '').split(',').map(Number)) {
      const seconds = Number(text('seconds') ?? (quick ? QUICK_SECONDS : (SECONDS[tps] ?? 60)));
      const delays = await measureDelay({ ...parts, tps, seconds }).catch(isVoid);
      if (delays instanceof VoidRun) {
        recorder.say(delays.message);
        process.exitCode = 1;
        continue;
      }
      for (const [name, points] of [
        ['p50', delays.p50BySecond],
        ['p99', delays.p99BySecond],
      ] as const)
        recorder.series({
          name: `${tps} transactions/s, ${name}`,
          x: 's',
          y: 'delay, ms',
          points: points.map(([x, y]) => [x, y]),
        });
      recorder.measured(resultsOf('latency', server, 0, delays));
    }
    await run.stop();
  },
};

export function resultsOf(bench: string, server: string, rttMs: number, delays: Delays): readonly Result[] {
  const { tps } = delays;
  const figure = (metric: string, value: number, unit: string): Result => ({
    bench,
    metric: `${metric}, ${server}, ${tps} tps`,
    value: rounded(value, 2),
    unit,
  });
  return [
    figure('transactions committed at the source', delays.rate, '1/s'),
    figure('zookeeper write', delays.zookeeperWriteMs, 'ms'),
    ...Object.entries(delays.stages).map(([stage, ms]) => figure(`${stage}, a batch`, ms, 'ms')),
    figure('p99 of the first quarter', delays.firstP99Ms, 'ms'),
    figure('p99 of the last quarter', delays.lastP99Ms, 'ms'),
    ...(bench === 'latency'
      ? [
          figure(
            'p99 of the last 30 s beside the first 30 s',
            delays.lastP99Ms / Math.max(delays.firstP99Ms, 0.001),
            '×',
          ),
        ]
      : []),
    {
      bench,
      server,
      tps,
      rtt_ms: rttMs,
      p50_ms: rounded(delays.p50Ms, 2),
      p99_ms: rounded(delays.p99Ms, 2),
      max_ms: rounded(delays.maxMs, 2),
    },
  ];
}
