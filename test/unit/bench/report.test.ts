import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { median, RESULTS, type ResultFile, resultFile, resultLine } from '../../../bench/measurement.ts';
import { performancePage } from '../../../bench/report.ts';
import { repositoryRoot } from '../../support/inventory.ts';

const timing = (name: string, rows: number, load: number) => ({
  name,
  seconds: 200_000 / rows,
  rows_per_s: rows,
  firstCommitSeconds: name.startsWith('holt') ? 0.2 : null,
  batches: name.startsWith('holt') ? 20 : null,
  targetCpuSeconds: 1,
  sourceCpuSeconds: 0.1,
  nodesCpuSeconds: name.startsWith('holt') ? 2 : null,
  load,
});

const file = (load: number): ResultFile => ({
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
  backlog: {
    transactions: 50_000,
    rows: 200_000,
    binlogBytes: 106e6,
    tables: 8,
    tableRows: 20_000,
    distribution: 'special',
  },
  timings: [timing('holt per-site, warm', 90_000, load), timing('mariadb replica, 4 threads', 30_000, load)],
  results: [
    {
      bench: 'catchup',
      workload: 'skewed',
      server: 'mariadb',
      layout: 'per-site',
      mode: 'prefix, warm',
      rows_per_s: 90_000,
      peer: 'mariadb replica, 4 threads',
      peer_rows_per_s: 30_000,
      ratio: 3,
    },
  ],
});

describe('the performance page', () => {
  it('shows both sides and their ratio, and the machine', () => {
    const page = performancePage([file(0.5)]).replace(/ +/g, ' ');
    expect(page).toContain(
      '| mariadb | skewed | per-site | prefix, warm | 90 000 | 30 000 | mariadb replica, 4 threads | 3.00 × | 3.1 | 1.1 |',
    );
    expect(page).toContain('2 cores (a processor), 8 GiB');
    expect(page).toContain('`sync_binlog=0`');
  });

  it('says when the machine had other work', () => {
    expect(performancePage([file(0.5)])).not.toContain('not quiet');
    expect(performancePage([file(9)])).toContain('not quiet in 1 of these 1 runs');
  });

  it('in the repository is that of the results in the repository', () => {
    const names = existsSync(RESULTS) ? readdirSync(RESULTS).filter((name) => name.endsWith('.json')) : [];
    const files = names
      .sort()
      .map((name) => resultFile.parse(JSON.parse(readFileSync(join(RESULTS, name), 'utf8'))));
    expect(files.length).toBeGreaterThan(0);
    expect(readFileSync(join(repositoryRoot(), 'docs/performance.md'), 'utf8')).toBe(performancePage(files));
  });
});

describe('a measurement', () => {
  it('ends with a line for programs', () => {
    const [result] = file(0).results;
    if (result === undefined) throw new Error('no result');
    const line = resultLine(result);
    expect(line).toMatch(/^RESULT \{.*\}\n$/);
    expect(Object.keys(JSON.parse(line.slice(7)) as object)).toEqual([
      'bench',
      'workload',
      'server',
      'layout',
      'mode',
      'rows_per_s',
      'peer',
      'peer_rows_per_s',
      'ratio',
    ]);
  });

  it('is the middle of its rounds', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(median([])).toBe(0);
  });
});
