/** Addresses of pages: pure. A page's pattern is a path with `:name` parts; what follows `?` is its filters, sort order and range. */

export interface Matched {
  readonly params: Readonly<Record<string, string>>;
}

/** Null where the path is not of the pattern's form. Parts are decoded. */
export function matchPath(pattern: string, path: string): Matched | null {
  const wanted = partsOf(pattern);
  const given = partsOf(path);
  if (wanted.length !== given.length) return null;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const text = given[index] ?? '';
    if (part.startsWith(':')) {
      const value = decoded(text);
      if (value === null || value === '') return null;
      params[part.slice(1)] = value;
    } else if (part !== text) return null;
  }
  return { params };
}

/** A path with its parts encoded: `pathOf('pipelines', name)`. */
export function pathOf(...parts: readonly string[]): string {
  return `/${parts.map(encodeURIComponent).join('/')}`;
}

/** The query with some of its words set, or taken away by null; words keep their order. */
export function withQuery(query: string, changes: Readonly<Record<string, string | null>>): string {
  const params = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes))
    if (value === null || value === '') params.delete(name);
    else params.set(name, value);
  const text = params.toString();
  return text === '' ? '' : `?${text}`;
}

function partsOf(path: string): readonly string[] {
  return path.split('/').filter((part) => part !== '');
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
