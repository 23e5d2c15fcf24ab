/**
 * Whether what INFORMATION_SCHEMA says of a table now was true at an earlier place in the log: if nothing between that place and the end of
 * the log, as it was after the table was looked at, changed the table.
 *
 * The witness is the log itself: its statements are looked through, as far as that is not too far. Where it is, nobody can say, and the
 * table is quarantined.
 *
 * The dictionary's own witness is CREATE_TIME, moved by every ALTER. MariaDB and MySQL before 8.0 take it from the table's file, by the
 * clock of the machine, and a change of name moves it, too: an old one saves the look. MySQL 8.0 and later are not asked for it. They write
 * the session's `timestamp` there (measured on 9.7), which replicas set, and so does Holt when it carries a schema change: a table
 * altered a minute ago says that it was altered when the other site did; and a RENAME leaves the time as it is. Nothing
 * else in that dictionary would do: INNODB_TABLES gives a new TABLE_ID to a table that was rebuilt and counts columns that
 * were added or dropped INSTANT, but a column that only changes its name, its place in an ENUM or its length leaves no trace in either;
 * and none of them says of what time it is.
 *
 * A place's own time comes from a session as well. After a schema change that Holt carried it is by the other site's clock, which may
 * be ahead of this one's: hence the margin.
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
  /** Whether the time of the last change is by the machine's clock, and counts a change of name. */
  readonly timeIsWitness: boolean;
}

/** `changed`: something between may have changed the table. `too-far`: there is more between than is looked through. */
export type Doubt = 'changed' | 'too-far';

/** As far as the log is read ahead for tables that may have been changed since: some 20 to 40 s of it, once. */
export const LOOKED_THROUGH_BYTES = 4 * 1024 * 1024 * 1024;
/** No two sites' clocks are further apart. */
const CLOCKS_APART_S = 3600;

export class Certainty {
  readonly #options: CertaintyOptions;
  /** What was read ahead already: from a place on, in order. */
  #scanned: { readonly from: BinlogCoordinates; readonly found: ScannedStatements } | null = null;
  #scanning: Promise<unknown> = Promise.resolve();

  constructor(options: CertaintyOptions) {
    this.#options = options;
  }

  /** Null where it holds. `end`: the end of the log, read after the facts. */
  async doubt(
    name: { readonly schema: string; readonly table: string },
    facts: TableFacts,
    place: LogPlace,
    end: BinlogCoordinates,
  ): Promise<Doubt | null> {
    if (compareCoordinates(place, end) >= 0) return null;
    const { changedAt = null } = facts;
    if (this.#options.timeIsWitness && changedAt !== null && place.timestamp !== null)
      if (changedAt < place.timestamp - CLOCKS_APART_S) return null;
    const scanned = await this.#scan(place, end);
    const isChanged = scanned.statements.some(
      ({ at, statement }) => compareCoordinates(at, place) >= 0 && this.#mayChange(statement, name),
    );
    if (isChanged) return 'changed';
    return compareCoordinates(scanned.to, end) < 0 ? 'too-far' : null;
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

  /** One after another: what the first reads serves the others, and what has come since is read behind it. */
  #scan(from: BinlogCoordinates, to: BinlogCoordinates): Promise<ScannedStatements> {
    const scan = this.#scanning.then(async () => {
      const known = this.#scanned;
      const reaches = known !== null && compareCoordinates(known.from, from) <= 0;
      const passed = reaches && compareCoordinates(known.found.to, from) <= 0;
      if (reaches && !passed) {
        // What was too much is not tried again for each table, but from beyond it.
        if (known.found.isCut || compareCoordinates(known.found.to, to) >= 0) return known.found;
        const more = await this.#options.scan(known.found.to, to, LOOKED_THROUGH_BYTES);
        const kept = known.found.statements.filter(({ at }) => compareCoordinates(at, from) >= 0);
        const found = { ...more, statements: [...kept, ...more.statements] };
        this.#scanned = { from, found };
        return found;
      }
      const found = await this.#options.scan(from, to, LOOKED_THROUGH_BYTES);
      this.#scanned = { from, found };
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
