/** Everything at a glance: what wants somebody, how far behind the worst is, and whether all nodes are there. */
import { useMemo } from 'preact/hooks';
import { formatRate } from '../../model/figures.ts';
import type { PipelineState } from '../../model/status.ts';
import type { PipelineStatusView } from '../../node/operations.ts';
import { Sparkline } from '../components/chart.tsx';
import { Lag, lagOf, Rate } from '../components/figure.tsx';
import { Icon } from '../components/icon.tsx';
import { Page, Section } from '../components/page.tsx';
import { Empty, Loading } from '../components/problem.tsx';
import { StateBadge, StateMark } from '../components/state-badge.tsx';
import { live } from '../live/live.ts';
import { useStore } from '../live/store.ts';
import { pathOf } from '../router/route.ts';
import { Link } from '../router/router.tsx';
import { type Ends, useEnds, useSites } from './ends.ts';
import { URGENCY, Way } from './pipelines.tsx';
import { SiteMap } from './site-map.tsx';
import { StageDots } from './stage-strip.tsx';

const SHOWN = 8;
const WANTS: readonly PipelineState[] = ['failed', 'unknown', 'degraded'];

export function OverviewPage() {
  const pipelines = useStore(live, (now) => now.pipelines);
  const nodes = useStore(live, (now) => now.nodes);
  const ends = useEnds();
  const sites = useSites();
  if (pipelines === null)
    return (
      <Page title="Overview">
        <Loading what="the installation" />
      </Page>
    );
  if (pipelines.length === 0)
    return (
      <Page title="Overview">
        <Empty title="No pipelines">None is configured, or your account is confined to others.</Empty>
      </Page>
    );
  const wanting = pipelines
    .filter(({ state }) => WANTS.includes(state))
    .sort((a, b) => URGENCY.indexOf(a.state) - URGENCY.indexOf(b.state));
  return (
    <Page title="Overview">
      <Summary pipelines={pipelines} />
      <div class="overview">
        <div class="overview-main">
          <Section title="Sites and links">
            <SiteMap sites={sites} nodes={nodes} pipelines={pipelines} ends={ends} />
          </Section>
          <Worst pipelines={pipelines} ends={ends} />
        </div>
        <div class="overview-side">
          <Wanting pipelines={wanting} />
          <Throughput />
          <Nodes />
        </div>
      </div>
    </Page>
  );
}

function Summary({ pipelines }: { readonly pipelines: readonly PipelineStatusView[] }) {
  const counts = useMemo(() => {
    const found = new Map<PipelineState, number>();
    for (const { state } of pipelines) found.set(state, (found.get(state) ?? 0) + 1);
    return found;
  }, [pipelines]);
  return (
    <ul class="summary" aria-label="Pipelines by state">
      {URGENCY.filter((state) => counts.has(state)).map((state) => (
        <li key={state}>
          <Link to={`/pipelines?q=${state}`}>
            <span class="summary-count figure">{counts.get(state)}</span>
            <span class="summary-state">
              <StateMark state={state} />
              {state}
            </span>
          </Link>
        </li>
      ))}
    </ul>
  );
}

function Worst({
  pipelines,
  ends,
}: {
  readonly pipelines: readonly PipelineStatusView[];
  readonly ends: ReadonlyMap<string, Ends>;
}) {
  const worst = useMemo(() => [...pipelines].sort(byLag).slice(0, SHOWN), [pipelines]);
  return (
    <Section title="Worst lag first" aside={<Link to="/pipelines?sort=-lag">All {pipelines.length}</Link>}>
      <div class="table-frame">
        <table class="table" aria-label="Worst lag first">
          <thead>
            <tr>
              <th scope="col">Pipeline</th>
              <th scope="col">State</th>
              <th scope="col" class="right">
                Lag
              </th>
              <th scope="col">Held by</th>
              <th scope="col" class="right">
                Throughput
              </th>
            </tr>
          </thead>
          <tbody>
            {worst.map((one) => {
              const way = ends.get(one.pipeline);
              return (
                <tr key={one.pipeline}>
                  <td>
                    <Link to={pathOf('pipelines', one.pipeline)} class="name">
                      {one.pipeline}
                    </Link>
                    {way && (
                      <span class="hint below">
                        <Way ends={way} />
                      </span>
                    )}
                  </td>
                  <td>
                    <StateBadge state={one.state} />
                  </td>
                  <td class="right">
                    <Lag lag={lagOf(one.lagMs, one.lag.endToEnd?.errorMs ?? null)} />
                  </td>
                  <td>
                    <StageDots status={one} />
                  </td>
                  <td class="right">
                    <Rate perSecond={one.rowsPerSecond} />
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </Section>
  );
}

/** Unknown before all others: nobody can say that it is small. */
function byLag(a: PipelineStatusView, b: PipelineStatusView): number {
  const [x, y] = [a.lagMs ?? Number.POSITIVE_INFINITY, b.lagMs ?? Number.POSITIVE_INFINITY];
  return x === y ? (a.pipeline < b.pipeline ? -1 : 1) : y - x;
}

function Wanting({ pipelines }: { readonly pipelines: readonly PipelineStatusView[] }) {
  return (
    <Section
      title="Needs attention"
      aside={pipelines.length > 0 && <span class="figure">{pipelines.length}</span>}
    >
      {pipelines.length === 0 ? (
        <p class="all-well card">
          <Icon name="check" />
          Nothing. No pipeline is failed, degraded or unknown.
        </p>
      ) : (
        <ul class="wanting card">
          {pipelines.slice(0, SHOWN).map(({ pipeline, state, reason, code }) => (
            <li key={pipeline}>
              <p>
                <Link to={pathOf('pipelines', pipeline)} class="name">
                  {pipeline}
                </Link>
                <StateBadge state={state} />
              </p>
              {reason !== null && <p class="soft">{reason}</p>}
              {code !== null && <code class="hint">{code}</code>}
            </li>
          ))}
          {pipelines.length > SHOWN && (
            <li>
              <Link to="/pipelines?show=attention">All {pipelines.length}</Link>
            </li>
          )}
        </ul>
      )}
    </Section>
  );
}

function Throughput() {
  const values = useStore(live, (now) => now.throughput);
  const total = values.at(-1)?.rowsPerSecond ?? 0;
  return (
    <Section title="Throughput" class="card">
      <p class="big-figure">
        <Rate perSecond={total} />
      </p>
      <Sparkline
        values={values.map((one) => one.rowsPerSecond)}
        width={280}
        height={44}
        label={`Rows a second of all pipelines since this page was opened: now ${formatRate(total)}, at most ${formatRate(Math.max(0, ...values.map((one) => one.rowsPerSecond)))}`}
      />
      <p class="hint">all pipelines, since this page was opened</p>
    </Section>
  );
}

function Nodes() {
  const nodes = useStore(live, (now) => now.nodes);
  const away = nodes.filter((one) => one.state === 'unknown');
  const ready = nodes.filter((one) => one.state === 'ready').length;
  return (
    <Section title="Nodes" class="card" aside={<Link to="/nodes">Nodes and sites</Link>}>
      <p class="big-figure">
        <span class="figure">{ready}</span> <span class="unit">of {nodes.length} ready</span>
      </p>
      <ul class="node-list">
        {nodes.slice(0, 24).map(({ node, site, state }) => (
          <li key={node} class={state === 'unknown' ? 'tone-warn is-away' : 'tone-good'}>
            <StateMark state={state === 'ready' ? 'running' : state === 'unknown' ? 'degraded' : 'paused'} />
            {node}{' '}
            <span class="hint">
              {state === 'ready' ? site : state === 'unknown' ? 'does not answer' : state}
            </span>
          </li>
        ))}
      </ul>
      {away.length > 0 && (
        <p class="hint">What a node that does not answer holds passes to another when its lease is over.</p>
      )}
    </Section>
  );
}
