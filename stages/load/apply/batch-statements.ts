/**
 * From a batch's rows to the statements that apply them: folded where that is the same as one by one, in order where not.
 *
 * Tables are independent of each other unless foreign keys join them, directly or through others. So every table (or
 * group of joined tables) has its own sequence of statements, and the sequences follow each other.
 */
import { ABSENT_LENGTH } from '../../../canal/value/row-scanner.ts';
import { Breather } from '../../../lib/breather.ts';
import { HoltError } from '../../../lib/errors.ts';
import { PayloadReader } from '../../../model/payload.ts';
import { ROW_FLAG } from '../../../model/rows.ts';
import type { TableRoute } from '../../../model/table-route.ts';
import type { TableShape } from '../../../model/table-shape.ts';
import { DivergenceSignal } from '../load.ts';
import { writeComparisons } from './before-images.ts';
import { type ImageLayout, imageLayout, TableFold } from './fold.ts';
import { OrderedWriter } from './ordered-writer.ts';
import { replacedRows } from './replaced-rows.ts';
import { type RowEventPlan, RowEventWriter } from './row-events.ts';
import { RunWriter } from './run-writer.ts';
import { CHECKS_OFF, type Statement } from './statement.ts';
import type { TablePlan } from './table-plan.ts';
import { definitionQuery } from './target-schema.ts';
import type { TargetTable, TargetTraits } from './target-table.ts';
import { movesUniqueValues } from './unique-moves.ts';

export interface BatchStatementsOptions {
  readonly payload: Buffer;
  readonly routes: readonly TableRoute[];
  readonly traits: TargetTraits;
  readonly plan: (shape: TableShape, route: TableRoute) => Promise<TablePlan>;
  readonly maxStatementBytes: number;
  /** Compare rows with their before images, under lock, before anything is written. */
  readonly compare: boolean;
  /** Why no table is to be folded; absent or null where each may. */
  readonly order?: string | null;
  /** For sessions that take rows as events: the tables for which that is worth it. Absent or null for none. */
  readonly rowEvents?: RowEventUse | null;
  readonly signal: AbortSignal;
}

export interface RowEventUse {
  /** Net changes of a table from which its rows go as events. */
  readonly fromRows: number;
  /** schema.table that the server has refused as events. */
  readonly except: ReadonlySet<string>;
}

export interface BatchStatements {
  readonly statements: readonly Statement[];
  /** True where some of them are events, which the session must take. */
  readonly usesRowEvents: boolean;
  /** Row changes of the source in the payload. */
  readonly rows: number;
  /** Per target table written in order: why it was not folded. */
  readonly ordered: ReadonlyMap<string, string>;
  /** True when a folded table has further unique keys: the server may refuse in this form what it takes in the source's order. */
  readonly mayCollide: boolean;
  /** Set when some row's before image cannot be compared in bulk: the batch must go row by row. */
  readonly mustBeCareful: string | null;
  readonly plans: readonly TablePlan[];
}

/** Rows between two looks at the clock. */
const SLICE_ROWS = 256;

/** All rows of a batch that go to one target table. */
interface Group {
  readonly name: string;
  readonly fold: TableFold;
  readonly foreignKeyGroup: number | null;
  readonly selfReferencing: boolean;
  readonly keyless: boolean;
  rows: number;
  /** Bits that some event, and bits that every event asks to be off. */
  someChecksOff: number;
  everyChecksOff: number;
  order: string | null;
}

export async function batchStatements(options: BatchStatementsOptions): Promise<BatchStatements> {
  const { payload, signal } = options;
  const breather = new Breather();
  const pause = async () => {
    await breather.breathe();
    signal.throwIfAborted();
  };

  // First pass: every row into its table's fold, until that shows that it must not be folded.
  const plans: TablePlan[] = [];
  const groupOf: Group[] = [];
  const groups = new Map<string, Group>();
  let rows = 0;
  const replaced = replacedRows(payload);
  const reader = new PayloadReader(payload);
  for (let record = reader.next(); record !== null; record = reader.next()) {
    if (record === 'table') {
      const plan = await planOf(options, reader.shapes[reader.table], reader.table);
      const key = `${plan.target.schema}\0${plan.target.name}`;
      const group = groups.get(key) ?? newGroup(plan, payload);
      groups.set(key, group);
      plans.push(plan);
      groupOf.push(group);
    } else if (record === 'rows') {
      const [plan, group] = [plans[reader.table], groupOf[reader.table]];
      if (plan === undefined || group === undefined) continue;
      rows += reader.rows;
      group.rows += reader.rows;
      const off = checksOff(reader.flags, replaced.has(reader.dataStart));
      group.someChecksOff |= off;
      group.everyChecksOff &= off;
      if ((reader.flags & ROW_FLAG.partialJson) !== 0)
        group.fold.giveUp('a JSON document is changed in part');
      const { fold } = group;
      if (fold.reason !== null) continue;
      const before = reader.before === null ? -1 : fold.layout(plan, reader.before);
      const after = reader.after === null ? -1 : fold.layout(plan, reader.after);
      let at = reader.dataStart;
      for (let left = reader.rows; left > 0 && fold.reason === null; left -= SLICE_ROWS) {
        at = fold.feed(reader.op, before, after, at, reader.dataEnd, Math.min(left, SLICE_ROWS));
        if (breather.due()) await pause();
      }
      if (fold.reason === null && at !== reader.dataEnd) throw surplus(plan);
    }
  }

  try {
    return { rows, plans, ...(await writeGroups(options, plans, groupOf, groups, breather, pause)) };
  } catch (error) {
    // A value that must not stand in a statement: row by row it is told from the others.
    if (!(error instanceof DivergenceSignal)) throw error;
    const mustBeCareful = error.message;
    const nothing = { statements: [], usesRowEvents: false, ordered: new Map(), mayCollide: false };
    return { ...nothing, rows, mustBeCareful, plans };
  }
}

/** Second pass: the folded rows, or the rows in order, as statements. */
async function writeGroups(
  options: BatchStatementsOptions,
  plans: readonly TablePlan[],
  groupOf: readonly Group[],
  groups: ReadonlyMap<string, Group>,
  breather: Breather,
  pause: () => Promise<void>,
): Promise<Omit<BatchStatements, 'rows' | 'plans'>> {
  const { payload, traits } = options;
  for (const group of groups.values()) {
    group.order =
      options.order ?? group.fold.reason ?? checksReason(group, traits) ?? foreignKeyReason(group, groups);
    if (group.order === null && (await movesUniqueValues(group.fold, breather, pause)))
      group.order = 'a value of a unique key goes from one row to another';
    if (breather.due()) await pause();
  }

  const statements: Statement[] = [];
  const emit = (statement: Statement) => statements.push(statement);
  const writerOptions = { traits, payload, maxStatementBytes: options.maxStatementBytes };
  let mustBeCareful: string | null = null;
  if (options.compare)
    for (const group of groups.values()) {
      // Without a key, every statement looks for rows that are just as their images say.
      if (group.keyless) continue;
      if (group.fold.reason !== null) mustBeCareful ??= `${group.name}: ${group.fold.reason}`;
      else await writeComparisons({ fold: group.fold, ...writerOptions, emit, breather, pause });
    }

  // Folded tables, each by itself.
  const writer = new RunWriter({ ...writerOptions, emit });
  const { rowEvents = null } = options;
  const events = rowEvents === null ? null : new RowEventWriter({ ...writerOptions, emit });
  const asEvents = new Map<string, TargetTable>();
  for (const group of groups.values()) {
    if (group.order !== null) continue;
    const mayUse =
      rowEvents !== null && group.fold.size >= rowEvents.fromRows && !rowEvents.except.has(group.name);
    const used = await writeFold(group, writer, mayUse ? events : null, breather, pause);
    if (used !== null) asEvents.set(group.name, used);
  }
  for (const statement of expectations([...asEvents.values()], traits)) emit(statement);

  // The others: one sequence for tables that foreign keys join.
  const ordered = [...groups.values()].filter((group) => group.order !== null);
  if (ordered.length > 0) {
    const sequences = new Map<
      string,
      { writer: RunWriter; ordered: OrderedWriter; statements: Statement[] }
    >();
    const sequenceOf = (group: Group) => {
      const key = group.foreignKeyGroup === null ? group.name : String(group.foreignKeyGroup);
      let sequence = sequences.get(key);
      if (sequence === undefined) {
        const own: Statement[] = [];
        const runs = new RunWriter({ ...writerOptions, emit: (statement) => own.push(statement) });
        sequence = {
          writer: runs,
          ordered: new OrderedWriter({ payload, writer: runs, traits }),
          statements: own,
        };
        sequences.set(key, sequence);
      }
      return sequence;
    };
    const layouts = new LayoutCache();
    const replaced = replacedRows(payload);
    const again = new PayloadReader(payload);
    for (let record = again.next(); record !== null; record = again.next()) {
      if (record !== 'rows') continue;
      const [plan, group] = [plans[again.table], groupOf[again.table]];
      if (plan === undefined || group === undefined || group.order === null) continue;
      const { ordered: target } = sequenceOf(group);
      const before = again.before === null ? null : layouts.of(plan, again.before);
      const after = again.after === null ? null : layouts.of(plan, again.after);
      const off = checksOff(again.flags, replaced.has(again.dataStart));
      let at = again.dataStart;
      for (let left = again.rows; left > 0; left -= SLICE_ROWS) {
        at = target.write(
          again.op,
          before,
          after,
          at,
          again.dataEnd,
          Math.min(left, SLICE_ROWS),
          off,
          again.flags,
        );
        if (breather.due()) await pause();
      }
      if (at !== again.dataEnd) throw surplus(plan);
    }
    for (const sequence of sequences.values()) {
      sequence.writer.flush();
      statements.push(...sequence.statements);
    }
  }
  return {
    statements,
    usesRowEvents: asEvents.size > 0,
    ordered: new Map(ordered.map((group) => [group.name, group.order ?? ''])),
    mayCollide: [...groups.values()].some(
      (group) =>
        group.order === null && group.fold.plans.some(({ secondaryKeys }) => secondaryKeys.length > 0),
    ),
    mustBeCareful,
  };
}

/**
 * DELETE, absence check, UPDATE, INSERT: see `fold.ts` for why in this order. With `events`, what can goes as such; then it gives the table,
 * else null.
 */
async function writeFold(
  group: Group,
  writer: RunWriter,
  events: RowEventWriter | null,
  breather: Breather,
  pause: () => Promise<void>,
): Promise<TargetTable | null> {
  const { fold } = group;
  const off = group.someChecksOff;
  const plans = fold.plans;
  let asEvents: TargetTable | null = null;
  const span = { start: 0, end: 0 };
  /** How the entry goes as an event, its whole row being `span`; null where it does not. */
  const wholeAsEvent = (entry: number, plan: TablePlan): RowEventPlan | null =>
    events !== null &&
    plan.rowEvents !== null &&
    fold.wholeImage(entry, span) &&
    events.fits(span.end - span.start)
      ? plan.rowEvents
      : null;
  const inPhase = async (
    kind: ReturnType<TableFold['change']>,
    write: (entry: number, plan: TablePlan) => void,
  ) => {
    // Rows of several sources may go to one table: the rows of each source together.
    for (const plan of plans) {
      for (let entry = 0; entry < fold.size; entry++) {
        if ((entry & (SLICE_ROWS - 1)) === 0 && breather.due()) await pause();
        if (fold.change(entry) === kind && fold.planOf(entry) === plan) write(entry, plan);
      }
    }
    // Of what comes next, nothing may overtake what is open here.
    writer.flush();
    events?.flush();
  };
  await inPhase('delete', (entry, plan) => {
    if (events === null || plan.rowEvents === null) writer.delete(plan, fold.keyImage(entry), off);
    else {
      asEvents = plan.target;
      events.delete(plan, plan.rowEvents, fold.keyImage(entry));
    }
  });
  await inPhase('nothing', (entry, plan) => writer.absence(plan, fold.keyImage(entry), off));
  const partial = new Map<number | string, number[]>();
  await inPhase('update', (entry, plan) => {
    const event = wholeAsEvent(entry, plan);
    if (event !== null) {
      asEvents = plan.target;
      events?.update(plan, event, fold.keyImage(entry), span.start, span.end);
    } else if (plan.mayUpsert && fold.isFull(entry)) writer.upsert(plan, fold.finalImage(entry), off);
    else {
      const columns = columnsOf(fold, entry);
      const same = partial.get(columns);
      if (same === undefined) partial.set(columns, [entry]);
      else same.push(entry);
    }
  });
  // Rows that get values in the same columns share statements; the order of updates does not matter here.
  for (const entries of partial.values())
    for (const [i, entry] of entries.entries()) {
      if ((i & (SLICE_ROWS - 1)) === 0 && breather.due()) await pause();
      writer.patch(fold.planOf(entry), fold.finalImage(entry), off, () => fold.keyImage(entry));
    }
  writer.flush();
  await inPhase('insert', (entry, plan) => {
    const event = wholeAsEvent(entry, plan);
    if (event === null) writer.insert(plan, fold.finalImage(entry), off);
    else {
      asEvents = plan.target;
      events?.insert(plan, event, span.start, span.end);
    }
  });
  return asEvents;
}

/**
 * What must be so for the events to have done what they say, asked when they hold the locks of their tables: definitions that are
 * the ones planned by, and on MariaDB, where it is a setting of the server, that missing rows are errors.
 */
function expectations(tables: readonly TargetTable[], traits: TargetTraits): Statement[] {
  if (tables.length === 0) return [];
  const ask = (sql: string, expected: NonNullable<Statement['expected']>, table: string): Statement => ({
    kind: 'expect',
    sql: Buffer.from(sql),
    rows: 0,
    checksOff: CHECKS_OFF.none,
    table,
    expected,
  });
  const questions = tables.map((table) =>
    ask(
      definitionQuery(table.schema, table.name),
      { of: 'definition', text: table.definition?.text ?? '' },
      `${table.schema}.${table.name}`,
    ),
  );
  if (traits.flavour === 'mariadb')
    questions.push(
      ask("SELECT 'slave_exec_mode', @@GLOBAL.slave_exec_mode", { of: 'setting', text: 'STRICT' }, ''),
    );
  return questions;
}

/** The same for entries whose images have the same columns. */
function columnsOf(fold: TableFold, entry: number): number | string {
  const only = fold.onlyLayout(entry);
  if (only >= 0) return only;
  const { lengths } = fold.finalImage(entry);
  return fold
    .planOf(entry)
    .columns.map(({ index }) => (lengths[index] === ABSENT_LENGTH ? '0' : '1'))
    .join('');
}

/**
 * One statement has its checks on or off for all of its rows: what some events ask for, the others' rows must not get, for what a
 * check would have found at the target would go unseen.
 */
function checksReason(group: Group, traits: TargetTraits): string | null {
  if (group.rows === 0) return null;
  const matters =
    (group.foreignKeyGroup === null ? 0 : CHECKS_OFF.foreignKeys) |
    (traits.flavour === 'mariadb' ? CHECKS_OFF.checkConstraints : 0);
  return ((group.someChecksOff ^ group.everyChecksOff) & matters) === 0
    ? null
    : 'checks are off for some of its changes only';
}

/** Why foreign keys want the table's changes in the source's order; null if they do not. */
function foreignKeyReason(group: Group, groups: ReadonlyMap<string, Group>): string | null {
  if (group.foreignKeyGroup === null) return null;
  const joined = [...groups.values()].filter((other) => other.foreignKeyGroup === group.foreignKeyGroup);
  // Nothing is checked and nothing cascades where the events themselves say so.
  if (joined.every((other) => (other.everyChecksOff & CHECKS_OFF.foreignKeys) !== 0)) return null;
  if (joined.length > 1) return 'foreign keys join it with another table of the batch';
  if (group.selfReferencing) return 'a foreign key joins its own rows';
  // Alone in the batch: what a cascade would do is decided by what remains of each row (the fold refuses to delete and
  // insert, and to change what is pointed to).
  return null;
}

async function planOf(
  options: BatchStatementsOptions,
  shape: TableShape | undefined,
  table: number,
): Promise<TablePlan> {
  const route = options.routes.find((one) => one.table === table);
  if (shape === undefined || route === undefined)
    throw new HoltError('HOLT_PAYLOAD_CORRUPT', `table ${table} of a batch has no route`, {
      disposition: 'rewind',
    });
  return options.plan(shape, route);
}

function newGroup(plan: TablePlan, payload: Buffer): Group {
  const { target } = plan;
  return {
    name: `${target.schema}.${target.name}`,
    fold: new TableFold(payload),
    foreignKeyGroup: target.foreignKeyGroup,
    selfReferencing: target.selfReferencing,
    keyless: plan.identity.length === 0,
    rows: 0,
    someChecksOff: 0,
    everyChecksOff: ~0,
    order: null,
  };
}

/**
 * What an event asks to be off (`CHECKS_OFF` bits); `isReplaced` as `replacedRows` has it.
 *
 * RELAXED_UNIQUE_CHECKS is not honoured: it allows the server to look less closely, and a target that has diverged would take a
 * second row with the same value without a word.
 */
export function checksOff(flags: number, isReplaced: boolean): number {
  return (
    ((flags & ROW_FLAG.noForeignKeyChecks) !== 0 || isReplaced ? CHECKS_OFF.foreignKeys : 0) |
    ((flags & ROW_FLAG.noCheckConstraintChecks) !== 0 ? CHECKS_OFF.checkConstraints : 0)
  );
}

function surplus(plan: TablePlan): HoltError {
  return new HoltError(
    'HOLT_PAYLOAD_CORRUPT',
    `a batch has more bytes of ${plan.shape.schema}.${plan.shape.table} than rows`,
    { disposition: 'rewind' },
  );
}

/** Layouts by plan and bitmap; events mostly come with the same two. */
export class LayoutCache {
  readonly #layouts = new Map<TablePlan, ImageLayout[]>();

  of(plan: TablePlan, present: Uint8Array): ImageLayout {
    const known = this.#layouts.get(plan) ?? [];
    const same = known.find((layout) => Buffer.compare(layout.present, present) === 0);
    if (same !== undefined) return same;
    const layout = imageLayout(plan, present);
    known.push(layout);
    this.#layouts.set(plan, known);
    return layout;
  }
}
