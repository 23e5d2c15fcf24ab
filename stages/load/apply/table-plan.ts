/**
 * How the rows of one source table are written into one target table: decided once per shape, route and target, before
 * any row. What cannot work is refused here, by code.
 */
import { charsetOf } from '../../../canal/value/charset.ts';
import { compileRowScanner, type RowScanner } from '../../../canal/value/row-scanner.ts';
import { isPrinted, type LiteralTarget } from '../../../canal/value/value-literal.ts';
import { characterWidth } from '../../../canal/value/well-formed.ts';
import { HoltError } from '../../../lib/errors.ts';
import { quoteName, quoteTable, quoteText } from '../../../lib/sql-name.ts';
import { bitmapHas, type ColumnBitmap } from '../../../model/rows.ts';
import type { TableRoute } from '../../../model/table-route.ts';
import type { ColumnShape, TableShape } from '../../../model/table-shape.ts';
import { misfit, sourceFamily, targetFamily } from './column-fit.ts';
import { type RowEventPlan, rowEventPlan } from './row-events.ts';
import type { TargetColumn, TargetTable, UniqueKey } from './target-table.ts';
import { type TextRoom, textRoomOf } from './text-room.ts';

/** A target column that takes a column of the row images. */
export interface WrittenColumn {
  readonly quoted: string;
  /** Index in the source's shape. */
  readonly index: number;
  readonly source: ColumnShape;
  readonly target: TargetColumn;
  readonly literal: LiteralTarget;
  /** Where values may have trailing spaces that the target would not keep. */
  readonly room: TextRoom | null;
  /** What stands around the literal of a value where source and target differ in character set; empty else. */
  readonly introducer: string;
  readonly keyPrefix: string;
  readonly keySuffix: string;
  /** Bytes that values come in multiples of; text that does not would be filled up by the server (`foreign-bytes.ts`). */
  readonly wholeCharacters: number;
}

/** A target column that always has the same value. */
export interface ConstantColumn {
  readonly quoted: string;
  readonly target: TargetColumn;
  readonly text: string | null;
  /** The value as an SQL literal. */
  readonly literal: string;
}

/** A unique key of the target other than the identity. */
export interface SecondaryKey {
  readonly name: string;
  /** Its place among the target's unique keys: the same for all plans of a target. */
  readonly number: number;
  /** Source columns that make it up; null where some part is an expression, generated, a prefix or not written: its values cannot be followed. */
  readonly indexes: readonly number[] | null;
}

export interface TablePlan {
  readonly shape: TableShape;
  readonly target: TargetTable;
  /** `schema`.`table` in backticks. */
  readonly quotedTable: string;
  readonly scanner: RowScanner;
  readonly columns: readonly WrittenColumn[];
  readonly constants: readonly ConstantColumn[];
  /** Columns whose values tell the target's rows apart, as places in `columns`; empty where nothing does. */
  readonly identity: readonly WrittenColumn[];
  /** Constant parts of the identity. */
  readonly identityConstants: readonly ConstantColumn[];
  /** Which bytes mean the same key: rows may be folded together only under one signature. */
  readonly identitySignature: string;
  /** The constant parts of the key as bytes: with equal columns and another tag it is another key. Empty where there are none. */
  readonly identityTag: Buffer;
  /** Source columns outside the key whose values foreign keys point to. */
  readonly pointedTo: readonly number[];
  /** Of all columns that foreign keys point to, those whose values may be equal to the server and differ in bytes. */
  readonly looselyPointedTo: readonly WrittenColumn[];
  readonly secondaryKeys: readonly SecondaryKey[];
  /** True when the target has columns that are neither written nor computed: DELETE and INSERT in place of UPDATE would lose them. */
  readonly hasOtherColumns: boolean;
  /** True where triggers see every change: each is written as it came, in order, by its own kind of statement. */
  readonly oneByOne: boolean;
  /** False where every attempt to insert would use up a number of an AUTO_INCREMENT column that is not written. */
  readonly mayUpsert: boolean;
  /**
   * Most keys that one statement may look for. Asked for a larger share of a table, servers read all of it, and wait for
   * every row that someone else has locked (measured: from a sixth on MariaDB 10.11 and MySQL 5.6, a third on MySQL 9.7).
   */
  readonly mostKeys: number;
  /** Columns, in backticks, that would change by themselves on UPDATE unless assigned. */
  readonly autoUpdateColumns: readonly string[];
  /** How its rows go as events; null where they must go as statements. */
  readonly rowEvents: RowEventPlan | null;
}

/** Throws a HoltError (retry: it heals when the table is altered), naming the table and what to do. */
export function planTable(shape: TableShape, route: TableRoute, target: TargetTable): TablePlan {
  const place = `${target.schema}.${target.name}`;
  const refuse = (code: string, message: string, remedy: string, column?: string): HoltError =>
    new HoltError(code, message, {
      disposition: 'retry',
      remedy,
      facts: { table: place, source: `${shape.schema}.${shape.table}`, ...(column && { column }) },
    });
  if (target.engine.toLowerCase() !== 'innodb')
    throw refuse(
      'HOLT_TARGET_ENGINE',
      `${place} at the target is ${target.engine === '' ? 'of no engine' : target.engine}: its changes would not commit with the checkpoint`,
      `ALTER TABLE ${place} ENGINE=InnoDB at the target, or exclude it; Holt tries again by itself.`,
    );
  if (target.triggers.length > 0 && route.triggers !== 'allow')
    throw refuse(
      'HOLT_TARGET_TRIGGER',
      `${place} at the target has triggers (${target.triggers.join(', ')}), which would act a second time`,
      `Drop the triggers of ${place} at the target, exclude the table, or allow them by a rule (triggers: allow); Holt tries again by itself.`,
    );

  const byName = new Map(target.columns.map((column) => [column.name.toLowerCase(), column]));
  const columns: WrittenColumn[] = [];
  const constants: ConstantColumn[] = [];
  const covered = new Set<string>();
  for (const one of route.columns) {
    const column = byName.get(one.name.toLowerCase());
    if (column === undefined)
      throw refuse(
        'HOLT_TARGET_COLUMN_MISSING',
        `${place} at the target has no column ${one.name}`,
        `Add the column ${one.name} to ${place} at the target, or drop it by a rule; Holt tries again by itself.`,
        one.name,
      );
    // The server computes it from the others.
    if (column.generated) continue;
    covered.add(column.name);
    if (one.kind === 'constant') {
      const literal = one.text === null ? 'NULL' : quoteText(one.text);
      constants.push({ quoted: quoteName(column.name), target: column, text: one.text, literal });
      continue;
    }
    const source = shape.columns[one.index];
    if (source === undefined)
      throw new HoltError(
        'HOLT_PAYLOAD_CORRUPT',
        `${place}: route to column ${one.index}, which is not there`,
        {
          disposition: 'rewind',
        },
      );
    const why = misfit(source, column);
    if (why !== null)
      throw refuse(
        'HOLT_TARGET_COLUMN_TYPE',
        `${place}.${column.name} at the target cannot take the values of ${shape.schema}.${shape.table}.${source.name}: ${why}`,
        `Change the type of ${place}.${column.name} at the target to that of the source, or drop the column by a rule; Holt tries again by itself.`,
        column.name,
      );
    columns.push(writtenColumn(one.index, source, column));
  }
  const uncovered = target.columns.filter((column) => !column.generated && !covered.has(column.name));
  const unfilled = uncovered.find((column) => !column.hasDefault);
  if (unfilled !== undefined)
    throw refuse(
      'HOLT_TARGET_COLUMN_UNFILLED',
      `${place}.${unfilled.name} at the target is NOT NULL without a default, and the source does not fill it`,
      `Give ${place}.${unfilled.name} a default at the target, or a constant by a rule; Holt tries again by itself.`,
      unfilled.name,
    );
  if (columns.length === 0)
    throw refuse(
      'HOLT_TARGET_COLUMN_MISSING',
      `no column of ${shape.schema}.${shape.table} goes to ${place}`,
      'Correct the table rule, or exclude the table; Holt tries again by itself.',
    );

  const identityKey = chooseIdentity(shape, target, columns, constants);
  const identity =
    identityKey === null ? [] : columns.filter((column) => isPartOf(identityKey, column.target));
  const identityConstants =
    identityKey === null ? [] : constants.filter((column) => isPartOf(identityKey, column.target));
  const isPointedTo = columns.filter(({ target: { name } }) =>
    target.referencedColumns.includes(name.toLowerCase()),
  );
  const plan = {
    shape,
    target,
    quotedTable: quoteTable(target.schema, target.name),
    scanner: compileRowScanner(shape),
    columns,
    constants,
    identity,
    identityConstants,
    identitySignature: [
      ...identity.map((one) => `${one.target.name}=${signatureOf(one.source)}`),
      ...identityConstants.map((one) => one.target.name),
    ].join('|'),
    identityTag: Buffer.from(identityConstants.map(({ literal }) => literal).join()),
    pointedTo: isPointedTo.filter((one) => !identity.includes(one)).map(({ index }) => index),
    looselyPointedTo: isPointedTo.filter((one) => isLoose(one.target)),
    secondaryKeys: target.uniqueKeys
      .map((key, number) => ({ key, name: key.name, number, indexes: indexesOf(key, columns, constants) }))
      .filter(({ key }) => key !== identityKey)
      .map(({ key: _, ...secondary }) => secondary),
    hasOtherColumns: uncovered.length > 0,
    oneByOne: target.triggers.length > 0,
    mayUpsert: target.triggers.length === 0 && !uncovered.some((column) => column.autoIncrement),
    mostKeys: Math.max(1, Math.floor(target.rowEstimate / 20)),
    autoUpdateColumns: target.columns
      .filter((column) => column.autoUpdate && !column.generated)
      .map((column) => quoteName(column.name)),
  };
  return { ...plan, rowEvents: rowEventPlan(plan) };
}

/**
 * A quoted literal is bytes to the server (the session's character set is binary) and goes into a column as it is: where
 * source and target differ in character set it must say what it is. Compared with a column it must have the column's set,
 * else the server converts the column, row by row.
 */
function writtenColumn(index: number, source: ColumnShape, target: TargetColumn): WrittenColumn {
  const from = sourceFamily(source);
  const intoText = targetFamily(target) === 'text';
  const column = {
    quoted: quoteName(target.name),
    index,
    source,
    target,
    literal: { nativeJson: target.dataType === 'json', text: intoText },
    room: from === 'text' && intoText ? textRoomOf(source, target) : null,
    introducer: '',
    keyPrefix: '',
    keySuffix: '',
    wholeCharacters: 1,
  };
  if (!intoText) return column;
  const charset = from === 'text' ? charsetOf(source.collation) : isPrinted(source) ? 'ascii' : null;
  if (charset === null || target.charset === null) return column;
  if (sameBytes(charset, target.charset)) return { ...column, wholeCharacters: characterWidth(charset) };
  // The one name of it that all servers know.
  const introducer = charset === 'utf8mb3' ? 'utf8' : charset;
  return {
    ...column,
    introducer: `_${introducer}`,
    keyPrefix: `CONVERT(_${introducer}`,
    keySuffix: ` USING ${target.charset}) COLLATE ${target.collation}`,
    wholeCharacters: characterWidth(charset),
  };
}

/** True where text of the one set has the same bytes in the other, or none that the server would take. */
function sameBytes(from: string, to: string): boolean {
  const [a, b] = [from, to].map((name) => (name.startsWith('utf8') ? 'utf8' : name));
  return a === b || (a === 'ascii' && b !== 'ucs2' && !/^utf(?:16|32)/.test(b ?? ''));
}

/**
 * The key by which rows are found: unique at the target, whole columns, never NULL, all written. Of several, the first whose columns
 * are within the source's own key, since a partial before image has no others; else the primary key, else the first.
 */
function chooseIdentity(
  shape: TableShape,
  target: TargetTable,
  columns: readonly WrittenColumn[],
  constants: readonly ConstantColumn[],
): UniqueKey | null {
  const candidates = target.uniqueKeys.filter((key) => {
    if (key.nullable || key.prefix) return false;
    const parts = key.columns.map((name) => columns.find(({ target }) => target.name === name));
    const known = key.columns.every(
      (name, i) => parts[i] !== undefined || constants.some(({ target }) => target.name === name),
    );
    return known && parts.some((part) => part !== undefined);
  });
  const always = candidates.find((key) =>
    columns.every((column) => !isPartOf(key, column.target) || shape.key.includes(column.index)),
  );
  return always ?? candidates[0] ?? null;
}

/** True where values are equal whose bytes differ: text is equal as its collation says, and zero has two signs. */
export function isLoose(target: TargetColumn): boolean {
  return (target.collation !== null && target.collation !== 'binary') || isFloat(target);
}

export function isFloat({ dataType }: TargetColumn): boolean {
  return dataType === 'float' || dataType === 'double';
}

function isPartOf(key: UniqueKey, column: TargetColumn): boolean {
  return key.columns.includes(column.name);
}

function indexesOf(
  key: UniqueKey,
  columns: readonly WrittenColumn[],
  constants: readonly ConstantColumn[],
): readonly number[] | null {
  if (key.prefix) return null;
  const indexes: number[] = [];
  for (const name of key.columns) {
    const column = columns.find(({ target }) => target.name === name);
    if (column !== undefined) indexes.push(column.index);
    else if (!constants.some(({ target }) => target.name === name)) return null;
  }
  return indexes;
}

/** Equal bytes of columns with equal signatures are equal values. */
export function signatureOf(column: ColumnShape): string {
  return `${column.carrier}:${column.type}:${column.meta}:${column.unsigned ? 'u' : 's'}:${column.collation}`;
}

/** True when every column that is written stands in the image. */
export function isFullImage(plan: TablePlan, present: ColumnBitmap): boolean {
  return plan.columns.every((column) => bitmapHas(present, column.index));
}

/** True when the image says which row of the target is meant. */
export function hasIdentity(plan: TablePlan, present: ColumnBitmap): boolean {
  return plan.identity.length > 0 && plan.identity.every((column) => bitmapHas(present, column.index));
}
