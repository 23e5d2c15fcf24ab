/**
 * The support bundle: what helps others to understand an installation, in one file, and nothing that they must not see: no passwords,
 * tokens or keys, no row values, no literals of SQL.
 */

import { messageOf } from '../lib/errors.ts';
import { SECRET_FIELD } from './api/masking.ts';

const HISTORY_MS = 6 * 3_600_000;
const MAX_LISTED = 100;

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
  const details: Record<string, unknown> = {};
  for (const name of names)
    details[name] = {
      config: await part(() => client.config(name)),
      position: await part(() => client.position(name)),
      batches: await part(() => client.batches(name)),
      tables: await part(() => client.tables(name)),
      errors: await part(() => client.errors(name, MAX_LISTED)),
      ddl: await part(() => client.ddl(name, MAX_LISTED)),
      checks: await part(() => client.checks(name)),
      history: await part(() =>
        client.history(name, { fromMs: nowMs - HISTORY_MS, toMs: nowMs, stepMs: 60_000 }),
      ),
    };
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
    details,
  });
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
