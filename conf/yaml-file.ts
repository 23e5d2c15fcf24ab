/**
 * YAML documents with their places: parse, interpolate parsed scalars (never file text), and say where a path stands.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Document, isMap, isNode, isPair, isScalar, LineCounter, parseAllDocuments, visit } from 'yaml';
import type { ConfigProblem } from './problem.ts';

/** Keys whose values stay references until the moment of use. */
const SECRET_KEYS: ReadonlySet<string> = new Set([
  'password',
  'clusterKey',
  'redis',
  'auth',
  'token',
  'url',
  'secret',
  'authorization',
]);

export interface YamlDocument {
  readonly file: string;
  readonly folder: string;
  readonly value: unknown;
  /** The problem with its place; `path` as zod gives it. With `onKey`, the place of the last key rather than of its value. */
  problem(
    path: readonly PropertyKey[],
    message: string,
    options?: { suggestion?: string | null; onKey?: boolean },
  ): ConfigProblem;
}

export interface YamlResult {
  readonly documents: readonly YamlDocument[];
  readonly problems: readonly ConfigProblem[];
}

export function parseYamlFile(file: string, text: string = readFileSync(file, 'utf8')): YamlResult {
  const lines = text.split('\n');
  const counter = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter: counter, uniqueKeys: true, prettyErrors: false });
  const problems: ConfigProblem[] = [];
  const documents: YamlDocument[] = [];

  const at = (offset: number, path: string, message: string, suggestion: string | null): ConfigProblem => {
    const { line, col } = counter.linePos(offset);
    const excerpt = lines[line - 1]?.trimEnd() ?? null;
    return { file, line: Math.max(1, line), column: Math.max(1, col), path, message, suggestion, excerpt };
  };

  for (const doc of 'empty' in parsed ? [] : parsed) {
    if (doc.contents === null && doc.errors.length === 0) continue;
    for (const error of doc.errors) problems.push(at(error.pos[0], '', firstLine(error.message), null));
    if (doc.errors.length > 0) continue;
    visit(doc, {
      Pair(_key, pair) {
        if (isScalar(pair.key) && SECRET_KEYS.has(String(pair.key.value)) && isScalar(pair.value))
          return visit.SKIP;
        return undefined;
      },
      Scalar(key, node) {
        if (key === 'key' || typeof node.value !== 'string') return;
        const result = interpolate(node.value, dirname(file));
        if (typeof result === 'string') node.value = result;
        else problems.push(at(node.range?.[0] ?? 0, '', result.missing, null));
      },
    });
    let value: unknown;
    try {
      value = doc.toJS({ maxAliasCount: 100 });
    } catch (error) {
      problems.push(at(doc.range[0], '', error instanceof Error ? error.message : String(error), null));
      continue;
    }
    documents.push({
      file,
      folder: dirname(resolve(file)),
      value,
      problem(path, message, options) {
        const problem = at(
          offsetOf(doc, path, options?.onKey ?? false),
          path.map(String).join('.'),
          message,
          options?.suggestion ?? null,
        );
        // A secret written in clear text must not be printed again by the message that refuses it.
        return path.some((key) => SECRET_KEYS.has(String(key))) ? { ...problem, excerpt: null } : problem;
      },
    });
  }
  return { documents, problems };
}

/** Text with `${env:NAME}`, `${env:NAME:-default}` and `${file:path}` replaced and `$$` turned into `$`. */
function interpolate(text: string, folder: string): string | { readonly missing: string } {
  if (!text.includes('$')) return text;
  let missing: string | null = null;
  const result = text.replace(
    /\$\$|\$\{(env|file):([^}]*?)(?::-([^}]*))?\}/g,
    (whole, kind, from, fallback) => {
      if (whole === '$$') return '$';
      if (kind === 'env') {
        const value = process.env[from] ?? fallback;
        if (value === undefined) missing = `environment variable ${from} is not set`;
        return value ?? '';
      }
      try {
        return readFileSync(resolve(folder, from), 'utf8').replace(/\r?\n$/, '');
      } catch {
        missing = `file ${from} cannot be read`;
        return '';
      }
    },
  );
  return missing === null ? result : { missing };
}

/** Where the node at `path` begins; the nearest node above it when the path leads nowhere. */
function offsetOf(doc: Document.Parsed, path: readonly PropertyKey[], onKey: boolean): number {
  let node: unknown = doc.contents;
  let offset = doc.range[0];
  for (const [depth, key] of path.entries()) {
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(key),
      );
      if (pair === undefined) return offset;
      const keyOffset = isNode(pair.key) ? pair.key.range?.[0] : undefined;
      if (onKey && depth === path.length - 1) return keyOffset ?? offset;
      node = pair.value;
      offset = (isNode(node) ? node.range?.[0] : undefined) ?? keyOffset ?? offset;
    } else {
      const child: unknown = doc.getIn(path.slice(0, depth + 1), true);
      if (!isNode(child)) return offset;
      node = child;
      offset = child.range?.[0] ?? offset;
    }
  }
  return offset;
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? text;
}
