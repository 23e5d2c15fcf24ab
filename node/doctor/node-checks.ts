/** Other nodes over their signed channel: reached, genuine, of which release, and by which clock. */
import type { LoadedConfig } from '../../conf/load.ts';
import { systemClock } from '../../lib/clock.ts';
import { isAbort } from '../../lib/errors.ts';
import type { NodeConfig } from '../../model/config.ts';
import { ChannelClient } from '../../stages/pipe/channel/channel-client.ts';
import { STATUS_ROUTE } from '../status/collect.ts';
import { type NodeReport, nodeReport } from '../status/node-report.ts';
import { type ClockReading, clockReading } from './clock-checks.ts';
import { type Finding, failure, ok, warning } from './finding.ts';

const ANSWER_MS = 3_000;

export interface NodeCheck {
  readonly findings: readonly Finding[];
  readonly clocks: readonly ClockReading[];
}

/** A node that does not run is none of the configuration's faults: it is only mentioned. */
export async function checkNodes({ nodes }: LoadedConfig): Promise<NodeCheck> {
  const findings: Finding[] = [];
  const clocks: ClockReading[] = [];
  // A node alone signs with a key of its own, which nobody else knows.
  if (nodes.length < 2) return { findings, clocks };
  for (const node of nodes) {
    const about = `node ${node.name}`;
    const address = addressOf(node);
    if (address === null) continue;
    try {
      const { report, clock } = await ask(node, address);
      clocks.push(clock);
      findings.push(
        report.node === node.name
          ? ok(about, `answers at ${address}, release ${report.release}`)
          : warning({
              code: 'HOLT_NODE_NAME_TAKEN',
              about,
              message: `at ${address} the node ${report.node} answers`,
              remedy: 'Correct pipe.advertise, or the name under which that process was started.',
            }),
      );
    } catch (error) {
      findings.push(silence(about, address, error));
    }
  }
  return { findings, clocks };
}

function silence(about: string, address: string, error: unknown): Finding {
  if (isAbort(error))
    return warning({
      code: 'HOLT_PIPE_UNREACHABLE',
      about,
      message: `${address}: no answer within ${ANSWER_MS} ms`,
    });
  const found = failure(about, error);
  return found.code === 'HOLT_PIPE_UNREACHABLE' ? { ...found, level: 'warn' } : found;
}

/** Null where the port is taken at random: only the registry knows it. */
function addressOf(node: NodeConfig): string | null {
  const { host, port, advertise, tls } = node.pipe;
  const scheme = tls === null ? 'http' : 'https';
  if (advertise !== null) return `${scheme}://${advertise}`;
  return port === 0 ? null : `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

async function ask(
  node: NodeConfig,
  address: string,
): Promise<{ readonly report: NodeReport; readonly clock: ClockReading }> {
  const client = new ChannelClient({
    node: 'doctor',
    key: Buffer.from(node.clusterKey.resolve(), 'utf8'),
    tls: node.pipe.tls,
    nowMs: () => systemClock.nowMs(),
  });
  try {
    const asked = systemClock.nowMs();
    const answer = await client.json(address, STATUS_ROUTE, AbortSignal.timeout(ANSWER_MS));
    const answered = systemClock.nowMs();
    const report = nodeReport.parse(answer);
    return { report, clock: clockReading(`node ${node.name}`, report.nowMs, asked, answered) };
  } finally {
    client.close();
  }
}
