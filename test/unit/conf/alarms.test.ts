import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { loadConfig } from '../../../conf/load.ts';
import { ALARM_KINDS, type AlarmsConfig } from '../../../model/alarm.ts';

const folders: string[] = [];
afterEach(() => {
  for (const one of folders.splice(0)) rmSync(one, { recursive: true });
});

function load(alarms: string): AlarmsConfig {
  const folder = mkdtempSync(join(tmpdir(), 'holt-alarms-'));
  folders.push(folder);
  const file = join(folder, 'holt.yaml');
  writeFileSync(
    file,
    `apiVersion: holt/v1\nkind: Holt\nmetadata: {name: a}\nspec:\n  alarms: ${alarms.trim().replaceAll('\n', '\n  ')}\n`,
  );
  return loadConfig(file).config.alarms;
}

const problem = (alarms: string): string => {
  try {
    load(alarms);
    return 'none';
  } catch (error) {
    return String(error);
  }
};

describe('alarms in the configuration', () => {
  test('without any there is a rule of each kind, for everything, told nowhere', () => {
    const { rules, channels, enabled, everyMs } = load('{}');
    expect(rules.map((one) => one.when)).toEqual([...ALARM_KINDS]);
    expect(rules.every((one) => one.channels.length === 0 && one.subjects[0] === '*')).toBe(true);
    expect({ channels, enabled }).toEqual({ channels: [], enabled: true });
    // An alarm must name a stage that stands still within two seconds.
    expect(everyMs).toBeLessThanOrEqual(1_000);
    expect(rules.find((one) => one.when === 'stuck')?.threshold).toBeLessThanOrEqual(1_000);
  });

  test('a rule takes what it does not say from its kind, and the place of the kind’s own', () => {
    const { rules } = load(
      '{channels: {ops: {kind: slack, url: "${env:PATH}"}}, rules: {slow: {when: lag, above: 2m, repeat: never, during: [{from: "22:00", to: "06:00"}]}, many: {when: conflicts, above: 3, within: 1h}, log: {when: binlog, below: 12h}}}',
    );
    expect(rules.filter((one) => one.when === 'lag')).toMatchObject([
      {
        name: 'slow',
        threshold: 120_000,
        forMs: 60_000,
        severity: 'warning',
        repeatMs: null,
        channels: ['ops'],
        during: [{ fromMinute: 1320, toMinute: 360 }],
      },
    ]);
    expect(rules.find((one) => one.name === 'many')).toMatchObject({ threshold: 3, withinMs: 3_600_000 });
    expect(rules.find((one) => one.name === 'log')).toMatchObject({ threshold: 12 * 3_600_000 });
    expect(rules).toHaveLength(ALARM_KINDS.length);
    expect(load('{defaults: false}').rules).toEqual([]);
  });

  test('channels have references, and nothing that is read before it is used', () => {
    const { channels } = load(
      '{channels: {hook: {kind: webhook, url: "${env:PATH}", secret: "${file:key}"}, mail: {kind: mail, host: mail.example, from: a@example.com, to: [b@example.com], tls: tls}}}',
    );
    expect(channels).toMatchObject([
      {
        name: 'hook',
        kind: 'webhook',
        url: { kind: 'env', from: 'PATH' },
        secret: { kind: 'file' },
      },
      { name: 'mail', kind: 'mail', port: 465, user: null },
    ]);
  });

  test.each([
    ['{rules: {a: {when: lag, above: 5}}}', 'a duration such as 30s is expected'],
    ['{rules: {a: {when: conflicts, above: 5s}}}', 'a number of changes is expected'],
    ['{rules: {a: {when: error, above: 5s}}}', 'takes no threshold'],
    ['{rules: {a: {when: lag, below: 5s}}}', 'takes above, not below'],
    ['{rules: {a: {when: binlog, above: 5s}}}', 'takes below, not above'],
    ['{rules: {a: {when: lag, within: 5s}}}', 'counts nothing'],
    [
      '{rules: {a: {when: lag, channels: [opps]}}, channels: {ops: {kind: slack, url: "${env:PATH}"}}}',
      'Did you mean "ops"?',
    ],
    ['{rules: {a: {when: lags}}}', 'Did you mean "lag"?'],
    ['{rules: {a: {when: lag, during: [{from: "25:00"}]}}}', 'a time of day such as 08:30'],
    ['{timezone: Europe/Bern}', 'a time zone such as Europe/Berlin'],
    ['{every: 5ms}', 'between 100ms and 60s'],
    ['{channels: {a: {kind: slack}}}', 'missing; a channel of kind slack has an address'],
    ['{channels: {a: {kind: slack, url: "https://hooks.example/secret"}}}', 'never the secret itself'],
    ['{channels: {a: {kind: slack, url: "${env:PATH}", secret: "${env:PATH}"}}}', 'only webhooks are signed'],
    ['{channels: {a: {kind: mail, host: h}}}', 'missing; a channel of kind mail has a from'],
    [
      '{channels: {a: {kind: mail, host: mail.example, from: a@b.example, to: [c@d.example], tls: none}}}',
      'loopback addresses only',
    ],
    [
      '{channels: {a: {kind: mail, host: h, from: a@b.example, to: [c@d.example], user: u}}}',
      'user and password go together',
    ],
  ])('%s is refused', (alarms, why) => {
    expect(problem(alarms)).toContain(why);
  });
});
