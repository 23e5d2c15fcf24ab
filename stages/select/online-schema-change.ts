/**
 * Runs of gh-ost and pt-online-schema-change, as the log shows them, become one ALTER of the table that they change.
 *
 *     gh-ost    CREATE _t_ghc · CREATE _t_gho LIKE t · ALTER _t_gho … · rows · RENAME t → _t_del, _t_gho → t · DROP
 *     pt-osc    CREATE _t_new (…) · ALTER _t_new … · CREATE TRIGGER pt_osc_… · rows · RENAME t → _t_old, _t_new → t · DROP
 *
 * Both copy a table into a ghost that has the new definition, and exchange the two at once. The copy holds the rows that t has, which Holt
 * carries as rows of t: the ghost's are not carried, and none of its statements. At the exchange t gets the definition that the ghost has
 * been given: the ALTERs of the ghost, with the name of t, in the place of the RENAME. A run that is given up ends with the DROP of its ghost.
 *
 * Pure: statements and names in, verdicts out. What is known of runs under way is a value (`state`) that belongs to a position in the log: it is
 * kept with the checkpoint, in the transactions that move it, and given back with the position. A backward look into the log would have to
 * find the beginning of a run that may have taken weeks.
 */
import { z } from 'zod';
import type { SqlServer } from '../../model/ddl-kind.ts';
import type { ErrorCodeName } from '../../model/error-codes.ts';
import type { SourceStatement, StatementSession } from '../../model/source-item.ts';
import type { DdlReading, TablePlace } from '../transform/ddl/ddl.ts';
import { readDdl } from '../transform/ddl/read-ddl.ts';
import type { ReplicatedTables } from './ddl.ts';
import { netAlter } from './net-alter.ts';

const session = z.strictObject({
  flags: z.number().optional(),
  charset: z.strictObject({ client: z.number(), connection: z.number(), server: z.number() }).optional(),
  databaseCollation: z.number().optional(),
  timeZone: z.string().optional(),
  timestamp: z.number().optional(),
  microseconds: z.number().optional(),
  explicitDefaultsForTimestamp: z.boolean().optional(),
  defaultCollationForUtf8mb4: z.number().optional(),
});

/** An ALTER of a ghost, with the session that decides what it means. */
const ghostAlter = z.strictObject({
  schema: z.string(),
  /** base64 */
  sql: z.string(),
  /** Decimal digits. */
  sqlMode: z.string().nullable(),
  charset: z.number().nullable(),
  session: session.optional(),
});
export type GhostAlter = z.infer<typeof ghostAlter>;

const run = z.strictObject({
  tool: z.enum(['gh-ost', 'pt-osc']),
  schema: z.string(),
  table: z.string(),
  ghost: z.string(),
  alters: z.array(ghostAlter),
  /** pt-osc: the triggers have been made, without which it is none. Always true of gh-ost. */
  certain: z.boolean(),
  /** pt-osc gives foreign keys other names. */
  foreignKeys: z.boolean(),
  /** gh-ost's exchange in two steps is half done: the table has its old name. */
  half: z.boolean(),
});
type Run = z.infer<typeof run>;

/** A helper that holds nothing of its own: a changelog, a sentry, the old table after an exchange. */
const helper = z.strictObject({ schema: z.string(), table: z.string() });

const stateForm = z.strictObject({ version: z.literal(1), runs: z.array(run), helpers: z.array(helper) });
type State = z.infer<typeof stateForm>;

export type OnlineVerdict =
  /** None of a run's. */
  | { readonly kind: 'ordinary' }
  /** Of a run: nothing is to be done at the target. */
  | { readonly kind: 'passed' }
  /** The exchange: this is to be done in its place. */
  | { readonly kind: 'becomes'; readonly statement: SourceStatement }
  | { readonly kind: 'refused'; readonly code: ErrorCodeName; readonly why: string };

const ORDINARY: OnlineVerdict = { kind: 'ordinary' };
const PASSED: OnlineVerdict = { kind: 'passed' };

/** Of old tables that nobody drops, the oldest are forgotten. */
const MAX_HELPERS = 100;
const MAX_RUNS = 100;
/** It travels in znodes. */
const MAX_STATE_BYTES = 64 * 1024;

/** What cannot be of a run is not read. */
const HINT = /_(?:gho|ghc|del|new|old)\b|pt_osc_/i;

export interface OnlineSchemaChangesOptions {
  readonly tables: ReplicatedTables;
  /** The source. */
  readonly server: SqlServer | null;
  /** As `state` gave it; null where nothing is known. */
  readonly state: string | null;
}

export class OnlineSchemaChanges {
  readonly #tables: ReplicatedTables;
  readonly #server: SqlServer | null;
  #state: State;
  #text: string | null;

  /** A state that is none of ours is forgotten: exchanges whose ALTERs were not seen are refused. */
  constructor(options: OnlineSchemaChangesOptions) {
    this.#tables = options.tables;
    this.#server = options.server;
    this.#state = parseState(options.state);
    this.#text = this.#format();
  }

  /** Null while nothing is known of any run. */
  get state(): string | null {
    return this.#text;
  }

  /** True while there may be rows that are not carried. */
  get isActive(): boolean {
    return this.#text !== null;
  }

  /** What becomes of rows of a table: `unclear` when it is a ghost's but for the triggers. */
  rowsOf(schema: string, table: string): 'carried' | 'ghost' | 'unclear' {
    if (this.#isHelper(schema, table)) return 'ghost';
    const ghost = this.#runOfGhost(schema, table);
    if (ghost === undefined) return 'carried';
    return ghost.certain ? 'ghost' : 'unclear';
  }

  /** What becomes of a statement; afterwards `state` is that behind it. */
  take(statement: SourceStatement): OnlineVerdict {
    if (statement.nature !== 'ddl' || !this.#mayConcern(statement.sql.toString('latin1'))) return ORDINARY;
    const read = readDdl(statement, this.#server);
    if (!read.readable) return this.#unreadable(statement);
    const verdict = read.kind === 'none' ? this.#trigger(statement) : this.#definition(statement, read);
    this.#text = this.#format();
    if (this.#text !== null && this.#text.length > MAX_STATE_BYTES)
      return unclear('what is known of online schema changes under way is more than can be kept');
    return verdict;
  }

  #mayConcern(text: string): boolean {
    return HINT.test(text) || this.#state.runs.some((one) => text.includes(asLatin1(one.table)));
  }

  #definition(statement: SourceStatement, read: DdlReading): OnlineVerdict {
    switch (read.kind) {
      case 'create-table-like':
        return this.#createLike(read);
      case 'create-table':
        return this.#create(statement, read);
      case 'alter-table':
      case 'partition':
      case 'create-index':
      case 'drop-index':
        return this.#alter(statement, read);
      case 'drop-table':
        return this.#drop(read);
      case 'rename-table':
        return this.#rename(read);
      default:
        return this.#other(read);
    }
  }

  /** gh-ost: CREATE TABLE _t_gho LIKE t. Names that would be too long are cut in the middle. */
  #createLike(read: DdlReading): OnlineVerdict {
    const [ghost, table] = read.tables;
    if (ghost === undefined || table === undefined) return ORDINARY;
    const middle = /^_(.+)_gho$/.exec(ghost.table)?.[1];
    if (middle === undefined || ghost.schema !== table.schema || !table.table.startsWith(middle))
      return this.#madeAnew(read, ghost);
    if (!this.#tables.matches(table.schema, table.table)) return this.#madeAnew(read, ghost);
    this.#begin('gh-ost', table, ghost.table, { certain: true, foreignKeys: false });
    return PASSED;
  }

  #create(statement: SourceStatement, read: DdlReading): OnlineVerdict {
    const [made] = read.tables;
    if (made === undefined) return ORDINARY;
    const { schema, table } = made;
    const changelog = /^_(.+)_ghc$/.exec(table)?.[1];
    if (changelog !== undefined && this.#tables.matches(schema, changelog))
      return this.#addHelper(schema, table);
    const sentry = /^_(.+?)(?:_\d{14})?_del$/.exec(table)?.[1];
    if (sentry !== undefined && this.#runOf(schema, sentry)?.tool === 'gh-ost')
      return this.#addHelper(schema, table);
    const base = /^_+(.+)_new$/.exec(table)?.[1];
    if (base === undefined || !this.#tables.matches(schema, base) || !isByPercona(statement.sql, made))
      return this.#madeAnew(read, made);
    const foreignKeys = read.tables.some((one) => one.use === 'referenced');
    this.#begin('pt-osc', { schema, table: base }, table, { certain: false, foreignKeys });
    return PASSED;
  }

  /** Somebody's own table: what had that name before is gone. */
  #madeAnew(read: DdlReading, { schema, table }: TablePlace): OnlineVerdict {
    if (!read.conditional) this.#forget(schema, table);
    else if (this.#isKnown({ schema, table })) return PASSED;
    return ORDINARY;
  }

  #begin(
    tool: Run['tool'],
    { schema, table }: { readonly schema: string; readonly table: string },
    ghost: string,
    facts: Pick<Run, 'certain' | 'foreignKeys'>,
  ): void {
    this.#forget(schema, ghost);
    this.#state.runs.push({ tool, schema, table, ghost, alters: [], half: false, ...facts });
    if (this.#state.runs.length > MAX_RUNS) this.#state.runs.shift();
  }

  #alter(statement: SourceStatement, read: DdlReading): OnlineVerdict {
    const [table] = read.tables;
    if (table === undefined) return ORDINARY;
    const to = read.tables.find((one) => one.use === 'renamed-to');
    const ghost = this.#runOfGhost(table.schema, table.table);
    if (to !== undefined) return this.#renameByAlter(read, table, to);
    if (ghost === undefined) return this.#other(read);
    if (read.kind !== 'alter-table' && read.kind !== 'partition')
      return unclear(
        `the ghost ${ghost.schema}.${ghost.ghost} is changed by another statement than ALTER TABLE`,
      );
    ghost.alters.push(keptAlter(statement));
    return PASSED;
  }

  /** gh-ost's exchange in two steps: t → _t_del, then _t_gho → t. */
  #renameByAlter(read: DdlReading, from: TablePlace, to: TablePlace): OnlineVerdict {
    if (read.items.length !== 1) return this.#other(read);
    const leaving = this.#runOf(from.schema, from.table);
    if (leaving !== undefined && leaving.tool === 'gh-ost' && isOldName(leaving, to)) {
      leaving.half = true;
      this.#addHelper(to.schema, to.table);
      return PASSED;
    }
    const ghost = this.#runOfGhost(from.schema, from.table);
    if (ghost?.half === true && to.schema === ghost.schema && to.table === ghost.table) {
      // It is put back when the second step fails: then this is the other way round.
      return this.#exchange(ghost);
    }
    const back = this.#state.runs.find(
      (one) => one.half && one.schema === to.schema && one.table === to.table && isOldName(one, from),
    );
    if (back === undefined) return this.#other(read);
    back.half = false;
    this.#forget(from.schema, from.table);
    return PASSED;
  }

  #rename(read: DdlReading): OnlineVerdict {
    const pairs = read.items.map((_, index) => [read.tables[2 * index], read.tables[2 * index + 1]] as const);
    const [first, second] = pairs;
    const [table, old] = first ?? [];
    const [ghost, back] = second ?? [];
    if (
      pairs.length !== 2 ||
      table === undefined ||
      old === undefined ||
      ghost === undefined ||
      back === undefined
    )
      return this.#other(read);
    if (!isSame(table, back)) return this.#other(read);
    const found = this.#runOfGhost(ghost.schema, ghost.table);
    if (found !== undefined && isSame(found, table) && isOldName(found, old)) {
      const verdict = this.#exchange(found);
      if (verdict.kind !== 'refused') this.#addHelper(old.schema, old.table);
      return verdict;
    }
    const looksLike =
      (ghost.table === `_${table.table}_gho` && /_del$/.test(old.table)) ||
      (/^_+/.test(ghost.table) &&
        ghost.table.replace(/^_+/, '') === `${table.table}_new` &&
        old.table.replace(/^_+/, '') === `${table.table}_old`);
    if (!looksLike || !this.#tables.matches(table.schema, table.table)) return this.#other(read);
    return {
      kind: 'refused',
      code: 'HOLT_DDL_ONLINE_CHANGE_UNSEEN',
      why: `an online schema change of ${table.schema}.${table.table} ends here whose beginning was not read`,
    };
  }

  #exchange(ended: Run): OnlineVerdict {
    const name = `${ended.schema}.${ended.table}`;
    if (!ended.certain)
      return unclear(`${name} is exchanged as pt-online-schema-change does it, but without its triggers`);
    if (ended.foreignKeys)
      return unclear(
        `pt-online-schema-change has given the foreign keys of ${name} other names, and what it made of those that refer to it is not known`,
      );
    this.#forget(ended.schema, ended.ghost);
    if (ended.alters.length === 0) return PASSED;
    const net = netAlter(ended.alters.map(restoredAlter), ended, this.#server);
    return net.kind === 'sql' ? { kind: 'becomes', statement: net.statement } : unclear(net.why);
  }

  #drop(read: DdlReading): OnlineVerdict {
    const known = read.tables.filter((one) => this.#isKnown(one));
    const swapped = read.tables.find((one) => {
      const found = this.#runOf(one.schema, one.table);
      return found !== undefined && (found.half || (found.tool === 'pt-osc' && found.certain));
    });
    if (swapped !== undefined)
      return unclear(
        `${swapped.schema}.${swapped.table} is dropped in the midst of an online schema change of it: its rows may go on in the ghost`,
      );
    if (known.length === 0) return ORDINARY;
    if (known.length < read.tables.length) return unclear('a ghost is dropped together with other tables');
    for (const one of known) this.#forget(one.schema, one.table);
    return PASSED;
  }

  /** TRUNCATE, views: what concerns helpers alone is nothing; a ghost that goes another way is unclear. */
  #other(read: DdlReading): OnlineVerdict {
    const known = read.tables.filter((one) => this.#isKnown(one));
    if (known.length === 0) return ORDINARY;
    const onlyHelpers = read.changes.every((one) => this.#isHelper(one.schema, one.table));
    if (onlyHelpers && read.changes.length > 0) return PASSED;
    const [one] = known;
    return unclear(
      `${one?.schema}.${one?.table} belongs to an online schema change, and becomes something else here`,
    );
  }

  #trigger(statement: SourceStatement): OnlineVerdict {
    const text = statement.sql.toString('latin1');
    if (!/\bTRIGGER\b[^;(]{0,200}\bpt_osc_/i.test(text) || !/^\s*CREATE\b/i.test(text)) return ORDINARY;
    for (const one of this.#state.runs)
      if (one.tool === 'pt-osc' && text.includes(asLatin1(`\`${one.ghost}\``))) one.certain = true;
    return ORDINARY;
  }

  /** Of a statement that names a ghost and cannot be read nobody knows what it does to the run. */
  #unreadable(statement: SourceStatement): OnlineVerdict {
    const text = statement.sql.toString('latin1');
    const ghost = this.#state.runs.find((one) => text.includes(asLatin1(one.ghost)));
    return ghost === undefined
      ? ORDINARY
      : unclear(`a statement about the ghost ${ghost.schema}.${ghost.ghost} cannot be read`);
  }

  #addHelper(schema: string, table: string): OnlineVerdict {
    if (!this.#isHelper(schema, table)) this.#state.helpers.push({ schema, table });
    if (this.#state.helpers.length > MAX_HELPERS) this.#state.helpers.shift();
    return PASSED;
  }

  #forget(schema: string, table: string): void {
    this.#state.runs = this.#state.runs.filter((one) => one.schema !== schema || one.ghost !== table);
    this.#state.helpers = this.#state.helpers.filter((one) => one.schema !== schema || one.table !== table);
  }

  #isKnown({ schema, table }: { readonly schema: string; readonly table: string }): boolean {
    return this.#isHelper(schema, table) || this.#runOfGhost(schema, table) !== undefined;
  }

  #isHelper(schema: string, table: string): boolean {
    return this.#state.helpers.some((one) => one.schema === schema && one.table === table);
  }

  #runOfGhost(schema: string, ghost: string): Run | undefined {
    return this.#state.runs.find((one) => one.schema === schema && one.ghost === ghost);
  }

  #runOf(schema: string, table: string): Run | undefined {
    return this.#state.runs.find((one) => one.schema === schema && one.table === table);
  }

  #format(): string | null {
    const { runs, helpers } = this.#state;
    return runs.length === 0 && helpers.length === 0 ? null : JSON.stringify(this.#state);
  }
}

/** A name as its bytes look when every byte is a character. */
function asLatin1(name: string): string {
  return Buffer.from(name).toString('latin1');
}

function parseState(text: string | null): State {
  const none: State = { version: 1, runs: [], helpers: [] };
  if (text === null) return none;
  try {
    return stateForm.safeParse(JSON.parse(text)).data ?? none;
  } catch {
    return none;
  }
}

/** As SHOW CREATE TABLE gives it, with the name replaced: nobody writes so by hand. */
function isByPercona(sql: Buffer, { schema, table }: TablePlace): boolean {
  const quoted = [schema, table].map((name) => `\`${name.replaceAll('`', '``')}\``).join('.');
  return sql.toString('utf8').startsWith(`CREATE TABLE ${quoted} (\n`);
}

function isOldName(run: Run, old: TablePlace): boolean {
  if (old.schema !== run.schema) return false;
  if (run.tool === 'pt-osc')
    return /^_+/.test(old.table) && old.table.replace(/^_+/, '') === `${run.table}_old`;
  const middle = /^_(.+?)(?:_\d{14})?_del$/.exec(old.table)?.[1];
  return middle !== undefined && run.table.startsWith(middle);
}

function isSame(
  a: { readonly schema: string; readonly table: string },
  b: { readonly schema: string; readonly table: string },
): boolean {
  return a.schema === b.schema && a.table === b.table;
}

function unclear(why: string): OnlineVerdict {
  return { kind: 'refused', code: 'HOLT_DDL_ONLINE_CHANGE_UNCLEAR', why };
}

function keptAlter(statement: SourceStatement): GhostAlter {
  const { schema, sql, sqlMode, charset } = statement;
  return {
    schema,
    sql: sql.toString('base64'),
    sqlMode: sqlMode === null ? null : String(sqlMode),
    charset,
    ...(statement.session === undefined ? {} : { session: statement.session }),
  };
}

function restoredAlter(kept: GhostAlter): SourceStatement {
  return {
    schema: kept.schema,
    sql: Buffer.from(kept.sql, 'base64'),
    threadId: 0,
    nature: 'ddl',
    sqlMode: kept.sqlMode === null ? null : BigInt(kept.sqlMode),
    charset: kept.charset,
    ...(kept.session === undefined ? {} : { session: kept.session as StatementSession }),
  };
}
