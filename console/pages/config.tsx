/** The configuration that rules a pipeline: as it is, as it was, what differs, and another put in its place. */
import type { ConfigDiffView, ConfigView, KeptConfigView } from '../../node/operations.ts';
import { get } from '../api/client.ts';
import { Differences } from '../components/differences.tsx';
import { Facts, Page, Section } from '../components/page.tsx';
import { PipelinePicker, usePickedPipeline } from '../components/pipeline-picker.tsx';
import { Empty, Loading, Notice, ProblemNotice } from '../components/problem.tsx';
import { Badge } from '../components/state-badge.tsx';
import { Choices, Table, type TableColumn } from '../components/table.tsx';
import { prettyJson, TextBlock } from '../components/text-block.tsx';
import { clockText, Time } from '../components/time.tsx';
import { useResource } from '../live/resource.ts';
import { pathOf } from '../router/route.ts';
import { Link, useQueryWord } from '../router/router.tsx';
import { useMay } from '../session/session.ts';
import { ConfigEditor } from './config-editor.tsx';

const AGAIN_MS = 10_000;

export function ConfigPage() {
  const pipeline = usePickedPipeline();
  const [show] = useQueryWord('show', 'effective');
  const isAdmin = useMay('admin');
  return (
    <Page
      title="Configuration"
      about="What all nodes work by. It comes from the files of the node that started last, and what is put in place here stands until those change."
    >
      <div class="toolbar">
        <PipelinePicker />
        <Choices
          label="What to show"
          word="show"
          choices={[
            { value: 'effective', label: 'Effective' },
            { value: 'history', label: 'History' },
            { value: 'compare', label: 'Compare' },
            ...(isAdmin ? [{ value: 'edit', label: 'Change' }] : []),
          ]}
        />
      </div>
      {pipeline === null ? (
        <Loading what="pipelines" />
      ) : show === 'history' ? (
        <History pipeline={pipeline} />
      ) : show === 'compare' ? (
        <Compare pipeline={pipeline} />
      ) : show === 'edit' && isAdmin ? (
        <ConfigEditor key={pipeline} pipeline={pipeline} />
      ) : (
        <Effective pipeline={pipeline} />
      )}
    </Page>
  );
}

export function linkTo(pipeline: string, words: Readonly<Record<string, string>>): string {
  return `/config?${new URLSearchParams({ pipeline, ...words }).toString()}`;
}

function Effective({ pipeline }: { readonly pipeline: string }) {
  const path = `${pathOf('pipelines', pipeline)}/config`;
  const { value, problem, again } = useResource(
    path,
    (signal) => get<ConfigView>(path, undefined, signal),
    AGAIN_MS,
  );
  if (value === null)
    return problem === null ? (
      <Loading what="the configuration" />
    ) : (
      <ProblemNotice problem={problem} again={again} />
    );
  return (
    <>
      {problem !== null && <ProblemNotice problem={problem} again={again} />}
      {!value.isOfFiles && (
        <Notice
          title={
            value.overridesFiles
              ? 'It was put in place through the API, in place of what the files say.'
              : 'It is not what the files of this node say.'
          }
          remedy={
            value.overridesFiles
              ? 'Take it over into the files: as soon as they change, they rule again.'
              : 'Another node was started with other files, or will be: give all nodes the same.'
          }
          actions={
            <Link to={linkTo(pipeline, { show: 'compare' })} class="button">
              Compare with the files
            </Link>
          }
        />
      )}
      <div class="card two-columns">
        <Facts
          facts={[
            [
              'Version',
              <span key="v" class="figure">
                {value.version}
              </span>,
            ],
            ['Written', <Time key="w" ms={value.writtenMs} exact />],
            ['By', value.by],
            ['From', value.overridesFiles ? 'the API' : 'configuration files'],
          ]}
        />
      </div>
      <Section title="As the nodes have it, defaults filled in">
        <TextBlock text={prettyJson(value.config)} what="configuration" />
      </Section>
    </>
  );
}

function useHistory(pipeline: string) {
  const path = `${pathOf('pipelines', pipeline)}/config/history`;
  return useResource(
    path,
    async (signal) =>
      (await get<{ readonly items: readonly KeptConfigView[] }>(path, undefined, signal)).items,
    AGAIN_MS,
  );
}

function History({ pipeline }: { readonly pipeline: string }) {
  const { value, problem, again } = useHistory(pipeline);
  const isAdmin = useMay('admin');
  if (value === null)
    return problem === null ? (
      <Loading what="the history" />
    ) : (
      <ProblemNotice problem={problem} again={again} />
    );
  return (
    <>
      {problem !== null && <ProblemNotice problem={problem} again={again} />}
      <Table
        label="Configurations that ruled"
        rows={value}
        columns={historyColumns(pipeline, isAdmin)}
        rowKey={({ id }) => id}
        defaultSort="-written"
        empty={<Empty title="Nothing is kept">Nodes keep what they take from now on.</Empty>}
      />
    </>
  );
}

function historyColumns(pipeline: string, isAdmin: boolean): readonly TableColumn<KeptConfigView>[] {
  return [
    {
      key: 'written',
      title: 'Written',
      sort: ({ writtenMs }) => writtenMs,
      cell: ({ writtenMs }) => <Time ms={writtenMs} exact />,
    },
    { key: 'by', title: 'By', sort: ({ by }) => by, cell: ({ by }) => by },
    {
      key: 'from',
      title: 'From',
      sort: ({ overridesFiles }) => String(overridesFiles),
      cell: ({ overridesFiles }) => (overridesFiles ? 'the API' : 'files'),
    },
    {
      key: 'rules',
      title: 'State',
      cell: ({ isCurrent }) =>
        isCurrent ? <Badge tone="good">rules</Badge> : <span class="soft">earlier</span>,
    },
    {
      key: 'do',
      title: 'Actions',
      align: 'right',
      cell: ({ id, isCurrent, writtenMs }) =>
        isCurrent ? null : (
          <span class="row-actions">
            <Link
              to={linkTo(pipeline, { show: 'compare', from: id, to: 'current' })}
              class="button button-small"
              label={`Compare the one of ${clockText(writtenMs)} with the one that rules`}
            >
              Compare
            </Link>
            {isAdmin && (
              <Link
                to={linkTo(pipeline, { show: 'edit', from: id })}
                class="button button-small"
                label={`Put back… the one of ${clockText(writtenMs)}`}
              >
                Put back…
              </Link>
            )}
          </span>
        ),
    },
  ];
}

function Compare({ pipeline }: { readonly pipeline: string }) {
  const [from, setFrom] = useQueryWord('from', 'files');
  const [to, setTo] = useQueryWord('to', 'current');
  const kept = useHistory(pipeline).value ?? [];
  const path = `${pathOf('pipelines', pipeline)}/config/diff`;
  const { value, problem, again } = useResource(
    `${path} ${from} ${to}`,
    (signal) => get<ConfigDiffView>(path, { from, to }, signal),
    AGAIN_MS,
  );
  const end = (label: string, chosen: string, choose: (value: string) => void) => (
    <label class="pick">
      <span>{label}</span>
      <select class="select" value={chosen} onChange={(event) => choose(event.currentTarget.value)}>
        <option value="files" selected={chosen === 'files'}>
          files of this node
        </option>
        <option value="current" selected={chosen === 'current'}>
          the one that rules
        </option>
        {kept.map((one) => (
          <option key={one.id} value={one.id} selected={chosen === one.id}>
            {clockText(one.writtenMs)} by {one.by}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <>
      <div class="toolbar">
        {end('From', from, setFrom)}
        {end('To', to, setTo)}
      </div>
      {problem !== null && <ProblemNotice problem={problem} again={again} />}
      {value === null && problem === null && <Loading what="the differences" />}
      {value !== null && <Differences differences={value.differences} none="They are the same" />}
    </>
  );
}
