/** npm run bench -- report: writes docs/performance.md and its pictures from the files in bench/results. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { barChart, lineChart } from './chart.ts';
import {
  type DelayResult,
  type FigureResult,
  median,
  type RateResult,
  RESULTS,
  type ResultFile,
  resultFile,
} from './measurement.ts';
import { AGAIN, AIMS, INTRODUCTION, LIMITS, SECTIONS, type Section } from './report-text.ts';

const PAGE = fileURLToPath(new URL('../docs/performance.md', import.meta.url));
/** Beside the page. */
export const PICTURES = 'performance';

export interface Page {
  readonly text: string;
  /** Name → SVG. */
  readonly pictures: ReadonlyMap<string, string>;
}

export function report(): void {
  const page = performancePage(readResults());
  const folder = join(dirname(PAGE), PICTURES);
  writeFileSync(PAGE, page.text);
  rmSync(folder, { recursive: true, force: true });
  if (page.pictures.size > 0) mkdirSync(folder, { recursive: true });
  for (const [name, svg] of page.pictures) writeFileSync(join(folder, name), svg);
  process.stdout.write(`${PAGE}\n`);
}

export function readResults(): readonly ResultFile[] {
  return readdirSync(RESULTS)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => resultFile.parse(JSON.parse(readFileSync(join(RESULTS, name), 'utf8'))));
}

/** The page, from what was measured: pure, so that a test can say whether the page in the repository is the one of its figures. */
export function performancePage(files: readonly ResultFile[]): Page {
  const pictures = new Map<string, string>();
  const known = SECTIONS.map(({ bench }) => bench);
  const others = [...new Set(files.map(({ bench }) => bench))].filter((bench) => !known.includes(bench));
  const sections = [
    ...SECTIONS,
    ...others.map((bench): Section => ({ bench, title: bench, text: '', bounds: '' })),
  ];
  const parts = sections.flatMap((section) => {
    const own = files.filter(({ bench }) => bench === section.bench);
    return own.length === 0 ? [] : [sectionOf(section, own, pictures)];
  });
  const text = [INTRODUCTION, busy(files), aims(files), ...parts, AGAIN, LIMITS]
    .filter((part) => part !== '')
    .join('\n');
  return { text, pictures };
}

function sectionOf(section: Section, files: readonly ResultFile[], pictures: Map<string, string>): string {
  const rates = files.flatMap((file) => file.results.filter(isRate).map((one) => ({ file, one })));
  const delays = files.flatMap((file) => file.results.filter(isDelay).map((one) => ({ file, one })));
  const figures = files.flatMap((file) => file.results.filter(isFigure).map((one) => ({ file, one })));
  const add = (name: string, title: string, svg: string) => {
    pictures.set(name, svg);
    return `![${title}](${PICTURES}/${name})\n`;
  };
  return [
    `## ${section.title}\n`,
    ...(section.text === '' ? [] : [section.text]),
    ...(rates.length === 0
      ? []
      : [
          table(
            [
              'server',
              'workload',
              'flush',
              'layout',
              'mode',
              'Holt, rows/s',
              'peer',
              'peer, rows/s',
              'ratio',
            ],
            rates.map(({ file, one }) => [
              one.server,
              one.workload,
              String(file.facts.flush ?? '–'),
              one.layout,
              one.mode,
              count(one.rows_per_s),
              one.peer,
              count(one.peer_rows_per_s),
              `${one.ratio.toFixed(2)} ×`,
            ]),
          ),
          '',
          add(
            `${section.bench}-ratios.svg`,
            `${section.title}: how many times the peer`,
            barChart({
              title: 'times as fast as the peer',
              bars: rates.map(({ file, one }) => ({
                label: [one.server, one.workload, file.facts.flush ?? '', one.layout, one.mode, one.peer]
                  .filter((word) => word !== '')
                  .join(' · '),
                value: one.ratio,
              })),
            }),
          ),
        ]),
    ...(delays.length === 0
      ? []
      : [
          table(
            ['server', 'transactions/s', 'round trip, ms', 'p50, ms', 'p99, ms', 'most, ms'],
            delays.map(({ one }) => [
              one.server,
              count(one.tps),
              String(one.rtt_ms),
              String(one.p50_ms),
              String(one.p99_ms),
              String(one.max_ms),
            ]),
          ),
          '',
        ]),
    ...(figures.length === 0
      ? []
      : [
          table(
            ['what', 'value', 'unit'],
            figures.map(({ one }) => [one.metric, amount(one.value), one.unit]),
          ),
          '',
        ]),
    ...files.flatMap((file) => {
      const axes = [...new Set(file.series.map(({ x, y }) => `${x}\n${y}`))];
      return axes.map((both, n) => {
        const lines = file.series.filter(({ x, y }) => `${x}\n${y}` === both);
        const [first] = lines;
        const title = `${section.title}: ${first?.y ?? ''}`;
        const chart = lineChart({ title, x: first?.x ?? '', lines });
        const key = String(
          file.facts.name ?? file.facts.workload ?? file.results.find(isDelay)?.server ?? '',
        );
        return add(
          `${[section.bench, key, n].filter((word) => word !== '').join('-')}.svg`.replace(
            /[^a-z0-9.-]/gi,
            '-',
          ),
          title,
          chart,
        );
      });
    }),
    ...(section.bounds === '' ? [] : [`**What bounds it.** ${section.bounds}`]),
    ...files.map((file) => detail(file)),
  ].join('\n');
}

/** The aims beside the best figure there is for each. */
function aims(files: readonly ResultFile[]): string {
  const rows = AIMS.flatMap(({ what, aim, reached }) => {
    const found = files.flatMap((file) => reached(file) ?? []);
    const [last] = found.slice(-1);
    return last === undefined ? [] : [[what, aim, last.text, last.holds ? 'yes' : 'no']];
  });
  if (rows.length === 0) return '';
  return `## Aims\n\n${table(['what', 'aim', 'measured', 'reached'], rows)}\n`;
}

/** Says so where the machine had other work. */
function busy(files: readonly ResultFile[]): string {
  const loaded = files.filter(({ machine, timings }) => {
    const loads = timings.map(({ load }) => load);
    return Math.max(machine.loadBefore, ...loads) > 2 * machine.cores;
  });
  if (loaded.length === 0) return '';
  return `The machine was not quiet in ${loaded.length} of these ${files.length} runs: the load average stands beside each measurement. Ratios are of medians within
one run, but what else ran changed from one minute to the next, and many processes that wait for each other lose more by that than one
that does not: neither rows/s nor ratios of such runs are to be relied on. A quiet machine shows more on both sides.\n`;
}

function detail(file: ResultFile): string {
  const { machine, versions, settings, config, facts, seed } = file;
  const pairs = (values: Readonly<Record<string, string | number>>) =>
    Object.entries(values).map(
      ([name, value]) => `${name}: ${typeof value === 'number' ? amount(value) : value}`,
    );
  const title = [...Object.keys(versions), facts.workload ?? '', facts.flush ?? '']
    .filter((word) => word !== '')
    .join(', ');
  return `<details><summary>${title === '' ? file.bench : title}: conditions and rounds</summary>

${Object.entries(versions)
  .map(([name, version]) => `${name} ${version}`)
  .join(
    ', ',
  )}, node ${machine.node}, Linux ${machine.kernel}, ${machine.cores} cores (${machine.cpu}), ${machine.memoryGb} GiB, ${machine.at.slice(0, 16)}Z, commit ${machine.commit},
load average ${machine.loadBefore} before and ${machine.loadAfter} after, seed ${seed}.

${pairs(facts)
  .map((line) => `- ${line}`)
  .join('\n')}
- servers: ${Object.entries(settings)
    .map(([name, value]) => `\`${name}=${value}\``)
    .join(', ')}

${rounds(file)}${config === '' ? '' : `\`\`\`yaml\n${config.trimEnd()}\n\`\`\`\n\n`}</details>
`;
}

function rounds({ timings }: ResultFile): string {
  if (timings.length === 0) return '';
  const names = [...new Set(timings.map((one) => one.name))];
  const rows = names.map((name) => {
    const own = timings.filter((one) => one.name === name);
    const middle = (value: (one: (typeof own)[number]) => number | null) => {
      const known = own.map(value).filter((one) => one !== null);
      return known.length === 0 ? '–' : String(Math.round(median(known) * 100) / 100);
    };
    return [
      name,
      own.map((one) => count(one.rows_per_s)).join(', '),
      middle((one) => one.seconds),
      middle((one) => one.firstCommitSeconds),
      middle((one) => one.batches),
      middle((one) => one.nodesCpuSeconds),
      middle((one) => one.sourceCpuSeconds),
      middle((one) => one.targetCpuSeconds),
      own.map((one) => one.load).join(', '),
    ];
  });
  const head = [
    'what',
    'rows/s of each round',
    'seconds',
    'until the first commit',
    'batches',
    'CPU s between',
    'CPU s of the source',
    'CPU s of the target',
    'load average',
  ];
  return `${table(head, rows)}\n\n`;
}

const isRate = (one: ResultFile['results'][number]): one is RateResult => 'ratio' in one;
const isDelay = (one: ResultFile['results'][number]): one is DelayResult => 'p99_ms' in one;
const isFigure = (one: ResultFile['results'][number]): one is FigureResult => 'metric' in one;

/** Columns of equal width, as the formatter of the repository wants them. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) => Math.max(3, title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en').replaceAll(',', ' ');
}

function amount(value: number): string {
  return Number.isInteger(value) ? count(value) : String(value);
}
