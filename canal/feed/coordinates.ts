import type { BinlogCoordinates } from '../../model/position.ts';

/**
 * Order of two places in the log of one server: negative when `a` comes first. Files are numbered in their last part, with
 * at least six digits; past 999999 there are seven, so names do not order as text.
 */
export function compareCoordinates(a: BinlogCoordinates, b: BinlogCoordinates): number {
  return a.file === b.file ? a.offset - b.offset : fileNumber(a.file) - fileNumber(b.file);
}

/** The number in a binlog file's name. */
export function fileNumber(file: string): number {
  return Number(file.slice(file.lastIndexOf('.') + 1));
}
