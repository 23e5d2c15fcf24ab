/**
 * The ledger: `holt.ledger` at the target, with what Load did not apply as it came (G5). Written in the transaction of the batch, so an
 * entry is there exactly if the batch is. A change is kept as one row of a payload: both images raw, with their table's shape.
 * It goes in pieces, because a row may be larger than a statement may be.
 */
import { z } from 'zod';
import { HoltError } from '../../lib/errors.ts';
import type { BatchHeader } from '../../model/batch.ts';
import { PayloadWriter } from '../../model/payload.ts';
import type { TableRoute } from '../../model/table-route.ts';
import {
  LEDGER_STATES,
  type LedgerDecision,
  type LedgerEntry,
  type LedgerState,
  type LedgerWriter,
} from './ledger-contract.ts';
import { bytesLiteral, integerLiteral } from './target/sql-text.ts';
import type { TargetConnection } from './target/target-connection.ts';

/** Bytes of one piece; twice as many as a literal. Well under the smallest max_allowed_packet in use (1 MiB). */
const PIECE_BYTES = 256 * 1024;

export class TargetLedger implements LedgerWriter {
  async append(connection: TargetConnection, batch: BatchHeader, entry: LedgerEntry): Promise<void> {
    const { route, shape } = entry;
    await connection.execute(
      'INSERT INTO holt.ledger (pipeline, seq, origin, kind, decision, op, source_schema, source_table, target_schema, target_table, ' +
        'row_key, gtid, source_committed_us, batch_end, why, state, written_at) VALUES (' +
        [
          bytesLiteral(batch.pipeline),
          integerLiteral(BigInt(batch.seq)),
          bytesLiteral(batch.origin),
          bytesLiteral(entry.kind),
          bytesLiteral(entry.decision),
          bytesLiteral(entry.op),
          bytesLiteral(shape.schema),
          bytesLiteral(shape.table),
          bytesLiteral(route.schema),
          bytesLiteral(route.name),
          // The full key is in the images; this one is for looking at.
          bytesLiteral(Buffer.from(entry.rowKey, 'utf8').subarray(0, PIECE_BYTES)),
          bytesLiteral(Buffer.from(entry.gtid, 'utf8').subarray(0, 255)),
          integerLiteral(entry.commitUs),
          bytesLiteral(Buffer.from(batch.end, 'utf8').subarray(0, PIECE_BYTES)),
          bytesLiteral(entry.why),
          bytesLiteral('open'),
          'UTC_TIMESTAMP(6)',
        ].join(', ') +
        ')',
    );
    await writePieces(connection, [
      { part: 'change', bytes: changeOf(entry) },
      // The change is table 0 of its own payload.
      { part: 'route', bytes: Buffer.from(JSON.stringify({ ...route, table: 0 }), 'utf8') },
      ...(entry.found === null ? [] : [{ part: 'found', bytes: Buffer.from(entry.found, 'utf8') } as const]),
    ]);
  }
}

type Part = 'change' | 'route' | 'found';

function changeOf(entry: LedgerEntry): Buffer {
  const writer = new PayloadWriter(entry.data.length + 4096);
  writer.transaction(entry.commitUs, entry.gtid);
  writer.rawRows(
    entry.shape,
    entry.op,
    entry.flags,
    1,
    entry.before,
    entry.after,
    entry.data,
    0,
    entry.data.length,
  );
  return writer.finish();
}

/** Pieces of the entry whose id the last INSERT made; small ones share a statement. */
async function writePieces(
  connection: TargetConnection,
  parts: readonly { readonly part: Part; readonly bytes: Buffer }[],
): Promise<void> {
  let values: string[] = [];
  let pending = 0;
  const flush = async () => {
    if (values.length === 0) return;
    await connection.execute(
      `INSERT INTO holt.ledger_piece (id, part, piece, bytes) VALUES ${values.join(', ')}`,
    );
    values = [];
    pending = 0;
  };
  for (const { part, bytes } of parts)
    for (let piece = 0, from = 0; from < bytes.length; piece++, from += PIECE_BYTES) {
      const slice = bytes.subarray(from, from + PIECE_BYTES);
      if (pending + slice.length > PIECE_BYTES) await flush();
      values.push(`(LAST_INSERT_ID(), ${bytesLiteral(part)}, ${piece}, ${bytesLiteral(slice)})`);
      pending += slice.length;
    }
  await flush();
}

/** An entry without its images. */
export interface LedgerSummary {
  readonly id: bigint;
  readonly pipeline: string;
  readonly seq: bigint;
  readonly origin: string;
  /** A `LedgerKind`, of this version or of another. */
  readonly kind: string;
  readonly decision: LedgerDecision;
  /** A `RowOp`. */
  readonly op: string;
  readonly source: { readonly schema: string; readonly table: string };
  readonly target: { readonly schema: string; readonly table: string };
  /** As in `LedgerEntry`. */
  readonly rowKey: string;
  readonly gtid: string;
  readonly commitUs: number;
  /** Position after the batch. */
  readonly batchEnd: string;
  readonly why: string;
  readonly state: LedgerState;
  /** Who replayed or closed it. */
  readonly replayedBy: string | null;
  /** `YYYY-MM-DD hh:mm:ss.ffffff` UTC, by the target's clock. */
  readonly replayedAt: string | null;
  readonly writtenAt: string;
}

export interface StoredLedgerEntry extends LedgerSummary {
  /** A payload with one transaction and one row. */
  readonly change: Buffer;
  readonly route: TableRoute;
  /** As in `LedgerEntry`. */
  readonly found: string | null;
}

const SUMMARY_COLUMNS = [
  'id',
  'pipeline',
  'seq',
  'origin',
  'kind',
  'decision',
  'op',
  'source_schema',
  'source_table',
  'target_schema',
  'target_table',
  'row_key',
  'gtid',
  'source_committed_us',
  'batch_end',
  'why',
  'state',
  'replayed_by',
  'replayed_at',
  'written_at',
] as const;

export interface ListLedgerOptions {
  readonly pipeline: string;
  /** Newest first. */
  readonly limit: number;
  readonly state?: LedgerState;
  readonly kind?: string;
  /** At the target. */
  readonly table?: { readonly schema: string; readonly table: string };
  /** Only entries with smaller ids: the next page. */
  readonly before?: bigint;
}

export async function listLedger(
  connection: TargetConnection,
  options: ListLedgerOptions,
): Promise<readonly LedgerSummary[]> {
  const conditions = [
    `pipeline = ${bytesLiteral(options.pipeline)}`,
    ...(options.state === undefined ? [] : [`state = ${bytesLiteral(options.state)}`]),
    ...(options.kind === undefined ? [] : [`kind = ${bytesLiteral(options.kind)}`]),
    ...(options.table === undefined
      ? []
      : [
          `target_schema = ${bytesLiteral(options.table.schema)}`,
          `target_table = ${bytesLiteral(options.table.table)}`,
        ]),
    ...(options.before === undefined ? [] : [`id < ${integerLiteral(options.before)}`]),
  ];
  const rows = await connection.rows(
    `SELECT ${SUMMARY_COLUMNS.join(', ')} FROM holt.ledger WHERE ${conditions.join(' AND ')} ` +
      `ORDER BY id DESC LIMIT ${integerLiteral(options.limit)}`,
  );
  return rows.map(parseSummary);
}

export async function countLedger(
  connection: TargetConnection,
  pipeline: string,
  state: LedgerState,
): Promise<number> {
  const [row] = await connection.rows(
    `SELECT COUNT(*) FROM holt.ledger WHERE pipeline = ${bytesLiteral(pipeline)} AND state = ${bytesLiteral(state)}`,
  );
  return Number(row?.[0]?.toString('latin1') ?? 0);
}

/** Of how many entries, the newest, those of one transaction are looked for. */
const MAX_LOOKED = 100_000;

/** Ids of the entries of a source's transaction and table, newest first. */
export async function ledgerOf(
  connection: TargetConnection,
  of: {
    readonly pipeline: string;
    /** As in `LedgerEntry.gtid`. */
    readonly transaction: string;
    readonly schema: string;
    readonly table: string;
  },
): Promise<readonly bigint[]> {
  const rows = await connection.rows(
    'SELECT id FROM (SELECT id, gtid, source_schema, source_table FROM holt.ledger ' +
      `WHERE pipeline = ${bytesLiteral(of.pipeline)} ORDER BY id DESC LIMIT ${MAX_LOOKED}) newest ` +
      `WHERE gtid = ${bytesLiteral(of.transaction)} AND source_schema = ${bytesLiteral(of.schema)} ` +
      `AND source_table = ${bytesLiteral(of.table)} ORDER BY id DESC LIMIT 1000`,
  );
  return rows.map((row) => BigInt(row[0]?.toString('latin1') ?? '0'));
}

/**
 * One entry with its images; `lock` takes its row FOR UPDATE.
 * @throws HoltError HOLT_LEDGER_MISSING.
 */
export async function readLedgerEntry(
  connection: TargetConnection,
  options: { readonly pipeline: string; readonly id: bigint; readonly lock?: boolean },
): Promise<StoredLedgerEntry> {
  const { pipeline, id } = options;
  const [row] = await connection.rows(
    `SELECT ${SUMMARY_COLUMNS.join(', ')} FROM holt.ledger WHERE id = ${integerLiteral(id)} AND pipeline = ${bytesLiteral(pipeline)}` +
      `${options.lock === true ? ' FOR UPDATE' : ''}`,
  );
  if (row === undefined)
    throw new HoltError('HOLT_LEDGER_MISSING', `${pipeline} has no ledger entry ${id}`, {
      disposition: 'fatal',
      facts: { pipeline, id },
    });
  const route = await readPart(connection, id, 'route');
  const found = await readPart(connection, id, 'found');
  return {
    ...parseSummary(row),
    change: (await readPart(connection, id, 'change')) ?? Buffer.alloc(0),
    route: storedRoute.parse(JSON.parse(route?.toString('utf8') ?? 'null')),
    found: found?.toString('utf8') ?? null,
  };
}

/** Piece by piece: all of a large part in one answer could be more than the server sends. */
async function readPart(connection: TargetConnection, id: bigint, part: Part): Promise<Buffer | null> {
  const pieces: Buffer[] = [];
  for (;;) {
    const [row] = await connection.rows(
      `SELECT bytes FROM holt.ledger_piece WHERE id = ${integerLiteral(id)} AND part = ${bytesLiteral(part)} AND piece = ${pieces.length}`,
    );
    const bytes = row?.[0] ?? null;
    if (bytes === null) return pieces.length === 0 ? null : Buffer.concat(pieces);
    pieces.push(bytes);
  }
}

const storedRoute = z.object({
  table: z.number(),
  schema: z.string(),
  name: z.string(),
  columns: z.array(
    z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('column'), name: z.string(), index: z.number() }),
      z.object({ kind: z.literal('constant'), name: z.string(), text: z.string().nullable() }),
    ]),
  ),
  triggers: z.literal('allow').optional(),
});

function parseSummary(values: readonly (Buffer | null)[]): LedgerSummary {
  const maybe = (column: (typeof SUMMARY_COLUMNS)[number]): string | null =>
    values[SUMMARY_COLUMNS.indexOf(column)]?.toString('utf8') ?? null;
  const text = (column: (typeof SUMMARY_COLUMNS)[number]): string => maybe(column) ?? '';
  return {
    id: BigInt(text('id')),
    pipeline: text('pipeline'),
    seq: BigInt(text('seq')),
    origin: text('origin'),
    kind: text('kind'),
    decision: text('decision') === 'source' ? 'source' : 'target',
    op: text('op'),
    source: { schema: text('source_schema'), table: text('source_table') },
    target: { schema: text('target_schema'), table: text('target_table') },
    rowKey: text('row_key'),
    gtid: text('gtid'),
    commitUs: Number(text('source_committed_us')),
    batchEnd: text('batch_end'),
    why: text('why'),
    state: LEDGER_STATES.find((one) => one === text('state')) ?? 'open',
    replayedBy: maybe('replayed_by'),
    replayedAt: maybe('replayed_at'),
    writtenAt: text('written_at'),
  };
}
