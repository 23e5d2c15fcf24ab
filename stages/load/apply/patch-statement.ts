import { ABSENT_LENGTH, NULL_LENGTH } from '../../../canal/value/row-scanner.ts';
import { ByteSink } from '../../../lib/byte-sink.ts';
import { sourceFamily, targetFamily, type ValueFamily } from './column-fit.ts';
import type { RowImage } from './fold.ts';
import { KeyTable } from './key-table.ts';
import { FAIL, FAIL_AMONG_NUMBERS, type PlanSql } from './plan-sql.ts';
import type { TablePlan, WrittenColumn } from './table-plan.ts';
import { writeValue } from './written-value.ts';

/**
 * Rows that get values in the same columns and keep the others, as one UPDATE:
 *
 *     UPDATE t SET a=CASE `id` WHEN 1 THEN 10 WHEN 2 THEN 20 ELSE … END,b=7 WHERE `id` IN (1,2)
 *
 * The list finds each row once at most, and the number of rows found says whether all were there. WHEN compares as the list
 * does, by the column's own rules; should it ever not, the last branch fails the statement, so that no row gets a value that is
 * not its own. Each row is compared with each key, so the statement has few.
 */
const MOST_ROWS = 64;

const NULL_BYTES = Buffer.from('NULL');
const COMMA = 0x2c;
const EQUALS = 0x3d;

/** Families whose literals mean the same in a CASE as alone. Not YEAR, which takes some numbers for others, nor numbers with an exponent, which might be rounded. */
const PLAIN: ReadonlySet<ValueFamily | null> = new Set<ValueFamily | null>([
  'integer',
  'decimal',
  'bit',
  'date',
  'time',
  'datetime',
  'timestamp',
  'text',
  'bytes',
  'enum',
  'set',
]);

/**
 * SET of 8 bytes: signed and unsigned numbers in one CASE become a decimal, which a SET takes by way of a double. BIT of 32 bits and more: of
 * numbers below and above 2^31 MariaDB makes one that it finds too long for the column.
 */
function isPlain({ source, target }: WrittenColumn): boolean {
  const family = sourceFamily(source);
  if (source.carrier !== 'binlog' || !PLAIN.has(family) || family !== targetFamily(target)) return false;
  if (family === 'set') return (source.meta & 0xff) < 8;
  return family !== 'bit' || source.meta >> 8 < 4;
}

/**
 * Text whose collation takes several byte strings for one. An index may tell apart what WHEN does not: under `utf8mb4_unicode_nopad_ci` a
 * CHAR 'ß' and a CHAR 'ss' are two keys of MariaDB, which differ by the spaces they are filled up with, and equal without them.
 */
function comparesLoosely({ target: { collation } }: WrittenColumn): boolean {
  return collation !== null && collation !== 'binary' && !collation.endsWith('_bin');
}

/** Families whose literals are numbers: a branch that is none would make the whole CASE text, and `3` in a BIT the character 3. */
const NUMBERS: ReadonlySet<ValueFamily | null> = new Set<ValueFamily | null>([
  'integer',
  'decimal',
  'bit',
  'enum',
  'set',
]);

function isNumber({ source }: WrittenColumn): boolean {
  return NUMBERS.has(sourceFamily(source));
}

interface PatchColumn {
  readonly column: WrittenColumn;
  /** Of the row being added. */
  readonly value: ByteSink;
  /** Of the first row. */
  readonly first: ByteSink;
  /** ` WHEN key THEN value`, row by row. */
  readonly cases: ByteSink;
  allSame: boolean;
}

export interface PatchKey {
  /** As an element of the key list, or as a condition where the server does not look such lists up. */
  readonly element: ByteSink;
  /** After WHEN. */
  readonly when: ByteSink;
}

export class PatchStatement {
  readonly #payload: Buffer;
  readonly #keys = new KeyTable(MOST_ROWS);
  readonly #list = new ByteSink(4096);
  readonly #spare: PatchColumn[] = [];
  #columns: PatchColumn[] = [];
  #plan: TablePlan | null = null;
  #sql: PlanSql | null = null;
  #rows = 0;
  #caseBytes = 0;

  constructor(payload: Buffer) {
    this.#payload = payload;
  }

  get rows(): number {
    return this.#rows;
  }

  /** True when the image's values may stand in a CASE. */
  static takes(plan: TablePlan, sql: PlanSql, image: RowImage): boolean {
    if (plan.identity.length === 0 || plan.identity.some(comparesLoosely)) return false;
    return plan.columns.every((column) => {
      if (image.lengths[column.index] === ABSENT_LENGTH) return true;
      if (image.partial?.[column.index] === 1) return false;
      return plan.identity.includes(column) ? !sql.rewrittenIdentity.includes(column) : isPlain(column);
    });
  }

  /** A statement for the columns that the image has. */
  begin(plan: TablePlan, sql: PlanSql, image: RowImage): void {
    this.#plan = plan;
    this.#sql = sql;
    this.#spare.push(...this.#columns);
    this.#columns = plan.columns
      .filter((one) => !plan.identity.includes(one) && image.lengths[one.index] !== ABSENT_LENGTH)
      .map((column) => {
        const { value, first, cases } = this.#spare.pop() ?? newSinks();
        return { column, value, first, cases, allSame: true };
      });
    this.restart();
  }

  /** Another one for the same columns; the row held stays. */
  restart(): void {
    this.#rows = 0;
    this.#caseBytes = 0;
    this.#keys.clear();
    this.#list.reset();
    for (const one of this.#columns) {
      one.first.reset();
      one.cases.reset();
      one.allSame = true;
    }
  }

  /** Writes the values of a row down, until `add` or another `hold`. */
  hold(image: RowImage): void {
    for (const { column, value } of this.#columns) {
      value.reset();
      const length = image.lengths[column.index] as number;
      if (length === NULL_LENGTH) value.copy(NULL_BYTES);
      else writeValue(value, column, this.#payload, image.offsets[column.index] as number, length);
    }
  }

  /** True when the row held belongs into a statement of its own: this one is full, has its key already, or would get too long. */
  mustEnd(key: PatchKey, most: number): boolean {
    if (this.#rows === 0) return false;
    const { element, when } = key;
    if (this.#rows >= Math.min(MOST_ROWS, this.#plan?.mostKeys ?? 1)) return true;
    if (this.#keys.has(element.view(), 0, element.length)) return true;
    let bytes = this.#list.length + element.length + this.#caseBytes + this.#columns.length * 200 + 1000;
    for (const { value, first } of this.#columns) bytes += value.length + first.length + when.length + 12;
    return bytes > most;
  }

  /** Takes the row held. */
  add(key: PatchKey): void {
    const { element, when } = key;
    this.#keys.add(element.view(), 0, element.length);
    if (this.#rows > 0) this.#list.copy(this.#sql?.keysIn == null ? OR : COMMA_BYTES);
    this.#list.copy(element.view());
    for (const one of this.#columns) {
      if (this.#rows === 0) one.first.copy(one.value.view());
      else if (one.allSame) one.allSame = one.value.view().equals(one.first.view());
      const before = one.cases.length;
      one.cases.latin1(' WHEN ');
      one.cases.copy(when.view());
      one.cases.latin1(' THEN ');
      one.cases.copy(one.value.view());
      this.#caseBytes += one.cases.length - before;
    }
    this.#rows += 1;
  }

  /** The whole statement; `alone` is the condition of a single row. */
  write(sink: ByteSink, alone: Buffer): void {
    const [plan, sql] = [this.#plan, this.#sql];
    if (plan === null || sql === null) return;
    sink.reset();
    sink.copy(sql.updateHead);
    const start = sink.length;
    const [key] = plan.identity;
    const single = plan.identity.length === 1 && key !== undefined;
    for (const column of plan.columns) {
      const own = this.#columns.find((one) => one.column === column);
      if (own === undefined && (!column.target.autoUpdate || plan.identity.includes(column))) continue;
      if (sink.length > start) sink.byte(COMMA);
      sink.utf8(column.quoted);
      sink.byte(EQUALS);
      // Assigned to itself it does not change by itself.
      if (own === undefined) sink.utf8(column.quoted);
      else if (own.allSame) sink.copy(own.first.view());
      else {
        sink.utf8(single ? `CASE ${key.quoted}` : 'CASE');
        sink.copy(own.cases.view());
        sink.utf8(` ELSE ${isNumber(column) ? FAIL_AMONG_NUMBERS : FAIL} END`);
      }
    }
    if (sql.constantAssignments.length > 0) sink.copy(sql.constantAssignments, sink.length > start ? 0 : 1);
    if (sink.length === start) {
      // Nothing to set: the rows must be there all the same.
      const { quoted } = plan.columns[0] as WrittenColumn;
      sink.utf8(`${quoted}=${quoted}`);
    }
    sink.latin1(' WHERE ');
    if (this.#rows === 1) sink.copy(alone);
    else if (sql.keysIn === null) sink.copy(this.#list.view());
    else {
      sink.copy(sql.keysIn);
      sink.copy(this.#list.view());
      sink.latin1(')');
      sink.copy(sql.keyConstants);
    }
  }
}

const OR = Buffer.from(' OR ');
const COMMA_BYTES = Buffer.from(',');

function newSinks() {
  return { value: new ByteSink(256), first: new ByteSink(256), cases: new ByteSink(1024) };
}
