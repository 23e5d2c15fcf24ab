/**
 * The careful way: the batch row by row, in the source's order, each row looked at where it is not as its images promise.
 * What is found goes to the ledger, in the same transaction, and the side that wins has its version made true.
 */

import { ABSENT_LENGTH } from '../../../canal/value/row-scanner.ts';
import { Breather } from '../../../lib/breather.ts';
import { ByteSink } from '../../../lib/byte-sink.ts';
import { HoltError } from '../../../lib/errors.ts';
import { PayloadReader } from '../../../model/payload.ts';
import { ROW_FLAG, type RowOp } from '../../../model/rows.ts';
import type { TransformedBatch } from '../../stage.ts';
import type { LedgerKind, LedgerWriter } from '../ledger-contract.ts';
import type { ApplyResult } from '../load.ts';
import { LENIENT_SQL_MODE, SQL_MODE } from '../target/session-settings.ts';
import type { TargetConnection } from '../target/target-connection.ts';
import { checksOff, LayoutCache } from './batch-statements.ts';
import { type EqualKeyChange, equalKeyChange, writeEqualKeys } from './equal-keys.ts';
import { writeExactMatch } from './exact-match.ts';
import { type ImageLayout, keptImage, type RowImage } from './fold.ts';
import { countErrorLabels, hasFilledUp, hasForeignBytes } from './foreign-bytes.ts';
import { replacedRows } from './replaced-rows.ts';
import { foundColumns, foundJson, keyJson } from './row-json.ts';
import { checkPacket, RowTooLargeSignal } from './row-too-large.ts';
import { RunWriter } from './run-writer.ts';
import { ERRNO, errnoOf, isTextRefused, isValueRefused } from './server-error.ts';
import type { SessionChecks } from './session-checks.ts';
import { CHECKS_OFF, type Statement } from './statement.ts';
import type { SecondaryKey, TablePlan } from './table-plan.ts';
import type { TargetTraits } from './target-table.ts';

export interface CarefulOptions {
  readonly batch: TransformedBatch;
  /** By table number of the payload. */
  readonly plans: readonly TablePlan[];
  readonly traits: TargetTraits;
  readonly connection: TargetConnection;
  readonly checks: SessionChecks;
  readonly ledger: LedgerWriter;
  /** Compare UPDATE's and DELETE's before images with what is there. */
  readonly detect: boolean;
  /** Who wins where the rows differ. */
  readonly sourceWins: boolean;
  readonly signal: AbortSignal;
}

/** One row change, by its places in the payload. */
interface Change {
  readonly plan: TablePlan;
  readonly op: RowOp;
  readonly flags: number;
  /** See `replacedRows`. */
  readonly isReplaced: boolean;
  readonly table: number;
  readonly before: ImageLayout | null;
  readonly after: ImageLayout | null;
  /** Where the before image begins, the after image, and the next row; an insert has no before image. */
  readonly at: number;
  readonly middle: number;
  readonly next: number;
  readonly gtid: string;
  readonly commitUs: number;
}

/** How the server answered: rows found, or the divergence that its error number names. */
type Answer = { readonly rows: number } | { readonly problem: Problem };
type Problem = 'duplicate' | 'no-parent' | 'has-children' | 'foreign-bytes';

/** What stands at the target. */
interface Found {
  /** Byte for byte the before image. */
  readonly same: boolean;
  readonly json: string;
}

export class CarefulApplier {
  readonly #options: CarefulOptions;
  readonly #payload: Buffer;
  readonly #writer: RunWriter;
  readonly #sink = new ByteSink(4096);
  #built: Statement | null = null;
  #statements = 0;
  #ledgered = 0;
  #deadLetters = 0;
  readonly #applied: Record<RowOp, number> = { insert: 0, update: 0, delete: 0 };

  constructor(options: CarefulOptions) {
    this.#options = options;
    this.#payload = options.batch.payload;
    this.#writer = new RunWriter({
      traits: options.traits,
      payload: this.#payload,
      maxStatementBytes: 1,
      emit: (statement) => {
        this.#built = statement;
      },
    });
  }

  async run(): Promise<ApplyResult> {
    const { plans, signal } = this.#options;
    const breather = new Breather();
    const layouts = new LayoutCache();
    const replaced = replacedRows(this.#payload);
    const reader = new PayloadReader(this.#payload);
    let rows = 0;
    for (let record = reader.next(); record !== null; record = reader.next()) {
      if (record !== 'rows') continue;
      const plan = plans[reader.table];
      if (plan === undefined) continue;
      const before = reader.before === null ? null : layouts.of(plan, reader.before);
      const after = reader.after === null ? null : layouts.of(plan, reader.after);
      const { op, flags, table, gtid, commitUs, dataEnd } = reader;
      const isReplaced = replaced.has(reader.dataStart);
      let at = reader.dataStart;
      for (let i = 0; i < reader.rows; i++) {
        signal.throwIfAborted();
        const { scanner } = plan;
        const middle = before === null ? at : scanner.skip(this.#payload, at, dataEnd, before.present);
        const partial = (flags & ROW_FLAG.partialJson) !== 0;
        const next =
          after === null ? middle : scanner.skip(this.#payload, middle, dataEnd, after.present, partial);
        const places = { at, middle, next };
        await this.#change({ plan, op, flags, isReplaced, table, before, after, ...places, gtid, commitUs });
        at = next;
        rows += 1;
        if (breather.due()) await breather.breathe();
      }
    }
    await this.#options.checks.set(this.#options.connection, CHECKS_OFF.none, this.#options.traits);
    return {
      rows,
      inserted: this.#applied.insert,
      updated: this.#applied.update,
      deleted: this.#applied.delete,
      statements: this.#statements,
      ledgered: this.#ledgered,
      ...(this.#deadLetters === 0 ? {} : { deadLetters: this.#deadLetters }),
      careful: true,
    };
  }

  async #change(change: Change): Promise<void> {
    // Servers fill such values up, and would store or find others.
    if (change.after !== null && hasFilledUp(change.plan.columns, this.#after(change)))
      return this.#record(change, 'foreign-bytes', false, null);
    if (change.before !== null && this.#isFilledUp(change, change.before, this.#before(change)))
      return change.op === 'delete'
        ? this.#record(change, 'delete-missing', true, null)
        : this.#updateMissing(change);
    try {
      await this.#apply(change);
    } catch (error) {
      // Statements are built before anything of the change is written.
      if (!(error instanceof RowTooLargeSignal)) throw error;
      await this.#record(change, 'row-too-large', false, null);
    }
  }

  #apply(change: Change): Promise<void> {
    switch (change.op) {
      case 'insert':
        return this.#insert(change);
      case 'update':
        return this.#update(change);
      case 'delete':
        return this.#delete(change);
      default:
        return change.op satisfies never;
    }
  }

  /** True where the values by which the row is looked for hold half a character: no row at the target has them. */
  #isFilledUp({ plan }: Change, layout: ImageLayout, image: RowImage): boolean {
    return hasFilledUp(layout.identified ? plan.identity : plan.columns, image);
  }

  async #insert(change: Change): Promise<void> {
    if (change.after?.identified === true && this.#options.detect) {
      const found = await this.#look(change, 'after');
      if (found !== null) return this.#insertPresent(change, found);
    }
    const answer = await this.#answer(change, this.#insertStatement(change, this.#after(change)));
    if ('rows' in answer) {
      this.#applied.insert += 1;
      return;
    }
    if (answer.problem === 'duplicate' && change.after?.identified === true) {
      const found = await this.#look(change, 'after');
      if (found !== null) return this.#insertPresent(change, found);
    }
    await this.#obstacle(change, answer.problem, 'insert');
  }

  /** The row is there: it becomes what the source inserted, or stays. */
  async #insertPresent(change: Change, found: Found): Promise<void> {
    const statement = this.#options.sourceWins ? this.#overwriteStatement(change) : null;
    await this.#record(change, 'insert-present', statement !== null, found.json);
    if (statement === null) return;
    const answer = await this.#answer(change, statement);
    if ('rows' in answer) this.#applied.update += 1;
    else await this.#obstacle(change, answer.problem, 'overwrite');
  }

  async #update(change: Change): Promise<void> {
    if (this.#options.detect) {
      const found = await this.#look(change, 'before');
      if (found === null) return this.#updateMissing(change);
      if (!found.same) {
        const stands = this.#options.sourceWins;
        if (stands) this.#updateStatement(change);
        await this.#record(change, 'update-differs', stands, found.json);
        if (!stands) return;
      }
    }
    const answer = await this.#answer(change, this.#updateStatement(change));
    if ('problem' in answer) return this.#obstacle(change, answer.problem, 'update');
    if (answer.rows === 0) return this.#updateMissing(change);
    this.#mustBeOne(change, answer.rows);
    this.#applied.update += 1;
  }

  async #updateMissing(change: Change): Promise<void> {
    const row = this.#wholeRow(change);
    // A row that is known in part only cannot be made, nor one with half a character.
    const made = this.#options.sourceWins && row !== null && !hasFilledUp(change.plan.columns, row);
    const statement = made ? this.#insertStatement(change, row) : null;
    await this.#record(change, 'update-missing', made, null);
    if (statement === null) return;
    const answer = await this.#answer(change, statement);
    if ('rows' in answer) this.#applied.insert += 1;
    else await this.#obstacle(change, answer.problem, 'insert');
  }

  async #delete(change: Change): Promise<void> {
    if (this.#options.detect) {
      const found = await this.#look(change, 'before');
      if (found === null) return this.#record(change, 'delete-missing', true, null);
      if (!found.same) {
        await this.#record(change, 'delete-differs', this.#options.sourceWins, found.json);
        if (!this.#options.sourceWins) return;
      }
    }
    const answer = await this.#answer(change, this.#deleteStatement(change));
    if ('problem' in answer) return this.#obstacle(change, answer.problem, 'delete');
    if (answer.rows === 0) return this.#record(change, 'delete-missing', true, null);
    this.#mustBeOne(change, answer.rows);
    this.#applied.delete += 1;
  }

  /** What stands in the way of a change that the source could make: other rows, or none where there should be one. */
  async #obstacle(
    change: Change,
    problem: Problem,
    how: 'insert' | 'overwrite' | 'update' | 'delete',
  ): Promise<void> {
    const { sourceWins } = this.#options;
    const statement = () => {
      if (how === 'update') return this.#updateStatement(change);
      if (how === 'delete') return this.#deleteStatement(change);
      if (how === 'overwrite') return this.#overwriteStatement(change);
      return this.#insertStatement(change, this.#wholeRow(change) ?? this.#after(change));
    };
    let now: Answer = { problem };
    let off = checksOff(change.flags, change.isReplaced);
    // Each unique key can have one row in the way, and the parent may be missing on top.
    for (let tries = change.plan.secondaryKeys.length + 3; tries > 0; tries--) {
      if ('rows' in now) {
        this.#mustBeOne(change, now.rows);
        this.#applied[how === 'overwrite' ? 'update' : how] += 1;
        return;
      }
      switch (now.problem) {
        case 'has-children':
          // They would be orphans: the row stays, and the change waits in the ledger.
          await this.#record(change, 'children-left', false, null);
          return;
        case 'foreign-bytes':
          await this.#record(change, 'foreign-bytes', false, null);
          return;
        case 'no-parent':
          await this.#record(change, 'parent-missing', sourceWins, null);
          if (!sourceWins) return;
          off |= CHECKS_OFF.foreignKeys;
          break;
        case 'duplicate':
          if (!(await this.#clearUniqueValues(change))) return;
          break;
        default:
          now.problem satisfies never;
      }
      now = await this.#answer(change, statement(), off);
    }
    throw this.#unclear(change);
  }

  /** Finds the rows that hold the unique values this change takes; true when they are gone and the change can go on. */
  async #clearUniqueValues(change: Change): Promise<boolean> {
    const { plan } = change;
    const { sourceWins, connection } = this.#options;
    const row = this.#wholeRow(change) ?? keptImage(this.#after(change));
    const identity: SecondaryKey = {
      name: 'identity',
      number: -1,
      indexes: plan.identity.length > 0 ? plan.identity.map(({ index }) => index) : null,
    };
    let cleared = false;
    for (const key of [identity, ...plan.secondaryKeys]) {
      const condition = this.#uniqueCondition(change, key, row);
      if (condition === null) continue;
      this.#statements += 1;
      const rows = await connection.rows(
        this.#sql(`SELECT ${foundColumns(plan)} FROM ${plan.quotedTable} WHERE `, condition, ' FOR UPDATE'),
      );
      for (const found of rows)
        await this.#record(change, 'unique-taken', sourceWins, foundJson(plan, found));
      if (rows.length === 0) continue;
      if (!sourceWins) return false;
      this.#statements += 1;
      await connection.execute(this.#sql(`DELETE FROM ${plan.quotedTable} WHERE `, condition, ''));
      cleared = true;
    }
    if (!cleared) throw this.#unclear(change);
    return true;
  }

  /** Rows other than the changed one with the key's values in `row`; null where they are not known, or NULL, which collides with nothing. */
  #uniqueCondition(change: Change, key: SecondaryKey, row: RowImage): Buffer | null {
    const { plan } = change;
    const { indexes } = key;
    if (indexes === null || indexes.some((index) => (row.lengths[index] as number) < 0)) return null;
    const sink = this.#sink;
    sink.reset();
    const parts = plan.columns.filter(({ index }) => indexes.includes(index));
    this.#writer.writeEquals(sink, parts, row);
    if (change.before?.identified === true) {
      sink.latin1(' AND NOT (');
      this.#writer.writeKeyCondition(sink, plan, this.#before(change));
      sink.byte(0x29);
    }
    return sink.take();
  }

  /** The row that the image's key names (or, without a key, one that is all the image says), locked. */
  async #look(change: Change, which: 'before' | 'after'): Promise<Found | null> {
    const { plan } = change;
    const { connection } = this.#options;
    const layout = which === 'before' ? change.before : change.after;
    const image = which === 'before' ? this.#before(change) : this.#after(change);
    const sink = this.#sink;
    sink.reset();
    sink.latin1('SELECT (');
    writeExactMatch(sink, plan, image, this.#payload);
    sink.utf8(`),${foundColumns(plan)} FROM ${plan.quotedTable} WHERE `);
    if (layout?.identified === true) this.#writer.writeKeyCondition(sink, plan, image);
    else {
      writeExactMatch(sink, plan, image, this.#payload);
      sink.latin1(' LIMIT 1');
    }
    sink.latin1(' FOR UPDATE');
    checkPacket(tableOf(plan), sink.length, this.#options.traits.maxAllowedPacket);
    this.#statements += 1;
    const [row] = await connection.rows(sink.take());
    if (row === undefined) return null;
    const [same, ...columns] = row;
    return { same: same?.toString('latin1') === '1', json: foundJson(plan, columns) };
  }

  async #answer(
    change: Change,
    statement: Statement,
    off = checksOff(change.flags, change.isReplaced),
  ): Promise<Answer> {
    const { connection, checks, traits } = this.#options;
    await this.#equalKeys(change, statement, off);
    await checks.set(connection, off, traits);
    this.#statements += 1;
    try {
      return { rows: await this.#execute(change, statement) };
    } catch (error) {
      const errno = errnoOf(error);
      switch (errno) {
        case ERRNO.duplicateEntry:
        case ERRNO.duplicateEntryNamed:
          return { problem: 'duplicate' };
        case ERRNO.noReferencedRow:
        case ERRNO.noReferencedRowOld:
          return { problem: 'no-parent' };
        case ERRNO.rowIsReferenced:
        case ERRNO.rowIsReferencedOld:
          return { problem: 'has-children' };
        default:
          if (errno !== null && isTextRefused(errno) && this.#writesForeignBytes(change, statement))
            return { problem: 'foreign-bytes' };
          throw this.#refusal(change, error);
      }
    }
  }

  /** What must go before an UPDATE of values that foreign keys point to. */
  async #equalKeys(change: Change, statement: Statement, off: number): Promise<void> {
    const { connection, checks, traits } = this.#options;
    const equal = statement.kind === 'update' ? this.#equalKeyChange(change, off) : null;
    if (equal === null) return;
    const statements: Statement[] = [];
    writeEqualKeys(equal, {
      writer: new RunWriter({
        traits,
        payload: this.#payload,
        maxStatementBytes: 1,
        emit: (one) => statements.push(one),
      }),
      payload: this.#payload,
      flags: change.flags,
      checksOff: off,
      where: (sink) => {
        if (change.before?.identified === true)
          this.#writer.writeKeyCondition(sink, change.plan, equal.before);
        else this.#match(sink, change, equal.before, equal);
      },
    });
    for (const one of statements) {
      await checks.set(connection, one.checksOff, traits);
      this.#statements += 1;
      await connection.execute(one.sql);
    }
  }

  #equalKeyChange(
    { op, flags, before, after, at, middle, next }: Change,
    off: number,
  ): EqualKeyChange | null {
    if (op !== 'update' || before === null || after === null) return null;
    return equalKeyChange(
      { before, after, at, middle, next },
      this.#payload,
      flags,
      off,
      this.#options.traits,
    );
  }

  #writesForeignBytes(change: Change, statement: Statement): boolean {
    const row = this.#written(change, statement);
    return row !== null && hasForeignBytes(change.plan, row, this.#payload);
  }

  /** The values that a statement stores; null for one that stores none. */
  #written(change: Change, { kind }: Statement): RowImage | null {
    if (kind === 'insert') return this.#wholeRow(change) ?? this.#after(change);
    return kind === 'update' ? this.#after(change) : null;
  }

  /**
   * Rows affected. A strict session refuses the error value of an ENUM: such a row goes through one that only warns, and
   * its warnings must be those of the error values and no others.
   */
  async #execute(change: Change, statement: Statement): Promise<number> {
    const { connection } = this.#options;
    const row = this.#written(change, statement);
    const zeros = row === null ? 0 : countErrorLabels(change.plan, row, this.#payload);
    if (zeros === 0) return (await connection.execute(statement.sql)).affectedRows;
    await connection.execute(`SET SESSION sql_mode = '${LENIENT_SQL_MODE}'`);
    try {
      const { affectedRows, warningCount } = await connection.execute(statement.sql);
      if (affectedRows > 0 && warningCount !== zeros) throw this.#refused(change, `${warningCount} warnings`);
      return affectedRows;
    } finally {
      if (connection.usable) await connection.execute(`SET SESSION sql_mode = '${SQL_MODE}'`);
    }
  }

  /** A value that the target does not take stops the pipeline: nothing may be cut to fit. */
  #refusal(change: Change, error: unknown): unknown {
    const errno = errnoOf(error);
    if (errno === null || !isValueRefused(errno)) return error;
    return this.#refused(change, `server error ${errno}`, error);
  }

  #refused(change: Change, how: string, cause?: unknown): HoltError {
    const table = tableOf(change.plan);
    const errno = errnoOf(cause);
    return new HoltError(
      'HOLT_TARGET_VALUE_REFUSED',
      `${table} at the target refuses a value that the source ${change.op === 'insert' ? 'inserted' : 'wrote'} (${how})`,
      {
        disposition: 'retry',
        remedy: `Compare the columns of ${table} at both sides: types, lengths, character sets, CHECK constraints; Holt tries again by itself.`,
        facts: { table, gtid: change.gtid, ...(errno === null ? {} : { errno }) },
        ...(cause === undefined ? {} : { cause }),
      },
    );
  }

  /** Without a key, an image of some columns may fit several rows: which one is meant cannot be said. */
  #mustBeOne(change: Change, rows: number): void {
    if (rows === 1) return;
    throw new HoltError(
      'HOLT_TARGET_ROW_AMBIGUOUS',
      `${rows} rows of ${tableOf(change.plan)} at the target fit one ${change.op} of the source`,
      {
        disposition: 'retry',
        remedy: `Give ${tableOf(change.plan)} a primary key at both sides, or set binlog_row_image=FULL at the source; remove surplus rows at the target; Holt tries again by itself.`,
        facts: { table: tableOf(change.plan), rows, gtid: change.gtid },
      },
    );
  }

  #unclear(change: Change): HoltError {
    return new HoltError(
      'HOLT_TARGET_UNIQUE_CONFLICT',
      `a unique key of ${tableOf(change.plan)} at the target refuses a row of the source, and the row in the way cannot be found`,
      {
        disposition: 'retry',
        remedy: `Compare the unique keys of ${tableOf(change.plan)} at both sides; remove the row in the way; Holt tries again by itself.`,
        facts: { table: tableOf(change.plan), gtid: change.gtid },
      },
    );
  }

  async #record(
    change: Change,
    kind: LedgerKind,
    sourceStands: boolean,
    found: string | null,
  ): Promise<void> {
    const { batch, connection, ledger } = this.#options;
    const { plan, op, flags, table, before, after, at, next, gtid, commitUs } = change;
    const route = batch.routes.find((one) => one.table === table);
    if (route === undefined) return;
    this.#ledgered += 1;
    if (kind === 'foreign-bytes' || kind === 'row-too-large') this.#deadLetters += 1;
    const layout = before ?? after;
    const rowKey =
      layout === null
        ? '{}'
        : keyJson(plan, before === null ? this.#after(change) : this.#before(change), this.#payload);
    await ledger.append(connection, batch.header, {
      kind,
      decision: sourceStands ? 'source' : 'target',
      op,
      flags,
      shape: plan.shape,
      route,
      before: before?.present ?? null,
      after: after?.present ?? null,
      data: this.#payload.subarray(at, next),
      gtid,
      commitUs,
      rowKey,
      found,
      why: WHY[kind],
    });
  }

  #before(change: Change): RowImage {
    const { plan, before, at, next } = change;
    if (before !== null) plan.scanner.scan(this.#payload, at, next, before.present);
    return plan.scanner;
  }

  #after(change: Change): RowImage {
    const { plan, after, middle, next, flags } = change;
    if (after === null) return plan.scanner;
    if ((flags & ROW_FLAG.partialJson) === 0) plan.scanner.scan(this.#payload, middle, next, after.present);
    else plan.scanner.scanPartial(this.#payload, middle, next, after.present);
    return plan.scanner;
  }

  /** The row after the change in all its columns, from both images; null when they do not have them all. An insert's lacking columns have defaults. */
  #wholeRow(change: Change): RowImage | null {
    const { plan, op, flags } = change;
    const after = keptImage(this.#after(change));
    if (op === 'insert') return after;
    if ((flags & ROW_FLAG.partialJson) !== 0) return null;
    const before = this.#before(change);
    for (const { index } of plan.columns) {
      if (after.lengths[index] !== ABSENT_LENGTH) continue;
      after.lengths[index] = before.lengths[index] as number;
      after.offsets[index] = before.offsets[index] as number;
      if (after.lengths[index] === ABSENT_LENGTH) return null;
    }
    return after;
  }

  #insertStatement(change: Change, row: RowImage): Statement {
    return this.#build(() => this.#writer.insert(change.plan, row, 0));
  }

  #updateStatement(change: Change): Statement {
    const equal = this.#equalKeyChange(change, checksOff(change.flags, change.isReplaced));
    return this.#build(() =>
      this.#writer.update(change.plan, this.#after(change), true, 0, (sink) => {
        const image = this.#before(change);
        if (change.before?.identified === true) return image;
        this.#match(sink, change, image, equal);
        return null;
      }),
    );
  }

  /** Makes the row that has the inserted row's key into the inserted row. */
  #overwriteStatement(change: Change): Statement {
    return this.#build(() =>
      this.#writer.update(change.plan, this.#after(change), true, 0, () => this.#after(change)),
    );
  }

  #deleteStatement(change: Change): Statement {
    const { plan, before } = change;
    const image = this.#before(change);
    return this.#build(() => {
      if (before?.identified === true) this.#writer.delete(plan, image, 0);
      else this.#writer.deleteWhere(plan, 0, (sink) => this.#match(sink, change, image));
    });
  }

  #match(sink: ByteSink, change: Change, image: RowImage, equal: EqualKeyChange | null = null): void {
    const or = equal === null ? null : { columns: equal.changed, image: equal.after };
    writeExactMatch(sink, change.plan, image, this.#payload, or);
    if (change.before?.full === true) sink.latin1(' LIMIT 1');
  }

  #build(write: () => void): Statement {
    this.#built = null;
    write();
    this.#writer.flush();
    const built: Statement | null = this.#built;
    if (built === null) throw new Error('a change makes a statement');
    return built;
  }

  #sql(head: string, condition: Buffer, tail: string): Buffer {
    return Buffer.concat([Buffer.from(head), condition, Buffer.from(tail)]);
  }
}

/** These stand in the ledger: nothing is thrown. */
const FOREIGN_BYTES = 'HOLT_ROW_FOREIGN_BYTES';
const TOO_LARGE = 'HOLT_TARGET_ROW_TOO_LARGE';

const WHY: Readonly<Record<LedgerKind, string>> = {
  'insert-present': 'The row that was inserted at the source was already at the target.',
  'update-missing': 'The row that was updated at the source was not at the target.',
  'update-differs': 'The row that was updated at the source was not the same at the target.',
  'delete-missing': 'The row that was deleted at the source was not at the target.',
  'delete-differs': 'The row that was deleted at the source was not the same at the target.',
  'unique-taken': 'Another row at the target had the value of a unique key.',
  'parent-missing': 'The row that a foreign key points to was not at the target.',
  'children-left': 'Rows that only the target has point to the row by a foreign key.',
  'foreign-bytes': `${FOREIGN_BYTES}: a value's bytes are no text of its character set, and the target does not take them.`,
  'row-too-large': `${TOO_LARGE}: the row makes a statement larger than the max_allowed_packet of the target.`,
};

function tableOf(plan: TablePlan): string {
  return `${plan.target.schema}.${plan.target.name}`;
}
