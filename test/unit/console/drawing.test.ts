import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { niceTop } from '../../../console/components/scale.ts';
import { endsOf } from '../../../console/pages/ends-of.ts';
import { filled, stretches } from '../../../console/pages/history-steps.ts';
import { curveOf, linksOf, placesOf } from '../../../console/pages/links.ts';
import type { HistoryPoint } from '../../../node/history/samples.ts';
import { MadeUpInstallation } from '../../support/made-up-installation.ts';

const point = (fromMs: number, state: HistoryPoint['state'] = 'running'): HistoryPoint => ({
  ...{ fromMs, state, code: null, lagMaxMs: 1, lagMeanMs: 1, lagErrorMs: 1, readLagMaxMs: 1 },
  ...{ stage: null, rowsPerSecond: 1, samples: 1 },
});

describe('what is drawn of the history', () => {
  it('has a gap where nothing is known', () => {
    const steps = filled([point(100), point(130)], { fromMs: 100, toMs: 140, stepMs: 10 });
    expect(steps.map((one) => one.point !== null)).toEqual([true, false, false, true]);
  });

  it('puts points of one state together, and not across a gap', () => {
    const parts = stretches([point(0), point(10), point(20, 'failed'), point(50, 'failed')], 10);
    expect(parts.map((one) => [one.state, one.fromMs, one.toMs])).toEqual([
      ['running', 0, 20],
      ['failed', 20, 30],
      ['failed', 50, 60],
    ]);
  });

  it('has room above the greatest figure', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-6, max: 1e12, noNaN: true }), (max) => {
        expect(niceTop(max)).toBeGreaterThan(max);
        expect(niceTop(max)).toBeLessThan(max * 2.2);
      }),
    );
    expect(niceTop(0)).toBe(1);
    expect(niceTop(null)).toBe(1);
  });
});

describe('the map', () => {
  const installation = new MadeUpInstallation();
  const ends = endsOf(installation.sites());

  it('knows where each pipeline reads and writes', () => {
    expect(ends.get('orders-frankfurt-oregon')).toEqual({ from: 'frankfurt', to: 'oregon' });
    expect(ends.size).toBe(installation.pipelines.length);
  });

  it('shows of a link the state that wants somebody most, and the greatest lag', () => {
    const links = linksOf(installation.pipelines, ends, ['failed', 'running', 'idle']);
    const found = links.find((one) => one.from === 'oregon' && one.to === 'frankfurt');
    expect(found).toMatchObject({ pipelines: 2, worst: 'failed', lagMs: 1_320_000 });
  });

  it('has a place for every site, and two lines for there and back', () => {
    for (const count of [1, 2, 3, 7]) {
      const sites = Array.from({ length: count }, (_, index) => `s${index}`);
      const places = [...placesOf(sites, 760, 380).values()];
      expect(new Set(places.map(({ x, y }) => `${Math.round(x)} ${Math.round(y)}`)).size).toBe(count);
    }
    const [a, b] = [
      { x: 100, y: 100 },
      { x: 500, y: 100 },
    ];
    const options = { margin: 60, bend: 40 };
    expect(Math.sign(curveOf(a, b, options).label.y - 100)).toBe(
      -Math.sign(curveOf(b, a, options).label.y - 100),
    );
  });
});
