/**
 * Where a table's rows go. Transform maps by description: the raw rows stay as they are, Load reads them through the route.
 */
export type RouteColumn =
  /** The target column takes the value of source column `index`. */
  | { readonly kind: 'column'; readonly name: string; readonly index: number }
  /** The target column always has this value: bytes of a text literal, or NULL. */
  | { readonly kind: 'constant'; readonly name: string; readonly text: string | null };

export interface TableRoute {
  /** Number of the table in the payload. */
  readonly table: number;
  readonly schema: string;
  readonly name: string;
  /** In the order in which Load writes them. Dropped columns are absent. */
  readonly columns: readonly RouteColumn[];
  /** Triggers of the target's table act on what Load writes. Absent: a table with triggers is refused. */
  readonly triggers?: 'allow' | undefined;
}
