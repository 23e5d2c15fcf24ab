/** One batch: where it is or when it was applied, and where its time went. */

import { useState } from 'preact/hooks';
import { formatMs } from '../../model/figures.ts';
import type { AppliedBatchesView, AppliedBatchView } from '../../node/api/views.ts';
import type { BatchView } from '../../node/cluster-views.ts';
import { change, get } from '../api/client.ts';
import { Problem } from '../api/problem.ts';
import { ConfirmDialog } from '../components/confirm-dialog.tsx';
import { Copyable } from '../components/copyable.tsx';
import { Bytes, Count, Duration } from '../components/figure.tsx';
import { Facts, Page, Section } from '../components/page.tsx';
import { Empty, Loading, ProblemNotice } from '../components/problem.tsx';
import { Badge } from '../components/state-badge.tsx';
import { clockText } from '../components/time.tsx';
import { useResource } from '../live/resource.ts';
import type { PageProps } from '../pages.ts';
import { pathOf } from '../router/route.ts';
import { Link, useQueryWord } from '../router/router.tsx';
import { useMay } from '../session/session.ts';
import { STAGE_TITLE } from './stage-words.ts';
import { type TimedBatch, timedApplied, timedInFlight } from './timing.ts';

type Found =
  | { readonly kind: 'in flight'; readonly batch: BatchView; readonly askedMs: number }
  | { readonly kind: 'applied'; readonly batch: AppliedBatchView }
  | { readonly kind: 'gone'; readonly silent: readonly string[] };

export function BatchPage({ params }: PageProps) {
  const name = params.name ?? '';
  const id = params.id ?? '';
  const [at] = useQueryWord('at');
  const found = useResource(
    `batch ${name} ${id} ${at}`,
    (signal) => find(name, id, Number(at) || 0, signal),
    1_000,
  );
  const title = `Batch ${seqOf(id)?.seq ?? id}`;
  const crumbs = [
    { to: '/pipelines', text: 'Pipelines' },
    { to: pathOf('pipelines', name), text: name },
  ];
  const { value } = found;
  if (value === null || value.kind === 'gone')
    return (
      <Page title={title} crumbs={crumbs}>
        {found.problem !== null ? (
          <ProblemNotice problem={found.problem} again={found.again} />
        ) : value === null ? (
          <Loading what="the batch" />
        ) : (
          <Empty title="This batch is neither in flight nor in the history">
            Applied batches are kept for two days.
            {value.silent.length > 0 && ` ${value.silent.join(', ')} did not answer.`}{' '}
            <Link to={pathOf('pipelines', name)}>Back to {name}</Link>
          </Empty>
        )}
      </Page>
    );
  const timed =
    value.kind === 'applied' ? timedApplied(value.batch) : timedInFlight(value.batch, value.askedMs);
  return (
    <Page
      title={title}
      crumbs={crumbs}
      heading={
        <>
          {title}{' '}
          {value.kind === 'applied' ? (
            <Badge tone="good">applied</Badge>
          ) : (
            <Badge tone="busy">at {STAGE_TITLE[value.batch.stage]}</Badge>
          )}
        </>
      }
      about={<Copyable text={id} what="batch id" />}
      actions={value.kind === 'in flight' && <Retry name={name} id={id} />}
    >
      <Section title="Where its time went" class="card">
        <Waterfall batch={timed} />
      </Section>
      <div class="columns">
        <Section title="What is in it" class="card">
          <Facts
            facts={[
              ['Rows', <Count value={value.batch.rows} />],
              ['Transactions', <Count value={value.batch.transactions} />],
              ['Payload', <Bytes bytes={value.batch.bytes} />],
              ...(value.kind === 'in flight'
                ? ([
                    ['Origin', value.batch.origin],
                    [
                      'Part',
                      value.batch.lastPart && value.batch.part === 0
                        ? 'whole'
                        : `${value.batch.part}${value.batch.lastPart ? ', the last' : ''}`,
                    ],
                    ['Ends at', <Copyable text={value.batch.endPosition} what="end position" most={34} />],
                  ] as const)
                : ([
                    [
                      'Ends at',
                      <Copyable
                        text={`${value.batch.endFile}:${value.batch.endOffset}`}
                        what="end position"
                      />,
                    ],
                  ] as const)),
            ]}
          />
        </Section>
        <Section title="Who and when" class="card">
          <Facts
            facts={[
              [
                value.kind === 'applied' ? 'Applied by' : 'Held by',
                value.kind === 'applied' ? value.batch.node : (value.batch.holder ?? 'nobody: it waits'),
              ],
              ['Epoch', <span class="figure">{value.batch.epoch}</span>],
              ['First commit', <span class="figure">{clockText(value.batch.firstCommitMs)}</span>],
              ['Last commit', <span class="figure">{clockText(value.batch.lastCommitMs)}</span>],
              ...(value.kind === 'applied'
                ? ([['Applied', <span class="figure">{clockText(value.batch.appliedMs)}</span>]] as const)
                : []),
            ]}
          />
        </Section>
      </div>
    </Page>
  );
}

async function find(name: string, id: string, atMs: number, signal: AbortSignal): Promise<Found> {
  const path = `/pipelines/${encodeURIComponent(name)}`;
  try {
    const batch = await get<BatchView>(`${path}/batches/${encodeURIComponent(id)}`, {}, signal);
    return { kind: 'in flight', batch, askedMs: Math.max(Date.now(), batch.heldSinceMs ?? batch.selectedMs) };
  } catch (error) {
    if (!(error instanceof Problem && error.code === 'HOLT_BATCH_UNKNOWN')) throw error;
  }
  const asked = seqOf(id);
  if (asked === null) return { kind: 'gone', silent: [] };
  const query = { ...asked, since: atMs === 0 ? Date.now() : atMs };
  const { items, silent } = await get<AppliedBatchesView>(`${path}/applied-batches`, query, signal);
  const [batch] = items;
  return batch === undefined ? { kind: 'gone', silent } : { kind: 'applied', batch };
}

/** Of the name of a task: epoch, number, part. */
function seqOf(id: string): { readonly epoch: string; readonly seq: string } | null {
  const [, epoch, seq] = /^0*([0-9]+)-0*([0-9]+)(?:\.[0-9]+)?$/.exec(id) ?? [];
  return epoch === undefined || seq === undefined ? null : { epoch, seq };
}

function Waterfall({ batch }: { readonly batch: TimedBatch }) {
  const last = batch.spans.at(-1);
  const whole = Math.max(1, (last?.toMs ?? batch.fromMs) - batch.fromMs);
  return (
    <ol class="waterfall" aria-label="Stages of the batch">
      {batch.spans.map((span, index) => {
        const took = span.toMs - span.fromMs;
        const title = `${STAGE_TITLE[span.stage]}${span.isQueue ? ' waits' : ''}`;
        return (
          <li key={index}>
            <span class="waterfall-name">
              {index === 0 ? 'Commit to end of Select' : title}
              {span.isOpen && <span class="hint"> goes on</span>}
            </span>
            <span class="gantt-line" aria-hidden="true">
              <i
                class={`bar stage-${span.stage}${span.isQueue ? ' is-queue' : ''}${span.isOpen ? ' is-open' : ''}`}
                style={{
                  left: `${((span.fromMs - batch.fromMs) / whole) * 100}%`,
                  width: `max(${(took / whole) * 100}%, 2px)`,
                }}
              />
            </span>
            <span class="figure waterfall-took">{formatMs(took)}</span>
          </li>
        );
      })}
      <li class="waterfall-sum">
        <span class="waterfall-name">{batch.appliedMs === null ? 'So far' : 'Commit to commit'}</span>
        <span />
        <strong class="waterfall-took">
          <Duration ms={whole} />
        </strong>
      </li>
    </ol>
  );
}

function Retry({ name, id }: { readonly name: string; readonly id: string }) {
  const [isAsked, setAsked] = useState(false);
  const isOperator = useMay('operator');
  if (!isOperator) return null;
  return (
    <>
      <button type="button" class="button" onClick={() => setAsked(true)}>
        Retry
      </button>
      {isAsked && (
        <ConfirmDialog
          close={() => setAsked(false)}
          ask={{
            verb: 'Retry',
            kind: 'batch',
            object: id,
            children: (
              <p>
                It is read again from the source, and what is in flight beside it: {name} rewinds to its
                checkpoint. What has been applied is not applied again.
              </p>
            ),
            reason: 'asked',
            done: `${name} reads again from its checkpoint.`,
            act: (why) =>
              change(
                'POST',
                `/pipelines/${encodeURIComponent(name)}/batches/${encodeURIComponent(id)}/retry`,
                { why },
              ),
          }}
        />
      )}
    </>
  );
}
