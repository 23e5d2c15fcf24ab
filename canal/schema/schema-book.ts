/**
 * The shapes of one feed: one object per table and version, found by the bytes of its table map.
 *
 * Bytes that do not tell the names may mean other columns after an ALTER: what was made of the table's facts is forgotten when a
 * statement that names the table passes (`passed`).
 *
 * The same table gets another table id whenever the server opens it anew, and the same map otherwise: the id's six bytes are no part
 * of the key. A version of a table stays known as long as it may be met again; the oldest go when there are too many.
 */

import { type Clock, systemClock } from '../../lib/clock.ts';
import { HoltError } from '../../lib/errors.ts';
import { CHECKPOINT_TABLE, DDL_TABLE, HEARTBEAT_TABLE, HOLT_SCHEMA } from '../../model/holt-tables.ts';
import type { SourceStatement, TableDefinition } from '../../model/source-item.ts';
import type { TableShape } from '../../model/table-shape.ts';
import type { TableMap } from '../event/event.ts';
import { compileRowScanner } from '../value/row-scanner.ts';
import type { LogPlace } from './certainty.ts';
import { completeShape } from './complete-shape.ts';
import { definitionText } from './definition.ts';
import type { FactsCache, KnownTable } from './facts-cache.ts';

/** Bytes of the table id in front of a table map; four in servers before 5.1.4, which are not read. */
const TABLE_ID_BYTES = 6;
const MAX_VERSIONS = 20_000;
/** Of Holt's own tables, those whose rows say something to readers of the log. */
const READ_HERE: ReadonlySet<string> = new Set([CHECKPOINT_TABLE, HEARTBEAT_TABLE, DDL_TABLE]);

export interface SchemaBookOptions {
  /** Whether anybody wants rows of the table. Holt's own are not asked about. */
  readonly wants: (schema: string, table: string) => boolean;
  readonly facts: FactsCache;
  /** Rows of tables nobody wants are counted, too. */
  readonly countsRows?: boolean;
  readonly clock?: Clock;
}

const NO_DEFINITIONS: readonly TableDefinition[] = [];
const NOTHING: KnownTable = { facts: null, doubt: null };

interface Known {
  readonly schema: string;
  readonly table: string;
  /** Null: nobody wants it. */
  readonly shape: TableShape | null;
  /** When it was looked up. */
  readonly lookedMs: number;
}

/** What could not be decoded may have been mended since: asked about again after so long. */
const FAULT_RETRY_MS = 5_000;

export class SchemaBook {
  readonly #options: SchemaBookOptions;
  readonly #byMap = new Map<string, Known>();
  /** What a table id meant last: most maps are the same as the one before under the same id, and comparing is cheap. */
  readonly #byId = new Map<number, { readonly map: TableMap; readonly shape: TableShape | null }>();
  /** The last of these that was asked for; null where they were forgotten since. */
  #last: { readonly map: TableMap; readonly shape: TableShape | null } | null = null;
  readonly #clock: Clock;
  #wantsVersion = 1;
  #countsRows: boolean;
  #learned: TableDefinition[] = [];
  /** A table nobody wanted was pushed out: whether somebody wants it now cannot be told any more. */
  #hasForgotten = false;

  constructor(options: SchemaBookOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#countsRows = options.countsRows ?? false;
  }

  /** The shape, null for a table nobody wants, undefined when it must be looked up first: see `resolve`. */
  find(map: TableMap): TableShape | null | undefined {
    if (this.#last !== null && this.#last.map === map) return this.#last.shape;
    const known = this.#byId.get(map.tableId);
    if (known !== undefined && (known.map === map || known.map.raw.equals(map.raw))) {
      this.#last = known;
      return known.shape;
    }
    const key = keyOf(map);
    let entry = this.#byMap.get(key);
    if (entry === undefined) {
      if (this.#isWanted(map)) return undefined;
      entry = { schema: map.schema, table: map.table, shape: null, lookedMs: 0 };
      this.#remember(key, entry);
    }
    const { shape } = entry;
    if (this.#byId.size > MAX_VERSIONS) this.#forgetIds();
    this.#byId.set(map.tableId, { map, shape });
    return shape;
  }

  /** True when `resolve` is to be called before rows of this map are read: it is not known, or faulty and not asked about for a while. */
  mustResolve(map: TableMap): boolean {
    const shape = this.find(map);
    return shape === undefined || (shape?.fault !== undefined && this.#isDue(map));
  }

  #isDue(map: TableMap): boolean {
    const entry = this.#byMap.get(keyOf(map));
    return entry !== undefined && this.#clock.monotonicMs() - entry.lookedMs >= FAULT_RETRY_MS;
  }

  /** Makes `find` know this map. Rejects only if the source cannot be asked; a table that does not fit gets a shape with a fault. */
  async resolve(map: TableMap, place: LogPlace | null = null): Promise<void> {
    if (!this.mustResolve(map)) return;
    const { schema, table } = map;
    const { facts } = this.#options;
    const isOwn = schema === HOLT_SCHEMA;
    // Where the log names the columns, what is asked now only adds to it.
    const asked = map.names === null ? place : null;
    let known: KnownTable = isOwn ? NOTHING : await facts.know(schema, table, asked);
    let completion = completeShape(map, known.facts, known.doubt);
    if (completion.fault !== null) {
      known = await facts.ask(schema, table, asked);
      completion = completeShape(map, known.facts, known.doubt);
    }
    if (!isOwn && completion.fault === null && known.facts !== null && known.doubt === null)
      this.#learned.push({ schema, table, definition: definitionText(known.facts) });
    const key = keyOf(map);
    const before = this.#byMap.get(key)?.shape;
    const found = scannable(completion.shape);
    // One object for as long as nothing is known of it.
    const shape = before?.fault !== undefined && found.fault !== undefined ? before : found;
    this.#byMap.delete(key);
    this.#byId.delete(map.tableId);
    this.#last = null;
    this.#remember(key, { schema, table, shape, lookedMs: this.#clock.monotonicMs() });
  }

  /** Definitions of tables met since this was last asked, as they are at this place of the log. */
  takeLearned(): readonly TableDefinition[] {
    if (this.#learned.length === 0) return NO_DEFINITIONS;
    const learned = this.#learned;
    this.#learned = [];
    return learned;
  }

  /** Definitions that are known for sure where reading begins. */
  async sureAt(place: LogPlace): Promise<readonly TableDefinition[]> {
    const known = await this.#options.facts.sureAt(place);
    return known.map(({ schema, table, facts }) => ({ schema, table, definition: definitionText(facts) }));
  }

  /** A statement that is no change of rows passes in the log. @returns what it makes of tables */
  passed(statement: SourceStatement): readonly TableDefinition[] {
    const named = this.#options.facts.passed(statement);
    if (named.length === 0) return NO_DEFINITIONS;
    const tables = new Set(named.map(({ schema, table }) => `${schema}\0${table}`));
    for (const [key, entry] of this.#byMap)
      if (entry.shape !== null && tables.has(`${entry.schema}\0${entry.table}`)) this.#byMap.delete(key);
    this.#forgetIds();
    return named.map(({ schema, table, facts }) => ({
      schema,
      table,
      definition: facts === null ? null : definitionText(facts),
    }));
  }

  /** Counts up whenever a table that was passed over begins to be wanted: what was assembled before lacks its rows. */
  get wantsVersion(): number {
    return this.#wantsVersion;
  }

  /** Whether rows are counted, those of tables nobody wants too, in transactions that begin from now on. */
  get countsRows(): boolean {
    return this.#countsRows;
  }

  /** Enough of a table nobody wants to count its rows. */
  countingShape(map: TableMap): TableShape {
    return completeShape(map, null).shape;
  }

  /**
   * Somebody new reads, whose wishes `wants` of the options knows already. Tables passed over so far are decided again if they are
   * wanted now, and faults that may have been mended are looked at again when next met.
   * @returns the version from which on items have all that is wanted
   */
  admit(wants: (schema: string, table: string) => boolean, countsRows = false): number {
    let widened = this.#hasForgotten || (countsRows && !this.#countsRows);
    this.#countsRows ||= countsRows;
    for (const [key, { schema, table, shape }] of this.#byMap) {
      if (shape === null ? schema !== HOLT_SCHEMA && wants(schema, table) : shape.fault !== undefined) {
        this.#byMap.delete(key);
        widened ||= shape === null;
      }
    }
    this.#forgetIds();
    this.#hasForgotten = false;
    if (widened) this.#wantsVersion += 1;
    this.#options.facts.lookAhead(wants);
    return this.#wantsVersion;
  }

  #isWanted(map: TableMap): boolean {
    if (map.schema === HOLT_SCHEMA) return READ_HERE.has(map.table);
    return this.#options.wants(map.schema, map.table);
  }

  #forgetIds(): void {
    this.#byId.clear();
    this.#last = null;
  }

  #remember(key: string, entry: Known): void {
    if (this.#byMap.size >= MAX_VERSIONS) {
      const [oldest] = this.#byMap;
      if (oldest !== undefined) {
        this.#byMap.delete(oldest[0]);
        if (oldest[1].shape === null) this.#hasForgotten = true;
      }
    }
    this.#byMap.set(key, entry);
  }
}

/** With a fault where a column is of a type that nobody can step over. */
function scannable(shape: TableShape): TableShape {
  try {
    compileRowScanner(shape);
    return shape;
  } catch (error) {
    if (!(error instanceof HoltError) || error.code !== 'HOLT_EVENT_UNSUPPORTED') throw error;
    const knowsUnsigned = shape.fault?.knowsUnsigned ?? true;
    return { ...shape, fault: { code: error.code, why: error.message, knowsUnsigned, uncounted: true } };
  }
}

function keyOf(map: TableMap): string {
  return map.raw.toString('latin1', TABLE_ID_BYTES);
}
