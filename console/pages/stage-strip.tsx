/** S → E → T → L: who holds each stage, what stands there, and which of them holds the lag. */

import { formatMs } from '../../model/figures.ts';
import { STAGE_SIDE } from '../../model/stage.ts';
import type { PipelineStatusView, StageStatusView } from '../../node/operations.ts';
import { Duration, Lag, lagOf, Rate } from '../components/figure.tsx';
import { Icon } from '../components/icon.tsx';
import { pathOf } from '../router/route.ts';
import { Link } from '../router/router.tsx';
import type { Ends } from './ends.ts';
import { STAGE_DOES, STAGE_TITLE } from './stage-words.ts';

interface StripProps {
  readonly status: PipelineStatusView;
  readonly ends: Ends | undefined;
}

export function StageStrip({ status, ends }: StripProps) {
  const { stages, lagStage, lag } = status;
  const isStalled = lag.stalledMs > 0;
  return (
    <ol class="strip" aria-label="Stages">
      {stages.map((stage) => {
        const holds = stage.stage === lagStage;
        const site = STAGE_SIDE[stage.stage] === 'source' ? ends?.from : ends?.to;
        const tone = stage.problem !== null ? 'bad' : holds && isStalled ? 'warn' : holds ? 'busy' : 'none';
        return (
          <li key={stage.stage} class={`stage${holds ? ' holds' : ''} tone-${tone}`} data-stage={stage.stage}>
            <Stage stage={stage} site={site} holds={holds} stalledMs={lag.stalledMs} />
            {stage.stage !== 'load' && (
              <span class={`stage-arrow${stage.stage === 'extract' ? ' is-wan' : ''}`}>
                <Icon name="arrow" />
              </span>
            )}
          </li>
        );
      })}
    </ol>
  );
}

interface StageProps {
  readonly stage: StageStatusView;
  readonly site: string | undefined;
  readonly holds: boolean;
  readonly stalledMs: number;
}

function Stage({ stage, site, holds, stalledMs }: StageProps) {
  const { stage: name, holder, lagMs, lagErrorMs, batches, working, silentMs, problem, waiting } = stage;
  return (
    <div class="stage-card">
      <header>
        <h3>{STAGE_TITLE[name]}</h3>
        {holds && (
          <span class="badge">
            {stalledMs > 0 ? `stands still for ${formatMs(stalledMs)}` : 'holds the lag'}
          </span>
        )}
        {!holds && <span class="hint stage-does">{STAGE_DOES[name]}</span>}
      </header>
      <p class="stage-lag">
        <Lag lag={lagOf(lagMs, lagErrorMs)} />
        <span class="hint"> oldest change here</span>
      </p>
      <dl class="stage-facts">
        <div>
          <dt>Held by</dt>
          <dd>
            {holder === null ? (
              <span class="soft">nobody</span>
            ) : (
              <Link to={`/nodes?q=${encodeURIComponent(holder)}`}>{holder}</Link>
            )}
            {site !== undefined && <span class="hint"> {site}</span>}
          </dd>
        </div>
        <div>
          <dt>Batches</dt>
          <dd class="figure">
            {batches} <span class="hint">here, {working} worked on</span>
          </dd>
        </div>
        <div>
          <dt>Queue, work</dt>
          <dd>
            <Duration ms={stage.meanQueueMs} /> <span class="hint">·</span> <Duration ms={stage.meanWorkMs} />
          </dd>
        </div>
        <div>
          <dt>Rows</dt>
          <dd>
            <Rate perSecond={stage.rowsPerSecond} unit="/s" />
          </dd>
        </div>
      </dl>
      {silentMs !== null && (
        <p class="stage-note">
          {holder} has not answered for {formatMs(silentMs)}.
        </p>
      )}
      {waiting !== null && <p class="stage-note">{waiting}</p>}
      {problem !== null && (
        <p class="stage-note">
          {problem.message} <code class="code">{problem.code}</code>
        </p>
      )}
    </div>
  );
}

/** Small: the four stages of a pipeline as marks, the one that holds the lag filled. */
export function StageDots({ status }: { readonly status: PipelineStatusView }) {
  return (
    <span class="dots">
      {status.stages.map(({ stage, problem }) => (
        <span
          key={stage}
          class={`dot${stage === status.lagStage ? ' is-here' : ''}${problem === null ? '' : ' tone-bad'}`}
          title={STAGE_TITLE[stage]}
        >
          {STAGE_TITLE[stage].charAt(0)}
        </span>
      ))}
    </span>
  );
}

export function batchPath(pipeline: string, id: string): string {
  return pathOf('pipelines', pipeline, 'batches', id);
}
