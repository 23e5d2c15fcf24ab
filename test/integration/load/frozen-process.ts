import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { waitFor } from '../../../lib/abort.ts';
import type { FrozenTask } from './frozen-child.ts';
import type { Pipeline } from './load-fixture.ts';

const CHILD = fileURLToPath(new URL('./frozen-child.ts', import.meta.url));

/** A Holt process that has stopped itself (SIGSTOP) at a failpoint, with whatever it has open. */
export class FrozenProcess implements AsyncDisposable {
  readonly #child: ReturnType<typeof spawn>;
  #output = '';

  private constructor(task: FrozenTask, failpoint: string) {
    this.#child = spawn(process.execPath, ['--import', 'tsx', CHILD], {
      env: { ...process.env, HOLT_FAILPOINTS: `${failpoint}=stop`, HOLT_TEST_TASK: JSON.stringify(task) },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child.stdout?.on('data', (data) => {
      this.#output += data;
    });
  }

  static async at(
    failpoint: string,
    pipeline: Pipeline,
    task: Pick<FrozenTask, 'what'> & Partial<FrozenTask>,
  ): Promise<FrozenProcess> {
    const frozen = new FrozenProcess(
      {
        endpoint: pipeline.db.endpoint,
        name: pipeline.name,
        table: pipeline.table,
        treeEpoch: pipeline.treeEpoch,
        seq: 1,
        ...task,
        reign: task.reign ? { epoch: task.reign.epoch, tenure: task.reign.tenure } : null,
      },
      failpoint,
    );
    await waitFor(() => frozen.#isStopped(), { timeoutMs: 30_000, what: `stopped at ${failpoint}` });
    return frozen;
  }

  /** Lets it go on; what it says came of its work. */
  async wake(): Promise<string> {
    this.#child.kill('SIGCONT');
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
    return /^outcome (.*)$/m.exec(this.#output)?.[1] ?? `nothing: ${this.#output}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }

  #isStopped(): boolean {
    if (this.#child.exitCode !== null) throw new Error(`ended instead of stopping: ${this.#output}`);
    // proc(5): the state follows the name in parentheses.
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T');
  }
}
