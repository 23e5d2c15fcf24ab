/**
 * One shape object per table and version, found by the bytes of its table map.
 *
 * The same table gets another table id whenever the server opens it anew, and the same map otherwise: the id's six bytes are no part
 * of the key. A version of a table stays known as long as it may be met again; the oldest go when there are too many.
 */
import type { HoltError } from '../../lib/errors.ts';
import { CHECKPOINT_TABLE, HEARTBEAT_TABLE, HOLT_SCHEMA } from '../../model/holt-tables.ts';
import type { TableShape } from '../../model/table-shape.ts';
import type { TableMap } from '../event/event.ts';
import { completeShape } from './complete-shape.ts';
import type { TableFacts } from './table-facts.ts';

/** Bytes of the table id in front of a table map; four in servers before 5.1.4, which are not read. */
const TABLE_ID_BYTES = 6;
const MAX_VERSIONS = 20_000;

export interface SchemaBookOptions {
  /** Whether anybody wants rows of the table. Holt's own are not asked about. */
  readonly wants: (schema: string, table: string) => boolean;
  /** Reads the table as it is now. */
  readonly readFacts: (schema: string, table: string) => Promise<TableFacts | null>;
}

export class SchemaBook {
  readonly #options: SchemaBookOptions;
  /** Null: nobody wants it. */
  readonly #byMap = new Map<string, TableShape | null>();
  /** What a table id meant last: most maps are the same as the one before under the same id, and comparing is cheap. */
  readonly #byId = new Map<number, { readonly raw: Buffer; readonly shape: TableShape | null }>();
  readonly #faults = new WeakMap<TableShape, HoltError>();

  constructor(options: SchemaBookOptions) {
    this.#options = options;
  }

  /** The shape, null for a table nobody wants, undefined when it must be looked up first: see `resolve`. */
  find(map: TableMap): TableShape | null | undefined {
    const known = this.#byId.get(map.tableId);
    if (known?.raw.equals(map.raw)) return known.shape;
    const key = keyOf(map);
    let shape = this.#byMap.get(key);
    if (shape === undefined && !this.#isWanted(map)) {
      shape = null;
      this.#remember(key, shape);
    }
    if (shape === undefined) return undefined;
    if (this.#byId.size > MAX_VERSIONS) this.#byId.clear();
    this.#byId.set(map.tableId, { raw: Buffer.from(map.raw), shape });
    return shape;
  }

  /** Makes `find` know this map. Rejects only if the source cannot be asked; a table that does not fit gets a shape with a fault. */
  async resolve(map: TableMap): Promise<void> {
    if (this.find(map) !== undefined) return;
    const own = map.schema === HOLT_SCHEMA;
    const facts = own ? null : await this.#options.readFacts(map.schema, map.table);
    const { shape, fault } = completeShape(map, facts);
    if (fault !== null) this.#faults.set(shape, fault);
    this.#remember(keyOf(map), shape);
  }

  /** Why rows of this shape must not be used. */
  faultOf(shape: TableShape): HoltError | null {
    return this.#faults.get(shape) ?? null;
  }

  /** After a change of who wants what, and where a fault may have been mended: what was decided is decided again when next met. */
  reconsider(): void {
    this.#byId.clear();
    for (const [key, shape] of this.#byMap)
      if (shape === null || this.#faults.has(shape)) this.#byMap.delete(key);
  }

  #isWanted(map: TableMap): boolean {
    if (map.schema === HOLT_SCHEMA) return map.table === CHECKPOINT_TABLE || map.table === HEARTBEAT_TABLE;
    return this.#options.wants(map.schema, map.table);
  }

  #remember(key: string, shape: TableShape | null): void {
    if (this.#byMap.size >= MAX_VERSIONS) {
      const [oldest] = this.#byMap.keys();
      if (oldest !== undefined) this.#byMap.delete(oldest);
    }
    this.#byMap.set(key, shape);
  }
}

function keyOf(map: TableMap): string {
  return map.raw.toString('latin1', TABLE_ID_BYTES);
}
