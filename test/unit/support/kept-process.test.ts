import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { waitFor } from '../../../lib/abort.ts';
import { repositoryRoot } from '../../support/inventory.ts';
import { KeptProcess, temporaryFolder } from '../../support/kept-process.ts';

const WAIT = { timeoutMs: 10_000, pollMs: 10 };

/** Another process that keeps two children, one of them deaf to SIGTERM, and says who they are. */
const OWNER = `
import { join } from 'node:path';
import { KeptProcess, temporaryFolder } from '${pathToFileURL(join(repositoryRoot(), 'test/support/kept-process.ts'))}';
const dir = await temporaryFolder('owned');
const options = { cwd: dir, logFile: join(dir, 'log') };
const sleeper = await KeptProcess.start({ ...options, command: ['sleep', '600'] });
const deaf = await KeptProcess.start({ ...options, command: ['sh', '-c', "trap '' TERM; while :; do sleep 1; done"] });
await sleeper.freeze();
console.log(JSON.stringify({ dir, pids: [sleeper.pid, deaf.pid] }));
if (process.argv.includes('stay')) setInterval(() => {}, 1000);
`;

interface Owned {
  readonly dir: string;
  readonly pids: readonly number[];
}

async function startOwner(
  mode: 'stay' | 'leave',
): Promise<{ owned: Owned; kill(): void; ended: Promise<unknown> }> {
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', OWNER, mode], {
    cwd: repositoryRoot(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const line = await new Promise<string>((resolve) =>
    child.stdout.once('data', (data) => resolve(String(data))),
  );
  return { owned: JSON.parse(line) as Owned, kill: () => child.kill('SIGKILL'), ended };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function allGone({ dir, pids }: Owned): Promise<void> {
  const isGone = () => !existsSync(dir) && !existsSync(join(dir, '..')) && !pids.some(isAlive);
  await waitFor(isGone, { ...WAIT, what: `${dir} and ${pids.join(', ')} to be gone` });
}

describe('KeptProcess', () => {
  it('does not outlive kill -9 of its owner, frozen or deaf as it may be, nor does the folder', async () => {
    const owner = await startOwner('stay');
    expect(owner.owned.pids.every(isAlive)).toBe(true);
    owner.kill();
    await owner.ended;
    await allGone(owner.owned);
  });

  it('neither holds up nor outlives an owner that comes to its end', async () => {
    const owner = await startOwner('leave');
    expect(await owner.ended).toBe(0);
    await allGone(owner.owned);
  });

  it('stops on request, by force where asking does not help', async () => {
    const dir = await temporaryFolder('kept');
    const options = { cwd: dir, logFile: join(dir, 'log') };
    const polite = await KeptProcess.start({ ...options, command: ['sleep', '600'] });
    expect(await polite.stop(5_000)).toEqual({ code: null, signal: 'SIGTERM' });
    const deaf = await KeptProcess.start({
      ...options,
      command: ['sh', '-c', "trap '' TERM; echo deaf; while :; do sleep 0.1; done"],
    });
    await waitFor(() => deaf.logTail() === 'deaf', { ...WAIT, what: 'the trap' });
    expect(await deaf.stop(200)).toEqual({ code: null, signal: 'SIGKILL' });
    expect(deaf.isRunning).toBe(false);
    expect(deaf.signal('SIGTERM')).toBe(false);
  });

  it('gives what it printed and how it ended', async () => {
    const dir = await temporaryFolder('kept');
    const child = await KeptProcess.start({
      command: ['sh', '-c', 'echo "$GREETING"; echo bad >&2; exit 3'],
      cwd: dir,
      env: { GREETING: 'hello' },
      logFile: join(dir, 'log'),
    });
    expect(await child.ended).toEqual({ code: 3, signal: null });
    expect(child.logTail()).toBe('hello\nbad');
    expect(child.logTail(1)).toBe('bad');
  });
});
