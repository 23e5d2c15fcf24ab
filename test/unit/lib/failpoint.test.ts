import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { failpoint, parseFailpoints } from '../../../lib/failpoint.ts';

const MODULE = fileURLToPath(new URL('../../../lib/failpoint.ts', import.meta.url));

afterEach(() => {
  delete process.env.HOLT_FAILPOINTS;
});

describe('parseFailpoints()', () => {
  it('reads names, actions and the passing at which they act', () => {
    expect(
      parseFailpoints('load:before-commit=kill@3; raise:locked=stop ;a=sleep250@*;b=error'),
    ).toStrictEqual([
      { name: 'load:before-commit', action: { kind: 'kill' }, at: 3 },
      { name: 'raise:locked', action: { kind: 'stop' }, at: 1 },
      { name: 'a', action: { kind: 'sleep', ms: 250 }, at: null },
      { name: 'b', action: { kind: 'error' }, at: 1 },
    ]);
  });

  it('names a rule that cannot be read', () => {
    expect(() => parseFailpoints('a=kill;b=explode')).toThrow(/b=explode/);
  });
});

describe('failpoint()', () => {
  it('does nothing without the variable, and nothing at places that it does not name', async () => {
    await failpoint('x');
    process.env.HOLT_FAILPOINTS = 'y=error@*';
    await failpoint('x');
  });

  it('acts at the passing asked for, and at no other', async () => {
    process.env.HOLT_FAILPOINTS = 'x=error@2';
    await failpoint('x');
    await expect(failpoint('x')).rejects.toMatchObject({ code: 'HOLT_FAILPOINT' });
    await failpoint('x');
  });

  it('kills the process with SIGKILL', async () => {
    const child = spawn(
      process.execPath,
      [
        '--import',
        'tsx',
        '--input-type=module',
        '-e',
        `import { failpoint } from ${JSON.stringify(MODULE)};
         await failpoint('x'); console.log('not reached');`,
      ],
      { env: { ...process.env, HOLT_FAILPOINTS: 'x=kill' }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let output = '';
    child.stdout.on('data', (data) => {
      output += data;
    });
    const [, signal] = await once(child, 'exit');
    expect(signal).toBe('SIGKILL');
    expect(output).toBe('');
  });
});
