/**
 * Names in the `holt` schema that more than one part of Holt relies on: Load writes these tables, Select and the canal engine
 * recognise their rows in the binlog. What they hold is in `stages/load/target/schema/migrations.ts`.
 */
export const HOLT_SCHEMA = 'holt';
export const CHECKPOINT_TABLE = 'checkpoint';
export const HEARTBEAT_TABLE = 'heartbeat';
export const PIPELINE_TABLE = 'pipeline';
export const DDL_TABLE = 'ddl';

/**
 * Where the loop mark's values are in a row of `holt.checkpoint`, counted from 0. A binlog without column names still
 * has to be read: these columns stay where they are in every later version of the table.
 *
 * A mark is an UPDATE that changes seq. Whatever else Holt updates in that table (raise, taking Load) never assigns seq
 * nor origin, so that under MINIMAL row images the after image shows them exactly when the row is a mark. An
 * INSERT begins a lane anew: the next mark of that lane has seq + 1.
 *
 * pipeline VARBINARY(64) · lane INT UNSIGNED · seq BIGINT UNSIGNED · origin VARBINARY(64)
 */
export const CHECKPOINT_COLUMN = { pipeline: 0, lane: 1, seq: 2, origin: 3 } as const;

/**
 * The same of `holt.heartbeat`: cluster VARBINARY(64) · site VARBINARY(64) · beat BIGINT UNSIGNED (counts up) ·
 * at_us BIGINT UNSIGNED (µs since 1970 by the source server's own clock).
 */
export const HEARTBEAT_COLUMN = { cluster: 0, site: 1, beat: 2, atUs: 3 } as const;

/** Lanes of a pipeline's checkpoint: 0 is the stream, 1…k its parallel lanes; other writers have one each. */
export const LANE = {
  stream: 0,
  snapshot: 1_000_000,
  repair: 1_000_001,
  replay: 1_000_002,
  /** Held changes of parked tables, applied after repair. */
  drain: 1_000_003,
} as const;

/** Most lanes of a pipeline in apply mode `parallel`. */
export const MAX_LANES = 32;

/** True for 1…k: rows of the stream that several connections write. */
export function isParallelLane(lane: number): boolean {
  return lane > LANE.stream && lane < LANE.snapshot;
}

/**
 * The same of `holt.ddl`, the journal: id BIGINT UNSIGNED (the key) · pipeline VARBINARY(64) · state VARBINARY(16) ·
 * origin VARBINARY(64) · connection_id BIGINT UNSIGNED. A row is inserted with state `open` before its statement is sent, and
 * leaves that state once it is known what became of it. An UPDATE of a row assigns the state and nothing before it, so
 * that MINIMAL images show key and state.
 */
export const DDL_COLUMN = { id: 0, pipeline: 1, state: 2, origin: 3, connectionId: 4 } as const;
