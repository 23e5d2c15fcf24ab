/**
 * What does a node do while nothing changes?
 *
 *     npm run bench -- idle [--server mariadb|mysql] [--pipelines 100] [--seconds 60] [--quick] …
 */
import type { ZookeeperServer } from '../test/support/zookeeper-server.ts';
import type { Bench } from './bench.ts';
import { benchSettings, cpuSeconds } from './bench-servers.ts';
import { startManyPipelines } from './many-pipelines.ts';
import { type Result, rounded } from './measurement.ts';
import { optionsOf } from './options.ts';
import { Recorder } from './recorder.ts';

const question = 'What do nodes with 100 pipelines do while nothing changes?';

const SETTLE_MS = 20_000;

export const idle: Bench = {
  question,
  plan: [['--server', 'mariadb']],
  async run(args) {
    const { common, text } = optionsOf(args, {
      pipelines: { type: 'string', default: '100' },
      seconds: { type: 'string' },
    });
    const { server, flush, quick, holt } = common;
    const recorder = new Recorder({
      bench: 'idle',
      question,
      seed: common.seed,
      settings: benchSettings(server, flush),
      file: common.save ? `idle-${server}` : null,
    });
    const count = Number(text('pipelines'));
    const seconds = Number(text('seconds') ?? (quick ? 10 : 90));
    await using many = await startManyPipelines({ count, server, flush, options: holt });
    const { installation, zookeeper, source, target } = many;
    recorder.version(server, source.version);
    recorder.fact('pipelines', count);
    recorder.fact('seconds', seconds);
    recorder.say(`${count} pipelines are idle`);
    await new Promise((resolve) => setTimeout(resolve, quick ? 3_000 : SETTLE_MS));
    const pids = new Map([...installation.nodes.values()].map((one) => [one.name, one.process.pid]));
    const look = async () => ({
      atMs: performance.now(),
      cpu: new Map([...pids].map(([name, pid]) => [name, cpuSeconds(pid)])),
      servers: cpuSeconds(source.pid) + cpuSeconds(target.pid),
      zookeeper: await traffic(zookeeper),
    });
    const before = await look();
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    const after = await look();
    const took = (after.atMs - before.atMs) / 1000;
    const share = (cpu: number) => rounded((cpu / took) * 100, 2);
    const figure = (metric: string, value: number, unit: string): Result => ({
      bench: 'idle',
      metric,
      value,
      unit,
    });
    const shares = [...pids.keys()].map((name) => ({
      name,
      share: share((after.cpu.get(name) ?? 0) - (before.cpu.get(name) ?? 0)),
    }));
    const packets = after.zookeeper.packets - before.zookeeper.packets;
    await many.installation.node('east-1').stop();
    recorder.measured([
      ...shares.map((one) => figure(`CPU of ${one.name}`, one.share, '% of a core')),
      figure('CPU of source and target', share(after.servers - before.servers), '% of a core'),
      figure('ZooKeeper packets received', rounded(packets / took, 2), '1/s'),
      figure(
        `CPU of a node with ${count} pipelines`,
        Math.max(...shares.map((one) => one.share)),
        '% of a core',
      ),
      figure('ZooKeeper writes', Number(after.zookeeper.zxid - before.zookeeper.zxid), 'writes'),
    ]);
  },
};

/** Each write has a transaction number of its own; sessions that come and go count, too. */
async function traffic(
  zookeeper: ZookeeperServer,
): Promise<{ readonly zxid: bigint; readonly packets: number }> {
  const text = await zookeeper.ask('srvr');
  const zxid = /^Zxid: 0x([0-9a-f]+)$/m.exec(text)?.[1];
  const packets = /^Received: (\d+)$/m.exec(text)?.[1];
  if (zxid === undefined || packets === undefined) throw new Error('ZooKeeper does not say how it is');
  return { zxid: BigInt(`0x${zxid}`), packets: Number(packets) };
}
