/**
 * Where is my row? The latest change of a key: where and when it was committed at the source, and what has become of it.
 *
 *     key ─► the source says what equals it ─► its log, newest file first ─► the latest change
 *                                                   │
 *              rules · checkpoint · ledger · parked tables · batches in flight · batches applied ─► what has become of it
 *
 * No state of any row is kept: the log is read anew for each question, over a connection of its own that is no replica, within bounds.
 * It runs on a node at the source's site, whichever node was asked.
 */
import { z } from 'zod';
import { ROW_OPS } from '../../model/rows.ts';
import { STAGES } from '../../model/stage.ts';

const values = z.record(z.string().max(64), z.string().max(65_536).nullable());

export const traceRequest = z.strictObject({
  table: z.string().min(3).max(256).describe('schema.table at the source.'),
  key: z
    .array(z.string().max(65_536))
    .min(1)
    .max(16)
    .optional()
    .describe(
      'Values of the primary key (or, without one, of the first unique key that cannot be NULL), in its order. Binary ones as 0x…, TIMESTAMP in UTC.',
    ),
  where: values
    .optional()
    .describe('Columns with their values, in place of the key: for tables without one. null is NULL.'),
  lastMs: z
    .number()
    .int()
    .min(1_000)
    .max(366 * 86_400_000)
    .default(3_600_000)
    .describe('How far back the log is searched.'),
  maxBytes: z
    .number()
    .int()
    .min(1)
    .max(2 ** 50)
    .default(8 * 1024 ** 3)
    .describe('No file of the log is begun beyond it.'),
});
export type TraceRequest = z.infer<typeof traceRequest>;

export const TRACE_STATES = ['running', 'found', 'not-found', 'failed'] as const;

/**
 * `applied`: it is at the target. `in-flight`: in a batch at a stage. `not-read`: Select has not come to it, or has it in no batch yet.
 * `filtered`: a rule leaves it out. `not-carried`: it came from a site whose changes the pipeline does not carry (no echo). `conflict`: the
 * target's row was not what it expected. `dead-letter`: the target could not take it. `held`: its table is parked. `prepared`: its XA
 * transaction is. `passed`: the checkpoint is behind it, and what became of the row could not be told.
 */
export const OUTCOMES = [
  'applied',
  'in-flight',
  'not-read',
  'filtered',
  'not-carried',
  'conflict',
  'dead-letter',
  'held',
  'prepared',
  'passed',
] as const;
export type OutcomeKind = (typeof OUTCOMES)[number];

export const traceOutcome = z
  .object({
    kind: z.enum(OUTCOMES),
    text: z.string().describe('One sentence.'),
    /** An error code, or how the target differed. */
    code: z.string().nullable(),
    stage: z.enum(STAGES).nullable().describe('Where it is now; null when it is on no way any more.'),
    holder: z.string().nullable(),
    batch: z.string().nullable().describe('Epoch, sequence number and part.'),
    ledgerId: z.string().nullable().describe('Of its entry in the ledger.'),
    appliedMs: z.number().nullable().describe("By the clock of Load's node."),
  })
  .meta({ id: 'TraceOutcome' });
export type TraceOutcome = z.infer<typeof traceOutcome>;

export const traceStep = z
  .object({
    stage: z.enum(STAGES),
    tookMs: z.number().nullable().describe('From the end of the step before (for Select, from the commit).'),
    doneMs: z
      .number()
      .nullable()
      .describe('When it was done with it, by the clock of its node; null while it is not.'),
    node: z.string().nullable(),
  })
  .meta({ id: 'TraceStep' });
export type TraceStep = z.infer<typeof traceStep>;

export const traceChange = z
  .object({
    op: z.enum(ROW_OPS),
    file: z.string(),
    offset: z.number().describe('Where its transaction begins.'),
    endOffset: z.number(),
    gtid: z.string().nullable(),
    commitMs: z.number().describe("By the source's clock."),
    commitIsExact: z.boolean().describe('False where the log says the second only.'),
    keyBefore: values.nullable().describe('Columns asked about, before the change and after it.'),
    keyAfter: values.nullable(),
    columns: z.array(z.string()).readonly().describe('Columns that an update changed.'),
    origin: z.string().nullable().describe('Site where Holt brought it from; null for a change made here.'),
    xid: z.string().nullable(),
  })
  .meta({ id: 'TraceChange' });
export type TraceChange = z.infer<typeof traceChange>;

export const traceView = z
  .object({
    id: z.string(),
    pipeline: z.string(),
    table: z.string(),
    target: z.string().nullable().describe('Where the rules send the table.'),
    state: z.enum(TRACE_STATES),
    progress: z.object({
      file: z.string().nullable(),
      filesDone: z.number(),
      bytesRead: z.number(),
      bytesToRead: z.number().describe('Of the files that may be searched; mostly fewer are.'),
    }),
    change: traceChange.nullable(),
    outcome: traceOutcome.nullable(),
    steps: z.array(traceStep).readonly(),
    /** Whether a row with the key stands there now; null where that was not asked. */
    rowAt: z.object({ source: z.boolean().nullable(), target: z.boolean().nullable() }),
    searchedBackToMs: z.number().nullable().describe("By the source's clock."),
    notes: z.array(z.string()).readonly().describe('What cannot be known, and why.'),
    error: z.object({ code: z.string(), message: z.string(), remedy: z.string().nullable() }).nullable(),
  })
  .meta({ id: 'Trace' });
export type TraceView = z.infer<typeof traceView>;
