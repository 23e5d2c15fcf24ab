import type { TraceView } from '../../node/trace/trace.ts';

const COMMIT_MS = Date.UTC(2026, 10, 21, 13, 4, 5, 250);

/** What a trace would say, for the console's tests and pictures. */
export function madeUpTrace(state: TraceView['state']): TraceView {
  const common: TraceView = {
    id: 'fra-1~0f3a',
    pipeline: 'orders-frankfurt-oregon',
    table: 'shop.orders',
    target: 'shop.orders',
    state,
    progress: { file: null, filesDone: 1, bytesRead: 91_226_112, bytesToRead: 1_104_150_528 },
    change: null,
    outcome: null,
    steps: [],
    rowAt: { source: true, target: true },
    searchedBackToMs: COMMIT_MS - 1_500_000,
    notes: [],
    error: null,
  };
  switch (state) {
    case 'running':
      return { ...common, progress: { ...common.progress, file: 'binlog.000042', filesDone: 0 } };
    case 'failed':
      return {
        ...common,
        error: {
          code: 'HOLT_TRACE_KEY',
          message: 'the value for id is none of its: a whole number is expected',
          remedy: 'The message says what is expected; `holt trace --help` has examples.',
        },
      };
    case 'not-found':
      return {
        ...common,
        rowAt: { source: true, target: true },
        notes: [
          "the source's older logs are purged; what is older than 2026-11-21T12:39:05.250Z is not known",
        ],
      };
    case 'found':
      return {
        ...common,
        change: {
          op: 'update',
          file: 'binlog.000042',
          offset: 90_112_733,
          endOffset: 90_113_120,
          gtid: '0-1-48213',
          commitMs: COMMIT_MS,
          commitIsExact: false,
          keyBefore: { order_id: '4711', line: '3' },
          keyAfter: { order_id: '4711', line: '3' },
          columns: ['amount', 'changed'],
          origin: null,
          xid: null,
        },
        outcome: {
          kind: 'applied',
          text: 'applied by ore-2 in batch 12-48120',
          code: null,
          stage: null,
          holder: null,
          batch: '0000000012-00000000000000048120',
          ledgerId: null,
          appliedMs: COMMIT_MS + 231,
        },
        steps: [
          { stage: 'select', tookMs: 14, doneMs: COMMIT_MS + 14, node: null },
          { stage: 'extract', tookMs: 9, doneMs: COMMIT_MS + 23, node: null },
          { stage: 'transform', tookMs: 118, doneMs: COMMIT_MS + 141, node: null },
          { stage: 'load', tookMs: 90, doneMs: COMMIT_MS + 231, node: 'ore-2' },
        ],
      };
    default:
      return state satisfies never;
  }
}
