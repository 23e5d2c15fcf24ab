/** What a benchmark leaves behind: lines for whoever reads along, a file of record for the page, the machine beside both. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

export const RESULTS = fileURLToPath(new URL('./results', import.meta.url));

/** A rate beside that of a peer in the same run: medians of the rounds. */
export const rateResult = z.strictObject({
  bench: z.string(),
  workload: z.string(),
  server: z.string(),
  layout: z.string(),
  mode: z.string(),
  /** Source row changes a second. */
  rows_per_s: z.number(),
  /** `own-replica` at the better of its settings, `zongji`, or `statement-a-row`. */
  peer: z.string(),
  peer_rows_per_s: z.number(),
  ratio: z.number(),
});
export type RateResult = z.infer<typeof rateResult>;

/** From commit at the source to commit at the target. */
export const delayResult = z.strictObject({
  bench: z.string(),
  server: z.string(),
  tps: z.number(),
  rtt_ms: z.number(),
  p50_ms: z.number(),
  p99_ms: z.number(),
  max_ms: z.number(),
});
export type DelayResult = z.infer<typeof delayResult>;

export const figureResult = z.strictObject({
  bench: z.string(),
  metric: z.string(),
  value: z.number(),
  unit: z.string(),
});
export type FigureResult = z.infer<typeof figureResult>;

export const result = z.union([rateResult, delayResult, figureResult]);
export type Result = z.infer<typeof result>;

export const machine = z.strictObject({
  at: z.string(),
  cpu: z.string(),
  cores: z.number(),
  memoryGb: z.number(),
  kernel: z.string(),
  node: z.string(),
  commit: z.string(),
  /** Load averages of the last minute before and after: above the number of cores, others were at work. */
  loadBefore: z.number(),
  loadAfter: z.number(),
});

/** One timed catching up. */
export const timing = z.strictObject({
  name: z.string(),
  seconds: z.number(),
  /** Row changes that were timed: a slow side is not timed to the end. */
  rows: z.number(),
  rows_per_s: z.number(),
  /** Until the checkpoint moved first; null for a peer. */
  firstCommitSeconds: z.number().nullable(),
  batches: z.number().nullable(),
  /** CPU seconds meanwhile: of the target server, of the source server, of what replicates (none for the own replica). */
  targetCpuSeconds: z.number(),
  sourceCpuSeconds: z.number(),
  nodesCpuSeconds: z.number().nullable(),
  /** One minute's load average at the end. */
  load: z.number(),
});
export type Timing = z.infer<typeof timing>;

/** Points for a picture. */
export const series = z.strictObject({
  name: z.string(),
  x: z.string(),
  y: z.string(),
  points: z.array(z.tuple([z.number(), z.number()])),
});
export type Series = z.infer<typeof series>;

export const resultFile = z.strictObject({
  bench: z.string(),
  question: z.string(),
  seed: z.number(),
  machine,
  versions: z.record(z.string(), z.string()),
  /** Of the servers. */
  settings: z.record(z.string(), z.string()),
  /** What was in effect: the pipelines of Holt's configuration. */
  config: z.string(),
  /** What else must be known to read the figures. */
  facts: z.record(z.string(), z.union([z.string(), z.number()])),
  timings: z.array(timing),
  series: z.array(series),
  results: z.array(result),
});
export type ResultFile = z.infer<typeof resultFile>;

export function machineLine(loadBefore: number): z.infer<typeof machine> {
  return {
    at: new Date().toISOString(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 1024 ** 3),
    kernel: release(),
    node: process.version,
    commit: commit(),
    loadBefore: rounded(loadBefore, 1),
    loadAfter: rounded(loadavg()[0] ?? 0, 1),
  };
}

/** The line that ends a measurement. */
export function resultLine(one: Result): string {
  return `RESULT ${JSON.stringify(one)}\n`;
}

export function writeResults(name: string, results: ResultFile): string {
  mkdirSync(RESULTS, { recursive: true });
  const file = join(RESULTS, `${name}.json`);
  writeFileSync(file, `${JSON.stringify(resultFile.parse(results), null, 2)}\n`);
  return file;
}

export function rounded(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  const upper = sorted[half] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[half - 1] ?? 0)) / 2;
}

/** The value below which `share` of the sorted values lie (nearest rank); 0 without values. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  return sorted[Math.min(rank, sorted.length) - 1] ?? 0;
}

function commit(): string {
  try {
    const git = (...args: string[]) =>
      execFileSync('git', args, { cwd: RESULTS.replace(/results$/, ''), encoding: 'utf8' }).trim();
    const changed = git('status', '--porcelain', '--', ':!bench/results', ':!docs');
    return git('rev-parse', '--short', 'HEAD') + (changed === '' ? '' : ' and changes');
  } catch {
    return 'unknown';
  }
}
