/** Changes to a statement's bytes: replacements and cuts, all by places in the original. */
import type { CommentEdge } from '../../select/sql-tokens.ts';
import type { Cut, ListItem } from './ddl.ts';

export interface Replacement extends Cut {
  readonly bytes: Buffer;
}

/** The original with what is cut left out, and what is replaced outside of it replaced. */
export function editText(sql: Buffer, cuts: readonly Cut[], replacements: readonly Replacement[]): Buffer {
  const parts: Buffer[] = [];
  const kept = replacements.filter((one) => !cuts.some((cut) => holds(cut, one)));
  const edits = [...kept, ...cuts.map((cut): Replacement => ({ ...cut, bytes: Buffer.alloc(0) }))];
  // A cut within a cut ends before the outer one does.
  edits.sort((a, b) => a.start - b.start || b.end - a.end);
  let at = 0;
  for (const { start, end, bytes } of edits) {
    if (end <= at && end > start) continue;
    parts.push(sql.subarray(at, Math.max(at, start)), bytes);
    at = Math.max(at, end);
  }
  parts.push(sql.subarray(at));
  return Buffer.concat(parts);
}

export function holds(outer: Cut, inner: Cut): boolean {
  return inner.start >= outer.start && inner.end <= outer.end;
}

/**
 * What to cut so that items leave their list with the comma that belongs to each. Null when a list would be empty.
 *
 *     a , b , c     without a: [a , ) b , c     without b: a [, b) , c     without c: a , b [, c)
 */
export function cutItems(list: readonly ListItem[], leave: ReadonlySet<ListItem>): readonly Cut[] | null {
  if (list.every((item) => leave.has(item))) return null;
  const cuts: Cut[] = [];
  let keptEnd: number | null = null;
  for (const [index, item] of list.entries()) {
    if (!leave.has(item)) keptEnd = item.end;
    else if (keptEnd === null) cuts.push({ start: item.start, end: list[index + 1]?.start ?? item.end });
    else cuts.push({ start: list[index - 1]?.end ?? keptEnd, end: item.end });
  }
  return cuts;
}

/**
 * The cuts, each with the end of a comment that begins in it and has nothing behind the cut. Null when one would take one end of an executed
 * comment and leave the other.
 */
export function cutsWithComments(
  sql: Buffer,
  cuts: readonly Cut[],
  edges: readonly CommentEdge[],
): readonly Cut[] | null {
  const whole: Cut[] = [];
  for (const { start, end } of cuts) {
    let depth = 0;
    let reach = end;
    for (const edge of edges) {
      if (edge.start < start) continue;
      const follows = depth > 0 && !edge.opens && isSpace(sql, reach, edge.start);
      if (edge.end > reach && !follows) break;
      reach = Math.max(reach, edge.end);
      depth += edge.opens ? 1 : -1;
      if (depth < 0) return null;
    }
    if (depth > 0) return null;
    whole.push({ start, end: reach });
  }
  return whole;
}

function isSpace(sql: Buffer, start: number, end: number): boolean {
  return start <= end && /^\s*$/.test(sql.toString('latin1', start, end));
}
