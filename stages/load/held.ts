/**
 * `holt.held` at the target: changes that wait there, in the form they came in (`model/payload.ts`). Written, read and deleted only
 * inside guarded transactions, so what is held is always what the checkpoint row's position says.
 *
 * A subject holds a run of payloads in the order in which they were appended. A payload lies in pieces, because it may
 * be larger than a statement may be; its last piece says so.
 */
import { HoltError } from '../../lib/errors.ts';
import { bytesLiteral, integerLiteral } from './target/sql-text.ts';
import type { TargetConnection } from './target/target-connection.ts';

/** `xa`: rows of a prepared XA transaction, by its id. `table`: changes of a parked table, by its name. */
export type HeldKind = 'xa' | 'table';

export interface HeldSubject {
  readonly pipeline: string;
  readonly kind: HeldKind;
  /** At most 520 bytes. */
  readonly subject: string;
}

export interface HeldPayload {
  /** Of the batch that it came with. */
  readonly seq: bigint;
  readonly origin: string;
  /** µs since 1970. */
  readonly sourceCommittedUs: number;
  /** Row changes in it, for display. */
  readonly changes?: number;
  readonly payload: Buffer;
}

export interface StoredPayload extends HeldPayload {
  /** Id of its first piece and of its last. */
  readonly firstId: bigint;
  readonly lastId: bigint;
}

/** Bytes of one piece; twice as many as a literal. Well under the smallest max_allowed_packet in use (1 MiB). */
export const HELD_PIECE_BYTES = 256 * 1024;

/** Adds a payload behind those that the subject holds. */
export async function appendHeld(
  connection: TargetConnection,
  of: HeldSubject,
  held: HeldPayload,
): Promise<void> {
  const { payload } = held;
  for (let piece = 0, from = 0; piece === 0 || from < payload.length; piece++, from += HELD_PIECE_BYTES) {
    const slice = payload.subarray(from, from + HELD_PIECE_BYTES);
    const isLast = from + HELD_PIECE_BYTES >= payload.length;
    await connection.execute(
      'INSERT INTO holt.held (pipeline, kind, subject, seq, origin, piece, last_piece, changes, bytes, source_committed_us, payload, held_at) VALUES (' +
        [
          bytesLiteral(of.pipeline),
          bytesLiteral(of.kind),
          bytesLiteral(of.subject),
          integerLiteral(held.seq),
          bytesLiteral(held.origin),
          integerLiteral(piece),
          isLast ? '1' : '0',
          integerLiteral(isLast ? (held.changes ?? 0) : 0),
          integerLiteral(isLast ? payload.length : 0),
          integerLiteral(held.sourceCommittedUs),
          bytesLiteral(slice),
          'UTC_TIMESTAMP(6)',
        ].join(', ') +
        ')',
    );
  }
}

/**
 * The oldest payload behind id `after`; null when there is none. Piece by piece: no more than one payload is in memory, and
 * no answer is larger than a piece.
 */
export async function nextHeld(
  connection: TargetConnection,
  of: HeldSubject,
  after = 0n,
): Promise<StoredPayload | null> {
  const pieces: Buffer[] = [];
  let first: StoredPayload | null = null;
  for (let lastId = after; ; ) {
    const [row] = await connection.rows(
      `SELECT id, piece, last_piece, seq, origin, source_committed_us, payload FROM holt.held ` +
        `WHERE ${subjectIs(of)} AND id > ${integerLiteral(lastId)} ORDER BY id LIMIT 1`,
    );
    if (row === undefined && first === null) return null;
    const text = (column: number): string => row?.[column]?.toString('utf8') ?? '';
    if (row === undefined || Number(text(1)) !== pieces.length) throw broken(of, lastId, pieces.length);
    lastId = BigInt(text(0));
    pieces.push(row[6] ?? Buffer.alloc(0));
    first ??= {
      firstId: lastId,
      lastId,
      seq: BigInt(text(3)),
      origin: text(4),
      sourceCommittedUs: Number(text(5)),
      payload: Buffer.alloc(0),
    };
    if (text(2) !== '0') return { ...first, lastId, payload: Buffer.concat(pieces) };
  }
}

/** Deletes what the subject holds up to id `lastId`, or all of it; says how many pieces that were. */
export async function dropHeld(
  connection: TargetConnection,
  of: HeldSubject,
  lastId?: bigint,
): Promise<number> {
  const upTo = lastId === undefined ? '' : ` AND id <= ${integerLiteral(lastId)}`;
  const { affectedRows } = await connection.execute(`DELETE FROM holt.held WHERE ${subjectIs(of)}${upTo}`);
  return affectedRows;
}

function subjectIs(of: HeldSubject): string {
  return `pipeline = ${bytesLiteral(of.pipeline)} AND subject = ${bytesLiteral(of.subject)} AND kind = ${bytesLiteral(of.kind)}`;
}

function broken(of: HeldSubject, id: bigint, piece: number): HoltError {
  return new HoltError(
    'HOLT_HELD_BROKEN',
    `holt.held lacks piece ${piece} of a change of ${of.kind} ${of.subject} behind id ${id}`,
    { disposition: 'pause', facts: { pipeline: of.pipeline, kind: of.kind, subject: of.subject, id } },
  );
}
