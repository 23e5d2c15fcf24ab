/** Batches as they go through the stages: the picture that says where time goes. */

import { formatMs } from '../../model/figures.ts';
import { STAGES } from '../../model/stage.ts';
import type { AppliedBatchesView } from '../../node/api/views.ts';
import type { BatchView } from '../../node/cluster-views.ts';
import { get, getAll } from '../api/client.ts';
import { Section } from '../components/page.tsx';
import { Empty, Loading, ProblemNotice } from '../components/problem.tsx';
import { useResource } from '../live/resource.ts';
import { Link } from '../router/router.tsx';
import { batchPath } from './stage-strip.tsx';
import { STAGE_TITLE } from './stage-words.ts';
import { rangeOf, type Span, type TimedBatch, timeline } from './timing.ts';

const EVERY_MS = 1_000;
const ROWS = 16;
const MOST_MS = 60_000;

export function BatchTimeline({ pipeline, asOfMs }: { readonly pipeline: string; readonly asOfMs: number }) {
  const path = `/pipelines/${encodeURIComponent(pipeline)}`;
  const found = useResource(
    `timeline ${pipeline}`,
    async (signal) => {
      const [inFlight, applied] = await Promise.all([
        getAll<BatchView>(`${path}/batches`, {}, signal, 200),
        get<AppliedBatchesView>(`${path}/applied-batches`, { limit: ROWS }, signal),
      ]);
      return { inFlight, applied: applied.items };
    },
    EVERY_MS,
  );
  const { value } = found;
  const batches =
    value === null
      ? []
      : timeline(value.inFlight, value.applied, { nowMs: nowOf(value.inFlight, asOfMs), most: ROWS });
  return (
    <Section title="Batches" aside={<Legend />}>
      {found.problem !== null && <ProblemNotice problem={found.problem} />}
      {found.isLoading && value === null ? (
        <Loading what="batches" />
      ) : batches.length === 0 ? (
        <Empty title="No batch yet">Batches show here as soon as a change is committed at the source.</Empty>
      ) : (
        <Gantt pipeline={pipeline} batches={batches} />
      )}
    </Section>
  );
}

/** What is in flight is drawn up to now, and never ends before it began. */
function nowOf(inFlight: readonly BatchView[], asOfMs: number): number {
  return Math.max(asOfMs, ...inFlight.map((one) => one.heldSinceMs ?? one.selectedMs));
}

function Legend() {
  return (
    <span class="legend">
      {STAGES.map((stage) => (
        <span key={stage}>
          <i class={`swatch stage-${stage}`} />
          {STAGE_TITLE[stage]}
        </span>
      ))}
      <span>
        <i class="swatch stage-load is-queue" />
        waits
      </span>
    </span>
  );
}

function Gantt({
  pipeline,
  batches,
}: {
  readonly pipeline: string;
  readonly batches: readonly TimedBatch[];
}) {
  const range = rangeOf(batches, MOST_MS) ?? { fromMs: 0, toMs: 1 };
  const span = range.toMs - range.fromMs;
  return (
    <div class="card gantt">
      <ol aria-label="Batches, newest first">
        {batches.map((batch) => (
          <li key={batch.id} class="gantt-row">
            <Link to={batchTo(pipeline, batch)} class="gantt-name figure" label={inWords(batch)}>
              {batch.seq}
              {batch.part > 0 ? `.${batch.part}` : ''}
            </Link>
            <span class="gantt-line" aria-hidden="true">
              {batch.spans.map((one, index) => (
                <Bar key={index} span={one} fromMs={range.fromMs} wholeMs={span} />
              ))}
            </span>
            <span class="gantt-rows figure hint">{batch.rows.toLocaleString('en-US')} rows</span>
            <span class="gantt-took figure">
              {batch.appliedMs === null ? (
                <span class="soft">at {STAGE_TITLE[batch.stage ?? 'load']}</span>
              ) : (
                formatMs(Math.max(0, batch.appliedMs - batch.fromMs))
              )}
            </span>
          </li>
        ))}
      </ol>
      <p class="gantt-scale hint figure">
        <span>{formatMs(span)} ago</span>
        <span>from commit at the source to commit at the target</span>
        <span>{batches.some((one) => one.appliedMs === null) ? 'now' : 'last applied'}</span>
      </p>
    </div>
  );
}

export function batchTo(pipeline: string, batch: TimedBatch): string {
  const path = batchPath(pipeline, batch.id);
  return batch.appliedMs === null ? path : `${path}?at=${batch.appliedMs}`;
}

function inWords(batch: TimedBatch): string {
  const where =
    batch.appliedMs === null
      ? `at ${STAGE_TITLE[batch.stage ?? 'load']}`
      : `applied after ${formatMs(Math.max(0, batch.appliedMs - batch.fromMs))}`;
  return `Batch ${batch.seq}, ${batch.rows} rows, ${where}`;
}

function Bar({
  span,
  fromMs,
  wholeMs,
}: {
  readonly span: Span;
  readonly fromMs: number;
  readonly wholeMs: number;
}) {
  const left = Math.max(0, (span.fromMs - fromMs) / wholeMs);
  const right = Math.max(left, (span.toMs - fromMs) / wholeMs);
  if (span.toMs <= fromMs) return null;
  return (
    <i
      class={`bar stage-${span.stage}${span.isQueue ? ' is-queue' : ''}${span.isOpen ? ' is-open' : ''}`}
      style={{ left: `${left * 100}%`, width: `max(${(right - left) * 100}%, 2px)` }}
      title={`${STAGE_TITLE[span.stage]}${span.isQueue ? ', waits' : ''}: ${formatMs(span.toMs - span.fromMs)}`}
    />
  );
}
