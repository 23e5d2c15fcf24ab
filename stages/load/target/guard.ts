/**
 * The guard: first statement of every transaction that Load, an empty advance or a replay makes, on the full key of its
 * checkpoint row. It is guard, checkpoint and loop mark at once. It matched exactly if one row was matched (the session is
 * opened with FOUND_ROWS; and seq always changes).
 *
 * Origin and seq are always assigned, so that they stand in the after image under MINIMAL row images too. That no row
 * matched is not an SQL error: the caller must look, and send nothing more.
 */
import type { BatchHeader } from '../../../model/batch.ts';
import { type Position, positionDigest } from '../../../model/position.ts';
import { type CheckpointRow, positionAssignments, rowKey } from './checkpoint-row.ts';
import { bytesLiteral, hexLiteral, integerLiteral } from './sql-text.ts';

export interface Guard {
  readonly pipeline: string;
  readonly lane: number;
  readonly tenure: string;
  /** Null where no run of Load is held: the mainstem's empty advance, replay. */
  readonly loader: string | null;
  /** n: the row must be at n − 1. */
  readonly seq: bigint;
  readonly origin: string;
  /** Digest of the position at which the row must be; null for lanes whose position means nothing. */
  readonly startDigest: string | null;
  /** Identity of the server connected: the row must have been raised there. */
  readonly targetIdentity: string;
  /** Where the row is afterwards; null when that comes last (`guardEnd`). */
  readonly end: GuardEnd | null;
}

export interface GuardEnd {
  readonly position: Position;
  readonly sourceCommittedUs: number;
}

export type GuardStatement = (guard: Guard) => string;

export const guardStatement: GuardStatement = (guard) => {
  const conditions = [
    rowKey(guard.pipeline, guard.lane),
    `tenure = ${hexLiteral(guard.tenure)}`,
    ...(guard.loader === null ? [] : [`loader = ${hexLiteral(guard.loader)}`]),
    `seq = ${integerLiteral(guard.seq - 1n)}`,
    ...(guard.startDigest === null ? [] : [`position_digest = ${hexLiteral(guard.startDigest)}`]),
    `target_identity = ${bytesLiteral(guard.targetIdentity)}`,
  ];
  return (
    `UPDATE holt.checkpoint SET seq = ${integerLiteral(guard.seq)}, origin = ${bytesLiteral(guard.origin)}` +
    `${guard.end === null ? '' : `, ${endAssignments(guard.end)}`} WHERE ${conditions.join(' AND ')}`
  );
};

/** Last statement of a transaction in parts: position and times, once the guard has set seq. Must match one row. */
export function guardEndStatement(guard: Guard, end: GuardEnd): string {
  return (
    `UPDATE holt.checkpoint SET ${endAssignments(end)} WHERE ${rowKey(guard.pipeline, guard.lane)} ` +
    `AND tenure = ${hexLiteral(guard.tenure)} AND seq = ${integerLiteral(guard.seq)}`
  );
}

function endAssignments(end: GuardEnd): string {
  return (
    `${positionAssignments(end.position)}, source_committed_us = ${integerLiteral(end.sourceCommittedUs)}, ` +
    'applied_at = UTC_TIMESTAMP(6)'
  );
}

export function endOf(header: BatchHeader): GuardEnd {
  return {
    position: {
      text: header.end,
      at: header.endFile === '' ? null : { file: header.endFile, offset: header.endOffset },
      lastEvent: {
        timestamp: header.lastEventTimestamp,
        crc32: header.lastEventCrc32,
        length: header.lastEventLength,
      },
    },
    sourceCommittedUs: header.lastCommitUs,
  };
}

export function guardOf(
  header: BatchHeader,
  run: { readonly loader: string; readonly targetIdentity: string; readonly lane: number },
): Guard {
  const whole = header.part === 0 && header.lastPart;
  return {
    pipeline: header.pipeline,
    lane: run.lane,
    tenure: header.tenure,
    loader: run.loader,
    seq: BigInt(header.seq),
    origin: header.origin,
    startDigest: positionDigest(header.start),
    targetIdentity: run.targetIdentity,
    end: whole ? endOf(header) : null,
  };
}

/** Of a lane that no run of Load holds and whose position means nothing (replay, drain): the next transaction after the row as it was read. */
export function guardBeside(
  row: CheckpointRow,
  own: Pick<Guard, 'pipeline' | 'lane' | 'origin' | 'targetIdentity'>,
): Guard {
  return { ...own, tenure: row.tenure, loader: null, seq: row.seq + 1n, startDigest: null, end: null };
}
