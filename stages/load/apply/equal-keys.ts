/**
 * UPDATEs that give a value that foreign keys point to other bytes and leave it equal to the server: 'a' becomes 'A', or 'a '.
 *
 * MySQL 9.6 and later see to foreign keys above the engine. Where ON UPDATE CASCADE comes to a row that has the new bytes already, they
 * leave that row, what is left to cascade and the changed row itself as they were, and report success (measured on 9.7; MySQL 5.6 and
 * MariaDB go on). So it goes with every such UPDATE of a source that logs what it cascades to: the rows that point to the value
 * come first. Other sources' rows may have had the new bytes before.
 *
 * Two ways round it, both decided by the server that knows the collation:
 *
 * - The log has what was cascaded: the value gets its bytes beforehand, without checks, if it is equal to what it was. Whatever
 *   pointed to it points to it still, so nothing is left unseen that a check would have found. What remains of the UPDATE
 *   is checked and cascades as ever.
 * - It has not: the rows that the UPDATE will cascade to get the bytes that the value has now, so that all of them change with it.
 */
import type { ByteSink } from '../../../lib/byte-sink.ts';
import { quoteName, quoteTable } from '../../../lib/sql-name.ts';
import { ROW_FLAG } from '../../../model/rows.ts';
import { type ImageLayout, keptImage, type RowImage } from './fold.ts';
import type { RunWriter } from './run-writer.ts';
import { CHECKS_OFF } from './statement.ts';
import type { TablePlan, WrittenColumn } from './table-plan.ts';
import { cascadesAboveEngine, type TargetTraits } from './target-table.ts';
import { type CascadePath, reachedColumns } from './update-cascades.ts';
import { writeValue } from './written-value.ts';

/** One UPDATE that may be such a one. */
export interface EqualKeyChange {
  readonly plan: TablePlan;
  readonly before: RowImage;
  readonly after: RowImage;
  /** Columns that are pointed to, with other bytes than before, for all that the images say. */
  readonly changed: readonly WrittenColumn[];
}

export interface UpdatePlaces {
  readonly before: ImageLayout;
  readonly after: ImageLayout;
  /** Where the before image begins, the after image, and the next row. */
  readonly at: number;
  readonly middle: number;
  readonly next: number;
}

/** Null where the UPDATE can go as it is. Leaves the plan's scanner anywhere. */
export function equalKeyChange(
  { before, after, at, middle, next }: UpdatePlaces,
  payload: Buffer,
  flags: number,
  checksOff: number,
  traits: TargetTraits,
): EqualKeyChange | null {
  const { plan } = after;
  const { scanner, looselyPointedTo } = plan;
  if (looselyPointedTo.length === 0 || (checksOff & CHECKS_OFF.foreignKeys) !== 0) return null;
  if (!cascadesAboveEngine(traits)) return null;
  scanner.scan(payload, at, middle, before.present);
  const was = keptImage(scanner);
  if ((flags & ROW_FLAG.partialJson) === 0) scanner.scan(payload, middle, next, after.present);
  else scanner.scanPartial(payload, middle, next, after.present);
  const changed = looselyPointedTo.filter(({ index }) => differs(payload, was, scanner, index));
  return changed.length === 0 ? null : { plan, before: was, after: keptImage(scanner), changed };
}

/** True unless both images have the same bytes; false where it becomes NULL, to which nothing is equal. */
function differs(payload: Buffer, before: RowImage, after: RowImage, index: number): boolean {
  const [was, is] = [before.lengths[index] as number, after.lengths[index] as number];
  if (is < 0) return false;
  if (was !== is) return true;
  const [from, to] = [before.offsets[index] as number, after.offsets[index] as number];
  return payload.compare(payload, from, from + was, to, to + is) !== 0;
}

/** Writes what goes before the UPDATE. `where` writes the condition for its row, before it or when some of `changed` have their new bytes. */
export function writeEqualKeys(
  change: EqualKeyChange,
  options: {
    readonly writer: RunWriter;
    readonly payload: Buffer;
    readonly flags: number;
    readonly checksOff: number;
    readonly where: (sink: ByteSink) => void;
  },
): void {
  const { writer, payload, flags, where } = options;
  const { plan, after, changed } = change;
  const off = options.checksOff | CHECKS_OFF.foreignKeys;
  if ((flags & ROW_FLAG.cascadesLogged) !== 0) {
    for (const column of changed)
      writer.aside(plan, off, (sink) => {
        const [offset, length] = [after.offsets[column.index], after.lengths[column.index]];
        sink.utf8(`UPDATE ${plan.quotedTable} SET ${column.quoted}=`);
        writeValue(sink, column, payload, offset as number, length as number);
        for (const quoted of plan.autoUpdateColumns) sink.utf8(`,${quoted}=${quoted}`);
        sink.latin1(' WHERE ');
        writer.writeEquals(sink, [column], after);
        sink.latin1(' AND ');
        where(sink);
      });
    return;
  }
  for (const column of changed)
    for (const path of plan.target.updateCascades ?? []) {
      const reached = reachedColumns(path, [column.target.name]);
      if (reached.length === 0) continue;
      writer.aside(plan, off, (sink) => {
        writeSetBack(sink, plan, path, reached, () => {
          writer.writeEquals(sink, [column], after);
          sink.latin1(' AND ');
          where(sink);
        });
      });
    }
}

/** Gives the rows at the end of the path the bytes of the rows that they point to; those at its beginning are found by `where`. */
function writeSetBack(
  sink: ByteSink,
  plan: TablePlan,
  path: CascadePath,
  reached: readonly number[],
  where: () => void,
): void {
  const last = path.at(-1);
  const [first] = path;
  if (last === undefined || first === undefined) return;
  const on = (level: number): string => {
    const { columns, parentColumns } = path[level - 1] ?? last;
    return columns
      .map((name, i) => `t${level}.${quoteName(name)}=t${level - 1}.${quoteName(parentColumns[i] ?? '')}`)
      .join(' AND ');
  };
  sink.utf8('UPDATE ');
  for (let level = path.length; level > 0; level--) {
    const { child } = path[level - 1] ?? last;
    sink.utf8(`${quoteTable(child.schema, child.name)} t${level}`);
    sink.utf8(level === path.length ? ' JOIN ' : ` ON ${on(level + 1)} JOIN `);
  }
  sink.utf8(`(SELECT ${first.parentColumns.map(quoteName).join(',')} FROM ${plan.quotedTable} WHERE `);
  where();
  sink.utf8(`) t0 ON ${on(1)} SET `);
  const level = path.length;
  const back = reached.map(
    (i) =>
      `t${level}.${quoteName(last.columns[i] ?? '')}=t${level - 1}.${quoteName(last.parentColumns[i] ?? '')}`,
  );
  const kept = last.autoUpdateColumns.map(
    (name) => `t${level}.${quoteName(name)}=t${level}.${quoteName(name)}`,
  );
  sink.utf8([...back, ...kept].join(','));
}
