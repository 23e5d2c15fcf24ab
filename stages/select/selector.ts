/**
 * Select under one reign: reads items, forms batches, and hands them on as the window allows.
 *
 *     reader ─► former ─► cut (window has room) ─► emit
 *                  └────► empty advance (window empty, nothing pending, and it is time)
 *
 * Nothing is pulled from the reader while the pending batch is full and the window has no room: that is how a slow target slows
 * the source. What pauses the pipeline does so at its place: what was read before goes out and arrives first.
 */
import { createHash } from 'node:crypto';
import type { CanalEngine, CanalReader } from '../../canal/canal.ts';
import { compareCoordinates } from '../../canal/feed/coordinates.ts';
import { Breather } from '../../lib/breather.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { HoltError, isAbort, messageOf } from '../../lib/errors.ts';
import { type Logger, silentLogger } from '../../lib/logger.ts';
import type { Service } from '../../lib/service.ts';
import { RunningState } from '../../lib/service.ts';
import { Waiters } from '../../lib/waiters.ts';
import type { BatchBeginning, BatchHeader, PayloadPlace } from '../../model/batch.ts';
import { splitChunk } from '../../model/chunk-position.ts';
import type { PipelineConfig } from '../../model/config.ts';
import type { NodeId, Tenure } from '../../model/ids.ts';
import type { BinlogCoordinates, Position } from '../../model/position.ts';
import type { SourceItem, TableDefinition } from '../../model/source-item.ts';
import type { SelectedBatch } from '../stage.ts';
import { BatchFormer } from './batch-former.ts';
import { type CutFacts, cutIsDue, emptyAdvanceIsDue, untilAdvanceMs, untilCutMs } from './cut-policy.ts';
import type { DdlMark } from './ddl-marks.ts';
import type { Advance, FormedBatch, LastRead, ReadHeartbeat, SelectCounts } from './formed-batch.ts';
import { OnlineSchemaChanges } from './online-schema-change.ts';
import { TableFilter } from './table-filter.ts';

/** What Select needs of the window of batches in flight. */
export interface SelectWindow {
  readonly inFlight: number;
  readonly isEmpty: boolean;
  /** Least time between two batches while others are in flight, ms. */
  readonly paceMs: number;
  hasRoom(bytes: number): boolean;
}

/** The reign that the batches belong to. */
export interface SelectReign {
  readonly epoch: number;
  readonly tenure: Tenure;
  /** Row's seq at the raise; the first batch has the next. */
  readonly seq: bigint;
  readonly position: Position;
}

export interface EmptyAdvance extends Advance {
  /** The sequence number it takes. */
  readonly seq: bigint;
}

export interface SelectorOptions {
  readonly pipeline: PipelineConfig;
  readonly configVersion: number;
  /** Name of the installation. */
  readonly cluster: string;
  readonly reign: SelectReign;
  readonly engine: Pick<CanalEngine, 'openReader' | 'source' | 'namesAreCaseSensitive'>;
  /**
   * Identity of the server on which the reign's position was read. Default: the engine's source, since a raise that finds
   * another source takes file, offset and last event out of the position. Null: not known.
   */
  readonly readFrom?: string | null;
  readonly window: SelectWindow;
  /** Online schema changes under way at the reign's position, as a batch or an advance said; null or absent for none. */
  readonly onlineChanges?: string | null;
  /** Schema changes of Holt's own that were under way at the source at the reign's position (loop marks). */
  readonly openDdl?: readonly DdlMark[];
  /** The source's explicit_defaults_for_timestamp; null where it has none. */
  readonly explicitDefaults?: boolean | null;
  /** Where the payload of a batch will be. */
  readonly place: (payload: { readonly sha256: string; readonly bytes: number }) => PayloadPlace;
  /** The node that placement predicts for the target side. */
  readonly hint?: () => NodeId | null;
  /** What is written at the target of the source's tables, as they are at the reign's position. */
  readonly definitions?: readonly TableDefinition[];
  /** Puts the batch in flight: counts in the window before the first await. One at a time; a rejection ends the run. */
  readonly emit: (batch: SelectedBatch, first: BatchBeginning) => Promise<void>;
  /** Told of every heartbeat of the source's own site that was read. */
  readonly onHeartbeat?: (beat: ReadHeartbeat) => void;
  /** How far the source's clock is ahead of this machine's, as far as that is known; default 0. */
  readonly sourceAheadMs?: () => number;
  /** Moves the checkpoint without a batch (protocol section 4). No batch is formed before it answers; a rejection ends the run. */
  readonly emptyAdvance: (advance: EmptyAdvance) => Promise<void>;
  readonly logger?: Logger;
  readonly clock?: Clock;
}

/** How far Select has read, for lag. */
export interface SelectReading {
  /**
   * Behind the last transaction read, or its last part, and what followed that is none (the beginning of a file); before the first, where the
   * reign began: null where only its GTIDs are known.
   */
  readonly at: BinlogCoordinates | null;
  /** The last transaction read, whatever became of it; null before the first. */
  readonly lastRead: LastRead | null;
  /** The oldest transaction read that was not given to `emit` yet; null when all are. */
  readonly waiting: BatchBeginning | null;
  /** Delay that the source itself had, as a replica, with the last transaction from elsewhere, ms; 0 where none ever came. Null for not known. */
  readonly upstreamMs: number | null;
}

/** What Select is doing, for status and metrics. */
export interface SelectStatus {
  /** Behind the last transaction read. */
  readonly position: Position;
  /** Source time (µs) up to which everything has been read, by the site's own heartbeat; null before the first. */
  readonly heartbeatUs: number | null;
  /** Commit time (µs) of the last transaction read; 0 before the first. */
  readonly lastCommitUs: number;
  readonly pendingRows: number;
  readonly pendingBytes: number;
  readonly counts: Readonly<SelectCounts>;
  /** What will pause the pipeline once what was read before it has arrived. */
  readonly pausing: HoltError | null;
}

export class Selector implements Service {
  readonly #options: SelectorOptions;
  readonly #former: BatchFormer;
  readonly #filter: TableFilter;
  /** What is known of wanted tables at the reign's position. */
  readonly #given: readonly TableDefinition[];
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #state: RunningState;
  readonly #changed = new Waiters();
  readonly #breather = new Breather();
  #done: Promise<void> | null = null;
  #nextSeq: bigint;
  /** Seq of the last schema change of this reign. */
  #lastDdl: bigint | null = null;
  /** A schema change is in flight: nothing follows it before it has arrived. */
  #barrier = false;
  /** Taken from the reader, not yet by the former. */
  #offered: SourceItem | null = null;
  #reader: CanalReader | null = null;
  #isReading = false;
  #isEmitting = false;
  #emission: Promise<void> = Promise.resolve();
  /** The offered item does not go into the pending batch. */
  #mustCut = false;
  /** Ends the run as soon as what is before it is out, and for a pause, has arrived. */
  #ending: unknown = null;
  #pendingSinceMs = 0;
  /** Taken since it was asked whether a cut is due. */
  #itemsSinceLook = 0;
  /** What the batch begins with that is cut and not in the window yet. */
  #leaving: BatchBeginning | null = null;
  /** When an item last went into the pending batch. */
  #takenMs = 0;
  #cutMs = Number.NEGATIVE_INFINITY;
  #lastMoveMs: number;
  /** The transaction being cut into several, of which the log was told. */
  #chunked: string | null = null;

  /** @throws HOLT_TABLE_PATTERN_INVALID, HOLT_POSITION_INVALID */
  constructor(options: SelectorOptions) {
    const { pipeline, reign, engine } = options;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#state = new RunningState({ clock: this.#clock });
    this.#logger = (options.logger ?? silentLogger).child({ pipeline: pipeline.name, stage: 'select' });
    this.#filter = new TableFilter(pipeline.tables, { caseSensitive: engine.namesAreCaseSensitive });
    const server = { flavour: engine.source.flavour, version: versionNumber(engine.source.version) };
    this.#former = new BatchFormer({
      start: reign.position,
      site: pipeline.sourceSite,
      origins: pipeline.origins,
      cluster: options.cluster,
      tables: this.#filter,
      limits: pipeline.batch,
      chunked: pipeline.largeTransactions === 'chunked',
      ddl: pipeline.ddl,
      server,
      caseSensitive: engine.namesAreCaseSensitive,
      openDdl: options.openDdl ?? [],
      ...(options.onHeartbeat === undefined ? {} : { onHeartbeat: options.onHeartbeat }),
      explicitDefaults: options.explicitDefaults ?? null,
      onlineChanges: new OnlineSchemaChanges({
        tables: this.#filter,
        server,
        state: options.onlineChanges ?? null,
      }),
    });
    const recorded = options.definitions ?? [];
    const isWanted = ({ schema, table }: TableDefinition) => this.#filter.matches(schema, table);
    this.#given = recorded.filter(isWanted);
    this.#former.recorded(recorded);
    // Statements on tables that are not wanted are not followed: what is written of them would grow old.
    this.#former.knewNothingOf(recorded.filter((one) => !isWanted(one)));
    this.#nextSeq = reign.seq + 1n;
    this.#lastMoveMs = this.#clock.monotonicMs();
  }

  get reading(): SelectReading {
    const { lastRead, pendingFirst, upstreamMs } = this.#former;
    const at = lastRead?.end ?? this.#options.reign.position.at;
    // What was handed out and not taken is not read.
    const passed = this.#offered === null ? (this.#reader?.passed ?? null) : null;
    return {
      at: passed !== null && (at === null || compareCoordinates(passed, at) > 0) ? passed : at,
      lastRead,
      waiting:
        this.#leaving ?? (pendingFirst === null ? null : { ...pendingFirst, takenMs: this.#pendingSinceMs }),
      upstreamMs,
    };
  }

  get status(): SelectStatus {
    return {
      position: this.#former.position,
      heartbeatUs: this.#former.heartbeatUs,
      lastCommitUs: this.#former.lastCommitUs,
      pendingRows: this.#former.pendingRows,
      pendingBytes: this.#former.pendingBytes,
      counts: { ...this.#former.counts },
      pausing: this.#ending instanceof HoltError ? this.#ending : null,
    };
  }

  /** The window has changed: there may be room now. */
  poke(): void {
    this.#changed.wake();
  }

  /** Settles when stopped; rejects with what ended it: rewind, pause or retry by its disposition. */
  run(): Promise<void> {
    this.#done ??= this.#run();
    return this.#done;
  }

  /** No further batch; what is pending is forgotten, the next reign reads it again. */
  async stop(): Promise<void> {
    this.#state.requestStop();
    this.#changed.wake();
    await this.#done?.catch(() => {});
  }

  async #run(): Promise<void> {
    const { engine, pipeline, reign, readFrom } = this.#options;
    const { base, chunk } = splitChunk(reign.position);
    const reader = await engine.openReader({
      name: pipeline.name,
      start: base,
      countsRows: chunk !== null || pipeline.largeTransactions === 'chunked',
      readFrom: readFrom === undefined ? engine.source.identity : readFrom,
      wants: (schema, table) => this.#filter.matches(schema, table),
      definitions: this.#given,
    });
    this.#reader = reader;
    this.#learnAtStart(reader);
    try {
      let sinceLook = 0;
      while (this.#state.shouldRun()) {
        const waiting = this.#step(reader);
        if (waiting !== null) await waiting;
        sinceLook += 1;
        if (waiting !== null || sinceLook >= STEPS_PER_LOOK) {
          sinceLook = 0;
          if (this.#breather.due()) await this.#breather.breathe();
        }
      }
    } catch (error) {
      if (this.#state.shouldRun() || !isAbort(error)) throw error;
    } finally {
      this.#state.requestStop();
      await this.#emission;
      this.#reader = null;
      await reader.close();
    }
  }

  /** Tables that are known at the start are told to the target once, however long nothing of them comes. */
  #learnAtStart(reader: CanalReader): void {
    reader
      .definitionsAtStart?.()
      .then((definitions) => {
        this.#former.knewAtStart(definitions);
        this.#changed.wake();
      })
      .catch((error: unknown) => {
        if (!isAbort(error))
          this.#logger.debug({ reason: messageOf(error) }, 'what tables are at the start is not known');
      });
  }

  /** One decision; the wait when there is none to take now, else null: an item costs no promise. */
  #step(reader: CanalReader): Promise<void> | null {
    if (this.#cutIfDue(reader)) return null;
    if (this.#ending !== null) {
      const pauses = this.#ending instanceof HoltError && this.#ending.disposition === 'pause';
      const isOut = !this.#former.hasPending && !this.#isEmitting;
      if (!pauses || (isOut && this.#options.window.isEmpty)) throw this.#ending;
      return this.#wait(null);
    }
    if (this.#offered !== null) return this.#offer(reader, this.#offered) ? null : this.#wait(null);
    if (this.#isAdvanceDue()) return this.#advance();
    if (!this.#isReading && this.#takeNext(reader)) return null;
    this.#startReading(reader);
    return this.#wait(this.#untilDueMs(reader));
  }

  #cutIfDue(reader: CanalReader): boolean {
    if (!this.#former.hasPending || this.#isEmitting) return false;
    // A schema change goes when all before it has arrived, and all after it when it has.
    if (this.#barrier || this.#former.pendingIsDdl) {
      if (!this.#options.window.isEmpty) return false;
      this.#barrier = false;
    }
    // Asked before every item: a full window says no without a look at the clock.
    if (!this.#options.window.hasRoom(this.#former.pendingBytes)) return false;
    if (!this.#isLookDue(reader)) return false;
    const due = cutIsDue(this.#cutFacts(reader), this.#options.pipeline.batch);
    if (!due) return false;
    const formed = this.#former.cut();
    this.#mustCut = false;
    this.#cutMs = this.#clock.monotonicMs();
    if (formed !== null) this.#emit(formed);
    return true;
  }

  /**
   * While items are at hand and the batch has places left, only time makes a cut due, and time is not asked before every one of them: that
   * would cost more than taking it.
   */
  #isLookDue(reader: CanalReader): boolean {
    if (this.#mustCut || this.#ending !== null || this.#former.isFull || !reader.hasNext) return true;
    this.#itemsSinceLook += 1;
    if (this.#itemsSinceLook < ITEMS_PER_LOOK) return false;
    this.#itemsSinceLook = 0;
    return true;
  }

  #cutFacts(reader: CanalReader): CutFacts {
    const { window } = this.#options;
    const nowMs = this.#clock.monotonicMs();
    const bytes = this.#former.pendingBytes;
    return {
      rows: this.#former.pendingRows,
      bytes,
      isFull: this.#mustCut || this.#ending !== null || this.#former.isFull,
      ageMs: nowMs - this.#pendingSinceMs,
      quietMs: nowMs - this.#takenMs,
      sinceCutMs: nowMs - this.#cutMs,
      paceMs: window.paceMs,
      behindMs: this.#clock.nowMs() + this.#aheadMs() - this.#former.firstCommitUs / 1000,
      hasRoom: window.hasRoom(bytes),
      inFlight: window.inFlight,
      moreAtHand: this.#offered !== null || reader.hasNext,
    };
  }

  #aheadMs(): number {
    return this.#options.sourceAheadMs?.() ?? 0;
  }

  /** How long until something may be due though nothing happens; null when only an event makes it so. */
  #untilDueMs(reader: CanalReader): number | null {
    if (this.#former.hasPending) return this.#isEmitting ? null : untilCutMs(this.#cutFacts(reader));
    return this.#untilAdvanceMs();
  }

  /** False when the item has to wait until the pending batch is cut. */
  #offer(reader: CanalReader, item: SourceItem): boolean {
    const hadPending = this.#former.hasPending;
    try {
      if (this.#former.take(item) === 'cut-first') {
        this.#mustCut = true;
        return this.#cutIfDue(reader);
      }
    } catch (error) {
      this.#end(error);
      return true;
    }
    this.#offered = null;
    reader.ack();
    this.#noteChunk();
    if (this.#former.hasPending) {
      // How long nothing came counts only once nothing comes.
      if (!hadPending || !reader.hasNext) this.#takenMs = this.#clock.monotonicMs();
      if (!hadPending) this.#pendingSinceMs = this.#takenMs;
    }
    return true;
  }

  /** Once a transaction: at the target it is not one any more. */
  #noteChunk(): void {
    const transaction = this.#former.chunk?.transaction ?? null;
    if (transaction !== null && transaction !== this.#chunked)
      this.#logger.warn(
        { event: 'select:transaction:chunked', transaction, position: this.#former.position.text },
        'a large transaction is cut into several at the target: readers there see parts of it',
      );
    this.#chunked = transaction;
  }

  #isAdvanceDue(): boolean {
    const { passed } = this.#former;
    if (passed === null || this.#isEmitting) return false;
    return emptyAdvanceIsDue({
      passed,
      windowIsEmpty: this.#options.window.isEmpty,
      sinceLastMs: this.#clock.monotonicMs() - this.#lastMoveMs,
      hasNews: this.#former.hasDefinitions,
    });
  }

  async #advance(): Promise<void> {
    const advance = this.#former.advance();
    // What was passed over takes a batch, which is pending now.
    if (advance === null) return;
    const seq = this.#takeSeq();
    this.#logger.debug({ seq, position: advance.end.text }, 'empty advance');
    await this.#options.emptyAdvance({ ...advance, seq });
    this.#lastMoveMs = this.#clock.monotonicMs();
  }

  /** How long until an empty advance may be due; null when there is nothing to advance over. */
  #untilAdvanceMs(): number | null {
    const { passed } = this.#former;
    if (passed === null || !this.#options.window.isEmpty) return null;
    return Math.max(1, this.#lastMoveMs + untilAdvanceMs(passed) - this.#clock.monotonicMs());
  }

  /** False when there is nothing to take now. */
  #takeNext(reader: CanalReader): boolean {
    try {
      this.#offered = reader.take();
    } catch (error) {
      this.#end(error);
    }
    return this.#offered !== null || this.#ending !== null;
  }

  async #read(reader: CanalReader): Promise<SourceItem | null> {
    try {
      return await reader.next(this.#state.signal);
    } catch (error) {
      this.#end(error);
      return null;
    }
  }

  /** Waits for the next item in the background; it wakes the loop. */
  #startReading(reader: CanalReader): void {
    if (this.#isReading) return;
    this.#isReading = true;
    void this.#read(reader).then((item) => {
      this.#isReading = false;
      if (item !== null) this.#offered = item;
      this.#changed.wake();
    });
  }

  #emit(formed: FormedBatch): void {
    this.#isEmitting = true;
    const first: BatchBeginning = {
      end: formed.firstEnd,
      commitUs: formed.firstCommitUs,
      commitIsExact: formed.firstIsExact,
      takenMs: this.#pendingSinceMs,
    };
    this.#leaving = first;
    this.#lastMoveMs = this.#clock.monotonicMs();
    if (formed.part === 0) this.#takeSeq();
    // All parts of a transaction share the number that the first one took.
    const seq = this.#nextSeq - 1n;
    const afterDdl = this.#lastDdl;
    if (formed.ddl !== null) {
      this.#barrier = true;
      this.#lastDdl = seq;
    }
    this.#emission = this.#publish({ formed, first, seq, afterDdl })
      .catch((error: unknown) => this.#end(error))
      .finally(() => {
        this.#leaving = null;
        this.#isEmitting = false;
        this.#changed.wake();
      });
  }

  async #publish({
    formed,
    first,
    seq,
    afterDdl,
  }: {
    readonly formed: FormedBatch;
    readonly first: BatchBeginning;
    readonly seq: bigint;
    readonly afterDdl: bigint | null;
  }): Promise<void> {
    const sha256 = await digestOf(formed.payload);
    if (!this.#state.shouldRun()) return;
    const header = this.#headerOf(formed, seq, sha256, afterDdl);
    const emission = this.#options.emit({ header, payload: formed.payload }, first);
    // From here on the window has it.
    this.#leaving = null;
    await emission;
  }

  #headerOf(formed: FormedBatch, seq: bigint, sha256: string, afterDdl: bigint | null): BatchHeader {
    const { pipeline, reign, configVersion, engine, place, hint } = this.#options;
    const { end } = formed;
    return {
      version: 1,
      pipeline: pipeline.name,
      epoch: reign.epoch,
      tenure: reign.tenure,
      seq: String(seq),
      part: formed.part,
      lastPart: formed.lastPart,
      configVersion,
      origin: formed.origin,
      start: formed.start,
      end: end.text,
      endFile: end.at?.file ?? '',
      endOffset: end.at?.offset ?? 0,
      lastEventTimestamp: end.lastEvent?.timestamp ?? 0,
      lastEventCrc32: end.lastEvent?.crc32 ?? null,
      ...(end.lastEvent?.length === undefined ? {} : { lastEventLength: end.lastEvent.length }),
      source: engine.source.identity,
      transactions: formed.transactions,
      rows: formed.rows,
      ...(formed.ddl === null ? {} : { ddl: formed.ddl }),
      ...(formed.onlineChanges === undefined ? {} : { onlineChanges: formed.onlineChanges }),
      ...(afterDdl === null ? {} : { afterDdl: String(afterDdl) }),
      firstCommitUs: formed.firstCommitUs,
      lastCommitUs: formed.lastCommitUs,
      selectedMs: this.#clock.nowMs(),
      extractedMs: null,
      transformedMs: null,
      payload: place({ sha256, bytes: formed.payload.length }),
      hint: hint?.() ?? null,
    };
  }

  #takeSeq(): bigint {
    const seq = this.#nextSeq;
    this.#nextSeq += 1n;
    return seq;
  }

  #end(error: unknown): void {
    this.#ending ??= error;
    if (error instanceof HoltError && error.disposition === 'pause')
      this.#logger.warn(
        { code: error.code, position: this.#former.position.text, reason: error.message },
        'Select stops here; what was read before arrives first',
      );
    this.#changed.wake();
  }

  /** Until something changes, or for so long. */
  async #wait(ms: number | null): Promise<void> {
    const waiting = new AbortController();
    const signal = AbortSignal.any([this.#state.signal, waiting.signal]);
    const changed = this.#changed.wait(signal);
    try {
      if (ms === null) await changed;
      else await Promise.race([changed, this.#clock.sleep(ms, signal)]);
    } finally {
      waiting.abort();
      changed.catch(() => {});
    }
  }
}

/** major × 10 000 + minor × 100 + patch. */
function versionNumber(text: string): number {
  const [, major, minor, patch] = /^(?:5\.5\.5-)?([0-9]+)\.([0-9]+)\.([0-9]+)/.exec(text) ?? [];
  return Number(major ?? 0) * 10_000 + Number(minor ?? 0) * 100 + Number(patch ?? 0);
}

/** Steps between two looks at the clock: most take less time than the look. */
const STEPS_PER_LOOK = 16;
const ITEMS_PER_LOOK = 16;

/** Hashing 16 MiB takes longer than the thread may be held. */
const HASH_BYTES = 2 * 1024 * 1024;

async function digestOf(payload: Buffer): Promise<string> {
  const hash = createHash('sha256');
  const breather = new Breather();
  for (let at = 0; at < payload.length; at += HASH_BYTES) {
    hash.update(payload.subarray(at, at + HASH_BYTES));
    if (breather.due()) await breather.breathe();
  }
  return hash.digest('hex');
}
