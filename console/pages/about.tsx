/** What runs here: releases, job queues, what a node's files say, and the bundle for those who help. */
import type { NodeConfigView, NodeView, QueuesView, QueueView } from '../../node/operations.ts';
import { get, urlOf } from '../api/client.ts';
import { Count } from '../components/figure.tsx';
import { Facts, Page, Section } from '../components/page.tsx';
import { Empty, Loading, Notice, ProblemNotice } from '../components/problem.tsx';
import { Table, type TableColumn } from '../components/table.tsx';
import { prettyJson, TextBlock } from '../components/text-block.tsx';
import { live } from '../live/live.ts';
import { useResource } from '../live/resource.ts';
import { useStore } from '../live/store.ts';
import { pathOf } from '../router/route.ts';
import { useQueryWord } from '../router/router.tsx';
import { session, useMay } from '../session/session.ts';

const AGAIN_MS = 5_000;

export function AboutPage() {
  const release = useStore(session, (now) => (now.kind === 'in' ? now.release : null));
  const nodes = useStore(live, (now) => now.nodes);
  const isAdmin = useMay('admin');
  const releases = [...new Set(nodes.map((one) => one.release))].sort();
  return (
    <Page title="About and support" actions={isAdmin && <Bundle />}>
      {releases.length > 1 && (
        <Notice
          title={`Nodes of different releases work together: ${releases.join(', ')}.`}
          remedy="That is well for the time of an upgrade; bring all to the newest."
        />
      )}
      <div class="columns">
        <Section title="This installation">
          <div class="card">
            <Facts
              facts={[
                ['Release of the node that answers', release ?? '–'],
                ['Releases of all nodes', releases.join(', ') || '–'],
                ['Nodes', <Count key="n" value={nodes.length} />],
                [
                  'The API, as a document',
                  <a key="a" href="/api/v1/openapi.json">
                    OpenAPI 3.1
                  </a>,
                ],
              ]}
            />
          </div>
        </Section>
        <Section title="Support">
          <div class="card stack">
            <p>
              The support bundle holds states, lag, history, configurations, journals and metrics. It has no
              passwords, tokens or keys, no row values and no literals of SQL. Look through it before you send
              it.
            </p>
            <p class="soft">
              {isAdmin
                ? 'The same at the command line: holt support-bundle.'
                : 'An administrator can make it, here or with holt support-bundle.'}
            </p>
          </div>
        </Section>
      </div>
      <QueueList />
      {isAdmin && <NodeFiles nodes={nodes} />}
    </Page>
  );
}

/** A link, not a question of the page's own: gathering may take longer than a page waits, and the browser shows that it goes on. */
function Bundle() {
  return (
    <a class="button button-primary" href={urlOf('/support-bundle')} download>
      Save support bundle
    </a>
  );
}

const QUEUE_COLUMNS: readonly TableColumn<QueueView>[] = [
  { key: 'node', title: 'Node', sort: ({ node }) => node, cell: ({ node }) => node },
  { key: 'queue', title: 'Queue', sort: ({ queue }) => queue, cell: ({ queue }) => <code>{queue}</code> },
  {
    key: 'kept',
    title: 'Kept in',
    sort: ({ kept }) => kept,
    cell: ({ kept }) => (kept === 'redis' ? 'Redis' : "the node's memory"),
  },
  ...(['waiting', 'active', 'delayed', 'failed', 'completed'] as const).map(
    (state): TableColumn<QueueView> => ({
      key: state,
      title: {
        waiting: 'Waiting',
        active: 'At work',
        delayed: 'Delayed',
        failed: 'Failed',
        completed: 'Done',
      }[state],
      align: 'right',
      sort: (row) => row[state],
      cell: (row) => {
        const count = row[state];
        return count === null ? <span title="Redis does not answer.">?</span> : <Count value={count} />;
      },
    }),
  ),
];

function QueueList() {
  const { value, problem, again } = useResource(
    'queues',
    (signal) => get<QueuesView>('/queues', undefined, signal),
    AGAIN_MS,
  );
  return (
    <Section title="Job queues" aside="comparisons and deliveries; never rows of replication">
      {problem !== null && <ProblemNotice problem={problem} again={again} />}
      {value === null && problem === null && <Loading what="queues" />}
      {value !== null && value.silent.length > 0 && (
        <Notice title={`No answer from ${value.silent.join(', ')}: their queues are missing below.`} />
      )}
      {value !== null && (
        <Table
          label="Job queues"
          rows={value.items}
          columns={QUEUE_COLUMNS}
          rowKey={({ node, queue }) => `${node} ${queue}`}
          word="queues"
          defaultSort="node"
          empty={<Empty title="No queues" />}
        />
      )}
    </Section>
  );
}

function NodeFiles({ nodes }: { readonly nodes: readonly NodeView[] }) {
  const [word, choose] = useQueryWord('node');
  const node = word === '' ? (nodes[0]?.node ?? null) : word;
  const path = node === null ? '' : `${pathOf('nodes', node)}/config`;
  const { value, problem, again } = useResource(path, (signal) =>
    path === '' ? Promise.resolve(null) : get<NodeConfigView>(path, undefined, signal),
  );
  return (
    <Section
      title="What a node's files say"
      aside={
        <label class="pick">
          <span>Node</span>
          <select class="select" value={node ?? ''} onChange={(event) => choose(event.currentTarget.value)}>
            {nodes.map((one) => (
              <option key={one.node} value={one.node} selected={one.node === node}>
                {one.node}
              </option>
            ))}
          </select>
        </label>
      }
    >
      {problem !== null && <ProblemNotice problem={problem} again={again} />}
      {value === null && problem === null && <Loading what="the node's configuration" />}
      {value !== null && <TextBlock text={prettyJson(value.config)} what={`configuration of ${node}`} />}
    </Section>
  );
}
