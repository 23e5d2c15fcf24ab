/** A binlog file event by event, with the rows' values where they are asked for. */
import { EventDecoder } from '../../canal/event/decoder.ts';
import type { BinlogEvent, TableMap } from '../../canal/event/event.ts';
import { readBinlogFile } from '../../canal/event/file-reader.ts';
import { completeShape } from '../../canal/schema/complete-shape.ts';
import { compileRowScanner, type RowScanner } from '../../canal/value/row-scanner.ts';
import { HoltError, messageOf } from '../../lib/errors.ts';
import type { TableShape } from '../../model/table-shape.ts';
import { type ReadableImage, readableImage } from '../readable-row.ts';
import { type EventText, eventText, eventTime } from './event-text.ts';

export interface DumpedRow {
  /** Columns the log has; `@1`, `@2`… where it has no names. */
  readonly before: ReadableImage | null;
  readonly after: ReadableImage | null;
}

export interface DumpedEvent extends EventText {
  /** Where the event begins in the file; of an inner event, where its transaction payload does. */
  readonly offset: number;
  readonly at: string | null;
  readonly serverId: number;
  /** True for an event out of a compressed transaction. */
  readonly inner: boolean;
  /** An iteration decodes; empty for anything but rows. */
  readonly rows: Iterable<DumpedRow>;
}

export interface DumpOptions {
  /** Where an event begins; the format description comes first in any case. */
  readonly start?: number;
  readonly signal?: AbortSignal;
}

/**
 * @throws HoltError naming file and offset: HOLT_BINLOG_FILE_INVALID, HOLT_EVENT_CHECKSUM, HOLT_EVENT_CORRUPT and what else a decoder
 * throws; `fatal`, since the file stays as it is.
 */
export async function* dumpBinlog(path: string, options: DumpOptions = {}): AsyncGenerator<DumpedEvent> {
  const decoder = new EventDecoder();
  const maps = new TableMaps();
  let offset = 0;
  try {
    for await (const found of readBinlogFile(path, options)) {
      offset = found.offset;
      const event = decoder.decode(found.bytes);
      yield dumped(event, offset, false, maps);
      if (event.kind === 'transaction-payload')
        for (const inner of event.events) yield dumped(inner, offset, true, maps);
    }
  } catch (error) {
    throw placed(error, path, offset, options);
  }
}

function dumped(event: BinlogEvent, offset: number, inner: boolean, maps: TableMaps): DumpedEvent {
  if (event.kind === 'table-map') maps.add(event.map);
  if (event.kind === 'format-description') maps.clear();
  return {
    ...eventText(event, (id) => maps.nameOf(id)),
    offset,
    at: eventTime(event.header),
    serverId: event.header.serverId,
    inner,
    rows: event.kind === 'rows' ? { [Symbol.iterator]: () => maps.rowsOf(event) } : [],
  };
}

/** The maps in force. A server that restarts begins anew with the numbers of its tables. */
class TableMaps {
  readonly #byId = new Map<number, TableMap>();
  readonly #scanners = new Map<string, { readonly shape: TableShape; readonly scanner: RowScanner }>();

  add(map: TableMap): void {
    this.#byId.set(map.tableId, map);
  }

  clear(): void {
    this.#byId.clear();
    this.#scanners.clear();
  }

  nameOf(tableId: number): string | null {
    const map = this.#byId.get(tableId);
    return map === undefined ? null : `${map.schema}.${map.table}`;
  }

  *rowsOf(event: Extract<BinlogEvent, { kind: 'rows' }>): Generator<DumpedRow> {
    const map = this.#byId.get(event.tableId);
    // After a start in mid-file the map may lie before it.
    if (map === undefined) return;
    const { shape, scanner } = this.#scannerOf(map);
    const { data, before, after } = event;
    for (let at = 0; at < data.length; ) {
      const begin = at;
      const row: { before: ReadableImage | null; after: ReadableImage | null } = {
        before: null,
        after: null,
      };
      if (before !== null) {
        at = scanner.scan(data, at, data.length, before);
        row.before = readableImage(shape, scanner, data);
      }
      if (after !== null) {
        at = event.partialJson
          ? scanner.scanPartial(data, at, data.length, after)
          : scanner.scan(data, at, data.length, after);
        row.after = readableImage(shape, scanner, data);
      }
      yield row;
      // Rows of no column take no bytes: one is all that can be told.
      if (at === begin) return;
    }
  }

  #scannerOf(map: TableMap): { readonly shape: TableShape; readonly scanner: RowScanner } {
    const key = map.raw.toString('latin1');
    const known = this.#scanners.get(key);
    if (known !== undefined) return known;
    const { shape } = completeShape(map, null);
    const made = { shape, scanner: compileRowScanner(shape) };
    this.#scanners.set(key, made);
    return made;
  }
}

function placed(error: unknown, path: string, offset: number, { start }: DumpOptions): unknown {
  if (error instanceof HoltError)
    return new HoltError(
      error.code,
      error.message.startsWith(path) ? error.message : `${path}: event at ${offset}: ${error.message}`,
      {
        disposition: 'fatal',
        ...(start === undefined
          ? {}
          : { remedy: `Make sure that an event begins at ${start}; else the file is damaged.` }),
        facts: { ...error.facts, path, offset },
        cause: error,
      },
    );
  if (error instanceof Error && 'code' in error && typeof error.code === 'string' && 'syscall' in error)
    return new HoltError('HOLT_BINLOG_FILE_INVALID', `${path} cannot be read: ${messageOf(error)}`, {
      disposition: 'fatal',
      remedy: 'Name a binlog file that the user Holt runs as may read.',
      facts: { path },
      cause: error,
    });
  return error;
}
