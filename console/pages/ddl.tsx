/** The journal of schema changes at the target of a pipeline, newest first; those that wait for a person's word are said so. */
import type { DdlView } from '../../node/operations.ts';
import { More } from '../components/more.tsx';
import { Page } from '../components/page.tsx';
import { PipelinePicker, usePickedPipeline } from '../components/pipeline-picker.tsx';
import { Empty, Loading, Notice } from '../components/problem.tsx';
import { Badge, type Tone } from '../components/state-badge.tsx';
import { Table, type TableColumn } from '../components/table.tsx';
import { usePaged } from '../live/paged.ts';
import { pathOf } from '../router/route.ts';
import { Link } from '../router/router.tsx';

const AGAIN_MS = 5_000;

const STATES: Readonly<Record<DdlView['state'], { readonly tone: Tone; readonly word: string }>> = {
  open: { tone: 'warn', word: 'open' },
  done: { tone: 'good', word: 'done' },
  ran: { tone: 'good', word: 'ran' },
  void: { tone: 'calm', word: 'did not run' },
  failed: { tone: 'bad', word: 'failed' },
};

export function DdlState({ state }: Pick<DdlView, 'state'>) {
  return <Badge tone={STATES[state].tone}>{STATES[state].word}</Badge>;
}

export function DdlPage() {
  const pipeline = usePickedPipeline();
  const list = usePaged<DdlView>(
    pipeline === null ? null : `${pathOf('pipelines', pipeline)}/ddl`,
    {},
    AGAIN_MS,
  );
  const to = ({ id }: DdlView) => pathOf('ddl', pipeline ?? '', id);
  const open = (list.items ?? []).filter(({ state }) => state === 'open');
  return (
    <Page
      title="Schema changes"
      about="What was sent to the target, once each: the journal that makes it so. A statement of which nobody can tell whether it ran waits for your word."
    >
      <div class="toolbar">
        <PipelinePicker />
      </div>
      {open.length > 0 && (
        <Notice
          title={open.length === 1 ? 'One statement is open.' : `${open.length} statements are open.`}
          remedy="One that is under way says by itself how it ended. Where the pipeline is paused with HOLT_DDL_UNSETTLED, look at the target, and say whether it ran."
        />
      )}
      {list.items === null && list.problem === null ? (
        <Loading what="schema changes" />
      ) : (
        list.items !== null && (
          <Table
            label="Schema changes"
            rows={list.items}
            columns={columns(to)}
            rowKey={({ id }) => id}
            rowTo={to}
            defaultSort="-id"
            empty={<Empty title="No schema change has come">None since the pipeline's first run.</Empty>}
          />
        )
      )}
      <More list={list} />
    </Page>
  );
}

function columns(to: (row: DdlView) => string): readonly TableColumn<DdlView>[] {
  return [
    {
      key: 'id',
      title: 'Entry',
      sort: ({ id }) => Number(id),
      cell: (row) => (
        <Link to={to(row)} class="name figure">
          {row.id}
        </Link>
      ),
    },
    {
      key: 'state',
      title: 'State',
      sort: ({ state }) => state,
      cell: ({ state }) => <DdlState state={state} />,
    },
    { key: 'kind', title: 'Kind', sort: ({ kind }) => kind, cell: ({ kind }) => kind },
    {
      key: 'statement',
      title: 'Statement',
      class: 'col-text',
      cell: ({ statement }) => (
        <code class="cut wide" title={statement}>
          {statement}
        </code>
      ),
    },
    {
      key: 'at',
      title: 'Begun, UTC',
      sort: ({ at }) => at,
      cell: ({ at }) => <span class="figure">{at.slice(0, 19)}</span>,
    },
    {
      key: 'why',
      title: 'How it is known',
      class: 'col-known',
      cell: ({ why }) => (
        <span class="cut soft" title={why ?? undefined}>
          {why ?? ''}
        </span>
      ),
    },
  ];
}
