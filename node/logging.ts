import { type Logger as PinoLogger, pino } from 'pino';
import type { NodeConfig } from '../model/config.ts';

/** Names under which a secret could slip into a log line; their values are replaced. */
const REDACTED = [
  'password',
  'token',
  'secret',
  'authorization',
  'cookie',
  'clusterKey',
  '*.password',
  '*.token',
  '*.secret',
  '*.authorization',
];

/**
 * The one root logger of the process: JSON lines on standard error, or readable ones for terminals. Everything else
 * gets a child with `component`, `pipeline`, `stage`. Messages are constant text, facts are fields, row values never appear.
 */
export function rootLogger(node: Pick<NodeConfig, 'name' | 'site' | 'log'>, release: string): PinoLogger {
  const options = {
    // Everything: `LogGate` decides, so that the level can be changed while it runs.
    level: 'trace',
    base: { service: 'holt', version: release, node: node.name, site: node.site, pid: process.pid },
    redact: { paths: REDACTED, censor: '[redacted]' },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: errorFields },
  };
  if (node.log.pretty)
    return pino({
      ...options,
      transport: {
        target: 'pino-pretty',
        options: { destination: 2, ignore: 'pid,service,version,node,site', singleLine: true },
      },
    });
  return pino(options, pino.destination({ dest: 2, sync: false }));
}

/** `err` as the fields of the log reference: type, code, errno, sqlstate, message, stack, facts. */
function errorFields(error: unknown): unknown {
  if (!(error instanceof Error)) return { message: String(error) };
  const extra = error as Error & {
    code?: unknown;
    errno?: unknown;
    sqlState?: unknown;
    facts?: unknown;
    disposition?: unknown;
  };
  return {
    type: error.name,
    code: extra.code,
    errno: extra.errno,
    sqlstate: extra.sqlState,
    disposition: extra.disposition,
    message: error.message,
    facts: plainFacts(extra.facts),
    stack: error.stack,
    cause:
      error.cause instanceof Error ? { type: error.cause.name, message: error.cause.message } : undefined,
  };
}

function plainFacts(facts: unknown): unknown {
  if (typeof facts !== 'object' || facts === null) return undefined;
  return Object.fromEntries(
    Object.entries(facts).map(([key, value]) => [key, typeof value === 'bigint' ? value.toString() : value]),
  );
}
