/** Every pipeline, the ones that need somebody first where one asks for them. */
import { useMemo } from 'preact/hooks';
import type { PipelineState } from '../../model/status.ts';
import type { PipelineStatusView } from '../../node/operations.ts';
import { Lag, lagOf, Rate } from '../components/figure.tsx';
import { Page } from '../components/page.tsx';
import { Empty, Loading } from '../components/problem.tsx';
import { StateBadge } from '../components/state-badge.tsx';
import { Choices, FilterField, Table, type TableColumn } from '../components/table.tsx';
import { live } from '../live/live.ts';
import { useStore } from '../live/store.ts';
import { pathOf } from '../router/route.ts';
import { Link, useQueryWord } from '../router/router.tsx';
import { type Ends, useEnds } from './ends.ts';

/** States by how much they want somebody. */
export const URGENCY: readonly PipelineState[] = [
  'failed',
  'unknown',
  'degraded',
  'catching-up',
  'stopped',
  'paused',
  'running',
  'idle',
];

const GROUPS: Readonly<Record<string, readonly PipelineState[]>> = {
  attention: ['failed', 'unknown', 'degraded'],
  moving: ['running', 'catching-up'],
  idle: ['idle'],
  resting: ['paused', 'stopped'],
};

type Row = PipelineStatusView & { readonly ends: Ends | undefined };

export function PipelinesPage() {
  const pipelines = useStore(live, (now) => now.pipelines);
  const ends = useEnds();
  const [text] = useQueryWord('q');
  const [group] = useQueryWord('show', 'all');
  const rows = useMemo<readonly Row[]>(
    () => (pipelines ?? []).map((one) => ({ ...one, ends: ends.get(one.pipeline) })),
    [pipelines, ends],
  );
  if (pipelines === null)
    return (
      <Page title="Pipelines">
        <Loading what="pipelines" />
      </Page>
    );
  const inGroup = (name: string) => rows.filter(({ state }) => GROUPS[name]?.includes(state) ?? true);
  const shown = inGroup(group).filter((row) => fits(row, text));
  return (
    <Page title="Pipelines" about="Each carries the changes of one source to one target.">
      <div class="toolbar">
        <FilterField label="Filter pipelines" placeholder="Name, site, node, code" />
        <Choices
          label="Which states"
          word="show"
          choices={[
            { value: 'all', label: 'All', count: rows.length },
            { value: 'attention', label: 'Need attention', count: inGroup('attention').length },
            { value: 'moving', label: 'Moving', count: inGroup('moving').length },
            { value: 'idle', label: 'Idle', count: inGroup('idle').length },
            { value: 'resting', label: 'Paused or stopped', count: inGroup('resting').length },
          ]}
        />
      </div>
      {rows.length === 0 ? (
        <Empty title="No pipelines">None is configured, or your account is confined to others.</Empty>
      ) : (
        <PipelineTable rows={shown} />
      )}
    </Page>
  );
}

function fits({ pipeline, state, code, ends, stages }: Row, text: string): boolean {
  const all = [
    pipeline,
    state,
    code ?? '',
    ends?.from ?? '',
    ends?.to ?? '',
    ...stages.map((one) => one.holder ?? ''),
  ];
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => all.some((one) => one.toLowerCase().includes(word)));
}

const COLUMNS: readonly TableColumn<Row>[] = [
  {
    key: 'name',
    title: 'Pipeline',
    sort: ({ pipeline }) => pipeline,
    cell: ({ pipeline, ends }) => (
      <>
        <Link to={pathOf('pipelines', pipeline)} class="name">
          {pipeline}
        </Link>
        {ends !== undefined && (
          <span class="hint below">
            <Way ends={ends} />
          </span>
        )}
      </>
    ),
  },
  {
    key: 'state',
    title: 'State',
    sort: ({ state }) => URGENCY.indexOf(state),
    cell: ({ state }) => <StateBadge state={state} />,
  },
  {
    key: 'lag',
    title: 'Lag',
    align: 'right',
    sort: ({ lagMs }) => lagMs,
    cell: ({ lagMs, lag }) => <Lag lag={lagOf(lagMs, lag.endToEnd?.errorMs ?? null)} />,
  },
  {
    key: 'stage',
    title: 'Stage',
    sort: ({ lagStage }) => lagStage,
    cell: ({ lagStage }) => <span class="soft">{lagStage ?? ''}</span>,
  },
  {
    key: 'rate',
    title: 'Throughput',
    align: 'right',
    sort: ({ rowsPerSecond }) => rowsPerSecond,
    cell: ({ rowsPerSecond }) => <Rate perSecond={rowsPerSecond} />,
  },
  {
    key: 'holder',
    title: 'Mainstem',
    sort: ({ stages }) => stages[0]?.holder ?? null,
    cell: ({ stages }) => stages[0]?.holder ?? <span class="soft">nobody</span>,
  },
  {
    key: 'why',
    title: 'Why',
    class: 'col-rest',
    cell: ({ reason }) => (
      <span class="cut soft" title={reason ?? undefined}>
        {reason ?? ''}
      </span>
    ),
  },
];

export function Way({ ends }: { readonly ends: Ends }) {
  return (
    <span class="way">
      {ends.from} <span aria-hidden="true">→</span> <span class="visually-hidden">to</span> {ends.to}
    </span>
  );
}

interface PipelineTableProps {
  readonly rows: readonly Row[];
  readonly word?: string;
  readonly defaultSort?: string;
}

export function PipelineTable({ rows, defaultSort = 'name' }: PipelineTableProps) {
  return (
    <Table
      label="Pipelines"
      rows={rows}
      columns={COLUMNS}
      rowKey={keyOf}
      rowTo={({ pipeline }) => pathOf('pipelines', pipeline)}
      defaultSort={defaultSort}
      empty={<Empty title="None fits">Take a word out of the filter, or show all states.</Empty>}
    />
  );
}

const keyOf = ({ pipeline }: Row) => pipeline;
