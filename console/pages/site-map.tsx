/** Sites and the links between them. The list below the picture says the same in words. */
import { formatMeasured, formatRate } from '../../model/figures.ts';
import type { SiteView } from '../../node/cluster-views.ts';
import type { NodeView, PipelineStatusView } from '../../node/operations.ts';
import { lagOf } from '../components/figure.tsx';
import { Loading } from '../components/problem.tsx';
import { StateMark, toneOf } from '../components/state-badge.tsx';
import { navigate } from '../router/router.tsx';
import type { Ends } from './ends.ts';
import { curveOf, linksOf, placesOf, type SiteLink } from './links.ts';
import { URGENCY } from './pipelines.tsx';

const WIDTH = 760;

interface MapProps {
  readonly sites: readonly SiteView[];
  readonly nodes: readonly NodeView[];
  readonly pipelines: readonly PipelineStatusView[];
  readonly ends: ReadonlyMap<string, Ends>;
}

export function SiteMap({ sites, nodes, pipelines, ends }: MapProps) {
  if (sites.length === 0) return <Loading what="sites" />;
  const names = sites.map((one) => one.site);
  const places = placesOf(names, WIDTH, sites.length <= 2 ? 220 : 400);
  const ys = [...places.values()].map(({ y }) => y);
  const room = sites.length <= 2 ? 92 : 64;
  const top = Math.min(...ys) - room;
  const height = Math.max(...ys) + room - top;
  const links = linksOf(pipelines, ends, URGENCY).filter((one) => one.from !== one.to);
  return (
    <div class="card map">
      <svg viewBox={`0 ${top} ${WIDTH} ${height}`}>
        <title>{`${sites.length} sites, ${links.length} links`}</title>
        <defs>
          <marker
            id="tip"
            viewBox="0 0 8 8"
            refX="7"
            refY="4"
            markerWidth="11"
            markerHeight="11"
            markerUnits="userSpaceOnUse"
            orient="auto"
          >
            <path d="M0 0 8 4 0 8z" class="map-tip" />
          </marker>
        </defs>
        {links.map((link) => {
          const [from, to] = [places.get(link.from), places.get(link.to)];
          if (from === undefined || to === undefined) return null;
          const curve = curveOf(from, to, { margin: 60, bend: sites.length === 2 ? 84 : 52 });
          const speed = Math.min(4.5, 1.5 + Math.log10(1 + link.rowsPerSecond) * 0.75);
          return (
            <g key={`${link.from} ${link.to}`} class={`map-link tone-${toneOf(link.worst)}`}>
              <path
                d={curve.path}
                stroke-width={speed.toFixed(2)}
                stroke-dasharray={link.worst === 'unknown' || link.worst === 'failed' ? '3 5' : undefined}
                marker-end="url(#tip)"
              />
              <LinkLabel link={link} x={curve.label.x} y={curve.label.y} />
            </g>
          );
        })}
        {sites.map(({ site, nodes: members, dataSources }) => {
          const at = places.get(site);
          if (at === undefined) return null;
          const ready = nodes.filter((one) => one.site === site && one.state === 'ready').length;
          return (
            <g key={site} class="map-site" transform={`translate(${at.x} ${at.y})`}>
              <rect x="-104" y="-36" width="208" height="72" rx="10" />
              <text class="map-name" y="-8">
                {site}
              </text>
              <text class="map-small" y="13">
                {`${ready} of ${members.length} nodes ready`}
              </text>
              <text class="map-small" y="28">
                {dataSources.map((one) => one.name).join(', ')}
              </text>
            </g>
          );
        })}
      </svg>
    </div>
  );
}

function LinkLabel({ link, x, y }: { readonly link: SiteLink; readonly x: number; readonly y: number }) {
  const lag = formatMeasured(lagOf(link.lagMs, null)).replace('≈', '');
  const text = `${lag === '0' ? 'level' : lag} · ${formatRate(link.rowsPerSecond)}/s`;
  const width = text.length * 6.6 + 34;
  const to = `/pipelines?q=${encodeURIComponent(`${link.from} ${link.to}`)}&sort=state`;
  return (
    <g transform={`translate(${x.toFixed(1)} ${y.toFixed(1)})`}>
      <a
        href={to}
        class="map-label"
        aria-label={linkInWords(link, text)}
        onClick={(event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          navigate(to);
        }}
      >
        <rect x={-width / 2} y="-13" width={width} height="26" rx="13" />
        <svg
          x={-width / 2 + 11}
          y="-5"
          width="10"
          height="10"
          viewBox="0 0 10 10"
          aria-hidden="true"
          focusable="false"
        >
          <StateMark state={link.worst} />
        </svg>
        <text x="9" y="4.5">
          {text}
        </text>
      </a>
    </g>
  );
}

/** What is to be seen, too: who speaks to the page says that. */
function linkInWords({ from, to, pipelines, worst }: SiteLink, text: string): string {
  return `${from} to ${to}: ${text}, ${pipelines} ${pipelines === 1 ? 'pipeline' : 'pipelines'}, ${worst}`;
}
