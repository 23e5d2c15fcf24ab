/**
 * The transactions of one file of a source's log, assembled as the engine does it, over a connection that disturbs nobody: for whoever
 * looks back. Tables are taken for what they are now where the log does not name their columns.
 */
import { Breather } from '../../lib/breather.ts';
import type { SourceItem } from '../../model/source-item.ts';
import type { TableShape } from '../../model/table-shape.ts';
import { readMark } from '../assembler/holt-rows.ts';
import { TransactionAssembler } from '../assembler/transaction-assembler.ts';
import { EventDecoder } from '../event/decoder.ts';
import type { BinlogEvent, EventHeader, TableMap } from '../event/event.ts';
import type { ServerEndpoint } from '../protocol/server-connection.ts';
import { FactsCache } from '../schema/facts-cache.ts';
import { SchemaBook } from '../schema/schema-book.ts';
import { type SchemaQuery, SchemaReader } from '../schema/schema-reader.ts';
import { compileRowScanner, type RowScanner } from '../value/row-scanner.ts';
import { FIRST_OFFSET } from './dump-session.ts';
import type { RawEvent } from './dump-stream.ts';
import { scanLog } from './scan-log.ts';

export interface ScanTransactionsOptions {
  readonly endpoint: ServerEndpoint;
  readonly file: string;
  readonly wants: (schema: string, table: string) => boolean;
  /** Asks the source about its tables. */
  readonly query: SchemaQuery;
  /** Told how far the file is read; may hold the reading up. */
  readonly onProgress?: (offset: number) => Promise<void> | void;
}

export type ScannedItem =
  /** The file's head: when it was begun, seconds since 1970. */
  | { readonly kind: 'begun'; readonly atSeconds: number }
  | Exclude<SourceItem, { readonly kind: 'interrupted' }>;

const PART_BYTES = 4 * 1024 * 1024;
const PROGRESS_BYTES = 1024 * 1024;

/**
 * From the file's first event to its last, or to the present end of the log. Rows lie in memory that is used again: whoever keeps some,
 * copies them.
 *
 * @throws what `scanLog`, `EventDecoder` and `TransactionAssembler` throw
 */
export async function* scanTransactions(
  options: ScanTransactionsOptions,
  signal: AbortSignal,
): AsyncGenerator<ScannedItem, void, void> {
  const { endpoint, file, wants, query, onProgress } = options;
  const schema = new SchemaBook({ wants, facts: new FactsCache({ source: new SchemaReader({ query }) }) });
  const scanners = new WeakMap<TableShape, RowScanner>();
  const assembled: SourceItem[] = [];
  const decoder = new EventDecoder();
  const breather = new Breather();
  const assembler = new TransactionAssembler({
    shapeOf: (map) => schema.find(map) ?? null,
    countRows: (shape, event) => (shape.fault?.uncounted === true ? 1 : count(scanners, shape, event)),
    readMark,
    partBytes: PART_BYTES,
    emit: (item) => assembled.push(item),
  });
  const learn = async (map: TableMap, { start: offset }: RawEvent, { timestamp }: EventHeader) => {
    if (schema.mustResolve(map))
      await schema.resolve(map, { file, offset, timestamp: timestamp === 0 ? null : timestamp });
  };
  const take = async (event: BinlogEvent, place: RawEvent, outer: EventHeader) => {
    if (event.kind === 'table-map') await learn(event.map, place, outer);
    assembler.push(event, place, outer);
  };
  let told = 0;
  for await (const raw of scanLog({ endpoint, file, from: FIRST_OFFSET }, signal)) {
    if (raw.file !== file) return;
    signal.throwIfAborted();
    const event = decoder.decodeVerified(raw.memory, raw.header, raw.from, raw.to);
    if (event.kind === 'format-description') {
      if (event.header.timestamp !== 0) yield { kind: 'begun', atSeconds: event.header.timestamp };
    } else if (event.kind === 'transaction-payload') {
      for (const inner of event.events) await take(inner, raw, event.header);
    } else if (event.kind === 'table-map') await take(event, raw, event.header);
    else assembler.push(event, raw, event.header);
    if (assembled.length > 0) {
      for (const item of assembled) {
        if (item.kind === 'interrupted') continue;
        if (item.kind === 'statement') schema.passed(item);
        yield item;
      }
      assembled.length = 0;
    }
    if (raw.end - told >= PROGRESS_BYTES) {
      told = raw.end;
      await onProgress?.(raw.end);
    }
    if (breather.due()) await breather.breathe();
  }
}

function count(
  scanners: WeakMap<TableShape, RowScanner>,
  shape: TableShape,
  event: Extract<BinlogEvent, { kind: 'rows' }>,
): number {
  let scanner = scanners.get(shape);
  if (scanner === undefined) {
    scanner = compileRowScanner(shape);
    scanners.set(shape, scanner);
  }
  const { memory, before, after, partialJson, from, to } = event;
  return scanner.countRows(memory, before, after, partialJson, from, to);
}
