/**
 * What is known of tables at the place in the log where a feed is.
 *
 * INFORMATION_SCHEMA only knows the present. So tables are looked at when reading begins, before anybody alters them, and
 * again as soon as a statement that names them passes in the log; what was read in between stays true for the rows in
 * between. A feed that begins far in the past sees the present too early: the table map then has to fit, or nothing is done.
 */
import { messageOf } from '../../lib/errors.ts';
import { type Logger, silentLogger } from '../../lib/logger.ts';
import type { SourceStatement } from '../../model/source-item.ts';
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

interface Entry {
  readonly schema: string;
  readonly table: string;
  facts: TableFacts | null;
}

/** Under a flood of statements, tables are asked about one by one. */
const MAX_LOOKS = 5;

export class FactsCache {
  readonly #source: FactsSource;
  readonly #logger: Logger;
  readonly #entries = new Map<string, Entry>();
  /** Counts statements that passed: what was asked before one and answered after it may be of either side of it. */
  #generation = 0;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: { readonly source: FactsSource; readonly logger?: Logger }) {
    this.#source = options.source;
    this.#logger = options.logger ?? silentLogger;
  }

  /** Looks at all tables that are wanted and not known yet, in the background; `get` waits for it. */
  lookAhead(wants: (schema: string, table: string) => boolean): void {
    const look = async (): Promise<void> => {
      for (let attempt = 0; attempt < MAX_LOOKS; attempt++) {
        const generation = this.#generation;
        const found = await this.#source.readAll(
          (schema, table) => !this.#entries.has(keyOf(schema, table)) && wants(schema, table),
        );
        if (generation !== this.#generation) continue;
        for (const { schema, table, facts } of found) this.#keep(schema, table, facts);
        return;
      }
    };
    this.#looking = this.#looking.then(look).catch((error: unknown) => {
      // Each table is then asked about when its first row comes.
      this.#logger.debug({ reason: messageOf(error) }, 'tables could not be looked at ahead');
    });
  }

  /** What is known of the table; asked for now when nothing is. */
  async get(schema: string, table: string): Promise<TableFacts | null> {
    await this.#looking;
    const known = this.#entries.get(keyOf(schema, table));
    return known === undefined ? await this.ask(schema, table) : known.facts;
  }

  /** Asks anew, whatever is known. */
  async ask(schema: string, table: string): Promise<TableFacts | null> {
    const facts = await this.#source.read(schema, table);
    this.#keep(schema, table, facts);
    return facts;
  }

  /**
   * A statement passes in the log: tables that it may name are asked about again, now, before others change them. @returns them
   */
  passed(statement: SourceStatement): readonly { readonly schema: string; readonly table: string }[] {
    const sql = statement.sql.toString('latin1').toLowerCase();
    const named: Entry[] = [];
    for (const [key, entry] of this.#entries) {
      // The name's bytes as a client with UTF-8 sends them; a name outside ASCII may come in any encoding.
      const bytes = Buffer.from(entry.table.toLowerCase(), 'utf8').toString('latin1');
      const isAscii = bytes.length === entry.table.length;
      if (isAscii && !sql.includes(bytes)) continue;
      this.#entries.delete(key);
      named.push(entry);
    }
    this.#generation += 1;
    if (named.length === 0) return named;
    const again = new Set(named.map((entry) => keyOf(entry.schema, entry.table)));
    this.lookAhead((schema, table) => again.has(keyOf(schema, table)));
    return named;
  }

  #keep(schema: string, table: string, facts: TableFacts | null): void {
    this.#entries.set(keyOf(schema, table), { schema, table, facts });
  }
}

function keyOf(schema: string, table: string): string {
  return `${schema}\0${table}`;
}
