import { describe, expect, it } from 'vitest';
import { runDemo } from './demo-run.ts';

describe('npm run demo', () => {
  it('both ways: survives the kill, ends equal, sends nothing back', async () => {
    const { code, output } = await runDemo('--seconds', '8', '--two-way');
    expect(output).toMatch(/kill -9 of west-\d, which holds Load with a batch open/);
    expect(output).toMatch(/rows flow again after \d/);
    expect(output.match(/, 0 rows of its own sent back/g)).toHaveLength(2);
    expect(output).toContain('VERDICT: equal');
    expect(code).toBe(0);
  });
});
