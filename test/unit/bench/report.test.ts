import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type DelayResult,
  type FigureResult,
  median,
  percentile,
  type RateResult,
  type ResultFile,
  resultLine,
} from '../../../bench/measurement.ts';
import { PICTURES, performancePage, readResults } from '../../../bench/report.ts';
import { repositoryRoot } from '../../support/inventory.ts';

const timing = (name: string, rows: number, load: number) => ({
  name,
  seconds: 200_000 / rows,
  rows: 200_000,
  rows_per_s: rows,
  firstCommitSeconds: name.startsWith('holt') ? 0.2 : null,
  batches: name.startsWith('holt') ? 20 : null,
  targetCpuSeconds: 1,
  sourceCpuSeconds: 0.1,
  nodesCpuSeconds: name.startsWith('holt') ? 2 : null,
  load,
});

const rate: RateResult = {
  bench: 'catchup',
  workload: 'skewed',
  server: 'mariadb',
  layout: 'node-per-site',
  mode: 'default',
  rows_per_s: 90_000,
  peer: 'own-replica',
  peer_rows_per_s: 30_000,
  ratio: 3,
};
const delay: DelayResult = {
  bench: 'latency',
  server: 'mariadb',
  tps: 5_000,
  rtt_ms: 0,
  p50_ms: 12,
  p99_ms: 290,
  max_ms: 400,
};
const figure: FigureResult = { bench: 'idle', metric: 'ZooKeeper writes', value: 0, unit: 'writes' };

const file = (load: number, more: Partial<ResultFile> = {}): ResultFile => ({
  bench: 'catchup',
  question: 'How fast?',
  seed: 1,
  machine: {
    at: '2026-01-02T03:04:05.000Z',
    cpu: 'a processor',
    cores: 2,
    memoryGb: 8,
    kernel: '6.1',
    node: 'v20.0.0',
    commit: 'abc',
    loadBefore: load,
    loadAfter: load,
  },
  versions: { mariadb: '10.11' },
  settings: { sync_binlog: '0' },
  config: 'batch:\n  maxRows: 20000\n',
  facts: { workload: 'skewed', flush: 'relaxed' },
  timings: [timing('holt node-per-site, warm', 90_000, load), timing('own replica, 4 threads', 30_000, load)],
  series: [],
  results: [rate],
  ...more,
});

const textOf = (...files: readonly ResultFile[]) => performancePage(files).text.replace(/ +/g, ' ');

describe('the performance page', () => {
  it('shows both sides and their ratio, the machine, and what was in effect', () => {
    const text = textOf(file(0.5));
    expect(text).toContain(
      '| mariadb | skewed | relaxed | node-per-site | default | 90 000 | own-replica | 30 000 | 3.00 × |',
    );
    expect(text).toContain('2 cores (a processor), 8 GiB');
    expect(text).toContain('`sync_binlog=0`');
    expect(text).toContain('maxRows: 20000');
  });

  it('holds figures against their aims', () => {
    const text = textOf(
      file(0.5),
      file(0.5, { bench: 'latency', facts: {}, timings: [], results: [delay] }),
      file(0.5, { bench: 'idle', facts: {}, timings: [], results: [figure] }),
    );
    expect(text).toContain(
      '| catchup: mariadb, skewed, beside its own replica | at least 4 × | 3.00 × | no |',
    );
    expect(text).toContain('| latency: 5000 transactions/s, p99 | at most 300 ms | 290 ms | yes |');
    expect(text).toContain('| idle: ZooKeeper writes | none | 0 writes | yes |');
  });

  it('does not hold durable figures against aims of relaxed ones', () => {
    expect(textOf(file(0.5, { facts: { workload: 'skewed', flush: 'durable' } }))).not.toContain('## Aims');
  });

  it('draws what it tells', () => {
    const { text, pictures } = performancePage([
      file(0.5, {
        bench: 'memory',
        results: [figure],
        series: [
          {
            name: 'east-1 & more',
            x: 'seconds',
            y: 'MB',
            points: [
              [0, 100],
              [10, 180],
            ],
          },
        ],
      }),
      file(0.5),
    ]);
    const names = [...text.matchAll(/\]\(performance\/([^)]+)\)/g)].map(([, name]) => name);
    expect(names.sort()).toEqual([...pictures.keys()].sort());
    expect(names).toHaveLength(2);
    for (const svg of pictures.values()) expect(svg).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
    expect([...pictures.values()].join('')).toContain('east-1 &amp; more');
  });

  it('says when the machine had other work', () => {
    expect(textOf(file(0.5))).not.toContain('not quiet');
    expect(textOf(file(9))).toContain('not quiet in 1 of these 1 runs');
  });

  it('in the repository is that of the results in the repository, pictures included', () => {
    const files = readResults();
    expect(files.length).toBeGreaterThan(0);
    const docs = join(repositoryRoot(), 'docs');
    const page = performancePage(files);
    expect(readFileSync(join(docs, 'performance.md'), 'utf8')).toBe(page.text);
    const folder = join(docs, PICTURES);
    const kept = existsSync(folder) ? readdirSync(folder) : [];
    expect(kept.sort()).toEqual([...page.pictures.keys()].sort());
    for (const name of kept) expect(readFileSync(join(folder, name), 'utf8')).toBe(page.pictures.get(name));
  });
});

describe('a measurement', () => {
  it('ends with a line for programs', () => {
    const keysOf = (one: RateResult | DelayResult | FigureResult) => {
      const line = resultLine(one);
      expect(line).toMatch(/^RESULT \{.*\}\n$/);
      return Object.keys(JSON.parse(line.slice(7)) as object).join(', ');
    };
    expect(keysOf(rate)).toBe(
      'bench, workload, server, layout, mode, rows_per_s, peer, peer_rows_per_s, ratio',
    );
    expect(keysOf(delay)).toBe('bench, server, tps, rtt_ms, p50_ms, p99_ms, max_ms');
    expect(keysOf(figure)).toBe('bench, metric, value, unit');
  });

  it('is the middle of its rounds', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(median([])).toBe(0);
  });

  it('has percentiles by nearest rank', () => {
    const values = Float64Array.from({ length: 100 }, (_, i) => i + 1);
    expect(percentile(values, 0.5)).toBe(50);
    expect(percentile(values, 0.99)).toBe(99);
    expect(percentile(values, 1)).toBe(100);
    expect(percentile([7], 0.5)).toBe(7);
    expect(percentile([], 0.5)).toBe(0);
  });
});
