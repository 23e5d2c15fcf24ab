/** What a database server's settings and grants mean for what it is used for. Pure. */
import type { HoltError } from '../../lib/errors.ts';
import { formatBytes } from '../cli/output.ts';
import { type Finding, failure, ok, problem, type Trouble, warning } from './finding.ts';
import type { ServerFacts } from './server-facts.ts';

const DAY_S = 86_400;

/** Newest version of the `holt` schema that this program makes. */
export interface SchemaExpectation {
  readonly newest: number;
}

/** The `holt` schema: at a target for checkpoint and ledger, at a source for the heartbeat. */
export function schemaFindings(
  about: string,
  facts: ServerFacts,
  { newest }: SchemaExpectation,
): readonly Finding[] {
  const { schemaVersion, missingOnHolt } = facts;
  if (schemaVersion !== null && schemaVersion > newest)
    return [
      problem({
        code: 'HOLT_SCHEMA_NEWER',
        about,
        message: `the holt schema has version ${schemaVersion}, and this program knows up to ${newest}`,
      }),
    ];
  // What is at the version already is only written to.
  const needed = schemaVersion === newest ? ['SELECT', 'INSERT', 'UPDATE', 'DELETE'] : null;
  const missing = needed === null ? missingOnHolt : missingOnHolt.filter((one) => needed.includes(one));
  if (missing.length > 0)
    return [
      problem({
        code: 'HOLT_SCHEMA_GRANT',
        about,
        message: `the account lacks ${missing.join(', ')} on the schema holt`,
      }),
    ];
  if (schemaVersion === newest) return [ok(about, `holt schema at version ${newest}`)];
  return [
    ok(
      about,
      schemaVersion === 0 || schemaVersion === null
        ? 'no holt schema yet; the account may create it'
        : `holt schema at version ${schemaVersion}; it will be migrated to ${newest}`,
    ),
  ];
}

/** How long the source keeps its log, and whether it can be written to. */
export function sourceServerFindings(about: string, facts: ServerFacts): readonly Finding[] {
  const findings: Finding[] = [];
  const seconds = retentionSeconds(facts.variables);
  if (seconds === null || seconds === 0) findings.push(ok(about, 'its log is not purged by age'));
  else if (seconds < DAY_S)
    findings.push(
      warning({
        code: 'HOLT_SOURCE_RETENTION',
        about,
        message: `the source keeps its log for ${Math.round(seconds / 60)} minutes: a pipeline that rests longer loses its place`,
      }),
    );
  else findings.push(ok(about, `its log is kept for ${(seconds / DAY_S).toFixed(1)} days`));
  if (isReadOnly(facts.variables))
    findings.push(
      problem({
        code: 'HOLT_SOURCE_READ_ONLY',
        about,
        message: 'the source is read-only: the heartbeat cannot be written, and no pipeline can begin',
      }),
    );
  return findings;
}

/** MySQL 8 counts seconds, older ones and MariaDB days, MariaDB 10.6 both. Null where the server tells neither. */
function retentionSeconds(variables: ReadonlyMap<string, string>): number | null {
  const seconds = Number(variables.get('binlog_expire_logs_seconds') ?? Number.NaN);
  const days = Number(variables.get('expire_logs_days') ?? Number.NaN);
  if (seconds > 0) return seconds;
  if (days > 0) return days * DAY_S;
  return Number.isNaN(seconds) && Number.isNaN(days) ? null : 0;
}

function isReadOnly(variables: ReadonlyMap<string, string>): boolean {
  return ['read_only', 'super_read_only'].some((name) => /^(?:on|1)$/i.test(variables.get(name) ?? ''));
}

export function targetServerFindings(about: string, facts: ServerFacts): readonly Finding[] {
  const findings: Finding[] = [];
  const format = facts.variables.get('binlog_format');
  if (
    format !== undefined &&
    format.toUpperCase() !== 'ROW' &&
    /^(?:on|1)$/i.test(facts.variables.get('log_bin') ?? '')
  )
    findings.push(
      ok(about, `binlog_format is ${format}; Holt sets ROW for its own sessions, and the account may do so`),
    );
  if (!facts.seesProcesses)
    findings.push(
      warning({
        code: 'HOLT_TARGET_PROCESS_GRANT',
        about,
        message:
          'the account lacks PROCESS: sessions that older nodes opened under another account are not seen',
      }),
    );
  return findings;
}

/** A statement of the source that was one packet must be one at the target. */
export function packetFindings(about: string, source: ServerFacts, target: ServerFacts): readonly Finding[] {
  const [from, to] = [source, target].map((one) => Number(one.variables.get('max_allowed_packet') ?? 0));
  if (from === undefined || to === undefined || to >= from) return [];
  return [
    warning({
      code: 'HOLT_TARGET_PACKET_SMALL',
      about,
      message: `max_allowed_packet is ${formatBytes(to)} at the target and ${formatBytes(from)} at the source`,
    } satisfies Trouble),
  ];
}

/** A schema change means at the target what it meant at the source only if its session can be told when that was. */
export function schemaChangeFindings(about: string, target: string, facts: ServerFacts): readonly Finding[] {
  if (facts.setsTime) return [];
  const setting = facts.variables.get('secure_timestamp') ?? null;
  const why = setting === null ? '' : `: its secure_timestamp is ${setting}`;
  return [
    warning({
      code: 'HOLT_TARGET_TIME',
      about,
      message: `the account at ${target} may not set what time it is for its session${why}; a schema change that asks for it, such as a new column DEFAULT CURRENT_TIMESTAMP, stops the pipeline`,
    }),
  ];
}

/** What `sourceProblems` holds against a source. */
export function sourceProblemFindings(about: string, problems: readonly HoltError[]): readonly Finding[] {
  return problems.map((one) => failure(about, one));
}
