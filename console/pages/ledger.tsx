/** What was not applied as it came: conflicts and dead letters of a pipeline, newest first. */
import type { LedgerEntryView } from '../../node/operations.ts';
import { More } from '../components/more.tsx';
import { Page } from '../components/page.tsx';
import { PipelinePicker, usePickedPipeline } from '../components/pipeline-picker.tsx';
import { Empty, Loading } from '../components/problem.tsx';
import { Badge } from '../components/state-badge.tsx';
import { Choices, Table, type TableColumn } from '../components/table.tsx';
import { usePaged } from '../live/paged.ts';
import { pathOf } from '../router/route.ts';
import { Link, useQueryWord } from '../router/router.tsx';
import { useMay } from '../session/session.ts';
import { KINDS, kindWords } from './ledger-kinds.ts';

const AGAIN_MS = 5_000;

export function LedgerPage() {
  const pipeline = usePickedPipeline();
  const [state] = useQueryWord('state', 'open');
  const [kind, setKind] = useQueryWord('kind');
  const [table, setTable] = useQueryWord('table');
  const list = usePaged<LedgerEntryView>(
    pipeline === null ? null : `${pathOf('pipelines', pipeline)}/errors`,
    { state: state === 'all' ? null : state, kind, table },
    AGAIN_MS,
  );
  const mayLook = useMay('operator');
  const to = ({ id }: LedgerEntryView) => pathOf('ledger', pipeline ?? '', id);
  return (
    <Page
      title="Conflicts and dead letters"
      about="Changes that were not applied as they came. Each is kept with both images: it can be applied later, or closed."
    >
      <div class="toolbar">
        <PipelinePicker />
        <Choices
          label="Which state"
          word="state"
          choices={[
            { value: 'open', label: 'Open' },
            { value: 'replayed', label: 'Replayed' },
            { value: 'closed', label: 'Closed' },
            { value: 'all', label: 'All' },
          ]}
        />
        <label class="pick">
          <span>Kind</span>
          <select class="select" value={kind} onChange={(event) => setKind(event.currentTarget.value)}>
            <option value="">any</option>
            {KINDS.map((one) => (
              <option key={one} value={one} selected={one === kind}>
                {one}
              </option>
            ))}
          </select>
        </label>
        <label class="pick">
          <span>Table</span>
          <input
            class="short-input"
            value={table}
            placeholder="schema.table"
            spellcheck={false}
            autocomplete="off"
            onChange={(event) => setTable(event.currentTarget.value.trim())}
          />
        </label>
      </div>
      {list.items === null && list.problem === null ? (
        <Loading what="entries" />
      ) : (
        list.items !== null && (
          <Table
            label="Ledger entries"
            rows={list.items}
            columns={mayLook ? columns(to) : columns(null)}
            rowKey={({ id }) => id}
            {...(mayLook ? { rowTo: to } : {})}
            defaultSort="-id"
            empty={
              <Empty title={state === 'open' ? 'Nothing is open' : 'No such entries'}>
                {kind === '' && table === ''
                  ? 'Everything else was applied as it came.'
                  : 'Take a filter away to see others.'}
              </Empty>
            }
          />
        )
      )}
      <More list={list} />
    </Page>
  );
}

export function LedgerState({ status }: Pick<LedgerEntryView, 'status'>) {
  const tone = status === 'open' ? 'warn' : status === 'replayed' ? 'good' : 'calm';
  return <Badge tone={tone}>{status}</Badge>;
}

/** Who may not look into entries gets no links. */
function columns(to: ((row: LedgerEntryView) => string) | null): readonly TableColumn<LedgerEntryView>[] {
  return [
    {
      key: 'id',
      title: 'Entry',
      sort: ({ id }) => Number(id),
      cell: (row) =>
        to === null ? (
          <span class="figure">{row.id}</span>
        ) : (
          <Link to={to(row)} class="name figure">
            {row.id}
          </Link>
        ),
    },
    {
      key: 'kind',
      title: 'What was found',
      sort: ({ code }) => code,
      cell: ({ code }) => (
        <>
          {kindWords(code).title} <code class="soft">{code}</code>
        </>
      ),
    },
    { key: 'op', title: 'Change', sort: ({ op }) => op, cell: ({ op }) => op },
    { key: 'table', title: 'Table', sort: ({ table }) => table, cell: ({ table }) => <code>{table}</code> },
    {
      key: 'key',
      title: 'Key',
      class: 'col-key',
      cell: ({ key }) => (
        <code class="cut" title={key}>
          {key}
        </code>
      ),
    },
    {
      key: 'decision',
      title: 'Stands',
      sort: ({ decision }) => decision,
      cell: ({ decision }) => `the ${decision}'s`,
    },
    {
      key: 'at',
      title: 'Written, UTC',
      sort: ({ at }) => at,
      cell: ({ at }) => <span class="figure">{at.slice(0, 19)}</span>,
    },
    {
      key: 'status',
      title: 'State',
      sort: ({ status }) => status,
      cell: ({ status }) => <LedgerState status={status} />,
    },
  ];
}
