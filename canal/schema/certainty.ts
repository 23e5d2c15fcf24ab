/**
 * Whether what INFORMATION_SCHEMA says of a table now was true at an earlier place in the log: if nothing between that place and the end of
 * the log, as it was after the table was looked at, changed the table.
 *
 * Two witnesses. The server's own: when the table was made or last altered, which every ALTER moves (measured on MariaDB 10.11 and
 * MySQL 9.7). And the log: its statements are looked through, as far as that is not too far. On MySQL the first is a poor one: a table
 * that took another's name by RENAME keeps its own time, and a session whose `timestamp` was set, as replicas' are, leaves that one
 * (measured). So there the log is asked even where the time is good, unless it is too long.
 */
import type { BinlogCoordinates } from '../../model/position.ts';
import type { SourceStatement } from '../../model/source-item.ts';
import { compareCoordinates } from '../feed/coordinates.ts';
import type { ReadTableChanges } from './table-changes.ts';
import type { TableFacts } from './table-facts.ts';

/** Where a table's rows stand in the log. */
export interface LogPlace extends BinlogCoordinates {
  /** Of the event there, seconds since 1970 by the source's clock; null where it is not known. */
  readonly timestamp: number | null;
}

/** Statements between two places, in order. */
export interface ScannedStatements {
  readonly statements: readonly { readonly at: BinlogCoordinates; readonly statement: SourceStatement }[];
  /** How far it was looked. */
  readonly to: BinlogCoordinates;
  /** `to` is before the place asked for: there was too much in between. */
  readonly isCut: boolean;
}

export interface CertaintyOptions {
  /** Statements of the log from a place on, at least to another, giving up after so many bytes. */
  readonly scan: (
    from: BinlogCoordinates,
    to: BinlogCoordinates,
    maxBytes: number,
  ) => Promise<ScannedStatements>;
  readonly changes: ReadTableChanges;
  /** Whether the time of the last change counts a change of name. */
  readonly renameIsChange: boolean;
}

/** As far as the log is read ahead for a table that may have been changed since. */
const FAR_BYTES = 256 * 1024 * 1024;
/** The same where no time is known to begin with. */
const NEAR_BYTES = 16 * 1024 * 1024;

export class Certainty {
  readonly #options: CertaintyOptions;
  /** What was read ahead already: from a place on, in order. */
  #scanned: {
    readonly from: BinlogCoordinates;
    readonly maxBytes: number;
    readonly found: ScannedStatements;
  } | null = null;
  #scanning: Promise<unknown> = Promise.resolve();

  constructor(options: CertaintyOptions) {
    this.#options = options;
  }

  /** `end`: the end of the log, read after the facts. */
  async holds(
    name: { readonly schema: string; readonly table: string },
    facts: TableFacts,
    place: LogPlace,
    end: BinlogCoordinates,
  ): Promise<boolean> {
    if (compareCoordinates(place, end) >= 0) return true;
    const { changedAt = null } = facts;
    // Both count whole seconds.
    const isOld = changedAt !== null && place.timestamp !== null && changedAt < place.timestamp - 1;
    if (isOld && this.#options.renameIsChange) return true;
    const scanned = await this.#scan(place, end, place.timestamp === null ? NEAR_BYTES : FAR_BYTES);
    if (scanned.isCut) return isOld;
    return !scanned.statements.some(
      ({ at, statement }) => compareCoordinates(at, place) >= 0 && this.#mayChange(statement, name),
    );
  }

  #mayChange(
    statement: SourceStatement,
    { schema, table }: { readonly schema: string; readonly table: string },
  ) {
    const changes = this.#options.changes(statement);
    if (changes === null) return mentions(statement, table);
    const isIt = (one: { readonly schema: string; readonly table: string }): boolean =>
      one.schema.toLowerCase() === schema.toLowerCase() && one.table.toLowerCase() === table.toLowerCase();
    return changes.some((change) => {
      if (change.kind === 'drop-schema') return change.schema.toLowerCase() === schema.toLowerCase();
      return isIt(change.name) || (change.kind === 'rename' && isIt(change.to));
    });
  }

  /** One after another: what the first reads serves the others. */
  #scan(from: BinlogCoordinates, to: BinlogCoordinates, maxBytes: number): Promise<ScannedStatements> {
    const scan = this.#scanning.then(async () => {
      const known = this.#scanned;
      if (
        known !== null &&
        compareCoordinates(known.from, from) <= 0 &&
        (compareCoordinates(known.found.to, to) >= 0 || (known.found.isCut && known.maxBytes >= maxBytes))
      )
        return known.found;
      const found = await this.#options.scan(from, to, maxBytes);
      this.#scanned = { from, maxBytes, found };
      return found;
    });
    this.#scanning = scan.catch(() => {});
    return scan;
  }
}

/** Whether the name's bytes stand in the statement; a name outside ASCII may come in any encoding. */
export function mentions(statement: SourceStatement, table: string): boolean {
  const bytes = Buffer.from(table.toLowerCase(), 'utf8').toString('latin1');
  if (bytes.length !== table.length) return true;
  return statement.sql.toString('latin1').toLowerCase().includes(bytes);
}
