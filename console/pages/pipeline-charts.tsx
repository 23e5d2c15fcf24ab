/** Lag, throughput and state over time, from the history that nodes keep. */
import { useMemo } from 'preact/hooks';
import { formatMs, formatRate } from '../../model/figures.ts';
import type { HistoryView } from '../../node/api/views.ts';
import type { HistoryPoint } from '../../node/history/samples.ts';
import { get } from '../api/client.ts';
import { Chart } from '../components/chart.tsx';
import { Section } from '../components/page.tsx';
import { Loading, Notice, ProblemNotice } from '../components/problem.tsx';
import { StateMark, toneOf } from '../components/state-badge.tsx';
import { Choices } from '../components/table.tsx';
import { clockText } from '../components/time.tsx';
import { useResource } from '../live/resource.ts';
import { useQueryWord } from '../router/router.tsx';
import { filled, type Stretch, stretches } from './history-steps.ts';

const HOUR = 3_600_000;
const RANGES: Readonly<Record<string, number>> = {
  '15m': HOUR / 4,
  '1h': HOUR,
  '6h': 6 * HOUR,
  '24h': 24 * HOUR,
  '7d': 168 * HOUR,
};
const FIRST = '1h';

export function PipelineCharts({ pipeline }: { readonly pipeline: string }) {
  const [range] = useQueryWord('range', FIRST);
  const spanMs = RANGES[range] ?? HOUR;
  const found = useResource(
    `history ${pipeline} ${spanMs}`,
    (signal) => {
      const to = Date.now();
      return get<HistoryView>(
        `/pipelines/${encodeURIComponent(pipeline)}/history`,
        { from: Math.round(to - spanMs), to: Math.round(to) },
        signal,
      );
    },
    spanMs <= HOUR ? 5_000 : 30_000,
  );
  return (
    <Section
      title="Over time"
      aside={
        <Choices
          label="Range"
          word="range"
          usual={FIRST}
          choices={[
            { value: '15m', label: '15 min' },
            { value: '1h', label: '1 hour' },
            { value: '6h', label: '6 hours' },
            { value: '24h', label: '24 hours' },
            { value: '7d', label: '7 days' },
          ]}
        />
      }
    >
      {found.problem !== null && <ProblemNotice problem={found.problem} />}
      {found.value === null ? (
        found.isLoading && <Loading what="history" />
      ) : (
        <Charts history={found.value} />
      )}
    </Section>
  );
}

function Charts({ history }: { readonly history: HistoryView }) {
  const { fromMs, toMs, stepMs, points, silent } = history;
  const steps = useMemo(() => filled(points, { fromMs, toMs, stepMs }), [points, fromMs, toMs, stepMs]);
  const times = useMemo(() => steps.map((one) => one.atMs / 1000), [steps]);
  const lag = useMemo(
    () => [
      {
        label: 'greatest lag',
        color: '--accent',
        isFilled: true,
        values: steps.map((one) => one.point?.lagMaxMs ?? null),
      },
      {
        label: 'reading behind',
        color: '--warn',
        isDashed: true,
        values: steps.map((one) => one.point?.readLagMaxMs ?? null),
      },
    ],
    [steps],
  );
  const rate = useMemo(
    () => [
      {
        label: 'rows a second',
        color: '--good',
        isFilled: true,
        values: steps.map((one) => one.point?.rowsPerSecond ?? null),
      },
    ],
    [steps],
  );
  const common = { times, from: fromMs / 1000, to: toMs / 1000 };
  return (
    <>
      {silent.length > 0 && (
        <Notice title={`${silent.join(', ')} did not answer: what only they kept is missing.`} />
      )}
      <div class="card charts">
        <StateBand points={points} fromMs={fromMs} toMs={toMs} stepMs={stepMs} />
        <Chart
          title="Lag"
          series={lag}
          format={(value) => (value === 0 ? '0' : formatMs(value))}
          {...common}
        />
        <Chart title="Throughput" series={rate} format={(value) => formatRate(value)} {...common} />
      </div>
    </>
  );
}

interface BandProps {
  readonly points: readonly HistoryPoint[];
  readonly fromMs: number;
  readonly toMs: number;
  readonly stepMs: number;
}

function StateBand({ points, fromMs, toMs, stepMs }: BandProps) {
  const parts = stretches(points, stepMs);
  const states = [...new Set(parts.map((one) => one.state))];
  const place = (ms: number) =>
    `${(Math.min(1, Math.max(0, (ms - fromMs) / (toMs - fromMs))) * 100).toFixed(3)}%`;
  const width = (part: Stretch) =>
    `${(Math.min(1, (part.toMs - part.fromMs) / (toMs - fromMs)) * 100).toFixed(3)}%`;
  return (
    <figure class="band">
      <figcaption class="chart-head">
        <h3>State</h3>
        <span class="chart-legend">
          {states.map((state) => (
            <span key={state} class="chart-key">
              <StateMark state={state} /> {state}
            </span>
          ))}
        </span>
      </figcaption>
      <div
        class="band-line"
        role="img"
        aria-label={`State: ${parts.map((one) => `${one.state} from ${clockText(one.fromMs)}`).join(', ')}`}
      >
        {parts.map((part) => (
          <i
            key={part.fromMs}
            class={`band-part state-${part.state} tone-${toneOf(part.state)}`}
            style={{ left: place(part.fromMs), width: width(part) }}
            title={`${part.state}${part.code === null ? '' : ` (${part.code})`} from ${clockText(part.fromMs)}`}
          />
        ))}
      </div>
    </figure>
  );
}
