/** Which files of a log are looked through for the latest change, and when that is enough. Pure. */
import type { BinlogFile } from '../../canal/source/source-facts.ts';

export interface SearchPlan {
  /** Newest first. */
  readonly files: readonly BinlogFile[];
  /** Of those. */
  readonly bytes: number;
  /** Files beyond the bound of bytes: older ones that are there, and are not looked at. */
  readonly isCut: boolean;
}

/** `files` oldest first, as the source lists them. The newest is looked through however large it is. */
export function searchPlan(files: readonly BinlogFile[], maxBytes: number): SearchPlan {
  const chosen: BinlogFile[] = [];
  let bytes = 0;
  for (const file of files.toReversed()) {
    if (chosen.length > 0 && bytes + file.bytes > maxBytes) return { files: chosen, bytes, isCut: true };
    chosen.push(file);
    bytes += file.bytes;
  }
  return { files: chosen, bytes, isCut: false };
}

export type SearchEnd =
  /** Back to the time asked for. */
  | 'time'
  /** To the oldest file that the source has, which is not its first: older ones are purged. */
  | 'purged'
  /** To the source's first file: there was nothing before. */
  | 'beginning'
  /** More bytes than were allowed. */
  | 'bytes';

/** Why a search ended that went back to `reachedMs` in `file`, the oldest that was looked through; null while it has to go on. */
export function searchEnd(
  plan: SearchPlan,
  file: string,
  reachedMs: number | null,
  sinceMs: number,
): SearchEnd | null {
  if (reachedMs !== null && reachedMs <= sinceMs) return 'time';
  if (file !== plan.files.at(-1)?.name) return null;
  if (plan.isCut) return 'bytes';
  return /\.0*1$/.test(file) ? 'beginning' : 'purged';
}
