/** What a benchmark leaves behind: a line for whoever reads along, a file for the report, the machine beside both. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

export const RESULTS = fileURLToPath(new URL('./results', import.meta.url));

export const measurement = z.strictObject({
  bench: z.string(),
  workload: z.string(),
  server: z.string(),
  layout: z.string(),
  /** How Load applies: `prefix` shows a transaction boundary of the source at every moment (G3); and by which nodes. */
  mode: z.string(),
  /** Source row changes a second. */
  rows_per_s: z.number(),
  /** The setting at which the server's own replica was best in the same run. */
  peer: z.string(),
  peer_rows_per_s: z.number(),
  ratio: z.number(),
});
export type Measurement = z.infer<typeof measurement>;

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
  rows_per_s: z.number(),
  /** Until the checkpoint moved first; null for the server's own replica. */
  firstCommitSeconds: z.number().nullable(),
  batches: z.number().nullable(),
  /** CPU seconds meanwhile: of the target server, of the source server, of Holt's nodes together. */
  targetCpuSeconds: z.number(),
  sourceCpuSeconds: z.number(),
  nodesCpuSeconds: z.number().nullable(),
  /** One minute's load average at the end. */
  load: z.number(),
});
export type Timing = z.infer<typeof timing>;

export const resultFile = z.strictObject({
  machine,
  versions: z.record(z.string(), z.string()),
  settings: z.record(z.string(), z.string()),
  backlog: z.strictObject({
    transactions: z.number(),
    rows: z.number(),
    binlogBytes: z.number(),
    tables: z.number(),
    tableRows: z.number(),
    distribution: z.string(),
  }),
  timings: z.array(timing),
  results: z.array(measurement),
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
export function resultLine(result: Measurement): string {
  return `RESULT ${JSON.stringify(result)}\n`;
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

function commit(): string {
  try {
    const git = (...args: string[]) =>
      execFileSync('git', args, { cwd: RESULTS.replace(/results$/, ''), encoding: 'utf8' }).trim();
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain') === '' ? '' : ' and changes');
  } catch {
    return 'unknown';
  }
}
