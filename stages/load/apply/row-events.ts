/**
 * Net changes as events of the binlog, for a target that takes them: the BINLOG statement, by which `mysqlbinlog` replays a log.
 * The server finds rows by their primary key and stores the images as they are: nothing is parsed, nothing converted, on either side
 * (measured on the uniform sysbench log: two thirds of the target's CPU time for an upsert on MariaDB 10.11, three quarters on MySQL 9.7).
 *
 *     BINLOG 'base64( TABLE_MAP · DELETE_ROWS… · UPDATE_ROWS… · WRITE_ROWS… )'
 *
 * In the strict mode that `row-event-session.ts` sees to, a row that is not there gives 1032 and one that is there already 1062:
 * the counts that other statements are checked by. What the server does not do for such events decides which tables may come this way
 * (`rowEventPlan`): it runs no triggers; MariaDB checks no CHECK; columns are taken by their place alone, whatever their names. So the
 * columns must be those of the source, one for one, in form and order, and before the transaction commits the target's definition
 * must still be the one by which that was decided: the events hold the table's metadata lock, so that no one can change it in between.
 *
 * Layouts: https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Table__map__event.html,
 * https://dev.mysql.com/doc/dev/mysql-server/latest/classmysql_1_1binlog_1_1event_1_1Rows__event.html,
 * https://mariadb.com/kb/en/rows_event_v1v2-rows_compressed_event_v1/
 */

import { fitsDeclared } from '../../../canal/schema/declared-type.ts';
import { charsetOf } from '../../../canal/value/charset.ts';
import { TYPE } from '../../../canal/value/column-type.ts';
import { valuePrefixBytes } from '../../../canal/value/row-scanner.ts';
import { ByteSink } from '../../../lib/byte-sink.ts';
import type { ColumnShape } from '../../../model/table-shape.ts';
import {
  binlogStatement,
  EVENT_TYPE,
  endEvent,
  eventBytesWithin,
  startEvent,
} from '../target/binlog-statement.ts';
import type { RowImage } from './fold.ts';
import { PACKET_MARGIN } from './row-too-large.ts';
import type { Statement } from './statement.ts';
import type { TablePlan, WrittenColumn } from './table-plan.ts';
import type { TargetDefinition, TargetTable, TargetTraits } from './target-table.ts';

/** What a table's events have in common. */
export interface RowEventPlan {
  /** Body of its TABLE_MAP event, from behind the table id. */
  readonly tableMap: Buffer;
  readonly columns: number;
  /** Which columns a key image has. */
  readonly keyBitmap: Uint8Array;
  /** Source indexes of the key's columns, in the order of the image, and the bytes of the length before each value. */
  readonly keyColumns: readonly { readonly index: number; readonly prefix: number }[];
}

const STATEMENT_END = 0x0001;
/** As MySQL 9.6 and later set it on all they write: foreign keys are seen to above the engine. */
const SQL_FOREIGN_KEYS = 0x0010;
const BINARY_COLLATION = 63;

/** Types whose values have one form only, the same in the log and in the table. */
const PLAIN_TYPES: ReadonlySet<number> = new Set([
  TYPE.tiny,
  TYPE.short,
  TYPE.int24,
  TYPE.long,
  TYPE.longlong,
  TYPE.float,
  TYPE.double,
  TYPE.newDecimal,
  TYPE.bit,
  TYPE.year,
  TYPE.date,
  TYPE.time2,
  TYPE.datetime2,
  TYPE.timestamp2,
  TYPE.string,
  TYPE.varchar,
  TYPE.blob,
  TYPE.enum,
  TYPE.set,
  TYPE.json,
]);

/** Null where the table's rows must go as statements. */
export function rowEventPlan(plan: Omit<TablePlan, 'rowEvents'>): RowEventPlan | null {
  const { shape, target, columns, identity } = plan;
  if (target.definition === undefined || !takesEvents(target, target.definition)) return null;
  const { flavour } = target.definition;
  if (plan.constants.length > 0 || shape.fault !== undefined) return null;
  if (columns.length !== shape.columns.length || columns.length !== target.columns.length) return null;
  const alike = columns.every(
    (column, i) => column.index === i && column.target === target.columns[i] && isSame(column, flavour),
  );
  const [primary] = target.uniqueKeys;
  if (!alike || primary?.primary !== true || primary.prefix || identity.length === 0) return null;
  if (identity.length !== primary.columns.length) return null;
  if (!identity.every(({ target: { name } }) => primary.columns.includes(name))) return null;
  const keyBitmap = new Uint8Array((columns.length + 7) >> 3);
  const keyColumns = identity.map(({ index, source }) => ({ index, prefix: valuePrefixBytes(source) }));
  for (const { index } of keyColumns)
    keyBitmap[index >> 3] = (keyBitmap[index >> 3] ?? 0) | (1 << (index & 7));
  return { tableMap: tableMapBody(target, shape.columns), columns: columns.length, keyBitmap, keyColumns };
}

function takesEvents(target: TargetTable, { text, flavour }: TargetDefinition): boolean {
  if (target.triggers.length > 0 || target.foreignKeyGroup !== null) return false;
  // Too many are refused where a comment says such words: those go as statements.
  if (/\bFOREIGN KEY\b|\bSYSTEM VERSIONING\b|\bPERIOD FOR\b|\bGENERATED ALWAYS\b|\bCOMPRESSED\b/i.test(text))
    return false;
  return flavour === 'mysql' || !/\bCHECK\s*\(/i.test(text);
}

/** True where the bytes in the log are the bytes the target would log itself for that value, and the value means the same. */
function isSame({ source, target }: WrittenColumn, flavour: TargetTraits['flavour']): boolean {
  if (source.carrier !== 'binlog' || source.hidden === true || target.generated) return false;
  if (!PLAIN_TYPES.has(source.type) || (source.nullable && !target.nullable)) return false;
  if (source.unsigned !== /\b(?:unsigned|zerofill)\b/.test(target.columnType)) return false;
  const octetLength = target.octetLength ?? null;
  const declared = {
    declared: target.columnType,
    octetLength,
    name: target.name,
    nullable: null,
    collation: -1,
  };
  if (!fitsDeclared(declared, source.type, source.meta)) return false;
  switch (source.type) {
    case TYPE.enum:
    case TYPE.set:
      // The log has the numbers of labels: they must be the same labels.
      return source.declared === target.columnType && sameCharset(source, target.charset);
    case TYPE.string:
    case TYPE.varchar:
      if (octetLength === null) return false;
      return /^(?:var)?(?:char|binary)\(/.test(target.columnType) && sameCharset(source, target.charset);
    case TYPE.blob:
      return (
        /^(?:tiny|medium|long)?(?:text|blob)$/.test(target.columnType) && sameCharset(source, target.charset)
      );
    case TYPE.json:
      return flavour === 'mysql' && target.dataType === 'json';
    case TYPE.float:
    case TYPE.double:
      return target.scale === null;
    default:
      return true;
  }
}

function sameCharset(source: ColumnShape, target: string | null): boolean {
  if (target === null) return source.collation === BINARY_COLLATION;
  const charset = charsetOf(source.collation);
  return charset !== null && charset === (target === 'utf8' ? 'utf8mb3' : target);
}

function tableMapBody(target: TargetTable, columns: readonly ColumnShape[]): Buffer {
  const sink = new ByteSink(512);
  sink.uint16(1);
  for (const name of [target.schema, target.name]) {
    const bytes = Buffer.from(name, 'utf8');
    sink.byte(bytes.length);
    sink.copy(bytes);
    sink.byte(0);
  }
  packedInteger(sink, columns.length);
  for (const { type } of columns) sink.byte(type === TYPE.enum || type === TYPE.set ? TYPE.string : type);
  const meta = new ByteSink(256);
  for (const column of columns) writeMeta(meta, column);
  packedInteger(sink, meta.length);
  sink.copy(meta.view());
  const nulls = new Uint8Array((columns.length + 7) >> 3);
  for (const [i, { nullable }] of columns.entries())
    if (nullable) nulls[i >> 3] = (nulls[i >> 3] ?? 0) | (1 << (i & 7));
  sink.copy(nulls);
  return sink.take();
}

/** The inverse of what `ColumnShape.meta` says of it. */
function writeMeta(sink: ByteSink, { type, meta }: ColumnShape): void {
  switch (type) {
    case TYPE.float:
    case TYPE.double:
    case TYPE.blob:
    case TYPE.json:
    case TYPE.time2:
    case TYPE.datetime2:
    case TYPE.timestamp2:
      sink.byte(meta);
      return;
    case TYPE.varchar:
    case TYPE.bit:
      sink.uint16(meta);
      return;
    case TYPE.newDecimal:
      sink.byte(meta >> 8);
      sink.byte(meta & 0xff);
      return;
    case TYPE.string:
      // Two bits of a length beyond 255 stand inverted in the type.
      sink.byte(TYPE.string ^ ((meta & 0x300) >> 4));
      sink.byte(meta & 0xff);
      return;
    case TYPE.enum:
    case TYPE.set:
      sink.byte(type);
      sink.byte(meta);
      return;
    default:
      return;
  }
}

function packedInteger(sink: ByteSink, value: number): void {
  if (value < 251) {
    sink.byte(value);
    return;
  }
  sink.byte(252);
  sink.uint16(value);
}

type RowChange = 'insert' | 'update' | 'delete';

export interface RowEventWriterOptions {
  readonly traits: TargetTraits;
  /** Where the images' bytes are. */
  readonly payload: Buffer;
  /** Statements are cut before they get longer; a single row may be longer. */
  readonly maxStatementBytes: number;
  readonly emit: (statement: Statement) => void;
}

/** Bytes of images in one event: so much the server takes apart at a time. */
const EVENT_BYTES = 256 * 1024;
/** Any number that is not the server's own for "no table". */
const TABLE_ID = 1;

/** Writes rows of one table after the other as BINLOG statements. One writer has one open statement; `flush` ends it. */
export class RowEventWriter {
  readonly #options: RowEventWriterOptions;
  /** Bytes of events, before base64. */
  readonly #most: number;
  readonly #isV2: boolean;
  readonly #sink = new ByteSink(512 * 1024);
  #plan: TablePlan | null = null;
  #change: RowChange | null = null;
  /** Where the open event begins, and where its flags are. */
  #event = 0;
  #flags = 0;
  #counts = { insert: 0, update: 0, delete: 0 };

  constructor(options: RowEventWriterOptions) {
    this.#options = options;
    const bytes = Math.min(options.maxStatementBytes, options.traits.maxAllowedPacket - PACKET_MARGIN);
    this.#most = eventBytesWithin(bytes);
    this.#isV2 = options.traits.flavour === 'mysql';
  }

  /** Whether one row alone, with both images, goes into a statement. */
  fits(imageBytes: number): boolean {
    return imageBytes * 2 + 4096 < this.#most;
  }

  /** A row that must not be there; its image is payload from `start` to `end`. */
  insert(plan: TablePlan, events: RowEventPlan, start: number, end: number): void {
    this.#begin(plan, events, 'insert', end - start);
    copyBytes(this.#sink, this.#options.payload, start, end);
  }

  /** A row that must be there, by the key in `image`: the columns of an image of which `start` to `end` is all. */
  update(plan: TablePlan, events: RowEventPlan, image: RowImage, start: number, end: number): void {
    this.#begin(plan, events, 'update', (end - start) * 2);
    this.#key(events, image);
    copyBytes(this.#sink, this.#options.payload, start, end);
  }

  /** A row that must be there, by the key in `image`. */
  delete(plan: TablePlan, events: RowEventPlan, image: RowImage): void {
    this.#begin(plan, events, 'delete', 0);
    this.#key(events, image);
  }

  flush(): void {
    const plan = this.#plan;
    if (plan === null) return;
    const sink = this.#sink;
    const bytes = sink.reserve(0);
    bytes[this.#flags] = (bytes[this.#flags] as number) | STATEMENT_END;
    endEvent(sink, this.#event);
    const counts = this.#counts;
    this.#options.emit({
      kind: 'events',
      sql: binlogStatement(sink.view()),
      rows: counts.insert + counts.update + counts.delete,
      counts,
      checksOff: 0,
      table: `${plan.target.schema}.${plan.target.name}`,
    });
    sink.reset();
    this.#plan = null;
    this.#change = null;
    this.#counts = { insert: 0, update: 0, delete: 0 };
  }

  /** Sees to an event that takes a row more of so many bytes. */
  #begin(plan: TablePlan, events: RowEventPlan, change: RowChange, bytes: number): void {
    const sink = this.#sink;
    const cut = this.#plan !== null && sink.length + bytes + 4096 > this.#most;
    if (this.#plan !== plan || cut) {
      this.flush();
      this.#plan = plan;
      const { serverId } = this.#options.traits;
      startEvent(sink, EVENT_TYPE.tableMap, serverId ?? 0);
      tableId(sink);
      sink.copy(events.tableMap);
      endEvent(sink, 0);
    }
    this.#counts[change] += 1;
    if (this.#change === change && sink.length - this.#event < EVENT_BYTES) return;
    if (this.#change !== null) endEvent(sink, this.#event);
    this.#change = change;
    this.#event = sink.length;
    this.#rowsHead(events, change);
  }

  #rowsHead(events: RowEventPlan, change: RowChange): void {
    const sink = this.#sink;
    const { versionNumber, serverId } = this.#options.traits;
    startEvent(sink, (this.#isV2 ? EVENT_TYPE.v2 : EVENT_TYPE.v1)[change], serverId ?? 0);
    tableId(sink);
    this.#flags = sink.length;
    sink.uint16(this.#isV2 && versionNumber >= 90_600 ? SQL_FOREIGN_KEYS : 0);
    // No extra data: its length counts itself.
    if (this.#isV2) sink.uint16(2);
    packedInteger(sink, events.columns);
    if (change !== 'insert') sink.copy(events.keyBitmap);
    if (change !== 'delete') allBits(sink, events.columns);
  }

  /** An image of the key's columns alone; none of them is NULL. */
  #key(events: RowEventPlan, image: RowImage): void {
    const sink = this.#sink;
    const { keyColumns } = events;
    const count = keyColumns.length;
    for (let bits = count; bits > 0; bits -= 8) sink.byte(bits >= 8 ? 0 : (0xff << bits) & 0xff);
    for (let i = 0; i < count; i++) {
      const { index, prefix } = keyColumns[i] as RowEventPlan['keyColumns'][number];
      const offset = image.offsets[index] as number;
      copyBytes(sink, this.#options.payload, offset - prefix, offset + (image.lengths[index] as number));
    }
  }
}

function tableId(sink: ByteSink): void {
  sink.uint32(TABLE_ID);
  sink.uint16(0);
}

function allBits(sink: ByteSink, columns: number): void {
  for (let left = columns; left > 0; left -= 8) sink.byte(0xff);
}

/** Up to here a loop is faster than a call that has to make a view first. */
const LOOP_BYTES = 384;

function copyBytes(sink: ByteSink, source: Buffer, start: number, end: number): void {
  const count = end - start;
  const bytes = sink.reserve(count);
  const at = sink.length;
  if (count > LOOP_BYTES) source.copy(bytes, at, start, end);
  else for (let i = 0; i < count; i++) bytes[at + i] = source[start + i] as number;
  sink.advance(count);
}
