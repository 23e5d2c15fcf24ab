import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { metricsCatalogue } from '../../../node/metrics.ts';
import { repositoryRoot } from '../../support/inventory.ts';

/** Rules and dashboard against what nodes export: a figure that was renamed would leave an alert that never fires. */
const METRICS = new Map(metricsCatalogue().map((one) => [one.name, one]));

interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

const RULES = (
  parse(readFileSync(join(repositoryRoot(), 'monitoring/prometheus/holt-rules.yaml'), 'utf8')) as {
    readonly groups: readonly { readonly rules: readonly Rule[] }[];
  }
).groups.flatMap((one) => one.rules);
const RECORDED = new Set(RULES.flatMap(({ record }) => record ?? []));

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly targets?: readonly { readonly expr: string }[];
}
const DASHBOARD = JSON.parse(
  readFileSync(join(repositoryRoot(), 'monitoring/grafana/holt-dashboard.json'), 'utf8'),
) as { readonly panels: readonly Panel[] };

/** Labels that Prometheus itself adds. */
const OF_SCRAPES = ['instance', 'job'];

/** What is wrong with a query: names that nobody exports, labels that they do not have. */
function faultsOf(query: string): readonly string[] {
  const faults: string[] = [];
  const labels = new Set(OF_SCRAPES);
  for (const [, name = '', matchers = ''] of query.matchAll(/(?<![\w:])(holt[_:][\w:]*)(?:\{([^}]*)\})?/g)) {
    if (RECORDED.has(name)) {
      for (const one of ['pipeline', 'stage']) labels.add(one);
      continue;
    }
    const metric = METRICS.get(name) ?? METRICS.get(name.replace(/_(?:bucket|sum|count)$/, ''));
    if (metric === undefined) {
      faults.push(`${name}: nobody exports it`);
      continue;
    }
    const own = [...metric.labels, ...(name.endsWith('_bucket') ? ['le'] : [])];
    for (const one of own) labels.add(one);
    if (metric.kind === 'histogram' && metric.name === name)
      faults.push(`${name}: a histogram has no value of its own`);
    for (const [, label = ''] of matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g))
      if (![...own, ...OF_SCRAPES].includes(label)) faults.push(`${name}: it has no label ${label}`);
    if (metric.kind === 'counter' && !new RegExp(`(?:rate|increase)\\(${name}\\b`).test(query))
      faults.push(`${name}: a counter says something by its rate`);
  }
  for (const [, list = ''] of query.matchAll(/\b(?:by|on|without)\s*\(([^)]*)\)/g))
    for (const label of list.split(',').map((one) => one.trim()))
      if (!labels.has(label)) faults.push(`by (${label}): none of its metrics has that label`);
  return faults;
}

describe('the check itself', () => {
  test.each([
    ['holt_no_such_thing', 'nobody exports it'],
    ['holt_alarms_firing{colour="red"}', 'no label colour'],
    ['sum by (colour) (holt_alarms_firing)', 'by (colour)'],
    ['holt_stage_rows_total > 1', 'by its rate'],
    ['holt_stage_batch_duration_seconds > 1', 'histogram'],
  ])('finds what is wrong with %s', (query, what) => {
    expect(faultsOf(query).join()).toContain(what);
  });
});

describe('alert and recording rules', () => {
  test.each(RULES.map((one) => [one.record ?? one.alert ?? '', one] as const))(
    '%s asks for what there is',
    (_name, rule) => {
      expect(faultsOf(rule.expr)).toEqual([]);
      if (rule.alert === undefined) return;
      expect(rule.labels?.severity).toMatch(/^(critical|warning)$/);
      expect(rule.annotations?.summary).toBeTruthy();
      expect(rule.annotations?.description).toBeTruthy();
      // What the text names is among the labels that the query leaves.
      const kept = [...rule.expr.matchAll(/\bby\s*\(([^)]*)\)/g)].flatMap(([, list = '']) =>
        list.split(',').map((one) => one.trim()),
      );
      for (const [, label = ''] of JSON.stringify(rule.annotations).matchAll(/\$labels\.(\w+)/g))
        expect([...kept, ...(rule.expr.includes('holt:') ? ['pipeline', 'stage'] : [])]).toContain(label);
    },
  );

  test('each has its own name', () => {
    const names = RULES.map((one) => one.alert ?? one.record);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('the dashboard', () => {
  const panels = DASHBOARD.panels.filter((one) => one.type !== 'row');

  test.each(panels.map((one) => [one.title, one] as const))('%s asks for what there is', (_title, panel) => {
    expect(panel.targets?.length).toBeGreaterThan(0);
    for (const { expr } of panel.targets ?? []) expect(faultsOf(expr)).toEqual([]);
  });

  test('covers what an operator asks first', () => {
    const all = panels
      .flatMap((one) => one.targets ?? [])
      .map((one) => one.expr)
      .join('\n');
    for (const name of [
      'holt_pipeline_lag_seconds',
      'holt_pipeline_lag_stage',
      'holt_pipeline_state',
      'holt_alarms_firing',
    ])
      expect(all).toContain(name);
  });
});

describe('metrics', () => {
  test('have base units, their kind in the name, and a sentence', () => {
    for (const { name, kind, help } of METRICS.values()) {
      expect(name).toMatch(/^holt_[a-z0-9_]+$/);
      expect(name).not.toMatch(/_(?:ms|millis|milliseconds|kb|mb)$/);
      expect(kind === 'counter').toBe(name.endsWith('_total'));
      expect(help).toMatch(/\.$/);
    }
  });

  test('have no labels without end: no row, no table, no address', () => {
    const labels = new Set([...METRICS.values()].flatMap((one) => one.labels));
    expect([...labels].sort()).toEqual(
      [
        'channel',
        'code',
        'kind',
        'lane',
        'method',
        'op',
        'party',
        'pipeline',
        'queue',
        'release',
        'result',
        'route',
        'severity',
        'shape',
        'stage',
        'state',
        'status',
        'why',
      ].sort(),
    );
  });

  test('are all in the reference', () => {
    const page = readFileSync(join(repositoryRoot(), 'docs/reference/metrics.md'), 'utf8');
    for (const { name, labels } of METRICS.values())
      expect(page).toContain(
        `| \`${name}\` | ${METRICS.get(name)?.kind} | ${labels.map((one) => `\`${one}\``).join(', ')} |`,
      );
  });
});
