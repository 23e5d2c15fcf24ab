/** Pipelines put together by where they read and where they write: pure. */

import type { PipelineState } from '../../model/status.ts';
import type { PipelineStatusView } from '../../node/operations.ts';
import type { Ends } from './ends-of.ts';

export interface SiteLink {
  readonly from: string;
  readonly to: string;
  readonly pipelines: number;
  /** The state that wants somebody most, by `urgency`. */
  readonly worst: PipelineState;
  /** Greatest lag of those whose lag is known; null where none is. */
  readonly lagMs: number | null;
  readonly lagErrorMs: number | null;
  readonly rowsPerSecond: number;
}

export function linksOf(
  pipelines: readonly PipelineStatusView[],
  ends: ReadonlyMap<string, Ends>,
  urgency: readonly PipelineState[],
): readonly SiteLink[] {
  const links = new Map<string, SiteLink>();
  for (const one of pipelines) {
    const way = ends.get(one.pipeline);
    if (way === undefined) continue;
    const key = JSON.stringify([way.from, way.to]);
    const before = links.get(key);
    const isSlower = (one.lagMs ?? -1) > (before?.lagMs ?? -1);
    links.set(key, {
      from: way.from,
      to: way.to,
      pipelines: (before?.pipelines ?? 0) + 1,
      worst:
        before === undefined || urgency.indexOf(one.state) < urgency.indexOf(before.worst)
          ? one.state
          : before.worst,
      lagMs: isSlower ? one.lagMs : (before?.lagMs ?? null),
      lagErrorMs: isSlower ? (one.lag.endToEnd?.errorMs ?? null) : (before?.lagErrorMs ?? null),
      rowsPerSecond: (before?.rowsPerSecond ?? 0) + one.rowsPerSecond,
    });
  }
  return [...links.values()].sort((a, b) => (`${a.from} ${a.to}` < `${b.from} ${b.to}` ? -1 : 1));
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Places of sites: two beside each other, more on an ellipse; the first at the left or the top. */
export function placesOf(
  sites: readonly string[],
  width: number,
  height: number,
): ReadonlyMap<string, Point> {
  const middle = { x: width / 2, y: height / 2 };
  if (sites.length === 1) return new Map(sites.map((site) => [site, middle]));
  const [radiusX, radiusY] = [width / 2 - 120, sites.length === 2 ? 0 : height / 2 - 48];
  const start = sites.length === 2 ? Math.PI : -Math.PI / 2;
  return new Map(
    sites.map((site, index) => {
      const angle = start + (index / sites.length) * 2 * Math.PI;
      return [site, { x: middle.x + radiusX * Math.cos(angle), y: middle.y + radiusY * Math.sin(angle) }];
    }),
  );
}

/** Nearer to where it comes from, so that the labels of there and back stand apart. */
const LABEL_AT = 0.31;

/** A point of a quadratic Bézier curve. */
function on(a: Point, middle: Point, b: Point, t: number): Point {
  const at = (p: number, q: number, r: number) => (1 - t) ** 2 * p + 2 * (1 - t) * t * q + t ** 2 * r;
  return { x: at(a.x, middle.x, b.x), y: at(a.y, middle.y, b.y) };
}

export interface Curve {
  readonly path: string;
  /** Where its label goes. */
  readonly label: Point;
}

/** From one site's edge to the other's, bent to its left, so that there and back are two lines. */
export function curveOf(
  from: Point,
  to: Point,
  options: { readonly margin: number; readonly bend: number },
): Curve {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const length = Math.hypot(dx, dy) || 1;
  const [ux, uy] = [dx / length, dy / length];
  const normal = { x: uy, y: -ux };
  const middle = {
    x: (from.x + to.x) / 2 + normal.x * options.bend,
    y: (from.y + to.y) / 2 + normal.y * options.bend,
  };
  const edge = (point: Point, towards: Point): Point => {
    const [ex, ey] = [towards.x - point.x, towards.y - point.y];
    // Sites are wider than high.
    const scale =
      1 / Math.max(Math.abs(ex) / (options.margin * 1.75), Math.abs(ey) / (options.margin * 0.62), 1e-6);
    return { x: point.x + ex * Math.min(1, scale), y: point.y + ey * Math.min(1, scale) };
  };
  const a = edge(from, middle);
  const b = edge(to, middle);
  const text = (point: Point) => `${point.x.toFixed(1)} ${point.y.toFixed(1)}`;
  return {
    path: `M${text(a)} Q${text(middle)} ${text(b)}`,
    label: on(a, middle, b, LABEL_AT),
  };
}
