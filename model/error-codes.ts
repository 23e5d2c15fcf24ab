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

  // select, extract, transform

  // load and target

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

  // pipe and node-to-node

  // configuration
  HOLT_CONFIG_INVALID: {
    what: 'The configuration has problems; each is named with file, line, column and what was expected.',
    remedy: 'Correct the places named and run `holt config check` again.',
  },
  HOLT_CONFIG_MISSING: {
    what: 'The configuration file or folder does not exist, or holds no YAML.',
    remedy: 'Name it with --config; conf/examples has some to begin with.',
  },
  HOLT_SECRET_MISSING: {
    what: 'A secret that the configuration refers to cannot be read.',
    remedy: 'Set the environment variable, or make the file readable for the user Holt runs as.',
  },
  HOLT_ROW_FILTER_INVALID: {
    what: 'A row filter is not of the language of row filters.',
    remedy: "Write comparisons, IN, IS NULL and LIKE joined by AND, OR, NOT: region = 'EU' and total >= 10.",
  },

  // commands and API
} as const satisfies Record<string, ErrorCode>;

export type ErrorCodeName = keyof typeof ERROR_CODES;
