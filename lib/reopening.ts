/**
 * A resource that is opened when first needed, shared by calls one after another, and opened anew after a failure. For
 * side connections such as reading a schema; what must be fenced has its own.
 */
export class Reopening<R> {
  readonly #open: () => Promise<R>;
  readonly #close: (resource: R) => Promise<void>;
  readonly #isGood: (resource: R) => boolean;
  #current: R | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: {
    readonly open: () => Promise<R>;
    readonly close: (resource: R) => Promise<void>;
    readonly isGood: (resource: R) => boolean;
  }) {
    this.#open = options.open;
    this.#close = options.close;
    this.#isGood = options.isGood;
  }

  /** Runs `work` alone on the resource. */
  use<T>(work: (resource: R) => Promise<T>): Promise<T> {
    const turn = this.#turn.then(async () => {
      if (this.#closed) throw new Error('closed');
      if (this.#current !== null && !this.#isGood(this.#current)) await this.#drop();
      this.#current ??= await this.#open();
      try {
        return await work(this.#current);
      } catch (error) {
        if (!this.#isGood(this.#current)) await this.#drop();
        throw error;
      }
    });
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#turn;
    await this.#drop();
  }

  async #drop(): Promise<void> {
    const current = this.#current;
    this.#current = null;
    if (current !== null) await this.#close(current).catch(() => {});
  }
}
