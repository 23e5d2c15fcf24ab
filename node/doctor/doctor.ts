/** Looks at every connection, grant and setting of a configuration, and changes nothing. */
import { SchemaReader } from '../../canal/schema/schema-reader.ts';
import { inspectSource, sourceNotes } from '../../canal/source/source-check.ts';
import type { LoadedConfig } from '../../conf/load.ts';
import { HoltError } from '../../lib/errors.ts';
import { wildcard } from '../../lib/wildcard.ts';
import type { DataSourceConfig, PipelineConfig } from '../../model/config.ts';
import { carriesDdl } from '../../model/ddl.ts';
import { loadProcessor } from '../../stages/extract/processor.ts';
import { TargetSchema } from '../../stages/load/apply/target-schema.ts';
import { targetError } from '../../stages/load/target/error-classes.ts';
import { connectTarget } from '../../stages/load/target/mysql2-connection.ts';
import { MIGRATIONS } from '../../stages/load/target/schema/migrations.ts';
import type { TargetSession } from '../../stages/load/target/target-connection.ts';
import { MIN_KEY_BYTES } from '../../stages/pipe/channel/signature.ts';
import { TableFilter } from '../../stages/select/table-filter.ts';
import { TableMapping } from '../../stages/transform/table-mapping.ts';
import { type ClockReading, clockFindings } from './clock-checks.ts';
import { checkCoordination } from './coordination-check.ts';
import { declaredShape } from './declared-shape.ts';
import { type Finding, failure, ok, problem, warning } from './finding.ts';
import { checkNodes } from './node-checks.ts';
import { checkRedis } from './redis-check.ts';
import {
  packetFindings,
  schemaChangeFindings,
  schemaFindings,
  sourceProblemFindings,
  sourceServerFindings,
  targetServerFindings,
} from './server-checks.ts';
import { readServerFacts, type ServerFacts } from './server-facts.ts';
import { filterFindings, rowSizeFindings, tableFindings } from './table-checks.ts';
import { lacksForSchemaChanges, lacksOfTarget } from './target-grants.ts';

/** All findings, in the order: keys, nodes, coordination, jobs, servers, pipelines, clocks. */
export async function runDoctor(loaded: LoadedConfig): Promise<readonly Finding[]> {
  const { config } = loaded;
  const findings: Finding[] = [...clusterKeyFindings(loaded)];
  const clocks: ClockReading[] = [];
  const nodes = await checkNodes(loaded);
  findings.push(...nodes.findings);
  clocks.push(...nodes.clocks);
  const coordination = await checkCoordination(config.coordination);
  findings.push(...coordination.findings);
  if (coordination.clock !== null) clocks.push(coordination.clock);
  for (const site of config.sites) {
    const redis = await checkRedis(site);
    findings.push(...redis.findings);
    if (redis.clock !== null) clocks.push(redis.clock);
  }
  const servers = new Map<string, CheckedServer>();
  for (const dataSource of config.dataSources) {
    const checked = await checkServer(loaded, dataSource);
    findings.push(...checked.findings);
    if (checked.server === null) continue;
    servers.set(dataSource.name, checked.server);
    clocks.push(checked.server.facts.clock);
  }
  try {
    for (const pipeline of config.pipelines) findings.push(...(await checkPipeline(pipeline, servers)));
  } finally {
    for (const { session } of servers.values()) await session.close();
  }
  findings.push(...clockFindings(clocks));
  return findings;
}

/** A server that could be asked; its session is closed by `runDoctor`. */
interface CheckedServer {
  readonly config: DataSourceConfig;
  readonly session: TargetSession;
  readonly facts: ServerFacts;
}

function clusterKeyFindings({ nodes }: LoadedConfig): readonly Finding[] {
  if (nodes.length < 2) return [];
  const findings: Finding[] = [];
  const keys = new Set<string>();
  for (const node of nodes) {
    const about = `cluster key of node ${node.name}`;
    try {
      const key = node.clusterKey.resolve();
      keys.add(key);
      if (Buffer.byteLength(key) < MIN_KEY_BYTES)
        findings.push(
          problem({
            code: 'HOLT_CLUSTER_KEY_WEAK',
            about,
            message: `it has ${Buffer.byteLength(key)} bytes; at least ${MIN_KEY_BYTES} are needed`,
          }),
        );
    } catch (error) {
      findings.push(failure(about, error));
    }
  }
  if (keys.size > 1)
    findings.push(
      problem({
        code: 'HOLT_CLUSTER_KEY_DIFFERS',
        about: 'cluster key',
        message: `the ${nodes.length} nodes have ${keys.size} different keys: they refuse each other's calls`,
      }),
    );
  return findings.length === 0 ? [ok('cluster key', `one for all ${nodes.length} nodes`)] : findings;
}

async function checkServer(
  { config }: LoadedConfig,
  dataSource: DataSourceConfig,
): Promise<{ readonly findings: readonly Finding[]; readonly server: CheckedServer | null }> {
  const isSource = config.pipelines.some((one) => one.source === dataSource.name);
  const isTarget = config.pipelines.some((one) => one.target === dataSource.name);
  const about = `${dataSource.name} (${[...(isSource ? ['source'] : []), ...(isTarget ? ['target'] : [])].join(' and ') || 'unused'})`;
  const findings: Finding[] = [];
  let session: TargetSession | null = null;
  try {
    if (isSource) findings.push(...(await checkSource(about, config.pipelines, dataSource)));
    // As Load opens it: refuses read-only servers and those where sessions cannot be set as they must be.
    session = await connectTarget(dataSource, { session: { writes: isTarget } });
    if (!isSource) findings.push(ok(about, `${session.server.flavour} ${session.server.version}`));
    const facts = await readServerFacts(dataSource.name, session);
    const newest = MIGRATIONS.at(-1)?.version ?? 0;
    if (isSource) findings.push(...sourceServerFindings(about, facts));
    if (isTarget) findings.push(...targetServerFindings(about, facts));
    if (isSource || isTarget) findings.push(...schemaFindings(about, facts, { newest }));
    return { findings, server: { config: dataSource, session, facts } };
  } catch (error) {
    await session?.close();
    findings.push(failure(about, serverError(error)));
    return { findings, server: null };
  }
}

/** Also when a part of it fails, one line says why. @throws what keeps anything else from being asked of the server */
async function checkSource(
  about: string,
  pipelines: readonly PipelineConfig[],
  dataSource: DataSourceConfig,
): Promise<readonly Finding[]> {
  const filters = pipelines
    .filter((one) => one.source === dataSource.name)
    .map((one) => new TableFilter(one.tables, { caseSensitive: true }));
  const { facts, problems } = await inspectSource({
    endpoint: dataSource,
    serverId: dataSource.serverId,
    wants: (schema, table) => filters.some((filter) => filter.matches(schema, table)),
  });
  const notes = sourceNotes(facts).map((message) => warning({ code: 'HOLT_SOURCE_SETTING', about, message }));
  return [
    ok(about, `${facts.flavour} ${facts.version}`),
    ...sourceProblemFindings(about, problems),
    ...(problems.length === 0 ? [ok(about, 'its log can be followed')] : []),
    ...notes,
  ];
}

function serverError(error: unknown): unknown {
  return error instanceof HoltError ? error : targetError(error);
}

async function checkPipeline(
  pipeline: PipelineConfig,
  servers: ReadonlyMap<string, CheckedServer>,
): Promise<readonly Finding[]> {
  const about = `pipeline ${pipeline.name}`;
  const findings: Finding[] = [];
  for (const path of new Set(pipeline.rules.flatMap((rule) => rule.processor ?? []))) {
    try {
      await loadProcessor(path);
      findings.push(ok(about, `processor ${path} can be loaded`));
    } catch (error) {
      findings.push(failure(about, error));
    }
  }
  const source = servers.get(pipeline.source);
  const target = servers.get(pipeline.target);
  if (source !== undefined && target !== undefined)
    findings.push(...packetFindings(about, source.facts, target.facts));
  if (target !== undefined && carriesDdl(pipeline.ddl))
    findings.push(...schemaChangeFindings(about, pipeline.target, target.facts));
  if (source === undefined) return findings;
  try {
    findings.push(...(await checkTables(about, pipeline, source, target ?? null)));
  } catch (error) {
    findings.push(failure(about, serverError(error)));
  }
  return findings;
}

async function checkTables(
  about: string,
  pipeline: PipelineConfig,
  source: CheckedServer,
  target: CheckedServer | null,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const caseSensitive = source.facts.variables.get('lower_case_table_names') === '0';
  const filter = new TableFilter(pipeline.tables, { caseSensitive });
  const query = async (sql: string) =>
    (await source.session.rows(sql)).map((row) => row.map((value) => value?.toString('utf8') ?? null));
  const all = await query(
    "SELECT TABLE_SCHEMA, TABLE_NAME, DATA_LENGTH FROM information_schema.TABLES WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')",
  );
  const tables = all
    .map(([schema, table, bytes]) => ({
      schema: schema ?? '',
      table: table ?? '',
      dataBytes: BigInt(bytes ?? 0),
    }))
    .filter((one) => filter.matches(one.schema, one.table));
  for (const pattern of pipeline.tables.include) {
    const own = new TableFilter({ include: [pattern], exclude: [] }, { caseSensitive });
    if (!tables.some((one) => own.matches(one.schema, one.table)))
      findings.push(
        warning({
          code: 'HOLT_TABLES_UNMATCHED',
          about,
          message: `no table at ${pipeline.source} is called ${pattern}, or the account may not see it`,
        }),
      );
  }
  for (const rule of pipeline.rules) {
    const matches = wildcard(rule.match);
    if (!tables.some((one) => matches(`${one.schema}.${one.table}`)))
      findings.push(
        warning({
          code: 'HOLT_TABLES_UNMATCHED',
          about,
          message: `the rule for ${rule.match} fits no table that is carried`,
        }),
      );
  }
  const reader = new SchemaReader({ query });
  const mapping = new TableMapping(pipeline.rules);
  const targetSchema =
    target === null ? null : new TargetSchema({ query: (sql) => target.session.rows(sql) });
  const targetSchemas = new Set<string>();
  let sound = 0;
  const packetOf = ({ facts }: CheckedServer) => BigInt(facts.variables.get('max_allowed_packet') ?? 0);
  for (const { schema, table, dataBytes } of tables) {
    const facts = await reader.read(schema, table);
    if (facts === null) continue;
    const place = `${schema}.${table} of ${about}`;
    const own: Finding[] = [];
    const shape = declaredShape(schema, table, facts);
    const rule = mapping.ruleFor(schema, table);
    if (rule !== null) own.push(...filterFindings(place, shape, rule));
    try {
      const route = mapping.route(shape, 0);
      targetSchemas.add(route.schema);
      if (targetSchema !== null && target !== null) {
        const there = await targetSchema.table(route.schema, route.name);
        own.push(...tableFindings({ about: place, shape, route, target: there }));
        const packets = { sourcePacket: packetOf(source), targetPacket: packetOf(target) };
        own.push(...rowSizeFindings({ about: place, columns: facts.columns, dataBytes, ...packets }));
        const lacks = await lacksOfTarget(target.session, there);
        if (lacks.length > 0)
          own.push(
            problem({
              code: 'HOLT_TARGET_GRANT',
              about: place,
              message: `the account at ${pipeline.target} lacks ${lacks.join(', ')} on ${there.schema}.${there.name}`,
              remedy: `GRANT SELECT, INSERT, UPDATE, DELETE ON \`${there.schema}\`.* TO the account; holt grants print has all of them.`,
            }),
          );
      }
    } catch (error) {
      own.push(failure(place, serverError(error)));
    }
    if (own.every((one) => one.level === 'ok')) sound += 1;
    findings.push(...own);
  }
  if (target !== null && carriesDdl(pipeline.ddl))
    for (const schema of targetSchemas) {
      const lacks = await lacksForSchemaChanges(target.session, schema);
      if (lacks.length === 0) continue;
      findings.push(
        warning({
          code: 'HOLT_TARGET_GRANT',
          about,
          message: `the account at ${pipeline.target} lacks ${lacks.join(', ')} in ${schema}: the first schema change there stops the pipeline`,
          remedy: `Grant what holt grants print lists to replicate schema changes, or set ddl of ${pipeline.name} to stop or ignore.`,
        }),
      );
    }
  // What does not fit is among the errors; a line in order beside it would say otherwise.
  if (sound > 0 || (tables.length > 0 && target === null))
    findings.push(
      ok(
        about,
        target === null
          ? `${tables.length} tables; not compared with ${pipeline.target}, which could not be asked`
          : `${sound} of ${tables.length} tables fit the target`,
      ),
    );
  return findings;
}
