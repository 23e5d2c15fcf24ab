/**
 * The one error type of Holt, and what a caller does about it.
 *
 * A throw site says what happened; the owner of the loop decides by `disposition`. Codes are listed, with what
 * an operator should do, in `model/error-codes.ts`.
 */

/**
 * What the owner of the failing work does next.
 * - `retry`: the same work again after a pause; the cause may pass (network, lock wait, server starting).
 * - `rewind`: forget what is in flight and start again from the checkpoint in the target.
 * - `pause`: stop this pipeline (or table) at its position and ask a person.
 * - `fatal`: the process or command cannot go on.
 */
export type Disposition = 'retry' | 'rewind' | 'pause' | 'fatal';

/** What an error concerns: ids only, never row values or secrets. */
export interface ErrorFacts {
  readonly [fact: string]: string | number | bigint | boolean | null | undefined | readonly string[];
}

export interface HoltErrorOptions {
  readonly disposition?: Disposition;
  /** What to do about it, one imperative sentence for the operator. */
  readonly remedy?: string;
  /** What is concerned: pipeline, table, node, position… */
  readonly facts?: ErrorFacts;
  readonly cause?: unknown;
}

export class HoltError extends Error {
  override readonly name = 'HoltError';
  /** Stable, `HOLT_…`; see `model/error-codes.ts`. */
  readonly code: string;
  readonly disposition: Disposition;
  readonly remedy: string | undefined;
  readonly facts: ErrorFacts;

  constructor(code: string, message: string, options: HoltErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.disposition = options.disposition ?? 'pause';
    this.remedy = options.remedy;
    this.facts = options.facts ?? {};
  }
}

/** True for the error that a stop or a cancelled wait gives; such an error is never logged as a failure. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || error.name === 'TimeoutError');
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
