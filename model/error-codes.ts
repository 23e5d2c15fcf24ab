/**
 * Every code that Holt gives, and what an operator does about it. The reference page is generated from this file:
 * the text is the manual. A code, once released, keeps its meaning.
 */
export interface ErrorCode {
  /** One sentence: what has happened. */
  readonly what: string;
  /** One or two sentences: what to do. */
  readonly remedy: string;
}

export const ERROR_CODES = {
  // names and ids
  HOLT_NAME_INVALID: {
    what: 'A name in the configuration has characters that names may not have.',
    remedy: 'Use lower-case letters, digits, "-", "_" and ".".',
  },
  HOLT_ID_INVALID: {
    what: 'An id read from ZooKeeper or the target has not the form of one.',
    remedy: 'Someone else wrote there; look at the named place.',
  },
  HOLT_POSITION_INVALID: {
    what: 'A position has none of the known forms.',
    remedy: 'Give mysql:<gtid set>, mariadb:<gtid list> or file:<server>:<file>:<offset>.',
  },

  HOLT_POSITION_CHUNK: {
    what: 'The position is inside a large transaction, which has fewer rows at this source than are said to be done.',
    remedy:
      'The source is another one, or its log was made anew: compare the tables (holt verify), set the position before or behind that transaction, and resume.',
  },

  HOLT_SQL_NAME_INVALID: {
    what: 'A schema, table or column has a name that cannot be written in SQL.',
    remedy: 'Names have 1 to 64 characters and no NUL; correct the table rule that makes this one.',
  },

  // payload
  HOLT_BATCH_TOO_MANY_TABLES: {
    what: 'One batch touches more than 65536 tables.',
    remedy: 'Lower batch.maxRows of the pipeline.',
  },
  HOLT_PAYLOAD_CORRUPT: {
    what: "A batch's payload does not have the form of one.",
    remedy: 'Holt rewinds by itself; if it repeats, look for a proxy that changes bytes.',
  },

  // canal: connection and protocol
  HOLT_SOURCE_UNREACHABLE: {
    what: 'No connection to the source could be made.',
    remedy:
      'Look whether the server runs, and whether host, port and network are as configured; Holt keeps trying.',
  },
  HOLT_SOURCE_LINK_LOST: {
    what: 'The connection to the source ended in the middle of its work.',
    remedy:
      'Nothing, if it comes back: Holt reconnects and goes on without a gap. If it repeats, look at the network and the server log.',
  },
  HOLT_SOURCE_SILENT: {
    what: 'The source sent neither events nor heartbeats for several heartbeat periods.',
    remedy:
      'Nothing, if it comes back: Holt reconnects. If it repeats, the server hangs or a firewall drops idle links.',
  },
  HOLT_SOURCE_PROTOCOL: {
    what: 'The source sent bytes that do not fit the MySQL protocol.',
    remedy:
      'Look whether host and port belong to a MySQL or MariaDB server, and for a proxy that changes bytes.',
  },
  HOLT_SOURCE_PACKET_TOO_LARGE: {
    what: 'The source sent one event or row above the largest size that Holt takes.',
    remedy: 'Raise the cap if the node has the memory, or split what makes the event.',
  },
  HOLT_SOURCE_TLS: {
    what: 'TLS with the source was asked for and could not be had as configured.',
    remedy:
      "Look at the server's certificate and TLS settings, and at tls.mode and tls.ca of the data source. Holt tries again by itself.",
  },
  HOLT_SOURCE_ACCESS_DENIED: {
    what: 'The source refused user or password.',
    remedy: 'Correct user and password of the data source; Holt tries again by itself.',
  },
  HOLT_SOURCE_AUTH_METHOD: {
    what: 'The source asks for a way to log in that Holt does not speak, or that is not safe on this link.',
    remedy:
      'Use TLS, or an account with caching_sha2_password, mysql_native_password or (MariaDB) ed25519. Holt tries again by itself.',
  },
  HOLT_SOURCE_SQL: {
    what: 'The source answered a query of Holt with an error.',
    remedy: "The message is the server's own.",
  },

  // canal: source checks and start
  HOLT_SOURCE_VERSION: {
    what: 'The source is of a version that Holt does not know.',
    remedy: 'Use MySQL 5.6 or later, or MariaDB 10.5 or later.',
  },
  HOLT_SOURCE_BINLOG_OFF: {
    what: 'The source writes no binary log.',
    remedy: 'Start the server with log_bin, and log_slave_updates if it is itself a replica.',
  },
  HOLT_SOURCE_BINLOG_FORMAT: {
    what: 'The source logs statements, not rows.',
    remedy: 'SET GLOBAL binlog_format = ROW, in the option file too, and let old sessions reconnect.',
  },
  HOLT_SOURCE_GRANT: {
    what: 'The account on the source lacks privileges.',
    remedy:
      'Grant what the message names; `holt grants print` gives the statements. Holt tries again by itself.',
  },
  HOLT_SOURCE_SERVER_ID: {
    what: 'The server_id under which Holt follows the source is used by the source itself or by another replica.',
    remedy: 'Give the data source a serverId that no server or replica of this source has.',
  },
  HOLT_SOURCE_POSITION_PURGED: {
    what: 'The source has deleted the binary log that begins at the position asked for.',
    remedy: 'Take a new copy of the data and set the position to it; keep binary logs for longer.',
  },
  HOLT_SOURCE_POSITION_FOREIGN: {
    what: 'The source does not have the history that the position speaks of.',
    remedy:
      'Look whether this is the right server, and whether it was rebuilt or reset; then take a new copy and set the position.',
  },
  HOLT_SOURCE_START_INVALID: {
    what: 'The configured start cannot be found in the log of this source.',
    remedy: 'Correct start: of the pipeline; the message says what the source has.',
  },

  HOLT_HEARTBEAT_FAILED: {
    what: 'The heartbeat row cannot be written at the source: how far reading is behind is known less well.',
    remedy:
      "The message is the server's own. Grant what `holt grants print` lists on holt.heartbeat, or make the source writable; Holt tries again by itself.",
  },

  // canal: events, values, schema
  HOLT_EVENT_CORRUPT: {
    what: 'A binlog event does not have the form its type prescribes.',
    remedy:
      'Look at the event with "holt binlog dump"; if the file is damaged, start the pipeline behind it from a fresh copy, else report the event.',
  },
  HOLT_EVENT_CHECKSUM: {
    what: 'The CRC32 of a binlog event is wrong: bytes changed on disk or on the way.',
    remedy:
      "Holt reads it again by itself; if it repeats at the same place, the source's file is damaged: check its disk and memory.",
  },
  HOLT_EVENT_UNKNOWN: {
    what: 'The binlog has an event of a type that this version does not know and that may not be skipped.',
    remedy: 'Upgrade Holt; if the newest version does not know the type either, report its number.',
  },
  HOLT_EVENT_UNSUPPORTED: {
    what: 'The binlog has an event of a form that MySQL 5.5 and older, or a beta, wrote and that cannot be applied.',
    remedy: 'Start the pipeline behind it from a fresh copy of the tables.',
  },
  HOLT_EVENT_TOO_LARGE: {
    what: 'A binlog event, or what it unpacks to, is larger than the limit.',
    remedy: 'Raise the limit, or split the transaction at the source.',
  },
  HOLT_BINLOG_FILE_INVALID: {
    what: 'A file given as a binlog is none, is encrypted, or is cut off.',
    remedy: 'Give a binlog file as the server left it: whole, not encrypted.',
  },
  HOLT_ROW_CORRUPT: {
    what: 'A row image does not have the form that its table map prescribes.',
    remedy:
      'Look at the event with "holt binlog dump"; if the file is damaged, start behind it from a fresh copy, else report the event.',
  },
  HOLT_VALUE_INVALID: {
    what: 'A value does not have a form that its column type allows.',
    remedy: 'Look at the named column; if a user processor made the value, correct the processor.',
  },
  HOLT_JSON_DIFF_INVALID: {
    what: 'A partial JSON change does not fit the document it is to be applied to.',
    remedy:
      "Set binlog_row_value_options = '' at the source, or start behind the event from a fresh copy of the table.",
  },
  HOLT_TRANSACTION_MALFORMED: {
    what: 'The events of a transaction come in an order that no server writes, or reading began inside a transaction.',
    remedy: 'Set the position to the beginning or the end of a transaction; if it was, report this.',
  },
  HOLT_TRANSACTION_UNDO_IN_PARTS: {
    what: 'The log takes back rows of a large transaction of which parts have already been handed on.',
    remedy: 'Raise batch.partBytes of the pipeline above the size of this transaction, then resume it.',
  },
  HOLT_SCHEMA_MISMATCH: {
    what: 'A table of the source has changed since the rows at this position were logged, and the log does not say what its columns were called.',
    remedy:
      'Set binlog_row_metadata = FULL at the source; for what is already logged, set the position behind the change and copy or repair the table.',
  },
  HOLT_SCHEMA_UNCERTAIN: {
    what: 'The log does not say what the columns of a table were called, and goes on for too long behind these rows to be looked through for a change of it.',
    remedy:
      'If nobody has altered or renamed the table since, resume it (`holt table resume`): its rows are then taken for those of the table as it is now; else name a table as it was then (`--like`). Set binlog_row_metadata = FULL at the source for what comes.',
  },
  HOLT_SCHEMA_UNREADABLE: {
    what: "The columns of a source's table cannot be read, and the log does not say what they are called.",
    remedy:
      'Grant SELECT on the table to the account of the data source; the message says what the server answered.',
  },
  HOLT_SOURCE_CHANGED: {
    what: 'The address of the source leads to another server than before.',
    remedy: 'Nothing: Holt raises again and goes on by GTID. Without GTIDs the position must be set anew.',
  },
  HOLT_SOURCE_READER_CLOSED: {
    what: 'A reader of the source was used after it had been closed.',
    remedy: 'Nothing: the pipeline opens another one.',
  },
  HOLT_SOURCE_TOO_MANY_READERS: {
    what: 'So many pipelines of one source stand at different places that no dump connection is left for another.',
    remedy: 'Wait until some have caught up, or pause some.',
  },
  HOLT_SOURCE_INTERRUPTED: {
    what: 'The link to the source was lost in the middle of a transaction of which parts have already been handed on.',
    remedy: 'Nothing: Holt rewinds to the checkpoint and reads the transaction again.',
  },
  HOLT_POSITION_FORM: {
    what: 'A transaction of the source cannot be expressed in the form of the position: GTIDs were turned on or off.',
    remedy: 'Let all sites agree on gtid_mode, then set the position in its new form.',
  },

  // select, extract, transform
  HOLT_ROW_FILTER_COLUMN: {
    what: 'A row filter names a column that the table does not have, or compares it with what does not suit it.',
    remedy: 'Correct the rule, or narrow its pattern to the tables it fits; then resume the pipeline.',
  },
  HOLT_ROW_FILTER_IMAGE: {
    what: 'A row filter needs a column that the row image in the log does not have.',
    remedy:
      'Set binlog_row_image=FULL at the source, or take the filter away; then rewind to before the change.',
  },
  HOLT_PROCESSOR_FAILED: {
    what: 'A user processor threw, or returned what is no row.',
    remedy: 'Correct the module named, restart the nodes, and resume; the pipeline stands before the batch.',
  },
  HOLT_TABLE_PATTERN_INVALID: {
    what: 'A table pattern is not of the form schema.table.',
    remedy: 'Write schema.table with * and ? as wildcards; quote names that have a dot, * or ? with `.',
  },
  HOLT_DDL_ON_REPLICATED_TABLE: {
    what: 'The definition of a replicated table was changed at the source, and the pipeline is to stop at such statements, or cannot replicate this one.',
    remedy:
      'Run the statement, adapted, at the target; then set the position to the one behind it that the message names, and resume.',
  },
  HOLT_DDL_UNREADABLE: {
    what: 'A statement that may define a replicated table could not be read with certainty: neither grammar nor parser library understood all of it, or they differ.',
    remedy:
      'The message names the place. Bring the target to the same state by hand, then tell Holt to go on behind the statement.',
  },
  HOLT_DDL_UNMAPPABLE: {
    what: "What a statement does to a replicated table is not clear at the target under the pipeline's rules: a dropped column in a key, several tables in one, columns that a constant fills.",
    remedy: 'Change the target by hand as the rules intend it, then tell Holt to go on behind the statement.',
  },
  HOLT_DDL_LEAVES_TABLES: {
    what: 'A statement moves a table into the set of replicated tables or out of it, or takes rows or columns from a table outside it.',
    remedy:
      'Do at the target what is to become of the table (a table that comes in needs a copy of its rows), then tell Holt to go on behind the statement.',
  },
  HOLT_DDL_TARGET_LACKS: {
    what: "The target's server does not take something that the statement uses, or takes it otherwise than the source.",
    remedy: 'Change the target by hand in its own words, then tell Holt to go on behind the statement.',
  },
  HOLT_DDL_ONLINE_CHANGE_UNSEEN: {
    what: 'A run of gh-ost or pt-online-schema-change ends whose beginning was not read: the position was set into the midst of it, or the pipeline began there.',
    remedy:
      'Run the ALTER of that run at the target by hand, then tell Holt to go on behind the statement. Rows of the ghost table, if any arrived, can go.',
  },
  HOLT_DDL_ONLINE_CHANGE_UNCLEAR: {
    what: 'What an online schema change (gh-ost, pt-online-schema-change, or one that looks like it) comes to cannot be told; the message names the reason.',
    remedy:
      'Run the change at the target by hand and compare the table (holt verify), then tell Holt to go on behind the statement.',
  },
  HOLT_DDL_ROWS_IN_STATEMENT: {
    what: 'A statement defines a table and fills it by a query (CREATE TABLE … SELECT logged as a statement); the rows are not in the log.',
    remedy:
      'Keep sessions from setting binlog_format; make and fill the table at the target, then tell Holt to go on behind the statement.',
  },
  HOLT_STATEMENT_FORMAT: {
    what: 'A change that may concern replicated tables is in the log as a statement, not as rows.',
    remedy:
      'Keep sessions from setting binlog_format; bring the tables to the same state, set the position behind the statement, and resume.',
  },
  HOLT_XA_BODY_MISSING: {
    what: 'The log has an XA COMMIT whose rows are not held at the target: the pipeline began to read between XA PREPARE and XA COMMIT.',
    remedy:
      'Bring the rows of that transaction to the target by hand, set the position behind the XA COMMIT, which the message names, and resume. To avoid it, begin where XA RECOVER at the source lists nothing.',
  },
  HOLT_LOAD_DATA_STATEMENT: {
    what: 'A LOAD DATA that may concern replicated tables is in the log as a statement, not as rows.',
    remedy:
      'Keep sessions from setting binlog_format; repair the table, set the position behind it, and resume.',
  },
  HOLT_SOURCE_INCIDENT: {
    what: 'The source logged an incident: changes may be missing from its log.',
    remedy:
      "Look into the source's error log, compare the tables (holt verify), repair them, set the position behind the incident, and resume.",
  },
  HOLT_MARK_GAP: {
    what: "The loop marks that Holt leaves at this source have a gap: part of Holt's own schema is kept from the log.",
    remedy:
      'Take holt out of binlog-ignore-db and of every filter, and do not truncate its tables; then resume. Changes could go round in circles.',
  },
  HOLT_MAPPING_COLUMN_MISSING: {
    what: 'A table rule names a column that the table does not have.',
    remedy:
      'Correct the rule, or narrow its pattern to the tables that have the column; then resume the pipeline.',
  },

  // load and target
  HOLT_LOAD_REWIND: {
    what: 'Load found the target elsewhere than the batch expects, and asks for a rewind.',
    remedy: 'Nothing: Holt reads on from the checkpoint by itself.',
  },
  HOLT_TARGET_UNREACHABLE: {
    what: 'The target server cannot be reached, or the connection to it broke.',
    remedy: 'Holt tries again by itself; check host, port, firewall and whether the server runs.',
  },
  HOLT_TARGET_TLS: {
    what: 'The TLS session that the configuration asks for cannot be made with the target.',
    remedy:
      "Check the data source's tls section: mode, authority and certificate files, and that the server has TLS on.",
  },
  HOLT_TARGET_ACCESS_DENIED: {
    what: 'The target refuses the account, or the account lacks a privilege.',
    remedy:
      'Check user, password and grants; `holt grants print` shows what is needed. Holt tries again by itself.',
  },
  HOLT_TARGET_READ_ONLY: {
    what: 'The server is read-only (read_only or super_read_only is on), and Holt has to write there: rows and checkpoint at a target, heartbeats at a source.',
    remedy: 'Point the data source at the primary, or switch the variable off. Holt tries again by itself.',
  },
  HOLT_TARGET_DISK: {
    what: 'The target server has no room: disk, tablespace or binlog cache is full, or its storage failed.',
    remedy: "Make room and look at the server's error log. Holt tries again by itself.",
  },
  HOLT_TARGET_CONNECTIONS: {
    what: 'The target server takes no more connections, from this account or at all.',
    remedy: 'Raise max_connections or the limit of the account. Holt tries again by itself.',
  },
  HOLT_TARGET_BINLOG_FORMAT: {
    what: "The target logs statements instead of rows, so that Holt's own changes would carry no mark.",
    remedy: 'Set binlog_format=ROW at the target, or let the account set it for its sessions.',
  },
  HOLT_TARGET_SESSION: {
    what: "A setting of Holt's own session at the target did not take.",
    remedy:
      'Something between Holt and the server (a proxy, init_connect) changes session settings: connect directly.',
  },
  HOLT_TARGET_TABLE: {
    what: 'A table or column that a change goes to is not there at the target, or cannot be written.',
    remedy: 'Create or alter the table at the target, or map it otherwise. Holt tries again by itself.',
  },
  HOLT_TARGET_TABLE_MISSING: {
    what: 'The table that changes go to does not exist at the target.',
    remedy: 'Create it at the target, map it elsewhere, or exclude it. Holt tries again by itself.',
  },
  HOLT_TARGET_COLUMN_MISSING: {
    what: 'The table at the target lacks a column that the source fills.',
    remedy: 'Add the column at the target, or drop it by a table rule. Holt tries again by itself.',
  },
  HOLT_TARGET_COLUMN_UNFILLED: {
    what: 'The table at the target has a column without default that the source does not fill.',
    remedy:
      'Give the column a default at the target, or a constant by a table rule. Holt tries again by itself.',
  },
  HOLT_TARGET_COLUMN_TYPE: {
    what: "A column at the target cannot hold the source's values as they are.",
    remedy:
      "Change the column's type at the target to that of the source, or drop it by a table rule. Holt tries again by itself.",
  },
  HOLT_TARGET_ENGINE: {
    what: 'The table at the target is not InnoDB: its changes would not commit with the checkpoint.',
    remedy: 'ALTER TABLE … ENGINE=InnoDB at the target, or exclude the table. Holt tries again by itself.',
  },
  HOLT_TARGET_TRIGGER: {
    what: 'The table at the target has triggers, which would act a second time.',
    remedy: 'Drop the triggers at the target, or exclude the table. Holt tries again by itself.',
  },
  HOLT_TARGET_JSON_PARTIAL: {
    what: 'The source logs JSON changes in part and without the documents, which only a MySQL target can apply.',
    remedy:
      "At the source set binlog_row_value_options = '' or binlog_row_image = FULL, and compare the table afterwards. Holt tries again by itself.",
  },
  HOLT_TARGET_ROW_TOO_LARGE: {
    what: 'A single row makes a statement larger than the max_allowed_packet of the target: its change is in the ledger, with its images.',
    remedy:
      "Raise max_allowed_packet at the target to at least twice the source's, then replay the entry; `holt doctor` names the tables beforehand that may have such rows.",
  },
  HOLT_TARGET_VALUE_REFUSED: {
    what: 'The target refuses a value: too long, out of range, not of its character set, or against a CHECK.',
    remedy:
      'Compare types, lengths, character sets and CHECK constraints of the table at both sides. Holt tries again by itself.',
  },
  HOLT_ROW_FOREIGN_BYTES: {
    what: "A row has bytes in a character column that are no text of the column's character set, and the target does not take them. The change stands in the ledger with its images; nothing of it was applied.",
    remedy:
      'Correct the value at the source, which brings the row over, or make the column VARBINARY or BLOB at the target and replay the entry.',
  },
  HOLT_TARGET_ROW_AMBIGUOUS: {
    what: 'A change of a table without a key fits several rows at the target.',
    remedy:
      'Give the table a primary key at both sides, or set binlog_row_image=FULL at the source; remove surplus rows at the target.',
  },
  HOLT_TARGET_UNIQUE_CONFLICT: {
    what: 'A unique key at the target refuses a row of the source, and the row in the way cannot be found.',
    remedy:
      "Compare the table's unique keys at both sides; remove the row in the way. Holt tries again by itself.",
  },
  HOLT_TARGET_STATEMENT: {
    what: 'The target refuses a statement, also row by row.',
    remedy: 'Look up the error number; compare the table at both ends. Holt tries again by itself.',
  },
  HOLT_STATEMENT_TOO_LARGE: {
    what: 'A single row makes a statement too large to be sent.',
    remedy: 'Leave the table out, or drop the column, until the row is smaller.',
  },
  HOLT_HELD_BROKEN: {
    what: 'A change that waits in holt.held at the target lacks a piece: someone deleted from that table.',
    remedy:
      'Restore holt.held from a backup of the same moment as holt.checkpoint; or bring the rows to the same state by hand, set the position behind the transaction that the message is about, and resume.',
  },
  HOLT_LOAD_DEFECT: {
    what: 'Load failed in a way that no answer of the target explains.',
    remedy: 'Report it with the log; the position is kept, nothing is lost.',
  },
  HOLT_SCHEMA_NEWER: {
    what: 'A newer Holt has migrated the holt schema of this server.',
    remedy: 'Run that version or a later one everywhere.',
  },
  HOLT_SCHEMA_BUSY: {
    what: 'Another process holds the lock for migrating the holt schema.',
    remedy: 'Holt tries again by itself; look for a process that hangs in a migration.',
  },
  HOLT_SCHEMA_FAILED: {
    what: 'The holt schema cannot be created or migrated.',
    remedy:
      'Grant the account all privileges on the schema holt, or run the migration with one that has them.',
  },
  HOLT_CHECKPOINT_MISSING: {
    what: 'The pipeline has run before, and its checkpoint row at the target is gone.',
    remedy: 'Find out who removed it, compare the tables, and set the position with `holt position set`.',
  },
  HOLT_LANES_UNCLEAR: {
    what: 'Parallel lanes had done parts of a batch when they were stopped, and it cannot be told any more which rows those were: holt.lane_plan is missing, of another release, or does not fit the rows as they come now.',
    remedy:
      'If the configuration was changed meanwhile (a processor that changes keys), put the former one back and resume: it goes away once all lanes are level. Otherwise set the position with `holt position set` to where it stands, which makes all lanes level, compare the tables with `holt verify`, and resume.',
  },
  HOLT_CHECKPOINT_FOREIGN: {
    what: 'The checkpoint row at the target belongs to another Holt installation with a pipeline of the same name.',
    remedy: 'Rename the pipeline, or delete the row if the other installation is gone.',
  },
  HOLT_CHECKPOINT_CORRUPT: {
    what: 'The checkpoint row at the target does not hold what Holt writes there.',
    remedy: 'Someone else wrote there. Compare the tables and set the position with `holt position set`.',
  },
  HOLT_START_MISSING: {
    what: 'The pipeline has no checkpoint and its configuration says no start.',
    remedy: 'Add start: now, earliest, gtid, file:pos or time; there is no default that loses data.',
  },
  HOLT_DDL_ON_PARKED_TABLE: {
    what: 'A schema change concerns a parked table; it was not done, and the table stays parked.',
    remedy:
      'Do by hand what `holt ddl show` says, in its place among the changes held, before the table is resumed.',
  },
  HOLT_DDL_MISSING: {
    what: 'The journal of schema changes has no such row.',
    remedy: 'List the rows with `holt ddl list <pipeline>`.',
  },
  HOLT_DDL_SETTLED: {
    what: 'A schema change is not open: what became of it is known, or it is under way.',
    remedy: 'Look with `holt ddl show`; one that is under way says itself what became of it.',
  },
  HOLT_DDL_UNSETTLED: {
    what: 'A schema change was begun at the target, and neither its log nor its tables tell whether it ran.',
    remedy:
      'Look with `holt ddl show` and at the table whether it ran, say so with `holt ddl settle`, and resume.',
  },
  HOLT_DDL_FAILED: {
    what: 'The target refuses a schema change of the source.',
    remedy:
      "Bring the target's table to where the statement works and resume: it is tried again. Or do by hand what it is to do, and set the position behind it.",
  },
  HOLT_WRITER_NOT_GONE: {
    what: 'An older connection of Holt was killed at the target and does not end.',
    remedy:
      'The server is rolling it back or cannot; look for the named connection in its process list. Holt waits and tries again.',
  },
  HOLT_RAISE_CONTENDED: {
    what: 'The checkpoint rows at the target stay locked by somebody who is not Holt.',
    remedy:
      'Look for a session at the target that holds locks in the schema holt and end it. Holt tries again by itself.',
  },
  HOLT_LEDGER_MISSING: {
    what: 'There is no such entry in the ledger.',
    remedy: 'List the entries with `holt errors list`.',
  },
  HOLT_LEDGER_REPLAYED: {
    what: 'The ledger entry has been replayed or closed already.',
    remedy: 'Nothing is to be done.',
  },
  HOLT_REPLAY_REFUSED: {
    what: 'A ledger entry cannot be applied to the target as it is now; nothing was changed.',
    remedy: 'The message says what is in the way (a unique key, a parent row…): clear it, then replay again.',
  },
  HOLT_REPLAY_SUPERSEDED: {
    what: 'The pipeline was raised while a ledger entry was replayed; nothing was applied.',
    remedy: 'Replay it again.',
  },
  // parked tables
  HOLT_TABLE_PARKED_BY_HAND: {
    what: 'An operator parked the table: its changes are held at the target.',
    remedy: '`holt table resume` applies them and lets the table go on.',
  },
  HOLT_TABLE_PARKED_WITH: {
    what: 'A foreign key joins the table to one that is parked, so its changes wait with it.',
    remedy: 'Resume the table that it waits for: `holt table list` names it.',
  },
  HOLT_TABLE_NOT_PARKED: {
    what: 'The table is not parked.',
    remedy: '`holt table list` shows those that are; names are those at the source.',
  },
  HOLT_TABLE_UNREPAIRED: {
    what: 'Held rows of a table cannot be decoded: nobody has said what its columns were when they were written.',
    remedy:
      'Make a table at the source with those columns in their order, and name it: `holt table resume <pipeline> <table> --like <schema.table>`.',
  },
  HOLT_TABLES_IN_FLUX: {
    what: 'Tables were parked and unparked while Load looked at them, again and again.',
    remedy: 'Nothing: Holt tries again by itself.',
  },
  HOLT_DRAIN_SUPERSEDED: {
    what: 'The pipeline was raised on another target server while held changes were applied; nothing was changed.',
    remedy: 'Nothing: Holt goes on by itself.',
  },

  HOLT_FAILPOINT: {
    what: 'A failpoint that the environment variable HOLT_FAILPOINTS names has acted.',
    remedy: 'Only tests set it: unset HOLT_FAILPOINTS.',
  },
  HOLT_FAILPOINT_INVALID: {
    what: 'The environment variable HOLT_FAILPOINTS cannot be read.',
    remedy: 'Unset it, or write name=kill|stop|error|sleepN, several separated by ";".',
  },

  // scheduler
  HOLT_ZNODE_FOREIGN: {
    what: 'A znode of Holt holds something that Holt did not write, or wrote in a version this release does not know.',
    remedy:
      'Look at the named path; restore or remove it. Only the named pipeline (or node) waits; it goes on by itself.',
  },
  HOLT_CLAIM_LOST: {
    what: 'A lock of this node went away, or its session could not be kept: another node goes on with the work.',
    remedy:
      'Nothing if it is rare. If it repeats, look at the network to ZooKeeper and at the event-loop delay.',
  },
  HOLT_EPOCH_SUPERSEDED: {
    what: 'A newer reign of the pipeline rules: what was in flight under the older one is dropped and read again.',
    remedy: 'Nothing: it follows every rewind and take-over.',
  },
  HOLT_NODE_NAME_TAKEN: {
    what: 'Another living process is registered under the name of this node.',
    remedy: 'Give each process a node name of its own, or stop the other one.',
  },

  // coordination tree
  HOLT_TREE_NODE_EXISTS: {
    what: 'A coordination node that was to be made exists.',
    remedy:
      'Nothing: another node of Holt was first. If it repeats for one path, look at who owns that znode.',
  },
  HOLT_TREE_NO_NODE: {
    what: 'A coordination node that was to be changed does not exist.',
    remedy: 'Nothing: it was removed meanwhile. If someone deletes znodes by hand, let Holt make them anew.',
  },
  HOLT_TREE_BAD_VERSION: {
    what: 'A coordination node was changed by someone else in between.',
    remedy: 'Nothing: Holt reads again and decides anew.',
  },
  HOLT_TREE_NOT_EMPTY: {
    what: 'A coordination node that was to be removed has children.',
    remedy: 'If it repeats, someone else writes under the znode named.',
  },
  HOLT_TREE_EPHEMERAL_PARENT: {
    what: 'A coordination node was to be made under an ephemeral one.',
    remedy: 'The path named is occupied by something foreign: remove that znode.',
  },
  HOLT_TREE_NO_AUTH: {
    what: 'ZooKeeper does not allow an operation to the credentials of this node.',
    remedy: 'Give every Holt node the same ZooKeeper credentials, or correct the ACL of the znode named.',
  },
  HOLT_TREE_CONNECTION_LOSS: {
    what: 'The connection to ZooKeeper went while a request was on its way.',
    remedy:
      'Nothing, if it comes back: Holt finds out what became of the request. If it repeats, look at the network and the ensemble.',
  },
  HOLT_TREE_SESSION_LOST: {
    what: 'The ZooKeeper session of this node is over, and with it all it held.',
    remedy:
      'Nothing, if it was once: others took over, and this node begins anew. If it repeats, the session timeout is too short for the network or the process stalls.',
  },
  HOLT_TREE_AUTH_FAILED: {
    what: 'ZooKeeper refused the credentials of this node.',
    remedy: 'Correct the ZooKeeper credentials in the configuration; Holt tries again every 30 s.',
  },
  HOLT_TREE_DEADLINE: {
    what: 'ZooKeeper did not answer a request, or could not be reached, in time.',
    remedy:
      'Look whether the ensemble has a leader and whether hosts and ports are as configured; Holt keeps trying.',
  },
  HOLT_TREE_CLOSED: {
    what: 'Something was asked of the coordination session after it was closed.',
    remedy: 'Nothing: the node is stopping.',
  },
  HOLT_TREE_TOO_LARGE: {
    what: 'A coordination record is larger than a ZooKeeper server takes.',
    remedy: 'Shorten what is recorded: a configuration above 1 MB, or a path.',
  },
  HOLT_TREE_OVERLOADED: {
    what: 'More requests wait for ZooKeeper than this node holds in memory.',
    remedy: 'Look why ZooKeeper answers slowly: its disk, its network, an ensemble without a leader.',
  },
  HOLT_TREE_SERVER_ERROR: {
    what: 'ZooKeeper refused a request for a reason of its own.',
    remedy: "The message holds the server's code; look into the ZooKeeper server's log.",
  },

  // pipe and node-to-node
  HOLT_PIPE_LISTEN: {
    what: 'The channel between nodes cannot listen on its address.',
    remedy: 'Choose another pipe.listen, or end what uses the port.',
  },
  HOLT_PAYLOAD_TOO_LARGE: {
    what: 'A batch is larger than this node takes from another one.',
    remedy: "Raise pipe.maxPayload, or lower the pipeline's batch.maxBytes; then resume.",
  },
  HOLT_PAYLOAD_GONE: {
    what: 'The rows of a batch are not where its header says: the node that held them has restarted or died.',
    remedy: 'Nothing: Holt reads on from the checkpoint by itself.',
  },
  HOLT_PIPE_UNREACHABLE: {
    what: 'The node that holds the rows of a batch does not answer.',
    remedy:
      'Nothing for a while: it is asked again, and when it is gone Holt rewinds. Check pipe.advertise if it lasts.',
  },
  HOLT_PIPE_REFUSED: {
    what: 'A node refused to hand out rows: signature, clock or claim do not fit.',
    remedy: 'Check that all nodes have the same cluster key and clocks within 30 s.',
  },

  // configuration
  HOLT_CONFIG_INVALID: {
    what: 'The configuration has problems; each is named with file, line, column and what was expected.',
    remedy: 'Correct the places named and run `holt config check` again.',
  },
  HOLT_CONFIG_MISSING: {
    what: 'The configuration file or folder does not exist, or holds no YAML.',
    remedy: 'Name it with --config; conf/examples has some to begin with.',
  },
  HOLT_CONFIG_CHANGED: {
    what: 'The configuration of a pipeline was changed: what was in flight under the old one is dropped and read again.',
    remedy: 'Nothing: the pipeline goes on under the new configuration by itself.',
  },
  HOLT_FILE_UNREADABLE: {
    what: 'A certificate or key that the configuration names cannot be read.',
    remedy: 'Correct the path, or make the file readable for the user Holt runs as.',
  },
  HOLT_SECRET_MISSING: {
    what: 'A secret that the configuration refers to cannot be read.',
    remedy: 'Set the environment variable, or make the file readable for the user Holt runs as.',
  },
  HOLT_ROW_FILTER_INVALID: {
    what: 'A row filter is not of the language of row filters.',
    remedy: "Write comparisons, IN, IS NULL and LIKE joined by AND, OR, NOT: region = 'EU' and total >= 10.",
  },

  // doctor: worth mending, or needed before anything runs
  HOLT_CLOCK_SKEW: {
    what: 'The clocks of servers or nodes are apart: lag figures between them are wrong by that much.',
    remedy: 'Run NTP or chrony on all machines; nodes refuse calls from clocks more than 30 s away.',
  },
  HOLT_CLUSTER_KEY_WEAK: {
    what: 'The key that signs calls between nodes is too short.',
    remedy: 'Make one with `openssl rand -hex 24` and give the same to every node.',
  },
  HOLT_CLUSTER_KEY_DIFFERS: {
    what: 'Nodes of one installation have different keys for the calls between them.',
    remedy: 'Give every node the same cluster key.',
  },
  HOLT_REDIS_EVICTS: {
    what: 'The Redis of a site throws keys away when it is full.',
    remedy: 'Set maxmemory-policy noeviction there, in its configuration too.',
  },
  HOLT_TREE_TIMEOUT_CHANGED: {
    what: 'ZooKeeper grants another session timeout than the one configured.',
    remedy:
      'Set coordination.sessionTimeout between 2 and 20 ticks of the ensemble, or change its min- and maxSessionTimeout.',
  },
  HOLT_TREE_SLOW: {
    what: 'ZooKeeper takes long for a write.',
    remedy: 'Give its transaction log a disk of its own, and look at the network between its members.',
  },
  HOLT_TREE_OPEN: {
    what: 'What Holt keeps in ZooKeeper can be read and changed without credentials.',
    remedy:
      'Set coordination.auth before the first node runs; what exists already keeps its ACL until it is set with zkCli.',
  },
  HOLT_SCHEMA_GRANT: {
    what: 'The account may not create or use the schema holt on a server.',
    remedy: 'GRANT ALL PRIVILEGES ON `holt`.* TO the account; `holt grants print` has all it needs.',
  },
  HOLT_SOURCE_SETTING: {
    what: 'A setting of the source works, and costs something that the message names.',
    remedy: 'Change the setting named if that matters to you.',
  },
  HOLT_SOURCE_RETENTION: {
    what: 'The source keeps its log for less than a day.',
    remedy:
      'Raise binlog_expire_logs_seconds (expire_logs_days) above the longest rest of a pipeline that you expect.',
  },
  HOLT_SOURCE_READ_ONLY: {
    what: 'The source is read-only, and the heartbeat and first marks of pipelines must be written there.',
    remedy: 'Follow its primary, or take read_only off.',
  },
  HOLT_TARGET_GRANT: {
    what: 'The account lacks a privilege on a table at the target.',
    remedy: 'Grant what `holt grants print` lists; Holt tries again by itself.',
  },
  HOLT_TARGET_PROCESS_GRANT: {
    what: 'The account at the target does not see the sessions of other accounts.',
    remedy: 'GRANT PROCESS ON *.* TO the account, if Holt has ever used another one there.',
  },
  HOLT_TARGET_TIME: {
    what: 'The target does not let the account set what time it is for its session. Rows and most schema changes are not affected; a schema change that asks for the time (DEFAULT CURRENT_TIMESTAMP of a new column, NOW() in a partition) would write another time than at the source, and is not done.',
    remedy:
      'On MariaDB set secure_timestamp to NO, or to SUPER and GRANT BINLOG REPLAY ON *.* (before 10.5: SUPER) to the account; it is read when the server starts. Or set ddl of the pipeline to stop or ignore, and make such changes by hand.',
  },
  HOLT_TARGET_PACKET_SMALL: {
    what: 'The target takes smaller statements than the source does.',
    remedy:
      "Raise max_allowed_packet at the target to at least twice the source's: large rows are refused else.",
  },
  HOLT_TARGET_KEY_MISSING: {
    what: 'The source has a key on a table, and the target none of the same columns.',
    remedy: 'Add the primary key at the target; every change looks through the whole table until then.',
  },
  HOLT_TABLE_WITHOUT_KEY: {
    what: 'A table has no key by which its rows can be told apart.',
    remedy:
      'Add a primary key at both sides; until then rows are found by all their columns, which is slow in large tables.',
  },
  HOLT_TABLES_UNMATCHED: {
    what: 'A pattern of a pipeline fits no table at the source.',
    remedy: 'Correct the pattern, create the table, or GRANT SELECT on it.',
  },

  // commands and API
  HOLT_JOBS_UNREACHABLE: {
    what: "Jobs cannot be queued: the site's Redis does not answer.",
    remedy: "Check the site's Redis and its URL; replication goes on without it.",
  },
  HOLT_INTERNAL: {
    what: 'Something happened that the code holds impossible: a defect of Holt.',
    remedy: 'Keep the log with the stack and report it; the pipeline stays at its position.',
  },
  HOLT_API_LISTEN: {
    what: 'The API cannot listen on its address.',
    remedy: 'Choose another listen for the node, or end what uses the port.',
  },
  HOLT_API_NOT_LOOPBACK: {
    what: 'The API is configured on an address that other machines can reach, with its login switched off.',
    remedy: 'Set listen to 127.0.0.1 or [::1], or api.auth to on.',
  },
  HOLT_API_TOKEN_WEAK: {
    what: 'The token of the configuration is so short that it could be guessed, or has signs that cannot be sent.',
    remedy: 'Make one with `openssl rand -hex 24`.',
  },
  HOLT_DATA_DIR: {
    what: 'What a node keeps in its folder cannot be read or written.',
    remedy: 'Correct dataDir, make it writable for the user Holt runs as, or move what is damaged away.',
  },
  HOLT_UNAUTHENTICATED: {
    what: 'The API was asked without an account or token, or with one that is not valid any more.',
    remedy: 'Log in with `holt login`, or give a token with --token-file or HOLT_TOKEN.',
  },
  HOLT_FORBIDDEN: {
    what: 'The account or token may not do this.',
    remedy: 'Ask an administrator for the role or the pipeline that the message names.',
  },
  HOLT_CSRF: {
    what: "A request changes something under a browser's login and does not prove that it comes from Holt's own page.",
    remedy:
      'Send the csrf value of GET /api/v1/session as the header holt-csrf; programs use a token instead.',
  },
  HOLT_LOGIN_FAILED: {
    what: 'Name or password is wrong, or the account is disabled.',
    remedy: 'Try again; an administrator can set another password with `holt user set`.',
  },
  HOLT_LOGIN_LOCKED: {
    what: 'There were too many wrong attempts: for a while none is looked at.',
    remedy: 'Wait as long as the message says.',
  },
  HOLT_RATE_LIMIT: {
    what: 'More requests came than one account or address may send.',
    remedy: 'Wait as long as the Retry-After header says; use the event stream in place of polling.',
  },
  HOLT_CONFIG_VERSION: {
    what: 'The configuration of a pipeline was changed by somebody else since it was read.',
    remedy: 'Read it again, make the change there, and send it with the new ETag.',
  },
  HOLT_IF_MATCH_MISSING: {
    what: 'A configuration is to be replaced without saying which version it replaces.',
    remedy: 'Send the ETag of GET as If-Match.',
  },
  HOLT_CONFIG_UNKNOWN: {
    what: 'The history has no configuration of that id.',
    remedy: '`holt pipeline-config history` lists those that are kept: the newest fifty.',
  },
  HOLT_NODE_NEEDED: {
    what: 'A node is to put its work down, and no other one that is ready serves some of the stages.',
    remedy:
      'Start another node at its site first, or force it: these pipelines then stand still until one is there.',
  },
  HOLT_BATCH_UNKNOWN: {
    what: 'The batch does not stand at any stage now: it was applied, or is read again under another name.',
    remedy: 'List those in flight with `holt batch list`.',
  },
  HOLT_RESTART_ASKED: {
    what: 'A person asked for a pipeline to begin anew from its checkpoint.',
    remedy: 'Nothing is to be done.',
  },
  HOLT_ZNODE_UNKNOWN: {
    what: 'There is nothing at that path of the coordination tree.',
    remedy: '`holt zk tree` shows what there is.',
  },
  HOLT_REQUEST_KEY_USED: {
    what: 'An Idempotency-Key was used again for another request.',
    remedy: 'Give each request a key of its own.',
  },
  HOLT_REQUEST_RUNNING: {
    what: 'A request with the same Idempotency-Key is being carried out.',
    remedy: 'Ask again in a few seconds.',
  },
  HOLT_REQUEST_DONE: {
    what: 'A request with the same Idempotency-Key was carried out, and its answer cannot be given again.',
    remedy: 'Look at the result by the request that reads it.',
  },
  HOLT_SETUP_REFUSED: {
    what: 'The first account cannot be made with this setup token, or there is an account already.',
    remedy: 'Use the token that was printed last; starting the node again that printed it makes a new one.',
  },
  HOLT_ACCOUNT_UNKNOWN: {
    what: 'There is no account of that name.',
    remedy: '`holt user list` shows the names.',
  },
  HOLT_ACCOUNT_EXISTS: {
    what: 'There is an account of that name already.',
    remedy: 'Choose another name, or change that account with `holt user set`.',
  },
  HOLT_LAST_ADMIN: {
    what: 'The last administrator would lose the role, or be disabled or deleted.',
    remedy: 'Make another administrator first.',
  },
  HOLT_TOKEN_UNKNOWN: {
    what: 'There is no token of that id among those that you may see.',
    remedy: '`holt token list` shows the ids.',
  },
  HOLT_REQUEST_INVALID: {
    what: 'A request to the API has not the form that is expected.',
    remedy: 'The message names the field.',
  },
  HOLT_SERVER_UNREACHABLE: {
    what: 'No Holt node answers at the address given.',
    remedy: 'Start a node, or name the address of one with --server.',
  },
  HOLT_SERVER_FOREIGN: {
    what: 'Something answers at the address given, and it is no Holt node of this release.',
    remedy: 'Check --server: it names the listen address of a node of the same release.',
  },
  HOLT_PIPELINE_UNKNOWN: {
    what: 'No pipeline of that name is configured.',
    remedy: '`holt pipeline list` shows the names.',
  },
  HOLT_PIPELINE_STATE: {
    what: 'The pipeline is not in a state in which this may be done.',
    remedy: 'Pause or stop it first; the message says which.',
  },
  HOLT_NODE_UNKNOWN: {
    what: 'The configuration has no node of that name, or several and none was named.',
    remedy: 'Start it with --name and one of the names the message lists.',
  },
  // alarms
  HOLT_ALARM_UNKNOWN: {
    what: 'There is no alarm of that id: it may be over.',
    remedy: '`holt alarm list` shows those that stand, `holt alarm history` what was told.',
  },
  HOLT_ALARM_CHANNEL_UNKNOWN: {
    what: 'No channel of that name is configured for alarms.',
    remedy: '`holt alarm channels` shows the names.',
  },
  HOLT_ALARM_CHANNEL: {
    what: 'A channel for alarms cannot work as it is configured.',
    remedy:
      'Look at what its url refers to: an https address that takes what is sent there itself, without redirect; then `holt alarm test`.',
  },
  HOLT_ALARM_REFUSED: {
    what: 'A channel for alarms did not take what was sent there.',
    remedy:
      'Holt tries again for some twenty minutes. If it goes on, look at the address or mail server of the channel; `holt alarm test` tries at once.',
  },
  HOLT_ALARM_SILENCE_UNKNOWN: {
    what: 'There is no silence of that id: it may have ended.',
    remedy: '`holt alarm silences` shows those that last.',
  },
  HOLT_ALARM_SILENCES_FULL: {
    what: 'There are as many silences as can be kept.',
    remedy: 'End some with `holt alarm unsilence`, or write one with patterns in place of many.',
  },
  HOLT_ALARM_BUSY: {
    what: 'Silences and acknowledgements are changed by others at the same moment, again and again.',
    remedy: 'Try again.',
  },
  HOLT_VERIFY_PROCESSOR: {
    what: 'A table is changed by a user processor on its way: what the target should hold is written nowhere.',
    remedy: 'Verify the other tables through a pipeline without the processor.',
  },
  HOLT_TRACE_TABLE: {
    what: 'The table to be traced is not at the source, or its account may not see it.',
    remedy: 'Name it as schema.table with its name at the source.',
  },
  HOLT_TRACE_KEY: {
    what: 'What was given for a trace names no row: a value does not fit its column, or values are missing.',
    remedy: 'The message says what is expected; `holt trace --help` has examples.',
  },
  HOLT_TRACE_UNKNOWN: {
    what: 'There is no trace of that id.',
    remedy: 'Traces are kept for ten minutes, at the node that ran them; start a new one with `holt trace`.',
  },
  HOLT_TRACE_CANCELLED: {
    what: 'A trace was ended before it was done: by its client, because nobody asked about it any more, or because it took too long.',
    remedy: 'Start it again; --last and --max-bytes make it shorter.',
  },
  HOLT_WAIT_TIMEOUT: {
    what: 'The target has not reached the position that was waited for in the time given.',
    remedy: '`holt pipeline status <name>` says what holds it up; waiting again goes on from there.',
  },
  HOLT_VERIFY_UNKNOWN: {
    what: 'There is no check of that id.',
    remedy: 'Checks are kept for a day; start a new one with `holt verify`.',
  },
} as const satisfies Record<string, ErrorCode>;

export type ErrorCodeName = keyof typeof ERROR_CODES;

/** What has happened and what to do, as one text for people. */
export function whatAndHow(error: {
  readonly code: string;
  readonly message: string;
  readonly remedy: string | undefined;
}): string {
  const remedy = remedyOf(error);
  if (remedy === null || error.message.includes(remedy)) return error.message;
  return `${error.message}${/[.!?…]$/.test(error.message) ? '' : '.'} ${remedy}`;
}

/** What to do about an error: its own remedy, which knows the case at hand, else that of its code. */
export function remedyOf(error: {
  readonly code: string;
  readonly remedy: string | undefined;
}): string | null {
  const listed: Readonly<Partial<Record<string, ErrorCode>>> = ERROR_CODES;
  return error.remedy ?? listed[error.code]?.remedy ?? null;
}
