/** A deadline for the next step, however many there are: a case of many large rows takes its time, one that hangs is seen. */
import type { StatementResult, TargetConnection } from '../stages/load/target/target-connection.ts';

export class StallWatch implements Disposable {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(stallMs: number) {
    this.#timer = setTimeout(
      () => this.#controller.abort(new Error(`nothing was read or written for ${stallMs / 1000} s`)),
      stallMs,
    );
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Something was done. */
  step(): void {
    this.#timer.refresh();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

/** The same connection; each answer is a step. */
export class SteppingConnection implements TargetConnection {
  readonly #connection: TargetConnection;
  readonly #watch: StallWatch;

  constructor(connection: TargetConnection, watch: StallWatch) {
    this.#connection = connection;
    this.#watch = watch;
  }

  get threadId(): number {
    return this.#connection.threadId;
  }

  get usable(): boolean {
    return this.#connection.usable;
  }

  get rowEventsAs(): number | null {
    return this.#connection.rowEventsAs ?? null;
  }

  async execute(sql: Buffer | string): Promise<StatementResult> {
    const result = await this.#connection.execute(sql);
    this.#watch.step();
    return result;
  }

  async rows(sql: Buffer | string): Promise<(Buffer | null)[][]> {
    const rows = await this.#connection.rows(sql);
    this.#watch.step();
    return rows;
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  destroy(): void {
    this.#connection.destroy();
  }
}
