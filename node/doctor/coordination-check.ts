/** ZooKeeper: reached, a session granted, writing allowed, how fast, and who else may. */
import { randomBytes } from 'node:crypto';
import { systemClock } from '../../lib/clock.ts';
import { isLoopback } from '../../lib/loopback.ts';
import type { CoordinationConfig } from '../../model/config.ts';
import type { CoordinationTree } from '../../scheduler/tree/tree.ts';
import { isTreeError } from '../../scheduler/tree/tree-error.ts';
import { formatMs } from '../cli/output.ts';
import { openTree } from '../open-tree.ts';
import { type ClockReading, clockReading } from './clock-checks.ts';
import { type Finding, failure, ok, warning } from './finding.ts';

const DEADLINE_MS = 8_000;
const WRITES = 5;
/** Five quorum writes a batch: above this, coordination and not the databases sets the pace. */
const SLOW_WRITE_MS = 50;

export interface CoordinationCheck {
  readonly findings: readonly Finding[];
  readonly clock: ClockReading | null;
}

export async function checkCoordination(config: CoordinationConfig): Promise<CoordinationCheck> {
  if (config.kind === 'embedded')
    return { findings: [ok('coordination', 'embedded: this process alone')], clock: null };
  const about = `ZooKeeper ${config.servers}`;
  try {
    return await withTree(config, (tree) => look(about, config, tree));
  } catch (error) {
    return { findings: [failure(about, error)], clock: null };
  }
}

async function withTree<T>(
  config: CoordinationConfig,
  work: (tree: CoordinationTree) => Promise<T>,
): Promise<T> {
  const tree = openTree(config);
  const running = tree.run();
  try {
    await tree.whenConnected({ deadlineMs: DEADLINE_MS });
    return await work(tree);
  } finally {
    await tree.stop();
    await running;
  }
}

async function look(
  about: string,
  config: CoordinationConfig,
  tree: CoordinationTree,
): Promise<CoordinationCheck> {
  const findings: Finding[] = [];
  if (tree.sessionTimeoutMs === config.sessionTimeoutMs)
    findings.push(ok(about, `a session of ${formatMs(tree.sessionTimeoutMs)}`));
  else
    findings.push(
      warning({
        code: 'HOLT_TREE_TIMEOUT_CHANGED',
        about,
        message: `the ensemble grants sessions of ${formatMs(tree.sessionTimeoutMs)} where ${formatMs(config.sessionTimeoutMs)} are configured`,
      }),
    );
  const hasTree = (await tree.exists('/seda')) !== null;
  const path = `${hasTree ? '/seda' : ''}/holt-doctor-${randomBytes(6).toString('hex')}`;
  const times: number[] = [];
  let clock: ClockReading | null = null;
  try {
    for (let i = 0; i < WRITES; i++) {
      const asked = systemClock.nowMs();
      const stat = await tree.create(path, Buffer.alloc(0), { ephemeral: true, deadlineMs: DEADLINE_MS });
      const answered = systemClock.nowMs();
      times.push(answered - asked);
      // The first one may carry the cost of a cold path.
      if (i > 0) clock = clockReading('ZooKeeper', stat.ctimeMs, asked, answered);
      await tree.remove(path, 'any', { deadlineMs: DEADLINE_MS });
    }
    const median = times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
    findings.push(
      median > SLOW_WRITE_MS
        ? warning({
            code: 'HOLT_TREE_SLOW',
            about,
            message: `a write takes ${formatMs(median)}, and a batch needs about five`,
          })
        : ok(about, `a write takes ${median.toFixed(1)} ms`),
    );
  } catch (error) {
    findings.push(failure(about, error));
  }
  findings.push(...(await accessFindings(about, config)));
  return { findings, clock };
}

/** Who may touch what Holt keeps there. */
async function accessFindings(about: string, config: CoordinationConfig): Promise<readonly Finding[]> {
  const hosts = config.servers.replace(/\/.*$/, '').split(',');
  const isLocal = hosts.every((one) => isLoopback(one.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')));
  if (config.auth === null)
    return isLocal
      ? []
      : [
          warning({
            code: 'HOLT_TREE_OPEN',
            about,
            message:
              'no credentials are configured: whoever reaches ZooKeeper may change what Holt keeps there',
          }),
        ];
  const isOpen = await withTree({ ...config, auth: null }, async (stranger) => {
    try {
      return (await stranger.get('/seda')) !== null;
    } catch (error) {
      if (isTreeError(error, 'no-auth')) return false;
      throw error;
    }
  });
  return isOpen
    ? [
        warning({
          code: 'HOLT_TREE_OPEN',
          about,
          message: '/seda can be read without credentials: it was made before coordination.auth was set',
        }),
      ]
    : [ok(about, 'closed to those without our credentials')];
}
