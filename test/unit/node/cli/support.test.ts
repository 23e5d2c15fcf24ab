import { Command, Option } from 'commander';
import { describe, expect, test } from 'vitest';
import { completionScript, SHELLS } from '../../../../node/cli/completion.ts';
import { redacted, supportBundle, withoutLiterals } from '../../../../node/support-bundle.ts';
import { ApiBench, ROOT_TOKEN } from '../../../support/api-bench.ts';

describe('a support bundle', () => {
  test('has no secrets, no row values and no literals of SQL', () => {
    expect(
      redacted({
        clusterKey: 'x',
        users: [{ name: 'ann', passwordHash: 'x' }],
        errors: [{ id: '1', key: '4711', table: 'shop.orders', found: { a: 'x' } }],
        rules: [{ where: "region = 'EU' and total >= 10", columns: { constant: { a: 'x' } } }],
        ddl: [{ statement: "ALTER TABLE `it's 2` ADD c INT DEFAULT 7 COMMENT 'x''y'" }],
        state: 'failed',
        reason: "Duplicate entry 'secret-value' for key 1",
        lagMs: 12,
      }),
    ).toEqual({
      clusterKey: '(masked)',
      users: [{ name: 'ann', passwordHash: '(masked)' }],
      errors: [{ id: '1', key: '(left out)', table: 'shop.orders', found: '(left out)' }],
      rules: [{ where: 'region = ? and total >= ?', columns: { constant: '(left out)' } }],
      ddl: [{ statement: "ALTER TABLE `it's 2` ADD c INT DEFAULT ? COMMENT ?" }],
      state: 'failed',
      reason: 'Duplicate entry ? for key ?',
      lagMs: 12,
    });
  });

  test.each([
    ["SELECT 'a\\'b', \"c\", 0x1F, 1.5, t1", 'SELECT ?, ?, ?, ?, t1'],
    ["it is cut: 'and has no en", 'it is cut: ?'],
  ])('%s', (sql, expected) => {
    expect(withoutLiterals(sql)).toBe(expected);
  });

  test('is made of what can be had, and says what could not', async () => {
    await using bench = await ApiBench.start({ operations: { nodes: () => Promise.resolve([]) } });
    const bundle = (await supportBundle({
      client: bench.client(),
      made: { server: bench.url },
      nowMs: 0,
      metrics: () => Promise.resolve('# metrics\n'),
    })) as Record<string, unknown>;
    expect(bundle).toMatchObject({ nodes: [], sites: [], metrics: '# metrics\n', audit: [] });
    expect(bundle.pipelines).toEqual({ unavailable: expect.stringContaining('not expected: pipelines') });
    expect(JSON.stringify(bundle)).not.toContain(ROOT_TOKEN);
  });
});

describe('completion', () => {
  const program = new Command('holt');
  program
    .command('pipeline')
    .description("all about 'them'")
    .command('pause')
    .description('wait')
    .addOption(new Option('-o, --output <format>', 'form').choices(['table', 'json']))
    .action(() => {});

  test.each(SHELLS)('of %s knows commands, options and choices', (shell) => {
    const script = completionScript(shell, program);
    for (const word of ['pipeline', 'pause', 'output', 'table json']) expect(script).toContain(word);
  });
});
