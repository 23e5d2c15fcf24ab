/**
 * Schema changes at the target, exactly once (protocol section 5). They commit by themselves and escape every guard, so a journal says
 * what was about to be done, by which connection, and what stood there before:
 *
 *     journal row ─► the statement, on the same connection ─► guard and journal in one transaction
 *        open              (nobody knows)                          done
 *
 * A row found open by a raise, by a taking of Load or after a lost connection is settled, once its connection is gone: evidence is gathered
 * (`evidence.ts`), judged by a table (`decide-settle.ts`), and the row becomes `ran` or `void`. A statement that `ran` is not
 * sent again when it comes again: only the checkpoint moves. What the evidence cannot tell is asked of a person.
 *
 * Failpoints: ddl:journaled, ddl:executing, ddl:executed, ddl:before-done, ddl:done.
 */
import type { DdlPolicyKind } from '../../../model/ddl.ts';

/** `done` and `failed` are what the one who sent it says; `ran` and `void` what was found out later. */
export type DdlState = 'open' | 'done' | 'ran' | 'void' | 'failed';

/** A table or view by its names at the target. */
export interface DdlTable {
  readonly schema: string;
  readonly table: string;
}

/** What of a schema Holt is about to change stands at the target. */
export interface TableState {
  readonly schema: string;
  /** Null for the database itself. */
  readonly table: string | null;
  readonly exists: boolean;
  /** The storage engine's own ids of the table and its partitions, sorted; empty where they cannot be had. */
  readonly ids: readonly string[];
  /** Digest of what SHOW CREATE gives; empty where it does not exist or may not be seen. */
  readonly definition: string;
}

export interface LogPlace {
  readonly file: string;
  readonly offset: number;
}

/** A row of `holt.ddl`. */
export interface DdlRow {
  readonly id: bigint;
  readonly state: DdlState;
  readonly origin: string;
  readonly connectionId: number;
  /** 32 hex digits. */
  readonly registration: string;
  readonly seq: bigint;
  readonly epoch: number;
  readonly kind: DdlPolicyKind;
  readonly sourceRef: string;
  readonly defaultSchema: string;
  /** The source's text. */
  readonly statement: Buffer;
  /** What is sent. */
  readonly mapped: Buffer;
  /** The session's `timestamp` at the source when the statement began (`statementTime`); null where it is not known. */
  readonly sessionTime: string | null;
  readonly ownGtid: string | null;
  readonly serverIdentity: string;
  /** When the server was started, seconds since 1970 by its own clock. */
  readonly serverStarted: string;
  /** The end of the server's own log before the statement; null where it has none, or the account may not see it. */
  readonly log: LogPlace | null;
  readonly tablesBefore: readonly TableState[];
  readonly why: string | null;
  readonly openedAt: string;
  readonly settledAt: string | null;
  readonly settledBy: string | null;
}
