/** Releases in reverse order of acquisition; every release runs, failures are gathered. */
export class Disposer implements AsyncDisposable {
  readonly #releases: (() => Promise<void> | void)[] = [];

  add(release: () => Promise<void> | void): void {
    this.#releases.push(release);
  }

  async dispose(): Promise<void> {
    const failures: unknown[] = [];
    for (;;) {
      const release = this.#releases.pop();
      if (release === undefined) break;
      try {
        await release();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length === 1) throw failures[0];
    if (failures.length > 1) throw new AggregateError(failures, 'several releases failed');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
