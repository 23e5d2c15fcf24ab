/**
 * The table of column types: what every server's types are tried with, and what must come of them between each two servers.
 *
 * One table drives the unit tests (decode and literal, from recorded bytes), the integration tests (the server's own
 * binlog, and applying at a target), the end-to-end tests, `docs/types.md` and the generator of random data. It is
 * data and pure functions: no server, no clock, no randomness of its own.
 */

/** Servers by the names that the tests' servers have. */
export const CASE_SERVERS = ['mysql56', 'mysql', 'mariadb'] as const;
export type CaseServer = (typeof CASE_SERVERS)[number];

/** `source>target`. */
export type CasePair = `${CaseServer}>${CaseServer}`;

export const CASE_PAIRS: readonly CasePair[] = CASE_SERVERS.flatMap((source) =>
  CASE_SERVERS.map((target): CasePair => `${source}>${target}`),
);

/** In the order of the document. */
export const COLUMN_TYPE_FAMILIES = [
  'Integers',
  'DECIMAL, FLOAT and DOUBLE',
  'BIT and YEAR',
  'Dates and times',
  'Character strings',
  'Binary strings',
  'ENUM and SET',
  'JSON',
  'Geometry and VECTOR',
  'UUID, INET4 and INET6',
  'Generated, invisible and compressed columns',
  'Columns of another type at the target',
] as const;
export type ColumnTypeFamily = (typeof COLUMN_TYPE_FAMILIES)[number];

/** Where two servers differ: what is equal all the same. */
export type CanonicalForm =
  /** The same JSON document: members in any order, white space as it comes, numbers as they are written. */
  | 'json'
  /** The same text, as each server prints the value. */
  | 'printed'
  /** The same number, whatever the sign of zero. */
  | 'number';

/** What becomes of a case's values from one server to another. `ddl` is the column at the target, where it is another. */
export type Outcome =
  /** The same bytes. */
  | { readonly kind: 'exact'; readonly ddl?: string; readonly why?: string }
  | { readonly kind: 'canonical'; readonly form: CanonicalForm; readonly ddl?: string; readonly why: string }
  /** Holt does not begin to write the table, and says so by code. */
  | { readonly kind: 'refused'; readonly code: string; readonly ddl?: string; readonly why: string };

/** A SQL expression, for a session with a lenient sql_mode and UTC; or one by server, written only where there is one. */
export type CaseValue = string | Readonly<Partial<Record<CaseServer, string>>>;

/** Where chance comes from. `Random` in `test/support` is one. */
export interface Chance {
  /** 0 ≤ n < 1 */
  next(): number;
  /** least ≤ n ≤ most */
  int(least: number, most: number): number;
  bits(count: number): bigint;
  pick<T>(items: readonly T[]): T;
  bytes(length: number): Buffer;
  digits(count: number): string;
}

/** Bytes that stand in a row of the log although they are no text of the column's character set. */
export interface ForeignBytes {
  readonly what: string;
  readonly bytes: Buffer;
  /** Servers that take the bytes as they are; on the others the row goes to the ledger. */
  readonly storedBy: readonly CaseServer[];
}

interface CaseBase {
  /** Unique; also the name of a table or column. */
  readonly id: string;
  /** The type as the document names it. Cases of one title are one line there. */
  readonly title: string;
  readonly family: ColumnTypeFamily;
  /** Servers that have the type. */
  readonly on: readonly CaseServer[];
  /** Where it is not simply `exact` between servers that have the type. */
  readonly pairs?: Readonly<Partial<Record<CasePair, Outcome>>>;
}

/** One nullable column. */
export interface ColumnCase extends CaseBase {
  readonly kind: 'column';
  /** What follows the column's name. */
  readonly ddl: string;
  /** The awkward values; beside them NULL is always written. */
  readonly values: readonly CaseValue[];
  /** One more value by chance. */
  readonly random: (chance: Chance, server: CaseServer) => string;
  readonly foreign?: readonly ForeignBytes[];
  /** True where the values are long: they get a table of their own, and a statement each. */
  readonly large?: boolean;
}

/** A table that is more than one column: `{t}` in a statement stands for its name. */
export interface TableCase extends CaseBase {
  readonly kind: 'table';
  /** Between the parentheses of CREATE TABLE, by server; the same on all by default. */
  readonly columns: string | Readonly<Partial<Record<CaseServer, string>>>;
  /** Statements for the session that creates and writes, by server. */
  readonly session?: Readonly<Partial<Record<CaseServer, readonly string[]>>>;
  /** Run at both ends once the table is made, before anything is written. */
  readonly alter?: readonly string[];
  /** What the source does. */
  readonly writes: readonly string[];
}

export type ColumnTypeCase = ColumnCase | TableCase;

export const EVERYWHERE: readonly CaseServer[] = CASE_SERVERS;

/** Null where the source does not have the type. @throws where the table of cases says nothing about a pair. */
export function outcomeOf(one: ColumnTypeCase, source: CaseServer, target: CaseServer): Outcome | null {
  if (!one.on.includes(source)) return null;
  const said = one.pairs?.[`${source}>${target}`];
  if (said !== undefined) return said;
  if (one.on.includes(target)) return { kind: 'exact' };
  throw new Error(`${one.id}: nothing is said of ${source} to ${target}`);
}

/** The values that a server is given, `rows` at least where chance may add some. */
export function valuesOn(
  one: ColumnCase,
  server: CaseServer,
  more: { readonly rows: number; readonly chance: Chance } | null = null,
): readonly string[] {
  const values = one.values.flatMap((value) => {
    const sql = typeof value === 'string' ? value : value[server];
    return sql === undefined ? [] : [sql];
  });
  if (more !== null) while (values.length < more.rows) values.push(one.random(more.chance, server));
  return values;
}

/** The same outcome from some servers to others. */
export function between(
  sources: readonly CaseServer[],
  targets: readonly CaseServer[],
  outcome: Outcome,
): Readonly<Partial<Record<CasePair, Outcome>>> {
  return Object.fromEntries(
    sources.flatMap((source) => targets.map((target) => [`${source}>${target}`, outcome])),
  );
}
