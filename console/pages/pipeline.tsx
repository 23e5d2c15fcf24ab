/** One pipeline: what it does now, where its lag is, and what can be done about it. */
import { useState } from 'preact/hooks';
import type { ConfigView, ParkedTableView, PipelineStatusView, PositionView } from '../../node/operations.ts';
import { change, get } from '../api/client.ts';
import { type Confirmation, ConfirmDialog } from '../components/confirm-dialog.tsx';
import { Copyable } from '../components/copyable.tsx';
import { Bytes, Count, Duration, Lag, Rate } from '../components/figure.tsx';
import { Facts, Page, Section } from '../components/page.tsx';
import { Empty, Loading, Notice, ProblemNotice } from '../components/problem.tsx';
import { StateBadge } from '../components/state-badge.tsx';
import { Time } from '../components/time.tsx';
import { live } from '../live/live.ts';
import { useResource } from '../live/resource.ts';
import { useStore } from '../live/store.ts';
import type { PageProps } from '../pages.ts';
import { Link } from '../router/router.tsx';
import { useMay } from '../session/session.ts';
import { BatchTimeline } from './batch-timeline.tsx';
import { useEnds } from './ends.ts';
import { PipelineActions } from './pipeline-actions.tsx';
import { PipelineCharts } from './pipeline-charts.tsx';
import { PipelineLedger } from './pipeline-ledger.tsx';
import { PipelineLinks } from './pipeline-links.tsx';
import { Way } from './pipelines.tsx';
import { StageStrip } from './stage-strip.tsx';
import { STAGE_TITLE } from './stage-words.ts';

const CRUMBS = [{ to: '/pipelines', text: 'Pipelines' }];

export function PipelinePage({ params }: PageProps) {
  const name = params.name ?? '';
  const isThere = useStore(live, (now) => now.pipelines !== null);
  const status = useStore(live, (now) => now.pipelines?.find((one) => one.pipeline === name) ?? null);
  const ends = useEnds().get(name);
  if (status === null)
    return (
      <Page title={name} crumbs={CRUMBS}>
        {isThere ? (
          <Empty title={`There is no pipeline ${name}`}>
            It was deleted, is not configured, or your account is confined to others.{' '}
            <Link to="/pipelines">All pipelines</Link>
          </Empty>
        ) : (
          <Loading what="the pipeline" />
        )}
      </Page>
    );
  return (
    <Page
      title={name}
      crumbs={CRUMBS}
      heading={
        <>
          {name} <StateBadge state={status.state} big />
        </>
      }
      about={ends && <Way ends={ends} />}
      actions={<PipelineActions name={name} state={status.state} />}
    >
      <PipelineLinks name={name} />
      <Reason status={status} />
      <Headline status={status} />
      <Section title="Stages">
        <StageStrip status={status} ends={ends} />
      </Section>
      <BatchTimeline pipeline={name} asOfMs={status.asOfMs} />
      <PipelineCharts pipeline={name} />
      <div class="columns">
        <Position status={status} />
        <Measuring status={status} />
      </div>
      <PipelineLedger pipeline={name} />
      <Tables name={name} parked={status.parked} />
    </Page>
  );
}

/** Why it is not simply running, and what to do. */
function Reason({ status }: { readonly status: PipelineStatusView }) {
  const { state, reason, code, sinceMs } = status;
  if (reason === null) return null;
  const tone = state === 'failed' ? 'bad' : state === 'degraded' || state === 'unknown' ? 'warn' : 'calm';
  return (
    <Notice tone={tone} title={reason} code={code}>
      {sinceMs !== null && (
        <p class="soft">
          Since <Time ms={sinceMs} exact /> (<Time ms={sinceMs} />)
        </p>
      )}
    </Notice>
  );
}

function Headline({ status }: { readonly status: PipelineStatusView }) {
  const { lag, lagStage, rowsPerSecond, rowsTotal } = status;
  return (
    <dl class="headline">
      <div>
        <dt>Lag</dt>
        <dd>
          <Lag lag={lag.endToEnd} />
        </dd>
        <dd class="hint">{lagStage === null ? 'nothing is behind' : `held by ${STAGE_TITLE[lagStage]}`}</dd>
      </div>
      <div>
        <dt>Throughput</dt>
        <dd>
          <Rate perSecond={rowsPerSecond} />
        </dd>
        <dd class="hint">
          <Count value={rowsTotal} /> since the start
        </dd>
      </div>
      <div>
        <dt>Unread at the source</dt>
        <dd>
          <Bytes bytes={lag.readBytes} />
        </dd>
        <dd class="hint">
          <Lag lag={lag.read} /> behind its log
        </dd>
      </div>
      <div>
        <dt>Caught up in</dt>
        <dd>
          <Duration
            ms={lag.catchUpMs === 0 ? null : lag.catchUpMs}
            unknown={lag.catchUpMs === 0 ? 'level' : '?'}
          />
        </dd>
        <dd class="hint">{lag.catchUpMs === null ? 'no end is in sight' : 'if it goes on like this'}</dd>
      </div>
      <div>
        <dt>Last commit to commit</dt>
        <dd>
          <Lag lag={lag.apply} unknown="–" />
        </dd>
        <dd class="hint">{lag.apply === null ? 'none since this reign began' : 'the last batch applied'}</dd>
      </div>
    </dl>
  );
}

function Position({ status }: { readonly status: PipelineStatusView }) {
  const { pipeline, epoch, appliedSeq, rewinds } = status;
  const found = useResource(
    `position ${pipeline}`,
    (signal) => get<PositionView>(`/pipelines/${encodeURIComponent(pipeline)}/position`, {}, signal),
    10_000,
  );
  const at = found.value;
  return (
    <Section title="Position" class="card">
      {found.problem !== null && <ProblemNotice problem={found.problem} again={found.again} />}
      <Facts
        facts={[
          [
            'Checkpoint',
            (at?.position ?? status.position) === null ? (
              '–'
            ) : (
              <Copyable text={at?.position ?? status.position ?? ''} what="position" most={34} />
            ),
          ],
          [
            'In the log',
            at?.file == null ? '–' : <Copyable text={`${at.file}:${at.offset}`} what="place in the log" />,
          ],
          ['Written', at?.appliedAt == null ? '–' : <span class="figure">{at.appliedAt}</span>],
          ['Applied batch', <span class="figure">{appliedSeq ?? '–'}</span>],
          ['Epoch', <span class="figure">{epoch ?? '–'}</span>],
          ['Rewinds', <Count value={rewinds} />],
        ]}
      />
    </Section>
  );
}

function Measuring({ status }: { readonly status: PipelineStatusView }) {
  const { lag } = status;
  const { sourceClock } = lag;
  return (
    <Section title="How it is measured" class="card">
      <Facts
        facts={[
          ['Heartbeat', lag.heartbeatAgoMs === null ? '–' : <Duration ms={lag.heartbeatAgoMs} />],
          [
            'Commit times',
            lag.exactCommitTimes === null
              ? '–'
              : lag.exactCommitTimes
                ? 'in the log, to the µs'
                : 'between looks at the log’s end',
          ],
          [
            'Source’s clock',
            sourceClock === null ? (
              '–'
            ) : (
              <span class="figure">
                {sourceClock.aheadMs >= 0 ? '+' : '−'}
                {Math.abs(Math.round(sourceClock.aheadMs))} ms
                <span class="error"> ±{Math.ceil(sourceClock.errorMs)} ms</span>
              </span>
            ),
          ],
          ['Upstream delay', <Lag lag={lag.upstream} unknown="not logged" />],
          ['Checkpoint’s age', <Lag lag={lag.checkpoint} unknown="–" />],
          ['Standing still', lag.stalledMs === 0 ? 'no' : <Duration ms={lag.stalledMs} />],
        ]}
      />
    </Section>
  );
}

function Tables({ name, parked }: { readonly name: string; readonly parked: readonly ParkedTableView[] }) {
  const [ask, setAsk] = useState<Confirmation | null>(null);
  const [table, setTable] = useState('');
  const isOperator = useMay('operator');
  const config = useResource(`config ${name}`, (signal) =>
    get<ConfigView>(`/pipelines/${encodeURIComponent(name)}/config`, {}, signal),
  );
  const patterns = patternsOf(config.value);
  const path = `/pipelines/${encodeURIComponent(name)}/tables`;
  return (
    <Section title="Tables" aside={patterns.length > 0 && <span>replicated: {patterns.join(', ')}</span>}>
      {parked.length === 0 ? (
        <p class="soft">No table is parked: changes of all of them are applied.</p>
      ) : (
        <div class="table-frame">
          <table class="table" aria-label="Parked tables">
            <thead>
              <tr>
                <th scope="col">Table</th>
                <th scope="col">State</th>
                <th scope="col" class="right">
                  Held
                </th>
                <th scope="col">By</th>
                <th scope="col" class="col-rest">
                  Why
                </th>
                <th scope="col">
                  <span class="visually-hidden">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {parked.map((one) => (
                <tr key={one.table}>
                  <td>
                    <code>{one.table}</code>
                  </td>
                  <td>{one.state === 'parked' ? 'held' : 'is applied'}</td>
                  <td class="right figure">
                    {one.heldChanges.toLocaleString('en-US')} changes, <Bytes bytes={one.heldBytes} />
                  </td>
                  <td>{one.by}</td>
                  <td class="col-rest">
                    <span class="cut soft" title={one.why}>
                      {one.why}
                    </span>
                  </td>
                  <td class="right">
                    {isOperator && one.state === 'parked' && (
                      <button
                        type="button"
                        class="button button-small"
                        onClick={() =>
                          setAsk({
                            verb: 'Resume',
                            kind: 'table',
                            object: one.table,
                            children: (
                              <p>
                                What is held of it and of those that wait with it is applied in order; then
                                they go on with the others.
                              </p>
                            ),
                            reason: 'none',
                            done: `${one.table} is applied and goes on.`,
                            act: () => change('POST', `${path}/${encodeURIComponent(one.table)}/resume`, {}),
                          })
                        }
                      >
                        Resume
                      </button>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {isOperator && (
        <form
          class="toolbar"
          onSubmit={(event) => {
            event.preventDefault();
            const wanted = table.trim();
            if (wanted === '') return;
            setAsk({
              verb: 'Park',
              kind: 'table',
              object: wanted,
              children: (
                <p>
                  Its changes are held at the target, with those of tables that foreign keys join it to; all
                  others go on. The target is no consistent prefix of the source meanwhile.
                </p>
              ),
              reason: 'needed',
              done: `${wanted} is parked.`,
              act: async (why) => {
                await change('POST', `${path}/${encodeURIComponent(wanted)}/park`, { why });
                setTable('');
              },
            });
          }}
        >
          <label class="inline-field">
            <span>Park a table</span>
            <input
              value={table}
              placeholder="schema.table"
              autocomplete="off"
              spellcheck={false}
              onInput={(event) => setTable(event.currentTarget.value)}
            />
          </label>
          <button type="submit" class="button button-small" disabled={table.trim() === ''}>
            Park…
          </button>
        </form>
      )}
      {ask !== null && <ConfirmDialog ask={ask} close={() => setAsk(null)} />}
    </Section>
  );
}

/** What is replicated, in the words of the configuration; `-` before what is left out. */
function patternsOf(config: ConfigView | null): readonly string[] {
  const tables = config?.config.tables as
    | { readonly include?: unknown; readonly exclude?: unknown }
    | undefined;
  const texts = (list: unknown) => (Array.isArray(list) ? list.map(String) : []);
  return [...texts(tables?.include), ...texts(tables?.exclude).map((one) => `-${one}`)];
}
