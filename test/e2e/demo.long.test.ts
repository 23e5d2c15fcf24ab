import { describe, expect, it } from 'vitest';
import { runDemo } from './demo-run.ts';

describe('npm run demo', () => {
  it('ends by itself within 60 s more than the seconds it was given', async () => {
    const { code, output, seconds } = await runDemo('--seconds', '20');
    expect(output).toContain('VERDICT: equal');
    expect(code).toBe(0);
    expect(seconds).toBeLessThan(80);
  });

  it.each(['mariadb', 'mysql'])('both ways on %s with minimal row images', async (server) => {
    const { code, output } = await runDemo(
      '--seconds',
      '10',
      '--two-way',
      '--server',
      server,
      '--image',
      'MINIMAL',
    );
    expect(output.match(/, 0 rows of its own sent back/g)).toHaveLength(2);
    expect(output).toContain('VERDICT: equal');
    expect(code).toBe(0);
  });
});
