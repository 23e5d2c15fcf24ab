/** A node's HTTP API as its programs call it: what the CLI, the demo and the tests speak. */
import { z } from 'zod';
import { HoltError, messageOf } from '../../lib/errors.ts';
import { clockReading } from '../../model/lag.ts';
import type { UserChange } from '../access/accounts.ts';
import type { Role } from '../access/role.ts';
import {
  alarmChannelView,
  alarmRuleView,
  alarmView,
  channelTestView,
  noticeView,
  silenceView,
} from '../alarms/alarm-views.ts';
import {
  batchView,
  claimView,
  drainView,
  logLevelView,
  siteView,
  type ZnodeView,
  znodeView,
} from '../cluster-views.ts';
import {
  configCheckView,
  configDiffView,
  configView,
  type DdlView,
  type DesiredChange,
  ddlDetailView,
  ddlView,
  keptConfigDetailView,
  keptConfigView,
  type LedgerEntryView,
  ledgerDetailView,
  ledgerEntryView,
  nodeView,
  type ParkRequest,
  parkedTableView,
  pipelineStatusView,
  positionView,
  queuesView,
  type RestartRequest,
  type ResumeRequest,
  type SettleRequest,
  verifyView,
  type WaitRequest,
  waitView,
} from '../operations.ts';
import { type TraceRequest, traceView } from '../trace/trace.ts';
import { MAX_PAGE, pageOf } from './paging.ts';
import {
  auditView,
  historyView,
  type NewTokenView,
  newToken,
  sessionView,
  tokenView,
  userView,
} from './views.ts';

const problem = z.object({ code: z.string(), detail: z.string(), remedy: z.string().optional() });

export interface ApiClientOptions {
  /** A node, such as http://127.0.0.1:8640. */
  readonly server: string;
  readonly timeoutMs: number;
  /** An API token; without one only what is public answers. */
  readonly token?: string | null;
}

/** The verb of each desired state. */
const VERBS = { running: 'resume', paused: 'pause', stopped: 'stop' } as const;

/** Every member throws HoltError with the code that the node gave, or HOLT_SERVER_UNREACHABLE, HOLT_SERVER_FOREIGN. */
export class ApiClient {
  readonly #base: string;
  readonly #timeoutMs: number;
  readonly #token: string | null;

  constructor(options: ApiClientOptions) {
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
    this.#token = options.token ?? null;
  }

  clocks() {
    return this.#all('/clocks', clockReading);
  }

  nodes() {
    return this.#all('/nodes', nodeView);
  }

  pipelines() {
    return this.#all('/pipelines', pipelineStatusView);
  }

  pipeline(name: string) {
    return this.#call('GET', `${path(name)}/status`, pipelineStatusView);
  }

  async setDesired(name: string, { desired, by, why }: DesiredChange) {
    await this.#call('PUT', `${path(name)}/${VERBS[desired]}`, z.unknown(), { by, why });
  }

  restart(name: string, { by, why, onlyFailed }: RestartRequest) {
    const route = `${path(name)}/restart?onlyFailed=${onlyFailed}`;
    return this.#call('POST', route, z.object({ restarted: z.boolean() }), { by, why });
  }

  async deletePipeline(name: string) {
    await this.#call('DELETE', path(name), z.unknown());
  }

  position(name: string) {
    return this.#call('GET', `${path(name)}/position`, positionView);
  }

  /** Until the target has what is committed at the source up to `gtid`, or now. */
  wait(name: string, { gtid, timeoutMs }: WaitRequest, signal?: AbortSignal) {
    const query = new URLSearchParams({ ...(gtid === null ? {} : { gtid }), timeoutMs: String(timeoutMs) });
    return this.#call('GET', `${path(name)}/wait?${query}`, waitView, undefined, {
      timeoutMs: timeoutMs + this.#timeoutMs,
      ...(signal === undefined ? {} : { signal }),
    });
  }

  startTrace(name: string, request: TraceRequest) {
    return this.#call('POST', `${path(name)}/traces`, traceView, request);
  }

  trace(name: string, id: string) {
    return this.#call('GET', `${path(name)}/traces/${encodeURIComponent(id)}`, traceView);
  }

  cancelTrace(name: string, id: string) {
    return this.#call('DELETE', `${path(name)}/traces/${encodeURIComponent(id)}`, traceView);
  }

  setPosition(name: string, position: string, why: string) {
    return this.#call('PATCH', `${path(name)}/position`, positionView, { position, why });
  }

  /** The newest so many. */
  async errors(name: string, limit: number): Promise<readonly LedgerEntryView[]> {
    return this.#all(`${path(name)}/errors`, ledgerEntryView, limit);
  }

  error(name: string, id: string) {
    return this.#call('GET', `${path(name)}/errors/${encodeURIComponent(id)}`, ledgerDetailView);
  }

  replay(name: string, id: string) {
    return this.#call('POST', `${path(name)}/errors/${encodeURIComponent(id)}/replay`, ledgerEntryView);
  }

  closeError(name: string, id: string, why: string) {
    const route = `${path(name)}/errors/${encodeURIComponent(id)}/close`;
    return this.#call('POST', route, ledgerEntryView, { why });
  }

  tables(name: string) {
    return this.#all(`${path(name)}/tables`, parkedTableView);
  }

  parkTable(name: string, table: string, request: ParkRequest) {
    return this.#call('POST', `${tablePath(name, table)}/park`, parkedTableView, request);
  }

  resumeTable(name: string, table: string, request: ResumeRequest) {
    return this.#call('POST', `${tablePath(name, table)}/resume`, z.array(parkedTableView), request);
  }

  /** The newest so many. */
  async ddl(name: string, limit: number): Promise<readonly DdlView[]> {
    return this.#all(`${path(name)}/ddl`, ddlView, limit);
  }

  ddlRow(name: string, id: string) {
    return this.#call('GET', `${path(name)}/ddl/${encodeURIComponent(id)}`, ddlDetailView);
  }

  settleDdl(name: string, id: string, request: SettleRequest) {
    return this.#call('POST', `${path(name)}/ddl/${encodeURIComponent(id)}/settle`, ddlDetailView, request);
  }

  alarms() {
    return this.#all('/alarms', alarmView);
  }

  /** The newest so many. */
  alarmHistory(limit: number) {
    return this.#all('/alarms/history', noticeView, limit);
  }

  alarmRules() {
    return this.#all('/alarms/rules', alarmRuleView);
  }

  alarmChannels() {
    return this.#all('/alarms/channels', alarmChannelView);
  }

  alarmSilences() {
    return this.#all('/alarms/silences', silenceView);
  }

  acknowledgeAlarm(id: string, request: { readonly by?: string; readonly why: string }) {
    return this.#call('POST', `/alarms/${encodeURIComponent(id)}/ack`, alarmView, request);
  }

  silenceAlarms(request: {
    readonly rules: readonly string[];
    readonly subjects: readonly string[];
    readonly forMs: number;
    readonly by?: string;
    readonly why: string;
  }) {
    return this.#call('POST', '/alarms/silences', silenceView, request);
  }

  async endAlarmSilence(id: string) {
    await this.#call('DELETE', `/alarms/silences/${encodeURIComponent(id)}`, z.unknown());
  }

  testAlarmChannel(channel: string, by?: string) {
    const route = `/alarms/channels/${encodeURIComponent(channel)}/test`;
    return this.#call('POST', route, channelTestView, by === undefined ? {} : { by });
  }

  startVerify(name: string) {
    return this.#call('POST', `${path(name)}/checks`, verifyView);
  }

  verify(name: string, id: string) {
    return this.#call('GET', `${path(name)}/checks/${encodeURIComponent(id)}`, verifyView);
  }

  /** Every page, or the first so many items. */
  async #all<T extends z.ZodType>(
    route: string,
    item: T,
    limit = Number.POSITIVE_INFINITY,
  ): Promise<z.output<T>[]> {
    const page: z.ZodType<{ readonly items: readonly z.output<T>[]; readonly next: string | null }> =
      pageOf(item);
    const items: z.output<T>[] = [];
    let cursor: string | null = null;
    do {
      const size = Math.max(1, Math.min(MAX_PAGE, limit - items.length));
      const after: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const found: { readonly items: readonly z.output<T>[]; readonly next: string | null } =
        await this.#call('GET', `${route}${route.includes('?') ? '&' : '?'}limit=${size}${after}`, page);
      items.push(...found.items);
      cursor = found.next;
    } while (cursor !== null && items.length < limit);
    return items;
  }

  sites() {
    return this.#all('/sites', siteView);
  }

  batches(name: string) {
    return this.#all(`${path(name)}/batches`, batchView);
  }

  async retryBatch(name: string, id: string, why: string) {
    await this.#call('POST', `${path(name)}/batches/${encodeURIComponent(id)}/retry`, z.unknown(), { why });
  }

  drain(node: string, wish: { readonly force: boolean; readonly why: string }) {
    return this.#call('PUT', `/nodes/${encodeURIComponent(node)}/drain`, drainView, wish);
  }

  undrain(node: string, why: string) {
    const route = `/nodes/${encodeURIComponent(node)}/drain?why=${encodeURIComponent(why)}`;
    return this.#call('DELETE', route, drainView);
  }

  drainState(node: string) {
    return this.#call('GET', `/nodes/${encodeURIComponent(node)}/drain`, drainView);
  }

  queues() {
    return this.#call('GET', '/queues', queuesView);
  }

  claims() {
    return this.#all('/claims', claimView);
  }

  /** A node of the coordination tree, and the names below it. */
  async znode(where: string): Promise<ZnodeView & { readonly names: readonly string[] }> {
    const route = `/tree?path=${encodeURIComponent(where)}`;
    const { node } = await this.#call('GET', route, z.object({ node: znodeView }));
    return { ...node, names: await this.#all(route, z.string()) };
  }

  logLevel(node: string) {
    return this.#call('GET', `/nodes/${encodeURIComponent(node)}/log-level`, logLevelView);
  }

  setLogLevel(node: string, level: string) {
    return this.#call('PUT', `/nodes/${encodeURIComponent(node)}/log-level`, logLevelView, { level });
  }

  checks(name: string) {
    return this.#all(`${path(name)}/checks`, verifyView);
  }

  config(name: string) {
    return this.#call('GET', `${path(name)}/config`, configView);
  }

  async setConfig(name: string, version: number, config: unknown, why: string) {
    const headers = { 'if-match': `"${version}"` };
    return this.#read(await this.#send('PUT', `${path(name)}/config`, { config, why }, headers), configView);
  }

  checkConfig(name: string, config: unknown) {
    return this.#call('POST', `${path(name)}/config/check`, configCheckView, { config });
  }

  async configHistory(name: string) {
    const items = z.object({ items: z.array(keptConfigView) });
    return (await this.#call('GET', `${path(name)}/config/history`, items)).items;
  }

  keptConfig(name: string, id: string) {
    return this.#call('GET', `${path(name)}/config/history/${encodeURIComponent(id)}`, keptConfigDetailView);
  }

  configDiff(name: string, from: string, to: string) {
    const query = new URLSearchParams({ from, to }).toString();
    return this.#call('GET', `${path(name)}/config/diff?${query}`, configDiffView);
  }

  history(name: string, range: { readonly fromMs: number; readonly toMs: number; readonly stepMs: number }) {
    const { fromMs, toMs, stepMs } = range;
    return this.#call('GET', `${path(name)}/history?from=${fromMs}&to=${toMs}&step=${stepMs}`, historyView);
  }

  /** The first account; answers with a token of it. */
  async setup(token: string, name: string, password: string, purpose: string) {
    return this.#tokenOfLogin('/setup', { token, name, password }, purpose);
  }

  /** A token of the account, for programs that keep no cookie. */
  async login(name: string, password: string, purpose: string) {
    return this.#tokenOfLogin('/session', { name, password }, purpose);
  }

  session() {
    return this.#call('GET', '/session', sessionView);
  }

  users() {
    return this.#all('/users', userView);
  }

  createUser(wish: { name: string; role: Role; pipelines: readonly string[] | null; password: string }) {
    return this.#call('POST', '/users', userView, wish);
  }

  changeUser(name: string, change: Omit<UserChange, 'name'>) {
    return this.#call('PATCH', `/users/${encodeURIComponent(name)}`, userView, change);
  }

  async deleteUser(name: string) {
    await this.#call('DELETE', `/users/${encodeURIComponent(name)}`, z.unknown());
  }

  tokens() {
    return this.#all('/tokens', tokenView);
  }

  createToken(wish: {
    name: string;
    role: Role;
    pipelines: readonly string[] | null;
    expiresInDays: number | null;
  }) {
    return this.#call('POST', '/tokens', newToken, wish);
  }

  async revokeToken(id: string) {
    await this.#call('DELETE', `/tokens/${encodeURIComponent(id)}`, z.unknown());
  }

  /** The newest so many entries that fit. */
  audit(limit: number, filter: Readonly<Record<string, string>>) {
    const query = new URLSearchParams(filter).toString();
    return this.#all(`/audit${query === '' ? '' : `?${query}`}`, auditView, limit);
  }

  async #tokenOfLogin(route: string, body: unknown, purpose: string): Promise<NewTokenView> {
    const response = await this.#send('POST', route, body);
    const session = await this.#read(response, sessionView);
    const [cookie] = (response.headers.getSetCookie()[0] ?? '').split(';');
    const headers = { cookie: cookie ?? '', 'holt-csrf': session.csrf ?? '' };
    const wish = { name: purpose, role: session.role, pipelines: session.pipelines[0] ?? null };
    const token = await this.#read(await this.#send('POST', '/tokens', wish, headers), newToken);
    // The cookie has done its part.
    await this.#read(await this.#send('DELETE', '/session', undefined, headers), z.unknown());
    return token;
  }

  async #call<T>(
    method: string,
    route: string,
    schema: z.ZodType<T>,
    body?: unknown,
    patience: Patience = {},
  ): Promise<T> {
    return this.#read(await this.#send(method, route, body, {}, patience), schema);
  }

  async #send(
    method: string,
    route: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
    { timeoutMs = this.#timeoutMs, signal }: Patience = {},
  ): Promise<Response> {
    const url = this.#base + route;
    const deadline = AbortSignal.timeout(timeoutMs);
    try {
      return await fetch(url, {
        method,
        signal: signal === undefined ? deadline : AbortSignal.any([deadline, signal]),
        redirect: 'manual',
        headers: {
          ...(this.#token === null ? {} : { authorization: `Bearer ${this.#token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (error) {
      signal?.throwIfAborted();
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
  }

  async #read<T>(response: Response, schema: z.ZodType<T>): Promise<T> {
    const { url } = response;
    const text = await response.text().catch((error: unknown) => {
      throw foreign(url, messageOf(error));
    });
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

/** Of one call, where it is not that of all. */
interface Patience {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
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
