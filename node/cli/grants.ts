/** The exact grants an account of Holt needs, by what its data source is used for. */
import type { DataSourceConfig, HoltConfig } from '../../model/config.ts';
import { carriesDdl } from '../../model/ddl.ts';

/** Statements with comments. All of them can be given to either flavour as they are: what only one understands is a comment. */
export function grantStatements(config: HoltConfig, source: DataSourceConfig): string[] {
  const user = `'${source.user.replaceAll("'", "''")}'@'%'`;
  const asSource = config.pipelines.filter((one) => one.source === source.name);
  const asTarget = config.pipelines.filter((one) => one.target === source.name);
  const lines = [
    `-- ${source.name} (${source.host}:${source.port})`,
    `-- CREATE USER ${user} IDENTIFIED BY '...'; -- where there is none yet`,
  ];
  if (asSource.length > 0) {
    lines.push(
      `GRANT REPLICATION SLAVE ON *.* TO ${user}; -- to follow the binlog`,
      `GRANT REPLICATION CLIENT ON *.* TO ${user}; -- to see positions; on MariaDB this is BINLOG MONITOR`,
    );
    for (const schema of schemasOf(asSource.flatMap((one) => one.tables.include)))
      lines.push(`GRANT SELECT ON ${quoteSchema(schema)}.* TO ${user}; -- to know columns, and to verify`);
  }
  if (asTarget.length > 0) {
    const schemas = asTarget.flatMap((one) => [
      ...one.tables.include.filter(
        (pattern) => !one.rules.some((rule) => rule.match === pattern && rule.to.schema !== null),
      ),
      ...one.rules.flatMap((rule) => (rule.to.schema === null ? [] : [`${rule.to.schema}.*`])),
    ]);
    for (const schema of schemasOf(schemas))
      lines.push(
        `GRANT SELECT, INSERT, UPDATE, DELETE ON ${quoteSchema(schema)}.* TO ${user}; -- to apply`,
        `GRANT TRIGGER ON ${quoteSchema(schema)}.* TO ${user}; -- MySQL only: to see triggers, which would act a second time`,
      );
    if (asTarget.some(({ ddl }) => carriesDdl(ddl))) {
      for (const schema of schemasOf(schemas))
        lines.push(
          `GRANT CREATE, ALTER, DROP, INDEX, REFERENCES, CREATE VIEW, SHOW VIEW ON ${quoteSchema(schema)}.* TO ${user}; -- to replicate schema changes`,
        );
      lines.push(
        `GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO ${user}; -- to read in its own log whether a schema change ran`,
        `-- GRANT REPLICATION_APPLIER ON *.* TO ${user}; -- MySQL 8.0.18 and later: to give schema changes GTIDs of their own`,
      );
    }
    lines.push(
      `-- GRANT BINLOG REPLAY ON *.* TO ${user}; -- MariaDB 10.5 and later: to load large batches as events, half as fast again; it lets the account write any table`,
      `-- GRANT REPLICATION_APPLIER ON *.* TO ${user}; -- MySQL 8.0.18 and later: the same`,
      `GRANT PROCESS ON *.* TO ${user}; -- to wait until a killed session has gone`,
      `-- GRANT CONNECTION_ADMIN ON *.* TO ${user}; -- MySQL 8 and later: only if sessions of another account must be ended`,
    );
  }
  lines.push(`GRANT ALL PRIVILEGES ON \`holt\`.* TO ${user}; -- Holt's own tables`);
  return lines;
}

function schemasOf(patterns: readonly string[]): string[] {
  return [...new Set(patterns.map((pattern) => pattern.slice(0, pattern.indexOf('.'))))];
}

/** In a GRANT, `_` and `%` are wildcards: a name has them escaped, Holt's own wildcards become them. */
function quoteSchema(pattern: string): string {
  const escaped = pattern
    .replace(/([_%])/g, '\\$1')
    .replaceAll('*', '%')
    .replaceAll('?', '_');
  return `\`${escaped.replaceAll('`', '``')}\``;
}
