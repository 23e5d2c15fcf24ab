/**
 * The support bundle: what helps others to understand an installation, in one file, and nothing that they must not see: no passwords,
 * tokens or keys, no row values, no literals of SQL.
 */

import { messageOf } from '../lib/errors.ts';
import { SECRET_FIELD } from './api/masking.ts';

const HISTORY_MS = 6 * 3_600_000;
const MAX_LISTED = 100;
/** Pipelines that are looked at together. */
const AT_ONCE = 4;

/** Fields that hold values of rows. */
const ROW_FIELD = /^(?:key|before|after|found|constant|detail)$/;
/** Fields that hold SQL, expressions, or what a server said of them. */
const SQL_FIELD = /^(?:statement|sent|where|sql|message|reason|why|error|unavailable)$/;

/** Where it is read from: a node's API, or the node itself. */
export interface BundleSource {
  pipelines(): Promise<unknown>;
  nodes(): Promise<unknown>;
  sites(): Promise<unknown>;
  clocks(): Promise<unknown>;
  claims(): Promise<unknown>;
  audit(limit: number, filter: Readonly<Record<string, string>>): Promise<unknown>;
  config(name: string): Promise<unknown>;
  position(name: string): Promise<unknown>;
  batches(name: string): Promise<unknown>;
  tables(name: string): Promise<unknown>;
  errors(name: string, limit: number): Promise<unknown>;
  ddl(name: string, limit: number): Promise<unknown>;
  checks(name: string): Promise<unknown>;
  history(
    name: string,
    range: { readonly fromMs: number; readonly toMs: number; readonly stepMs: number },
  ): Promise<unknown>;
}

export interface BundleOptions {
  readonly client: BundleSource;
  /** What made it, and where it asked. */
  readonly made: Readonly<Record<string, unknown>>;
  /** Prometheus text; null where it could not be read. */
  readonly metrics: () => Promise<string | null>;
  readonly nowMs: number;
}

/** Each part is there, or says why it is not: a viewer's bundle has less than an administrator's. */
export async function supportBundle({ client, made, metrics, nowMs }: BundleOptions): Promise<unknown> {
  const part = async (read: () => Promise<unknown>): Promise<unknown> => {
    try {
      return await read();
    } catch (error) {
      return { unavailable: messageOf(error) };
    }
  };
  const pipelines = await part(() => client.pipelines());
  const names = Array.isArray(pipelines)
    ? pipelines.map((one: { readonly pipeline: string }) => one.pipeline)
    : [];
  const details = new Map<string, unknown>();
  const left = [...names];
  // Databases that are down take their time to say so: a few pipelines at once, and all parts of each.
  const read = async () => {
    for (let name = left.shift(); name !== undefined; name = left.shift())
      details.set(name, await detailsOf(name, client, nowMs, part));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, read));
  return redacted({
    madeMs: nowMs,
    ...made,
    nodes: await part(() => client.nodes()),
    sites: await part(() => client.sites()),
    clocks: await part(() => client.clocks()),
    claims: await part(() => client.claims()),
    audit: await part(() => client.audit(MAX_LISTED, {})),
    metrics: await part(metrics),
    pipelines,
    details: Object.fromEntries(names.map((name) => [name, details.get(name)])),
  });
}

async function detailsOf(
  name: string,
  client: BundleSource,
  nowMs: number,
  part: (read: () => Promise<unknown>) => Promise<unknown>,
): Promise<unknown> {
  const range = { fromMs: nowMs - HISTORY_MS, toMs: nowMs, stepMs: 60_000 };
  const parts = {
    config: () => client.config(name),
    position: () => client.position(name),
    batches: () => client.batches(name),
    tables: () => client.tables(name),
    errors: () => client.errors(name, MAX_LISTED),
    ddl: () => client.ddl(name, MAX_LISTED),
    checks: () => client.checks(name),
    history: () => client.history(name, range),
  };
  return Object.fromEntries(
    await Promise.all(Object.entries(parts).map(async ([key, read]) => [key, await part(read)] as const)),
  );
}

export function redacted(value: unknown, field = ''): unknown {
  if (value !== null && value !== undefined) {
    if (SECRET_FIELD.test(field)) return '(masked)';
    if (ROW_FIELD.test(field)) return '(left out)';
    if (typeof value === 'string' && SQL_FIELD.test(field)) return withoutLiterals(value);
  }
  if (Array.isArray(value)) return value.map((one) => redacted(one, field));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, redacted(inner, key)]));
}

/** Quoted texts, and numbers that stand alone; names in backticks stay. */
export function withoutLiterals(sql: string): string {
  return sql.replace(
    /`(?:[^`]|``)*`|'(?:[^'\\]|\\.|'')*'?|"(?:[^"\\]|\\.|"")*"?|\b(?:0x[0-9a-f]+|[0-9]+(?:\.[0-9]+)?)\b/gi,
    (found) => (found.startsWith('`') ? found : '?'),
  );
}
