/** `Operations` over a node's HTTP API: what the CLI speaks. */
import { z } from 'zod';
import { HoltError, messageOf } from '../../lib/errors.ts';
import { clockReading } from '../../model/lag.ts';
import {
  type DesiredChange,
  ddlDetailView,
  ddlView,
  ledgerDetailView,
  ledgerEntryView,
  nodeView,
  type Operations,
  type ParkRequest,
  parkedTableView,
  pipelineStatusView,
  positionView,
  type ResumeRequest,
  type SettleRequest,
  verifyView,
} from '../operations.ts';

const problem = z.object({ code: z.string(), detail: z.string(), remedy: z.string().optional() });

export class ApiClient implements Operations {
  readonly #base: string;
  readonly #timeoutMs: number;

  constructor(options: { readonly server: string; readonly timeoutMs: number }) {
    if (!/^https?:\/\//.test(options.server) || !URL.canParse(options.server))
      throw new HoltError(
        'HOLT_REQUEST_INVALID',
        `${JSON.stringify(options.server)} is no address of a node`,
        {
          disposition: 'fatal',
          remedy: 'Write it as http://127.0.0.1:8640.',
        },
      );
    this.#base = `${options.server.replace(/\/+$/, '')}/api/v1`;
    this.#timeoutMs = options.timeoutMs;
  }

  clocks() {
    return this.#call('GET', '/clocks', z.array(clockReading));
  }

  nodes() {
    return this.#call('GET', '/nodes', z.array(nodeView));
  }

  pipelines() {
    return this.#call('GET', '/pipelines', z.array(pipelineStatusView));
  }

  pipeline(name: string) {
    return this.#call('GET', `${path(name)}/status`, pipelineStatusView);
  }

  async setDesired(name: string, change: DesiredChange) {
    await this.#call('PUT', `${path(name)}/desired`, z.unknown(), change);
  }

  async deletePipeline(name: string) {
    await this.#call('DELETE', path(name), z.unknown());
  }

  position(name: string) {
    return this.#call('GET', `${path(name)}/position`, positionView);
  }

  setPosition(name: string, position: string, why: string) {
    return this.#call('PATCH', `${path(name)}/position`, positionView, { position, why });
  }

  errors(name: string, limit: number) {
    return this.#call('GET', `${path(name)}/errors?limit=${limit}`, z.array(ledgerEntryView));
  }

  error(name: string, id: string) {
    return this.#call('GET', `${path(name)}/errors/${encodeURIComponent(id)}`, ledgerDetailView);
  }

  replay(name: string, id: string) {
    return this.#call('POST', `${path(name)}/errors/${encodeURIComponent(id)}/replay`, ledgerEntryView);
  }

  tables(name: string) {
    return this.#call('GET', `${path(name)}/tables`, z.array(parkedTableView));
  }

  parkTable(name: string, table: string, request: ParkRequest) {
    return this.#call('POST', `${tablePath(name, table)}/park`, parkedTableView, request);
  }

  resumeTable(name: string, table: string, request: ResumeRequest) {
    return this.#call('POST', `${tablePath(name, table)}/resume`, z.array(parkedTableView), request);
  }

  ddl(name: string, limit: number) {
    return this.#call('GET', `${path(name)}/ddl?limit=${limit}`, z.array(ddlView));
  }

  ddlRow(name: string, id: string) {
    return this.#call('GET', `${path(name)}/ddl/${encodeURIComponent(id)}`, ddlDetailView);
  }

  settleDdl(name: string, id: string, request: SettleRequest) {
    return this.#call('POST', `${path(name)}/ddl/${encodeURIComponent(id)}/settle`, ddlDetailView, request);
  }

  startVerify(name: string) {
    return this.#call('POST', `${path(name)}/checks`, verifyView);
  }

  verify(name: string, id: string) {
    return this.#call('GET', `${path(name)}/checks/${encodeURIComponent(id)}`, verifyView);
  }

  async #call<T>(method: string, route: string, schema: z.ZodType<T>, body?: unknown): Promise<T> {
    const url = this.#base + route;
    let response: Response;
    try {
      response = await fetch(url, {
        method,
        signal: AbortSignal.timeout(this.#timeoutMs),
        ...(body === undefined
          ? {}
          : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      });
    } catch (error) {
      throw new HoltError(
        'HOLT_SERVER_UNREACHABLE',
        `no answer from ${new URL(url).origin}: ${reason(error)}`,
        {
          disposition: 'retry',
          remedy: 'Start a node, or name the address of one with --server.',
          cause: error,
        },
      );
    }
    const text = await response.text();
    const json: unknown = text === '' ? null : parseJson(text, url);
    if (!response.ok) {
      const known = problem.safeParse(json);
      if (known.success)
        throw new HoltError(known.data.code, known.data.detail, {
          disposition: response.status === 503 ? 'retry' : 'fatal',
          ...(known.data.remedy === undefined ? {} : { remedy: known.data.remedy }),
        });
      throw foreign(url, `it answered ${response.status}`);
    }
    const result = schema.safeParse(json);
    if (!result.success) throw foreign(url, result.error.issues[0]?.message ?? 'another form');
    return result.data;
  }
}

const path = (name: string) => `/pipelines/${encodeURIComponent(name)}`;

const tablePath = (name: string, table: string) => `${path(name)}/tables/${encodeURIComponent(table)}`;

function parseJson(text: string, url: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw foreign(url, 'it is no JSON');
  }
}

function foreign(url: string, why: string): HoltError {
  return new HoltError('HOLT_SERVER_FOREIGN', `the answer of ${url} is not that of a Holt node: ${why}`, {
    disposition: 'fatal',
    remedy: 'Check --server: it names the listen address of a node of the same release.',
  });
}

function reason(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && cause.message !== '' ? cause.message : messageOf(error);
}
