/**
 * What is known of tables at the place in the log where a feed is.
 *
 * INFORMATION_SCHEMA only knows the present. So tables are looked at when reading begins, before anybody alters them, and what passes
 * in the log is followed: a statement that is understood makes the new definition out of the old one, and the table is
 * asked about again after one that is not. What was true where reading begins may also be given. A feed that begins in the
 * past sees the present too early: what is asked then counts only where nothing has changed the table since (`certainty.ts`).
 */
import { messageOf } from '../../lib/errors.ts';
import { type Logger, silentLogger } from '../../lib/logger.ts';
import type { BinlogCoordinates } from '../../model/position.ts';
import type { SourceStatement } from '../../model/source-item.ts';
import { type Certainty, type Doubt, type LogPlace, mentions } from './certainty.ts';
import { type ChangedName, READ_NOTHING, type ReadTableChanges, type TableChange } from './table-changes.ts';
import type { TableFacts } from './table-facts.ts';

/** Where facts come from. */
export interface FactsSource {
  /** Null when the table is not there, or the account may not see it. */
  read(schema: string, table: string): Promise<TableFacts | null>;
  /** Of all tables that `wants` takes, in few queries. */
  readAll(wants: (schema: string, table: string) => boolean): Promise<readonly NamedFacts[]>;
}

export interface NamedFacts {
  readonly schema: string;
  readonly table: string;
  readonly facts: TableFacts;
}

/** A table that a statement may have changed, and what it is now; null where that cannot be said. */
export interface ChangedTable extends ChangedName {
  readonly facts: TableFacts | null;
}

export interface KnownTable {
  readonly facts: TableFacts | null;
  /** Why the table may have been another one at the place asked about; null where it was this. */
  readonly doubt: Doubt | null;
}

export interface FactsCacheOptions {
  readonly source: FactsSource;
  /** Without these, what is asked now counts for every place. */
  readonly certainty?: {
    readonly judge: Pick<Certainty, 'doubt'>;
    /** The end of the log now. */
    readonly end: () => Promise<BinlogCoordinates>;
  };
  readonly changes?: ReadTableChanges;
  /** What is known to be true where reading begins. */
  readonly given?: readonly NamedFacts[];
  readonly logger?: Logger;
}

interface Entry {
  readonly schema: string;
  readonly table: string;
  readonly facts: TableFacts | null;
  /** End of the log after the table was looked at; null where it is true at the feed's place anyway. */
  readonly end: BinlogCoordinates | null;
}

/** Under a flood of statements, tables are asked about one by one. */
const MAX_LOOKS = 5;

export class FactsCache {
  readonly #options: FactsCacheOptions;
  readonly #logger: Logger;
  readonly #changes: ReadTableChanges;
  readonly #entries = new Map<string, Entry>();
  /** Counts statements that passed: what was asked before one and answered after it may be of either side of it. */
  #generation = 0;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: FactsCacheOptions) {
    this.#options = options;
    this.#logger = options.logger ?? silentLogger;
    this.#changes = options.changes ?? READ_NOTHING;
    for (const { schema, table, facts } of options.given ?? []) this.#keep(schema, table, facts, null);
  }

  /** Looks at all tables that are wanted and not known yet, in the background; `know` waits for it. */
  lookAhead(wants: (schema: string, table: string) => boolean): void {
    const look = async (): Promise<void> => {
      for (let attempt = 0; attempt < MAX_LOOKS; attempt++) {
        const generation = this.#generation;
        const found = await this.#options.source.readAll(
          (schema, table) => !this.#entries.has(keyOf(schema, table)) && wants(schema, table),
        );
        const end = found.length === 0 ? null : await this.#end();
        if (generation !== this.#generation) continue;
        for (const { schema, table, facts } of found)
          if (!this.#entries.has(keyOf(schema, table))) this.#keep(schema, table, facts, end);
        return;
      }
    };
    this.#looking = this.#looking.then(look).catch((error: unknown) => {
      // Each table is then asked about when its first row comes.
      this.#logger.debug({ reason: messageOf(error) }, 'tables could not be looked at ahead');
    });
  }

  /** Tables whose definition at `place`, where reading begins, is known for sure; none if a statement has passed meanwhile. */
  async sureAt(place: LogPlace): Promise<readonly NamedFacts[]> {
    const generation = this.#generation;
    await this.#looking;
    const sure: NamedFacts[] = [];
    for (const entry of [...this.#entries.values()]) {
      const { schema, table, facts } = entry;
      if (facts !== null && (await this.#doubt(entry, place)) === null) sure.push({ schema, table, facts });
    }
    return generation === this.#generation ? sure : [];
  }

  /** What is known of the table at a place of the log; asked for now when nothing is. */
  async know(schema: string, table: string, place: LogPlace | null): Promise<KnownTable> {
    await this.#looking;
    const known = this.#entries.get(keyOf(schema, table));
    if (known === undefined) return await this.ask(schema, table, place);
    return { facts: known.facts, doubt: await this.#doubt(known, place) };
  }

  /** Asks anew, whatever is known. */
  async ask(schema: string, table: string, place: LogPlace | null): Promise<KnownTable> {
    const facts = await this.#options.source.read(schema, table);
    const entry = this.#keep(schema, table, facts, facts === null ? null : await this.#end());
    return { facts, doubt: await this.#doubt(entry, place) };
  }

  /** The facts of `know`, for whoever does not ask about a place. */
  async get(schema: string, table: string): Promise<TableFacts | null> {
    return (await this.know(schema, table, null)).facts;
  }

  /**
   * A statement passes in the log: what it changes is followed; tables that it may change in a way that is not understood are asked about
   * again, now, before others change them. @returns all of them
   */
  passed(statement: SourceStatement): readonly ChangedTable[] {
    const changes = this.#changes(statement);
    if (changes !== null) return this.#follow(changes);
    const named: ChangedTable[] = [];
    for (const [key, { schema, table }] of this.#entries) {
      if (!mentions(statement, table)) continue;
      this.#entries.delete(key);
      named.push({ schema, table, facts: null });
    }
    this.#generation += 1;
    this.#lookAgain(named);
    return named;
  }

  #follow(changes: readonly TableChange[]): readonly ChangedTable[] {
    if (changes.length === 0) return [];
    this.#generation += 1;
    const changed = new Map<string, ChangedTable>();
    const set = (name: ChangedName, facts: TableFacts | null): void => {
      const key = keyOf(name.schema, name.table);
      if (facts === null) this.#entries.delete(key);
      else this.#keep(name.schema, name.table, facts, null);
      changed.set(key, { schema: name.schema, table: name.table, facts });
    };
    for (const change of changes) {
      if (change.kind === 'drop-schema') {
        for (const entry of [...this.#entries.values()]) if (entry.schema === change.schema) set(entry, null);
        continue;
      }
      const name = this.#knownName(change.name);
      switch (change.kind) {
        case 'alter': {
          const facts = this.#followed(name);
          set(name, facts === null ? null : change.alter(facts));
          break;
        }
        case 'rename': {
          const facts = this.#followed(name);
          set(name, null);
          set(change.to, facts);
          break;
        }
        case 'create':
          set(name, change.facts);
          break;
        case 'create-like': {
          const facts = this.#followed(this.#knownName(change.like));
          set(name, facts === null ? null : { ...facts, changedAt: null });
          break;
        }
        case 'drop':
        case 'unknown':
          set(name, null);
          break;
        default:
          change satisfies never;
      }
    }
    const all = [...changed.values()];
    this.#lookAgain(all.filter(({ facts }) => facts === null));
    return all;
  }

  /** What is known without a doubt at the feed's place: only that can be followed. */
  #followed({ schema, table }: ChangedName): TableFacts | null {
    const entry = this.#entries.get(keyOf(schema, table));
    if (entry === undefined || entry.facts === null || entry.end !== null) return null;
    return entry.facts;
  }

  /** The name as the log has it, for one that is written with other letters. */
  #knownName(name: ChangedName): ChangedName {
    if (this.#entries.has(keyOf(name.schema, name.table))) return name;
    const lower = keyOf(name.schema, name.table).toLowerCase();
    for (const [key, { schema, table }] of this.#entries)
      if (key.toLowerCase() === lower) return { schema, table };
    return name;
  }

  #lookAgain(names: readonly ChangedName[]): void {
    if (names.length === 0) return;
    const again = new Set(names.map((name) => keyOf(name.schema, name.table)));
    this.lookAhead((schema, table) => again.has(keyOf(schema, table)));
  }

  async #doubt(entry: Entry, place: LogPlace | null): Promise<Doubt | null> {
    const { schema, table, facts, end } = entry;
    const { certainty } = this.#options;
    if (facts === null || end === null || certainty === undefined || place === null) return null;
    const doubt = await certainty.judge.doubt({ schema, table }, facts, place, end);
    const key = keyOf(schema, table);
    // Found good once, it is good until a statement changes it: what it becomes then can be followed.
    if (doubt === null && this.#entries.get(key) === entry) this.#entries.set(key, { ...entry, end: null });
    return doubt;
  }

  async #end(): Promise<BinlogCoordinates | null> {
    return (await this.#options.certainty?.end()) ?? null;
  }

  #keep(schema: string, table: string, facts: TableFacts | null, end: BinlogCoordinates | null): Entry {
    const entry = { schema, table, facts, end };
    this.#entries.set(keyOf(schema, table), entry);
    return entry;
  }
}

function keyOf(schema: string, table: string): string {
  return `${schema}\0${table}`;
}
