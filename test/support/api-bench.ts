/** The API of a node over an embedded tree, with operations that a test gives: no databases, no other nodes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { literalSecret } from '../../conf/secret.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { HoltError } from '../../lib/errors.ts';
import { silentLogger } from '../../lib/logger.ts';
import { Accounts } from '../../node/access/accounts.ts';
import { AuditLog } from '../../node/access/audit-log.ts';
import { sealKey } from '../../node/access/records.ts';
import { AlarmDesk } from '../../node/alarms/alarm-desk.ts';
import { AlarmStore } from '../../node/alarms/alarm-store.ts';
import { ApiClient } from '../../node/api/client.ts';
import { EventHub } from '../../node/api/event-hub.ts';
import { type HttpServer, type HttpServerOptions, startHttpServer } from '../../node/api/http-server.ts';
import { RepeatedRequests } from '../../node/api/idempotency.ts';
import type { Operations } from '../../node/operations.ts';
import { EmbeddedServer } from '../../scheduler/tree/embedded/embedded-server.ts';
import { embeddedTree } from '../../scheduler/tree/embedded/embedded-tree.ts';
import type { CoordinationTree } from '../../scheduler/tree/tree.ts';

/** Of the configuration: an administrator. */
export const ROOT_TOKEN = 'the-token-of-the-configuration';

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly text: string;
  json(): unknown;
}

export interface SendOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Shown as a bearer token. */
  readonly token?: string;
}

export interface ApiBenchOptions {
  /** Whatever is not here fails. */
  readonly operations?: Partial<Record<keyof Operations, (...args: never[]) => unknown>>;
  readonly auth?: boolean;
  readonly clock?: Clock;
  readonly server?: Partial<HttpServerOptions>;
}

export class ApiBench implements AsyncDisposable {
  readonly url: string;
  readonly accounts: Accounts;
  readonly auditLog: AuditLog;
  readonly tree: CoordinationTree;
  readonly embedded: EmbeddedServer;
  readonly folder: string;
  readonly events: EventHub;
  readonly #server: HttpServer;
  readonly #running: Promise<void>;

  private constructor(
    parts: Pick<ApiBench, 'accounts' | 'auditLog' | 'tree' | 'embedded' | 'folder' | 'events'>,
    server: HttpServer,
    running: Promise<void>,
  ) {
    this.accounts = parts.accounts;
    this.auditLog = parts.auditLog;
    this.tree = parts.tree;
    this.embedded = parts.embedded;
    this.folder = parts.folder;
    this.events = parts.events;
    this.url = server.url;
    this.#server = server;
    this.#running = running;
  }

  static async start(options: ApiBenchOptions = {}): Promise<ApiBench> {
    const clock = options.clock ?? systemClock;
    const embedded = new EmbeddedServer();
    const tree = embeddedTree({ server: embedded });
    const running = tree.run();
    await tree.whenConnected();
    const folder = mkdtempSync(join(tmpdir(), 'holt-api-'));
    const common = {
      tree,
      key: sealKey(Buffer.from('key of the tests')),
      node: 'n1',
      clock,
      log: silentLogger,
    };
    const accounts = new Accounts({
      ...common,
      api: { auth: options.auth ?? true, token: literalSecret(ROOT_TOKEN), sessionMs: 3_600_000 },
      // Tests check what is done with passwords, not how long a guess takes.
      passwordCost: { n: 1024, r: 8, p: 1 },
    });
    const auditLog = new AuditLog({ ...common, retentionDays: 30 });
    const operations = failing(options.operations ?? {});
    const alarms = {
      enabled: true,
      everyMs: 500,
      timezone: 'UTC',
      rules: [],
      channels: [],
      historyDays: 30,
      link: null,
    };
    const desk = new AlarmDesk({
      alarms,
      where: { cluster: 'test', link: null },
      store: new AlarmStore({ tree, log: silentLogger }),
      deliverer: { test: () => Promise.resolve() },
      clock,
      log: silentLogger,
    });
    const events = new EventHub({
      pipelines: () => operations.pipelines(),
      nodes: () => operations.nodes(),
      alarms: () => desk.list(),
      clock,
      log: silentLogger,
    });
    const refused = () => Promise.reject(new HoltError('HOLT_NODE_UNKNOWN', 'there is no other node'));
    const server = await startHttpServer({
      host: '127.0.0.1',
      port: 0,
      tls: null,
      trustedProxies: [],
      openMetrics: true,
      console: { files: new Map() },
      operations,
      cluster: {
        sites: () => [],
        batches: () => Promise.resolve([]),
        claims: () => Promise.resolve([]),
        znode: refused,
        logLevel: refused,
        setLogLevel: refused,
        drainState: refused,
        drain: refused,
        undrain: refused,
      },
      history: { query: (asked) => Promise.resolve({ ...asked, points: [], silent: [] }) },
      applied: { recent: () => Promise.resolve({ batches: [], silent: [] }) },
      alarms: desk,
      events,
      clock,
      accounts,
      audit: auditLog,
      release: '1.2.3',
      notReady: () => 'the node is starting',
      metrics: () => Promise.resolve('# metrics\n'),
      repeats: new RepeatedRequests(common),
      log: silentLogger,
      ...options.server,
    });
    return new ApiBench({ accounts, auditLog, tree, embedded, folder, events }, server, running);
  }

  client(token: string | null = ROOT_TOKEN): ApiClient {
    return new ApiClient({ server: this.url, timeoutMs: 20_000, token });
  }

  /** Headers as an attacker sends them: fetch would not. */
  send(method: string, path: string, { headers = {}, body, token }: SendOptions = {}): Promise<ApiAnswer> {
    const { hostname, port } = new URL(this.url);
    const sent = {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    };
    return new Promise((resolve, reject) => {
      const call = request({ hostname, port, method, path, headers: sent }, (response) => {
        let text = '';
        response.on('data', (data) => {
          text += String(data);
        });
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            json: () => JSON.parse(text) as unknown,
          }),
        );
      });
      call.on('error', reject);
      call.end(body);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.close();
    await this.events.stop();
    await this.auditLog.close();
    await this.tree.stop();
    await this.#running;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function failing(known: object): Operations {
  return new Proxy(known, {
    get: (given, name) =>
      Reflect.get(given, name) ?? (() => Promise.reject(new Error(`not expected: ${String(name)}`))),
  }) as unknown as Operations;
}
