/**
 * How much memory does a node take, with ten million row changes to catch up, and with many pipelines?
 *
 *     npm run bench -- memory [--server mariadb|mysql] [--times N] [--pipelines 100] [--quick] …
 */
import { Backlog } from './backlog.ts';
import type { Bench } from './bench.ts';
import { benchSettings, memoryOf } from './bench-servers.ts';
import { type HoltRun, holtCatchup } from './holt-run.ts';
import { startManyPipelines } from './many-pipelines.ts';
import { type Result, rounded } from './measurement.ts';
import { optionsOf } from './options.ts';
import { Recorder } from './recorder.ts';
import { bulkBacklog } from './workloads.ts';

const question =
  'How much memory does a node take, with ten million row changes to catch up, and with 100 pipelines?';

const SAMPLE_MS = 250;
const SETTLE_MS = 30_000;

type Samples = Map<string, [number, number][]>;

export const memory: Bench = {
  question,
  plan: [['--server', 'mariadb']],
  async run(args) {
    const { common, text } = optionsOf(args, {
      times: { type: 'string' },
      pipelines: { type: 'string', default: '100' },
    });
    const { server, flush, quick, seed, holt } = common;
    const recorder = new Recorder({
      bench: 'memory',
      question,
      seed,
      settings: benchSettings(server, flush),
      file: common.save ? `memory-${server}` : null,
    });
    const settleMs = quick ? 3_000 : SETTLE_MS;
    const samples: Samples = new Map();
    const results: Result[] = [];
    const figure = (metric: string, value: number, unit = 'MB') =>
      results.push({ bench: 'memory', metric, value: rounded(value, 1), unit });
    {
      const plan = bulkBacklog(Number(text('times') ?? (quick ? 2_500 : 50_000)), seed);
      await using backlog = await Backlog.make({ flavour: server, flush, plan }, recorder.say);
      recorder.version(server, backlog.source.version);
      recorder.fact('backlog', plan.name);
      recorder.fact('binlog bytes', backlog.binlogBytes);
      const settled = new Map<string, number>();
      const peaks = new Map<string, number>();
      await holtCatchup({
        backlog,
        layout: 'node-per-site',
        pipeline: 'memory',
        options: holt,
        recorder,
        warmths: ['cold'],
        beside: (run, signal) => sample(run, samples, signal),
        after: async (run) => {
          recorder.say('settling');
          await new Promise((resolve) => setTimeout(resolve, settleMs));
          for (const node of run.installation.nodes.values()) {
            const { nowBytes, peakBytes } = memoryOf(node.process.pid);
            settled.set(node.name, nowBytes / 1e6);
            peaks.set(node.name, peakBytes / 1e6);
          }
        },
      });
      for (const [node, points] of samples) {
        recorder.series({ name: node, x: 's', y: 'resident memory, MB', points });
        figure(`peak of ${node}`, peaks.get(node) ?? 0);
        figure(`settled, ${node}`, settled.get(node) ?? 0);
      }
      figure('settled memory of a node, at most', Math.max(...settled.values()));
      figure(
        'growth over the second half of the backlog',
        Math.max(...[...samples.values()].map(growth)),
        '%',
      );
    }
    const count = Number(text('pipelines'));
    recorder.say(`${count} pipelines`);
    {
      await using many = await startManyPipelines({ count, server, flush, options: holt });
      await new Promise((resolve) => setTimeout(resolve, settleMs));
      for (const node of many.installation.nodes.values())
        figure(`with ${count} pipelines, ${node.name}`, memoryOf(node.process.pid).nowBytes / 1e6);
    }
    recorder.measured(results);
  },
};

async function sample(run: HoltRun, samples: Samples, signal: AbortSignal): Promise<void> {
  const startMs = performance.now();
  while (!signal.aborted) {
    for (const node of run.installation.nodes.values()) {
      const points = samples.get(node.name) ?? [];
      points.push([(performance.now() - startMs) / 1000, memoryOf(node.process.pid).nowBytes / 1e6]);
      samples.set(node.name, points);
    }
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
  }
}

/** Mean of the last quarter beside that of the second one, percent more: by then everything has its working size. */
function growth(points: readonly (readonly [number, number])[]): number {
  const quarter = (n: number) => {
    const part = points.slice(
      Math.floor((points.length * n) / 4),
      Math.max(Math.floor((points.length * (n + 1)) / 4), Math.floor((points.length * n) / 4) + 1),
    );
    return part.reduce((sum, [, megabytes]) => sum + megabytes, 0) / Math.max(1, part.length);
  };
  return (quarter(3) / quarter(1) - 1) * 100;
}
