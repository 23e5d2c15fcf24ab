/**
 * A question to `trace` as an address. Table, pipeline and range stand in the query; the values behind the `#`, which browsers keep to
 * themselves: no server and no proxy on the way writes them down. Pure.
 */

export interface TraceQuestion {
  readonly pipeline: string;
  readonly table: string;
  /** `key`: values of the key, in its order. `where`: `column=value`, or `column` alone for NULL. */
  readonly by: 'key' | 'where';
  readonly values: readonly string[];
  readonly lastMs: number;
}

export const HOUR_MS = 3_600_000;

export function questionOf(query: string, hash: string): TraceQuestion {
  const words = new URLSearchParams(query);
  const kept = new URLSearchParams(hash.replace(/^#/, ''));
  const where = kept.getAll('where');
  const last = Number(words.get('last'));
  return {
    pipeline: words.get('pipeline') ?? '',
    table: words.get('table') ?? '',
    by: where.length > 0 ? 'where' : 'key',
    values: where.length > 0 ? where : kept.getAll('key'),
    lastMs: Number.isInteger(last) && last > 0 ? last * 1000 : HOUR_MS,
  };
}

export function addressOf({ pipeline, table, by, values, lastMs }: TraceQuestion): string {
  const words = new URLSearchParams({
    ...(pipeline === '' ? {} : { pipeline }),
    ...(table === '' ? {} : { table }),
    ...(lastMs === HOUR_MS ? {} : { last: String(lastMs / 1000) }),
  });
  const kept = new URLSearchParams(values.map((value): [string, string] => [by, value]));
  const query = words.toString();
  const hash = kept.toString();
  return `/trace${query === '' ? '' : `?${query}`}${hash === '' ? '' : `#${hash}`}`;
}

export function isWhole({ pipeline, table, values }: TraceQuestion): boolean {
  return pipeline !== '' && /^[^.]+\..+$/.test(table) && values.length > 0;
}

/** What POST /pipelines/{name}/traces takes. */
export function requestOf({ table, by, values, lastMs }: TraceQuestion): object {
  if (by === 'key') return { table, key: values, lastMs };
  const where = Object.fromEntries(
    values.map((one) => {
      const at = one.indexOf('=');
      return at < 0 ? [one, null] : [one.slice(0, at), one.slice(at + 1)];
    }),
  );
  return { table, where, lastMs };
}

/** One value a line; lines that are empty are none, but for a single one. */
export function valuesOf(text: string): readonly string[] {
  const lines = text.replace(/\r/g, '').split('\n');
  return lines.filter((line) => line !== '');
}
