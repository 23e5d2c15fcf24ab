import { writeJsonDiffExpression } from '../../../canal/value/json-diff.ts';
import { ABSENT_LENGTH, NULL_LENGTH } from '../../../canal/value/row-scanner.ts';
import { ByteSink } from '../../../lib/byte-sink.ts';
import { HoltError } from '../../../lib/errors.ts';
import type { RowImage } from './fold.ts';
import { implicitDefault } from './implicit-default.ts';
import { PatchStatement } from './patch-statement.ts';
import { type PlanSql, planSql } from './plan-sql.ts';
import { checkPacket, PACKET_MARGIN } from './row-too-large.ts';
import type { Statement } from './statement.ts';
import { isFloat, type TablePlan, type WrittenColumn } from './table-plan.ts';
import type { TargetTraits } from './target-table.ts';
import { writeKeyValue, writeValue } from './written-value.ts';

export interface RunWriterOptions {
  readonly traits: TargetTraits;
  /** Where the images' bytes are. */
  readonly payload: Buffer;
  /** Statements are cut before they get longer; a single row may be longer. */
  readonly maxStatementBytes: number;
  /** Takes each finished statement. */
  readonly emit: (statement: Statement) => void;
}

const COMMA = 0x2c;
const OPEN = 0x28;
const CLOSE = 0x29;
const EQUALS = 0x3d;
const NULL_BYTES = Buffer.from('NULL');
const AND = Buffer.from(' AND ');
const WHERE = Buffer.from(' WHERE ');
const OR = Buffer.from(' OR ');

/** A longer list MariaDB reads as a table (measured: as fast). */
const MOST_KEYS_IN_LIST = 900;
/** Every row found is compared with every condition. */
const MOST_KEYS_IN_ORS = 100;

type RunKind = 'insert' | 'upsert' | 'patch' | 'delete' | 'absence';

/**
 * Writes rows as statements, many rows to one where they follow each other with the same operation on the same table. Rows
 * take effect in the order in which they are added. One writer has one open statement; `flush` ends it.
 */
export class RunWriter {
  readonly #options: RunWriterOptions;
  readonly #most: number;
  readonly #sink = new ByteSink(256 * 1024);
  /** The first row of an upsert in its other form, for the case that it stays alone. */
  readonly #alone = new ByteSink(1024);
  readonly #sqls = new Map<TablePlan, PlanSql>();
  readonly #patch: PatchStatement;
  readonly #patchKey = { element: new ByteSink(256), when: new ByteSink(256) };
  /** Condition of the first row of a patch, for the case that it stays alone. */
  readonly #patchAlone = new ByteSink(256);

  #kind: RunKind | null = null;
  #plan: TablePlan | null = null;
  #sql: PlanSql | null = null;
  /** Which columns the rows of an INSERT leave to their defaults; empty for none. */
  #omitted = '';
  #checksOff = 0;
  #rows = 0;

  constructor(options: RunWriterOptions) {
    this.#options = options;
    this.#most = Math.min(options.maxStatementBytes, options.traits.maxAllowedPacket - PACKET_MARGIN);
    this.#patch = new PatchStatement(options.payload);
  }

  /** Columns that the image lacks take their defaults; those that have none, what a server without strict mode gives them. */
  insert(plan: TablePlan, image: RowImage, checksOff: number): void {
    const omitted = omittedColumns(plan, image);
    const sql = this.#begin('insert', plan, checksOff, omitted);
    const start = this.#startRow();
    this.#values(plan, sql, image);
    this.#endRow(start, sql);
  }

  /** A complete row that must be there, found by its key, which does not change. */
  upsert(plan: TablePlan, image: RowImage, checksOff: number): void {
    if (!plan.mayUpsert) {
      this.update(plan, image, false, checksOff, () => image);
      return;
    }
    const sql = this.#begin('upsert', plan, checksOff);
    const start = this.#startRow();
    this.#values(plan, sql, image);
    const alone = this.#rows === 0;
    if (this.#endRow(start, sql) || alone) this.#writeAlone(plan, sql, image);
  }

  /** A row that must be there, by its key. */
  delete(plan: TablePlan, image: RowImage, checksOff: number): void {
    this.#deleteKey('delete', plan, image, checksOff);
  }

  /**
   * A row that must not be there, by its key's own bytes: a row whose key is only equal to it by collation may well be
   * there (see fold.ts).
   */
  absence(plan: TablePlan, image: RowImage, checksOff: number): void {
    this.#deleteKey('absence', plan, image, checksOff);
  }

  /**
   * One row that must be there: sets the columns that `after` has, those of its key only if it changes. `where` is called
   * when `after` is no longer needed: it gives the image with the key, or writes a condition of its own.
   */
  update(
    plan: TablePlan,
    after: RowImage,
    keyChanges: boolean,
    checksOff: number,
    where: (sink: ByteSink) => RowImage | null,
  ): void {
    this.flush();
    const sql = this.#sqlOf(plan);
    const sink = this.#sink;
    sink.copy(sql.updateHead);
    this.#assignments(sink, plan, sql, after, keyChanges);
    sink.copy(WHERE);
    const key = where(sink);
    if (key !== null) this.#keyCondition(sink, plan, sql, key);
    this.#emit('update', plan, 1, checksOff, sink);
  }

  /**
   * Some columns of a row that must be there and keeps its key. Rows that follow each other share a statement where they set the same
   * columns; it may work through them in any order. `key` is called when `after` is no longer needed.
   */
  patch(plan: TablePlan, after: RowImage, checksOff: number, key: () => RowImage): void {
    const sql = this.#sqlOf(plan);
    if (plan.oneByOne || !PatchStatement.takes(plan, sql, after)) {
      this.update(plan, after, false, checksOff, key);
      return;
    }
    const omitted = absentColumns(plan, after);
    if (!this.#continues('patch', plan, checksOff, omitted)) {
      this.#begin('patch', plan, checksOff, omitted);
      this.#patch.begin(plan, sql, after);
    }
    this.#patch.hold(after);
    const image = key();
    this.#writePatchKey(plan, sql, image);
    if (this.#patch.mustEnd(this.#patchKey, this.#most)) {
      this.#endPatch(plan, checksOff);
      this.#patch.restart();
    }
    if (this.#patch.rows === 0) {
      this.#patchAlone.reset();
      this.#keyCondition(this.#patchAlone, plan, sql, image);
    }
    this.#patch.add(this.#patchKey);
  }

  /** One row that must be there, found by a condition of the caller's. */
  deleteWhere(plan: TablePlan, checksOff: number, where: (sink: ByteSink) => void): void {
    this.flush();
    this.#sink.copy(this.#sqlOf(plan).deleteHead);
    where(this.#sink);
    this.#emit('delete', plan, 1, checksOff, this.#sink);
  }

  /** A statement of the caller's, beside those of the rows. */
  aside(plan: TablePlan, checksOff: number, write: (sink: ByteSink) => void): void {
    this.flush();
    this.#sink.reset();
    write(this.#sink);
    this.#emit('aside', plan, 0, checksOff, this.#sink);
  }

  /** `` `a`=1 AND `b`=2 ``: the row with the key in `image`. */
  writeKeyCondition(sink: ByteSink, plan: TablePlan, image: RowImage): void {
    this.#keyCondition(sink, plan, this.#sqlOf(plan), image);
  }

  /** The same for other columns than those of the key; none of them NULL. */
  writeEquals(sink: ByteSink, columns: readonly WrittenColumn[], image: RowImage): void {
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i] as WrittenColumn;
      if (i > 0) sink.copy(AND);
      sink.utf8(column.quoted);
      sink.byte(EQUALS);
      this.#keyValue(sink, column, image);
    }
  }

  /** Ends the open statement. */
  flush(): void {
    const [kind, plan, sql] = [this.#kind, this.#plan, this.#sql];
    this.#kind = null;
    if (kind === null || plan === null || sql === null) return;
    if (kind === 'patch') {
      this.#endPatch(plan, this.#checksOff);
      return;
    }
    const rows = this.#rows;
    this.#rows = 0;
    if (kind === 'upsert' && rows === 1) {
      this.#sink.reset();
      this.#emit('update', plan, 1, this.#checksOff, this.#alone);
      return;
    }
    if (kind === 'upsert') this.#sink.copy(sql.upsertTail);
    else if (kind !== 'insert' && usesList(kind, sql)) {
      this.#sink.byte(CLOSE);
      this.#sink.copy(sql.keyConstants);
    }
    this.#emit(kind, plan, rows, this.#checksOff, this.#sink);
  }

  #endPatch(plan: TablePlan, checksOff: number): void {
    this.#patch.write(this.#sink, this.#patchAlone.view());
    this.#emit('update', plan, this.#patch.rows, checksOff, this.#sink);
  }

  #writePatchKey(plan: TablePlan, sql: PlanSql, image: RowImage): void {
    const { element, when } = this.#patchKey;
    const { identity } = plan;
    element.reset();
    when.reset();
    if (identity.length === 1) this.#keyValue(when, identity[0] as WrittenColumn, image);
    else this.writeEquals(when, identity, image);
    if (usesList('patch', sql)) this.#keyElement(element, plan, image);
    else {
      element.byte(OPEN);
      this.#keyCondition(element, plan, sql, image);
      element.byte(CLOSE);
    }
  }

  /** `1`, or `(1,2)` for a key of several columns. */
  #keyElement(sink: ByteSink, plan: TablePlan, image: RowImage): void {
    const { identity } = plan;
    if (identity.length > 1) sink.byte(OPEN);
    for (let i = 0; i < identity.length; i++) {
      if (i > 0) sink.byte(COMMA);
      this.#keyValue(sink, identity[i] as WrittenColumn, image);
    }
    if (identity.length > 1) sink.byte(CLOSE);
  }

  #deleteKey(kind: 'delete' | 'absence', plan: TablePlan, image: RowImage, checksOff: number): void {
    const sql = this.#begin(kind, plan, checksOff);
    const most = usesList(kind, sql) ? MOST_KEYS_IN_LIST : MOST_KEYS_IN_ORS;
    if (this.#rows >= Math.min(most, plan.mostKeys)) {
      this.flush();
      this.#begin(kind, plan, checksOff);
    }
    const sink = this.#sink;
    const start = sink.length;
    if (!usesList(kind, sql)) {
      if (this.#rows > 0) sink.copy(OR);
      sink.byte(OPEN);
      this.#keyCondition(sink, plan, sql, image);
      if (kind === 'absence') this.#exactKey(sink, sql, image);
      sink.byte(CLOSE);
    } else {
      if (this.#rows > 0) sink.byte(COMMA);
      this.#keyElement(sink, plan, image);
    }
    this.#endRow(start, sql);
  }

  #continues(kind: RunKind, plan: TablePlan, checksOff: number, omitted: string): boolean {
    return (
      this.#kind === kind && this.#plan === plan && this.#checksOff === checksOff && this.#omitted === omitted
    );
  }

  #begin(kind: RunKind, plan: TablePlan, checksOff: number, omitted = ''): PlanSql {
    if (this.#sql !== null && this.#continues(kind, plan, checksOff, omitted)) return this.#sql;
    this.flush();
    const sql = this.#sqlOf(plan);
    this.#kind = kind;
    this.#plan = plan;
    this.#sql = sql;
    this.#checksOff = checksOff;
    this.#omitted = omitted;
    const sink = this.#sink;
    sink.reset();
    if (kind === 'insert' || kind === 'upsert')
      sink.copy(omitted === '' ? sql.insertHead : partialInsertHead(plan, omitted));
    else if (kind !== 'patch') {
      sink.copy(sql.deleteHead);
      if (usesList(kind, sql)) sink.copy(sql.keysIn);
    }
    return sql;
  }

  #sqlOf(plan: TablePlan): PlanSql {
    const known = this.#sqls.get(plan);
    if (known !== undefined) return known;
    const sql = planSql(plan, this.#options.traits);
    this.#sqls.set(plan, sql);
    return sql;
  }

  #startRow(): number {
    const start = this.#sink.length;
    if (this.#rows > 0) this.#sink.byte(COMMA);
    return start;
  }

  /** Counts the row written from `start`; cuts the statement before it when that would get too long. True when it was cut. */
  #endRow(start: number, sql: PlanSql): boolean {
    const [kind, plan] = [this.#kind, this.#plan];
    const sink = this.#sink;
    const tail = kind === 'upsert' ? sql.upsertTail.length : sql.keyConstants.length + 1;
    if (this.#rows === 0 || sink.length + tail <= this.#most || kind === null || plan === null) {
      this.#rows += 1;
      return false;
    }
    const separator = kind === 'insert' || kind === 'upsert' || usesList(kind, sql) ? 1 : OR.length;
    const row = Buffer.from(sink.view().subarray(start + separator));
    sink.truncate(start);
    this.flush();
    this.#begin(kind, plan, this.#checksOff, this.#omitted);
    sink.copy(row);
    this.#rows = 1;
    return true;
  }

  #writeAlone(plan: TablePlan, sql: PlanSql, image: RowImage): void {
    const sink = this.#alone;
    sink.reset();
    sink.copy(sql.updateHead);
    this.#assignments(sink, plan, sql, image, false);
    sink.copy(WHERE);
    this.#keyCondition(sink, plan, sql, image);
  }

  #values(plan: TablePlan, sql: PlanSql, image: RowImage): void {
    const sink = this.#sink;
    const { payload } = this.#options;
    const { columns } = plan;
    const { offsets, lengths } = image;
    sink.byte(OPEN);
    let first = true;
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i] as WrittenColumn;
      const length = lengths[column.index] as number;
      const implicit = length === ABSENT_LENGTH ? implicitDefault(column.target) : null;
      if (length === ABSENT_LENGTH && implicit === null) continue;
      if (!first) sink.byte(COMMA);
      first = false;
      if (implicit !== null) sink.latin1(implicit);
      else if (length === NULL_LENGTH) sink.copy(NULL_BYTES);
      else writeValue(sink, column, payload, offsets[column.index] as number, length);
    }
    if (sql.constantValues.length > 0) sink.copy(sql.constantValues, first ? 1 : 0);
    sink.byte(CLOSE);
  }

  /** `a=1,b=NULL`: what the image has; of the identity only what has to be written. */
  #assignments(sink: ByteSink, plan: TablePlan, sql: PlanSql, image: RowImage, keyChanges: boolean): void {
    const { columns, identity } = plan;
    const { payload } = this.#options;
    const start = sink.length;
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i] as WrittenColumn;
      const length = image.lengths[column.index] as number;
      if (length === ABSENT_LENGTH) {
        if (!column.target.autoUpdate) continue;
        // Assigned to itself it does not change by itself.
        if (sink.length > start) sink.byte(COMMA);
        sink.utf8(column.quoted);
        sink.byte(EQUALS);
        sink.utf8(column.quoted);
        continue;
      }
      if (!keyChanges && identity.includes(column) && !sql.rewrittenIdentity.includes(column)) continue;
      if (sink.length > start) sink.byte(COMMA);
      sink.utf8(column.quoted);
      sink.byte(EQUALS);
      const offset = image.offsets[column.index] as number;
      if (length === NULL_LENGTH) sink.copy(NULL_BYTES);
      else if (image.partial?.[column.index] === 1)
        this.#jsonDiffs(sink, plan, column, payload.subarray(offset, offset + length));
      else writeValue(sink, column, payload, offset, length);
    }
    if (sql.constantAssignments.length > 0) sink.copy(sql.constantAssignments, sink.length > start ? 0 : 1);
    if (sink.length > start) return;
    // Nothing to set: the row must be there all the same.
    const { quoted } = columns[0] as WrittenColumn;
    sink.utf8(`${quoted}=${quoted}`);
  }

  /** Diffs of a document that only the target has: as calls of MySQL's JSON functions. */
  #jsonDiffs(sink: ByteSink, plan: TablePlan, column: WrittenColumn, diffs: Buffer): void {
    if (column.literal.nativeJson) {
      writeJsonDiffExpression(sink, column.quoted, diffs);
      return;
    }
    const table = `${plan.target.schema}.${plan.target.name}`;
    throw new HoltError(
      'HOLT_TARGET_JSON_PARTIAL',
      `the source logs only what changes in a JSON document, without the document, and ${table}.${column.target.name} at the target is no JSON of MySQL`,
      { disposition: 'retry', facts: { table, column: column.target.name } },
    );
  }

  #keyCondition(sink: ByteSink, plan: TablePlan, sql: PlanSql, image: RowImage): void {
    this.writeEquals(sink, plan.identity, image);
    if (sql.keyConstants.length > 0) sink.copy(sql.keyConstants);
  }

  /** ` AND CAST(`b` AS BINARY)='x'` for key columns whose equality is not that of bytes. */
  #exactKey(sink: ByteSink, sql: PlanSql, image: RowImage): void {
    for (const column of sql.rewrittenIdentity) {
      // The text of a number says less than its bits: then a row with the other zero counts as found.
      if (isFloat(column.target)) continue;
      // In another character set it is the converted value whose bytes count.
      const isConverted = column.keyPrefix !== '';
      sink.utf8(` AND CAST(${column.quoted} AS BINARY)=${isConverted ? 'CAST(' : ''}`);
      this.#keyValue(sink, column, image);
      if (isConverted) sink.latin1(' AS BINARY)');
    }
  }

  #keyValue(sink: ByteSink, column: WrittenColumn, image: RowImage): void {
    const length = image.lengths[column.index] as number;
    if (length < 0) sink.copy(NULL_BYTES);
    else writeKeyValue(sink, column, this.#options.payload, image.offsets[column.index] as number, length);
  }

  #emit(kind: Statement['kind'], plan: TablePlan, rows: number, checksOff: number, sink: ByteSink): void {
    const { maxAllowedPacket } = this.#options.traits;
    const table = `${plan.target.schema}.${plan.target.name}`;
    checkPacket(table, sink.length, maxAllowedPacket);
    const sql = sink.take();
    sink.reset();
    this.#options.emit({ kind, sql, rows, checksOff, table });
  }
}

/** True where the keys of a statement stand in one list; else each has a condition of its own. */
function usesList(kind: RunKind, sql: PlanSql): sql is PlanSql & { readonly keysIn: Buffer } {
  return sql.keysIn !== null && (kind !== 'absence' || sql.rewrittenIdentity.length === 0);
}

/** Every column that the image lacks: images with the same may share an UPDATE. */
function absentColumns(plan: TablePlan, image: RowImage): string {
  let absent = '';
  for (const { index } of plan.columns) if (image.lengths[index] === ABSENT_LENGTH) absent += `${index},`;
  return absent;
}

/** Those that an INSERT leaves out; the others it lacks get what a server without strict mode gives them. */
function omittedColumns(plan: TablePlan, image: RowImage): string {
  const { columns } = plan;
  let omitted = '';
  for (let i = 0; i < columns.length; i++) {
    const column = columns[i] as WrittenColumn;
    if (image.lengths[column.index] === ABSENT_LENGTH && implicitDefault(column.target) === null)
      omitted += `${column.index},`;
  }
  return omitted;
}

function partialInsertHead(plan: TablePlan, omitted: string): Buffer {
  const left = new Set(omitted.split(','));
  const names = [...plan.columns.filter((column) => !left.has(String(column.index))), ...plan.constants].map(
    ({ quoted }) => quoted,
  );
  return Buffer.from(`INSERT INTO ${plan.quotedTable} (${names.join(',')}) VALUES `);
}
