import { describe, expect, test } from 'vitest';
import { HoltError } from '../../../../lib/errors.ts';
import { clockFindings, clockReading } from '../../../../node/doctor/clock-checks.ts';
import {
  exitCodeOfFindings,
  type Finding,
  failure,
  ok,
  problem,
  warning,
} from '../../../../node/doctor/finding.ts';
import { policyFinding } from '../../../../node/doctor/redis-check.ts';
import {
  packetFindings,
  schemaChangeFindings,
  schemaFindings,
  sourceServerFindings,
  targetServerFindings,
} from '../../../../node/doctor/server-checks.ts';
import type { ServerFacts } from '../../../../node/doctor/server-facts.ts';
import { rowSizeFindings } from '../../../../node/doctor/table-checks.ts';

const trouble = { code: 'HOLT_CLOCK_SKEW', about: 'x', message: 'm' } as const;

function codes(findings: readonly Finding[]): (string | null)[] {
  return findings.map((one) => one.code);
}

describe('exitCodeOfFindings()', () => {
  test.each<[string, readonly Finding[], number]>([
    ['nothing but warnings', [ok('x', 'm'), warning(trouble)], 0],
    ['an error', [problem(trouble), ok('x', 'm')], 8],
    ['no answer', [failure('x', new HoltError('HOLT_SOURCE_UNREACHABLE', 'm'))], 7],
    [
      'no answer beside an error',
      [problem(trouble), failure('x', new HoltError('HOLT_TREE_DEADLINE', 'm'))],
      7,
    ],
    ['no answer of what is not needed', [{ ...warning(trouble), unreachable: true }], 0],
  ])('%s', (_, findings, code) => {
    expect(exitCodeOfFindings(findings)).toBe(code);
  });
});

describe('failure()', () => {
  test("takes the error's own remedy, else that of the list", () => {
    const own = new HoltError('HOLT_SOURCE_GRANT', 'm', { remedy: 'Do this.' });
    expect(failure('x', own).remedy).toBe('Do this.');
    expect(failure('x', new HoltError('HOLT_SOURCE_GRANT', 'm')).remedy).toMatch(/GRANT/i);
  });

  test('calls what is no error of ours a defect', () => {
    expect(failure('x', new TypeError('a is undefined'))).toMatchObject({
      code: 'HOLT_INTERNAL',
      level: 'error',
    });
  });
});

describe('clocks', () => {
  test('a reading lies in the middle of asking, right to half the time that took', () => {
    expect(clockReading('a', 5_000, 1_000, 1_200)).toEqual({ party: 'a', aheadMs: 3_900, errorMs: 100 });
  });

  test.each<[string, readonly (readonly [number, number])[], (string | null)[]]>([
    ['nobody to compare with', [], []],
    [
      'close together',
      [
        [300, 5],
        [-300, 5],
      ],
      [null],
    ],
    [
      'apart',
      [
        [300, 5],
        [-1_500, 5],
      ],
      ['HOLT_CLOCK_SKEW'],
    ],
    ['apart by less than can be told', [[1_400, 500]], [null]],
    [
      'this machine is a party',
      [
        [5_000, 1],
        [5_001, 1],
      ],
      ['HOLT_CLOCK_SKEW'],
    ],
  ])('%s', (_, readings, expected) => {
    const found = clockFindings(
      readings.map(([aheadMs, errorMs], i) => ({ party: `p${i}`, aheadMs, errorMs })),
    );
    expect(codes(found)).toEqual(expected);
  });

  test('both parties and the difference are named', () => {
    const [found] = clockFindings([
      { party: 'east', aheadMs: 4_000, errorMs: 1 },
      { party: 'west', aheadMs: -2_000, errorMs: 1 },
    ]);
    expect(found?.message).toBe(
      'east is 6.0 s ± 2 ms ahead of west: figures of lag between them are wrong by that',
    );
  });
});

function facts(variables: Readonly<Record<string, string>>, others: Partial<ServerFacts> = {}): ServerFacts {
  return {
    variables: new Map(Object.entries(variables)),
    clock: { party: 'x', aheadMs: 0, errorMs: 0 },
    schemaVersion: 0,
    missingOnHolt: [],
    seesProcesses: true,
    setsTime: true,
    ...others,
  };
}

describe('the holt schema', () => {
  const cases: readonly [string, Partial<ServerFacts>, (string | null)[], RegExp][] = [
    ['not there, may be made', {}, [null], /no holt schema yet/],
    ['not there, may not be made', { missingOnHolt: ['CREATE'] }, ['HOLT_SCHEMA_GRANT'], /lacks CREATE/],
    [
      'not to be seen',
      { schemaVersion: null, missingOnHolt: ['SELECT'] },
      ['HOLT_SCHEMA_GRANT'],
      /lacks SELECT/,
    ],
    ['older', { schemaVersion: 1 }, [null], /migrated to 3/],
    [
      'older, may not be altered',
      { schemaVersion: 1, missingOnHolt: ['ALTER'] },
      ['HOLT_SCHEMA_GRANT'],
      /ALTER/,
    ],
    [
      'current, may not be altered',
      { schemaVersion: 3, missingOnHolt: ['ALTER', 'CREATE'] },
      [null],
      /version 3/,
    ],
    [
      'current, may not be written',
      { schemaVersion: 3, missingOnHolt: ['UPDATE'] },
      ['HOLT_SCHEMA_GRANT'],
      /UPDATE/,
    ],
    ['newer', { schemaVersion: 4 }, ['HOLT_SCHEMA_NEWER'], /version 4/],
  ];
  test.each(cases)('%s', (_, others, expected, text) => {
    const found = schemaFindings('x', facts({}, others), { newest: 3 });
    expect(codes(found)).toEqual(expected);
    expect(found[0]?.message).toMatch(text);
  });
});

describe('settings of a source', () => {
  test.each<[string, Readonly<Record<string, string>>, (string | null)[]]>([
    ['MySQL 8 keeps a month', { binlog_expire_logs_seconds: '2592000', expire_logs_days: '0' }, [null]],
    ['MySQL 8 keeps an hour', { binlog_expire_logs_seconds: '3600' }, ['HOLT_SOURCE_RETENTION']],
    ['5.6 keeps ten days', { expire_logs_days: '10' }, [null]],
    ['nothing is purged', { binlog_expire_logs_seconds: '0', expire_logs_days: '0' }, [null]],
    ['it does not tell', {}, [null]],
    ['MariaDB keeps a fraction of a day', { expire_logs_days: '0.5' }, ['HOLT_SOURCE_RETENTION']],
    ['read-only', { read_only: 'ON' }, [null, 'HOLT_SOURCE_READ_ONLY']],
    ['not read-only', { read_only: 'OFF', super_read_only: 'OFF' }, [null]],
  ])('%s', (_, variables, expected) => {
    expect(codes(sourceServerFindings('x', facts(variables)))).toEqual(expected);
  });
});

test('a target without PROCESS is warned of', () => {
  expect(codes(targetServerFindings('x', facts({}, { seesProcesses: false })))).toEqual([
    'HOLT_TARGET_PROCESS_GRANT',
  ]);
  expect(targetServerFindings('x', facts({}))).toEqual([]);
});

test('a target whose sessions may not set the time is warned of where schema changes are carried', () => {
  const [finding] = schemaChangeFindings(
    'x',
    'west',
    facts({ secure_timestamp: 'YES' }, { setsTime: false }),
  );
  expect(finding).toMatchObject({ level: 'warn', code: 'HOLT_TARGET_TIME' });
  expect(finding?.message).toContain('its secure_timestamp is YES');
  expect(finding?.remedy).toContain('secure_timestamp');
  expect(schemaChangeFindings('x', 'west', facts({ secure_timestamp: 'SUPER' }))).toEqual([]);
});

test("a target's packets must be as large as the source's", () => {
  const small = facts({ max_allowed_packet: '1048576' });
  const large = facts({ max_allowed_packet: '67108864' });
  expect(packetFindings('x', large, small)[0]?.message).toBe(
    'max_allowed_packet is 1.0 MiB at the target and 64.0 MiB at the source',
  );
  expect(packetFindings('x', small, large)).toEqual([]);
  expect(packetFindings('x', small, small)).toEqual([]);
});

test('Redis must not evict', () => {
  expect(policyFinding('x', 'noeviction').level).toBe('ok');
  expect(policyFinding('x', 'allkeys-lru').code).toBe('HOLT_REDIS_EVICTS');
});

describe('rows too large for the target', () => {
  const MIB = 1024n * 1024n;
  const sizes = (change: Partial<Parameters<typeof rowSizeFindings>[0]>) =>
    rowSizeFindings({
      about: 'shop.t',
      columns: [
        { declared: 'int', octetLength: null },
        { declared: 'longblob', octetLength: 4294967295n },
      ],
      dataBytes: 100n * MIB,
      sourcePacket: 64n * MIB,
      targetPacket: 64n * MIB,
      ...change,
    }).map(({ code }) => code);

  test('are warned of where columns and data allow them', () => {
    expect(sizes({})).toEqual(['HOLT_TARGET_ROW_TOO_LARGE']);
    expect(sizes({ columns: [{ declared: 'json', octetLength: null }] })).toEqual([
      'HOLT_TARGET_ROW_TOO_LARGE',
    ]);
    // Values are no larger than what the source takes.
    expect(sizes({ targetPacket: 128n * MIB })).toEqual([]);
    expect(sizes({ dataBytes: 10n * MIB })).toEqual([]);
    expect(sizes({ columns: [{ declared: 'varchar(100)', octetLength: 400n }] })).toEqual([]);
  });
});
