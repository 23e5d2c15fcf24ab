/**
 * XA around another applier: a prepared transaction's rows go to `holt.held` at its PREPARE, are written at its XA COMMIT, and are dropped at
 * its XA ROLLBACK. All of it in the guarded transaction of the batch, so that what is held is what the position says, whatever is killed,
 * rewound or taken over in between, and through a restart of the source.
 *
 * A body is written from `holt.held` payload by payload, each no larger than a batch or a part of one, so that memory stays
 * bounded however large the transaction is. A batch without XA goes straight to the inner applier.
 */
import { HoltError } from '../../../lib/errors.ts';
import type { BatchHeader } from '../../../model/batch.ts';
import { surveyPayload } from '../../../model/payload.ts';
import type { TableRoute } from '../../../model/table-route.ts';
import type { TableShape } from '../../../model/table-shape.ts';
import type { TransformedBatch } from '../../stage.ts';
import { appendHeld, dropHeld, type HeldSubject, nextHeld } from '../held.ts';
import type { ApplyResult, BatchApplier, PreparedBatch } from '../load.ts';
import type { TargetConnection } from '../target/target-connection.ts';
import { type XaStep, xaSteps } from './xa-steps.ts';

export interface XaApplierOptions<Inner extends PreparedBatch> {
  readonly inner: BatchApplier<Inner>;
  /** Where a table goes, as the pipeline's configuration says now: what was held under an older one follows it. */
  readonly route: (shape: TableShape, table: number) => TableRoute;
}

type Step<Inner> = Exclude<XaStep, { kind: 'rows' }> | { readonly kind: 'rows'; readonly prepared: Inner };

export interface XaPrepared<Inner extends PreparedBatch> extends PreparedBatch {
  readonly steps: readonly Step<Inner>[];
}

export class XaApplier<Inner extends PreparedBatch> implements BatchApplier<XaPrepared<Inner>> {
  readonly #inner: BatchApplier<Inner>;
  readonly #route: XaApplierOptions<Inner>['route'];

  constructor(options: XaApplierOptions<Inner>) {
    this.#inner = options.inner;
    this.#route = options.route;
  }

  async prepare(batch: TransformedBatch, signal: AbortSignal): Promise<XaPrepared<Inner>> {
    if (!surveyPayload(batch.payload).hasXa) {
      const prepared = await this.#inner.prepare(batch, signal);
      return { batch, bytes: prepared.bytes, steps: [{ kind: 'rows', prepared }] };
    }
    const steps: Step<Inner>[] = [];
    let { length: bytes } = batch.payload;
    for (const step of await xaSteps(batch.payload, signal)) {
      if (step.kind === 'rows') {
        const prepared = await this.#inner.prepare(this.#batchOf(batch.header, step.payload), signal);
        bytes += prepared.bytes;
        steps.push({ kind: 'rows', prepared });
      } else {
        if (step.kind === 'hold') bytes += step.payload.length;
        steps.push(step);
      }
    }
    return { batch, bytes, steps };
  }

  execute(
    prepared: XaPrepared<Inner>,
    connection: TargetConnection,
    signal: AbortSignal,
  ): Promise<ApplyResult> {
    return this.#run(prepared, connection, signal, (one) => this.#inner.execute(one, connection, signal));
  }

  executeCarefully(
    prepared: XaPrepared<Inner>,
    connection: TargetConnection,
    signal: AbortSignal,
  ): Promise<ApplyResult> {
    return this.#run(prepared, connection, signal, (one) =>
      this.#inner.executeCarefully(one, connection, signal),
    );
  }

  async #run(
    { batch, steps }: XaPrepared<Inner>,
    connection: TargetConnection,
    signal: AbortSignal,
    write: (prepared: Inner) => Promise<ApplyResult>,
  ): Promise<ApplyResult> {
    const { header } = batch;
    const sums = noResult();
    for (const step of steps) {
      signal.throwIfAborted();
      switch (step.kind) {
        case 'rows':
          add(sums, await write(step.prepared));
          break;
        case 'hold': {
          const subject = subjectOf(header, step.xid);
          if (step.first) await dropHeld(connection, subject);
          await appendHeld(connection, subject, {
            seq: BigInt(header.seq),
            origin: header.origin,
            sourceCommittedUs: step.commitUs,
            changes: surveyPayload(step.payload).rows,
            payload: step.payload,
          });
          sums.statements += 1;
          break;
        }
        case 'commit':
          await this.#commit(header, step.xid, connection, signal, async (prepared) => {
            add(sums, await write(prepared));
          });
          break;
        case 'rollback':
          await dropHeld(connection, subjectOf(header, step.xid));
          sums.statements += 1;
          break;
        default:
          step satisfies never;
      }
    }
    return sums;
  }

  async #commit(
    header: BatchHeader,
    xid: string,
    connection: TargetConnection,
    signal: AbortSignal,
    write: (prepared: Inner) => Promise<void>,
  ): Promise<void> {
    const subject = subjectOf(header, xid);
    let held = await nextHeld(connection, subject);
    if (held === null) throw bodyMissing(header, xid);
    for (; held !== null; held = await nextHeld(connection, subject, held.lastId)) {
      signal.throwIfAborted();
      if (surveyPayload(held.payload).rows === 0) continue;
      await write(await this.#inner.prepare(this.#batchOf(header, held.payload), signal));
    }
    await dropHeld(connection, subject);
  }

  #batchOf(header: BatchHeader, payload: Buffer): TransformedBatch {
    return { header, payload, routes: surveyPayload(payload).shapes.map(this.#route) };
  }
}

function subjectOf(header: BatchHeader, xid: string): HeldSubject {
  return { pipeline: header.pipeline, kind: 'xa', subject: xid };
}

function bodyMissing(header: BatchHeader, xid: string): HoltError {
  return new HoltError(
    'HOLT_XA_BODY_MISSING',
    `XA COMMIT of ${xid} comes before ${header.endFile}:${header.endOffset}, and its rows are not held: its XA PREPARE stands before the place where the pipeline began to read`,
    {
      disposition: 'pause',
      remedy: `Bring the rows of that transaction to the target by hand, set the position to ${header.end}, and resume. Or set the position before its XA PREPARE where the target allows it.`,
      facts: { xid, position: header.start, behind: header.end, batch: header.seq },
    },
  );
}

type Sums = { -readonly [Name in keyof ApplyResult]: ApplyResult[Name] };

function noResult(): Sums {
  return { rows: 0, inserted: 0, updated: 0, deleted: 0, statements: 0, ledgered: 0, careful: false };
}

function add(sums: Sums, result: ApplyResult): void {
  for (const name of ['rows', 'inserted', 'updated', 'deleted', 'statements', 'ledgered'] as const)
    sums[name] += result[name];
  if (result.deadLetters !== undefined) sums.deadLetters = (sums.deadLetters ?? 0) + result.deadLetters;
  sums.careful ||= result.careful;
}
