/**
 * Partial JSON changes, as PARTIAL_UPDATE_ROWS carries them in place of a document.
 *
 *     diffs := diff*
 *     diff  := u8 operation · lenenc · path · [replace, insert: lenenc · binary JSON]
 *     operation := 0 replace what is there · 1 insert a member, or an array element before the one there · 2 remove
 *
 * No diff at all: the document is as before. Source: MySQL worklog 2955, https://dev.mysql.com/worklog/task/?id=2955, and
 * https://dev.mysql.com/doc/dev/mysql-server/latest/classJson__diff__vector.html.
 */
import type { ByteSink } from '../../lib/byte-sink.ts';
import { HoltError } from '../../lib/errors.ts';
import { JsonReader } from './json-binary.ts';
import { writeJsonExpression } from './json-literal.ts';
import { type JsonPathLeg, parseJsonPath } from './json-path.ts';
import { type JsonTree, jsonTreeBytes, readJsonTree } from './json-tree.ts';
import { writeQuoted } from './quoted.ts';

export interface JsonDiff {
  readonly operation: 'replace' | 'insert' | 'remove';
  /** As it stands in the event, utf8mb4. */
  readonly path: Buffer;
  /** A binary document; null for remove. */
  readonly value: Buffer | null;
}

const OPERATIONS = ['replace', 'insert', 'remove'] as const;

/** @throws HOLT_JSON_DIFF_INVALID */
export function parseJsonDiffs(diffs: Buffer): readonly JsonDiff[] {
  const parsed: JsonDiff[] = [];
  let at = 0;
  const bytes = (): Buffer => {
    const [length, start] = readLength(diffs, at);
    if (start + length > diffs.length) throw invalid('it is cut off');
    at = start + length;
    return diffs.subarray(start, at);
  };
  while (at < diffs.length) {
    const operation = OPERATIONS[diffs[at] ?? -1];
    if (operation === undefined) throw invalid(`operation ${diffs[at]}`);
    at += 1;
    const path = bytes();
    parsed.push({ operation, path, value: operation === 'remove' ? null : bytes() });
  }
  return parsed;
}

/**
 * The document after `diffs`, in binary form.
 * @throws HOLT_JSON_DIFF_INVALID where a diff does not fit `base`; HOLT_VALUE_INVALID where `base` is damaged.
 */
export function applyJsonDiffs(base: Buffer, diffs: Buffer): Buffer {
  const parsed = parseJsonDiffs(diffs);
  if (parsed.length === 0) return base;
  let tree = treeOf(base);
  for (const diff of parsed) tree = applyDiff(tree, diff);
  return jsonTreeBytes(tree);
}

/**
 * The diffs as an SQL expression over a column, for rows whose document before is not known. A path that the column does
 * not have is ignored by the server, silently. Returns false, and writes the bare column, where nothing changes.
 * @param column quoted name of the column.
 */
export function writeJsonDiffExpression(sink: ByteSink, column: string, diffs: Buffer): boolean {
  const parsed = parseJsonDiffs(diffs);
  // The first diff is the innermost call.
  for (const diff of [...parsed].reverse()) sink.latin1(`${functionOf(diff)}(`);
  sink.utf8(column);
  for (const { path, value } of parsed) {
    sink.latin1(',_utf8mb4');
    writeQuoted(sink, path, 0, path.length);
    if (value !== null) {
      sink.latin1(',');
      const reader = new JsonReader(value, 0, value.length);
      writeJsonExpression(sink, reader, reader.root());
    }
    sink.latin1(')');
  }
  return parsed.length > 0;
}

function functionOf({ operation, path }: JsonDiff): string {
  switch (operation) {
    case 'replace':
      return 'JSON_REPLACE';
    case 'remove':
      return 'JSON_REMOVE';
    case 'insert':
      return parseJsonPath(path).at(-1)?.kind === 'cell' ? 'JSON_ARRAY_INSERT' : 'JSON_INSERT';
    default:
      return operation satisfies never;
  }
}

function treeOf(document: Buffer): JsonTree {
  const reader = new JsonReader(document, 0, document.length);
  return readJsonTree(reader, reader.root());
}

/** Changes `tree` in place, and returns it, or what replaces it. */
function applyDiff(tree: JsonTree, { operation, path, value }: JsonDiff): JsonTree {
  const legs = parseJsonPath(path);
  const last = legs.at(-1);
  const fresh = value === null ? null : treeOf(value);
  if (last === undefined) {
    if (operation !== 'replace' || fresh === null) throw invalid(`${operation} of a whole document`);
    return fresh;
  }
  let parent: JsonTree | undefined = tree;
  for (const leg of legs.slice(0, -1)) parent = parent === undefined ? undefined : childOf(parent, leg);
  if (parent === undefined) throw invalid('its path is not there');
  changeChild(parent, last, operation, fresh);
  return tree;
}

function changeChild(
  parent: JsonTree,
  leg: JsonPathLeg,
  operation: JsonDiff['operation'],
  value: JsonTree | null,
): void {
  if (parent.kind === 'array' && leg.kind === 'cell') {
    const there = leg.index < parent.items.length;
    if (operation === 'insert' && value !== null) parent.items.splice(leg.index, 0, value);
    else if (there && operation === 'replace' && value !== null) parent.items[leg.index] = value;
    else if (there && operation === 'remove') parent.items.splice(leg.index, 1);
    else throw invalid('its array element is not there');
    return;
  }
  if (parent.kind === 'object' && leg.kind === 'member') {
    const index = parent.members.findIndex(({ key }) => compareKeys(key, leg.key) >= 0);
    const at = index === -1 ? parent.members.length : index;
    const found = parent.members[at];
    const there = found !== undefined && compareKeys(found.key, leg.key) === 0;
    if (!there && operation === 'insert' && value !== null)
      parent.members.splice(at, 0, { key: leg.key, value });
    else if (there && operation === 'replace' && value !== null) found.value = value;
    else if (there && operation === 'remove') parent.members.splice(at, 1);
    else throw invalid(there ? 'its member is there already' : 'its member is not there');
    return;
  }
  throw invalid('its path leads through another kind of value');
}

function childOf(parent: JsonTree, leg: JsonPathLeg): JsonTree | undefined {
  if (parent.kind === 'array' && leg.kind === 'cell') return parent.items[leg.index];
  if (parent.kind === 'object' && leg.kind === 'member')
    return parent.members.find(({ key }) => key.equals(leg.key))?.value;
  // MySQL takes the first cell of what is no array for the value itself.
  return parent.kind !== 'array' && leg.kind === 'cell' && leg.index === 0 ? parent : undefined;
}

/** The order of an object's keys: the shorter first, then by bytes. */
function compareKeys(a: Buffer, b: Buffer): number {
  return a.length === b.length ? a.compare(b) : a.length - b.length;
}

function readLength(buf: Buffer, at: number): readonly [length: number, next: number] {
  const first = buf[at];
  if (first === undefined) throw invalid('it is cut off');
  if (first < 251) return [first, at + 1];
  const bytes = first === 252 ? 2 : first === 253 ? 3 : first === 254 ? 8 : 0;
  if (bytes === 0 || at + 1 + bytes > buf.length) throw invalid('a length is cut off');
  const length = bytes === 8 ? Number(buf.readBigUInt64LE(at + 1)) : buf.readUIntLE(at + 1, bytes);
  return [length, at + 1 + bytes];
}

function invalid(why: string): HoltError {
  return new HoltError('HOLT_JSON_DIFF_INVALID', `a partial JSON change cannot be applied: ${why}`);
}
