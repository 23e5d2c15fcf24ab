/** Lag and state as they are shown while stages stand still, clocks are wrong and nothing happens (G9): for the short and the long tests. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { waitFor } from '../../lib/abort.ts';
import type { Measured } from '../../model/lag.ts';
import { STAGES, type StageName } from '../../model/stage.ts';
import type { PipelineStatusView } from '../../node/operations.ts';
import type { HoltNode } from '../support/holt-installation.ts';
import { deviationOf, LagProbe, type ShownLag } from '../support/lag-probe.ts';
import { PIPELINE, Replication, type ReplicationOptions } from '../support/replication.ts';

/** One node a stage: whoever stands still is that stage and no other. */
export const STAGE_NODES = {
  nodes: { 'n-select': 'east', 'n-extract': 'east', 'n-transform': 'west', 'n-load': 'west' },
  nodeSpecs: Object.fromEntries(STAGES.map((stage) => [`n-${stage}`, { stages: [stage] }])),
} as const;

export const nodeOf = (stage: StageName): string => `n-${stage}`;

/** A node that answers while that of `stage` does not. */
export function witnessOf(run: Replication, stage: StageName): HoltNode {
  return run.holt.node(nodeOf(stage === 'transform' ? 'load' : 'transform'));
}

/** Until `stage` is named as the one that holds the lag, and nothing is said to be well; answers how long that took, ms. */
export async function untilNamed(
  run: Replication,
  stage: StageName,
): Promise<{ readonly status: PipelineStatusView; readonly tookMs: number }> {
  const startedMs = performance.now();
  const witness = witnessOf(run, stage);
  let last: PipelineStatusView | null = null;
  const status = await waitFor(
    async () => {
      last = await witness.api.pipeline(PIPELINE).catch(() => null);
      return last !== null && last.lagStage === stage && !isWell(last) ? last : null;
    },
    { timeoutMs: 60_000, pollMs: 20, what: `${stage} to be named` },
  ).catch((error: unknown) => {
    throw new Error(`${stage} was not named; last seen ${JSON.stringify(last)}`, { cause: error });
  });
  return { status, tookMs: performance.now() - startedMs };
}

/** Until an alarm names `stage`, pending or firing, also where the node that stands still is the one that evaluates. */
export async function untilAlarmed(run: Replication, stage: StageName): Promise<void> {
  const witness = witnessOf(run, stage);
  await waitFor(
    async () =>
      (await witness.api.alarms().catch(() => [])).some(
        (one) => one.kind === 'stuck' && one.pipeline === PIPELINE && one.stage === stage,
      ),
    { timeoutMs: 60_000, pollMs: 50, what: `an alarm to name ${stage}` },
  );
}

/** Until no alarm stands, pending or firing. */
export async function untilQuiet(run: Replication): Promise<void> {
  await waitFor(
    async () => {
      const alarms = await witnessOf(run, 'select')
        .api.alarms()
        .catch(() => null);
      return alarms?.length === 0;
    },
    { timeoutMs: 120_000, pollMs: 200, what: 'no alarm to stand' },
  );
}

function isWell({ state }: PipelineStatusView): boolean {
  return state === 'running' || state === 'idle' || state === 'catching-up';
}

/** While a stage is frozen, nobody may say that it runs; the metrics name the stage, too. */
export function expectFrozen(status: PipelineStatusView, stage: StageName): void {
  expect(status.lagStage).toBe(stage);
  expect(status.state).toBe(stage === 'select' ? 'unknown' : 'degraded');
  expect(status.reason).toContain(nodeOf(stage));
}

/** Requests to ZooKeeper that write, since the node started. */
export async function writesOf(node: HoltNode): Promise<number> {
  const text = await node.metrics();
  return ['create', 'set', 'remove', 'multi'].reduce(
    (sum, op) =>
      sum + Number(new RegExp(`^holt_zk_requests_total\\{op="${op}"\\} (\\S+)`, 'm').exec(text)?.[1] ?? 0),
    0,
  );
}

export interface AccuracyPhase {
  readonly name: string;
  readonly ms: number;
  /** Between two transactions; null writes nothing. */
  readonly everyMs: number | null;
  readonly rows?: number;
  /** How long each transaction stays open before its commit. */
  readonly openMs?: number;
  /** Load's node stands still meanwhile. */
  readonly frozen?: boolean;
  /** The node that reads stands still for 600 ms of every second. */
  readonly stuttering?: boolean;
  /** Sets the source's clock when it begins. */
  readonly clock?: string;
  /** Sets the clocks of nodes when it begins: ms ahead of the machine's, by node. */
  readonly nodeClocks?: Readonly<Record<string, number>>;
}

export interface AccuracySample extends ShownLag {
  readonly phase: string;
  readonly state: string;
  /** The way of the last batch, as shown. */
  readonly apply: Measured | null;
  /** From what was measured, up to 50 ms before, ms. */
  readonly deviationMs: number;
}

/** Lets transactions through in these phases, asks for the status all the while, and compares with what was measured. */
export async function accuracyRun(
  options: ReplicationOptions,
  phases: readonly AccuracyPhase[],
): Promise<readonly AccuracySample[]> {
  await using run = await Replication.create({
    nodes: { 'east-1': 'east', 'west-1': 'west' },
    ...options,
  });
  await using probe = await LagProbe.create(run.source.db, run.target.db);
  const clocks = phases.some(({ nodeClocks }) => nodeClocks !== undefined)
    ? new NodeClocks(run.holt.folder)
    : null;
  const starting = [...run.holt.nodes.keys()].map((name) =>
    run.holt.start([name], clocks === null ? {} : { nodeOptions: clocks.optionsOf(name) }),
  );
  await Promise.all(starting);
  await run.reigning();
  const shown: (ShownLag & Pick<AccuracySample, 'phase' | 'state' | 'apply'>)[] = [];
  const asked = run.holt.node(phases.some(({ stuttering }) => stuttering) ? 'west-1' : 'east-1');
  let phase = 'start';
  let over = false;
  const asking = (async () => {
    while (!over) {
      const fromMs = performance.now();
      const status = await asked.api.pipeline(PIPELINE);
      const toMs = performance.now();
      const { state, lag } = status;
      shown.push({ asked: { fromMs, toMs }, lag: lag.endToEnd, apply: lag.apply, phase, state });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  asking.catch(() => {});
  for (const one of phases) {
    phase = one.name;
    if (one.clock !== undefined) await run.source.setClock(one.clock);
    for (const [node, aheadMs] of Object.entries(one.nodeClocks ?? {})) clocks?.set(node, aheadMs);
    if (one.frozen) await run.holt.node('west-1').freeze();
    const stutter = one.stuttering ? new Stutter(run.holt.node('east-1')) : null;
    await writeFor(probe, one);
    await stutter?.stop();
    if (one.frozen) run.holt.node('west-1').thaw();
  }
  await run.until('the pipeline to drain', ({ state, lagMs }) => state === 'idle' && lagMs === 0);
  over = true;
  await asking;
  await waitFor(() => probe.passages().every(({ seen }) => Number.isFinite(seen.toMs)), {
    timeoutMs: 60_000,
    what: 'everything to be seen at the target',
  });
  const passages = probe.passages();
  return shown.map((one) => ({ ...one, deviationMs: deviationOf(passages, one, 50) }));
}

/** Nodes whose wall clocks can be set while they run. */
class NodeClocks {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** NODE_OPTIONS of a node. */
  optionsOf(node: string): string {
    this.set(node, 0);
    const script = join(this.#folder, `clock-of-${node}.cjs`);
    writeFileSync(
      script,
      `const { readFileSync } = require('node:fs');
const real = Date.now;
let aheadMs = 0;
setInterval(() => { aheadMs = Number(readFileSync(${JSON.stringify(this.#file(node))}, 'utf8') || aheadMs); }, 20).unref();
Date.now = () => real() + aheadMs;
`,
    );
    return `--require=${script}`;
  }

  set(node: string, aheadMs: number): void {
    writeFileSync(this.#file(node), String(aheadMs));
  }

  #file(node: string): string {
    return join(this.#folder, `clock-of-${node}`);
  }
}

/** A node whose thread is held up over and over. */
class Stutter {
  readonly #node: HoltNode;
  readonly #over: Promise<void>;
  #stopped = false;

  constructor(node: HoltNode) {
    this.#node = node;
    this.#over = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#over;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      await this.#node.freeze();
      await new Promise((resolve) => setTimeout(resolve, 600));
      this.#node.thaw();
      await new Promise((resolve) => setTimeout(resolve, 400));
    }
  }
}

async function writeFor(
  probe: LagProbe,
  { ms, everyMs, rows = 1, openMs = 0 }: AccuracyPhase,
): Promise<void> {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs) {
    const startedMs = performance.now();
    if (everyMs !== null) await probe.write(rows, openMs);
    const restMs = Math.min(endMs, startedMs + (everyMs ?? 50)) - performance.now();
    if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs));
  }
}

/**
 * Further from the measured lag than 50 ms and what is shown beside it. An answer that took long is as old as that: what was so when it was
 * made, nobody outside knows.
 */
export function isOff({ deviationMs, lag, asked }: AccuracySample): boolean {
  const slowMs = Math.max(0, asked.toMs - asked.fromMs - 50);
  return deviationMs > 50 + slowMs + (lag?.errorMs ?? 0);
}

/** For people who read why it failed: the worst first. */
export function worstOf(samples: readonly AccuracySample[]): string {
  return [...samples]
    .sort((a, b) => b.deviationMs - a.deviationMs)
    .slice(0, 8)
    .map(
      ({ phase, state, lag, deviationMs, asked }) =>
        `${phase} ${state}: ${Math.round(lag?.ms ?? -1)} ±${Math.round(lag?.errorMs ?? -1)} ms, off by ${Math.round(deviationMs)} ms, answered in ${Math.round(asked.toMs - asked.fromMs)} ms`,
    )
    .join('\n');
}
