/** What stands in the coordination tree: who has claimed what and since when, and every node of it. Nothing can be changed here. */
import type { ClaimView, ZnodeView } from '../../node/cluster-views.ts';
import { get, getAll, type Page as PageOf } from '../api/client.ts';
import { Duration } from '../components/figure.tsx';
import { Facts, Page, Section } from '../components/page.tsx';
import { Empty, Loading, ProblemNotice } from '../components/problem.tsx';
import { Choices, FilterField, Table, type TableColumn } from '../components/table.tsx';
import { prettyJson, TextBlock } from '../components/text-block.tsx';
import { Time } from '../components/time.tsx';
import { useResource } from '../live/resource.ts';
import { pathOf } from '../router/route.ts';
import { Link, useQueryWord } from '../router/router.tsx';

const AGAIN_MS = 2_000;

export function CoordinationPage() {
  const [show] = useQueryWord('show', 'claims');
  return (
    <Page
      title="Coordination"
      about="ZooKeeper says who works on what. Whatever stands here, the target's own row decides how far a pipeline is."
    >
      <div class="toolbar">
        <Choices
          label="What to show"
          word="show"
          choices={[
            { value: 'claims', label: 'Claims' },
            { value: 'tree', label: 'Tree' },
          ]}
        />
        {show === 'claims' && <FilterField label="Filter claims" placeholder="Pipeline, node, kind" />}
      </div>
      {show === 'tree' ? <Tree /> : <Claims />}
    </Page>
  );
}

function Claims() {
  const [text] = useQueryWord('q');
  const { value, problem, again } = useResource(
    'claims',
    (signal) => getAll<ClaimView>('/claims', {}, signal),
    AGAIN_MS,
  );
  const words = text.toLowerCase().split(/\s+/);
  const shown = (value ?? []).filter((one) => {
    const all = `${one.kind} ${one.pipeline ?? ''} ${one.source ?? ''} ${one.stage ?? ''} ${one.node} ${one.path}`;
    return words.every((word) => all.toLowerCase().includes(word));
  });
  return (
    <>
      {problem !== null && <ProblemNotice problem={problem} again={again} />}
      {value === null && problem === null && <Loading what="claims" />}
      {value !== null && (
        <Table
          label="Claims"
          rows={shown}
          columns={CLAIM_COLUMNS}
          rowKey={({ path }) => path}
          defaultSort="kind"
          empty={
            <Empty title={text === '' ? 'Nothing is claimed' : 'None fits'}>
              {text === '' ? 'No node follows a source at present.' : 'Take a word out of the filter.'}
            </Empty>
          }
        />
      )}
    </>
  );
}

const CLAIM_COLUMNS: readonly TableColumn<ClaimView>[] = [
  { key: 'kind', title: 'Kind', sort: ({ kind }) => kind, cell: ({ kind }) => kind },
  {
    key: 'of',
    title: 'Of',
    sort: ({ pipeline, source }) => pipeline ?? source,
    cell: ({ pipeline, source }) =>
      pipeline === null ? (
        (source ?? '–')
      ) : (
        <Link to={pathOf('pipelines', pipeline)} class="name">
          {pipeline}
        </Link>
      ),
  },
  { key: 'stage', title: 'Stage', sort: ({ stage }) => stage, cell: ({ stage }) => stage ?? '–' },
  { key: 'node', title: 'Node', sort: ({ node }) => node, cell: ({ node }) => node },
  {
    key: 'age',
    title: 'Held for',
    align: 'right',
    sort: ({ ageMs }) => ageMs,
    cell: ({ ageMs }) => <Duration ms={ageMs} />,
  },
  {
    key: 'path',
    title: 'Path',
    sort: ({ path }) => path,
    cell: ({ path }) => (
      <Link to={treeOf(path)}>
        <code>{path}</code>
      </Link>
    ),
  },
];

const treeOf = (path: string) => `/coordination?show=tree&path=${encodeURIComponent(path)}`;

interface Found {
  readonly node: ZnodeView;
  readonly names: readonly string[];
}

const MOST_NAMES = 1_000;

function Tree() {
  const [path] = useQueryWord('path', '/');
  const { value, problem, again } = useResource(
    path,
    async (signal): Promise<Found> => {
      const page = await get<PageOf<string> & { readonly node: ZnodeView }>(
        '/tree',
        { path, limit: MOST_NAMES },
        signal,
      );
      return { node: page.node, names: page.items };
    },
    AGAIN_MS,
  );
  const parts = path.split('/').filter((part) => part !== '');
  return (
    <>
      <nav class="tree-path" aria-label="Place in the tree">
        <Link to={treeOf('/')} current={parts.length === 0}>
          root
        </Link>
        {parts.map((part, index) => {
          const here = `/${parts.slice(0, index + 1).join('/')}`;
          return (
            <Link key={here} to={treeOf(here)} current={index === parts.length - 1}>
              {part}
            </Link>
          );
        })}
      </nav>
      {problem !== null && <ProblemNotice problem={problem} again={again} />}
      {value === null && problem === null && <Loading what="the tree" />}
      {value !== null && (
        <div class="tree">
          <Section title="Below it" aside={`${value.node.children}`}>
            {value.names.length === 0 ? (
              <Empty title="Nothing is below" />
            ) : (
              <ul class="tree-names card">
                {value.names.map((name) => (
                  <li key={name}>
                    <Link to={treeOf(path === '/' ? `/${name}` : `${path}/${name}`)}>
                      <code>{name}</code>
                    </Link>
                  </li>
                ))}
              </ul>
            )}
            {value.node.children > value.names.length && (
              <p class="soft">The first {value.names.length} are shown.</p>
            )}
          </Section>
          <Section title="Its data">
            {value.node.hidden ? (
              <Empty title="Hidden">It is about who may use the API.</Empty>
            ) : value.node.data === null || value.node.data === '' ? (
              <Empty title={value.node.data === null ? 'No text' : 'No data'} />
            ) : (
              <TextBlock text={readable(value.node.data)} what="data" />
            )}
            <div class="card">
              <Facts
                facts={[
                  [
                    'Version',
                    <span key="v" class="figure">
                      {value.node.version}
                    </span>,
                  ],
                  ['Made', <Time key="m" ms={value.node.createdMs} exact />],
                  ['Changed', <Time key="c" ms={value.node.changedMs} exact />],
                  [
                    'Of session',
                    value.node.ephemeralOwner === null ? (
                      'none: it stays'
                    ) : (
                      <code key="s">{value.node.ephemeralOwner}</code>
                    ),
                  ],
                ]}
              />
            </div>
          </Section>
        </div>
      )}
    </>
  );
}

function readable(text: string): string {
  try {
    return prettyJson(JSON.parse(text));
  } catch {
    return text;
  }
}
