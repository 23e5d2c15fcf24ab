/** What differs between two configurations, place by place. */
import type { ConfigDifference } from '../../node/operations.ts';
import { Empty } from './problem.tsx';
import { Table, type TableColumn } from './table.tsx';

const COLUMNS: readonly TableColumn<ConfigDifference>[] = [
  { key: 'path', title: 'Place', sort: ({ path }) => path, cell: ({ path }) => <code>{path}</code> },
  {
    key: 'before',
    title: 'Before',
    class: 'col-text',
    cell: ({ before }) => <Side text={before} sign="−" />,
  },
  { key: 'after', title: 'After', class: 'col-text', cell: ({ after }) => <Side text={after} sign="+" /> },
];

export function Differences({
  differences,
  none,
}: {
  readonly differences: readonly ConfigDifference[];
  readonly none: string;
}) {
  return (
    <Table
      label="Differences"
      word="places"
      rows={differences}
      columns={COLUMNS}
      rowKey={({ path }) => path}
      defaultSort="path"
      empty={<Empty title={none} />}
    />
  );
}

function Side({ text, sign }: { readonly text: string | null; readonly sign: '−' | '+' }) {
  if (text === null) return <span class="soft">not there</span>;
  return (
    <code class={`side-text ${sign === '+' ? 'tone-good' : 'tone-bad'}`}>
      <span aria-hidden="true">{sign} </span>
      {text}
    </code>
  );
}
