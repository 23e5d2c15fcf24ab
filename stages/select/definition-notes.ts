/** What tables of the source are at the place reached, as far as the target does not know it yet. */
import type { TableDefinition } from '../../model/source-item.ts';

export class DefinitionNotes {
  /** By table: what it is at the place reached, and is not written at the target yet. */
  readonly #news = new Map<string, TableDefinition>();
  /** By table: what is written at the target, or on its way there. */
  readonly #recorded = new Map<string, string | null>();

  get isEmpty(): boolean {
    return this.#news.size === 0;
  }

  /** What stands at the target. */
  recorded(definitions: readonly TableDefinition[]): void {
    for (const one of definitions) this.#recorded.set(keyOf(one), one.definition);
  }

  note(definitions: readonly TableDefinition[]): void {
    for (const one of definitions) {
      const key = keyOf(one);
      if (this.#recorded.get(key) === one.definition) continue;
      this.#recorded.set(key, one.definition);
      this.#news.set(key, one);
    }
  }

  /** Those of tables that nothing was heard of. */
  noteUnheard(definitions: readonly TableDefinition[]): void {
    this.note(definitions.filter((one) => !this.#recorded.has(keyOf(one))));
  }

  /** What is new, for a batch or an advance. */
  take(): readonly TableDefinition[] {
    const definitions = [...this.#news.values()];
    this.#news.clear();
    return definitions;
  }
}

function keyOf({ schema, table }: TableDefinition): string {
  return `${schema}\0${table}`;
}
