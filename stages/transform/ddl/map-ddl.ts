/**
 * The text of a statement at the target.
 *
 * Only names that the mapping changes are replaced, in backticks, which mean the same in every sql_mode; what concerns
 * nothing carried is cut out of its list; everything else stays as it was written. What would not mean at the target what it
 * meant at the source is refused.
 *
 * An unqualified name is looked for in the default schema of the session, that of a foreign key's parent in the schema of
 * its table: at the target the session gets the schema to which the first such name goes, and names that go elsewhere get theirs.
 */

import type { TableRuleConfig } from '../../../model/config.ts';
import { canMeanUtf8mb4, utf8mb4Collation } from '../../../model/ddl.ts';
import type { SqlServer } from '../../../model/ddl-kind.ts';
import type { ErrorCodeName } from '../../../model/error-codes.ts';
import type { TableName } from '../../select/ddl.ts';
import { encodeName } from '../../select/sql-chars.ts';
import type { TableMapping } from '../table-mapping.ts';
import type {
  ColumnPlace,
  Cut,
  DdlReading,
  ListItem,
  MappedDdl,
  MappedTable,
  NamePlace,
  TablePlace,
} from './ddl.ts';
import { takesAll } from './server-features.ts';
import { cutItems, cutsWithComments, editText, holds, type Replacement } from './text-edits.ts';

/** Which tables are carried. */
export interface CarriedTables {
  matches(schema: string, table: string): boolean;
  mayMatchSchema(schema: string): boolean;
  coversSchema(schema: string): boolean;
}

export interface DdlMapping {
  readonly tables: CarriedTables;
  readonly mapping: TableMapping;
  /** As the source compares names of tables. */
  readonly caseSensitive: boolean;
  /** Null where a server is not known: then nothing is refused for its sake. */
  readonly source: SqlServer | null;
  readonly target: SqlServer | null;
}

export function mapDdl(reading: DdlReading, mapping: DdlMapping): MappedDdl {
  try {
    return new StatementMapper(reading, mapping).map();
  } catch (error) {
    if (error instanceof Refusal) return { kind: 'refused', code: error.code, why: error.message };
    throw error;
  }
}

class Refusal extends Error {
  readonly code: ErrorCodeName;

  constructor(code: ErrorCodeName, why: string) {
    super(why);
    this.code = code;
  }
}

class StatementMapper {
  readonly #reading: DdlReading;
  readonly #mapping: DdlMapping;
  readonly #cuts: Cut[];
  readonly #replacements: Replacement[] = [];

  constructor(reading: DdlReading, mapping: DdlMapping) {
    this.#reading = reading;
    this.#mapping = mapping;
    this.#cuts = [...reading.cuts];
  }

  map(): MappedDdl {
    const { kind } = this.#reading;
    if (kind === 'create-database' || kind === 'alter-database' || kind === 'drop-database')
      return this.#database();
    if (!this.#concerns()) return { kind: 'nothing', why: 'it changes no table that is carried' };
    this.#checkTarget();
    const empty = this.#cutTables() ?? this.#cutColumns();
    if (empty !== null) return { kind: 'nothing', why: empty };
    this.#checkQuery();
    const defaultSchema = this.#defaultSchema();
    for (const place of this.#reading.tables)
      if (!this.#isCut(place.tableAt)) this.#nameTable(place, defaultSchema);
    for (const column of this.#reading.columns) if (!this.#isCut(column.at)) this.#nameColumn(column);
    return {
      kind: 'sql',
      sql: this.#text(),
      defaultSchema,
      tables: this.#mappedTables(),
      database: null,
    };
  }

  #text(): Buffer {
    const { sql, edges } = this.#reading;
    const cuts = cutsWithComments(sql, this.#cuts, edges);
    if (cuts === null)
      throw new Refusal(
        'HOLT_DDL_UNMAPPABLE',
        'what has to be left out begins or ends within a comment that servers execute',
      );
    return editText(sql, cuts, this.#replacements);
  }

  #concerns(): boolean {
    return this.#reading.changes.some((name) => this.#isCarried(name));
  }

  #isCarried({ schema, table }: TableName): boolean {
    return this.#mapping.tables.matches(schema, table);
  }

  #isCut(place: Cut): boolean {
    return this.#cuts.some((cut) => holds(cut, place));
  }

  #checkTarget(): void {
    const { source, target } = this.#mapping;
    if (target === null) return;
    const comments = this.#reading.features.filter((one) => one.word.startsWith('/*'));
    const features = source !== null && takesAll(source, target) ? comments : this.#reading.features;
    const missing = features.find((one) => !one.known(target));
    if (missing !== undefined) throw new Refusal('HOLT_DDL_TARGET_LACKS', missing.why);
    const { stands, session } = this.#reading.utf8mb4;
    if (stands !== 'alone' || source === null) return;
    const meant = utf8mb4Collation(source, session);
    const there = canMeanUtf8mb4(target, meant) ? meant : utf8mb4Collation(target, {});
    if (there !== meant)
      throw new Refusal(
        'HOLT_DDL_TARGET_LACKS',
        `CHARACTER SET utf8mb4 without COLLATE means ${meant} at the source, and ${there} at the target`,
      );
  }

  // Tables

  #target(name: TableName): TableName {
    const rule = this.#rule(name);
    if (this.#mapping.mapping.mergesTables(this.#fold(name.schema), this.#fold(name.table)))
      throw new Refusal(
        'HOLT_DDL_UNMAPPABLE',
        `the rule ${rule?.match ?? ''} sends several tables to ${rule?.to.table ?? ''}: one of them cannot define it for all`,
      );
    return { schema: rule?.to.schema ?? name.schema, table: rule?.to.table ?? name.table };
  }

  #rule(name: TableName): TableRuleConfig | null {
    return this.#mapping.mapping.ruleFor(this.#fold(name.schema), this.#fold(name.table));
  }

  #fold(name: string): string {
    return this.#mapping.caseSensitive ? name : name.toLowerCase();
  }

  /** Gives a reason when nothing is left to do. */
  #cutTables(): string | null {
    const { kind, tables, items } = this.#reading;
    const others = tables.filter((one) => one.use !== 'qualifier' && !this.#isCarried(one));
    const first = tables[0];
    switch (kind) {
      case 'drop-table':
      case 'drop-view':
        this.#leaveOut(this.#itemsOfOthers());
        return null;
      case 'rename-table':
        this.#cutRenames();
        return null;
      case 'create-table-select':
        throw new Refusal(
          'HOLT_DDL_ROWS_IN_STATEMENT',
          'CREATE TABLE … SELECT is in the log as a statement: the rows of the query are not known',
        );
      case 'create-table-like': {
        const model = tables[1];
        if (first === undefined || model === undefined) return null;
        if (!this.#isCarried(model)) throw this.#outside(model, 'the table is made like');
        this.#sameRules(first, model);
        return null;
      }
      case 'sequence':
        if (others.length > 0 && items.length > 0) this.#leaveOut(this.#itemsOfOthers());
        return null;
      default: {
        const to = tables.find((one) => one.use === 'renamed-to');
        if (to !== undefined && first !== undefined) this.#checkMove(first, to);
        const other = others.find((one) => /^(?:changed|created|dropped)$/.test(one.use));
        if (other !== undefined) throw this.#outside(other, 'the statement also concerns');
        const exchanged = tables.find(
          (one) => one !== first && /^(?:changed|created|dropped)$/.test(one.use),
        );
        if (exchanged !== undefined && first !== undefined) this.#sameRules(first, exchanged);
        return null;
      }
    }
  }

  /** Of a list with one table an item, those whose table is not carried. */
  #itemsOfOthers(): readonly ListItem[] {
    const { items, tables } = this.#reading;
    return items.filter((_, index) => {
      const table = tables[index];
      return table !== undefined && !this.#isCarried(table);
    });
  }

  #outside(name: TableName, what: string): Refusal {
    return new Refusal(
      'HOLT_DDL_LEAVES_TABLES',
      `${what} ${name.schema}.${name.table}, which this pipeline does not carry`,
    );
  }

  /** Rows or definitions go over from one to the other: they have to be mapped alike. */
  #sameRules(a: TableName, b: TableName): void {
    const of = (name: TableName): string => {
      const rule = this.#rule(name);
      return JSON.stringify(
        rule === null
          ? NO_RULE
          : [rule.columns.rename, rule.columns.drop, rule.columns.constant, rule.where, rule.processor],
      );
    };
    if (of(a) === of(b)) return;
    throw new Refusal(
      'HOLT_DDL_UNMAPPABLE',
      `the rules treat the columns or rows of ${a.schema}.${a.table} and ${b.schema}.${b.table} differently`,
    );
  }

  #checkMove(from: TableName, to: TableName): void {
    const [before, after] = [this.#isCarried(from), this.#isCarried(to)];
    if (before !== after) throw this.#moves(from, to, before);
    this.#sameRules(from, to);
  }

  #moves(from: TableName, to: TableName, before: boolean): Refusal {
    return new Refusal(
      'HOLT_DDL_LEAVES_TABLES',
      before
        ? `${from.schema}.${from.table} leaves the replicated tables under the name ${to.schema}.${to.table}`
        : `${from.schema}.${from.table}, which is not replicated, becomes the replicated table ${to.schema}.${to.table}: its rows are not known`,
    );
  }

  /**
   * A RENAME of several tables goes step by step, so that a swap has a third name in between: what counts is which
   * table ends under which name. A table that neither begins nor ends among the carried is left out with all its steps.
   */
  #cutRenames(): void {
    const { items, tables } = this.#reading;
    interface Chain {
      readonly from: TableName;
      to: TableName;
      readonly items: ListItem[];
    }
    const chains: Chain[] = [];
    for (const [index, item] of items.entries()) {
      const [from, to] = [tables[2 * index], tables[2 * index + 1]];
      if (from === undefined || to === undefined) continue;
      // The latest step to a name is the one that holds it now.
      const chain = chains.findLast((one) => this.#isSame(one.to, from));
      if (chain === undefined) chains.push({ from, to, items: [item] });
      else {
        chain.to = to;
        chain.items.push(item);
      }
    }
    const leave: ListItem[] = [];
    for (const { from, to, items: steps } of chains) {
      const [before, after] = [this.#isCarried(from), this.#isCarried(to)];
      if (before !== after) throw this.#moves(from, to, before);
      if (!before) leave.push(...steps);
      else this.#sameRules(from, to);
    }
    this.#leaveOut(leave);
  }

  #isSame(a: TableName, b: TableName): boolean {
    return this.#fold(a.schema) === this.#fold(b.schema) && this.#fold(a.table) === this.#fold(b.table);
  }

  #leaveOut(leave: readonly ListItem[]): boolean {
    const all = new Set(leave);
    for (const list of new Set(leave.map((item) => item.list))) {
      const members = this.#reading.items.filter((item) => item.list === list);
      const cuts = cutItems(members, all);
      if (cuts === null) return false;
      this.#cuts.push(...cuts);
    }
    return true;
  }

  // Columns

  #cutColumns(): string | null {
    const { items, columns, kind } = this.#reading;
    const leave = new Set<ListItem>();
    for (const item of items) {
      const about = item.about === null ? undefined : columns[item.about];
      if (about !== undefined && this.#isDropped(about)) leave.add(item);
    }
    // ADD COLUMN (a, b) goes as a whole when all of it goes.
    for (const [index, item] of items.entries()) {
      const inner = items.filter((one) => one.within === index);
      if (inner.length === 0 || !inner.every((one) => leave.has(one))) continue;
      leave.add(item);
      for (const one of inner) leave.delete(one);
    }
    if (!this.#leaveOut([...leave])) {
      if (kind === 'create-table')
        throw new Refusal('HOLT_DDL_UNMAPPABLE', 'the rule drops every column of the table');
      return 'it changes only columns that are not carried';
    }
    for (const column of columns)
      if (column.clause !== null && this.#isDropped(column))
        this.#cuts.push(withSpace(this.#reading.sql, column.clause));
    this.#checkConstants();
    return null;
  }

  #ruleOf(column: ColumnPlace): TableRuleConfig['columns'] | null {
    const table = this.#reading.tables[column.of];
    return table === undefined ? null : (this.#rule(table)?.columns ?? null);
  }

  #isDropped(column: ColumnPlace): boolean {
    const rule = this.#ruleOf(column);
    return rule?.drop.some((name) => sameColumn(name, column.at.text)) === true;
  }

  /** A column that the rule fills by itself is not the source's to define, unless it stands in for the source's own. */
  #checkConstants(): void {
    const first = this.#reading.tables[0];
    const rule = first === undefined ? null : this.#rule(first);
    if (rule === null || first === undefined) return;
    const defined = this.#reading.columns.filter((one) => one.of === 0 && one.use === 'defined');
    if (this.#reading.kind === 'create-table') {
      const missing = Object.keys(rule.columns.constant).find(
        (name) => !defined.some((one) => sameColumn(renamed(rule, one.at.text) ?? one.at.text, name)),
      );
      if (missing !== undefined)
        throw new Refusal(
          'HOLT_DDL_UNMAPPABLE',
          `the rule for ${rule.match} fills the column ${missing}, which the source does not define`,
        );
      return;
    }
    for (const one of defined) {
      const taken = [...Object.values(rule.columns.rename), ...Object.keys(rule.columns.constant)].find(
        (name) => sameColumn(name, one.at.text),
      );
      if (taken !== undefined && renamed(rule, one.at.text) === null && !this.#isCut(one.at))
        throw new Refusal(
          'HOLT_DDL_UNMAPPABLE',
          `the new column ${one.at.text} has the name that the rule for ${rule.match} gives to another`,
        );
    }
  }

  #nameColumn(column: ColumnPlace): void {
    const rule = this.#ruleOf(column);
    if (rule === null) return;
    const name = column.at.text;
    const to = Object.entries(rule.rename).find(([from]) => sameColumn(from, name))?.[1];
    const dropped = this.#isDropped(column);
    if (to === undefined && !dropped) return;
    if (!column.certain)
      throw new Refusal(
        'HOLT_DDL_UNMAPPABLE',
        `whether ${name} is the column of that name cannot be told here`,
      );
    if (dropped)
      throw new Refusal(
        'HOLT_DDL_UNMAPPABLE',
        `the statement needs the column ${name}, which is not carried`,
      );
    if (column.use === 'altered' && this.#isRenamedHere(column))
      throw new Refusal(
        'HOLT_DDL_UNMAPPABLE',
        `the column ${name} gets a new name, and the rule names the old one: change the rule with it`,
      );
    if (to !== undefined && to !== name) this.#replace(column.at, to);
  }

  /** CHANGE a b and RENAME COLUMN a TO b. */
  #isRenamedHere(column: ColumnPlace): boolean {
    const next = this.#reading.columns[this.#reading.columns.indexOf(column) + 1];
    const item = this.#reading.items.find((one) => holds(one, column.at));
    return (
      next !== undefined &&
      next.use === 'defined' &&
      item !== undefined &&
      holds(item, next.at) &&
      !sameColumn(next.at.text, column.at.text)
    );
  }

  // Queries

  /** A view whose query may need other names is mapped only where every name in it is known. */
  #checkQuery(): void {
    const { kind, tables, reads } = this.#reading;
    if (kind !== 'create-view' && kind !== 'alter-view') return;
    const isSame = tables.every((one) => this.#isUnmapped(one));
    if (reads === null) {
      // Nobody has read the query: it may only stay as it is.
      if (isSame && this.#mapping.mapping.isEmpty) return;
      throw new Refusal(
        'HOLT_DDL_UNMAPPABLE',
        'the names in the query of the view are not known, and the rules change names',
      );
    }
    if (isSame) return;
    for (const one of tables) {
      const rule = this.#rule(one);
      if (rule !== null && (Object.keys(rule.columns.rename).length > 0 || rule.columns.drop.length > 0))
        throw new Refusal(
          'HOLT_DDL_UNMAPPABLE',
          `the view reads columns of ${one.schema}.${one.table}, which the rules rename or drop`,
        );
    }
  }

  #isUnmapped(place: TablePlace): boolean {
    const rule = this.#rule(place);
    return (
      rule === null ||
      ((rule.to.schema ?? place.schema) === place.schema &&
        (rule.to.table ?? place.table) === place.table &&
        Object.keys(rule.columns.rename).length === 0 &&
        rule.columns.drop.length === 0)
    );
  }

  // Names

  /** The schema to which the first name without one goes. */
  #defaultSchema(): string | null {
    const first = this.#reading.tables.find(
      (one) => one.within === 'session' && one.schemaAt === null && !this.#isCut(one.tableAt),
    );
    return first === undefined ? null : this.#target(first).schema;
  }

  #nameTable(place: TablePlace, defaultSchema: string | null): void {
    const to = this.#target(place);
    const main = this.#reading.tables[0];
    const around =
      place.within === 'session'
        ? defaultSchema
        : main === undefined
          ? defaultSchema
          : this.#target(main).schema;
    if (place.schemaAt !== null) {
      if (to.schema !== place.schema) this.#replace(place.schemaAt, to.schema);
      if (to.table !== place.table) this.#replace(place.tableAt, to.table);
    } else if (place.use !== 'qualifier' && to.schema !== around)
      this.#replace(place.tableAt, to.schema, to.table);
    else if (to.table !== place.table) this.#replace(place.tableAt, to.table);
    // Within the query its columns may be called by the name that the table had.
    if (place.use === 'read-unnamed' && to.table !== place.table)
      this.#insert(place.tableAt.end, ' AS ', place.table);
  }

  #replace(at: NamePlace, ...names: readonly string[]): void {
    this.#replacements.push({ start: at.start, end: at.end, bytes: this.#quoted(names) });
  }

  #insert(at: number, before: string, name: string): void {
    this.#replacements.push({
      start: at,
      end: at,
      bytes: Buffer.concat([Buffer.from(before), this.#quoted([name])]),
    });
  }

  #quoted(names: readonly string[]): Buffer {
    const quoted = names.map((name) => `\`${name.replaceAll('`', '``')}\``).join('.');
    const bytes = encodeName(quoted, this.#reading.charset);
    if (bytes === null)
      throw new Refusal(
        'HOLT_DDL_UNMAPPABLE',
        `the name ${names.join('.')} cannot be written in the character set of the statement`,
      );
    return bytes;
  }

  #mappedTables(): MappedTable[] {
    const mapped = new Map<string, MappedTable>();
    for (const place of this.#reading.tables) {
      const { schema, table, use } = place;
      if (use === 'qualifier' || this.#isCut(place.tableAt) || !this.#isCarried(place)) continue;
      const name = JSON.stringify([use, this.#fold(schema), this.#fold(table)]);
      if (!mapped.has(name))
        mapped.set(name, { source: { schema, table }, target: this.#target(place), use });
    }
    return [...mapped.values()];
  }

  // Databases

  #database(): MappedDdl {
    const { kind, database, sessionSchema } = this.#reading;
    const schema = database?.text ?? sessionSchema;
    const { tables, mapping } = this.#mapping;
    if (!tables.mayMatchSchema(schema))
      return { kind: 'nothing', why: `no table of the database ${schema} is carried` };
    this.#checkTarget();
    if (kind !== 'create-database' && !tables.coversSchema(schema))
      throw new Refusal(
        'HOLT_DDL_LEAVES_TABLES',
        `only some tables of the database ${schema} are carried: the target's may hold others`,
      );
    const route = mapping.schemaRoute(this.#fold(schema));
    if (route.kind === 'unclear') throw new Refusal('HOLT_DDL_UNMAPPABLE', route.why);
    const same = route.schema === this.#fold(schema);
    if (database !== null && !same) this.#replace(database, route.schema);
    return {
      kind: 'sql',
      sql: this.#text(),
      defaultSchema: database === null ? route.schema : null,
      tables: [],
      database: same ? schema : route.schema,
    };
  }
}

const NO_RULE = [{}, [], {}, null, null];

/** The name that the rule gives to a column of the source; null where it leaves it. */
function renamed(rule: TableRuleConfig, column: string): string | null {
  return Object.entries(rule.columns.rename).find(([from]) => sameColumn(from, column))?.[1] ?? null;
}

/** Names of columns are equal without regard to case, in every server. */
function sameColumn(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** A clause with the space before it. */
function withSpace(sql: Buffer, cut: Cut): Cut {
  let { start } = cut;
  while (start > 0 && /\s/.test(String.fromCharCode(sql[start - 1] ?? 0))) start -= 1;
  return { start, end: cut.end };
}
