/**
 * The bytes of a batch, as they lie in memory, cross the pipe and are read by Load: a stream of records, little-endian.
 *
 *     payload     := magic u32 "HLT1", record*
 *     table       := 1 u8, number u16, length u32, JSON of a TableShape
 *     transaction := 2 u8, commitUs u64, gtidLength u16, gtid (ASCII, the server's own notation)
 *     xa body     := 5 u8, first u8, commitUs u64, gtidLength u16, gtid, xidLength u16, xid
 *     xa outcome  := 6 u8, outcome u8 (0 commit, 1 rollback), commitUs u64, gtidLength u16, gtid, xidLength u16, xid
 *     rows        := 3 u8, table u16, op u8, flags u16, rows u32,
 *                    beforeLength u16, before bitmap, afterLength u16, after bitmap, dataLength u32, row images
 *     definition  := 7 u8, length u32, JSON of a TableDefinition: true behind the batch
 *     statement   := 4 u8, length u32, JSON of a DdlStatement without its text, sqlLength u32, sql
 *
 * A table stands before its first rows. Numbers of tables count from 0 in order of appearance. Rows follow the
 * transaction they belong to. The order is the source's. Readers check every length; a payload is untrusted input.
 *
 * Rows behind an `xa body`, up to the next transaction, body or outcome, take effect only at the outcome `commit` of the same id, in this
 * batch or in a later one. `first` begins the body, so that whatever is left of an older one with that id goes.
 */
import { ByteSink } from '../lib/byte-sink.ts';
import { HoltError } from '../lib/errors.ts';
import { DDL_POLICY_KINDS, type DdlPolicyKind, type DdlStatement } from './ddl.ts';
import type { SqlServer } from './ddl-kind.ts';
import { LogRows } from './log-rows.ts';
import { type ColumnBitmap, ROW_OPS, type RowOp } from './rows.ts';
import type { SourceRows, StatementSession, TableDefinition, XaOutcome } from './source-item.ts';
import type { ColumnShape, TableShape } from './table-shape.ts';

const MAGIC = 0x31544c48;
const RECORD_TABLE = 1;
const RECORD_TRANSACTION = 2;
const RECORD_ROWS = 3;
const RECORD_STATEMENT = 4;
const RECORD_XA_BODY = 5;
const RECORD_XA_OUTCOME = 6;
const RECORD_DEFINITION = 7;
const XA_OUTCOMES = ['commit', 'rollback'] as const satisfies readonly XaOutcome[];

export class PayloadWriter {
  readonly #sink: ByteSink;
  readonly #tables = new Map<TableShape, number>();
  #rows = 0;
  #transactions = 0;

  constructor(initialBytes = 64 * 1024) {
    this.#sink = new ByteSink(initialBytes);
    this.#sink.uint32(MAGIC);
  }

  get bytes(): number {
    return this.#sink.length;
  }

  get rows(): number {
    return this.#rows;
  }

  get transactions(): number {
    return this.#transactions;
  }

  /** Starts a transaction; what `rows` writes until the next call belongs to it. */
  transaction(commitUs: number, gtid: string): void {
    this.#sink.byte(RECORD_TRANSACTION);
    this.#head(commitUs, gtid);
  }

  /** Starts (a part of) the rows of a prepared XA transaction; what `rows` writes until the next call belongs to it. */
  xaBody(xid: string, first: boolean, commitUs: number, gtid: string): void {
    this.#sink.byte(RECORD_XA_BODY);
    this.#sink.byte(first ? 1 : 0);
    this.#head(commitUs, gtid);
    this.#text(xid);
  }

  /** What becomes of a prepared XA transaction, at this place in the order. */
  xaOutcome(xid: string, outcome: XaOutcome, commitUs: number, gtid: string): void {
    this.#sink.byte(RECORD_XA_OUTCOME);
    this.#sink.byte(XA_OUTCOMES.indexOf(outcome));
    this.#head(commitUs, gtid);
    this.#text(xid);
  }

  #head(commitUs: number, gtid: string): void {
    this.#sink.uint64(commitUs);
    this.#text(gtid);
    this.#transactions += 1;
  }

  #text(text: string): void {
    this.#sink.uint16(text.length);
    this.#sink.latin1(text);
  }

  /** Shapes are told apart by identity: whoever decodes rows keeps one object per table and schema version. */
  sourceRows(rows: SourceRows): void {
    const { shape, op, flags, before, after } = rows;
    if (rows instanceof LogRows)
      this.rawRows(shape, op, flags, rows.rows, before, after, rows.memory, rows.from, rows.to);
    else {
      const { data } = rows;
      this.rawRows(shape, op, flags, rows.rows, before, after, data, 0, data.length);
    }
  }

  rawRows(
    shape: TableShape,
    op: RowOp,
    flags: number,
    count: number,
    before: ColumnBitmap | null,
    after: ColumnBitmap | null,
    data: Buffer,
    start: number,
    end: number,
  ): void {
    const table = this.#tableNumber(shape);
    const sink = this.#sink;
    sink.byte(RECORD_ROWS);
    sink.uint16(table);
    sink.byte(ROW_OPS.indexOf(op));
    sink.uint16(flags);
    sink.uint32(count);
    sink.uint16(before?.length ?? 0);
    if (before !== null) sink.copy(before);
    sink.uint16(after?.length ?? 0);
    if (after !== null) sink.copy(after);
    sink.uint32(end - start);
    sink.copy(data, start, end);
    this.#rows += count;
  }

  /** A schema change; it belongs to the transaction begun last. */
  statement(statement: DdlStatement): void {
    const { sql, sqlMode, ...rest } = statement;
    const json = Buffer.from(
      JSON.stringify({ ...rest, sqlMode: sqlMode === null ? null : String(sqlMode) }),
      'utf8',
    );
    this.#sink.byte(RECORD_STATEMENT);
    this.#sink.uint32(json.length);
    this.#sink.copy(json);
    this.#sink.uint32(sql.length);
    this.#sink.copy(sql);
  }

  /** What a table of the source is from here on; belongs to the batch, and to no transaction in it. */
  definition(definition: TableDefinition): void {
    const json = Buffer.from(JSON.stringify(definition), 'utf8');
    this.#sink.byte(RECORD_DEFINITION);
    this.#sink.uint32(json.length);
    this.#sink.copy(json);
  }

  /** The payload, as a buffer of its own; the writer may be reset and used again. */
  finish(): Buffer {
    return this.#sink.take();
  }

  reset(): void {
    this.#sink.reset();
    this.#sink.uint32(MAGIC);
    this.#tables.clear();
    this.#rows = 0;
    this.#transactions = 0;
  }

  #tableNumber(shape: TableShape): number {
    const known = this.#tables.get(shape);
    if (known !== undefined) return known;
    const number = this.#tables.size;
    if (number > 0xffff)
      throw new HoltError('HOLT_BATCH_TOO_MANY_TABLES', 'a batch holds at most 65536 tables');
    this.#tables.set(shape, number);
    const json = Buffer.from(JSON.stringify(shape), 'utf8');
    this.#sink.byte(RECORD_TABLE);
    this.#sink.uint16(number);
    this.#sink.uint32(json.length);
    this.#sink.copy(json);
    return number;
  }
}

/**
 * Walks a payload record by record without an object a record: `next()` says what stands there, the fields of that
 * kind are then valid until the following `next()`.
 */
export class PayloadReader {
  readonly #bytes: Buffer;
  #at = 4;
  readonly #shapes: TableShape[] = [];
  /** The last before and the last after bitmap. */
  readonly #bitmaps: [ColumnBitmap | null, ColumnBitmap | null] = [null, null];

  /** Of the transaction, XA body or XA outcome last met. */
  commitUs = 0;
  /** Of the XA body or outcome last met, else empty. */
  xid = '';
  /** Of the XA body last met: it begins with this record. */
  xaFirst = false;
  /** Of the XA outcome last met. */
  xaOutcome: XaOutcome = 'commit';
  /** True where no rows may follow before another transaction or body. */
  #closed = true;
  #gtidStart = 0;
  #gtidEnd = 0;
  /** Counts from 0; −1 before the first. */
  transaction = -1;

  /** Of the rows record last met. */
  table = 0;
  op: RowOp = 'insert';
  flags = 0;
  rows = 0;
  before: ColumnBitmap | null = null;
  after: ColumnBitmap | null = null;
  /** The row images lie in `bytes` from `dataStart` to `dataEnd`. */
  dataStart = 0;
  dataEnd = 0;

  /** The statement last met. */
  statement: DdlStatement | null = null;
  /** The definition last met. */
  definition: TableDefinition | null = null;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    if (bytes.length < 4 || bytes.readUInt32LE(0) !== MAGIC) throw corrupt('it does not begin with HLT1', 0);
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Of the transaction last met, in the server's own notation. */
  get gtid(): string {
    return this.#bytes.toString('latin1', this.#gtidStart, this.#gtidEnd);
  }

  /** Shapes met so far, by table number. */
  get shapes(): readonly TableShape[] {
    return this.#shapes;
  }

  next(): 'table' | 'transaction' | 'rows' | 'statement' | 'definition' | 'xa-body' | 'xa-outcome' | null {
    if (this.#at === this.#bytes.length) return null;
    const kind = this.#uint8();
    switch (kind) {
      case RECORD_TABLE:
        this.#readTable();
        return 'table';
      case RECORD_TRANSACTION:
        this.#readHead(false);
        return 'transaction';
      case RECORD_XA_BODY:
        this.xaFirst = this.#uint8() !== 0;
        this.#readHead(true);
        return 'xa-body';
      case RECORD_XA_OUTCOME: {
        const outcome = XA_OUTCOMES[this.#uint8()];
        if (outcome === undefined) throw corrupt('an XA outcome of no known kind', this.#at);
        this.xaOutcome = outcome;
        this.#readHead(true);
        this.#closed = true;
        return 'xa-outcome';
      }
      case RECORD_DEFINITION:
        this.definition = parseTableDefinition(this.#block().toString('utf8'), this.#at);
        return 'definition';
      case RECORD_ROWS:
        this.#readRows();
        return 'rows';
      case RECORD_STATEMENT:
        this.#readStatement();
        return 'statement';
      default:
        throw corrupt(`record kind ${kind}`, this.#at - 1);
    }
  }

  #readHead(withXid: boolean): void {
    this.#need(8);
    this.commitUs =
      this.#bytes.readUInt32LE(this.#at) + this.#bytes.readUInt32LE(this.#at + 4) * 0x1_0000_0000;
    this.#at += 8;
    const gtidLength = this.#uint16();
    this.#need(gtidLength);
    this.#gtidStart = this.#at;
    this.#at += gtidLength;
    this.#gtidEnd = this.#at;
    this.xid = '';
    if (withXid) {
      const length = this.#uint16();
      this.#need(length);
      this.xid = this.#bytes.toString('latin1', this.#at, this.#at + length);
      this.#at += length;
    }
    this.transaction += 1;
    this.#closed = false;
  }

  #readTable(): void {
    this.#need(6);
    const number = this.#bytes.readUInt16LE(this.#at);
    const length = this.#bytes.readUInt32LE(this.#at + 2);
    this.#at += 6;
    this.#need(length);
    if (number !== this.#shapes.length) throw corrupt(`table ${number} out of order`, this.#at);
    this.#shapes.push(parseShape(this.#bytes.toString('utf8', this.#at, this.#at + length), this.#at));
    this.#at += length;
    this.table = number;
  }

  #readRows(): void {
    this.#need(9);
    this.table = this.#bytes.readUInt16LE(this.#at);
    const op = ROW_OPS[this.#bytes.readUInt8(this.#at + 2)];
    this.flags = this.#bytes.readUInt16LE(this.#at + 3);
    this.rows = this.#bytes.readUInt32LE(this.#at + 5);
    this.#at += 9;
    if (op === undefined || this.table >= this.#shapes.length || this.#closed)
      throw corrupt('rows without table, transaction or operation', this.#at);
    this.op = op;
    this.before = this.#bitmap(0);
    this.after = this.#bitmap(1);
    if ((op !== 'insert') !== (this.before !== null) || (op !== 'delete') !== (this.after !== null))
      throw corrupt(`images do not fit ${op}`, this.#at);
    this.#need(4);
    const length = this.#bytes.readUInt32LE(this.#at);
    this.#at += 4;
    this.#need(length);
    // Only a row without a single column has no bytes, and such rows come one a record: the count is not to be believed beyond that.
    if (this.rows > Math.max(1, length)) throw corrupt(`${this.rows} rows in ${length} bytes`, this.#at);
    this.dataStart = this.#at;
    this.dataEnd = this.#at + length;
    this.#at = this.dataEnd;
  }

  #readStatement(): void {
    const json = this.#block();
    const sql = this.#block();
    this.statement = parseStatement(json.toString('utf8'), Buffer.from(sql), this.#at);
  }

  /** u32 length, then so many bytes. */
  #block(): Buffer {
    this.#need(4);
    const length = this.#bytes.readUInt32LE(this.#at);
    this.#at += 4;
    this.#need(length);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** Record after record has the same two bitmaps: a view is made only when one differs from the one before. */
  #bitmap(which: 0 | 1): ColumnBitmap | null {
    this.#need(2);
    const length = this.#bytes.readUInt16LE(this.#at);
    this.#at += 2;
    this.#need(length);
    if (length === 0) return null;
    const start = this.#at;
    this.#at += length;
    const last = this.#bitmaps[which];
    if (last !== null && last.length === length && this.#isAt(last, start)) return last;
    const bitmap = this.#bytes.subarray(start, this.#at);
    this.#bitmaps[which] = bitmap;
    return bitmap;
  }

  #isAt(bitmap: ColumnBitmap, start: number): boolean {
    for (let i = 0; i < bitmap.length; i++) if (this.#bytes[start + i] !== bitmap[i]) return false;
    return true;
  }

  #uint8(): number {
    this.#need(1);
    const value = this.#bytes.readUInt8(this.#at);
    this.#at += 1;
    return value;
  }

  #uint16(): number {
    this.#need(2);
    const value = this.#bytes.readUInt16LE(this.#at);
    this.#at += 2;
    return value;
  }

  #need(bytes: number): void {
    if (this.#at + bytes > this.#bytes.length)
      throw corrupt(`${bytes} bytes expected beyond its end`, this.#at);
  }
}

/** What a walk over a payload tells of it as a whole. */
export interface PayloadSurvey {
  /** By table number. */
  readonly shapes: readonly TableShape[];
  readonly rows: number;
  /** The flags of all its rows records, or-ed. */
  readonly flags: number;
  /** The schema change in it. */
  readonly statement: DdlStatement | null;
  /** True when it has bodies or outcomes of XA transactions. */
  readonly hasXa: boolean;
  readonly definitions: readonly TableDefinition[];
}

const surveys = new WeakMap<Buffer, PayloadSurvey>();

/**
 * Walks a payload once, however many ask: stages of one node hand the same buffer on, and none changes it.
 * @throws HOLT_PAYLOAD_CORRUPT
 */
export function surveyPayload(payload: Buffer): PayloadSurvey {
  const known = surveys.get(payload);
  if (known !== undefined) return known;
  const reader = new PayloadReader(payload);
  let rows = 0;
  let flags = 0;
  let hasXa = false;
  const definitions: TableDefinition[] = [];
  for (let record = reader.next(); record !== null; record = reader.next()) {
    if (record === 'xa-body' || record === 'xa-outcome') hasXa = true;
    if (record === 'definition' && reader.definition !== null) definitions.push(reader.definition);
    if (record !== 'rows') continue;
    rows += reader.rows;
    flags |= reader.flags;
  }
  const survey = { shapes: reader.shapes, rows, flags, statement: reader.statement, hasXa, definitions };
  surveys.set(payload, survey);
  return survey;
}

function parseTableDefinition(json: string, at: number): TableDefinition {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw corrupt('a definition is no JSON', at);
  }
  const { schema, table, definition } = (value ?? {}) as Partial<Record<keyof TableDefinition, unknown>>;
  if (
    typeof schema !== 'string' ||
    typeof table !== 'string' ||
    (typeof definition !== 'string' && definition !== null)
  )
    throw corrupt('a definition has not the form of one', at);
  return { schema, table, definition };
}

function parseShape(json: string, at: number): TableShape {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw corrupt('a table is no JSON', at);
  }
  if (!isShape(value)) throw corrupt('a table has not the form of one', at);
  return value;
}

function parseStatement(json: string, sql: Buffer, at: number): DdlStatement {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw corrupt('a statement is no JSON', at);
  }
  if (typeof value !== 'object' || value === null) throw corrupt('a statement has not the form of one', at);
  const facts = value as Partial<Record<keyof DdlStatement, unknown>>;
  const { schema, threadId, nature, sqlMode, charset, session, errorCode, kind, sourceRef } = facts;
  const { server, caseSensitive } = facts;
  const isNumber = (one: unknown): one is number => typeof one === 'number' && Number.isSafeInteger(one);
  if (
    typeof schema !== 'string' ||
    !isNumber(threadId) ||
    nature !== 'ddl' ||
    !(sqlMode === null || (typeof sqlMode === 'string' && /^[0-9]{1,20}$/.test(sqlMode))) ||
    !(charset === null || isNumber(charset)) ||
    !(session === undefined || (typeof session === 'object' && session !== null)) ||
    !(errorCode === undefined || isNumber(errorCode)) ||
    !DDL_POLICY_KINDS.includes(kind as DdlPolicyKind) ||
    typeof sourceRef !== 'string' ||
    typeof caseSensitive !== 'boolean' ||
    !isServer(server)
  )
    throw corrupt('a statement has not the form of one', at);
  return {
    schema,
    sql,
    threadId,
    nature,
    sqlMode: sqlMode === null ? null : BigInt(sqlMode),
    charset,
    kind: kind as DdlPolicyKind,
    sourceRef,
    server,
    caseSensitive,
    ...(session === undefined ? {} : { session: readSession(session as Record<string, unknown>, at) }),
    ...(errorCode === undefined ? {} : { errorCode }),
  };
}

function isServer(value: unknown): value is SqlServer {
  if (typeof value !== 'object' || value === null) return false;
  const { flavour, version } = value as Partial<Record<keyof SqlServer, unknown>>;
  return (flavour === 'mysql' || flavour === 'mariadb') && Number.isSafeInteger(version);
}

const SESSION_NUMBERS: ReadonlySet<string> = new Set([
  'flags',
  'databaseCollation',
  'defaultCollationForUtf8mb4',
  'timestamp',
  'microseconds',
]);

/** What is written into statements of the target's session: numbers, and a time zone's name. */
function readSession(value: Record<string, unknown>, at: number): StatementSession {
  const number = (one: unknown): one is number => Number.isSafeInteger(one) && Number(one) >= 0;
  const { charset } = value as { charset?: Record<string, unknown> };
  for (const [name, one] of Object.entries(value)) {
    const good =
      name === 'timeZone'
        ? typeof one === 'string'
        : name === 'explicitDefaultsForTimestamp'
          ? typeof one === 'boolean'
          : name === 'charset'
            ? number(charset?.client) && number(charset?.connection) && number(charset?.server)
            : SESSION_NUMBERS.has(name) && number(one) && (name !== 'microseconds' || one < 1_000_000);
    if (!good) throw corrupt(`a statement's session has ${name}`, at);
  }
  return value as StatementSession;
}

function isShape(value: unknown): value is TableShape {
  if (typeof value !== 'object' || value === null) return false;
  const shape = value as Partial<Record<keyof TableShape, unknown>>;
  return (
    typeof shape.schema === 'string' &&
    typeof shape.table === 'string' &&
    typeof shape.hasPrimaryKey === 'boolean' &&
    Array.isArray(shape.columns) &&
    shape.columns.every(isColumn) &&
    Array.isArray(shape.key) &&
    shape.key.every(
      (index) => Number.isInteger(index) && index >= 0 && index < (shape.columns as unknown[]).length,
    )
  );
}

function isColumn(value: unknown): value is ColumnShape {
  if (typeof value !== 'object' || value === null) return false;
  const column = value as Partial<Record<keyof ColumnShape, unknown>>;
  return (
    typeof column.name === 'string' &&
    typeof column.type === 'number' &&
    typeof column.meta === 'number' &&
    typeof column.nullable === 'boolean' &&
    typeof column.unsigned === 'boolean' &&
    typeof column.collation === 'number' &&
    (column.carrier === 'binlog' || column.carrier === 'text') &&
    (column.declared === null || typeof column.declared === 'string')
  );
}

function corrupt(what: string, at: number): HoltError {
  return new HoltError('HOLT_PAYLOAD_CORRUPT', `batch payload cannot be read: ${what} (byte ${at})`, {
    disposition: 'rewind',
    facts: { at },
  });
}
