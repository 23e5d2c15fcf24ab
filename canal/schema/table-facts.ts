/** What INFORMATION_SCHEMA says of a table now: completes the table maps of servers that do not log names. */
export interface ColumnFacts {
  readonly name: string;
  /** COLUMN_TYPE in lower case: `int(10) unsigned`, `enum('a','b')`, `uuid`. */
  readonly declared: string;
  /** Null where it is not known. */
  readonly nullable: boolean | null;
  /** CHARACTER_OCTET_LENGTH: largest length in bytes of a character or binary column, else null. */
  readonly octetLength: bigint | null;
  /** Id of its collation, 63 for a binary string, 0 where it does not apply, −1 where it is not known. */
  readonly collation: number;
  /** Its character set, where that is known and the collation is not. */
  readonly charset?: string;
}

export interface UniqueKeyFacts {
  readonly name: string;
  /** In key order. */
  readonly columns: readonly string[];
  /** True if a column may be NULL, is there with a prefix only, or is an expression: such a key does not identify rows. */
  readonly partial: boolean;
  /** INDEX_TYPE is HASH: MariaDB keeps a hash of the columns in a column that it does not show. */
  readonly isHash?: boolean;
}

export interface TableFacts {
  readonly columns: readonly ColumnFacts[];
  /** Column names of the primary key in key order; empty if there is none. */
  readonly primaryKey: readonly string[];
  readonly uniqueKeys: readonly UniqueKeyFacts[];
  /** TABLE_TYPE: MariaDB's SYSTEM VERSIONED tables may have two columns more than they show. */
  readonly type?: string;
  /** Id of the collation of its new text columns. */
  readonly collation?: number;
  /** Their character set, where that is known and the collation is not. */
  readonly charset?: string;
  /** When it was made or last altered, seconds since 1970 by the source's clock, as far as the server keeps it; a change of name need not count. */
  readonly changedAt?: number | null;
}
