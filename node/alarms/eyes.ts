/** Takes the readings: asks all nodes, and looks at the pipelines that are not known to rest. */
import type { Clock } from '../../lib/clock.ts';
import type { HoltConfig, PipelineConfig } from '../../model/config.ts';
import type { PipelineId } from '../../model/ids.ts';
import type { NodeRegistry } from '../../scheduler/contract.ts';
import type { PipelineStatusView } from '../operations.ts';
import type { Heard, StatusCollector } from '../status/collect.ts';
import type { PipelineReport, SelectReport } from '../status/node-report.ts';
import type { KnownNode } from './alarm-store.ts';
import { type FollowedNodes, followNodes, nodeReadings, type PresentNode, takenOver } from './known-nodes.ts';
import type { LedgerReading, Readings } from './readings.ts';
import type { RetentionWatch } from './retention.ts';

export interface EyesOptions {
  readonly config: HoltConfig;
  readonly collector: Pick<StatusCollector, 'survey'>;
  readonly registry: Pick<NodeRegistry, 'nodes'>;
  readonly retention: Pick<RetentionWatch, 'readings'>;
  readonly clock: Clock;
}

/** What rests is looked at in full after this; in between its leader's word is enough. */
const FULL_LOOK_MS = 10_000;
/** In so many looks all of them had their turn. */
const SHARES = 20;
/** The source was seen of late. */
const SEEN_MS = 2_500;

export class AlarmEyes {
  readonly #options: EyesOptions;
  readonly #looked = new Map<string, { readonly status: PipelineStatusView; readonly atMs: number }>();
  /** `<node> <start> <pipeline>` → counts of the ledger. */
  #ledger = new Map<string, { readonly ledgered: number; readonly deadLetters: number }>();
  #nodes: FollowedNodes;
  #lookedMs: number;

  constructor(options: EyesOptions, before: readonly KnownNode[]) {
    this.#options = options;
    this.#lookedMs = options.clock.monotonicMs();
    this.#nodes = takenOver(before, this.#lookedMs);
  }

  /** Nodes that are there, or missed. */
  get nodes(): readonly KnownNode[] {
    return [...this.#nodes.values()].map(({ node, site, stages }) => ({ node, site, stages }));
  }

  /** @throws when the tree cannot be asked. */
  async look(isGivenUp: (node: string) => boolean, signal: AbortSignal): Promise<Readings> {
    const { config, collector, registry, retention, clock } = this.#options;
    const { heard, statuses } = await collector.survey((all) => this.#chosen(config.pipelines, all));
    const nowMs = clock.monotonicMs();
    for (const status of statuses) this.#looked.set(status.pipeline, { status, atMs: nowMs });
    const present = registry.nodes.map(({ node, site, stages }): PresentNode => {
      const { report = null, answeredMs = null } = heard.get(node) ?? {};
      return {
        ...{ node, site, stages },
        isWell: report !== null && report.session.state === 'connected',
        isDraining: report?.draining ?? false,
        answeredAgoMs: answeredMs === null ? null : nowMs - answeredMs,
      };
    });
    this.#nodes = followNodes(this.#nodes, present, {
      nowMs,
      sinceLookMs: nowMs - this.#lookedMs,
      isGivenUp,
    });
    this.#lookedMs = nowMs;
    return {
      nowMs: Math.round(clock.nowMs()),
      pipelines: config.pipelines.flatMap((one) => {
        const known = this.#looked.get(one.name);
        if (known === undefined) return [];
        const { source, target, sourceSite, targetSite } = one;
        return [
          {
            status: updated(known.status, leaderOf(one.name, heard)),
            ends: { source, target, sourceSite, targetSite },
          },
        ];
      }),
      nodes: nodeReadings(this.#nodes, nowMs),
      clocks: [...heard.values()].flatMap(({ report }) => report?.clocks ?? []),
      ledger: this.#ledgerSince(heard),
      retention: retention.readings(signal),
    };
  }

  /** Those that do not rest, and a few of those whose full look is due: hundreds at once would hold everything up. */
  #chosen(pipelines: readonly PipelineConfig[], heard: ReadonlyMap<string, Heard>): readonly PipelineId[] {
    const ageOf = ({ name }: PipelineConfig) =>
      this.#options.clock.monotonicMs() - (this.#looked.get(name)?.atMs ?? 0);
    const resting = pipelines.filter((one) => this.#rests(one, heard));
    const rests = new Set(resting);
    const due = resting
      .filter((one) => ageOf(one) > FULL_LOOK_MS)
      .sort((a, b) => ageOf(b) - ageOf(a))
      .slice(0, Math.ceil(pipelines.length / SHARES));
    return [...pipelines.filter((one) => !rests.has(one)), ...due].map((one) => one.name);
  }

  /** It was idle a moment ago, and its leader says that nothing has come. */
  #rests({ name }: PipelineConfig, heard: ReadonlyMap<string, Heard>): boolean {
    const known = this.#looked.get(name);
    if (known === undefined || known.status.state !== 'idle' || known.status.code !== null) return false;
    const leader = leaderOf(name, heard);
    if (leader === null || known.status.stages.find((one) => one.stage === 'select')?.holder !== leader.node)
      return false;
    const { select } = leader;
    const { lag } = select;
    return (
      lag !== null &&
      select.state === 'reigning' &&
      select.sourceConnected &&
      select.problem === null &&
      lag.flights.length === 0 &&
      lag.pending === null &&
      lag.read?.ms === 0 &&
      lag.stalledMs === 0 &&
      lag.lookedAgoMs !== null &&
      lag.lookedAgoMs < SEEN_MS
    );
  }

  #ledgerSince(heard: ReadonlyMap<string, Heard>): readonly LedgerReading[] {
    const next = new Map<string, { readonly ledgered: number; readonly deadLetters: number }>();
    const found: LedgerReading[] = [];
    for (const [node, { report }] of heard)
      for (const { pipeline, ledgered, deadLetters } of report?.pipelines ?? []) {
        const key = `${node} ${report?.startedMs} ${pipeline}`;
        const before = this.#ledger.get(key);
        next.set(key, { ledgered, deadLetters });
        // What was there when the looking began is not new.
        if (before === undefined || ledgered <= before.ledgered) continue;
        const dead = deadLetters - before.deadLetters;
        found.push({ pipeline, conflicts: ledgered - before.ledgered - dead, deadLetters: dead });
      }
    // A node that does not answer now goes on where it was.
    for (const [key, value] of this.#ledger) {
      const node = key.slice(0, key.indexOf(' '));
      if (!next.has(key) && heard.get(node)?.report === null) next.set(key, value);
    }
    this.#ledger = next;
    return found;
  }
}

function leaderOf(
  pipeline: PipelineId,
  heard: ReadonlyMap<string, Heard>,
): { readonly node: string; readonly select: SelectReport } | null {
  for (const [node, { report }] of heard) {
    if (report === null || report.session.state !== 'connected') continue;
    const share: PipelineReport | undefined = report.pipelines.find((one) => one.pipeline === pipeline);
    if (share?.select != null) return { node, select: share.select };
  }
  return null;
}

/** What moves also while a pipeline rests. */
function updated(
  status: PipelineStatusView,
  leader: { readonly select: SelectReport } | null,
): PipelineStatusView {
  if (leader === null || status.position === null) return status;
  const { position, lag } = leader.select;
  return {
    ...status,
    position,
    lag: { ...status.lag, heartbeatAgoMs: lag?.heartbeatAgoMs ?? status.lag.heartbeatAgoMs },
  };
}
