/**
 * The `holt` schema, version by version. A server has all tables, whichever of source and target it is: in a channel of
 * two pipelines it is both.
 *
 * Rules: a migration that was released is never changed. DDL commits by itself and may be cut off between two
 * statements, so each statement must bear being run again. They run on MySQL 5.6 to 9.7 and MariaDB 10.5 and later: InnoDB,
 * keys under 767 bytes, no JSON, no expression defaults. Text of Holt's own is VARBINARY (UTF-8 bytes): comparing it never depends on a collation.
 */
export interface Migration {
  readonly version: number;
  readonly what: string;
  readonly statements: readonly string[];
}

const TABLE_END = 'ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4';

/**
 * How far a pipeline is, and who may say so: the row that the guard updates. Columns 0 to 3 are the loop mark and keep their places
 * (`model/holt-tables.ts`). `position` is the canonical text, `position_digest` its digest; file, offset, timestamp and CRC of
 * the last event are for display and for checks on resume. `loader` is the run of Load that may write; null until one has taken it.
 */
const CHECKPOINT = `CREATE TABLE IF NOT EXISTS holt.checkpoint (
  pipeline VARBINARY(64) NOT NULL,
  lane INT UNSIGNED NOT NULL,
  seq BIGINT UNSIGNED NOT NULL,
  origin VARBINARY(64) NOT NULL,
  cluster VARBINARY(64) NOT NULL,
  epoch BIGINT UNSIGNED NOT NULL,
  tenure BINARY(16) NOT NULL,
  loader BINARY(16) NULL,
  position LONGBLOB NOT NULL,
  position_digest BINARY(16) NOT NULL,
  position_file VARBINARY(512) NULL,
  position_offset BIGINT UNSIGNED NULL,
  last_event_timestamp BIGINT UNSIGNED NULL,
  last_event_crc32 INT UNSIGNED NULL,
  last_event_length INT UNSIGNED NULL,
  source_identity VARBINARY(255) NOT NULL,
  target_identity VARBINARY(255) NOT NULL,
  source_committed_us BIGINT UNSIGNED NOT NULL,
  applied_at DATETIME(6) NOT NULL,
  raised_at DATETIME(6) NOT NULL,
  PRIMARY KEY (pipeline, lane)
) ${TABLE_END}`;

/** Every connection that locks a checkpoint row or runs DDL; `registration` names the user lock it holds for life. */
const WRITER = `CREATE TABLE IF NOT EXISTS holt.writer (
  registration BINARY(16) NOT NULL,
  pipeline VARBINARY(64) NOT NULL,
  lane INT UNSIGNED NOT NULL,
  role VARBINARY(16) NOT NULL,
  connection_id BIGINT UNSIGNED NOT NULL,
  user VARBINARY(384) NOT NULL,
  node VARBINARY(64) NOT NULL,
  epoch BIGINT UNSIGNED NOT NULL,
  tenure BINARY(16) NULL,
  registered_at DATETIME(6) NOT NULL,
  PRIMARY KEY (registration),
  KEY pipeline (pipeline)
) ${TABLE_END}`;

/** As version 1 made it; nothing was ever written there. */
const DDL_1 = `CREATE TABLE IF NOT EXISTS holt.ddl (
  pipeline VARBINARY(64) NOT NULL,
  lane INT UNSIGNED NOT NULL,
  seq BIGINT UNSIGNED NOT NULL,
  state VARBINARY(16) NOT NULL,
  epoch BIGINT UNSIGNED NOT NULL,
  tenure BINARY(16) NOT NULL,
  registration BINARY(16) NOT NULL,
  connection_id BIGINT UNSIGNED NOT NULL,
  default_schema VARBINARY(256) NOT NULL,
  statement LONGBLOB NOT NULL,
  own_gtid VARBINARY(128) NULL,
  target_position LONGBLOB NULL,
  tables_before LONGBLOB NULL,
  outcome VARBINARY(64) NULL,
  opened_at DATETIME(6) NOT NULL,
  settled_at DATETIME(6) NULL,
  PRIMARY KEY (pipeline, lane, seq),
  KEY state (pipeline, state)
) ${TABLE_END}`;

/** As version 1 had them; nothing used them. */
const PARKED_1 = `CREATE TABLE IF NOT EXISTS holt.parked (
  pipeline VARBINARY(64) NOT NULL,
  table_schema VARBINARY(256) NOT NULL,
  table_name VARBINARY(256) NOT NULL,
  state VARBINARY(16) NOT NULL,
  why LONGBLOB NOT NULL,
  parked_at DATETIME(6) NOT NULL,
  PRIMARY KEY (pipeline, table_schema, table_name)
) ${TABLE_END}`;

const HELD_1 = `CREATE TABLE IF NOT EXISTS holt.held (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  pipeline VARBINARY(64) NOT NULL,
  kind VARBINARY(16) NOT NULL,
  subject VARBINARY(520) NOT NULL,
  seq BIGINT UNSIGNED NOT NULL,
  origin VARBINARY(64) NOT NULL,
  piece INT UNSIGNED NOT NULL,
  last_piece TINYINT UNSIGNED NOT NULL,
  source_committed_us BIGINT UNSIGNED NOT NULL,
  payload LONGBLOB NOT NULL,
  held_at DATETIME(6) NOT NULL,
  PRIMARY KEY (id),
  KEY subject (pipeline, subject)
) ${TABLE_END}`;

/** Changes that were not applied as they came (G5). The images are in `ledger_piece`. state: open, then replayed or closed. */
const LEDGER = `CREATE TABLE IF NOT EXISTS holt.ledger (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  pipeline VARBINARY(64) NOT NULL,
  seq BIGINT UNSIGNED NOT NULL,
  origin VARBINARY(64) NOT NULL,
  kind VARBINARY(32) NOT NULL,
  decision VARBINARY(32) NOT NULL,
  op VARBINARY(16) NOT NULL,
  source_schema VARBINARY(256) NOT NULL,
  source_table VARBINARY(256) NOT NULL,
  target_schema VARBINARY(256) NOT NULL,
  target_table VARBINARY(256) NOT NULL,
  row_key LONGBLOB NOT NULL,
  gtid VARBINARY(255) NOT NULL,
  source_committed_us BIGINT UNSIGNED NOT NULL,
  batch_end LONGBLOB NOT NULL,
  why LONGBLOB NOT NULL,
  state VARBINARY(16) NOT NULL,
  replay BINARY(16) NULL,
  replayed_by VARBINARY(256) NULL,
  replayed_at DATETIME(6) NULL,
  written_at DATETIME(6) NOT NULL,
  PRIMARY KEY (id),
  KEY pipeline (pipeline, id),
  KEY state (pipeline, state)
) ${TABLE_END}`;

/**
 * `part`: `change` is the change itself, a payload (`model/payload.ts`) with one row that holds its images; `route` where
 * it goes, as JSON; `found` the row that stood at the target, as JSON.
 */
const LEDGER_PIECE = `CREATE TABLE IF NOT EXISTS holt.ledger_piece (
  id BIGINT UNSIGNED NOT NULL,
  part VARBINARY(16) NOT NULL,
  piece INT UNSIGNED NOT NULL,
  bytes LONGBLOB NOT NULL,
  PRIMARY KEY (id, part, piece)
) ${TABLE_END}`;

/** At sources: "read up to here". Columns keep their places (`model/holt-tables.ts`). */
const HEARTBEAT = `CREATE TABLE IF NOT EXISTS holt.heartbeat (
  cluster VARBINARY(64) NOT NULL,
  site VARBINARY(64) NOT NULL,
  beat BIGINT UNSIGNED NOT NULL,
  at_us BIGINT UNSIGNED NOT NULL,
  node VARBINARY(64) NOT NULL,
  PRIMARY KEY (cluster, site)
) ${TABLE_END}`;

/** At sources: a row per pipeline says that it has run, so that a lost checkpoint never looks like a first start. */
const PIPELINE = `CREATE TABLE IF NOT EXISTS holt.pipeline (
  cluster VARBINARY(64) NOT NULL,
  pipeline VARBINARY(64) NOT NULL,
  first_run_at DATETIME(6) NOT NULL,
  PRIMARY KEY (cluster, pipeline)
) ${TABLE_END}`;

/**
 * A parked table, by its name at the source: its changes are held back instead of applied. Tables that must be drained together,
 * because foreign keys join them, have the same root. state: parked, then draining. `definitions`: what its columns were, given by
 * an operator for rows that could not be decoded, as JSON. Load and unparking lock the row.
 */
const PARKED = `CREATE TABLE IF NOT EXISTS holt.parked (
  pipeline VARBINARY(64) NOT NULL,
  table_schema VARBINARY(256) NOT NULL,
  table_name VARBINARY(256) NOT NULL,
  target_schema VARBINARY(256) NOT NULL,
  target_table VARBINARY(256) NOT NULL,
  root_schema VARBINARY(256) NOT NULL,
  root_table VARBINARY(256) NOT NULL,
  state VARBINARY(16) NOT NULL,
  code VARBINARY(64) NOT NULL,
  why LONGBLOB NOT NULL,
  parked_by VARBINARY(256) NOT NULL,
  definitions LONGBLOB NULL,
  parked_at DATETIME(6) NOT NULL,
  changed_at DATETIME(6) NOT NULL,
  PRIMARY KEY (pipeline, table_schema, table_name)
) ${TABLE_END}`;

/**
 * Changes of parked tables (kind `table`, subject the quoted name of the root) and XA bodies between prepare and commit (kind `xa`),
 * in the form of `model/payload.ts`, in pieces. `changes` and `bytes` are of the whole entry, and stand in its last piece.
 */
const HELD = `CREATE TABLE IF NOT EXISTS holt.held (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  pipeline VARBINARY(64) NOT NULL,
  kind VARBINARY(16) NOT NULL,
  subject VARBINARY(520) NOT NULL,
  seq BIGINT UNSIGNED NOT NULL,
  origin VARBINARY(64) NOT NULL,
  piece INT UNSIGNED NOT NULL,
  last_piece TINYINT UNSIGNED NOT NULL,
  changes BIGINT UNSIGNED NOT NULL DEFAULT 0,
  bytes BIGINT UNSIGNED NOT NULL DEFAULT 0,
  source_committed_us BIGINT UNSIGNED NOT NULL,
  payload LONGBLOB NOT NULL,
  held_at DATETIME(6) NOT NULL,
  PRIMARY KEY (id),
  KEY subject (pipeline, kind, subject, id)
) ${TABLE_END}`;

/**
 * What the columns of the source's tables are at the checkpoint, so that a backlog older than today's tables can be decoded: written in the
 * transactions that move the checkpoint, so that it is never older nor newer. A null definition: altered, and nobody can say to what.
 */
const TABLE_SHAPE = `CREATE TABLE IF NOT EXISTS holt.table_shape (
  pipeline VARBINARY(64) NOT NULL,
  table_schema VARBINARY(256) NOT NULL,
  table_name VARBINARY(256) NOT NULL,
  seq BIGINT UNSIGNED NOT NULL,
  definition LONGBLOB NULL,
  recorded_at DATETIME(6) NOT NULL,
  PRIMARY KEY (pipeline, table_schema, table_name)
) ${TABLE_END}`;

/**
 * DDL journal (protocol section 5). Columns 0 to 4 are the loop mark of a schema change and keep their places (`model/holt-tables.ts`).
 *
 *     open ─┬─ done   it ran, and the checkpoint has moved behind it
 *           ├─ ran    it ran, as found out by others than who sent it; the checkpoint moves when the statement comes again
 *           ├─ void   it did not run
 *           └─ failed the server refused it
 *
 * `statement` is the source's, `mapped` what is sent. `log_file` and `log_offset`: the end of this server's own binlog before the statement,
 * `settled_…` afterwards. `tables_before`: what was there under the names it concerns, as JSON.
 */
const DDL = `CREATE TABLE IF NOT EXISTS holt.ddl (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  pipeline VARBINARY(64) NOT NULL,
  state VARBINARY(16) NOT NULL,
  origin VARBINARY(64) NOT NULL,
  connection_id BIGINT UNSIGNED NOT NULL,
  registration BINARY(16) NOT NULL,
  seq BIGINT UNSIGNED NOT NULL,
  epoch BIGINT UNSIGNED NOT NULL,
  tenure BINARY(16) NOT NULL,
  kind VARBINARY(32) NOT NULL,
  source_ref VARBINARY(512) NOT NULL,
  default_schema VARBINARY(256) NOT NULL,
  statement LONGBLOB NOT NULL,
  mapped LONGBLOB NOT NULL,
  own_gtid VARBINARY(128) NULL,
  server_identity VARBINARY(255) NOT NULL,
  server_started VARBINARY(32) NOT NULL,
  log_file VARBINARY(512) NULL,
  log_offset BIGINT UNSIGNED NULL,
  tables_before LONGBLOB NOT NULL,
  why LONGBLOB NULL,
  opened_at DATETIME(6) NOT NULL,
  settled_at DATETIME(6) NULL,
  settled_by VARBINARY(256) NULL,
  settled_file VARBINARY(512) NULL,
  settled_offset BIGINT UNSIGNED NULL,
  PRIMARY KEY (id),
  KEY pipeline (pipeline, state)
) ${TABLE_END}`;

/** The source session's `timestamp`, in seconds with six digits: what the statement takes for now, and a person who runs it by hand has to set. */
const DDL_SESSION_TIME = 'ALTER TABLE holt.ddl ADD COLUMN session_time VARBINARY(32) NULL';

/** What Select has to remember at the checkpoint's position beside it (`stages/load/select-state.ts`). */
const SELECT_STATE = `CREATE TABLE IF NOT EXISTS holt.select_state (
  pipeline VARBINARY(64) NOT NULL,
  online_changes LONGBLOB NOT NULL,
  changed_at DATETIME(6) NOT NULL,
  PRIMARY KEY (pipeline)
) ${TABLE_END}`;

/** By which rules rows were given to parallel lanes (`stages/load/lanes/lane-plan.ts`). */
const LANE_PLAN = `CREATE TABLE IF NOT EXISTS holt.lane_plan (
  pipeline VARBINARY(64) NOT NULL,
  version INT UNSIGNED NOT NULL,
  lanes INT UNSIGNED NOT NULL,
  rules LONGBLOB NOT NULL,
  written_at DATETIME(6) NOT NULL,
  PRIMARY KEY (pipeline)
) ${TABLE_END}`;

export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    what: 'checkpoint, writers, journal, held changes, ledger, heartbeat',
    statements: [CHECKPOINT, WRITER, DDL_1, PARKED_1, HELD_1, LEDGER, LEDGER_PIECE, HEARTBEAT, PIPELINE],
  },
  {
    version: 2,
    what: 'parked tables with their groups, held changes with their sizes, definitions of the source tables',
    statements: [
      'DROP TABLE IF EXISTS holt.parked',
      'DROP TABLE IF EXISTS holt.held',
      PARKED,
      HELD,
      TABLE_SHAPE,
    ],
  },
  {
    version: 3,
    what: 'the journal of schema changes',
    statements: ['DROP TABLE IF EXISTS holt.ddl', DDL],
  },
  {
    version: 4,
    what: 'online schema changes under way',
    statements: [SELECT_STATE],
  },
  {
    version: 5,
    what: 'the time at which a schema change began at the source',
    statements: [DDL_SESSION_TIME],
  },
  {
    version: 6,
    what: 'rules by which rows go to parallel lanes',
    statements: [LANE_PLAN],
  },
];
