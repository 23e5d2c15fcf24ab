/** Nodes and sites: who is there, how fresh that is, and how their clocks differ. */
import { useMemo, useState } from 'preact/hooks';
import type { ClockReading } from '../../model/lag.ts';
import type { SiteView } from '../../node/cluster-views.ts';
import type { NodeView } from '../../node/operations.ts';
import { change, get, getAll } from '../api/client.ts';
import { problemOf } from '../api/problem.ts';
import { type Confirmation, ConfirmDialog } from '../components/confirm-dialog.tsx';
import { Copyable } from '../components/copyable.tsx';
import { Bytes } from '../components/figure.tsx';
import { Page, Section } from '../components/page.tsx';
import { Empty, Loading, Notice, ProblemNotice } from '../components/problem.tsx';
import { Badge, type Tone } from '../components/state-badge.tsx';
import { FilterField, Table, type TableColumn } from '../components/table.tsx';
import { toastDone, toastProblem } from '../components/toast.tsx';
import { live } from '../live/live.ts';
import { useResource } from '../live/resource.ts';
import { useStore } from '../live/store.ts';
import { useQueryWord } from '../router/router.tsx';
import { useMay } from '../session/session.ts';
import { useSites } from './ends.ts';

/** Beyond it, times of servers that are compared elsewhere may mislead. */
const CLOCK_WARN_MS = 500;
const LOOP_WARN_MS = 100;

const STATE_TONE: Readonly<Record<NodeView['state'], Tone>> = {
  ready: 'good',
  draining: 'busy',
  drained: 'still',
  unknown: 'warn',
};

type Row = NodeView & { readonly holds: number };

export function NodesPage() {
  const nodes = useStore(live, (now) => now.nodes);
  const pipelines = useStore(live, (now) => now.pipelines);
  const sites = useSites();
  const [text] = useQueryWord('q');
  const [ask, setAsk] = useState<Confirmation | null>(null);
  const rows = useMemo<readonly Row[]>(() => {
    const holds = new Map<string, number>();
    for (const { stages } of pipelines ?? [])
      for (const { holder } of stages) if (holder !== null) holds.set(holder, (holds.get(holder) ?? 0) + 1);
    return nodes.map((one) => ({ ...one, holds: holds.get(one.node) ?? 0 }));
  }, [nodes, pipelines]);
  const isOperator = useMay('operator');
  const columns = useMemo(() => columnsFor(isOperator ? setAsk : null), [isOperator]);
  if (pipelines === null)
    return (
      <Page title="Nodes and sites">
        <Loading what="nodes" />
      </Page>
    );
  const shown = rows.filter(({ node, site }) => `${node} ${site}`.toLowerCase().includes(text.toLowerCase()));
  const releases = new Set(nodes.map((one) => one.release));
  return (
    <Page
      title="Nodes and sites"
      about="Every node answers for the whole installation; this is what they say of themselves."
    >
      {releases.size > 1 && (
        <Notice
          tone="calm"
          title={`Nodes of ${releases.size} releases run side by side: ${[...releases].sort().join(', ')}.`}
        />
      )}
      <div class="toolbar">
        <FilterField label="Filter nodes" placeholder="Node or site" />
      </div>
      <Table
        label="Nodes"
        rows={shown}
        columns={columns}
        rowKey={({ node }) => node}
        defaultSort="node"
        empty={<Empty title="No node fits">Take a word out of the filter.</Empty>}
      />
      <LogLevels nodes={nodes} />
      <Section title="Sites">
        <div class="columns sites">
          {sites.map((site) => (
            <Site key={site.site} site={site} nodes={nodes} />
          ))}
        </div>
      </Section>
      <Clocks />
      {ask !== null && <ConfirmDialog ask={ask} close={() => setAsk(null)} />}
    </Page>
  );
}

function columnsFor(ask: ((ask: Confirmation) => void) | null): readonly TableColumn<Row>[] {
  return [
    { key: 'node', title: 'Node', sort: ({ node }) => node, cell: ({ node }) => <strong>{node}</strong> },
    { key: 'site', title: 'Site', sort: ({ site }) => site, cell: ({ site }) => site },
    {
      key: 'state',
      title: 'State',
      sort: ({ state }) => state,
      cell: ({ state }) => (
        <Badge tone={STATE_TONE[state]}>{state === 'unknown' ? 'does not answer' : state}</Badge>
      ),
    },
    {
      key: 'age',
      title: 'Last answer',
      align: 'right',
      sort: ({ ageSeconds }) => ageSeconds,
      cell: ({ ageSeconds }) => (
        <span class="figure">
          {ageSeconds === null ? 'never' : ageSeconds < 1 ? 'now' : `${ageSeconds.toFixed(0)} s ago`}
        </span>
      ),
    },
    {
      key: 'lease',
      title: 'Lease (session)',
      cell: ({ session, state }) =>
        session === null ? (
          <span class="soft">none</span>
        ) : (
          <Lease session={session} isFresh={state !== 'unknown'} />
        ),
    },
    {
      key: 'loop',
      title: 'Event loop p99',
      align: 'right',
      sort: ({ eventLoopP99Ms }) => eventLoopP99Ms,
      cell: ({ eventLoopP99Ms: ms }) => (
        <span class={`figure${ms !== null && ms > LOOP_WARN_MS ? ' is-much' : ''}`}>
          {ms === null ? '–' : `${ms.toFixed(ms < 10 ? 1 : 0)} ms`}
        </span>
      ),
    },
    {
      key: 'memory',
      title: 'Memory',
      align: 'right',
      sort: ({ memoryBytes }) => memoryBytes,
      cell: ({ memoryBytes }) => <Bytes bytes={memoryBytes} />,
    },
    {
      key: 'holds',
      title: 'Stages held',
      align: 'right',
      sort: ({ holds }) => holds,
      cell: ({ holds }) => <span class="figure">{holds}</span>,
    },
    {
      key: 'release',
      title: 'Release',
      sort: ({ release }) => release,
      cell: ({ release }) => <span class="figure">{release}</span>,
    },
    ...(ask === null
      ? []
      : [
          {
            key: 'actions',
            title: 'Actions',
            hidesTitle: true,
            align: 'right' as const,
            cell: ({ node, state }: Row) =>
              state === 'drained' || state === 'draining' ? (
                <button type="button" class="button button-small" onClick={() => ask(undrain(node))}>
                  Undrain
                </button>
              ) : (
                <button type="button" class="button button-small" onClick={() => ask(drain(node))}>
                  Drain
                </button>
              ),
          },
        ]),
  ];
}

function Lease({ session, isFresh }: { readonly session: string; readonly isFresh: boolean }) {
  return (
    <span class={isFresh ? undefined : 'soft'}>
      <Copyable text={session} what="session" most={20} />
      {!isFresh && ' not fresh'}
    </span>
  );
}

const nodePath = (node: string) => `/nodes/${encodeURIComponent(node)}/drain`;

function drain(node: string): Confirmation {
  return {
    verb: 'Drain',
    kind: 'node',
    object: node,
    children: (
      <p>
        It finishes what it holds, lets go of all claims and takes no part until it is undrained or starts
        anew; other nodes of its site go on. It is refused where pipelines would stand still without it.
      </p>
    ),
    reason: 'asked',
    done: `${node} puts its work down.`,
    act: (why) => change('PUT', nodePath(node), { why }),
  };
}

function undrain(node: string): Confirmation {
  return {
    verb: 'Undrain',
    kind: 'node',
    object: node,
    children: <p>It takes part again.</p>,
    reason: 'asked',
    done: `${node} takes part again.`,
    act: (why) => change('DELETE', nodePath(node), undefined, { query: { why } }),
  };
}

function Site({ site, nodes }: { readonly site: SiteView; readonly nodes: readonly NodeView[] }) {
  const ready = nodes.filter((one) => one.site === site.site && one.state === 'ready').length;
  return (
    <article class="card site" aria-label={site.site}>
      <header>
        <h3>{site.site}</h3>
        <span class="hint figure">
          {ready} of {site.nodes.length} nodes ready
        </span>
      </header>
      <dl class="facts">
        <div>
          <dt>Nodes</dt>
          <dd>{site.nodes.length === 0 ? 'none' : site.nodes.join(', ')}</dd>
        </div>
        {site.dataSources.map(({ name, host, port }) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <code>
                {host}:{port}
              </code>
            </dd>
          </div>
        ))}
        <div>
          <dt>Pipelines</dt>
          <dd class="figure">
            {site.outgoing.length} out, {site.incoming.length} in
          </dd>
        </div>
      </dl>
    </article>
  );
}

type Clock = ClockReading;

function Clocks() {
  const found = useResource('clocks', (signal) => getAll<Clock>('/clocks', {}, signal), 10_000);
  const worst = (found.value ?? []).reduce((most, one) => Math.max(most, Math.abs(one.aheadMs)), 0);
  return (
    <Section
      title="Clocks"
      aside={<span>how far each party’s clock is ahead, as each node measures it</span>}
    >
      {found.problem !== null && <ProblemNotice problem={found.problem} again={found.again} />}
      {worst > CLOCK_WARN_MS && (
        <Notice
          title={`A clock is ${Math.round(worst)} ms apart.`}
          remedy="Lag is measured without servers’ clocks and stays right; but set the clock, since logs and commit times of different servers cannot be compared."
        />
      )}
      {found.value === null ? (
        found.isLoading && <Loading what="clocks" />
      ) : found.value.length === 0 ? (
        <Empty title="No clock was measured yet">Nodes measure every 30 s.</Empty>
      ) : (
        <ClockMatrix clocks={found.value} />
      )}
    </Section>
  );
}

function ClockMatrix({ clocks }: { readonly clocks: readonly Clock[] }) {
  const by = [...new Set(clocks.map((one) => one.by))].sort();
  const parties = [...new Set(clocks.map((one) => one.party))].sort();
  const at = new Map(clocks.map((one) => [`${one.by}\n${one.party}`, one]));
  return (
    <div class="table-frame">
      <table class="table clocks" aria-label="Clocks">
        <thead>
          <tr>
            <th scope="col">Party</th>
            {by.map((node) => (
              <th key={node} scope="col" class="right">
                <span class="visually-hidden">as measured by </span>
                {node}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {parties.map((party) => (
            <tr key={party}>
              <th scope="row">{party}</th>
              {by.map((node) => (
                <td key={node} class="right">
                  <Offset clock={at.get(`${node}\n${party}`)} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Offset({ clock }: { readonly clock: Clock | undefined }) {
  if (clock === undefined) return <span class="soft">–</span>;
  const { aheadMs, errorMs, agoMs } = clock;
  const rounded = Math.round(aheadMs);
  return (
    <span
      class={`figure${Math.abs(aheadMs) > CLOCK_WARN_MS ? ' is-much' : ''}`}
      title={`measured ${Math.round(agoMs / 1000)} s ago`}
    >
      {rounded > 0 ? '+' : rounded < 0 ? '−' : ''}
      {Math.abs(rounded)}
      <span class="error"> ±{Math.ceil(errorMs)} ms</span>
    </span>
  );
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

/** Administrators only: more words from one node, until it starts again. */
function LogLevels({ nodes }: { readonly nodes: readonly NodeView[] }) {
  const isAdmin = useMay('admin');
  const [node, setNode] = useState('');
  const chosen = node === '' ? (nodes[0]?.node ?? '') : node;
  const found = useResource(`log level ${chosen}`, (signal) =>
    chosen === ''
      ? Promise.resolve({ level: '' })
      : get<{ readonly level: string }>(levelPath(chosen), {}, signal),
  );
  if (!isAdmin || nodes.length === 0) return null;
  return (
    <div class="toolbar log-level">
      <span>Log level of</span>
      <select
        class="select"
        aria-label="Node"
        value={chosen}
        onChange={(event) => setNode(event.currentTarget.value)}
      >
        {nodes.map((one) => (
          <option key={one.node}>{one.node}</option>
        ))}
      </select>
      <select
        class="select"
        aria-label={`Log level of ${chosen}`}
        value={found.value?.level ?? ''}
        disabled={found.value === null}
        onChange={(event) => {
          const level = event.currentTarget.value;
          change('PUT', levelPath(chosen), { level }).then(
            () => {
              toastDone(`${chosen} logs from ${level} on.`);
              found.again();
            },
            (error: unknown) => {
              toastProblem(`The log level of ${chosen} was not changed.`, problemOf(error));
              found.again();
            },
          );
        }}
      >
        {LEVELS.map((level) => (
          <option key={level}>{level}</option>
        ))}
      </select>
      <span class="hint">until the node starts again</span>
    </div>
  );
}

const levelPath = (node: string) => `/nodes/${encodeURIComponent(node)}/log-level`;
