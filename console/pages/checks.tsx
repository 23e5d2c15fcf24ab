/** Comparisons of source and target, row by row: started here, followed here. */
import { useState } from 'preact/hooks';
import type { VerifyView } from '../../node/operations.ts';
import { change, getAll } from '../api/client.ts';
import { type Confirmation, ConfirmDialog } from '../components/confirm-dialog.tsx';
import { Count } from '../components/figure.tsx';
import { Page } from '../components/page.tsx';
import { PipelinePicker, usePickedPipeline } from '../components/pipeline-picker.tsx';
import { Empty, Loading, ProblemNotice } from '../components/problem.tsx';
import { Badge, type Tone } from '../components/state-badge.tsx';
import { Table, type TableColumn } from '../components/table.tsx';
import { useResource } from '../live/resource.ts';
import { pathOf } from '../router/route.ts';
import { Link, navigate } from '../router/router.tsx';
import { useMay } from '../session/session.ts';

const AGAIN_MS = 2_000;

const STATES: Readonly<Record<VerifyView['state'], { readonly tone: Tone; readonly word: string }>> = {
  running: { tone: 'busy', word: 'running' },
  equal: { tone: 'good', word: 'equal' },
  different: { tone: 'bad', word: 'different' },
  failed: { tone: 'bad', word: 'failed' },
};

export function CheckState({ state }: Pick<VerifyView, 'state'>) {
  return <Badge tone={STATES[state].tone}>{STATES[state].word}</Badge>;
}

/** Chunks done of those that are known; while tables are still being cut nobody knows how many there will be. */
export function Progress({ check }: { readonly check: VerifyView }) {
  const { chunksDone, chunksTotal, state } = check;
  if (state !== 'running') return <span class="figure">{chunksDone} chunks</span>;
  return (
    <span class="progress">
      <progress
        aria-label="Chunks compared"
        {...(chunksTotal === null ? {} : { value: chunksDone, max: Math.max(1, chunksTotal) })}
      />
      <span class="figure">
        {chunksDone} of {chunksTotal ?? '…'}
      </span>
    </span>
  );
}

export function ChecksPage() {
  const pipeline = usePickedPipeline();
  const path = pipeline === null ? null : `${pathOf('pipelines', pipeline)}/checks`;
  const { value, problem, again } = useResource(
    path ?? '',
    (signal) => (path === null ? Promise.resolve([]) : getAll<VerifyView>(path, {}, signal)),
    AGAIN_MS,
  );
  const [ask, setAsk] = useState<Confirmation | null>(null);
  const mayAct = useMay('operator');
  const to = ({ id }: VerifyView) => pathOf('checks', pipeline ?? '', id);
  const start = () =>
    path !== null &&
    setAsk({
      verb: 'Compare',
      kind: 'pipeline',
      object: pipeline ?? '',
      reason: 'none',
      done: 'The comparison runs.',
      children:
        'Every row of the carried tables is read at both ends, in chunks, while replication goes on. Rows in motion are looked at again until they rest.',
      async act() {
        const started = await change<VerifyView>('POST', path);
        navigate(to(started));
      },
    });
  return (
    <Page
      title="Comparisons"
      about="Source against target, row by row. Nothing is changed; comparisons are remembered for a day."
      actions={
        mayAct &&
        pipeline !== null && (
          <button type="button" class="button button-primary" onClick={start}>
            Compare now…
          </button>
        )
      }
    >
      <div class="toolbar">
        <PipelinePicker />
      </div>
      {problem !== null && <ProblemNotice problem={problem} again={again} />}
      {value === null && problem === null && <Loading what="comparisons" />}
      {value !== null && (
        <Table
          label="Comparisons"
          rows={value}
          columns={columns(to)}
          rowKey={({ id }) => id}
          rowTo={to}
          defaultSort="state"
          empty={
            <Empty title="Nothing was compared in the last day">
              {mayAct
                ? 'Start one: it reads both ends while replication goes on.'
                : 'Ask an operator to start one.'}
            </Empty>
          }
        />
      )}
      {ask !== null && <ConfirmDialog ask={ask} close={() => setAsk(null)} />}
    </Page>
  );
}

const ORDER = ['running', 'different', 'failed', 'equal'];

function columns(to: (row: VerifyView) => string): readonly TableColumn<VerifyView>[] {
  return [
    {
      key: 'id',
      title: 'Comparison',
      sort: ({ id }) => id,
      cell: (row) => (
        <Link to={to(row)} class="name">
          <code>{row.id}</code>
        </Link>
      ),
    },
    {
      key: 'state',
      title: 'State',
      sort: ({ state }) => ORDER.indexOf(state),
      cell: ({ state }) => <CheckState state={state} />,
    },
    { key: 'chunks', title: 'Progress', cell: (row) => <Progress check={row} /> },
    {
      key: 'rows',
      title: 'Rows compared',
      align: 'right',
      sort: ({ rowsCompared }) => rowsCompared,
      cell: ({ rowsCompared }) => <Count value={rowsCompared} />,
    },
    {
      key: 'differences',
      title: 'Differences',
      align: 'right',
      sort: ({ differencesTotal }) => differencesTotal,
      cell: ({ differencesTotal }) => <Count value={differencesTotal} />,
    },
    {
      key: 'error',
      title: 'Why it failed',
      cell: ({ error }) => (
        <span class="cut soft" title={error ?? undefined}>
          {error ?? ''}
        </span>
      ),
    },
  ];
}
