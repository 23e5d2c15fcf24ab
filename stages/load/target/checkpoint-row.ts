/** A row of `holt.checkpoint` as a value, and the statements that read it. */
import { HoltError } from '../../../lib/errors.ts';
import { type LoaderId, parseLoaderId, parseTenure, type Tenure } from '../../../model/ids.ts';
import { type Position, type PositionText, positionDigest } from '../../../model/position.ts';
import { bytesLiteral, integerLiteral, nullable } from './sql-text.ts';
import type { TargetConnection } from './target-connection.ts';

export interface CheckpointRow {
  readonly lane: number;
  readonly seq: bigint;
  readonly origin: string;
  readonly cluster: string;
  readonly epoch: number;
  readonly tenure: Tenure;
  /** The run of Load that may write; null until one has taken it. */
  readonly loader: LoaderId | null;
  readonly position: Position;
  readonly sourceIdentity: string;
  readonly targetIdentity: string;
  /** Commit time of the last source transaction, µs since 1970; 0 before the first. */
  readonly sourceCommittedUs: number;
  /** When the row was last moved, by the target's clock: `YYYY-MM-DD hh:mm:ss.ffffff` UTC. */
  readonly appliedAt: string;
}

const COLUMNS = [
  'lane',
  'seq',
  'origin',
  'cluster',
  'epoch',
  'tenure',
  'loader',
  'position',
  'position_digest',
  'position_file',
  'position_offset',
  'last_event_timestamp',
  'last_event_crc32',
  'last_event_length',
  'source_identity',
  'target_identity',
  'source_committed_us',
  'applied_at',
] as const;
type Column = (typeof COLUMNS)[number];

/** Names one row by its full key: an UPDATE or lock on less would skip rows that others hold. */
export function rowKey(pipeline: string, lane: number): string {
  return `pipeline = ${bytesLiteral(pipeline)} AND lane = ${integerLiteral(lane)}`;
}

/**
 * One row, or null. `lock` takes it FOR UPDATE: what is read then is the newest committed, and stays so until the
 * transaction ends.
 * @throws HoltError HOLT_CHECKPOINT_CORRUPT when it does not hold what Holt writes.
 */
export async function readCheckpointRow(
  connection: TargetConnection,
  pipeline: string,
  lane: number,
  lock: boolean,
): Promise<CheckpointRow | null> {
  const [row] = await connection.rows(
    `SELECT ${COLUMNS.join(', ')} FROM holt.checkpoint WHERE ${rowKey(pipeline, lane)}${lock ? ' FOR UPDATE' : ''}`,
  );
  return row === undefined ? null : parseRow(pipeline, row);
}

/** Lanes that have a row, ascending; takes no lock. */
export async function readLanes(connection: TargetConnection, pipeline: string): Promise<readonly number[]> {
  const rows = await connection.rows(
    `SELECT lane FROM holt.checkpoint WHERE pipeline = ${bytesLiteral(pipeline)} ORDER BY lane`,
  );
  return rows.map((row) => Number(row[0]?.toString('latin1')));
}

/** Assignments of the columns that hold a position; the digest is what the guard compares. */
export function positionAssignments(position: Position): string {
  const { at, lastEvent, text } = position;
  return [
    `position = ${bytesLiteral(text)}`,
    `position_digest = x'${positionDigest(text)}'`,
    `position_file = ${nullable(at?.file ?? null, bytesLiteral)}`,
    `position_offset = ${nullable(at?.offset ?? null, integerLiteral)}`,
    `last_event_timestamp = ${nullable(lastEvent?.timestamp ?? null, integerLiteral)}`,
    `last_event_crc32 = ${nullable(lastEvent?.crc32 ?? null, integerLiteral)}`,
    `last_event_length = ${nullable(lastEvent?.length ?? null, integerLiteral)}`,
  ].join(', ');
}

function parseRow(pipeline: string, values: readonly (Buffer | null)[]): CheckpointRow {
  const bytes = (column: Column): Buffer | null => values[COLUMNS.indexOf(column)] ?? null;
  const text = (column: Column): string => bytes(column)?.toString('utf8') ?? '';
  const number = (column: Column): number | null => {
    const value = bytes(column);
    return value === null ? null : Number(value.toString('latin1'));
  };
  const lane = number('lane') ?? 0;
  const position = text('position') as PositionText;
  if (positionDigest(position) !== bytes('position_digest')?.toString('hex'))
    throw corrupt(pipeline, lane, 'the position is not the one that its digest was made of');
  const [file, offset, timestamp] = [
    bytes('position_file'),
    number('position_offset'),
    number('last_event_timestamp'),
  ];
  const length = number('last_event_length');
  const loader = bytes('loader');
  try {
    return {
      lane,
      seq: BigInt(text('seq')),
      origin: text('origin'),
      cluster: text('cluster'),
      epoch: number('epoch') ?? 0,
      tenure: parseTenure(bytes('tenure')?.toString('hex') ?? ''),
      loader: loader === null ? null : parseLoaderId(loader.toString('hex')),
      position: {
        text: position,
        at: file === null || offset === null ? null : { file: file.toString('utf8'), offset },
        lastEvent:
          timestamp === null
            ? null
            : { timestamp, crc32: number('last_event_crc32'), ...(length === null ? {} : { length }) },
      },
      sourceIdentity: text('source_identity'),
      targetIdentity: text('target_identity'),
      sourceCommittedUs: number('source_committed_us') ?? 0,
      appliedAt: text('applied_at'),
    };
  } catch (error) {
    throw corrupt(pipeline, lane, error instanceof Error ? error.message : String(error));
  }
}

function corrupt(pipeline: string, lane: number, what: string): HoltError {
  return new HoltError('HOLT_CHECKPOINT_CORRUPT', `the checkpoint row of ${pipeline} is not ours: ${what}`, {
    disposition: 'pause',
    facts: { pipeline, lane },
  });
}
