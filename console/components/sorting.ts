/** Order of rows: pure. What nobody knows (null) is last, whichever way. */

export type SortValue = string | number | null;

export interface Order {
  readonly key: string;
  readonly isDescending: boolean;
}

/** What the address bar's word says; the default where it names no column that can be sorted by. */
export function orderOf(
  word: string,
  columns: readonly { readonly key: string; readonly sort?: unknown }[],
  fallback: string,
): Order {
  const parse = (text: string): Order => ({
    key: text.replace(/^-/, ''),
    isDescending: text.startsWith('-'),
  });
  const asked = parse(word);
  return columns.some((one) => one.key === asked.key && one.sort !== undefined) ? asked : parse(fallback);
}

/** Rows with the same value keep the order of their keys, so that live figures do not make equal rows jump. */
export function sortRows<T>(
  rows: readonly T[],
  value: (row: T) => SortValue,
  isDescending: boolean,
  key: (row: T) => string,
): readonly T[] {
  const sign = isDescending ? -1 : 1;
  return rows
    .map((row) => ({ row, value: value(row), key: key(row) }))
    .sort((a, b) => {
      if (a.value === null || b.value === null)
        return a.value === b.value ? byText(a.key, b.key) : a.value === null ? 1 : -1;
      const order =
        typeof a.value === 'number' && typeof b.value === 'number'
          ? a.value - b.value
          : byText(String(a.value), String(b.value));
      return order === 0 ? byText(a.key, b.key) : sign * order;
    })
    .map(({ row }) => row);
}

const collator = new Intl.Collator('en', { numeric: true });
function byText(a: string, b: string): number {
  return collator.compare(a, b);
}
