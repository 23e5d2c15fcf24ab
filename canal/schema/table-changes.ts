/**
 * What a statement in the log makes of the definitions of tables: how the engine keeps up with tables whose rows the log does not
 * name the columns of. The statement is read by whoever composes the engine.
 */
import type { SourceStatement } from '../../model/source-item.ts';
import type { TableFacts } from './table-facts.ts';

export interface ChangedName {
  readonly schema: string;
  readonly table: string;
}

export type TableChange =
  /** Columns or keys become what `alter` makes of them; it gives null where that cannot be said. */
  | {
      readonly kind: 'alter';
      readonly name: ChangedName;
      readonly alter: (facts: TableFacts) => TableFacts | null;
    }
  | { readonly kind: 'rename'; readonly name: ChangedName; readonly to: ChangedName }
  | { readonly kind: 'drop'; readonly name: ChangedName }
  | { readonly kind: 'drop-schema'; readonly schema: string }
  /** Made anew, as it is from then on. */
  | { readonly kind: 'create'; readonly name: ChangedName; readonly facts: TableFacts }
  | { readonly kind: 'create-like'; readonly name: ChangedName; readonly like: ChangedName }
  /** Made, or made into, something that cannot be said. */
  | { readonly kind: 'unknown'; readonly name: ChangedName };

/** In the statement's own order. Null: it may change any table whose name stands in it. */
export type ReadTableChanges = (statement: SourceStatement) => readonly TableChange[] | null;

/** For an engine that nobody reads statements for. */
export const READ_NOTHING: ReadTableChanges = () => null;
