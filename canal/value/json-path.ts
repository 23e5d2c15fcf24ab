/**
 * The paths in JSON diffs.
 *
 *     path := '$' leg*       leg := '.' name | '.' '"' JSON string characters '"' | '[' digits ']'
 *
 * Source: https://dev.mysql.com/doc/refman/8.4/en/json.html#json-path-syntax; diffs have no wildcards and no `last`.
 */
import { HoltError } from '../../lib/errors.ts';

export type JsonPathLeg =
  | { readonly kind: 'member'; readonly key: Buffer }
  | { readonly kind: 'cell'; readonly index: number };

/** Parses utf8mb4 bytes. @throws HOLT_JSON_DIFF_INVALID */
export function parseJsonPath(path: Buffer): readonly JsonPathLeg[] {
  const text = path.toString('utf8');
  if (!text.startsWith('$')) throw invalid();
  const legs: JsonPathLeg[] = [];
  const leg = /\.(?:"((?:[^"\\]|\\.)*)"|([^.["\s]+))|\[([0-9]{1,9})\]/sy;
  leg.lastIndex = 1;
  while (leg.lastIndex < text.length) {
    const match = leg.exec(text);
    if (match === null) throw invalid();
    const [, quoted, bare, index] = match;
    if (index !== undefined) legs.push({ kind: 'cell', index: Number(index) });
    else
      legs.push({ kind: 'member', key: Buffer.from(quoted === undefined ? (bare ?? '') : unquote(quoted)) });
  }
  return legs;
}

function unquote(inner: string): string {
  try {
    return JSON.parse(`"${inner}"`) as string;
  } catch (cause) {
    throw invalid(cause);
  }
}

function invalid(cause?: unknown): HoltError {
  return new HoltError('HOLT_JSON_DIFF_INVALID', 'a partial JSON change has a path that cannot be read', {
    cause,
  });
}
