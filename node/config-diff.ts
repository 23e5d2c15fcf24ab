/** What differs between two configurations, place by place. */
import type { ConfigDifference } from './operations.ts';

type Json = unknown;

/** In the order of the places' names. A list of objects (rules) goes element by element, any other list counts as one value. */
export function configDiff(before: Json, after: Json): readonly ConfigDifference[] {
  const found: ConfigDifference[] = [];
  compare('', before, after, found);
  return found.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

function compare(path: string, before: Json, after: Json, found: ConfigDifference[]): void {
  const ours = partsOf(before);
  const theirs = partsOf(after);
  if (ours !== null && theirs !== null && Array.isArray(before) === Array.isArray(after)) {
    for (const key of new Set([...ours.keys(), ...theirs.keys()]))
      compare(path === '' ? key : `${path}.${key}`, ours.get(key), theirs.get(key), found);
    return;
  }
  const texts = [textOf(before), textOf(after)] as const;
  if (texts[0] !== texts[1]) found.push({ path, before: texts[0], after: texts[1] });
}

function partsOf(value: Json): ReadonlyMap<string, Json> | null {
  if (typeof value !== 'object' || value === null) return null;
  if (Array.isArray(value) && !value.some((one) => typeof one === 'object' && one !== null)) return null;
  return new Map(Object.entries(value));
}

/** JSON with sorted keys; null for what is not there. */
function textOf(value: Json): string | null {
  if (value === undefined) return null;
  return JSON.stringify(value, (_key, inner: Json) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
