/** A value that is watched. */
import { useEffect, useState } from 'preact/hooks';

export class Store<T> {
  #value: T;
  readonly #listeners = new Set<() => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const listener of this.#listeners) listener();
  }

  update(change: (value: T) => T): void {
    this.set(change(this.#value));
  }

  watch(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }
}

/** What `select` takes of the store's value; the component is drawn anew when that changes. */
export function useStore<T, U = T>(
  store: Store<T>,
  select: (value: T) => U = (value) => value as unknown as U,
): U {
  const selected = select(store.value);
  const [, redraw] = useState(0);
  useEffect(() => {
    let last = select(store.value);
    // What changed between drawing and watching.
    if (!Object.is(last, selected)) redraw((count) => count + 1);
    return store.watch(() => {
      const next = select(store.value);
      if (Object.is(next, last)) return;
      last = next;
      redraw((count) => count + 1);
    });
    // A new `select` with every drawing is usual; the store is what counts.
  }, [store]);
  return selected;
}
