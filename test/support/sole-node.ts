/**
 * A whole Holt in this process, as `holt run` is: for end-to-end tests that switch failpoints while it runs (HOLT_FAILPOINTS is read
 * at every passing).
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '../../conf/load.ts';
import { waitFor } from '../../lib/abort.ts';
import { silentLogger } from '../../lib/logger.ts';
import { ApiClient } from '../../node/api/client.ts';
import { type RunningNode, soleNode, startNode } from '../../node/compose.ts';
import type { DatabaseEndpoint } from './database.ts';
import { temporaryFolder } from './kept-process.ts';

export interface SoleNodeOptions {
  /** Site → database. */
  readonly databases: Readonly<Record<string, DatabaseEndpoint>>;
  /** Pipeline → its spec, as in the configuration; `source` and `target` are `<site>-db`. */
  readonly pipelines: Readonly<Record<string, object>>;
  /** Winner of the channel, where its pipelines go both ways. */
  readonly winner?: string;
}

const TOKEN = 'a-token-of-twenty-four-characters-and-more';

export class SoleNode implements AsyncDisposable {
  readonly url: string;
  readonly api: ApiClient;
  readonly token = TOKEN;
  readonly #node: RunningNode;
  readonly #variables: readonly string[];

  private constructor(node: RunningNode, variables: readonly string[]) {
    this.#node = node;
    this.#variables = variables;
    this.url = node.url;
    this.api = new ApiClient({ server: node.url, timeoutMs: 30_000, token: TOKEN });
  }

  static async start({ databases, pipelines, winner }: SoleNodeOptions): Promise<SoleNode> {
    const folder = await temporaryFolder('sole-node');
    const variables = ['HOLT_API_TOKEN'];
    process.env.HOLT_API_TOKEN = TOKEN;
    const dataSources = Object.fromEntries(
      Object.entries(databases).map(([site, { host, port, user, password }]) => {
        const variable = `SOLE_NODE_${site.toUpperCase()}_PASSWORD`;
        variables.push(variable);
        process.env[variable] = password;
        return [`${site}-db`, { site, host, port, user, password: `\${env:${variable}}` }];
      }),
    );
    const file = join(folder, 'holt.yaml');
    const spec = {
      coordination: { kind: 'embedded' },
      api: { token: '${env:HOLT_API_TOKEN}' },
      dataSources,
      channels: { main: { pipelines, ...(winner === undefined ? {} : { winner }) } },
    };
    // JSON is YAML, too.
    writeFileSync(
      file,
      JSON.stringify({ apiVersion: 'holt/v1', kind: 'Holt', metadata: { name: 'sole' }, spec }),
    );
    const { config, node } = soleNode(loadConfig(file));
    const running = await startNode({
      config,
      node: { ...node, listen: { host: '127.0.0.1', port: 0 } },
      release: 'test',
      log: silentLogger,
    });
    return new SoleNode(running, variables);
  }

  /** Until every pipeline has a reign and nothing to do. */
  async idle(): Promise<void> {
    await waitFor(
      async () => {
        const all = await this.api.pipelines().catch(() => []);
        return all.length > 0 && all.every(({ state }) => state === 'idle');
      },
      { timeoutMs: 120_000, pollMs: 50, what: 'the pipelines to be idle' },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    delete process.env.HOLT_FAILPOINTS;
    await this.#node.stop();
    for (const one of this.#variables) delete process.env[one];
  }
}
