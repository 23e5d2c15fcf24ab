/**
 * An installation that is not there, behind the real API: what it says of itself is data that a test or a screenshot sets, and what is
 * asked of it is noted. Three sites, a node of which is slow, and pipelines in every state.
 */
import { HoltError } from '../../lib/errors.ts';
import { type ClockReading, UNKNOWN_LAG } from '../../model/lag.ts';
import type { StageName } from '../../model/stage.ts';
import { STAGES } from '../../model/stage.ts';
import type { PipelineState } from '../../model/status.ts';
import type { BatchView, SiteView } from '../../node/cluster-views.ts';
import type { AppliedBatch } from '../../node/history/applied-batches.ts';
import type { HistoryPoint } from '../../node/history/samples.ts';
import type {
  DesiredChange,
  NodeView,
  Operations,
  ParkedTableView,
  PipelineStatusView,
  PositionView,
  StageStatusView,
} from '../../node/operations.ts';
import type { ApiBenchOptions } from './api-bench.ts';
import { MadeUpAlarms } from './made-up-alarms.ts';
import { MadeUpRecords } from './made-up-records.ts';
import { madeUpTrace } from './made-up-trace.ts';

export interface Asked {
  readonly what: string;
  readonly of: string;
  readonly with: unknown;
}

interface Made {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly state: PipelineState;
  /** ms. */
  readonly lag: number;
  readonly at: StageName | null;
  readonly rate: number;
  readonly reason?: string;
  readonly code?: string;
}

const KNOWN: readonly Made[] = [
  {
    name: 'orders-frankfurt-oregon',
    from: 'frankfurt',
    to: 'oregon',
    state: 'running',
    lag: 184,
    at: 'load',
    rate: 2_847,
  },
  {
    name: 'orders-oregon-frankfurt',
    from: 'oregon',
    to: 'frankfurt',
    state: 'running',
    lag: 131,
    at: 'transform',
    rate: 1_204,
  },
  {
    name: 'catalogue-frankfurt-singapore',
    from: 'frankfurt',
    to: 'singapore',
    state: 'catching-up',
    lag: 94_300,
    at: 'select',
    rate: 8_410,
  },
  {
    name: 'customers-frankfurt-oregon',
    from: 'frankfurt',
    to: 'oregon',
    state: 'idle',
    lag: 0,
    at: null,
    rate: 0,
  },
  {
    name: 'billing-oregon-frankfurt',
    from: 'oregon',
    to: 'frankfurt',
    state: 'failed',
    lag: 1_320_000,
    at: 'load',
    rate: 0,
    code: 'HOLT_APPLY_DUPLICATE',
    reason: 'row with key invoice=88213 is already in billing.invoices, and is not the one that came',
  },
  {
    name: 'search-frankfurt-singapore',
    from: 'frankfurt',
    to: 'singapore',
    state: 'degraded',
    lag: 5_200,
    at: 'extract',
    rate: 0,
    reason: 'nothing has moved for 4.1 s; Extract is held by fra-2, which does not answer',
  },
  {
    name: 'reports-oregon-singapore',
    from: 'oregon',
    to: 'singapore',
    state: 'paused',
    lag: 421_000,
    at: 'select',
    rate: 0,
    reason: 'paused by mira: index rebuild in Singapore',
  },
  {
    name: 'audit-singapore-frankfurt',
    from: 'singapore',
    to: 'frankfurt',
    state: 'unknown',
    lag: 0,
    at: null,
    rate: 0,
    reason: 'nobody holds the mainstem: no node of singapore reads sin-db',
  },
];

const NODES_OF: Readonly<Record<string, readonly string[]>> = {
  frankfurt: ['fra-1', 'fra-2'],
  oregon: ['ore-1', 'ore-2'],
  singapore: ['sin-1'],
};
const SITES = Object.keys(NODES_OF);

export class MadeUpInstallation {
  readonly alarms = new MadeUpAlarms();
  readonly asked: Asked[] = [];
  readonly records = new MadeUpRecords({
    note: (what, of, given) => this.#note(what, of, given),
    ends: (name) => this.ends.get(name),
    known: (name) => void this.status(name),
  });
  pipelines: PipelineStatusView[];
  nodes: NodeView[];
  readonly ends = new Map<string, { readonly from: string; readonly to: string }>();
  parked = new Map<string, ParkedTableView[]>();
  batches = new Map<string, BatchView[]>();
  applied = new Map<string, AppliedBatch[]>();
  /** Thrown by every look at the whole, while set. */
  outage: HoltError | null = null;
  #tick = 0;

  /** `more`: idle and moving pipelines beside the known eight. */
  constructor(options: { readonly more?: number } = {}) {
    const more = Array.from({ length: options.more ?? 0 }, (_, index): Made => {
      const from = SITES[index % 3] ?? 'oregon';
      const moves = index % 23 === 0;
      return {
        name: `tenant-${String(index + 1).padStart(3, '0')}`,
        from,
        to: SITES[(index + 1) % 3] ?? 'oregon',
        state: moves ? 'running' : 'idle',
        lag: moves ? 90 + index : 0,
        at: moves ? 'load' : null,
        rate: moves ? 40 + index : 0,
      };
    });
    const made = [...KNOWN, ...more];
    for (const { name, from, to } of made) this.ends.set(name, { from, to });
    this.pipelines = made.map(statusOf);
    for (const one of this.pipelines) this.#flow(one);
    this.nodes = SITES.flatMap((site) => (NODES_OF[site] ?? []).map((node) => nodeOf(node, site)));
  }

  /** What ApiBench is started with. */
  get bench(): ApiBenchOptions {
    const note = this.#note;
    return {
      operations: this.#operations() as NonNullable<ApiBenchOptions['operations']>,
      server: {
        cluster: {
          sites: () => this.sites(),
          batches: (name: string) => Promise.resolve(this.batches.get(name) ?? []),
          claims: async () => this.records.claims(),
          znode: async (path: string) => this.records.znode(path),
          drainState: async (node: string) => ({ node, state: this.#workOf(node) }),
          drain: async (node: string, force: boolean) => {
            note('drain', node, { force });
            if (node === 'sin-1' && !force)
              throw new HoltError('HOLT_NODE_NEEDED', 'pipelines would stand still without sin-1');
            this.#setNode(node, 'drained');
            return { node, state: 'drained' as const };
          },
          undrain: async (node: string) => {
            note('undrain', node, null);
            this.#setNode(node, 'ready');
            return { node, state: 'working' as const };
          },
          logLevel: (node: string) => Promise.resolve({ node, level: 'info' as const }),
          setLogLevel: (node: string, level) => {
            note('setLogLevel', node, level);
            return Promise.resolve({ node, level });
          },
        },
        applied: {
          recent: ({ pipeline, limit, only }) => {
            const all = this.applied.get(pipeline) ?? [];
            const wanted =
              only === null
                ? all.slice(-limit)
                : all.filter((one) => one.q === only.seq && one.e === only.epoch);
            return Promise.resolve({ batches: wanted, silent: [] });
          },
        },
        alarms: this.alarms.services,
        history: {
          query: (asked) =>
            Promise.resolve({ ...asked, points: this.history(asked.pipeline, asked), silent: [] }),
        },
      },
    };
  }

  status(name: string): PipelineStatusView {
    const found = this.pipelines.find((one) => one.pipeline === name);
    if (found === undefined)
      throw new HoltError('HOLT_PIPELINE_UNKNOWN', `there is no pipeline ${JSON.stringify(name)}`);
    return found;
  }

  change(name: string, change: Partial<PipelineStatusView>): void {
    this.status(name);
    this.pipelines = this.pipelines.map((one) => (one.pipeline === name ? { ...one, ...change } : one));
  }

  /** The moving ones move: other figures, as the next look would see them. */
  tick(): void {
    this.#tick += 1;
    this.pipelines = this.pipelines.map((one, index) =>
      one.rowsPerSecond === 0
        ? one
        : {
            ...one,
            rowsPerSecond: one.rowsPerSecond * (1 + 0.1 * Math.sin(this.#tick + index)),
            appliedSeq: String(BigInt(one.appliedSeq ?? '0') + 7n),
          },
    );
  }

  /** Batches as they would stand and have gone by, if it moved. */
  #flow({ pipeline, rowsPerSecond, stages, lagStage, lagMs }: PipelineStatusView): void {
    if (rowsPerSecond === 0 || lagStage === null) return;
    const now = Date.now();
    const node = stages[3]?.holder ?? 'ore-1';
    const length = 11;
    this.applied.set(
      pipeline,
      Array.from({ length }, (_, index): AppliedBatch => {
        const t = now - 160 - (length - index) * 92;
        const [queue, work] = [18 + ((index * 37) % 46), 24 + ((index * 53) % 61)];
        const loaded = t - work;
        return {
          ...{ t, p: pipeline, e: 17, q: String(90_398 + index), d: work, N: node },
          ...{ f: loaded - queue - 62 - ((index * 29) % 30), l: loaded - queue - 50 },
          ...{ s: loaded - queue - 41, x: loaded - queue - 33, w: loaded - queue },
          ...{ n: 12 + index, r: 180 + ((index * 97) % 260), b: 48_211 + index * 900 },
          ...{ i: 'source', F: 'binlog.000482', O: 71_204_118 + index * 48_000 },
        };
      }),
    );
    const inFlight = (['load', 'load', 'transform', 'extract'] as const).map((stage, index): BatchView => {
      const age = Math.min(lagMs ?? 100, 190) - index * 38;
      const held = stage === 'load' && index === 1 ? null : now - 12;
      return {
        id: `0000000017-${String(90_409 + index).padStart(20, '0')}`,
        ...{ stage, epoch: 17, seq: String(90_409 + index), part: 0, lastPart: true },
        origin: this.ends.get(pipeline)?.from ?? 'frankfurt',
        ...{ transactions: 14 + index, rows: 240 + index * 31, bytes: 51_882 },
        ...{ firstCommitMs: now - age, lastCommitMs: now - age + 12, selectedMs: now - age + 22 },
        extractedMs: stage === 'extract' ? null : now - age + 31,
        transformedMs: stage === 'load' ? now - age + 58 : null,
        endPosition: '0e1c8f1e-92aa-11f0-8b52-0242ac120002:1-184467210',
        holder: held === null ? null : stage === 'extract' ? (stages[1]?.holder ?? null) : node,
        heldSinceMs: held,
      };
    });
    this.batches.set(pipeline, inFlight);
  }

  sites(): readonly SiteView[] {
    return SITES.map((site) => ({
      site,
      nodes: this.nodes.filter((one) => one.site === site).map((one) => one.node),
      dataSources: [{ name: `${site.slice(0, 3)}-db`, host: `db.${site}.example`, port: 3306 }],
      outgoing: [...this.ends].flatMap(([name, { from }]) => (from === site ? [name] : [])),
      incoming: [...this.ends].flatMap(([name, { to }]) => (to === site ? [name] : [])),
    }));
  }

  history(
    name: string,
    { fromMs, toMs, stepMs }: { readonly fromMs: number; readonly toMs: number; readonly stepMs: number },
  ): readonly HistoryPoint[] {
    const { lagMs, rowsPerSecond, state, lagStage, code } = this.status(name);
    const count = Math.floor((toMs - fromMs) / stepMs);
    const seed = [...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
    return Array.from({ length: count }, (_, index) => {
      const wave = 1 + 0.35 * Math.sin((index + seed) / 9) + 0.15 * Math.sin((index * seed) / 31);
      const spike = index % 67 === seed % 67 ? 4 : 1;
      return {
        fromMs: fromMs + index * stepMs,
        state,
        code,
        lagMaxMs: lagMs === null ? null : Math.round(lagMs * wave * spike),
        lagMeanMs: lagMs === null ? null : Math.round(lagMs * wave * 0.8),
        lagErrorMs: 4,
        readLagMaxMs: 20,
        stage: lagStage,
        rowsPerSecond: Math.round(rowsPerSecond * wave),
        samples: 12,
      };
    });
  }

  clocks(): readonly ClockReading[] {
    const parties = [
      ...this.nodes.map((one) => `node ${one.node}`),
      ...SITES.map((site) => `database ${site.slice(0, 3)}-db`),
    ];
    return this.nodes.flatMap((by, row) =>
      parties
        .filter((party) => party !== `node ${by.node}`)
        .map((party, column) => ({
          party,
          aheadMs: party === 'database sin-db' ? 612 : ((row * 7 + column * 5) % 19) - 9,
          errorMs: 1 + ((row + column) % 4),
          by: by.node,
          agoMs: 4_000 + 900 * column,
        })),
    );
  }

  #operations(): Partial<Operations> {
    const note = this.#note;
    return {
      known: async (name) => void this.status(name),
      nodes: async () => this.#unlessOutage(this.nodes),
      clocks: async () => this.clocks(),
      pipelines: async () => this.#unlessOutage(this.pipelines),
      pipeline: async (name) => this.status(name),
      setDesired: async (name, given: DesiredChange) => {
        note('setDesired', name, given);
        this.change(name, desiredState(given));
      },
      startTrace: async (name, request) => {
        note('startTrace', name, request);
        return madeUpTrace('running');
      },
      trace: async () => madeUpTrace('found'),
      cancelTrace: async (name, id) => {
        note('cancelTrace', name, id);
        return madeUpTrace('running');
      },
      restart: async (name, given) => {
        note('restart', name, given);
        this.change(name, { state: 'running', reason: null, code: null });
        return true;
      },
      retryBatch: async (name, batch, given) => note('retryBatch', `${name} ${batch}`, given),
      deletePipeline: async (name) => {
        note('deletePipeline', name, null);
        if (this.status(name).state !== 'stopped')
          throw new HoltError('HOLT_PIPELINE_STATE', `${name} is not stopped`);
        this.pipelines = this.pipelines.filter((one) => one.pipeline !== name);
      },
      position: async (name) => positionOf(this.status(name)),
      ...this.records.operations(),
      tables: async (name) => this.parked.get(name) ?? [],
      parkTable: async (name, table, given) => {
        note('parkTable', `${name} ${table}`, given);
        const one = parkedTable(table, given.why, given.by);
        this.parked.set(name, [...(this.parked.get(name) ?? []), one]);
        return one;
      },
      resumeTable: async (name, table, given) => {
        note('resumeTable', `${name} ${table}`, given);
        const list = this.parked.get(name) ?? [];
        this.parked.set(
          name,
          list.filter((one) => one.table !== table),
        );
        return list.filter((one) => one.table === table);
      },
    };
  }

  readonly #note = (what: string, of: string, given: unknown): void => {
    this.asked.push({ what, of, with: given });
  };

  #workOf(node: string): 'working' | 'drained' {
    return this.nodes.find((one) => one.node === node)?.state === 'drained' ? 'drained' : 'working';
  }

  #setNode(node: string, state: NodeView['state']): void {
    this.nodes = this.nodes.map((one) => (one.node === node ? { ...one, state } : one));
  }

  #unlessOutage<T>(value: T): T {
    if (this.outage !== null) throw this.outage;
    return value;
  }
}

function desiredState({ desired, by, why }: DesiredChange): Partial<PipelineStatusView> {
  const sinceMs = Date.now();
  const words = `${by}${why === '' ? '' : `: ${why}`}`;
  switch (desired) {
    case 'running':
      return { state: 'running', reason: null, code: null, sinceMs: null };
    case 'paused':
      return { state: 'paused', reason: `paused by ${words}`, code: null, sinceMs, rowsPerSecond: 0 };
    case 'stopped':
      return { state: 'stopped', reason: `stopped by ${words}`, code: null, sinceMs, rowsPerSecond: 0 };
    default:
      return desired satisfies never;
  }
}

export function parkedTable(table: string, why: string, by: string): ParkedTableView {
  return {
    table,
    root: table,
    target: table,
    state: 'parked',
    code: 'HOLT_TABLE_PARKED',
    why,
    by,
    since: '2026-11-21 13:58:04',
    heldChanges: 1_842,
    heldBytes: 391_220,
    oldestCommitMs: Date.now() - 340_000,
  };
}

function positionOf({ pipeline, position, epoch, appliedSeq }: PipelineStatusView): PositionView {
  return {
    pipeline,
    position,
    file: 'binlog.000482',
    offset: 71_204_118,
    epoch,
    seq: appliedSeq,
    appliedAt: '2026-11-21 14:03:21.482913',
  };
}

function nodeOf(node: string, site: string): NodeView {
  const number = [...node].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
  return {
    node,
    site,
    release: '0.1.0',
    state: node === 'fra-2' ? 'unknown' : 'ready',
    ageSeconds: node === 'fra-2' ? 4.1 : node === 'fra-1' ? 0 : 0.4,
    session: `0x1000a3f0${number.toString(16)}0001`,
    memoryBytes: 150_000_000 + number * 100_000,
    eventLoopP99Ms: 4 + (number % 17),
    stages: ['select', 'extract', 'transform', 'load'],
  };
}

function statusOf({ name, from, to, state, lag, at, rate, reason, code }: Made): PipelineStatusView {
  const isKnown = state !== 'unknown';
  const source = NODES_OF[from]?.[0] ?? null;
  const target = NODES_OF[to]?.[0] ?? null;
  const stages = STAGES.map((stage, index): StageStatusView => {
    const isAt = stage === at;
    const busy = rate > 0;
    return {
      stage,
      holder: isKnown
        ? index < 2
          ? state === 'degraded' && index === 1
            ? 'fra-2'
            : source
          : target
        : null,
      lagMs: !isKnown ? null : isAt ? lag : busy && index > 0 ? Math.round(lag / (index + 2)) : 0,
      lagErrorMs: 4,
      batches: isAt ? 3 : busy && index > 0 ? 1 : 0,
      working: busy ? 1 : 0,
      standsMs: isAt ? Math.min(lag, 4_100) : busy ? 12 : null,
      workMs: isAt ? Math.min(lag, 3_900) : busy ? 9 : null,
      meanQueueMs: busy ? 3 + index * 4 : null,
      meanWorkMs: busy ? 8 + index * 6 : null,
      rowsPerSecond: rate,
      silentMs: state === 'degraded' && isAt ? 4_100 : null,
      waiting: null,
      problem:
        state === 'failed' && isAt
          ? { code: code ?? 'HOLT_APPLY_DUPLICATE', message: reason ?? 'a duplicate' }
          : null,
    };
  });
  return {
    pipeline: name,
    state,
    reason: reason ?? null,
    code: code ?? null,
    sinceMs: state === 'paused' || state === 'failed' ? Date.now() - lag : null,
    asOfMs: Date.now(),
    epoch: 17,
    lagMs: isKnown ? lag : null,
    lagStage: at,
    lag: {
      ...UNKNOWN_LAG,
      endToEnd: isKnown ? { ms: lag, errorMs: 4 } : null,
      stage: at,
      read: isKnown ? { ms: at === 'select' ? lag : 12, errorMs: 4 } : null,
      readBytes: isKnown ? (at === 'select' ? 88_412_118 : 2_140) : null,
      apply: isKnown && rate > 0 ? { ms: 142, errorMs: 6, seq: '90412', agoMs: 80 } : null,
      checkpoint: isKnown ? { ms: lag + 120, errorMs: 4 } : null,
      catchUpMs: isKnown ? (state === 'catching-up' ? 31_000 : rate > 0 ? 200 : null) : null,
      stalledMs: state === 'degraded' ? 4_100 : 0,
      heartbeatAgoMs: isKnown ? 420 : null,
      exactCommitTimes: true,
      sourceClock: isKnown
        ? { party: `database ${from.slice(0, 3)}-db`, aheadMs: 2, errorMs: 1, by: source ?? '', agoMs: 9_000 }
        : null,
    },
    rowsPerSecond: rate,
    rowsTotal: rate * 86_400,
    stages,
    position: '0e1c8f1e-92aa-11f0-8b52-0242ac120002:1-184467210,3b2a7c90-92aa-11f0-8b52-0242ac120003:1-9912',
    appliedSeq: '90412',
    rewinds: state === 'degraded' ? 2 : 0,
    parked: [],
  };
}
