/** Decoded events built by hand, as a server writes them, for tests of what comes after decoding. */
import { ByteReader } from '../../../../canal/event/byte-reader.ts';
import type { BinlogEvent, EventHeader, TableMap } from '../../../../canal/event/event.ts';
import { decodeQuery } from '../../../../canal/event/query.ts';
import { PassingRows } from '../../../../canal/event/rows.ts';
import type { RowOp } from '../../../../model/rows.ts';
import type { TransactionGtid } from '../../../../model/source-item.ts';

export interface PlacedEvent {
  readonly event: BinlogEvent;
  readonly file: string;
  readonly start: number;
  readonly end: number;
}

export const UUID = '3e11fa47-71ca-11e1-9e33-c80aa9429562';

/** INT columns, all nullable but the first. */
export function tableMap(tableId: number, schema: string, table: string, columns = 2): TableMap {
  const description = Buffer.from(`${schema}.${table}:${columns}`);
  return {
    tableId,
    schema,
    table,
    columnCount: columns,
    types: Array.from({ length: columns }, () => 3),
    metas: Array.from({ length: columns }, () => 0),
    nullable: Uint8Array.from({ length: (columns + 7) >> 3 }, (_, index) => (index === 0 ? 0xfe : 0xff)),
    unsigned: null,
    collations: null,
    names: Array.from({ length: columns }, (_, index) => (index === 0 ? 'id' : `c${index}`)),
    primaryKey: [0],
    enumValues: null,
    setValues: null,
    geometryTypes: null,
    visible: null,
    vectorDimensions: null,
    raw: Buffer.concat([Buffer.from([tableId, 0, 0, 0, 0, 0, 1, 0]), description]),
  };
}

/** Writes events one after another into a log of 100-byte events. */
export class EventScript {
  readonly events: PlacedEvent[] = [];
  readonly #bytes: number;
  #file = 'binlog.000001';
  #offset = 4;
  #timestamp = 1_700_000_000;
  #sequence = 0n;

  constructor(options: { readonly eventBytes?: number } = {}) {
    this.#bytes = options.eventBytes ?? 100;
  }

  get end(): { readonly file: string; readonly offset: number } {
    return { file: this.#file, offset: this.#offset };
  }

  at(timestamp: number): this {
    this.#timestamp = timestamp;
    return this;
  }

  add(make: (header: EventHeader) => BinlogEvent): this {
    const start = this.#offset;
    this.#offset += this.#bytes;
    const header: EventHeader = {
      timestamp: this.#timestamp,
      typeCode: 0,
      serverId: 1,
      eventLength: this.#bytes,
      logPos: this.#offset % 2 ** 32,
      flags: 0,
      crc32: this.#offset & 0xffff,
    };
    this.events.push({ event: make(header), file: this.#file, start, end: this.#offset });
    return this;
  }

  rotate(file: string): this {
    this.add((header) => ({ kind: 'rotate', header, file, offset: 4 }));
    this.#file = file;
    this.#offset = 4;
    return this;
  }

  formatDescription(createdAt = 0): this {
    return this.add((header) => ({
      kind: 'format-description',
      header,
      binlogVersion: 4,
      serverVersion: '9.7.4',
      createdAt,
      postHeaderLengths: new Uint8Array(0),
      checksum: 'crc32',
    }));
  }

  gtid(number: bigint, immediateCommitUs: number | null = 1_700_000_000_123_456, tag = ''): this {
    const gtid: TransactionGtid = { flavour: 'mysql', uuid: UUID, tag, number };
    return this.add((header) => mysqlGtid(header, gtid, immediateCommitUs));
  }

  anonymous(immediateCommitUs: number | null = null): this {
    return this.add((header) => mysqlGtid(header, null, immediateCommitUs));
  }

  mariadbGtid(options: Partial<Extract<BinlogEvent, { kind: 'mariadb-gtid' }>> = {}): this {
    this.#sequence += 1n;
    const sequence = this.#sequence;
    return this.add((header) => ({
      kind: 'mariadb-gtid',
      header,
      gtid: { flavour: 'mariadb', domain: 0, server: 1, sequence },
      standalone: false,
      ddl: false,
      preparedXa: false,
      completedXa: false,
      xa: null,
      transactional: true,
      alter: 'none',
      alterStartSequence: null,
      ...options,
    }));
  }

  query(sql: string, schema = 'shop'): this {
    return this.add((header) => queryEvent(header, sql, schema));
  }

  loadData(sql: string, schema = 'shop'): this {
    this.add((header) => ({ kind: 'load-data', header, name: 'begin-load-query', sql: null, session: null }));
    return this.add((header) => ({
      kind: 'load-data',
      header,
      name: 'execute-load-query',
      sql: Buffer.from(sql),
      session: { threadId: 9, schema, errorCode: 0, statusVars: Buffer.alloc(0) },
    }));
  }

  xid(): this {
    return this.add((header) => ({ kind: 'xid', header, xid: 7n }));
  }

  map(map: TableMap): this {
    return this.add((header) => ({ kind: 'table-map', header, map }));
  }

  rows(map: TableMap, op: RowOp, data: Buffer | string): this {
    return this.add((header) => rowsEvent(header, map, op, Buffer.from(data)));
  }
}

export function queryEvent(header: EventHeader, sql: string, schema = 'shop'): BinlogEvent {
  const head = Buffer.alloc(13);
  head.writeUInt32LE(9, 0);
  head.writeUInt8(Buffer.byteLength(schema), 8);
  return decodeQuery(
    new ByteReader(Buffer.concat([head, Buffer.from(`${schema}\0${sql}`)]), 'query'),
    header,
  );
}

export function rowsEvent(header: EventHeader, map: TableMap, op: RowOp, data: Buffer): BinlogEvent {
  const all = Uint8Array.from({ length: (map.columnCount + 7) >> 3 }, () => 0xff);
  const event = new PassingRows(header, data);
  event.op = op;
  event.tableId = map.tableId;
  event.flags = 1;
  event.columnCount = map.columnCount;
  event.before = op === 'insert' ? null : all;
  event.after = op === 'delete' ? null : all;
  event.to = data.length;
  return event;
}

function mysqlGtid(
  header: EventHeader,
  gtid: Extract<TransactionGtid, { flavour: 'mysql' }> | null,
  immediateCommitUs: number | null,
): BinlogEvent {
  return {
    kind: 'gtid',
    header,
    gtid,
    lastCommitted: 0n,
    sequenceNumber: 0n,
    immediateCommitUs,
    originalCommitUs: immediateCommitUs,
    transactionLength: null,
  };
}
