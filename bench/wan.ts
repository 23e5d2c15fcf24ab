/**
 * What does a long link between the sites cost?
 *
 *     npm run bench -- wan [--server mariadb|mysql] [--rtt 200] [--mbit 20,200,1000] [--tps 100,5000] [--transactions N] [--quick] …
 *
 * Everything between the sites crosses one link of `wan-link.ts`: the nodes' channel, the source's node to the target (raise) and back, and
 * ZooKeeper, whose voters stand at the source's site with an observer at the target's.
 */
import type { DatabaseServer } from '../test/support/database-server.ts';
import { freePort } from '../test/support/free-port.ts';
import { HoltInstallation } from '../test/support/holt-installation.ts';
import { startDatabase } from '../test/support/servers.ts';
import { startMembers } from '../test/support/zookeeper-server.ts';
import { Backlog, SCHEMA } from './backlog.ts';
import type { Bench } from './bench.ts';
import { benchSettings } from './bench-servers.ts';
import { createDelayTable, isVoid, measureDelay, VoidRun } from './delay.ts';
import { type HoltOptions, HoltRun, holtCatchup, LAYOUTS, pipelineSpec } from './holt-run.ts';
import { resultsOf } from './latency.ts';
import { median, type Result, rounded } from './measurement.ts';
import { optionsOf } from './options.ts';
import { Recorder } from './recorder.ts';
import { sysbenchBacklog } from './sysbench.ts';
import { WanLine } from './wan-line.ts';

const question = 'What does a link of 200 ms round trip and a limited bandwidth between the sites cost?';

const TRANSACTIONS = { mariadb: 200_000, mysql: 150_000 } as const;
/** A link that is off by more is none that we may speak of. */
const TOLERANCE = 0.15;

export const wan: Bench = {
  question,
  plan: [
    ['--server', 'mariadb'],
    ['--server', 'mysql', '--mbit', '200'],
  ],
  async run(args) {
    const { common, text, flag } = optionsOf(args, {
      rtt: { type: 'string', default: '200' },
      mbit: { type: 'string', default: '20,200,1000' },
      tps: { type: 'string', default: '100,5000' },
      transactions: { type: 'string' },
      seconds: { type: 'string' },
      'no-catchup': { type: 'boolean', default: false },
    });
    const { server, flush, quick, holt } = common;
    const rttMs = Number(text('rtt'));
    const rates = (text('tps') ?? '').split(',').filter(Boolean).map(Number);
    const recorder = new Recorder({
      bench: 'wan',
      question,
      seed: common.seed,
      settings: benchSettings(server, flush),
      file: common.save ? `wan-${server}` : null,
    });
    const transactions = Number(text('transactions') ?? (quick ? 10_000 : TRANSACTIONS[server]));
    await using backlog = await Backlog.make(
      {
        flavour: server,
        flush,
        plan: sysbenchBacklog({
          name: `${server}, skewed`,
          tables: 8,
          tableRows: quick ? 5_000 : 20_000,
          transactions,
          distribution: 'special',
          seed: common.seed,
        }),
      },
      recorder.say,
    );
    recorder.version(server, backlog.source.version);
    recorder.fact('name', server);
    recorder.fact('workload', 'skewed');
    recorder.fact('transactions of the backlog', transactions);
    recorder.fact('binlog bytes of the backlog', backlog.binlogBytes);
    const isWithCatchup = !flag('no-catchup');
    const local = isWithCatchup ? await rateOf(backlog, holt, recorder, 'local', null) : 0;
    for (const mbit of (text('mbit') ?? '').split(',').map(Number)) {
      await using line = new WanLine({ rttMs, mbitPerSecond: mbit });
      const measured = await line.calibrate();
      recorder.say(
        `link: ${measured.rttMs.toFixed(1)} ms round trip, ${measured.mbitPerSecond.toFixed(1)} Mbit/s`,
      );
      if (off(measured.rttMs, rttMs) || off(measured.mbitPerSecond, mbit))
        throw new Error(`void: the link is not what it should be (${rttMs} ms, ${mbit} Mbit/s)`);
      const figure = (metric: string, value: number, unit: string): Result => ({
        bench: 'wan',
        metric: `${metric}, ${mbit} Mbit/s`,
        value: rounded(value, 2),
        unit,
      });
      const results: Result[] = [
        figure('round trip measured', measured.rttMs, 'ms'),
        figure('bandwidth measured', measured.mbitPerSecond, 'Mbit/s'),
      ];
      if (rates.length > 0) {
        const settings = benchSettings(server, flush);
        await using source = await startDatabase(server, { settings });
        await using target = await startDatabase(server, { settings });
        await createDelayTable(source);
        await createDelayTable(target);
        await using run = await farRun({ line, source, target, pipeline: 'delay', options: holt });
        await run.reaches('idle', 'running');
        recorder.config(await run.config());
        const parts = {
          source,
          target,
          installation: run.installation,
          zookeeper: run.zookeeper,
          say: recorder.say,
        };
        await measureDelay({ ...parts, tps: 500, seconds: 5 }).catch(isVoid);
        for (const tps of rates) {
          const before = await line.bytes();
          const seconds = Number(text('seconds') ?? (quick ? 8 : 30));
          const delays = await measureDelay({ ...parts, tps, seconds }).catch(isVoid);
          if (delays instanceof VoidRun) {
            recorder.say(delays.message);
            process.exitCode = 1;
            continue;
          }
          const after = await line.bytes();
          const sent = delays.rate * seconds;
          results.push(
            figure(
              `bytes on the wire a transaction, ${tps} tps`,
              (after.east + after.west - before.east - before.west) / sent,
              'bytes',
            ),
            ...resultsOf('wan', server, rttMs, delays),
          );
          recorder.series({
            name: `${mbit} Mbit/s, ${tps} transactions/s, p99`,
            x: 's',
            y: 'delay, ms',
            points: delays.p99BySecond.map(([x, y]) => [x, y]),
          });
        }
        await run.stop();
      }
      if (isWithCatchup) {
        const before = await line.bytes();
        const far = await rateOf(backlog, holt, recorder, `far-${mbit}`, line);
        const after = await line.bytes();
        results.push(
          figure('catch-up', far, 'rows/s'),
          figure('catch-up beside the local rate', (far / local) * 100, '%'),
          // Each warmth carries the backlog once.
          figure('bytes on the wire a row change', (after.east - before.east) / backlog.rows / 2, 'bytes'),
        );
      }
      recorder.measured([
        ...results.filter((one) => 'metric' in one),
        ...results.filter((one) => !('metric' in one)),
      ]);
    }
  },
};

function off(measured: number, wanted: number): boolean {
  return Math.abs(measured / wanted - 1) > TOLERANCE;
}

/** Rows a second of warm nodes; over the line, or without one. */
async function rateOf(
  backlog: Backlog,
  options: HoltOptions,
  recorder: Recorder,
  pipeline: string,
  line: WanLine | null,
): Promise<number> {
  const timings = await holtCatchup({
    backlog,
    layout: 'node-per-site',
    pipeline,
    options,
    recorder,
    label: pipeline,
    ...(line === null
      ? {}
      : {
          start: (target: DatabaseServer) =>
            farRun({ line, source: backlog.source, target, pipeline, options }),
        }),
  });
  return median(timings.filter(({ name }) => name.endsWith('warm')).map((one) => one.rows_per_s));
}

/** A node at each site, and nothing between the sites but the line. */
async function farRun(parts: {
  readonly line: WanLine;
  readonly source: DatabaseServer;
  readonly target: DatabaseServer;
  readonly pipeline: string;
  readonly options: HoltOptions;
}): Promise<HoltRun> {
  const { line, source, target, pipeline, options } = parts;
  const siteOf = ({ role }: { readonly role: string }) => (role === 'observer' ? 'west' : 'east');
  const members = await startMembers(
    { voters: 3, observers: 1 },
    {
      forceSync: true,
      seenBy: async (viewer, member) => {
        const clients = siteOf(viewer);
        if (clients === siteOf(member)) return member;
        return {
          ...member,
          peer: await line.open(clients, member.peer),
          election: await line.open(clients, member.election),
        };
      },
    },
  );
  const voters = members.slice(0, 3).map((one) => one.connectString);
  const [observer] = members.slice(3);
  const dispose = async () => {
    await Promise.all(members.map((one) => one.dispose()));
  };
  try {
    const [eastPipe, westPipe] = [await freePort(), await freePort()];
    const pipe = async (port: number, clients: 'east' | 'west') => ({
      listen: `127.0.0.1:${port}`,
      // A way of writing the loopback address that is not taken for it: what crosses the line is compressed.
      advertise: `[::ffff:7f00:1]:${await line.open(clients, port)}`,
    });
    const installation = await HoltInstallation.create({
      databases: { east: source.db.endpoint, west: target.db.endpoint },
      zookeeper: voters.join(','),
      sessionTimeout: '10s',
      nodes: LAYOUTS['node-per-site'].nodes,
      logLevel: options.logLevel,
      pipelines: { [pipeline]: pipelineSpec(options, [`${SCHEMA}.*`]) },
      seenFrom: {
        'east-1': {
          databasePorts: { west: await line.open('east', target.port) },
          spec: { pipe: await pipe(eastPipe, 'west') },
        },
        'west-1': {
          databasePorts: { east: await line.open('west', source.port) },
          zookeeper: observer?.connectString ?? '',
          spec: { pipe: await pipe(westPipe, 'east') },
        },
      },
    });
    return await HoltRun.of({ installation, pipeline, options, zookeeper: voters[0] ?? '', dispose });
  } catch (error) {
    await dispose();
    throw error;
  }
}
