import { type Clock, systemClock } from '../../../lib/clock.ts';
import type { SchemaQuery } from '../apply/target-schema.ts';
import type { Relation } from './decide-parking.ts';

/** A column that a foreign key points to. */
export interface ColumnRelation extends Relation {
  readonly parentColumn: string;
}

const MAX_AGE_MS = 30_000;

/** The foreign keys of the target's tables; asked for only while something is parked, and kept for a while. */
export class TargetRelations {
  readonly #query: SchemaQuery;
  readonly #clock: Clock;
  #known: { readonly value: Promise<readonly ColumnRelation[]>; readonly readMs: number } | null = null;

  constructor(options: { readonly query: SchemaQuery; readonly clock?: Clock }) {
    this.#query = options.query;
    this.#clock = options.clock ?? systemClock;
  }

  all(): Promise<readonly ColumnRelation[]> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#known !== null && nowMs - this.#known.readMs < MAX_AGE_MS) return this.#known.value;
    const value = this.#read();
    const known = { value, readMs: nowMs };
    this.#known = known;
    value.catch(() => {
      if (this.#known === known) this.#known = null;
    });
    return value;
  }

  /** Forgets them: a schema change may have made others. */
  invalidate(): void {
    this.#known = null;
  }

  async #read(): Promise<readonly ColumnRelation[]> {
    const rows = await this.#query(
      'SELECT TABLE_SCHEMA, TABLE_NAME, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME ' +
        'FROM information_schema.KEY_COLUMN_USAGE WHERE REFERENCED_TABLE_NAME IS NOT NULL',
    );
    return rows.map((row) => {
      const text = (column: number): string => row[column]?.toString('utf8') ?? '';
      return {
        child: { schema: text(0), table: text(1) },
        parent: { schema: text(2), table: text(3) },
        parentColumn: text(4),
      };
    });
  }
}
