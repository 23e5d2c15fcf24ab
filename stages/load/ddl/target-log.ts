/** The target's own binlog: where it ends, and whether a statement of a certain connection stands behind a certain place. */
import { TransactionAssembler } from '../../../canal/assembler/transaction-assembler.ts';
import { EventDecoder } from '../../../canal/event/decoder.ts';
import { scanLog } from '../../../canal/source/scan-log.ts';
import { Breather } from '../../../lib/breather.ts';
import { HoltError } from '../../../lib/errors.ts';
import type { DataSourceConfig } from '../../../model/config.ts';
import type { SourceItem } from '../../../model/source-item.ts';
import { type TargetConnection, type TargetServer, TargetServerError } from '../target/target-connection.ts';
import type { LogPlace } from './ddl.ts';

/**
 * Null where there is no log, or the account may not see where it ends, or schema changes could be kept out of it by a filter:
 * a log that may lack the statement cannot deny it.
 */
export async function readLogEnd(
  connection: TargetConnection,
  server: TargetServer,
): Promise<LogPlace | null> {
  if (!server.binlog) return null;
  const renamed = server.flavour === 'mysql' && server.versionNumber >= 80_400;
  try {
    const [row] = await connection.rows(renamed ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS');
    const [file, offset, doDb, ignoreDb] = (row ?? []).map((value) => value?.toString('utf8') ?? '');
    if (file === undefined || file === '' || doDb !== '' || ignoreDb !== '') return null;
    return { file, offset: Number(offset) };
  } catch (error) {
    if (error instanceof TargetServerError) return null;
    throw error;
  }
}

/**
 * Looks from `from` to the log's present end for a statement of the connection. Its own verbs and rows do not count, nor what other
 * connections did that had the same number after a restart of the server.
 */
export async function searchLog(
  target: DataSourceConfig,
  from: LogPlace,
  connectionId: number,
  signal: AbortSignal,
): Promise<'found' | 'absent' | 'unreadable'> {
  const decoder = new EventDecoder();
  const breather = new Breather();
  const found: SourceItem[] = [];
  const assembler = new TransactionAssembler({
    shapeOf: () => null,
    countRows: () => 0,
    readMark: () => null,
    partBytes: Number.MAX_SAFE_INTEGER,
    emit: (item) => {
      if (isOf(item, connectionId)) found.push(item);
    },
  });
  try {
    for await (const raw of scanLog({ endpoint: target, file: from.file, from: from.offset }, signal)) {
      const event = decoder.decodeVerified(raw.bytes, raw.header);
      if (event.kind === 'format-description' && raw.start !== raw.end && event.createdAt !== 0)
        return 'absent';
      assembler.push(event, raw);
      if (found.length > 0) return 'found';
      if (breather.due()) await breather.breathe();
    }
    return 'absent';
  } catch (error) {
    signal.throwIfAborted();
    // Purged, damaged, or not ours to read: the log cannot say. What may pass is tried again by whoever asks.
    if (error instanceof HoltError && UNREACHABLE.has(error.code)) throw error;
    return 'unreadable';
  }
}

const UNREACHABLE: ReadonlySet<string> = new Set([
  'HOLT_SOURCE_UNREACHABLE',
  'HOLT_SOURCE_LINK_LOST',
  'HOLT_SOURCE_SILENT',
]);

function isOf(item: SourceItem, connectionId: number): boolean {
  switch (item.kind) {
    case 'statement':
      return item.nature === 'ddl' && item.threadId === connectionId;
    case 'rows':
      return item.statements.some((one) => one.nature === 'ddl' && one.threadId === connectionId);
    case 'xa-outcome':
    case 'interrupted':
      return false;
    default:
      return item satisfies never;
  }
}
