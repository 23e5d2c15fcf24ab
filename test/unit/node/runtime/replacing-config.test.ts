import { describe, expect, test } from 'vitest';
import type { PipelineConfig } from '../../../../model/config.ts';
import { channelId, dataSourceId, pipelineId, siteId } from '../../../../model/ids.ts';
import { canonicalJson, replacingConfig } from '../../../../node/runtime/pipeline-configs.ts';

const RULE = {
  match: 'shop.orders',
  to: { schema: null, table: null },
  columns: { rename: {}, drop: [], order: null, constant: {} },
  where: null,
  processor: '/etc/holt/mask.js',
};

const RULING: PipelineConfig = {
  name: pipelineId('p'),
  channel: channelId('c'),
  source: dataSourceId('a'),
  target: dataSourceId('b'),
  sourceSite: siteId('east'),
  targetSite: siteId('west'),
  origins: [siteId('east')],
  start: { kind: 'now' },
  tables: { include: ['shop.*'], exclude: [] },
  onTableError: 'stop',
  rules: [RULE],
  batch: { maxRows: 1000, maxBytes: 1_000_000, partBytes: 1_000_000, window: 6 },
  largeTransactions: 'whole',
  conflict: { detect: false, winner: siteId('east') },
  pipe: { kind: 'node' },
  ddl: { default: 'replicate', kinds: {} },
};

const given = (change: object) => JSON.parse(canonicalJson({ ...RULING, ...change })) as unknown;

describe('a configuration put in place of the ruling one', () => {
  test('may carry other tables, rules, sizes and policies', () => {
    const change = {
      tables: { include: ['shop.*', 'crm.*'], exclude: ['shop.tmp_*'] },
      rules: [{ ...RULE, where: "region = 'EU'" }],
      batch: { ...RULING.batch, window: 3 },
      ddl: { default: 'stop', kinds: {} },
      onTableError: 'park',
    };
    expect(replacingConfig(given(change), RULING)).toEqual({ ...RULING, ...change });
  });

  test.each<[string, object]>([
    ['source', { source: 'x' }],
    ['target', { target: 'x' }],
    ['origins', { origins: ['east', 'west'] }],
    ['start', { start: { kind: 'earliest' } }],
    ['conflict', { conflict: { detect: true, winner: 'east' } }],
    ['processor', { rules: [{ ...RULE, processor: '/tmp/evil.js' }] }],
    ['where', { rules: [{ ...RULE, where: 'region = ' }] }],
    ['pattern', { tables: { include: ['shop'], exclude: [] } }],
    ['tables.include', { tables: { include: [], exclude: [] } }],
    ['batch', { batch: { ...RULING.batch, window: 65 } }],
    ['batch', { batch: { ...RULING.batch, maxRows: 0.5 } }],
    ['nonsense', { nonsense: 1 }],
  ])('is refused for %s', (field, change) => {
    expect(() => replacingConfig(given(change), RULING)).toThrow(
      expect.objectContaining({ code: 'HOLT_REQUEST_INVALID', message: expect.stringContaining(field) }),
    );
  });
});
