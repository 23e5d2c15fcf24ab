/**
 * The HTTP API as the page calls it: the cookie goes along by itself, the CSRF header is added to what changes something, and every
 * failure is a `Problem`. Shapes of answers are types of node/ and model/, which the server has cut its answers to.
 */
import type { SessionView } from '../../node/api/views.ts';
import { Problem, problemOf } from './problem.ts';

const BASE = '/api/v1';
const DEADLINE_MS = 20_000;

export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

type Query = Readonly<Record<string, string | number | null | undefined>>;

let csrf: string | null = null;
let loggedOut: (problem: Problem) => void = () => {};

/** What a login gave; null when it is over. */
export function setLogin(session: SessionView | null): void {
  csrf = session?.csrf ?? null;
}

/** Told when an answer says that nobody is logged in. */
export function whenLoggedOut(listener: (problem: Problem) => void): void {
  loggedOut = listener;
}

export function urlOf(path: string, query: Query = {}): string {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== null && value !== undefined && value !== '') words.set(name, String(value));
  const text = words.toString();
  return `${BASE}${path}${text === '' ? '' : `?${text}`}`;
}

export function get<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> {
  return send<T>('GET', urlOf(path, query), undefined, {}, signal);
}

/** Every page of a list, up to `most` items. */
export async function getAll<T>(
  path: string,
  query: Query = {},
  signal?: AbortSignal,
  most = 5_000,
): Promise<readonly T[]> {
  const items: T[] = [];
  let cursor: string | null = null;
  do {
    const page: Page<T> = await get<Page<T>>(path, { limit: 1000, ...query, cursor }, signal);
    items.push(...page.items);
    cursor = page.next;
  } while (cursor !== null && items.length < most);
  return items;
}

export type Changing = 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export function change<T>(
  method: Changing,
  path: string,
  body?: unknown,
  options: { readonly query?: Query; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<T> {
  return send<T>(method, urlOf(path, options.query), body, options.headers ?? {});
}

/** The answer with its headers, for ETags. */
export async function getWithEtag<T>(
  path: string,
): Promise<{ readonly value: T; readonly etag: string | null }> {
  const answer = await answered('GET', urlOf(path), undefined, {});
  return { value: (await answer.json()) as T, etag: answer.headers.get('etag') };
}

async function send<T>(
  method: string,
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<T> {
  const answer = await answered(method, url, body, headers, signal);
  if (answer.status === 204) return undefined as T;
  return (await answer.json()) as T;
}

async function answered(
  method: string,
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<Response> {
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  let answer: Response;
  try {
    answer = await fetch(url, {
      method,
      credentials: 'same-origin',
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(csrf === null || method === 'GET' ? {} : { 'holt-csrf': csrf }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
    });
  } catch (error) {
    signal?.throwIfAborted();
    throw deadline.aborted
      ? new Problem({
          status: 0,
          code: 'HOLT_SERVER_UNREACHABLE',
          detail: `the node did not answer within ${DEADLINE_MS / 1000} s`,
        })
      : problemOf(error);
  }
  if (answer.ok) return answer;
  throw await problemIn(answer);
}

/** The problem an answer holds; tells of a login that is over. */
export async function problemIn(answer: Response): Promise<Problem> {
  const found = (await answer.json().catch(() => null)) as {
    readonly code?: string;
    readonly detail?: string;
    readonly remedy?: string;
  } | null;
  const problem = new Problem({
    status: answer.status,
    code: found?.code ?? 'HOLT_SERVER_FOREIGN',
    detail: found?.detail ?? `the answer has status ${answer.status} and is none of Holt's`,
    remedy: found?.remedy,
  });
  if (problem.isLogin) loggedOut(problem);
  return problem;
}
