import { literalSecret } from '../../../conf/secret.ts';
import type { DataSourceConfig } from '../../../model/config.ts';
import { dataSourceId, siteId } from '../../../model/ids.ts';
import { connectTarget } from '../../../stages/load/target/mysql2-connection.ts';
import { migrate } from '../../../stages/load/target/schema/migrate.ts';
import type { TargetSession } from '../../../stages/load/target/target-connection.ts';
import type { Database } from '../../support/database.ts';

/** A server under test as Load's configuration names it; `port` may be that of a proxy in front. */
export function dataSourceOf(
  db: Pick<Database, 'host' | 'port' | 'user' | 'password'>,
  change: Partial<DataSourceConfig> = {},
): DataSourceConfig {
  return {
    name: dataSourceId('west-db'),
    site: siteId('west'),
    host: db.host,
    port: db.port,
    user: db.user,
    password: literalSecret(db.password),
    tls: { mode: 'disabled', ca: null, cert: null, key: null },
    serverId: 4711,
    connectTimeoutMs: 10_000,
    ...change,
  };
}

/** The `holt` schema at its newest version. */
export async function migrated(config: DataSourceConfig): Promise<void> {
  const connection = await connectTarget(config);
  try {
    await migrate({ connection, by: 'test' });
  } finally {
    await connection.close();
  }
}

/** Sessions opened through it are destroyed at the end of the test, whatever became of them. */
export class Sessions implements AsyncDisposable {
  readonly #open: TargetSession[] = [];

  async to(config: DataSourceConfig): Promise<TargetSession> {
    const session = await connectTarget(config);
    this.#open.push(session);
    return session;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#open.map((session) => session.close()));
  }
}
