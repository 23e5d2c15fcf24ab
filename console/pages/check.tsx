/** One comparison: how far it is, and which rows differ, by key and column; values stay in the databases. */
import type { VerifyView } from '../../node/operations.ts';
import { get } from '../api/client.ts';
import { Copyable } from '../components/copyable.tsx';
import { Count } from '../components/figure.tsx';
import { Facts, Page, Section } from '../components/page.tsx';
import { Empty, Loading, Notice, ProblemNotice } from '../components/problem.tsx';
import { Table, type TableColumn } from '../components/table.tsx';
import { useResource } from '../live/resource.ts';
import type { PageProps } from '../pages.ts';
import { pathOf } from '../router/route.ts';
import { CheckState, Progress } from './checks.tsx';

const AGAIN_MS = 1_000;
type Difference = VerifyView['differences'][number];

export function CheckPage({ params: { name = '', id = '' } }: PageProps) {
  const path = `${pathOf('pipelines', name)}/checks/${encodeURIComponent(id)}`;
  const { value, problem, again } = useResource(
    path,
    (signal) => get<VerifyView>(path, undefined, signal),
    AGAIN_MS,
  );
  return (
    <Page
      title={`Comparison ${id}`}
      heading={<>Comparison {value !== null && <CheckState state={value.state} />}</>}
      crumbs={[
        { to: `/checks?pipeline=${encodeURIComponent(name)}`, text: 'Comparisons' },
        { to: pathOf('pipelines', name), text: name },
      ]}
    >
      {problem !== null && <ProblemNotice problem={problem} again={again} />}
      {value === null && problem === null && <Loading what="the comparison" />}
      {value !== null && (
        <>
          {value.error !== null && (
            <Notice tone="bad" title={value.error} remedy="Start another once what hindered it is over." />
          )}
          <div class="card two-columns">
            <Facts
              facts={[
                ['Pipeline', value.pipeline],
                ['Progress', <Progress key="p" check={value} />],
                ['Rows compared', <Count key="r" value={value.rowsCompared} />],
                ['Rows that differ', <Count key="d" value={value.differencesTotal} />],
              ]}
            />
          </div>
          <Section
            title="Rows that differ"
            aside={
              value.differencesTotal > value.differences.length
                ? `the first ${value.differences.length} of ${value.differencesTotal.toLocaleString('en-US')}`
                : undefined
            }
          >
            <Table
              label="Rows that differ"
              rows={value.differences}
              columns={COLUMNS}
              rowKey={(row) => `${row.table} ${row.key} ${row.kind}`}
              defaultSort="table"
              empty={
                <Empty
                  title={
                    value.state === 'equal'
                      ? 'Every row is the same at both ends'
                      : value.state === 'running'
                        ? 'None so far'
                        : 'None was found'
                  }
                />
              }
            />
          </Section>
        </>
      )}
    </Page>
  );
}

const COLUMNS: readonly TableColumn<Difference>[] = [
  { key: 'table', title: 'Table', sort: ({ table }) => table, cell: ({ table }) => <code>{table}</code> },
  {
    key: 'key',
    title: 'Key',
    sort: ({ key }) => key,
    cell: ({ key }) => <Copyable text={key} what="key" />,
  },
  {
    key: 'kind',
    title: 'Difference',
    sort: ({ kind }) => kind,
    cell: ({ kind, columns }) =>
      kind === 'missing' ? (
        'missing at the target'
      ) : kind === 'unexpected' ? (
        'only at the target'
      ) : (
        <>
          other values in <code>{columns.join(', ')}</code>
        </>
      ),
  },
];
