/** Figures over time. The line is for the eyes; the same is said in words to whoever listens. */
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { niceTop } from './scale.ts';
import { timeText } from './time.tsx';

export interface ChartSeries {
  readonly label: string;
  /** A colour of the style sheet: `--accent`. */
  readonly color: string;
  readonly values: readonly (number | null)[];
  readonly isFilled?: boolean;
  readonly isDashed?: boolean;
}

interface ChartProps {
  readonly title: string;
  /** Seconds since 1970, rising. */
  readonly times: readonly number[];
  readonly series: readonly ChartSeries[];
  readonly format: (value: number) => string;
  /** Seconds: the whole range, also where nothing is known. */
  readonly from: number;
  readonly to: number;
  readonly height?: number;
}

export function Chart({ title, times, series, format, from, to, height = 180 }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [at, setAt] = useState<number | null>(null);
  const [theme, setTheme] = useState(0);
  const shape = series.map((one) => `${one.label} ${one.color}`).join();
  useEffect(() => onTheme(() => setTheme((count) => count + 1)), []);
  useEffect(() => {
    const target = place.current;
    if (target === null) return;
    const made = new uPlot(
      optionsFor(target, { series, format, height, range: () => latest.current, setAt }),
      dataOf(times, series),
      target,
    );
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: target.clientWidth, height }));
    resized.observe(target);
    return () => {
      resized.disconnect();
      made.destroy();
      plot.current = null;
    };
    // Data are set below; colours are those of the theme.
  }, [shape, theme, height]);
  const latest = useRef<readonly [number, number]>([from, to]);
  latest.current = [from, to];
  useEffect(() => {
    plot.current?.setData(dataOf(times, series));
  }, [times, series, from, to]);
  const shown = at ?? lastKnown(series);
  return (
    <figure class="chart">
      <figcaption class="chart-head">
        <h3>{title}</h3>
        <span class="chart-legend">
          {series.map(({ label, color, values }) => (
            <span key={label} class="chart-key">
              <svg width="12" height="8" aria-hidden="true" focusable="false">
                <title>{label}</title>
                <path d="M0 4h12" stroke={`var(${color})`} stroke-width="2.5" />
              </svg>
              {label} <strong class="figure">{textOf(values[shown], format)}</strong>
            </span>
          ))}
          <span class="figure soft chart-at">
            {at === null ? 'latest' : timeText((times[at] ?? 0) * 1000)}
          </span>
        </span>
      </figcaption>
      <div ref={place} class="chart-plot" role="img" aria-label={inWords(title, series, format)} />
    </figure>
  );
}

function optionsFor(
  target: HTMLElement,
  given: {
    readonly series: readonly ChartSeries[];
    readonly format: (value: number) => string;
    readonly height: number;
    readonly range: () => readonly [number, number];
    readonly setAt: (index: number | null) => void;
  },
): uPlot.Options {
  const color = (name: string) => resolved(target, `var(${name})`);
  const line = color('--line');
  const axis: uPlot.Axis = {
    stroke: color('--soft'),
    font: '11.5px "Inter Variable", system-ui, sans-serif',
    grid: { stroke: line, width: 1 },
    ticks: { show: false },
    border: { show: false },
    gap: 6,
  };
  return {
    width: target.clientWidth,
    height: given.height,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
    scales: {
      x: { time: true, range: () => [...given.range()] as [number, number] },
      y: { range: (_plot, _min, max) => [0, niceTop(max)] },
    },
    axes: [
      { ...axis, size: 30, grid: { show: false }, values: timeLabels },
      { ...axis, size: 72, values: (_plot, splits) => splits.map((value) => given.format(value)) },
    ],
    series: [
      {},
      ...given.series.map((one) => ({
        label: one.label,
        stroke: color(one.color),
        width: 1.6,
        points: { show: false },
        spanGaps: false,
        ...(one.isDashed === true ? { dash: [4, 4] } : {}),
        ...(one.isFilled === true
          ? { fill: resolved(target, `color-mix(in srgb, var(${one.color}) 12%, transparent)`) }
          : {}),
      })),
    ],
    hooks: { setCursor: [(made) => given.setAt(made.cursor.idx ?? null)] },
  };
}

function dataOf(times: readonly number[], series: readonly ChartSeries[]): uPlot.AlignedData {
  return [[...times], ...series.map(({ values }) => [...values])];
}

const DAY_S = 86_400;

function timeLabels(plot: uPlot, splits: readonly number[]): string[] {
  const span = (plot.scales.x?.max ?? 0) - (plot.scales.x?.min ?? 0);
  const two = (value: number) => String(value).padStart(2, '0');
  return splits.map((seconds) => {
    const at = new Date(seconds * 1000);
    const clock = `${two(at.getHours())}:${two(at.getMinutes())}`;
    return span > 2 * DAY_S ? `${two(at.getDate())}.${two(at.getMonth() + 1)}. ${clock}` : clock;
  });
}

/** What a colour of the style sheet is in this theme, as a canvas understands it. */
function resolved(near: HTMLElement, color: string): string {
  const probe = document.createElement('span');
  probe.style.color = color;
  near.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

function onTheme(listener: () => void): () => void {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  dark.addEventListener('change', listener);
  addEventListener('holt:theme', listener);
  return () => {
    dark.removeEventListener('change', listener);
    removeEventListener('holt:theme', listener);
  };
}

function lastKnown(series: readonly ChartSeries[]): number {
  return Math.max(0, ...series.map(({ values }) => values.findLastIndex((value) => value !== null)));
}

function textOf(value: number | null | undefined, format: (value: number) => string): string {
  return value === null || value === undefined ? '–' : format(value);
}

function inWords(title: string, series: readonly ChartSeries[], format: (value: number) => string): string {
  const each = series.map(({ label, values }) => {
    const known = values.filter((value) => value !== null);
    const last = known.at(-1);
    return last === undefined
      ? `${label}: nothing is known`
      : `${label}: ${format(last)} at the end, at most ${format(Math.max(...known))}`;
  });
  return `${title}. ${each.join('; ')}.`;
}

interface SparklineProps {
  readonly values: readonly number[];
  readonly label: string;
  readonly width?: number;
  readonly height?: number;
}

/** The course of a figure, small. */
export function Sparkline({ values, label, width = 160, height = 32 }: SparklineProps) {
  if (values.length < 2) return <span class="sparkline-none" />;
  const top = Math.max(...values, 1);
  const x = (index: number) => (index / (values.length - 1)) * width;
  const y = (value: number) => height - 2 - (value / top) * (height - 4);
  const points = values.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`);
  return (
    <svg
      class="sparkline"
      viewBox={`0 0 ${width} ${height}`}
      width={width}
      height={height}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <path d={`M${points.join('L')}L${width},${height}L0,${height}Z`} class="sparkline-fill" />
      <path d={`M${points.join('L')}`} class="sparkline-line" vector-effect="non-scaling-stroke" />
    </svg>
  );
}
