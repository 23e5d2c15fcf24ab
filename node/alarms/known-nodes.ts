/**
 * Which nodes there should be. Nobody lists them: a node that was there and is not is missed, unless it left by itself. Pure.
 *
 * Whoever leaves answers to the last: a node that was well when its presence went away has left. One that dies is silent for as long
 * as its session lives on.
 */
import type { KnownNode } from './alarm-store.ts';
import type { NodeReading } from './readings.ts';

export interface PresentNode extends KnownNode {
  /** It answered, and says that its own session is alive. */
  readonly isWell: boolean;
  readonly isDraining: boolean;
  /** Since it last answered; null for never. */
  readonly answeredAgoMs: number | null;
}

export interface FollowedNode extends KnownNode {
  /** On the clock of `nowMs`; null while it is well. */
  readonly silentSinceMs: number | null;
  readonly isDraining: boolean;
}

export type FollowedNodes = ReadonlyMap<string, FollowedNode>;

/** After a pause of our own nobody can say how somebody went. */
const UNSEEN_MS = 5_000;

export interface Following {
  /** Monotonic. */
  readonly nowMs: number;
  /** Since the look before. */
  readonly sinceLookMs: number;
  /** Those whom people know to be gone for good. */
  readonly isGivenUp: (node: string) => boolean;
}

export function followNodes(
  before: FollowedNodes,
  present: readonly PresentNode[],
  { nowMs, sinceLookMs, isGivenUp }: Following,
): FollowedNodes {
  const next = new Map<string, FollowedNode>();
  for (const { node, site, stages, isWell, isDraining, answeredAgoMs } of present) {
    const known = before.get(node)?.silentSinceMs ?? null;
    const silentSinceMs = isWell ? null : (known ?? nowMs - (answeredAgoMs ?? 0));
    next.set(node, { node, site, stages, silentSinceMs, isDraining });
  }
  for (const [name, one] of before) {
    if (next.has(name)) continue;
    const left = one.isDraining || (one.silentSinceMs === null && sinceLookMs < UNSEEN_MS);
    if (!left && !isGivenUp(name)) next.set(name, { ...one, silentSinceMs: one.silentSinceMs ?? nowMs });
  }
  return next;
}

/** Of an evaluator before: who of them is not there is missed from now on. */
export function takenOver(nodes: readonly KnownNode[], nowMs: number): FollowedNodes {
  return new Map(nodes.map((one) => [one.node, { ...one, silentSinceMs: nowMs, isDraining: false }]));
}

export function nodeReadings(nodes: FollowedNodes, nowMs: number): readonly NodeReading[] {
  return [...nodes.values()].map(({ node, site, stages, silentSinceMs, isDraining }) => ({
    node,
    site,
    stages,
    silentMs: silentSinceMs === null || isDraining ? 0 : Math.max(1, nowMs - silentSinceMs),
  }));
}
