/**
 * From the bytes of one event to its decoded form.
 *
 * The decoder holds the format description in force and the fragments of a rows event that comes in pieces; all else
 * is a function of the bytes. One decoder reads one stream, in order.
 */
import { HoltError } from '../../lib/errors.ts';
import type { RowOp } from '../../model/rows.ts';
import { BitmapKeeper, hasAt } from './bitmap-keeper.ts';
import { ByteReader } from './byte-reader.ts';
import type { BinlogEvent, EventHeader, TableMap } from './event.ts';
import { EVENT_CODE, type EventName, eventName } from './event-code.ts';
import { decodeFormatDescription, type FormatDescription } from './format-description.ts';
import { decodeGtid } from './gtid.ts';
import { decodeGtidTagged } from './gtid-tagged.ts';
import {
  CHECKSUM_BYTES,
  computeChecksum,
  EVENT_FLAG,
  HEADER_BYTES,
  readEventHeader,
  verifyChecksum,
} from './header.ts';
import { decodeHeartbeat, decodeHeartbeatV2 } from './heartbeat.ts';
import { decodeIncident } from './incident.ts';
import { decodeExecuteLoadQuery, decodeLoadBlock } from './load-data.ts';
import { inflateMariadb } from './mariadb-compression.ts';
import { decodeMariadbGtid } from './mariadb-gtid.ts';
import { decodeMariadbGtidList } from './mariadb-gtid-list.ts';
import { PartialRowData } from './partial-row-data.ts';
import { decodePreviousGtids } from './previous-gtids.ts';
import { decodeQuery } from './query.ts';
import { decodeRotate } from './rotate.ts';
import { decodeRows, PassingRows, type RowsForm } from './rows.ts';
import { decodeAnnotateRows, decodeRowsQuery } from './rows-query.ts';
import { decodeIntvar, decodeRand, decodeUserVar } from './statement-context.ts';
import { decodeTableMap } from './table-map.ts';
import { decodeTransactionPayload } from './transaction-payload.ts';
import { UuidReader } from './uuid.ts';
import { decodeXaPrepare } from './xa-prepare.ts';
import { decodeXid } from './xid.ts';

/** The servers' largest packet is 1 GiB, and no larger event can be sent whole; fragments and payloads may unpack to more. */
const DEFAULT_MAX_EVENT_BYTES = 1024 * 1024 * 1024;

/** Tables whose maps are remembered. */
const MAX_TABLE_MAPS = 4096;
/** Where the type stands in the common header. */
const TYPE_OFFSET = 4;

export interface EventDecoderOptions {
  /** The largest event that is unpacked or put together in memory; 1 GiB by default. */
  readonly maxEventBytes?: number;
}

/** Where an event was found: what is decoded out of a payload has no checksum and may hold no payload. */
type Nesting = 'outer' | 'inner';

export class EventDecoder {
  readonly #maxEventBytes: number;
  readonly #fragments: PartialRowData;
  #format: FormatDescription | null = null;
  /** The last map of each table id, by its lower 32 bits. */
  readonly #tableMaps = new Map<number, TableMap>();
  #lastMap: TableMap | null = null;
  readonly #bitmaps = new BitmapKeeper();
  readonly #uuids = new UuidReader();
  /** What `passingRows` gives out again and again. */
  #passing: PassingRows | null = null;
  /** By type code, under the format in force. */
  #rowsForms: (RowsForm | undefined)[] = [];

  constructor(options: EventDecoderOptions = {}) {
    this.#maxEventBytes = options.maxEventBytes ?? DEFAULT_MAX_EVENT_BYTES;
    this.#fragments = new PartialRowData(this.#maxEventBytes);
  }

  /** The format description in force; null before the first. */
  get format(): FormatDescription | null {
    return this.#format;
  }

  /** True where the format description is MariaDB's. */
  get mariadb(): boolean {
    return this.#format !== null && /mariadb/i.test(this.#format.serverVersion);
  }

  /**
   * Decodes one whole event: header, body and checksum, which is verified. The result keeps views into `event`.
   *
   * Before the first format description only the artificial ROTATE (and heartbeats) of a dump's beginning may come;
   * whether such an event has a checksum is seen from the event itself.
   * @throws HOLT_EVENT_CORRUPT, HOLT_EVENT_CHECKSUM, HOLT_EVENT_UNKNOWN, HOLT_EVENT_UNSUPPORTED, HOLT_EVENT_TOO_LARGE.
   */
  decode(event: Buffer): BinlogEvent {
    if (event[TYPE_OFFSET] === EVENT_CODE.formatDescription) {
      this.#fragments.reset();
      this.#tableMaps.clear();
      this.#lastMap = null;
      this.#rowsForms = [];
      this.#format = decodeFormatDescription(event, readEventHeader(event, null));
      return this.#format;
    }
    const summed = this.#format === null ? looksSummed(event) : this.#format.checksum === 'crc32';
    const { length } = event;
    if (!summed) return this.#decodeBody(event, HEADER_BYTES, length, readEventHeader(event, null), 'outer');
    const header = readEventHeader(event, verifyChecksum(event));
    return this.#decodeBody(event, HEADER_BYTES, length - CHECKSUM_BYTES, header, 'outer');
  }

  /**
   * As `decode`, for an event of a dump, which lies in `memory` from `from` to `to`: its header has been read and its checksum
   * verified, `header.crc32` says whether it has one.
   */
  decodeVerified(memory: Buffer, header: EventHeader, from = 0, to = memory.length): BinlogEvent {
    if (header.typeCode === EVENT_CODE.formatDescription) return this.decode(memory.subarray(from, to));
    const end = header.crc32 === null ? to : to - CHECKSUM_BYTES;
    return this.#decodeBody(memory, from + HEADER_BYTES, end, header, 'outer');
  }

  /**
   * An event with rows, as `decodeVerified` gives it, in an object that is used for the next one too; null for one of another kind, or of an
   * unusual form. Most events are such rows and the maps before them, and smaller than the objects that are otherwise made of them.
   */
  passingRows(memory: Buffer, header: EventHeader, from: number, to: number): PassingRows | null {
    const { typeCode } = header;
    const kind = ROWS_KIND[typeCode];
    if (kind === undefined || this.#fragments.pending) return null;
    this.#passing ??= new PassingRows(header, memory);
    const rows = this.#passing;
    const end = header.crc32 === null ? to : to - CHECKSUM_BYTES;
    const form = this.#rowsForms[typeCode] ?? this.#formOf(typeCode, kind);
    return rows.read(memory, from + HEADER_BYTES, end, header, form, this.#bitmaps) ? rows : null;
  }

  /** The map of a table map event, where it is one that came before; null for one that is new, and for an event of another kind. */
  passingMap(memory: Buffer, header: EventHeader, from: number, to: number): TableMap | null {
    if (header.typeCode !== EVENT_CODE.tableMap || this.#fragments.pending) return null;
    const end = header.crc32 === null ? to : to - CHECKSUM_BYTES;
    return this.#knownMap(memory, from + HEADER_BYTES, end);
  }

  #decodeBody(memory: Buffer, from: number, to: number, header: EventHeader, nesting: Nesting): BinlogEvent {
    const name = eventName(header.typeCode);
    if (name === null) return ignoreOrFail(header);
    if (this.#fragments.pending && name !== 'mariadbPartialRowData' && header.logPos !== 0)
      throw new HoltError(
        'HOLT_EVENT_CORRUPT',
        `an event of type ${name} between the fragments of a rows event`,
      );
    const reader = new ByteReader(memory, name, from, to);
    // The most frequent kind, before all names are compared.
    const rows = ROWS_KIND[header.typeCode];
    if (rows !== undefined) return this.#decodeRows(reader, header, rows);
    switch (name) {
      case 'unknown':
        return ignoreOrFail(header);
      case 'startV3':
      case 'load':
      case 'slave':
      case 'createFile':
      case 'execLoad':
      case 'newLoad':
      case 'preGaWriteRows':
      case 'preGaUpdateRows':
      case 'preGaDeleteRows':
        throw new HoltError(
          'HOLT_EVENT_UNSUPPORTED',
          `event type ${header.typeCode} (${name}) is of a server before MySQL 5.1`,
          { facts: { typeCode: header.typeCode, name } },
        );
      case 'formatDescription':
        return reader.fail('a format description inside another event');
      case 'query':
        return decodeQuery(reader, header);
      case 'mariadbQueryCompressed':
        return decodeQuery(reader, header, this.#inflate);
      case 'stop':
        return { kind: 'stop', header };
      case 'rotate':
        return decodeRotate(reader, header);
      case 'intvar':
        return decodeIntvar(reader, header);
      case 'rand':
        return decodeRand(reader, header);
      case 'userVar':
        return decodeUserVar(reader, header);
      case 'appendBlock':
        return decodeLoadBlock(reader, header, 'append-block');
      case 'deleteFile':
        return decodeLoadBlock(reader, header, 'delete-file');
      case 'beginLoadQuery':
        return decodeLoadBlock(reader, header, 'begin-load-query');
      case 'executeLoadQuery':
        return decodeExecuteLoadQuery(reader, header);
      case 'xid':
        return decodeXid(reader, header);
      case 'tableMap':
        return { kind: 'table-map', header, map: this.#tableMap(reader, header.typeCode) };
      case 'incident':
        return decodeIncident(reader, header);
      case 'heartbeat':
        return decodeHeartbeat(reader, header, this.mariadb);
      case 'heartbeatV2':
        return decodeHeartbeatV2(reader, header);
      case 'rowsQuery':
        return decodeRowsQuery(reader, header);
      case 'mariadbAnnotateRows':
        return decodeAnnotateRows(reader, header);
      case 'gtid':
        return decodeGtid(reader, header, false, this.#uuids);
      case 'anonymousGtid':
        return decodeGtid(reader, header, true, this.#uuids);
      case 'gtidTagged':
        return decodeGtidTagged(reader, header);
      case 'previousGtids':
        return decodePreviousGtids(reader, header);
      case 'mariadbGtid':
        return decodeMariadbGtid(reader, header);
      case 'mariadbGtidList':
        return decodeMariadbGtidList(reader, header);
      case 'xaPrepare':
        return decodeXaPrepare(reader, header);
      case 'transactionPayload':
        if (nesting === 'inner') return reader.fail('a payload inside a payload');
        return decodeTransactionPayload(reader, header, this.#maxEventBytes, (inner) =>
          this.#decodeInner(inner),
        );
      case 'mariadbPartialRowData': {
        const whole = this.#fragments.add(reader);
        return whole === null ? { kind: 'ignored', header, name } : this.#decodeReassembled(whole, header);
      }
      case 'ignorable':
      case 'transactionContext':
      case 'viewChange':
      case 'mariadbBinlogCheckpoint':
      case 'mariadbStartEncryption':
        return { kind: 'ignored', header, name };
      case 'writeRowsV1':
      case 'updateRowsV1':
      case 'deleteRowsV1':
      case 'writeRowsV2':
      case 'updateRowsV2':
      case 'deleteRowsV2':
      case 'partialUpdateRows':
      case 'mariadbWriteRowsCompressedV1':
      case 'mariadbUpdateRowsCompressedV1':
      case 'mariadbDeleteRowsCompressedV1':
      case 'mariadbWriteRowsCompressedV2':
      case 'mariadbUpdateRowsCompressedV2':
      case 'mariadbDeleteRowsCompressedV2':
        return reader.fail(`${name} is no rows event`);
      default:
        return name satisfies never;
    }
  }

  /**
   * The map in `body`. Servers repeat a table's map before every statement's rows: the same bytes give the same object,
   * which keeps no view into the event.
   */
  #tableMap(reader: ByteReader, typeCode: number): TableMap {
    const { memory, at, end } = reader;
    const known = this.#knownMap(memory, at, end);
    if (known !== null) return known;
    const tableIdBytes = this.#tableIdBytes(typeCode);
    const raw = Buffer.from(memory.subarray(at, end));
    const map = decodeTableMap(new ByteReader(raw, 'tableMap'), { tableIdBytes, mariadb: this.mariadb, raw });
    if (this.#tableMaps.size >= MAX_TABLE_MAPS) this.#tableMaps.clear();
    this.#tableMaps.set(idOf(raw, 0), map);
    this.#lastMap = map;
    return map;
  }

  /** The map that has been read from the very bytes from `at` to `end` before. */
  #knownMap(memory: Buffer, at: number, end: number): TableMap | null {
    const length = end - at;
    const last = this.#lastMap;
    if (last !== null && length === last.raw.length && hasAt(memory, at, last.raw)) return last;
    if (length < 4) return null;
    // Ids that are told apart only beyond 32 bits push each other out, no more.
    const map = this.#tableMaps.get(idOf(memory, at));
    if (map === undefined || length !== map.raw.length || !hasAt(memory, at, map.raw)) return null;
    this.#lastMap = map;
    return map;
  }

  #decodeInner(event: Buffer): BinlogEvent {
    return this.#decodeBody(event, HEADER_BYTES, event.length, readEventHeader(event, null), 'inner');
  }

  /** A rows event put together from fragments: its place in the log is that of the last fragment. */
  #decodeReassembled(event: Buffer, last: EventHeader): BinlogEvent {
    const inner = readEventHeader(event, null);
    const rows = ROWS_FORM.get(eventName(inner.typeCode) ?? 'unknown');
    if (rows === undefined)
      throw new HoltError('HOLT_EVENT_CORRUPT', `fragments of an event of type ${inner.typeCode}`);
    const { timestamp, serverId, logPos, flags, crc32 } = last;
    const { typeCode, eventLength } = inner;
    const header = { timestamp, typeCode, serverId, eventLength, logPos, flags, crc32 };
    return this.#decodeBody(event, HEADER_BYTES, event.length, header, 'inner');
  }

  #decodeRows(reader: ByteReader, header: EventHeader, kind: RowsKind): BinlogEvent {
    return decodeRows(reader, header, this.#formOf(header.typeCode, kind), this.#bitmaps);
  }

  #formOf(typeCode: number, kind: RowsKind): RowsForm {
    let form = this.#rowsForms[typeCode];
    if (form === undefined) {
      form = {
        op: kind.op,
        version: kind.version,
        partialJson: typeCode === EVENT_CODE.partialUpdateRows,
        tableIdBytes: this.#tableIdBytes(typeCode),
        unpack: kind.compressed ? this.#inflate : null,
      };
      this.#rowsForms[typeCode] = form;
    }
    return form;
  }

  readonly #inflate = (packed: Buffer): Buffer => inflateMariadb(packed, this.#maxEventBytes);

  /** Servers of the 5.1 beta wrote table ids in 32 bits, and say so by a post-header of 6 bytes. */
  #tableIdBytes(typeCode: number): 4 | 6 {
    return this.#format?.postHeaderLengths[typeCode - 1] === 6 ? 4 : 6;
  }
}

/** The lower half of the table id that a map begins with, whatever bits it has. */
function idOf(memory: Buffer, at: number): number {
  return (
    (memory[at] as number) |
    ((memory[at + 1] as number) << 8) |
    ((memory[at + 2] as number) << 16) |
    ((memory[at + 3] as number) << 24)
  );
}

interface RowsKind {
  readonly op: RowOp;
  readonly version: 1 | 2;
  readonly compressed: boolean;
}

const ROWS_FORM: ReadonlyMap<EventName, RowsKind> = new Map<EventName, RowsKind>([
  ['writeRowsV1', { op: 'insert', version: 1, compressed: false }],
  ['updateRowsV1', { op: 'update', version: 1, compressed: false }],
  ['deleteRowsV1', { op: 'delete', version: 1, compressed: false }],
  ['writeRowsV2', { op: 'insert', version: 2, compressed: false }],
  ['updateRowsV2', { op: 'update', version: 2, compressed: false }],
  ['deleteRowsV2', { op: 'delete', version: 2, compressed: false }],
  ['partialUpdateRows', { op: 'update', version: 2, compressed: false }],
  ['mariadbWriteRowsCompressedV1', { op: 'insert', version: 1, compressed: true }],
  ['mariadbUpdateRowsCompressedV1', { op: 'update', version: 1, compressed: true }],
  ['mariadbDeleteRowsCompressedV1', { op: 'delete', version: 1, compressed: true }],
  ['mariadbWriteRowsCompressedV2', { op: 'insert', version: 2, compressed: true }],
  ['mariadbUpdateRowsCompressedV2', { op: 'update', version: 2, compressed: true }],
  ['mariadbDeleteRowsCompressedV2', { op: 'delete', version: 2, compressed: true }],
]);

/** The same by type code. */
const ROWS_KIND: readonly (RowsKind | undefined)[] = Array.from({ length: 256 }, (_, code) =>
  ROWS_FORM.get(eventName(code) ?? 'unknown'),
);

/** Before the first format description: whether an event ends in the checksum of what comes before. */
function looksSummed(event: Buffer): boolean {
  return (
    event.length >= HEADER_BYTES + CHECKSUM_BYTES &&
    event.readUInt32LE(event.length - CHECKSUM_BYTES) === computeChecksum(event)
  );
}

function ignoreOrFail(header: EventHeader): BinlogEvent {
  if ((header.flags & EVENT_FLAG.ignorable) !== 0)
    return { kind: 'ignored', header, name: `type-${header.typeCode}` };
  throw new HoltError(
    'HOLT_EVENT_UNKNOWN',
    `event type ${header.typeCode} is not known and may not be skipped`,
    { facts: { typeCode: header.typeCode, logPos: header.logPos } },
  );
}
