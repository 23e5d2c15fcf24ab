import { rm } from 'node:fs/promises';
import { type WaitOptions, waitFor } from '../../lib/abort.ts';
import { KeptProcess, type KeptProcessOptions } from './kept-process.ts';

/** Which of the ports a start was given is taken is the server's to say; the caller then tries others. */
export class PortTaken extends Error {
  override readonly name = 'PortTaken';
}

export interface ControlledServerOptions {
  /** For messages: "mariadb on port 20123". */
  readonly name: string;
  /** Holds everything of the server; removed by `dispose`. */
  readonly dir: string;
  readonly startTimeoutMs: number;
  readonly stopTimeoutMs: number;
}

/** A server that we started: it can be stopped, killed, frozen and started again on what it had stored. */
export abstract class ControlledServer implements AsyncDisposable {
  readonly dir: string;
  readonly name: string;
  readonly #startTimeoutMs: number;
  readonly #stopTimeoutMs: number;
  #process: KeptProcess | undefined;

  protected constructor(options: ControlledServerOptions) {
    this.name = options.name;
    this.dir = options.dir;
    this.#startTimeoutMs = options.startTimeoutMs;
    this.#stopTimeoutMs = options.stopTimeoutMs;
  }

  /** How to run it now; asked at every start. */
  protected abstract launch(): KeptProcessOptions;
  /** True once it serves. */
  protected abstract answers(): Promise<boolean>;
  /** Lets go of connections of our own before the server ends. */
  protected abstract hangUp(): Promise<void>;

  get isRunning(): boolean {
    return this.#process?.isRunning ?? false;
  }

  get pid(): number {
    return this.#running().pid;
  }

  /** Starts it and waits until it answers. */
  async start(): Promise<void> {
    await this.launchOnly();
    await this.ready();
  }

  /** Starts it without waiting, for servers that answer only together. */
  async launchOnly(): Promise<void> {
    if (this.isRunning) throw new Error(`${this.name} runs already`);
    this.#process = await KeptProcess.start(this.launch());
  }

  /** Settles when it answers; `PortTaken` if it ended for want of its port. */
  async ready(): Promise<void> {
    const started = this.#running();
    const wait: WaitOptions = { timeoutMs: this.#startTimeoutMs, pollMs: 25, what: `${this.name} to answer` };
    try {
      await waitFor(async () => !started.isRunning || (await this.answers()), wait);
    } catch (error) {
      await started.kill();
      throw new Error(`${this.name} did not start; the end of its log:\n${started.logTail()}`, {
        cause: error,
      });
    }
    if (started.isRunning) return;
    const log = started.logTail();
    if (/address already in use|port.*in use|BindException/i.test(log)) throw new PortTaken(this.name);
    throw new Error(`${this.name} ended while starting; the end of its log:\n${log}`);
  }

  /** Asks it to end and waits; what it stored stays, and `start` brings it back. */
  async stop(): Promise<void> {
    await this.hangUp();
    await this.#process?.stop(this.#stopTimeoutMs);
  }

  /** kill -9; what it stored stays as a crash leaves it, and `start` brings it back. */
  async kill(): Promise<void> {
    await this.#process?.kill();
    await this.hangUp();
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** SIGSTOP: once this settles its connections stay open and say nothing more. */
  async freeze(): Promise<void> {
    await this.#running().freeze();
  }

  thaw(): void {
    this.#running().thaw();
  }

  /** Ends it and removes all it stored. */
  async dispose(): Promise<void> {
    await this.kill();
    await rm(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  #running(): KeptProcess {
    if (this.#process === undefined || !this.#process.isRunning) throw new Error(`${this.name} does not run`);
    return this.#process;
  }
}
