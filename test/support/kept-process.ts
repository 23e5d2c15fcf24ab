import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeadlineError, waitFor, withDeadline } from '../../lib/abort.ts';

/**
 * Child processes and temporary folders that do not outlive this process, however it ends.
 *
 * A small shell, the guard, reads the pids of our children from a pipe that only we hold open. When the pipe closes
 * (normal exit, crash, kill -9) it kills what is left and removes the run's folder. A child waits on a pipe of its
 * own until its pid is with the guard, so that there is no moment at which it would be forgotten.
 */

const GUARD = `
trap '' INT TERM HUP
mkdir -m 700 "$1" || exit 1
echo ready
pids=' '
while read -r sign pid; do
  case $sign in
    +) pids="$pids$pid " ;;
    -) case $pids in *" $pid "*) pids="\${pids%%" $pid "*} \${pids#*" $pid "}" ;; esac ;;
  esac
done
for pid in $pids; do kill -9 "$pid"; done 2>/dev/null
tries=0
until rm -rf "$1" 2>/dev/null || [ $tries -ge 100 ]; do tries=$((tries + 1)); sleep 0.1; done
`;

interface Guard {
  readonly dir: string;
  note(sign: '+' | '-', pid: number): void;
}

let guard: Promise<Guard> | undefined;

function theGuard(): Promise<Guard> {
  guard ??= startGuard();
  return guard;
}

async function startGuard(): Promise<Guard> {
  const dir = join(tmpdir(), `holt-${process.pid}-${randomBytes(4).toString('hex')}`);
  // A session of its own: Ctrl-C at the terminal must not end the guard before its work.
  const child = spawn('sh', ['-c', GUARD, 'holt-guard', dir], {
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the guard of ${dir} ended at once (${code})`)));
    child.stdout.once('data', () => resolve());
  });
  child.unref();
  child.stdout.destroy();
  child.stdin.on('error', () => {});
  unref(child.stdin);
  return { dir, note: (sign, pid) => child.stdin.write(`${sign} ${pid}\n`) };
}

/** A pipe of a child, unlike what its type says, is a socket and can be kept from holding the process up. */
function unref(stream: unknown): void {
  (stream as { unref?: () => void }).unref?.();
}

/** A new folder that is removed at the latest when this process is gone. */
export async function temporaryFolder(name: string): Promise<string> {
  const dir = join((await theGuard()).dir, `${name}-${randomBytes(3).toString('hex')}`);
  mkdirSync(dir);
  return dir;
}

export interface KeptProcessOptions {
  /** Program and arguments. */
  readonly command: readonly string[];
  readonly cwd: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Gets stdout and stderr, appended. */
  readonly logFile: string;
}

export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A child process that does not outlive this one. */
export class KeptProcess {
  readonly pid: number;
  readonly logFile: string;
  /** Settles, never rejects, when the process has ended. */
  readonly ended: Promise<ProcessEnd>;
  #end: ProcessEnd | undefined;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, pid: number, logFile: string, guard: Guard) {
    this.#child = child;
    this.pid = pid;
    this.logFile = logFile;
    this.ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#end = { code, signal };
        guard.note('-', pid);
        resolve(this.#end);
      });
    });
  }

  static async start(options: KeptProcessOptions): Promise<KeptProcess> {
    const guard = await theGuard();
    const log = openSync(options.logFile, 'a');
    const child = spawn('sh', ['-c', 'read -r go && exec "$@" </dev/null', 'sh', ...options.command], {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['pipe', log, log],
      detached: true,
    });
    closeSync(log);
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    const { pid, stdin } = child;
    if (pid === undefined || stdin === null) throw new Error(`no process for ${options.command[0]}`);
    const kept = new KeptProcess(child, pid, options.logFile, guard);
    guard.note('+', pid);
    stdin.on('error', () => {});
    stdin.end('go\n');
    // A server left running must not hold the process up; waiting for its end takes this back.
    child.unref();
    return kept;
  }

  get isRunning(): boolean {
    return this.#end === undefined;
  }

  /** True if it was still there to get the signal. */
  signal(signal: NodeJS.Signals): boolean {
    return this.isRunning && this.#child.kill(signal);
  }

  /** Asks with SIGTERM, and with SIGKILL after `graceMs`. A frozen process cannot be asked: it is thawed first. */
  async stop(graceMs: number): Promise<ProcessEnd> {
    this.#child.ref();
    this.signal('SIGCONT');
    this.signal('SIGTERM');
    try {
      return await withDeadline(this.ended, graceMs, `process ${this.pid} after SIGTERM`);
    } catch (error) {
      if (!(error instanceof DeadlineError)) throw error;
      return this.kill();
    }
  }

  /** SIGSTOP; settles when every thread stands still, which on a busy machine is not at once. */
  async freeze(): Promise<void> {
    if (!this.signal('SIGSTOP')) throw new Error(`process ${this.pid} has ended`);
    await waitFor(() => this.#standsStill(), {
      timeoutMs: 10_000,
      pollMs: 2,
      what: `process ${this.pid} to stop`,
    });
  }

  thaw(): void {
    this.signal('SIGCONT');
  }

  #standsStill(): boolean {
    return readdirSync(`/proc/${this.pid}/task`).every((thread) => {
      const stat = readFileSync(`/proc/${this.pid}/task/${thread}/stat`, 'latin1');
      return stat.charAt(stat.lastIndexOf(')') + 2) === 'T'; // pid (name) state …; a name may hold anything
    });
  }

  async kill(): Promise<ProcessEnd> {
    this.#child.ref();
    this.signal('SIGKILL');
    return this.ended;
  }

  /** The last lines of its output. */
  logTail(lines = 30): string {
    return readFileSync(this.logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  }
}
