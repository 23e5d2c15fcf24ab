/** What a table at the target is, as far as applying rows depends on it. Read by `target-schema.ts`. */
import type { CascadePath } from './update-cascades.ts';

export interface TargetColumn {
  readonly name: string;
  /** `int`, `varchar`, `json`… in lower case. */
  readonly dataType: string;
  /** The full type in lower case where it has no labels: `int(10) unsigned`, `decimal(10,2)`, `enum('A','b')`. */
  readonly columnType: string;
  readonly nullable: boolean;
  /** False where an INSERT that leaves the column out is refused. */
  readonly hasDefault: boolean;
  /** Computed by the server: never written. */
  readonly generated: boolean;
  readonly autoIncrement: boolean;
  /** ON UPDATE CURRENT_TIMESTAMP: changes by itself unless assigned. */
  readonly autoUpdate: boolean;
  /** Null for what is not character text. */
  readonly charset: string | null;
  readonly collation: string | null;
  /** Digits after the point: of decimals, of floats that round to them, and of seconds in times. Null where it does not apply. */
  readonly scale: number | null;
  /** Most bytes of a character or binary string; null for others. */
  readonly octetLength?: bigint | null;
  /** Character sets that other servers have and this one does not, so that it cannot convert from them; none by default. */
  readonly unknownCharsets?: readonly string[];
  /** True where the server stores 0 in place of -0.0; false by default. */
  readonly losesSignOfZero?: boolean;
  /** True where the server has JSON_EQUALS, by which texts are compared as documents; false by default. */
  readonly hasJsonEquals?: boolean;
}

export interface UniqueKey {
  readonly name: string;
  readonly primary: boolean;
  /** In key order; null where a part is an expression. */
  readonly columns: readonly (string | null)[];
  /** True when some part is only a prefix of its column. */
  readonly prefix: boolean;
  /** True when some part may be NULL: such a key identifies nothing. */
  readonly nullable: boolean;
}

/** The server at the target, as far as statements differ by it. */
export interface TargetTraits {
  readonly flavour: 'mysql' | 'mariadb';
  /** major * 10000 + minor * 100 + patch. */
  readonly versionNumber: number;
  readonly maxAllowedPacket: number;
  /** The server's own id; 0 where it is not known. */
  readonly serverId?: number;
}

/** The table as the server itself would make it anew. */
export interface TargetDefinition {
  /** SHOW CREATE TABLE, without the next number of AUTO_INCREMENT. */
  readonly text: string;
  readonly flavour: TargetTraits['flavour'];
}

/**
 * MySQL 9.6 and later see to foreign keys above the engine (as far as its settings do not say otherwise, which makes no difference to those
 * who ask).
 */
export function cascadesAboveEngine({ flavour, versionNumber }: TargetTraits): boolean {
  return flavour === 'mysql' && versionNumber >= 90_600;
}

export interface TargetTable {
  readonly schema: string;
  readonly name: string;
  readonly engine: string;
  /** The server's own estimate. */
  readonly rowEstimate: number;
  readonly columns: readonly TargetColumn[];
  /** The primary key first, then the others by name. */
  readonly uniqueKeys: readonly UniqueKey[];
  readonly triggers: readonly string[];
  /**
   * Tables that foreign keys join, directly or through others, have the same number; null where no foreign key touches
   * the table. Rows of one group affect each other (cascades, refusals), also through tables whose rows are not logged.
   */
  readonly foreignKeyGroup: number | null;
  /** True when a foreign key of some table points here: DELETE and INSERT in place of UPDATE would cascade. */
  readonly referenced: boolean;
  /** Columns, in lower case, that foreign keys of some table point to. */
  readonly referencedColumns: readonly string[];
  /** Where an UPDATE goes on to, for servers that see to foreign keys above their engine; none by default. */
  readonly updateCascades?: readonly CascadePath[];
  /** True when the table refers to itself. */
  readonly selfReferencing: boolean;
  /** Absent where nobody asked for it, or where it changed while the rest was read. */
  readonly definition?: TargetDefinition;
}
