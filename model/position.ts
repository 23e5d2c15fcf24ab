/**
 * How far: one canonical text, compared byte for byte (and by digest in the guard).
 *
 * - `mysql:<gtid set>`: the complete executed set, canonical (sorted UUIDs in lower case, tags sorted, merged intervals, no spaces);
 *   an empty set is `mysql:`.
 * - `mariadb:<domain>-<server>-<seq>,…`: one GTID per domain, sorted by domain number.
 * - `file:<server identity>:<file>:<offset>`: where the server has no GTIDs. The identity is the server's uuid, or
 *   what stands in for it, see `server-identity` in the canal engine; it contains no colon.
 *
 * GTID sets themselves are in `gtid-set.ts` (MySQL) and `mariadb-gtid.ts`.
 */
import { createHash } from 'node:crypto';
import type { Brand } from '../lib/brand.ts';
import { HoltError } from '../lib/errors.ts';

export type PositionText = Brand<string, 'PositionText'>;
export type PositionForm = 'mysql' | 'mariadb' | 'file';

/** A place in a binlog file. Offsets are exact up to 2^53; the engine refuses larger ones. */
export interface BinlogCoordinates {
  readonly file: string;
  readonly offset: number;
}

/** Identifies the last event before a position: checked on resume, so that a rebuilt source is noticed. */
export interface LastEvent {
  /** Seconds since 1970, from the event header. */
  readonly timestamp: number;
  /** CRC32 of the event as the source wrote it; null where the source writes none. */
  readonly crc32: number | null;
  /** Length of the event in bytes: with it the check finds the event at once, without it by reading its file. */
  readonly length?: number | undefined;
}

export interface Position {
  readonly text: PositionText;
  /** For display and for checks on resume; decides only in the `file` form. Null when only a GTID set is known. */
  readonly at: BinlogCoordinates | null;
  readonly lastEvent: LastEvent | null;
}

export function formOf(text: PositionText): PositionForm {
  const colon = text.indexOf(':');
  const form = text.slice(0, colon);
  if (form === 'mysql' || form === 'mariadb' || form === 'file') return form;
  throw new HoltError('HOLT_POSITION_INVALID', `${JSON.stringify(text)} is no position`);
}

/** What follows the form: the GTID set's own text, or `identity:file:offset`. */
export function bodyOf(text: PositionText): string {
  return text.slice(text.indexOf(':') + 1);
}

export function filePosition(serverIdentity: string, at: BinlogCoordinates): PositionText {
  return `file:${serverIdentity}:${at.file}:${at.offset}` as PositionText;
}

/** Takes a `file:` position apart; throws for the other forms. */
export function parseFilePosition(
  text: PositionText,
): BinlogCoordinates & { readonly serverIdentity: string } {
  const match = /^file:([^:]*):([^:]+):([0-9]{1,16})$/.exec(text);
  const [, serverIdentity, file, digits] = match ?? [];
  const offset = Number(digits);
  if (serverIdentity === undefined || file === undefined || !Number.isSafeInteger(offset))
    throw new HoltError('HOLT_POSITION_INVALID', `${JSON.stringify(text)} is no file position`);
  return { serverIdentity, file, offset };
}

/** First 16 bytes of SHA-256 over the text, as 32 hex digits: what the guard compares. */
export function positionDigest(text: PositionText): string {
  return createHash('sha256').update(text, 'utf8').digest('hex').slice(0, 32);
}
